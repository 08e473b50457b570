//! What every journal has to do: one list of claims in words, held against each store of [`STORES`]. A new store is a line
//! there: it has to keep every claim, and `store_model.rs` compares it with the others over random writes.
//!
//! What no claim can show of every store, and each has to show of itself: what `commit` has answered survives the loss of
//! power (`tests/lab` for the one in a file); a commit that failed answers every op with the failure, and the store writes no
//! more; a lease ends with its process, however that went, and not before (`store_owner.rs`); damage is told and never
//! read as something else (`store_file.rs`); `changes` hears of other processes too.

use callsheet::clock::{Clock as _, Machine};
use callsheet::id::{ApprovalNo, Digest, Epoch, RunId, RunNo, Seq, Timestamp};
use callsheet::journal::memory::Memory;
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{
    Batch, Body, Claiming, Done, Due, Error, Head, Holder, Lease, Moved, NewRun, Op, OwnerId, Query, RunRow, Store,
    Subject, Summary, chain, chain_start,
};
use uuid::Uuid;

/// A store and its owners.
pub(crate) struct Stage {
    store: Box<dyn Store>,
    leases: Vec<Lease>,
    _folder: Option<tempfile::TempDir>,
}

impl Stage {
    fn in_memory() -> Self {
        Self { store: Box::new(Memory::new()), leases: Vec::new(), _folder: None }
    }

    fn in_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("journal.db"), Open::ReadWrite).unwrap();
        Self { store: Box::new(store), leases: Vec::new(), _folder: Some(folder) }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(crate) fn owner_comes(&mut self) -> OwnerId {
        let holder = Holder { id: OwnerId(Machine.id()), label: format!("owner {}", self.leases.len()) };
        self.leases.push(self.store.lease(holder).unwrap());
        self.leases.last().unwrap().id()
    }

    pub(crate) fn owner_dies(&mut self, owner: OwnerId) {
        self.leases.retain(|lease| lease.id() != owner);
    }
}

/// What a store is called, and an empty one.
type Named = (&'static str, fn() -> Stage);

/// The stores that there are.
pub(crate) const STORES: [Named; 2] = [("in memory", Stage::in_memory), ("in a file", Stage::in_file)];

pub(crate) const NOBODY: OwnerId = OwnerId(Uuid::nil());

pub(crate) fn run_id(n: u128) -> RunId {
    RunId(Uuid::from_u128(n))
}

pub(crate) fn head(text: &str) -> Head {
    Head { kind: "noted".to_owned(), version: 1, json: format!("{{\"text\":\"{text}\"}}").into_bytes() }
}

pub(crate) fn body(text: &str) -> Body {
    Body::new([7; 16], text.as_bytes().to_vec())
}

pub(crate) fn batch(run: RunId, after: u64, epoch: u64, texts: &[&str]) -> Batch {
    let heads = texts.iter().map(|text| head(text)).collect();
    Batch {
        run,
        after: Seq(after),
        epoch: Epoch(epoch),
        heads,
        bodies: vec![],
        summary: Summary::default(),
        at: Timestamp(0),
        release: false,
    }
}

pub(crate) fn create(run: RunId, owner: OwnerId, texts: &[&str]) -> Op {
    let new = NewRun { id: run, topology: "re-engagement".to_owned(), at: Timestamp(1_000), owner, blobs: vec![] };
    Op::Create(new, batch(run, 0, 1, texts))
}

pub(crate) fn append(run: RunId, after: u64, epoch: u64, texts: &[&str]) -> Op {
    Op::Append(batch(run, after, epoch, texts))
}

fn lasts(stage: &mut Stage) {
    let store = stage.store();
    assert_eq!(store.lasts().unwrap(), []);
    for n in 1..=3 {
        one(store, create(run_id(n), NOBODY, &["a", "b"])).unwrap();
    }
    one(store, Op::Append(batch(run_id(3), 2, 1, &["c"]))).unwrap();
    let over = Summary { over: true, ..Summary::default() };
    one(store, Op::Append(Batch { summary: over, ..batch(run_id(2), 2, 1, &["end"]) })).unwrap();
    let mut lasts = store.lasts().unwrap();
    lasts.sort();
    assert_eq!(lasts, [(run_id(1), Seq(2)), (run_id(3), Seq(3))]);
}

pub(crate) fn post(run: RunId, id: u128, text: &str) -> Op {
    Op::Post { run, id: Uuid::from_u128(id), json: text.as_bytes().to_vec(), at: Timestamp(2_000) }
}

pub(crate) fn one(store: &dyn Store, op: Op) -> Result<Done, Error> {
    store.commit(&[op]).pop().unwrap()
}

pub(crate) fn row(store: &dyn Store, run: RunId) -> RunRow {
    store.runs(&Query { id: Some(run), ..Query::default() }).unwrap().pop().unwrap()
}

fn texts(store: &dyn Store, run: RunId) -> Vec<String> {
    let records = store.records(run, Seq(0), 1_000).unwrap();
    records.into_iter().map(|record| String::from_utf8(record.head.json).unwrap()).collect()
}

fn conflict(last: u64, epoch: u64) -> Error {
    Error::Conflict(Moved { last: Seq(last), epoch: Epoch(epoch) })
}

fn numbers(store: &dyn Store, query: Query) -> Vec<u64> {
    store.runs(&query).unwrap().iter().map(|row| row.no.0).collect()
}

/// What is claimed, in words, and what holds a store to it.
type Claim = (&'static str, fn(&mut Stage));

const CLAIMS: &[Claim] = &[
    ("what is appended is read in order, chained from the run's own start", reads_in_order),
    ("an append at another place or epoch is refused and changes nothing", compares),
    ("a batch that could not be verified later is refused, and what it concerned is said", refuses_malformed),
    ("a conflict takes only its own op", isolates),
    ("a run can be claimed when its owner is dead, or by force, and the old owner is fenced", claims),
    ("a release is only the owner's", releases),
    ("an append can give the ownership up, and one that is refused does not", releases_with_the_last),
    ("the same post twice is one row", posts_once),
    ("what is not due any more is claimed by nobody who wants it due", claims_due),
    ("what is heard is claimed by nobody who wants it heard", claims_to_hear),
    ("numbers are never used twice", numbers_stay_used),
    ("a query gives what it names, newest first", queries),
    ("the last record is told of each run that is not over", lasts),
    ("due are those whose time has come and those with something to hear", due),
    ("due are an owner's own, the free and those of the dead, not those of others who live", due_to_whom),
    ("a body is stored once and is its run's own", bodies),
    ("a blob is stored once for all runs", blobs),
    ("an unknown run is said to be unknown", unknown),
    ("whoever wants to be told of writes is told, of what was refused or read he may be", changes),
];

#[test]
fn every_store_keeps_the_contract() {
    for (store, new) in STORES {
        for (claim, hold) in CLAIMS {
            println!("{store}: {claim}");
            hold(&mut new());
        }
    }
}

fn reads_in_order(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    assert_eq!(one(store, create(run, NOBODY, &["a", "b"])), Ok(Done::Created(RunNo(1))));
    assert_eq!(one(store, append(run, 2, 1, &["c", "d", "e"])), Ok(Done::Appended(Seq(5))));
    let all = store.records(run, Seq(0), 100).unwrap();
    let mut link = chain_start(run);
    for (record, (seq, text)) in all.iter().zip([(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]) {
        link = chain(link, Seq(seq), Epoch(1), &head(text));
        assert_eq!((record.seq, &record.head, record.chain), (Seq(seq), &head(text), link));
    }
    assert_eq!(all.len(), 5);
    assert_eq!(store.records(run, Seq(1), 2).unwrap(), all[1..3]);
    assert_eq!(store.records(run, Seq(3), 2).unwrap(), all[3..]);
    assert_eq!(store.records(run, Seq(5), 2).unwrap(), []);
    assert_eq!(store.records(run, Seq(u64::MAX), 2).unwrap(), []);
    assert_eq!(store.records(run, Seq(0), 0).unwrap(), []);
    assert_eq!(store.records(run, Seq(0), usize::MAX).unwrap(), all);
}

fn compares(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    one(store, create(run, NOBODY, &["a", "b"])).unwrap();
    let before = row(store, run);
    for (after, epoch) in [(1, 1), (3, 1), (2, 0), (2, 2), (0, 1), (u64::MAX, 1), (2, u64::MAX)] {
        assert_eq!(one(store, append(run, after, epoch, &["x"])), Err(conflict(2, 1)), "{after} {epoch}");
    }
    assert_eq!(one(store, create(run, NOBODY, &["x"])), Err(conflict(2, 1)));
    assert_eq!(row(store, run), before);
    assert_eq!(texts(store, run).len(), 2);
}

fn refuses_malformed(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    one(store, create(run, NOBODY, &["a"])).unwrap();
    let mut torn = batch(run, 1, 1, &["b"]);
    torn.bodies = vec![Body { bytes: b"other".to_vec(), ..body("one") }];
    let new = |id| NewRun { id, topology: "t".to_owned(), at: Timestamp(1), owner: NOBODY, blobs: vec![] };
    for op in [
        append(run, 1, 1, &[]),
        Op::Append(torn),
        Op::Create(new(run_id(2)), batch(run_id(2), 1, 1, &["x"])),
        Op::Create(new(run_id(2)), batch(run_id(2), 0, 2, &["x"])),
        Op::Create(new(run_id(2)), batch(run_id(3), 0, 1, &["x"])),
    ] {
        let refused = one(store, op.clone());
        let Err(Error::Malformed(cause)) = &refused else { panic!("{op:?}: {refused:?}") };
        let (Op::Create(_, batch) | Op::Append(batch)) = &op else { panic!("{op:?}") };
        let runs = [batch.run, if let Op::Create(new, _) = &op { new.id } else { batch.run }];
        let (Subject::Run(run) | Subject::Body(run, _)) = cause.subject else { panic!("{cause:?}") };
        assert!(runs.contains(&run), "{cause}");
    }
    assert_eq!(one(store, append(run, 1, 1, &["b"])), Ok(Done::Appended(Seq(2))), "the store still writes");
    assert_eq!(one(store, create(run_id(2), NOBODY, &["a"])), Ok(Done::Created(RunNo(2))));
}

fn isolates(stage: &mut Stage) {
    let (store, a, b) = (stage.store(), run_id(1), run_id(2));
    let mut new = batch(a, 7, 1, &["lost"]);
    new.bodies = vec![body("lost")];
    let answers = store.commit(&[
        create(a, NOBODY, &["a1"]),
        create(b, NOBODY, &["b1"]),
        append(a, 1, 1, &["a2"]),
        Op::Append(new),
        append(b, 9, 1, &["lost"]),
        append(b, 1, 1, &["b2", "b3"]),
        append(a, 2, 1, &["a3"]),
    ]);
    let expected = [
        Ok(Done::Created(RunNo(1))),
        Ok(Done::Created(RunNo(2))),
        Ok(Done::Appended(Seq(2))),
        Err(conflict(2, 1)),
        Err(conflict(1, 1)),
        Ok(Done::Appended(Seq(3))),
        Ok(Done::Appended(Seq(3))),
    ];
    assert_eq!(answers, expected);
    assert_eq!((texts(store, a).len(), texts(store, b).len()), (3, 3));
    assert_eq!(store.bodies(a), Ok(vec![]));
}

fn claims(stage: &mut Stage) {
    let run = run_id(1);
    let (first, second) = (stage.owner_comes(), stage.owner_comes());
    let claim = |owner, how| Op::Claim { run, owner, how };
    one(stage.store(), create(run, first, &["a"])).unwrap();
    let holder = row(stage.store(), run).owner.unwrap();
    assert_eq!((holder.id, holder.label.as_str()), (first, "owner 0"));
    assert_eq!(one(stage.store(), claim(second, Claiming::IfFree)), Err(Error::Owned { by: "owner 0".to_owned() }));
    assert_eq!(one(stage.store(), claim(first, Claiming::IfFree)), Ok(Done::Claimed(Epoch(2))), "its own");
    assert_eq!(one(stage.store(), claim(second, Claiming::TakeOver)), Ok(Done::Claimed(Epoch(3))));
    assert_eq!(one(stage.store(), append(run, 1, 2, &["x"])), Err(conflict(1, 3)), "fenced");
    assert_eq!(one(stage.store(), append(run, 1, 3, &["b"])), Ok(Done::Appended(Seq(2))));
    stage.owner_dies(second);
    assert_eq!(row(stage.store(), run).owner, None);
    assert_eq!(one(stage.store(), claim(first, Claiming::IfFree)), Ok(Done::Claimed(Epoch(4))));
    assert_eq!(row(stage.store(), run).epoch, Epoch(4));
    let epochs: Vec<_> = stage.store().records(run, Seq(0), 9).unwrap().iter().map(|record| record.epoch.0).collect();
    assert_eq!(epochs, [1, 3]);
}

/// A run that wakes at 5 and has something to hear, seen by a scheduler whose look may be old.
fn claims_due(stage: &mut Stage) {
    let run = run_id(1);
    let (first, second) = (stage.owner_comes(), stage.owner_comes());
    let claim = |at| Op::Claim { run, owner: second, how: Claiming::IfDue(Timestamp(at)) };
    let goes_on =
        |after, epoch, summary| Op::Append(Batch { summary, release: true, ..batch(run, after, epoch, &["x"]) });
    let wakes = Summary { wake_at: Some(Timestamp(5)), ..Summary::default() };
    one(stage.store(), create(run, first, &["a"])).unwrap();
    assert_eq!(one(stage.store(), claim(9)), Err(Error::Owned { by: "owner 0".to_owned() }));
    one(stage.store(), goes_on(1, 1, wakes.clone())).unwrap();
    for (at, done) in [(4, Done::NotNeeded), (5, Done::Claimed(Epoch(2)))] {
        assert_eq!(one(stage.store(), claim(at)), Ok(done), "at {at}");
    }
    one(stage.store(), goes_on(2, 2, Summary::default())).unwrap();
    assert_eq!(one(stage.store(), claim(9)), Ok(Done::NotNeeded), "nothing wakes it");
    one(stage.store(), post(run, 10, "hear")).unwrap();
    assert_eq!(one(stage.store(), claim(0)), Ok(Done::Claimed(Epoch(3))), "it has something to hear");
    one(stage.store(), goes_on(3, 3, Summary { over: true, heard: 1, ..wakes })).unwrap();
    assert_eq!(one(stage.store(), claim(9)), Ok(Done::NotNeeded), "it is over");
    assert_eq!((row(stage.store(), run).owner, row(stage.store(), run).epoch), (None, Epoch(3)));
    one(stage.store(), post(run, 11, "hear")).unwrap();
    assert_eq!(one(stage.store(), claim(0)), Ok(Done::Claimed(Epoch(4))), "it is over, and has something to hear");
}

/// A run to which two things are posted, one after the other, seen by somebody who waits for the first to be heard.
fn claims_to_hear(stage: &mut Stage) {
    let run = run_id(1);
    let (first, second) = (stage.owner_comes(), stage.owner_comes());
    let claim = |place| Op::Claim { run, owner: second, how: Claiming::ToHear(place) };
    one(stage.store(), create(run, first, &["a"])).unwrap();
    one(stage.store(), post(run, 10, "one")).unwrap();
    assert_eq!(one(stage.store(), claim(1)), Err(Error::Owned { by: "owner 0".to_owned() }));
    let hears = Summary { heard: 1, over: true, ..Summary::default() };
    let batch = batch(run, 1, 1, &["x"]);
    one(stage.store(), Op::Append(Batch { summary: hears, release: true, ..batch })).unwrap();
    one(stage.store(), post(run, 11, "two")).unwrap();
    assert_eq!(one(stage.store(), claim(1)), Ok(Done::NotNeeded), "it is heard");
    assert_eq!((row(stage.store(), run).owner, row(stage.store(), run).epoch), (None, Epoch(1)));
    assert_eq!(one(stage.store(), claim(2)), Ok(Done::Claimed(Epoch(2))), "a run that is over still hears");
}

fn releases(stage: &mut Stage) {
    let run = run_id(1);
    let (first, second) = (stage.owner_comes(), stage.owner_comes());
    one(stage.store(), create(run, first, &["a"])).unwrap();
    let release = |epoch| Op::Release { run, epoch: Epoch(epoch) };
    let claim = |owner| Op::Claim { run, owner, how: Claiming::TakeOver };
    // Whoever is fenced gives up nothing, whether another owner followed it or its own.
    for (owner, epoch) in [(second, 2), (second, 3), (first, 4)] {
        assert_eq!(one(stage.store(), claim(owner)), Ok(Done::Claimed(Epoch(epoch))));
        for old in 0..epoch {
            assert_eq!(one(stage.store(), release(old)), Ok(Done::Released));
            assert_eq!(row(stage.store(), run).owner.map(|owner| owner.id), Some(owner), "{epoch} by {old}");
        }
    }
    assert_eq!(one(stage.store(), release(4)), Ok(Done::Released));
    assert_eq!(row(stage.store(), run).owner, None);
    let claimed = one(stage.store(), Op::Claim { run, owner: second, how: Claiming::IfFree });
    assert_eq!(claimed, Ok(Done::Claimed(Epoch(5))));
}

fn releases_with_the_last(stage: &mut Stage) {
    let run = run_id(1);
    let (first, second) = (stage.owner_comes(), stage.owner_comes());
    one(stage.store(), create(run, first, &["a"])).unwrap();
    let last = |after| Op::Append(Batch { release: true, ..batch(run, after, 1, &["end"]) });
    assert_eq!(one(stage.store(), last(7)), Err(conflict(1, 1)));
    assert_eq!(row(stage.store(), run).owner.map(|owner| owner.id), Some(first));
    assert_eq!(one(stage.store(), last(1)), Ok(Done::Appended(Seq(2))));
    assert_eq!(row(stage.store(), run).owner, None);
    let claimed = one(stage.store(), Op::Claim { run, owner: second, how: Claiming::IfFree });
    assert_eq!(claimed, Ok(Done::Claimed(Epoch(2))));
}

fn posts_once(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    one(store, create(run, NOBODY, &["a"])).unwrap();
    one(store, create(run_id(2), NOBODY, &["a"])).unwrap();
    assert_eq!(one(store, post(run, 10, "first")), Ok(Done::Posted(1)));
    assert_eq!(one(store, post(run, 11, "second")), Ok(Done::Posted(2)));
    assert_eq!(one(store, post(run, 10, "again")), Ok(Done::Posted(1)));
    assert_eq!(one(store, post(run_id(2), 10, "elsewhere")), Ok(Done::Posted(1)), "ids are a run's own");
    let inbox = store.inbox(run, 0).unwrap();
    let rows: Vec<_> = inbox.iter().map(|row| (row.place, row.id.as_u128(), row.json.as_slice(), row.at.0)).collect();
    assert_eq!(rows, [(1, 10, b"first".as_slice(), 2_000), (2, 11, b"second", 2_000)]);
    assert_eq!(store.inbox(run, 1).unwrap(), inbox[1..]);
    assert_eq!(store.inbox(run, 2).unwrap(), []);
    assert_eq!(store.inbox(run, 99).unwrap(), []);
    assert_eq!(row(store, run).posted, 2);
}

fn numbers_stay_used(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    let answers = store.commit(&[
        create(run, NOBODY, &["a"]),
        create(run, NOBODY, &["a"]),
        create(run_id(2), NOBODY, &["a"]),
        Op::Number { run },
        Op::Number { run: run_id(9) },
        Op::Number { run: run_id(2) },
    ]);
    assert_eq!(answers[0], Ok(Done::Created(RunNo(1))));
    assert_eq!(answers[2], Ok(Done::Created(RunNo(2))), "a failed one takes no number");
    assert_eq!(answers[3], Ok(Done::Number(ApprovalNo(1))));
    assert_eq!(answers[4], Err(Error::UnknownRun));
    assert_eq!(answers[5], Ok(Done::Number(ApprovalNo(2))));
    assert_eq!(numbers(store, Query { approval: Some(ApprovalNo(2)), ..Query::default() }), [2]);
    assert_eq!(numbers(store, Query { approval: Some(ApprovalNo(1)), ..Query::default() }), [1]);
    assert_eq!(numbers(store, Query { approval: Some(ApprovalNo(3)), ..Query::default() }), [0_u64; 0]);
    assert_eq!(numbers(store, Query { approval: Some(ApprovalNo(0)), ..Query::default() }), [0_u64; 0]);
}

fn queries(stage: &mut Stage) {
    let store = stage.store();
    for n in 1..=5 {
        one(store, create(run_id(n), NOBODY, &["a"])).unwrap();
    }
    let summary = Summary {
        status: "done".to_owned(),
        over: true,
        tokens: u64::MAX,
        approvals: vec![ApprovalNo(3)],
        waiting_for: Some("a person".to_owned()),
        ..Summary::default()
    };
    one(store, Op::Append(Batch { summary: summary.clone(), ..batch(run_id(2), 1, 1, &["end"]) })).unwrap();
    let second = row(store, run_id(2));
    assert_eq!((second.summary, second.last, second.no), (summary, Seq(2), RunNo(2)));
    assert_eq!((second.topology.as_str(), second.created_at), ("re-engagement", Timestamp(1_000)));
    assert!(second.updated_at >= second.created_at);
    assert_eq!(numbers(store, Query::default()), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(store, Query { live: true, ..Query::default() }), [5, 4, 3, 1]);
    assert_eq!(numbers(store, Query { above: Some(RunNo(3)), ..Query::default() }), [5, 4]);
    assert_eq!(numbers(store, Query { above: Some(RunNo(5)), ..Query::default() }), [0_u64; 0]);
    assert_eq!(numbers(store, Query { limit: 2, ..Query::default() }), [5, 4]);
    assert_eq!(numbers(store, Query { limit: usize::MAX, ..Query::default() }).len(), 5);
    assert_eq!(numbers(store, Query { no: Some(RunNo(3)), ..Query::default() }), [3]);
    assert_eq!(numbers(store, Query { no: Some(RunNo(2)), live: true, ..Query::default() }), [0_u64; 0]);
    assert_eq!(numbers(store, Query { no: Some(RunNo(3)), id: Some(run_id(4)), ..Query::default() }), [0_u64; 0]);
    assert_eq!(numbers(store, Query { id: Some(run_id(77)), ..Query::default() }), [0_u64; 0]);
}

fn due(stage: &mut Stage) {
    let store = stage.store();
    let at = |now| numbers(store, Query { due: Some(Due { at: Timestamp(now), by: NOBODY }), ..Query::default() });
    for n in 1..=4 {
        one(store, create(run_id(n), NOBODY, &["a"])).unwrap();
    }
    let sleep = |run, after, wake_at: Option<i64>, heard| {
        let summary = Summary { wake_at: wake_at.map(Timestamp), heard, ..Summary::default() };
        one(store, Op::Append(Batch { summary, ..batch(run_id(run), after, 1, &["b"]) })).unwrap();
    };
    sleep(1, 1, Some(50), 0);
    sleep(2, 1, Some(60), 0);
    assert_eq!((at(49), at(50), at(60)), (vec![], vec![1], vec![2, 1]));
    one(store, post(run_id(3), 1, "hello")).unwrap();
    assert_eq!((at(0), at(60)), (vec![3], vec![3, 2, 1]));
    sleep(3, 1, None, 1);
    sleep(1, 2, None, 0);
    assert_eq!((at(0), at(60)), (vec![], vec![2]));
    let ends = Summary { wake_at: Some(Timestamp(50)), over: true, ..Summary::default() };
    one(store, Op::Append(Batch { summary: ends, ..batch(run_id(4), 1, 1, &["b"]) })).unwrap();
    assert_eq!(at(60), [2], "nothing wakes a run that is over");
    one(store, post(run_id(4), 1, "hello")).unwrap();
    assert_eq!((at(0), at(60)), (vec![4], vec![4, 2]), "it still hears");
}

fn bodies(stage: &mut Stage) {
    let (store, a, b) = (stage.store(), run_id(1), run_id(2));
    let with = |run, after, texts: &[&str]| {
        let bodies = texts.iter().map(|text| body(text)).collect();
        Op::Append(Batch { bodies, ..batch(run, after, 1, &["x"]) })
    };
    one(store, create(a, NOBODY, &["a"])).unwrap();
    one(store, create(b, NOBODY, &["a"])).unwrap();
    one(store, with(a, 1, &["one", "two", "one"])).unwrap();
    one(store, with(a, 2, &["two", ""])).unwrap();
    let mut kept = [body("one").digest, body("two").digest, body("").digest].map(|digest| (digest, true));
    kept.sort();
    assert_eq!(store.bodies(a).unwrap(), kept);
    assert_eq!(store.body(a, body("two").digest).unwrap(), Some(body("two")));
    assert_eq!(store.body(a, body("").digest).unwrap(), Some(body("")));
    assert!(matches!(store.body(b, body("two").digest), Err(Error::Damaged(_))));
}

fn blobs(stage: &mut Stage) {
    let store = stage.store();
    let digest = Digest::of("test", &[b"plan"]);
    for (n, bytes) in [(1, b"plan"), (2, b"late")] {
        let blobs = vec![(digest, bytes.to_vec())];
        let new = NewRun { id: run_id(n), topology: "t".to_owned(), at: Timestamp(1), owner: NOBODY, blobs };
        one(store, Op::Create(new, batch(run_id(n), 0, 1, &["a"]))).unwrap();
    }
    assert_eq!(store.blob(digest).unwrap(), Some(b"plan".to_vec()));
    assert_eq!(store.blob(Digest::of("test", &[])).unwrap(), None);
}

fn unknown(stage: &mut Stage) {
    let (store, run) = (stage.store(), run_id(1));
    let owner = NOBODY;
    for op in [
        append(run, 0, 1, &["a"]),
        Op::Claim { run, owner, how: Claiming::TakeOver },
        Op::Release { run, epoch: Epoch(1) },
        post(run, 1, "x"),
        Op::Number { run },
    ] {
        assert_eq!(one(store, op), Err(Error::UnknownRun));
    }
    assert_eq!(store.records(run, Seq(0), 1), Err(Error::UnknownRun));
    assert_eq!(store.body(run, body("x").digest), Err(Error::UnknownRun));
    assert_eq!(store.bodies(run), Err(Error::UnknownRun));
    assert_eq!(store.inbox(run, 0), Err(Error::UnknownRun));
    assert_eq!(store.runs(&Query::default()), Ok(vec![]));
    assert_eq!(store.commit(&[]), []);
}

fn changes(stage: &mut Stage) {
    let store = stage.store();
    let mut changes = store.changes().unwrap();
    one(store, create(run_id(1), NOBODY, &["a"])).unwrap();
    assert!(changes.has_changed().unwrap(), "at once");
    changes.mark_unchanged();
    one(store, post(run_id(1), 1, "hello")).unwrap();
    assert!(changes.has_changed().unwrap());
    let late = store.changes().unwrap();
    assert!(!late.has_changed().unwrap(), "what was before is no news");
}

fn due_to_whom(stage: &mut Stage) {
    let (mine, others, dead) = (stage.owner_comes(), stage.owner_comes(), stage.owner_comes());
    for (n, owner) in [(1, mine), (2, others), (3, dead), (4, others), (5, mine)] {
        one(stage.store(), create(run_id(n), owner, &["a"])).unwrap();
        one(stage.store(), post(run_id(n), 1, "hello")).unwrap();
    }
    one(stage.store(), Op::Release { run: run_id(5), epoch: Epoch(1) }).unwrap();
    let due = |stage: &Stage, by, limit| {
        let due = Some(Due { at: Timestamp(0), by });
        numbers(stage.store(), Query { due, limit, ..Query::default() })
    };
    assert_eq!(due(stage, mine, 0), [5, 1]);
    assert_eq!(due(stage, others, 0), [5, 4, 2]);
    stage.owner_dies(dead);
    assert_eq!(due(stage, mine, 0), [5, 3, 1]);
    assert_eq!(due(stage, mine, 2), [5, 3], "others' runs do not use the limit up");
}

//! What every journal has to do with the firings of triggers: a list of claims in words, held against each store.

use callsheet::id::{Digest, RunNo, Timestamp};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{
    Batch, Came, Done, Error, Fired, Firing, Firings, NewRun, Op, Query, Store, Summary, Unfired, Watch,
};

use crate::store::{NOBODY, STORES, Stage, batch, create, one, run_id};

type Claim = (&'static str, fn(&mut Stage));

const CLAIMS: &[Claim] = &[
    ("a firing makes one run, and whoever comes again is told of it", fires_once),
    ("of servers that fire in one commit, one makes the run", fires_once_together),
    ("a firing that cannot make its run settles nothing", settles_with_its_run),
    ("one that is to be alone makes nothing while the last run of its trigger is not over", alone),
    ("what came to nothing yet can still come to something, and what is settled stays", notes),
    ("a trigger is watched since it was first seen as what it is", watches),
    ("runs that ended done since then are followed until their firing is settled", unfired),
    ("firings are given as they are named, newest first", queries),
];

#[test]
fn every_store_keeps_firings() {
    for (store, new) in STORES {
        for (claim, hold) in CLAIMS {
            println!("{store}: {claim}");
            hold(&mut new());
        }
    }
}

fn fired(key: &str, alone: bool) -> Fired {
    Fired { trigger: "letter.weekly".to_owned(), key: key.to_owned(), due_at: Timestamp(500), alone }
}

fn fire(run: u128, key: &str, alone: bool) -> Op {
    let new = NewRun {
        id: run_id(run),
        topology: "letter".to_owned(),
        at: Timestamp(run as i64),
        owner: NOBODY,
        blobs: vec![],
    };
    Op::Fire(fired(key, alone), new, batch(run_id(run), 0, 1, &["a"]))
}

fn firing(key: &str, at: i64, came: Came) -> Firing {
    let (trigger, key) = ("letter.weekly".to_owned(), key.to_owned());
    Firing { trigger, key, due_at: Timestamp(500), at: Timestamp(at), came }
}

fn started(run: u128, key: &str) -> Firing {
    firing(key, run as i64, Came::Started(run_id(run)))
}

fn all(store: &dyn Store) -> Vec<Firing> {
    store.firings(&Firings::default()).unwrap()
}

fn runs(store: &dyn Store) -> usize {
    store.runs(&Query::default()).unwrap().len()
}

/// Ends a run whose last record is the first.
fn end(store: &dyn Store, run: u128, status: &str, at: i64) {
    let summary = Summary { over: true, status: status.to_owned(), ..Summary::default() };
    let batch = Batch { summary, at: Timestamp(at), ..batch(run_id(run), 1, 1, &["end"]) };
    one(store, Op::Append(batch)).unwrap();
}

fn fires_once(stage: &mut Stage) {
    let store = stage.store();
    assert_eq!(one(store, fire(1, "monday", false)), Ok(Done::Created(RunNo(1))));
    assert_eq!(one(store, fire(2, "monday", false)), Ok(Done::Settled(started(1, "monday"))));
    assert_eq!((runs(store), all(store)), (1, vec![started(1, "monday")]));
    assert_eq!(
        one(store, fire(2, "tuesday", false)),
        Ok(Done::Created(RunNo(2))),
        "another firing, and no number lost"
    );
}

fn fires_once_together(stage: &mut Stage) {
    let store = stage.store();
    let answers = store.commit(&[fire(1, "monday", true), fire(2, "monday", true), fire(3, "monday", false)]);
    let settled = Ok(Done::Settled(started(1, "monday")));
    assert_eq!(answers, [Ok(Done::Created(RunNo(1))), settled.clone(), settled]);
    assert_eq!(runs(store), 1);
}

fn settles_with_its_run(stage: &mut Stage) {
    let store = stage.store();
    one(store, create(run_id(1), NOBODY, &["a"])).unwrap();
    assert!(matches!(one(store, fire(1, "monday", false)), Err(Error::Conflict(_))), "the id is another run's");
    let Op::Fire(fired, new, _) = fire(2, "monday", false) else { unreachable!() };
    let torn = Op::Fire(fired, new, batch(run_id(2), 7, 1, &["a"]));
    assert!(matches!(one(store, torn), Err(Error::Malformed(_))));
    assert_eq!((runs(store), all(store)), (1, vec![]));
    let untold = Op::Note(started(1, "monday"));
    assert!(matches!(one(store, untold), Err(Error::Malformed(_))), "a run starts with its firing or without");
    assert_eq!(one(store, fire(2, "monday", false)), Ok(Done::Created(RunNo(2))));
}

fn alone(stage: &mut Stage) {
    let store = stage.store();
    one(store, fire(1, "monday", true)).unwrap();
    assert_eq!(one(store, fire(2, "tuesday", true)), Ok(Done::Overlaps(RunNo(1))));
    assert_eq!(one(store, fire(2, "tuesday", false)), Ok(Done::Created(RunNo(2))), "it need not be alone");
    end(store, 1, "done", 10);
    assert_eq!(one(store, fire(3, "wednesday", true)), Ok(Done::Overlaps(RunNo(2))), "the last one counts");
    end(store, 2, "failed", 10);
    assert_eq!(one(store, fire(3, "wednesday", true)), Ok(Done::Created(RunNo(3))), "however it ended");
    let mut other = fire(4, "monday", true);
    if let Op::Fire(fired, ..) = &mut other {
        fired.trigger = "letter.other".to_owned();
    }
    assert_eq!(one(store, other), Ok(Done::Created(RunNo(4))), "another trigger's run is nothing to it");
}

fn notes(stage: &mut Stage) {
    let store = stage.store();
    let note = |key: &str, at, came: Came| one(store, Op::Note(firing(key, at, came)));
    assert_eq!(note("monday", 1, Came::Failed("a fault".to_owned())), Ok(Done::Noted));
    assert_eq!(note("monday", 2, Came::Waits(run_id(9))), Ok(Done::Noted));
    assert_eq!(all(store), [firing("monday", 2, Came::Waits(run_id(9)))], "one firing, as it is now");
    assert_eq!(one(store, fire(3, "monday", true)), Ok(Done::Created(RunNo(1))));
    assert_eq!(note("monday", 4, Came::Failed("late".to_owned())), Ok(Done::Settled(started(3, "monday"))));
    let skipped = firing("tuesday", 5, Came::Skipped("nobody was there".to_owned()));
    assert_eq!(one(store, Op::Note(skipped.clone())), Ok(Done::Noted));
    assert_eq!(one(store, fire(6, "tuesday", false)), Ok(Done::Settled(skipped.clone())));
    assert_eq!(all(store), [skipped, started(3, "monday")]);
}

fn watches(stage: &mut Stage) {
    let store = stage.store();
    let watch = |trigger: &str, what: &str, at| {
        let what = Digest::of("test", &[what.as_bytes()]);
        one(store, Op::Watch(Watch { trigger: trigger.to_owned(), what, at: Timestamp(at) }))
    };
    for (trigger, what, at, since) in [
        ("a", "monday", 5, 5),
        ("a", "monday", 9, 5),
        ("b", "monday", 7, 7),
        ("a", "friday", 11, 11),
        ("a", "monday", 13, 13),
    ] {
        assert_eq!(watch(trigger, what, at), Ok(Done::Watched(Timestamp(since))), "{trigger} {what} at {at}");
    }
}

fn unfired(stage: &mut Stage) {
    let store = stage.store();
    for (run, status, at) in [(1, "done", 2_000), (2, "failed", 2_000), (3, "done", 3_000)] {
        one(store, create(run_id(run), NOBODY, &["a"])).unwrap();
        end(store, run, status, at);
    }
    one(store, create(run_id(4), NOBODY, &["a"])).unwrap();
    let follows = |topology: &str, since| {
        let unfired =
            Unfired { topology: topology.to_owned(), since: Timestamp(since), trigger: "letter.weekly".to_owned() };
        let rows = store.runs(&Query { unfired: Some(unfired), ..Query::default() }).unwrap();
        rows.iter().map(|row| row.no.0).collect::<Vec<_>>()
    };
    assert_eq!((follows("re-engagement", 0), follows("re-engagement", 2_001)), (vec![3, 1], vec![3]));
    // What is said of a run that is over moves nothing.
    let summary = Summary { over: true, status: "done".to_owned(), ..Summary::default() };
    let late = Batch { summary, at: Timestamp(9_000), ..batch(run_id(1), 2, 1, &["attached"]) };
    one(store, Op::Append(late)).unwrap();
    assert_eq!((follows("re-engagement", 0), follows("re-engagement", 2_001)), (vec![3, 1], vec![3]));
    assert_eq!(follows("letter", 0), [0_u64; 0]);
    one(store, Op::Note(firing(&Unfired::key(run_id(3)), 1, Came::Failed("a fault".to_owned())))).unwrap();
    assert_eq!(follows("re-engagement", 0), [3, 1], "nothing came of it yet");
    one(store, fire(9, &Unfired::key(run_id(3)), false)).unwrap();
    assert_eq!(follows("re-engagement", 0), [1]);
    one(store, Op::Note(firing(&Unfired::key(run_id(1)), 1, Came::Skipped("late".to_owned())))).unwrap();
    assert_eq!(follows("re-engagement", 0), [0_u64; 0]);
}

fn queries(stage: &mut Stage) {
    let store = stage.store();
    assert_eq!(all(store), []);
    for (run, key) in [(1, "monday"), (2, "tuesday")] {
        one(store, fire(run, key, false)).unwrap();
    }
    let failed = firing("wednesday", 7, Came::Failed("a fault".to_owned()));
    one(store, Op::Note(failed.clone())).unwrap();
    let (monday, tuesday) = (started(1, "monday"), started(2, "tuesday"));
    let named = |query: Firings| store.firings(&query).unwrap();
    let trigger = |name: &str| Some(name.to_owned());
    assert_eq!(named(Firings::default()), [failed.clone(), tuesday.clone(), monday.clone()]);
    assert_eq!(named(Firings { limit: 1, ..Firings::default() }), [failed]);
    assert_eq!(named(Firings { started: true, limit: 1, ..Firings::default() }), std::slice::from_ref(&tuesday));
    assert_eq!(named(Firings { key: Some("monday".to_owned()), ..Firings::default() }), [monday]);
    assert_eq!(named(Firings { run: Some(run_id(2)), ..Firings::default() }), [tuesday]);
    assert_eq!(named(Firings { trigger: trigger("letter.weekly"), ..Firings::default() }).len(), 3);
    assert_eq!(named(Firings { trigger: trigger("letter.other"), ..Firings::default() }), []);
}

/// A journal that an earlier callsheet made has no place for firings; whoever opens it to write gives it one.
#[test]
fn a_journal_of_before_triggers_takes_firings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    drop(Sqlite::open(&path, Open::ReadWrite).unwrap());
    let before = rusqlite::Connection::open(&path).unwrap();
    before
        .execute_batch("DROP TABLE firings; DROP TABLE watched; DROP INDEX runs_ended; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    before.close().unwrap();
    let reading = Sqlite::open(&path, Open::ReadOnly).unwrap();
    assert_eq!(reading.firings(&Firings::default()), Ok(vec![]));
    let writing = Sqlite::open(&path, Open::ReadWrite).unwrap();
    assert_eq!(one(&writing, fire(1, "monday", true)), Ok(Done::Created(RunNo(1))));
    assert_eq!(reading.firings(&Firings::default()), Ok(vec![started(1, "monday")]));
}

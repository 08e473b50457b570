//! What a run does to the world is in its journal first, with the key that it is done under: held at each call, with a
//! journal that fails at each of its writes in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callsheet::failure::{Class, Failure, Work};
use callsheet::id::{Digest, EffectId};
use callsheet::journal::memory::Memory;
use callsheet::journal::{Done, Error, Op, Query, Store};
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Ask, Model, Reply};
use callsheet::run::body::Receipt;
use callsheet::run::event::{Decision, Event};
use callsheet::run::input::{Post, Say};
use callsheet::run::state::Status;
use callsheet::tool::{Approved, Call, Callable, Declared, Intent, Item, Outward, Tool};
use callsheet::topology::spec::ToolSpec;

use super::support::{Answered, Answers, Driven, NEVER, Rig, brief, facts, shipped, who};

/// A journal whose commits fail for good after so many.
struct Failing {
    inner: Arc<Memory>,
    left: AtomicUsize,
    refused: AtomicBool,
}

impl Answers for Failing {
    fn inner(&self) -> &Memory {
        &self.inner
    }

    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        let less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(_) => self.inner.commit(ops),
            Err(_) => {
                self.refused.store(true, Ordering::SeqCst);
                vec![Err(Error::Full); ops.len()]
            }
        }
    }
}

/// What was called, and what was called without being in the journal.
struct Seen {
    store: Arc<Memory>,
    calls: AtomicUsize,
    unknown: Mutex<Vec<String>>,
    /// The keys that each item came with, at each of its attempts.
    keys: Mutex<BTreeMap<String, Vec<EffectId>>>,
    /// Whether the first attempt of each item fails.
    shaky: bool,
}

impl Seen {
    fn new(rig: &Rig, shaky: bool) -> Arc<Self> {
        let (calls, unknown, keys) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Arc::new(Self { store: Arc::clone(&rig.store), calls, unknown, keys, shaky })
    }

    /// Notes a call of `what` for `id`, which the journal's newest facts have to cover.
    fn see(&self, what: &str, id: EffectId, covers: impl Fn(&Event) -> bool) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let runs = self.store.runs(&Query::default()).unwrap();
        let known = runs.iter().any(|run| facts(self.store.as_ref(), run.id).iter().any(|fact| covers(&fact.is)));
        if !known {
            self.unknown.lock().unwrap().push(format!("{what} of {id:?}"));
        }
    }

    fn asked(&self, what: &str, effect: EffectId) {
        self.see(what, effect, |event| matches!(event, Event::EffectAsked { id, .. } if *id == effect));
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown.lock().unwrap().clone()
    }
}

struct WatchedModel(Arc<Seen>);

impl Model for WatchedModel {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        self.0.asked("a reply", ask.effect);
        Rehearsal.reply(ask)
    }
}

struct Watched<T: ?Sized> {
    inner: Arc<T>,
    seen: Arc<Seen>,
}

impl<T: Declared + ?Sized> Declared for Watched<T> {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }
}

impl Callable for Watched<dyn Callable> {
    fn call(&self, call: Call) -> Work<'_, serde_json::Value> {
        self.seen.asked("a call", call.effect);
        self.inner.call(call)
    }
}

impl Outward for Watched<dyn Outward> {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        self.seen.asked("a manifest", intent.effect);
        self.inner.prepare(intent)
    }
    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        let effect = item.effect;
        self.seen.see("an act", effect, |event| matches!(event, Event::EffectBegan { id, .. } if *id == effect));
        let mut keys = self.seen.keys.lock().unwrap();
        let attempts = keys.entry(item.item.key.clone()).or_default();
        attempts.push(effect);
        if self.seen.shaky && attempts.len() == 1 {
            return Box::pin(async { Err(Failure::new(Class::Transient, "the test's own weather")) });
        }
        self.inner.perform(item)
    }
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        self.inner.query(item)
    }
}

/// A rig whose every call is seen.
fn watched(shaky: bool) -> (Rig, Arc<Seen>) {
    let mut rig = Rig::new();
    let seen = Seen::new(&rig, shaky);
    rig.model = Arc::new(WatchedModel(Arc::clone(&seen)));
    for tool in rig.tools.values_mut() {
        let seen = Arc::clone(&seen);
        *tool = match tool {
            Tool::Callable(inner) => Tool::callable(Watched { inner: Arc::clone(inner), seen }),
            Tool::Outward(inner) => Tool::outward(Watched { inner: Arc::clone(inner), seen }),
        };
    }
    (rig, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_the_journal_does_not_hold() {
    let plan = shipped("content-repurposing");
    for commits in 0_usize.. {
        let (mut rig, seen) = watched(false);
        let (inner, left) = (Arc::clone(&rig.store), AtomicUsize::new(commits));
        let disk = Arc::new(Answered(Failing { inner, left, refused: AtomicBool::new(false) }));
        rig.disk = Arc::clone(&disk) as Arc<dyn Store>;
        let system = rig.system().await;
        let status = match system.run(&plan, &brief(&plan), who("ada")).await {
            Ok(handle) => approved(Driven::of(&rig, system, handle)).await,
            Err(_) => None,
        };
        assert_eq!(seen.unknown(), Vec::<String>::new(), "after {commits} commits");
        if !disk.refused.load(Ordering::SeqCst) {
            assert_eq!(status.map(Status::word), Some("done"), "after {commits} commits, none refused");
            println!("{commits} commits, {} calls", seen.calls.load(Ordering::SeqCst));
            assert!(commits > 10 && seen.calls.load(Ordering::SeqCst) > 8, "{commits}");
            return;
        }
    }
}

/// Approves what is asked; how the run ends, if its journal holds out.
async fn approved(driven: Driven<'_>) -> Option<Status> {
    let mut progress = driven.handle.progress();
    let ended = loop {
        let rests = progress.wait_for(|now| now.gone.is_some() || now.status != Status::Running);
        let now = tokio::time::timeout(NEVER, rests).await.unwrap().unwrap().clone();
        // The journal has what the run says that it has, or the run is gone.
        let stands = driven.state().open_approvals().next().map(|(no, approval)| (no, approval.binds));
        match (now.status, stands) {
            (ended @ Status::Ended(_), _) => break Some(ended),
            (Status::Waiting, Some((approval, binds))) if now.gone.is_none() => {
                let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
                let post = Post { by: who("ada"), say };
                if driven.system.post(driven.handle.run, uuid::Uuid::now_v7(), &post).await.is_err() {
                    break None;
                }
                let goes_on = progress.wait_for(|after| after.gone.is_some() || after.seq > now.seq);
                tokio::time::timeout(NEVER, goes_on).await.unwrap().unwrap();
            }
            _ => break None,
        }
    };
    driven.system.stop().await;
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_of_an_item_comes_with_the_same_key() {
    let (rig, seen) = watched(true);
    let driven = rig.run(&shipped("content-repurposing")).await;
    assert_eq!(driven.approve_all().await.word(), "done");
    let keys = seen.keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 3);
    for (item, attempts) in keys {
        let different: BTreeSet<EffectId> = attempts.iter().copied().collect();
        assert_eq!((attempts.len(), different.len()), (2, 1), "{item}: {attempts:?}");
    }
    assert_eq!(seen.unknown(), Vec::<String>::new());
    driven.system.stop().await;
}

/// A journal that notes how each run is given up, and what is read of it.
#[derive(Default)]
struct Noting {
    inner: Arc<Memory>,
    given_up: Mutex<Vec<&'static str>>,
    read: Mutex<BTreeMap<Digest, usize>>,
    looked: AtomicUsize,
}

impl Answers for Noting {
    fn inner(&self) -> &Memory {
        &self.inner
    }

    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        for op in ops {
            match op {
                Op::Append(batch) if batch.release => self.given_up.lock().unwrap().push("with its last append"),
                Op::Release { .. } => self.given_up.lock().unwrap().push("by itself"),
                _ => {}
            }
        }
        self.inner.commit(ops)
    }

    fn reads(&self, digest: Digest) {
        *self.read.lock().unwrap().entry(digest).or_default() += 1;
    }

    fn looks(&self) {
        self.looked.fetch_add(1, Ordering::SeqCst);
    }
}

/// Counted, not timed: an approval of twice as many items must not be four times the work.
#[tokio::test]
async fn the_list_of_an_approval_is_read_once_for_all_of_its_items() {
    let mut rig = Rig::new();
    let noting = Arc::new(Answered(Noting { inner: Arc::clone(&rig.store), ..Noting::default() }));
    rig.disk = Arc::clone(&noting) as Arc<dyn Store>;
    let driven = rig.run(&shipped("re-engagement")).await;
    driven.settled().await;
    let (_, list) = driven.open_approval();
    assert_eq!(noting.looked.load(Ordering::SeqCst), 0, "nobody has posted anything to a run that is just made");
    assert_eq!(*noting.read.lock().unwrap(), [].into(), "and what it has just written is in memory");
    driven.system.stop().await;
    let driven = rig.open(driven.handle.run).await;
    assert_eq!(driven.approve_all().await.word(), "done");
    let state = driven.state();
    let manifests = state.permits.values().map(|permit| &permit.manifest);
    let items: Vec<Digest> = manifests.flat_map(|manifest| manifest.items.iter()).map(|item| item.digest).collect();
    assert!(items.len() > 2, "{items:?}");
    // `state` and its like are read past this store, so that what is counted is what the shell read.
    let read = noting.read.lock().unwrap().clone();
    assert!(items.iter().all(|item| read.get(item) == Some(&1)), "{read:?}");
    assert_eq!(read.get(&list), Some(&1));
    driven.system.stop().await;
}

#[tokio::test]
async fn a_run_that_is_over_is_given_up_with_its_last_append_and_one_that_waits_by_itself() {
    let mut rig = Rig::new();
    let noting = Arc::new(Answered(Noting { inner: Arc::clone(&rig.store), ..Noting::default() }));
    rig.disk = Arc::clone(&noting) as Arc<dyn Store>;
    let driven = rig.run(&shipped("re-engagement")).await;
    driven.settled().await;
    let row = |driven: &Driven<'_>| {
        let query = Query { id: Some(driven.handle.run), ..Query::default() };
        driven.store().runs(&query).unwrap().pop().unwrap()
    };
    assert!(row(&driven).owner.is_some(), "it waits, and its owner has it");
    assert_eq!(*noting.given_up.lock().unwrap(), [""; 0]);
    driven.system.stop().await;
    assert_eq!(*noting.given_up.lock().unwrap(), ["by itself"]);
    let driven = rig.open(driven.handle.run).await;
    assert_eq!(driven.approve_all().await.word(), "done");
    assert_eq!(row(&driven).owner, None);
    driven.system.stop().await;
    assert_eq!(*noting.given_up.lock().unwrap(), ["by itself", "with its last append"]);
}

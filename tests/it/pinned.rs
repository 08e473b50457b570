//! A tool is what it was when it was pinned: if it acts elsewhere now, or a second act would do something else, nothing is
//! done with it, and a person is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsheet::failure::{Class, Failure, Work};
use callsheet::run::body::Receipt;
use callsheet::run::event::{DeadLetterAnswer, Decision};
use callsheet::run::input::Say;
use callsheet::run::state::{State, Status};
use callsheet::tool::{Approved, Declared, Intent, Item, Outward, Tool};
use callsheet::topology::plan::Plan;
use callsheet::topology::spec::{Connection, Reach, Repeat, ToolSpec};

use super::decisions::{DONE, rig};
use super::silence::{DAY_MS, moved};
use super::support::{Driven, Rig, shipped};
use super::tools::outward;

const PUBLISH: &str = "articles.publish";

/// The tool under another declaration; what is done with it is counted.
struct Changed {
    inner: Arc<dyn Outward>,
    spec: ToolSpec,
    /// Whether its acts are lost on the way.
    loses: bool,
    did: Arc<Did>,
}

#[derive(Default)]
struct Did {
    acts: AtomicUsize,
    queries: AtomicUsize,
}

impl Declared for Changed {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
}

impl Outward for Changed {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        self.inner.prepare(intent)
    }
    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        self.did.acts.fetch_add(1, Ordering::SeqCst);
        match self.loses {
            true => Box::pin(async { Err(Failure::new(Class::InDoubt, "the answer was lost")) }),
            false => self.inner.perform(item),
        }
    }
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        self.did.queries.fetch_add(1, Ordering::SeqCst);
        self.inner.query(item)
    }
}

type Change = fn(&mut ToolSpec);

/// Puts the publisher in its place under what `change` makes of its declaration.
fn put(rig: &mut Rig, original: &Tool, loses: bool, change: Change) -> Arc<Did> {
    let did = Arc::<Did>::default();
    let mut spec = original.spec().clone();
    change(&mut spec);
    let tool = Changed { inner: outward(original), spec, loses, did: Arc::clone(&did) };
    rig.tools.insert(PUBLISH.parse().unwrap(), Tool::outward(tool));
    did
}

const CHANGES: &[(Change, &str)] = &[
    (|spec| spec.repeat = Repeat::Once, "repeat was queryable and is once"),
    (|spec| spec.repeat = Repeat::Idempotent { key_age_ms: 5 }, "repeat was queryable and is idempotent for 5 ms"),
    (|spec| spec.drafts = false, "drafts was true and is false"),
    (|spec| spec.reach = Reach::ReadsOut, "reach was acts_out and is reads_out"),
    (|spec| spec.connection = Some(Connection::new("sink", [("record", "a.jsonl")])), "kind was files and is sink"),
    (|spec| spec.connection = Some(Connection::new("files", [("folder", "elsewhere")])), "folder was nothing and is"),
    (|spec| spec.connection = None, "kind was files and is none"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_does_not_leave_by_another_tool() {
    for (change, says) in CHANGES {
        let mut rig = rig();
        let original = rig.tools[PUBLISH].clone();
        let driven = rig.run(&shipped("content-repurposing")).await;
        driven.settled().await;
        let run = driven.handle.run;
        driven.system.stop().await;
        let did = put(&mut rig, &original, false, *change);
        let driven = rig.open(run).await;
        driven.decide("ada", Decision::Approve).await.unwrap();
        assert_eq!(driven.settled().await, Status::Stuck, "{says}");
        let why = driven.reasons();
        let told = matches!(why.as_slice(), [why] if why.contains(says) && why.contains("Put [tools]"));
        assert!(told, "{says}: {why:?}");
        assert_eq!((did.acts.load(Ordering::SeqCst), driven.came().files.len()), (0, 0), "{says}");
        let message = *driven.state().dead.keys().next().unwrap();
        driven.system.stop().await;
        // Put back as it was, it is the same tool.
        rig.tools.insert(PUBLISH.parse().unwrap(), original);
        let driven = rig.open(run).await;
        driven.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
        assert_eq!((driven.settled().await, driven.came().files.len()), (DONE, 3), "{says}");
        driven.system.stop().await;
    }
}

/// A plan that is older than what it acts on says nothing of it; the rest counts.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_plan_does_not_ask_where_the_tool_acts() {
    let mut rig = rig();
    let original = rig.tools[PUBLISH].clone();
    let mut plan = shipped("content-repurposing");
    plan.tools.get_mut(PUBLISH).unwrap().connection = None;
    put(&mut rig, &original, false, |spec| spec.connection = Some(Connection::new("sink", [])));
    let driven = rig.run(&plan).await;
    assert_eq!(driven.approve_all().await, DONE);
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_doubt_is_neither_asked_about_nor_repeated_elsewhere() {
    let idempotent = Repeat::Idempotent { key_age_ms: 10 * DAY_MS.unsigned_abs() };
    for repeat in [Repeat::Queryable, idempotent] {
        let (mut rig, clock) = moved();
        let original = rig.tools[PUBLISH].clone();
        let pinned: Change = match repeat {
            Repeat::Queryable => |_| {},
            _ => |spec| spec.repeat = Repeat::Idempotent { key_age_ms: 10 * DAY_MS.unsigned_abs() },
        };
        put(&mut rig, &original, true, pinned);
        let mut plan: Plan = shipped("content-repurposing");
        plan.tools.get_mut(PUBLISH).unwrap().repeat = repeat;
        let driven = rig.run(&plan).await;
        driven.settled().await;
        driven.decide("ada", Decision::Approve).await.unwrap();
        let doubted = |state: &State| state.effects.len() == 3 && state.effects.values().all(|of| of.doubt.is_some());
        driven.until("doubt", doubted).await;
        let run = driven.handle.run;
        driven.system.stop().await;
        let did = put(&mut rig, &original, false, |spec| spec.repeat = Repeat::Once);
        let driven = ask(&rig, run, &clock).await;
        let state = driven.state();
        assert_eq!(state.questions.len(), 3, "{repeat}: {:?}", driven.facts().last());
        for effect in state.effects.values() {
            let why = driven.body(effect.why.unwrap().told().unwrap().digest)["error"].to_string();
            assert!(why.contains(&format!("repeat was {repeat} and is once")), "{why}");
        }
        let (acts, queries) = (did.acts.load(Ordering::SeqCst), did.queries.load(Ordering::SeqCst));
        assert_eq!((acts, queries), (0, 0), "{repeat}");
        driven.system.stop().await;
    }
}

/// Takes the run up and lets its time pass until it asks a person.
async fn ask<'r>(rig: &'r Rig, run: callsheet::id::RunId, clock: &super::silence::Moved) -> Driven<'r> {
    let driven = rig.open(run).await;
    for _ in 0..8 {
        clock.by_ms(600_000);
        // Anything said makes it look at the clock.
        driven.say("ada", Say::Resume).await.unwrap_err();
        let asked = |state: &State| state.questions.len() == 3;
        let idle = |state: &State| state.outstanding().is_empty();
        driven.until("its next step", |state| asked(state) || idle(state)).await;
        if asked(&driven.state()) {
            break;
        }
    }
    driven
}

//! Supervision of whole runs: agents that panic, err and hang; poison, intensity, pause, cancel, stop. What a run comes
//! to is compared with what it comes to undisturbed.

mod doubt;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use callsheet::failure::{Class, Failure, Work};
use callsheet::id::{AgentName, MessageId, ToolName};
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Ask, Model, Reply};
use callsheet::run::body::Receipt;
use callsheet::run::event::{DeadLetterAnswer, Decision, Ending, Event, PauseReason, Settled};
use callsheet::run::input::Say;
use callsheet::run::state::Status;
use callsheet::tool::{Approved, Declared, Intent, Item, Outward, Tool, Tools, sink};
use callsheet::topology::plan::{Plan, Role};
use callsheet::topology::spec::{Repeat, ToolSpec};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::support::{Driven, NEVER, Rig, shipped};
use super::tools::{open, outward};

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Panic,
    Bug,
    /// It awaits what never comes.
    Hang,
    /// It keeps its thread: its time-out cannot end it.
    Block,
    /// It fails and says so.
    Permanent,
    /// It says that nobody knows.
    InDoubt,
}

/// What goes wrong, how often, and who is told when a call is there.
struct Fault {
    wrong: Wrong,
    /// Calls that go well before that.
    well: AtomicU32,
    left: AtomicU32,
    /// Calls that block wait for permits of this.
    released: Arc<(Mutex<bool>, std::sync::Condvar)>,
}

impl Fault {
    fn new(wrong: Wrong, times: u32) -> Arc<Self> {
        Self::after(0, wrong, times)
    }

    fn after(well: u32, wrong: Wrong, times: u32) -> Arc<Self> {
        Arc::new(Self { wrong, well: well.into(), left: times.into(), released: Arc::default() })
    }

    /// Lets blocked calls go.
    fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }

    fn mend(&self) {
        self.left.store(0, Ordering::SeqCst);
    }

    /// Goes wrong, if it is time to.
    async fn strike(&self) -> Result<(), Failure> {
        let less = |left: u32| left.checked_sub(1);
        if self.well.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Ok(());
        }
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return Ok(());
        }
        match self.wrong {
            Wrong::Panic => panic!("the test's own panic"),
            Wrong::Bug => Err(Failure::new(Class::Bug, "the test's own bug")),
            Wrong::Permanent => Err(Failure::new(Class::Permanent, "the test's own failure")),
            Wrong::InDoubt => Err(Failure::new(Class::InDoubt, "the test's own doubt")),
            Wrong::Hang => std::future::pending().await,
            Wrong::Block => {
                let mut released = self.released.0.lock().unwrap();
                while !*released {
                    released = self.released.1.wait(released).unwrap();
                }
                Ok(())
            }
        }
    }
}

/// The rehearsal, with one agent that goes wrong.
struct Faulty {
    agent: AgentName,
    fault: Arc<Fault>,
}

impl Model for Faulty {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            if ask.agent == self.agent {
                self.fault.strike().await?;
            }
            Rehearsal.reply(ask).await
        })
    }
}

/// A tool that goes wrong where it is told to.
struct Broken {
    inner: Arc<dyn Outward>,
    at: At,
    /// Only for this item.
    key: Option<&'static str>,
    fault: Arc<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Prepare,
    Perform,
    /// After the item is performed.
    Performed,
    Query,
}

impl Broken {
    async fn strike(&self, at: At, key: Option<&str>) -> Result<(), Failure> {
        let here = self.at == at && (self.key.is_none() || self.key == key);
        if here { self.fault.strike().await } else { Ok(()) }
    }
}

impl Declared for Broken {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }
}

impl Outward for Broken {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            self.strike(At::Prepare, None).await?;
            self.inner.prepare(intent).await
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            let key = item.item.key.clone();
            self.strike(At::Perform, Some(&key)).await?;
            let receipt = self.inner.perform(item).await?;
            self.strike(At::Performed, Some(&key)).await?;
            Ok(receipt)
        })
    }

    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(async move {
            self.strike(At::Query, Some(&item.item.key.clone())).await?;
            self.inner.query(item).await
        })
    }
}

/// `plan`'s outward tool and calls with little patience.
fn impatient(mut plan: Plan) -> (Plan, ToolName) {
    let role = |plan: &Plan| {
        plan.team.values().find_map(|member| match &member.role {
            Role::Tool { tool, .. } => Some(tool.clone()),
            _ => None,
        })
    };
    let outward = role(&plan).unwrap();
    plan.tools.get_mut(&outward).unwrap().call_timeout_ms = 300;
    plan.team.values_mut().for_each(|member| member.limits.call_timeout_ms = 300);
    (plan, outward)
}

/// A rig in which `agent` goes wrong at its first call.
fn rig(plan: &Plan, agent: &AgentName, outward: &ToolName, tools: &Tools, fault: &Arc<Fault>) -> Rig {
    let mut rig = Rig::new();
    rig.tools = tools.clone();
    let at = match plan.team[agent].role {
        Role::Model { .. } => {
            rig.model = Arc::new(Faulty { agent: agent.clone(), fault: Arc::clone(fault) });
            return rig;
        }
        Role::Person(_) => At::Prepare,
        Role::Tool { .. } => At::Perform,
        Role::Rule(_) => unreachable!("no rule is on these teams"),
    };
    breaks(&mut rig, outward, at, None, fault);
    rig
}

fn breaks(rig: &mut Rig, tool: &ToolName, at: At, key: Option<&'static str>, fault: &Arc<Fault>) {
    let inner = outward(&rig.tools[tool]);
    let broken = Broken { inner, at, key, fault: Arc::clone(fault) };
    rig.tools.insert(tool.clone(), Tool::outward(broken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_fails_only_they_restart_and_the_run_ends_the_same() {
    let mut cases = 0;
    for topology in ["content-repurposing", "re-engagement"] {
        let (plan, outward) = impatient(shipped(topology));
        let plain = Rig::new();
        let driven = plain.run(&plan).await;
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
        let undisturbed = driven.came();
        driven.system.stop().await;
        for (agent, member) in &plan.team {
            for wrong in [Wrong::Panic, Wrong::Bug, Wrong::Hang, Wrong::Block] {
                if wrong == Wrong::Block && !matches!(member.role, Role::Model { .. }) {
                    continue;
                }
                let fault = Fault::new(wrong, 1);
                let rig = rig(&plan, agent, &outward, &plain.tools, &fault);
                let driven = rig.run(&plan).await;
                if wrong == Wrong::Block {
                    driven
                        .until("a restart", |state| state.agents.get(agent).is_some_and(|a| a.restarts_total == 1))
                        .await;
                    fault.release();
                }
                let what = format!("{topology}: {wrong:?} of {agent}");
                assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{what}: {:?}", driven.reasons());
                assert_eq!(fault.left.load(Ordering::SeqCst), 0, "{what}: it did not happen");
                assert_eq!(driven.came(), undisturbed, "{what}");
                // Whoever hangs at an await is timed out; that is an answer, not a death.
                let wanted = if wrong == Wrong::Hang { vec![] } else { vec![agent.clone()] };
                assert_eq!(restarted(&driven), wanted, "{what}");
                driven.system.stop().await;
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 4 * 7 + 3 * 4);
}

fn restarted(driven: &Driven<'_>) -> Vec<AgentName> {
    let agent = |event| match event {
        Event::AgentRestarted { agent, .. } => Some(agent),
        _ => None,
    };
    driven.facts().into_iter().filter_map(|fact| agent(fact.is)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_with_its_reason_and_is_retried_once_mended() {
    let (plan, outward) = impatient(shipped("content-repurposing"));
    let undisturbed = undisturbed(&plan).await;
    for agent in ["critic", "approver"] {
        let agent: AgentName = agent.parse().unwrap();
        let fault = Fault::new(Wrong::Panic, u32::MAX);
        let rig = rig(&plan, &agent, &outward, &Rig::new().tools, &fault);
        let driven = rig.run(&plan).await;
        assert_eq!(driven.settled().await, Status::Stuck, "{agent}");
        let state = driven.state();
        let (message, letter) = state.dead.first_key_value().unwrap();
        assert_eq!((state.dead.len(), letter.class), (1, Class::Bug));
        assert!(driven.reasons()[0].contains("the test's own panic"), "{:?}", driven.reasons());
        assert_eq!(restarted(&driven), vec![agent.clone(); 2], "the third death is the last");
        assert_eq!(state.ledger.reserved, callsheet::run::event::Amount::default());
        fault.mend();
        driven.say("ada", Say::DeadLetter { message: *message, answer: DeadLetterAnswer::Retry }).await.unwrap();
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{:?}", driven.reasons());
        let came = driven.came();
        assert_eq!(
            (&came.versions, &came.decisions, &came.files),
            (&undisturbed.versions, &undisturbed.decisions, &undisturbed.files)
        );
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fails_too_often_pauses_the_run() {
    let (mut plan, outward) = impatient(shipped("content-repurposing"));
    (plan.supervisor.max_restarts, plan.supervisor.poison_after) = (2, 100);
    let agent: AgentName = "drafter".parse().unwrap();
    let fault = Fault::new(Wrong::Panic, 3);
    let rig = rig(&plan, &agent, &outward, &Rig::new().tools, &fault);
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Paused);
    let why = PauseReason::Intensity { agent: agent.clone(), restarts: 2 };
    assert_eq!(driven.state().paused, Some(why));
    assert_eq!(restarted(&driven), vec![agent.clone(); 2]);
    driven.say("ada", Say::Resume).await.unwrap();
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{:?}", driven.reasons());
    assert_eq!(driven.came(), undisturbed(&plan).await);
    driven.system.stop().await;
}

async fn undisturbed(plan: &Plan) -> super::support::Came {
    let rig = Rig::new();
    let driven = rig.run(plan).await;
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
    let came = driven.came();
    driven.system.stop().await;
    came
}

/// The rehearsal, with one agent that says when it is asked and waits to be let on.
struct Slow {
    agent: AgentName,
    /// True when a call begins, false when it is gone.
    asked: mpsc::UnboundedSender<bool>,
    go: Arc<Semaphore>,
}

/// Says that a call is gone, whether it ended or was dropped.
struct Gone<'a>(&'a mpsc::UnboundedSender<bool>);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let _ = self.0.send(false);
    }
}

impl Model for Slow {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            if ask.agent == self.agent {
                self.asked.send(true).unwrap();
                let _gone = Gone(&self.asked);
                self.go.acquire().await.unwrap().forget();
            }
            Rehearsal.reply(ask).await
        })
    }
}

pub(crate) fn slow(agent: &str) -> (Rig, mpsc::UnboundedReceiver<bool>, Arc<Semaphore>) {
    let (asked, hear) = mpsc::unbounded_channel();
    let go = Arc::new(Semaphore::new(0));
    let mut rig = Rig::new();
    rig.model = Arc::new(Slow { agent: agent.parse().unwrap(), asked, go: Arc::clone(&go) });
    (rig, hear, go)
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_a_call_that_is_under_way() {
    let plan = shipped("content-repurposing");
    let (rig, mut asked, go) = slow("drafter");
    let driven = rig.run(&plan).await;
    asked.recv().await.unwrap();
    // The call is never let on: what ends it is the cancel.
    driven.say("ada", Say::Cancel).await.unwrap();
    assert_eq!(driven.settled().await, Status::Ended(Ending::Cancelled));
    let gone = tokio::time::timeout(NEVER, asked.recv()).await;
    assert_eq!((gone, go.available_permits()), (Ok(Some(false)), 0), "the call goes on");
    driven.until("its end", |state| state.ended.is_some()).await;
    assert!(driven.came().results.is_empty());
    assert_eq!(driven.say("ada", Say::Cancel).await, Err(callsheet::run::event::Refusal::RunOver));
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_begins_nothing_new_and_lets_what_is_under_way_settle() {
    let plan = shipped("content-repurposing");
    let (rig, mut asked, go) = slow("drafter");
    let driven = rig.run(&plan).await;
    asked.recv().await.unwrap();
    driven.say("ada", Say::Pause).await.unwrap();
    assert_eq!(driven.settled().await, Status::Paused);
    go.add_permits(100);
    driven.until("the call's result", |state| state.effects.is_empty()).await;
    assert_eq!(driven.state().status(), Status::Paused);
    let kinds: Vec<&str> = driven.facts().iter().map(|fact| fact.is.kind()).collect();
    let paused = kinds.iter().position(|kind| *kind == "paused").unwrap();
    assert!(
        !kinds[paused..].iter().any(|kind| ["effect_asked", "turn_began", "effect_began"].contains(kind)),
        "{kinds:?}"
    );
    assert_eq!(driven.say("ada", Say::Pause).await, Err(callsheet::run::event::Refusal::NothingToDo));
    driven.say("ada", Say::Resume).await.unwrap();
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
    assert_eq!(driven.came(), undisturbed(&plan).await);
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_system_leaves_what_another_goes_on_from() {
    let plan = shipped("content-repurposing");
    let wanted = undisturbed(&plan).await;
    for agent in ["researcher", "drafter", "critic"] {
        let (rig, mut asked, go) = slow(agent);
        let driven = rig.run(&plan).await;
        asked.recv().await.unwrap();
        driven.system.stop().await;
        assert_eq!(driven.state().status(), Status::Running);
        go.add_permits(100);
        let driven = rig.open(driven.handle.run).await;
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
        assert_eq!(driven.came(), wanted, "{agent}");
        assert_eq!(restarted(&driven), Vec::<AgentName>::new(), "the death of an owner is nobody's failure");
        driven.system.stop().await;
    }
}

/// The shipped campaign with a sink in place of its publisher's tool; its record.
pub(crate) fn with_sink(repeat: Repeat) -> (Plan, Rig, ToolName, PathBuf) {
    with_sink_of(json!({ "repeat": repeat, "call_timeout": "200ms" }))
}

/// The same, configured so.
fn with_sink_of(config: serde_json::Value) -> (Plan, Rig, ToolName, PathBuf) {
    let (mut plan, tool) = impatient(shipped("content-repurposing"));
    let mut rig = Rig::new();
    let config = serde_json::from_value(config).unwrap();
    let sink = open::<sink::Config>("notes", config, rig.out.path()).unwrap().pop().unwrap();
    let name = sink.spec().name.clone();
    plan.tools.insert(name.clone(), sink.spec().clone());
    let publisher = plan.team.get_mut("publisher").unwrap();
    let Role::Tool { tool: used, args } = &mut publisher.role else { panic!("{tool}") };
    *used = name.clone();
    let versions = args.remove("versions").unwrap();
    args.insert("items".to_owned(), versions);
    rig.tools.insert(name.clone(), sink);
    let record = rig.out.path().join("sink.jsonl");
    (plan, rig, name, record)
}

/// How often each item is in the record.
pub(crate) fn recorded(record: &std::path::Path) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in std::fs::read_to_string(record).unwrap_or_default().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        *times.entry(line["key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

fn each_once() -> BTreeMap<String, usize> {
    ["item-001", "item-002", "item-003"].map(|key| (key.to_owned(), 1)).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_failed_is_performed_when_its_letter_is_retried_and_no_other_again() {
    for repeat in [Repeat::Once, Repeat::Queryable, Repeat::Idempotent { key_age_ms: 3_600_000 }] {
        let (plan, mut rig, tool, record) = with_sink(repeat);
        let fault = Fault::new(Wrong::Permanent, 1);
        breaks(&mut rig, &tool, At::Perform, Some("item-002"), &fault);
        let driven = rig.run(&plan).await;
        assert_eq!(driven.approve_all().await, Status::Stuck, "{repeat:?}");
        assert!(driven.reasons()[0].contains("the test's own failure"), "{:?}", driven.reasons());
        let message: MessageId = *driven.state().dead.first_key_value().unwrap().0;
        driven.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{repeat:?}: {:?}", driven.reasons());
        assert_eq!(recorded(&record), each_once(), "{repeat:?}");
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_cannot_draft_is_recorded_and_not_called() {
    let (plan, mut rig, tool, record) = with_sink_of(json!({ "drafts": false, "repeat": { "class": "queryable" } }));
    let called = Fault::new(Wrong::Panic, u32::MAX);
    breaks(&mut rig, &tool, At::Perform, None, &called);
    let driven = rig.run(&plan).await;
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{:?}", driven.reasons());
    assert_eq!(recorded(&record), BTreeMap::new());
    let receipts = driven.facts().into_iter().filter_map(|fact| match fact.is {
        Event::EffectSettled { result: Settled::Performed { receipt }, .. } => Some(receipt.digest),
        _ => None,
    });
    let places: Vec<_> = receipts.map(|receipt| driven.body(receipt)["place"].to_string()).collect();
    assert!(places.len() == 3 && places.iter().all(|place| place.contains("recorded, not called")), "{places:?}");
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_paused_takes_no_time_and_no_turns_of_the_clock() {
    let plan = shipped("content-repurposing");
    let (rig, mut asked, _go) = slow("drafter");
    let driven = rig.run(&plan).await;
    asked.recv().await.unwrap();
    driven.say("ada", Say::Pause).await.unwrap();
    driven.system.stop().await;
    let driven = rig.open(driven.handle.run).await;
    let state = driven.settled().await;
    assert_eq!(state, Status::Paused);
    let state = driven.state();
    let later = state.now.plus_ms(3_600_000);
    assert_eq!(state.active_ms(later), state.active_ms(state.now), "waiting for people never counts");
    assert_eq!(state.wake_at(), None, "there is nothing to wake it for");
    driven.say("ada", Say::Resume).await.unwrap();
    driven.say("ada", Say::Cancel).await.unwrap();
    assert_eq!(
        driven
            .say(
                "ada",
                Say::Decide {
                    approval: callsheet::id::ApprovalNo(1),
                    binds: callsheet::id::Digest([0; 32]),
                    decision: Decision::Approve,
                    comment: String::new()
                }
            )
            .await,
        Err(callsheet::run::event::Refusal::UnknownApproval)
    );
    driven.system.stop().await;
}

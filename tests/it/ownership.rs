//! Who drives a run within one process: one at a time, whoever takes it up and how often; a run that waits leaves memory and
//! comes back when something is due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use callsheet::actor::{Point, Probe};
use callsheet::config::{Flags, Settings};
use callsheet::failure::Work;
use callsheet::id::{RunId, Timestamp};
use callsheet::journal::memory::Memory;
use callsheet::journal::{Batch, Done, Error, Head, Op, Query, RunRow, Store, Summary};
use callsheet::model::{Ask, Model, Reply};
use callsheet::run::event::{Decision, Ending, Event};
use callsheet::run::input::{Post, Say};
use callsheet::run::state::{State, Status};
use callsheet::service::act::Driver;
use callsheet::service::answer::Step;
use callsheet::service::project::Project;
use callsheet::topology::plan::Expiry;

use super::decisions::person;
use super::silence::{DAY_MS, moved};
use super::support::{Answered, Answers, Driven, NEVER, Rig, shipped, who};

/// The ownerships that the journal knows of.
fn epochs(driven: &Driven<'_>) -> Vec<u64> {
    let epoch = |event| if let Event::Opened { epoch } = event { Some(epoch.0) } else { None };
    driven.facts().into_iter().filter_map(|fact| epoch(fact.is)).collect()
}

fn row(store: &Memory, run: RunId) -> RunRow {
    store.runs(&Query { id: Some(run), ..Query::default() }).unwrap().pop().unwrap()
}

/// Waits until the journal says so: a run that nobody has has nobody to tell.
async fn awaited(what: &str, driven: &Driven<'_>, holds: impl Fn(&State) -> bool) -> State {
    let waiting = async {
        loop {
            let state = driven.state();
            if holds(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(NEVER, waiting).await.unwrap_or_else(|_| panic!("{what} never came"))
}

async fn parked(driven: &Driven<'_>) {
    let mut progress = driven.handle.progress();
    let gone = progress.wait_for(|now| now.gone.is_some());
    drop(tokio::time::timeout(NEVER, gone).await.unwrap().unwrap());
    assert!(driven.system.live(driven.handle.run).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_openings_of_one_run_in_one_process_are_one() {
    let plan = shipped("content-repurposing");
    let rig = Rig::new();
    let driven = rig.run(&plan).await;
    driven.settled().await;
    driven.system.stop().await;
    let (system, run) = (rig.system().await, driven.handle.run);
    let opened = tokio::join!(system.open(run, false), system.open(run, false), system.open(run, true));
    let handle = opened.0.unwrap();
    for other in [opened.1, opened.2] {
        other.unwrap();
    }
    let driven = Driven::of(&rig, system, handle);
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
    assert_eq!(epochs(&driven), [1, 2]);
    driven.system.stop().await;
}

/// A journal that refuses an append when told to, and in which what an owner gives up arrives after the next claim.
struct Late {
    inner: Arc<Memory>,
    refuses: AtomicBool,
    given_up: Mutex<Option<Op>>,
    claimed: AtomicBool,
    arrived: tokio::sync::mpsc::UnboundedSender<()>,
}

impl Late {
    fn arrives(&self, release: &Op) {
        self.inner.commit(std::slice::from_ref(release)).pop().unwrap().unwrap();
        self.arrived.send(()).unwrap();
    }

    fn one(&self, op: &Op) -> Result<Done, Error> {
        match op {
            Op::Append(_) if self.refuses.swap(false, Ordering::SeqCst) => return Err(Error::Full),
            Op::Release { .. } => {
                if self.claimed.load(Ordering::SeqCst) {
                    self.arrives(op);
                } else {
                    *self.given_up.lock().unwrap() = Some(op.clone());
                }
                return Ok(Done::Released);
            }
            _ => {}
        }
        let done = self.inner.commit(std::slice::from_ref(op)).pop().unwrap();
        if matches!(op, Op::Claim { .. }) {
            self.claimed.store(true, Ordering::SeqCst);
            if let Some(release) = self.given_up.lock().unwrap().take() {
                self.arrives(&release);
            }
        }
        done
    }
}

impl Answers for Late {
    fn inner(&self) -> &Memory {
        &self.inner
    }

    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        ops.iter().map(|op| self.one(op)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_a_run_does_not_give_up_what_its_successor_has() {
    let plan = shipped("content-repurposing");
    let mut rig = Rig::new();
    let (arrived, mut arrives) = tokio::sync::mpsc::unbounded_channel();
    let inner = Arc::clone(&rig.store);
    let (refuses, claimed) = (AtomicBool::new(false), AtomicBool::new(false));
    let disk = Arc::new(Answered(Late { inner, refuses, given_up: Mutex::default(), claimed, arrived }));
    rig.disk = Arc::clone(&disk) as Arc<dyn Store>;
    let driven = rig.run(&plan).await;
    driven.settled().await;
    disk.refuses.store(true, Ordering::SeqCst);
    let run = driven.handle.run;
    driven.system.post(run, uuid::Uuid::from_u128(1), &Post { by: who("ada"), say: Say::Pause }).await.unwrap();
    parked(&driven).await;
    let handle = driven.system.open(run, false).await.unwrap();
    tokio::time::timeout(NEVER, arrives.recv()).await.unwrap().unwrap();
    assert!(row(&rig.store, run).owner.is_some(), "the run has an owner and the journal says that it has none");
    let again = Driven::of(&rig, driven.system.clone(), handle);
    again.until("what was posted", |state| state.status() == Status::Paused).await;
    disk.claimed.store(false, Ordering::SeqCst);
    again.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_leaves_memory_and_comes_back_for_a_post() {
    let plan = shipped("content-repurposing");
    let mut rig = Rig::new();
    rig.park = true;
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Waiting);
    parked(&driven).await;
    let run = driven.handle.run;
    assert!(row(&rig.store, run).owner.is_none(), "whoever wants it may have it");
    assert_eq!(epochs(&driven), [1]);
    let (approval, binds) = driven.open_approval();
    let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
    driven.system.post(run, uuid::Uuid::from_u128(1), &Post { by: who("ada"), say }).await.unwrap();
    let state = awaited("its end", &driven, |state| state.ended.is_some()).await;
    assert_eq!(state.status(), Status::Ended(Ending::Done));
    assert_eq!(epochs(&driven), [1, 2]);
    driven.system.stop().await;
}

/// Whoever posted it has died: the page, or a command.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_hears_what_was_posted_to_it() {
    let mut rig = Rig::new();
    rig.park = true;
    let driven = rig.run(&shipped("content-repurposing")).await;
    driven.settled().await;
    let posted = |id, say| {
        let json = serde_json::to_vec(&Post { by: who("ada"), say }).unwrap();
        let op = Op::Post { run: driven.handle.run, id: uuid::Uuid::from_u128(id), json, at: driven.state().now };
        rig.store.commit(&[op]).pop().unwrap().unwrap();
    };
    posted(1, Say::Cancel);
    awaited("its end", &driven, |state| state.ended.is_some()).await;
    posted(2, Say::Follow { on: true });
    let state = awaited("what was posted after it", &driven, |state| state.heard == 2).await;
    assert_eq!(state.status(), Status::Ended(Ending::Cancelled));
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_leaves_memory_and_comes_back_when_its_time_is_up() {
    let (mut rig, clock) = moved();
    rig.park = true;
    let mut plan = shipped("content-repurposing");
    person(&mut plan).expires.then = Expiry::Reject;
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Waiting);
    parked(&driven).await;
    clock.by_ms(7 * DAY_MS);
    let state = awaited("its end", &driven, |state| state.ended.is_some()).await;
    assert_eq!(state.status(), Status::Ended(Ending::Rejected));
    assert_eq!(epochs(&driven), [1, 2]);
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_posts_is_heard() {
    let rig = Rig::new();
    let driven = rig.run(&shipped("content-repurposing")).await;
    driven.settled().await;
    let json = serde_json::to_vec(&Post { by: who("ada"), say: Say::Pause }).unwrap();
    let (run, id, at) = (driven.handle.run, uuid::Uuid::from_u128(1), driven.state().now);
    rig.store.commit(&[Op::Post { run, id, json, at }]).pop().unwrap().unwrap();
    driven.until("what was posted", |state| state.status() == Status::Paused).await;
    driven.system.stop().await;
}

/// A command posts; a server hears it, ends the run and gives it up before the command looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_heard_a_post_is_not_taken_up_by_whoever_posted_it() {
    let files = crate::cli::Project::new();
    let (code, told) = files.types("run content-repurposing");
    assert_eq!(code, 3, "{told}");
    let project =
        || Arc::new(Project::new(Settings::read(&Flags::default(), &files.path(""), Default::default()).unwrap()));
    let (project, served) = (project(), project());
    let command = Driver::begin(&project, false).await.unwrap();
    let server = Driver::serve(&served).await.unwrap();
    let mut changes = project.changes().unwrap();
    let mut story = project.read(project.run(None).unwrap()).unwrap();
    let mut waiting = command.post(&mut story, who("ana"), Say::Cancel).await.unwrap();
    let over = loop {
        let row = project.run(None).unwrap();
        if row.summary.over {
            break row;
        }
        tokio::time::timeout(NEVER, changes.changed()).await.unwrap().unwrap();
    };
    let live = loop {
        if let Step::Answered { answer, live } = waiting.next(&mut story).await.unwrap() {
            break answer.map(|()| live.is_some()).unwrap();
        }
    };
    assert!(!live);
    assert_eq!(project.run(None).unwrap().last, over.last, "nothing comes after its end");
    server.stop().await;
    command.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_taken_up_is_given_back() {
    let rig = Rig::new();
    let driven = rig.run(&shipped("content-repurposing")).await;
    driven.settled().await;
    driven.system.stop().await;
    let run = driven.handle.run;
    let (after, epoch, at) = (row(&rig.store, run).last, row(&rig.store, run).epoch, driven.state().now);
    let heads = vec![Head { kind: "of_tomorrow".to_owned(), version: 1, json: b"{}".to_vec() }];
    let batch = Batch { run, after, epoch, heads, bodies: Vec::new(), summary: Summary::default(), at, release: false };
    rig.store.commit(&[Op::Append(batch)]).pop().unwrap().unwrap();
    let system = rig.system().await;
    assert!(system.open(run, false).await.is_err());
    assert!(row(&rig.store, run).owner.is_none(), "a newer callsheet may have it");
    system.stop().await;
}

/// Once told to, holds whoever decides until another does too.
#[derive(Default)]
struct Meeting {
    on: AtomicBool,
    here: Mutex<usize>,
    came: Condvar,
    missed: AtomicBool,
}

impl Probe for Meeting {
    fn at(&self, point: Point) {
        if point != Point::Decided || !self.on.load(Ordering::SeqCst) {
            return;
        }
        let mut here = self.here.lock().unwrap();
        *here += 1;
        self.came.notify_all();
        let (_here, waited) = self.came.wait_timeout_while(here, NEVER / 4, |here| *here < 2).unwrap();
        self.missed.fetch_or(waited.timed_out(), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn what_is_due_is_taken_up_beside_each_other() {
    let (mut rig, clock) = moved();
    let meeting = Arc::new(Meeting::default());
    (rig.park, rig.probe) = (true, Arc::clone(&meeting) as Arc<dyn Probe>);
    let mut plan = shipped("content-repurposing");
    person(&mut plan).expires.then = Expiry::Reject;
    let first = rig.run(&plan).await;
    let second = first.system.run(&plan, &super::support::brief(&plan), who("ada")).await.unwrap();
    let second = Driven::of(&rig, first.system.clone(), second);
    for driven in [&first, &second] {
        assert_eq!(driven.settled().await, Status::Waiting);
        parked(driven).await;
    }
    meeting.on.store(true, Ordering::SeqCst);
    clock.by_ms(7 * DAY_MS);
    for driven in [&first, &second] {
        awaited("its end", driven, |state| state.ended.is_some()).await;
    }
    assert!(!meeting.missed.load(Ordering::SeqCst), "one waited for the other");
    first.system.stop().await;
}

/// A journal in which somebody posts to a run as soon as it is made, and whoever makes it hears of that only once the
/// scheduler has looked for what is due.
struct Early {
    inner: Arc<Memory>,
    looked: Mutex<bool>,
    looks: Condvar,
}

impl Answers for Early {
    fn inner(&self) -> &Memory {
        &self.inner
    }

    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        let done = self.inner.commit(ops);
        let made = ops.iter().find_map(|op| if let Op::Create(new, _) = op { Some(new.id) } else { None });
        if let Some(run) = made {
            let json = serde_json::to_vec(&Post { by: who("ada"), say: Say::Pause }).unwrap();
            let post = Op::Post { run, id: uuid::Uuid::from_u128(1), json, at: Timestamp(1) };
            self.inner.commit(&[post]).pop().unwrap().unwrap();
            let mut looked = self.looked.lock().unwrap();
            *looked = false;
            let (_looked, late) = self.looks.wait_timeout_while(looked, NEVER, |looked| !*looked).unwrap();
            assert!(!late.timed_out(), "the scheduler never looks");
        }
        done
    }

    fn lists(&self, query: &Query) {
        if query.due.is_some() {
            *self.looked.lock().unwrap() = true;
            self.looks.notify_all();
        }
    }
}

/// A model that says nothing.
struct Mute;

impl Model for Mute {
    fn reply<'a>(&'a self, _: &'a Ask) -> Work<'a, Reply> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_while_a_run_is_being_made_is_heard_though_nothing_else_happens() {
    let mut rig = Rig::new();
    let (looked, looks) = (Mutex::default(), Condvar::new());
    rig.disk = Arc::new(Answered(Early { inner: Arc::clone(&rig.store), looked, looks }));
    rig.model = Arc::new(Mute);
    let mut plan = shipped("content-repurposing");
    // So that nothing is written meanwhile: each write has the scheduler look.
    plan.team.values_mut().for_each(|member| member.limits.call_timeout_ms = 3_600_000);
    let driven = rig.run(&plan).await;
    driven.until("what was posted", |state| state.status() == Status::Paused).await;
    driven.system.stop().await;
}

//! The root: it makes and opens runs, keeps the table of the live ones, wakes what is due, and outlives them all.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{Mutex, watch};

pub use super::Gone;
use super::examiner::Unmade;
use super::history::{self, Loaded, load, read_plan};
use super::lift::Bodies;
use super::msg::RunMsg;
use super::rest::Rest;
pub use super::run::Progress;
use super::run::{Run, Setup};
use super::shelf::{self, Kept};
use super::{Order, Owner, Pinned, Place, Point, Ports, blocking};
use crate::id::{Digest, Epoch, RunId, RunNo, Seq, Timestamp};
use crate::journal::{Claiming, Done, Due, Error as JournalError, Fired, Firing, NewRun, Op, Query};
use crate::run::event::Who;
use crate::run::input::{Brief, Post, What};
use crate::run::state::State;
use crate::topology::plan::Plan;
use crate::topology::spec::Labels;

/// The least time between two looks of the scheduler: many writes in a row are one look.
const TICK_MS: u64 = 50;

/// The longest time between two looks where runs are parked: so late a reminder may be, or the end of an approval.
const PARKED_LOOK_MS: u64 = 1_000;

/// Runs that the scheduler takes up at a time.
const OPENINGS_MAX: usize = 64;

/// Why a run cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It cannot be loaded.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The plan needs what this callsheet does not have.
    #[error(transparent)]
    Plan(#[from] Unmade),
    /// What is to be written is no JSON.
    #[error("what is to be written is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The core does not start it.
    #[error("the run could not be started: {0}")]
    Undecided(String),
    /// An actor could not be started, or has ended.
    #[error("the run could not be started: {0}")]
    Actor(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The journal answered a write with something else.
    #[error("the journal gave no {0}")]
    Answer(&'static str),
}

/// The running system; clones share it.
#[derive(Clone)]
pub struct System {
    ports: Arc<Ports>,
    live: Arc<DashMap<RunId, Handle>>,
    /// Runs that somebody is taking up right now: one at a time each.
    opening: Arc<DashMap<RunId, Arc<Mutex<()>>>>,
    pinned: Arc<DashMap<Digest, Arc<Pinned>>>,
    /// Runs that the scheduler could not take up.
    rest: Arc<Rest>,
    root: ActorRef<Root>,
}

/// A live run from outside.
#[derive(Clone)]
pub struct Handle {
    /// Its id.
    pub run: RunId,
    /// Its number.
    pub no: RunNo,
    progress: watch::Receiver<Progress>,
    actor: ActorRef<RunMsg>,
}

/// What a firing came to.
pub enum Made {
    /// A run.
    Run(Handle),
    /// Nothing: it is settled already, so.
    Settled(Firing),
    /// Nothing: this run of the trigger is not over.
    Overlaps(RunNo),
}

impl Handle {
    /// How far it is, and each time that it gets further.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

impl System {
    /// Starts the root and its scheduler.
    ///
    /// # Errors
    /// [`Error::Actor`] if the actor runtime is not there.
    pub async fn start(ports: Arc<Ports>) -> Result<Self, Error> {
        let changes = ports.store.changes()?;
        let (root, _) = Actor::spawn(None, RootActor, ()).await.map_err(|error| Error::Actor(error.into()))?;
        let (live, opening, pinned, rest) = Default::default();
        let system = Self { ports, live, opening, pinned, rest, root };
        system.root.cast(Root::Schedule(system.clone())).map_err(|error| Error::Actor(error.to_string().into()))?;
        tokio::spawn(clockwork(system.root.clone(), changes, system.ports.park));
        Ok(system)
    }

    /// What the system reaches the world through.
    pub fn ports(&self) -> &Arc<Ports> {
        &self.ports
    }

    /// Makes a run of `plan` and starts it. When this returns, the run is durable.
    ///
    /// # Errors
    /// If the journal refuses it, or the plan needs what is not there.
    pub async fn run(&self, plan: &Plan, brief: &Brief, by: Who) -> Result<Handle, Error> {
        // What it takes to make a run is in memory for as long as that, and not for as long as whoever waits for its end.
        match Box::pin(self.make(plan, (brief, Labels::default()), by, None)).await? {
            Made::Run(handle) => Ok(handle),
            Made::Settled(_) | Made::Overlaps(_) => Err(Error::Answer("number")),
        }
    }

    /// Makes a run of `plan` for a trigger's firing, and settles the firing with it, whatever dies meanwhile. The labels are
    /// those of what the parameters were read from.
    ///
    /// # Errors
    /// As [`System::run`].
    pub async fn fire(&self, plan: &Plan, brief: (&Brief, Labels), by: Who, fired: Fired) -> Result<Made, Error> {
        self.make(plan, brief, by, Some(fired)).await
    }

    async fn make(
        &self,
        plan: &Plan,
        (brief, labels): (&Brief, Labels),
        by: Who,
        fired: Option<Fired>,
    ) -> Result<Made, Error> {
        let json = serde_json::to_vec(plan)?;
        let digest = Plan::digest(&json);
        let pinned = self.pin(digest, &json)?;
        let clock = Arc::clone(&self.ports.clock);
        let run = RunId(clock.id());
        let mut bodies = Bodies::new(clock.as_ref());
        let brief = bodies.json(&serde_json::json!(brief));
        let note = bodies.text(&plan.description);
        let what = What::Start { plan: digest, mode: plan.mode, brief, labels, note, by };
        let moment = self.ports.moment();
        let mut owner = Owner::new(State::new(run, Arc::clone(&pinned.plan)), Seq(0), self.ports.park);
        owner.starts(what, bodies.into_made());
        let Some(Order::Append(first)) = owner.heed(moment) else {
            return Err(Error::Undecided(format!("{:?}", owner.gone())));
        };
        let seq = Seq(first.facts.len() as u64);
        let first = owner.batch(first).ok_or_else(|| Error::Undecided("nothing is decided".to_owned()))?;
        let new = NewRun {
            id: run,
            topology: plan.name.clone(),
            at: moment.at,
            owner: self.ports.owner,
            blobs: vec![(digest, json)],
        };
        let kept = shelf::copies(&first.bodies);
        let opening = self.opening(run);
        let _alone = opening.lock().await;
        self.ports.probe.at(Point::Decided);
        let op = match fired {
            Some(fired) => Op::Fire(fired, new, first),
            None => Op::Create(new, first),
        };
        let done = self.ports.writer.commit(op).await?;
        self.ports.probe.at(Point::Committed);
        let no = match done {
            Done::Created(no) => no,
            Done::Settled(firing) => return Ok(Made::Settled(firing)),
            Done::Overlaps(no) => return Ok(Made::Overlaps(no)),
            _ => return Err(Error::Answer("number")),
        };
        owner.appended(seq);
        self.spawn(no, pinned, owner, None, kept).await.map(Made::Run)
    }

    /// Takes up a run from its journal; if this system has it live already, that one.
    ///
    /// # Errors
    /// If it is unknown, driven by another process (and not `take_over`), or cannot be replayed.
    pub async fn open(&self, run: RunId, take_over: bool) -> Result<Handle, Error> {
        self.open_from(run, take_over, None).await
    }

    /// As [`System::open`], from where the run is known already: only what came since then is read.
    ///
    /// # Errors
    /// As [`System::open`].
    pub async fn open_from(&self, run: RunId, take_over: bool, known: Option<Loaded>) -> Result<Handle, Error> {
        let how = if take_over { Claiming::TakeOver } else { Claiming::IfFree };
        self.claim(run, how, known).await?.ok_or(Error::Answer("epoch"))
    }

    /// As [`System::open_from`], for what was posted at `place` to be heard; none if another owner heard it and gave the run
    /// up.
    ///
    /// # Errors
    /// As [`System::open`].
    pub async fn open_to_hear(&self, run: RunId, place: u64, known: Loaded) -> Result<Option<Handle>, Error> {
        self.claim(run, Claiming::ToHear(place), Some(known)).await
    }

    /// Claims a run and has it live here; none if the journal says that there is no need to.
    async fn claim(&self, run: RunId, how: Claiming, known: Option<Loaded>) -> Result<Option<Handle>, Error> {
        let opening = self.opening(run);
        let _alone = opening.lock().await;
        if let Some(live) = self.live(run) {
            return Ok(Some(live));
        }
        let owner = self.ports.owner;
        let epoch = match self.ports.writer.commit(Op::Claim { run, owner, how }).await? {
            Done::Claimed(epoch) => epoch,
            Done::NotNeeded => return Ok(None),
            _ => return Err(Error::Answer("epoch")),
        };
        let system = self.clone();
        let loaded = blocking(move || system.load(run, known)).await.map_err(|error| Error::Actor(error.into()));
        let opened = match loaded.flatten() {
            Ok((no, pinned, owner)) => self.spawn(no, pinned, owner, Some(epoch), Vec::new()).await,
            Err(error) => Err(error),
        };
        if opened.is_err() {
            let _ = self.ports.writer.commit(Op::Release { run, epoch }).await;
        }
        opened.map(Some)
    }

    /// What whoever takes `run` up holds meanwhile; the table forgets those that nobody holds or waits for.
    fn opening(&self, run: RunId) -> Arc<Mutex<()>> {
        self.opening.retain(|_, opening| Arc::strong_count(opening) > 1);
        Arc::clone(&self.opening.entry(run).or_default())
    }

    /// The run as this system has it live.
    pub fn live(&self, run: RunId) -> Option<Handle> {
        self.live.get(&run).filter(|live| live.progress.borrow().gone.is_none()).map(|live| live.value().clone())
    }

    /// Has a live run look at the clock, for whoever moved it: a timer would not notice.
    pub fn wake(&self, run: RunId) {
        if let Some(live) = self.live(run) {
            let _ = live.actor.cast(RunMsg::Wake);
        }
    }

    /// Posts to a run's inbox, whoever owns it; durable when this returns.
    ///
    /// # Errors
    /// If the journal refuses it.
    pub async fn post(&self, run: RunId, id: uuid::Uuid, post: &Post) -> Result<u64, Error> {
        let json = serde_json::to_vec(post)?;
        let at = self.ports.clock.now();
        let done = self.ports.writer.commit(Op::Post { run, id, json, at }).await?;
        self.tell(run);
        match done {
            Done::Posted(place) => Ok(place),
            _ => Err(Error::Answer("place")),
        }
    }

    /// Has the run, if it is live here, look at its inbox. One that is being made or taken up right now may have looked
    /// already, and is told once it is there.
    fn tell(&self, run: RunId) {
        let opening = self.opening.get(&run).map(|opening| Arc::clone(opening.value()));
        match (self.live(run), opening) {
            (Some(live), _) => drop(live.actor.cast(RunMsg::Posted)),
            (None, Some(opening)) => {
                let system = self.clone();
                tokio::spawn(async move {
                    drop(opening.lock().await);
                    if let Some(live) = system.live(run) {
                        let _ = live.actor.cast(RunMsg::Posted);
                    }
                });
            }
            (None, None) => {}
        }
    }

    /// Stops every live run in order: what a handler has begun to append is appended; the rest waits in the journal.
    pub async fn stop(&self) {
        let live: Vec<ActorRef<RunMsg>> = self.live.iter().map(|live| live.actor.clone()).collect();
        for actor in live {
            let _ = actor.stop_and_wait(None, Some(Duration::from_secs(5))).await;
        }
        let _ = self.root.stop_and_wait(None, Some(Duration::from_secs(1))).await;
    }

    async fn spawn(
        &self,
        no: RunNo,
        pinned: Arc<Pinned>,
        owner: Owner,
        opens: Option<Epoch>,
        kept: Vec<(Digest, Vec<u8>)>,
    ) -> Result<Handle, Error> {
        let run = owner.state().run;
        let (progress, seen) = watch::channel(Progress::of(&owner));
        let span = tracing::info_span!("run", %no, topology = %pinned.plan.name);
        let place = Arc::new(Place {
            run,
            no,
            pinned,
            ports: Arc::clone(&self.ports),
            span,
            manifest: std::sync::Mutex::default(),
            first: std::sync::OnceLock::new(),
            kept: Kept::default(),
        });
        place.kept.put(kept);
        let setup = Setup { place, owner, opens, progress };
        let spawned = Actor::spawn_linked(None, Run, setup, self.root.get_cell()).await;
        let (actor, _) = spawned.map_err(|error| Error::Actor(error.into()))?;
        let handle = Handle { run, no, progress: seen, actor };
        self.live.insert(run, handle.clone());
        Ok(handle)
    }

    fn pin(&self, digest: Digest, json: &[u8]) -> Result<Arc<Pinned>, Error> {
        if let Some(known) = self.pinned.get(&digest) {
            return Ok(Arc::clone(known.value()));
        }
        let plan = read_plan(json)?;
        let pinned = Arc::new(Pinned::new(plan, digest, &self.ports.checks)?);
        self.pinned.insert(digest, Arc::clone(&pinned));
        Ok(pinned)
    }

    fn load(&self, run: RunId, known: Option<Loaded>) -> Result<(RunNo, Arc<Pinned>, Owner), Error> {
        let store = self.ports.store.as_ref();
        let loaded = match known {
            Some(known) => history::load_on(store, known)?,
            None => load(store, run)?,
        };
        let pinned = self.pin(loaded.digest, &loaded.plan_json)?;
        Ok((loaded.no, pinned, Owner::new(loaded.state, loaded.seq, self.ports.park)))
    }

    /// Opens what is due and not live, tells live runs of their posts, forgets those that are gone.
    async fn tick(&self) {
        self.live.retain(|_, live| live.progress.borrow().gone.is_none());
        let (store, parks) = (Arc::clone(&self.ports.store), self.ports.park);
        let due = Due { at: self.ports.clock.now(), by: self.ports.owner };
        let query = Query { due: Some(due), ..Query::default() };
        let looked = blocking(move || store.runs(&query)).await;
        let Ok(Ok(rows)) = looked else { return };
        let mut openings = 0;
        for row in rows {
            let is_here = self.live(row.id).is_some() || self.is_opening(row.id);
            if is_here {
                self.tell(row.id);
            } else if parks && row.owner.is_none() && openings < OPENINGS_MAX && self.may_be_taken_up(row.id) {
                // Beside each other, and beside the next look, which finds what there is no room for now.
                openings += 1;
                let system = self.clone();
                tokio::spawn(async move { system.take_up(row.id, due.at).await });
            }
        }
    }

    /// Opens what was due at `at`, if it still is; what cannot be opened is left alone for a while.
    async fn take_up(&self, run: RunId, at: Timestamp) {
        match self.claim(run, Claiming::IfDue(at), None).await {
            Ok(Some(_)) => self.rest.ended(run),
            // Somebody was faster.
            Ok(None) | Err(Error::Journal(JournalError::Owned { .. })) => {}
            Err(error) => {
                let rest_ms = self.rest.failed(run, self.ports.clock.uptime_ms());
                tracing::error!(%run, %error, rest_ms, "a run that is due cannot be taken up");
            }
        }
    }

    fn may_be_taken_up(&self, run: RunId) -> bool {
        !self.rest.has(run, self.ports.clock.uptime_ms())
    }

    fn is_opening(&self, run: RunId) -> bool {
        self.opening.get(&run).is_some_and(|opening| Arc::strong_count(opening.value()) > 1)
    }
}

/// Has the root look after each write, whoever's it was. Where runs are parked it looks now and then without one: they have no
/// timers.
async fn clockwork(root: ActorRef<Root>, mut changes: watch::Receiver<u64>, parks: bool) {
    let look = Duration::from_millis(if parks { PARKED_LOOK_MS } else { u64::MAX });
    loop {
        tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
        let is_over = matches!(tokio::time::timeout(look, changes.changed()).await, Ok(Err(_)));
        if is_over || root.cast(Root::Tick).is_err() {
            return;
        }
    }
}

/// The root actor: supervisor of the runs, and the scheduler.
struct RootActor;

enum Root {
    Schedule(System),
    Tick,
}

impl Actor for RootActor {
    type Msg = Root;
    type State = Option<System>;
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Root>, (): ()) -> Result<Option<System>, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Root>,
        message: Root,
        system: &mut Option<System>,
    ) -> Result<(), ActorProcessingErr> {
        match (message, &system) {
            (Root::Schedule(new), _) => *system = Some(new),
            (Root::Tick, Some(system)) => system.tick().await,
            (Root::Tick, None) => {}
        }
        Ok(())
    }

    /// A run that fails takes nothing else with it.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Root>,
        event: SupervisionEvent,
        _system: &mut Option<System>,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(cell, reason) = event {
            tracing::error!(actor = %cell.get_id(), %reason, "a run's actor failed; its journal has everything");
        }
        Ok(())
    }
}

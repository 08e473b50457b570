//! A live run as an actor: it carries out what its owner ([`owner`]) orders. It commits what is to be appended and waits
//! for the disk, supervises the run's agents, keeps the timer, and tells who watches. It decides nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

use super::agent::{self, Agent};
use super::history::{Loaded, load};
use super::lift::{Bodies, Lifted};
use super::msg::RunMsg;
use super::perform::Work;
use super::{Gone, Order, Owner, Place, Point, blocking, inbox, shelf};
use crate::failure::Class;
use crate::id::{AgentName, EffectId, Epoch, Seq, Timestamp};
use crate::journal::{Body, Done, Op, Posted};
use crate::run::body::FailureReport;
use crate::run::desk::Held;
use crate::run::event::{Origin, Wish};
use crate::run::input::What;
use crate::run::owner::{self, Append, Attempt};
use crate::run::state::Status;

/// A run as an actor.
pub(super) struct Run;

/// What a run is given when it starts.
pub(super) struct Setup {
    pub(super) place: Arc<Place>,
    pub(super) owner: Owner,
    /// This ownership, if the journal does not hold its `Opened` yet.
    pub(super) opens: Option<Epoch>,
    pub(super) progress: watch::Sender<Progress>,
}

/// How far a run is, for whoever watches; the journal has the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its last durable record.
    pub seq: Seq,
    /// What it is doing.
    pub status: Status,
    /// When it wants to be woken.
    pub wake_at: Option<Timestamp>,
    /// Why its owner let it go, if it did.
    pub gone: Option<Gone>,
}

impl Progress {
    /// As `owner` has it.
    pub(super) fn of(owner: &Owner) -> Self {
        let state = owner.state();
        Self { seq: owner.seq(), status: state.status(), wake_at: state.wake_at(), gone: None }
    }
}

/// A run's actor while it lives.
pub(super) struct Live {
    place: Arc<Place>,
    owner: Owner,
    /// Rows of the inbox that are read and not heard yet, while it is being read.
    rows: Option<VecDeque<Posted>>,
    agents: BTreeMap<AgentName, ActorRef<agent::Msg>>,
    names: HashMap<ActorId, AgentName>,
    timer: Option<tokio::task::JoinHandle<()>>,
    progress: watch::Sender<Progress>,
}

impl Actor for Run {
    type Msg = RunMsg;
    type State = Live;
    type Arguments = Setup;

    async fn pre_start(&self, myself: ActorRef<RunMsg>, setup: Setup) -> Result<Live, ActorProcessingErr> {
        let mut live = Live {
            place: setup.place,
            owner: setup.owner,
            rows: None,
            agents: BTreeMap::new(),
            names: HashMap::new(),
            timer: None,
            progress: setup.progress,
        };
        live.owner.opened(setup.opens);
        live.go_on(&myself).await;
        Ok(live)
    }

    async fn handle(
        &self,
        myself: ActorRef<RunMsg>,
        message: RunMsg,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RunMsg::Outcome(attempt, lifted) => {
                let Lifted { result, usage, bodies } = *lifted;
                live.owner.outcome(attempt, result, usage, bodies);
            }
            RunMsg::Died(attempt, reason) => live.died(&[attempt], Class::Bug, &reason),
            RunMsg::Wake => live.owner.woken(live.place.ports.clock.now()),
            RunMsg::Posted => live.owner.posted(),
        }
        live.go_on(&myself).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RunMsg>,
        event: SupervisionEvent,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(cell, reason) = event
            && let Some(agent) = live.names.remove(&cell.get_id())
        {
            live.agents.remove(&agent);
            let attempts = live.owner.attempts_of(&agent);
            live.died(&attempts, Class::Bug, &reason.to_string());
            live.go_on(&myself).await;
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<RunMsg>, live: &mut Live) -> Result<(), ActorProcessingErr> {
        if let Some(timer) = live.timer.take() {
            timer.abort();
        }
        let (run, epoch) = (live.place.run, live.owner.epoch());
        // A run that is over was given up with its last append. A lost release costs the next owner nothing but the look
        // at a dead lock.
        if !live.owner.is_free() {
            let _ = live.place.ports.writer.commit(Op::Release { run, epoch }).await;
        }
        live.progress.send_modify(|progress| {
            progress.gone.get_or_insert(Gone::Parked);
        });
        Ok(())
    }
}

impl Live {
    /// After a message: carries out what follows from it, then what the run calls for.
    async fn go_on(&mut self, myself: &ActorRef<RunMsg>) {
        loop {
            while let Some(order) = self.owner.heed(self.place.ports.moment()) {
                if let Err(gone) = self.carry_out(myself, order).await {
                    self.owner.fail(gone);
                }
            }
            let orders = self.owner.go_on(self.place.ports.clock.now());
            let Err(gone) = self.carry_out_all(myself, orders).await else { break };
            self.owner.fail(gone);
        }
        self.dismiss();
    }

    /// Ends the agents that have nothing to do, since most of a team waits most of the time. Each is there anew when it is needed.
    fn dismiss(&mut self) {
        self.agents.retain(|name, actor| {
            let is_busy = self.owner.is_busy(name);
            if !is_busy {
                self.names.remove(&actor.get_id());
                actor.stop(None);
            }
            is_busy
        });
    }

    async fn carry_out_all(&mut self, myself: &ActorRef<RunMsg>, orders: Vec<Order>) -> Result<(), Gone> {
        for order in orders {
            self.carry_out(myself, order).await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, myself: &ActorRef<RunMsg>, order: Order) -> Result<(), Gone> {
        match order {
            Order::Nothing => {}
            Order::Append(append) => self.append(append).await?,
            Order::Read(after) => self.read(after).await?,
            Order::Load => self.load().await?,
            Order::KillHung(agent, attempts) => {
                self.kill(&agent, attempts.clone());
                self.died(&attempts, Class::Transient, "it hung: no sign of life after its time-out");
            }
            Order::KillUnwanted(agent, attempts) => self.kill(&agent, attempts),
            Order::Start(attempt) => self.start(myself, attempt).await?,
            Order::Timer(wait_ms) => self.set_timer(myself, wait_ms),
            Order::LetGo(gone) => self.let_go(myself, gone),
        }
        Ok(())
    }

    async fn append(&mut self, append: Append) -> Result<(), Gone> {
        let batch = self.owner.batch(append).ok_or_else(|| Gone::Bug("nothing is decided".to_owned()))?;
        let kept = shelf::copies(&batch.bodies);
        self.place.ports.probe.at(Point::Decided);
        let done = self.place.ports.writer.commit(Op::Append(batch)).await.map_err(Gone::Journal)?;
        self.place.ports.probe.at(Point::Committed);
        let Done::Appended(seq) = done else { return Err(Gone::Bug("an append came to something else".to_owned())) };
        self.place.kept.put(kept);
        self.owner.appended(seq);
        self.progress.send_replace(Progress::of(&self.owner));
        Ok(())
    }

    /// Gives the owner the next row of the inbox; all that is there is read at once.
    async fn read(&mut self, after: u64) -> Result<(), Gone> {
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => {
                let place = Arc::clone(&self.place);
                let read = blocking(move || place.ports.store.inbox(place.run, after)).await;
                read.map_err(|error| Gone::Bug(error.to_string()))?.map_err(Gone::Journal)?.into()
            }
        };
        let row = match rows.pop_front() {
            Some(row) => Some(self.lift(&row)?),
            None => None,
        };
        self.rows = row.is_some().then_some(rows);
        self.owner.read(row);
        Ok(())
    }

    /// Gives the owner the run as its journal has it.
    async fn load(&mut self) -> Result<(), Gone> {
        let place = Arc::clone(&self.place);
        let loaded = blocking(move || load(place.ports.store.as_ref(), place.run)).await;
        let loaded = loaded.map_err(|error| Gone::Bug(error.to_string()))?;
        let Loaded { state, seq, .. } = loaded.map_err(|error| Gone::Bug(error.to_string()))?;
        self.owner.loaded(state, seq);
        Ok(())
    }

    fn lift(&self, row: &Posted) -> Result<(What, Vec<Body>), Gone> {
        let mut bodies = Bodies::new(self.place.ports.clock.as_ref());
        let say = inbox::lift(&self.place, self.owner.state(), &mut bodies, row);
        let say = say.map_err(|failure| Gone::Bug(failure.reason))?;
        Ok((What::Posted { place: row.place, post: row.id, at: row.at, say }, bodies.into_made()))
    }

    fn died(&mut self, attempts: &[Attempt], class: Class, reason: &str) {
        tracing::warn!(?attempts, reason, "attempts died");
        let mut bodies = Bodies::new(self.place.ports.clock.as_ref());
        let reason = bodies.of(&FailureReport::new(reason));
        let made = bodies.into_made();
        self.owner.died(attempts, class, reason, made);
    }

    fn kill(&self, agent: &AgentName, attempts: Vec<Attempt>) {
        if let Some(actor) = self.agents.get(agent) {
            // An agent that cannot be told is dying, and its attempts with it.
            let _ = actor.cast(agent::Msg::Kill(attempts));
        }
    }

    async fn start(&mut self, myself: &ActorRef<RunMsg>, attempt: Attempt) -> Result<(), Gone> {
        let work = self.work(attempt.id).ok_or_else(|| Gone::Bug("an effect of no turn is outstanding".to_owned()))?;
        let agent = work.turn.agent.clone();
        if !self.agents.contains_key(&agent) {
            let spawned = Actor::spawn_linked(None, Agent, myself.clone(), myself.get_cell()).await;
            let (actor, _) = spawned.map_err(|error| Gone::Bug(error.to_string()))?;
            self.names.insert(actor.get_id(), agent.clone());
            self.agents.insert(agent.clone(), actor);
        }
        if let Some(actor) = self.agents.get(&agent) {
            // An agent that cannot be told is dying; its supervision event says so, and the effect is still outstanding.
            let _ = actor.cast(agent::Msg::Perform(attempt, Arc::new(work)));
        }
        Ok(())
    }

    fn set_timer(&mut self, myself: &ActorRef<RunMsg>, wait_ms: Option<u64>) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        let Some(wait_ms) = wait_ms else { return };
        let wait = Duration::from_millis(wait_ms);
        let to = myself.clone();
        self.timer = Some(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = to.cast(RunMsg::Wake);
        }));
    }

    fn let_go(&mut self, myself: &ActorRef<RunMsg>, gone: Gone) {
        // Whoever waits for a run that is parked is told once it is free.
        if gone != Gone::Parked {
            tracing::error!(?gone, "the run is let go");
            // How far it is was told with its last append.
            self.progress.send_modify(|progress| progress.gone = Some(gone));
        }
        myself.stop(None);
    }

    fn work(&self, id: EffectId) -> Option<Work> {
        let state = self.owner.state();
        let effect = state.effects.get(&id)?.clone();
        let turn = state.turns.get(&effect.message)?.clone();
        let about = match &effect.wish {
            Wish::Deliver { .. } => Some((id, effect.clone())),
            Wish::Query { about } => state.effects.get(about).map(|of| (*about, of.clone())),
            _ => None,
        };
        let outward = about.and_then(|(id, effect)| match &effect.wish {
            Wish::Deliver { permit, .. } => {
                state.permits.get(permit).map(|permit| (id, effect.clone(), permit.manifest.clone()))
            }
            _ => None,
        });
        let past = state.past(&turn.agent, &turn.message.branch);
        let origins = turn.desk.values().flat_map(Held::versions).filter_map(|version| state.versions.get(&version));
        let origins = origins.map(|version| version.origin);
        Some(Work {
            place: Arc::clone(&self.place),
            id,
            lines_used: past.lines_used,
            nth_turn: past.turns_total.max(1),
            outward,
            not_after_uptime_ms: self.owner.not_after_uptime_ms(id),
            given: if self.place.pinned.examiner.looks_back() { state.given.clone() } else { Vec::new() },
            origin: origins.max().unwrap_or(Origin::Computed),
            timeout_ms: owner::timeout_ms(state, &effect),
            patience: state.patience(&turn.agent, effect.model.as_deref()),
            bytes: Arc::default(),
            effect,
            turn,
        })
    }
}

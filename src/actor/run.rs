//! A live run: the sole writer of its journal and the supervisor of its agents. For each input: decide, append, wait
//! for the disk, apply, and only then start what is outstanding and tell who watches.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

use super::agent::{self, Agent, Perform};
use super::lift::{Bodies, Lifted};
use super::perform::Work;
use super::{Place, Point, inbox};
use crate::failure::Class;
use crate::id::{AgentName, EffectId, Seq, Timestamp};
use crate::journal::{Batch, Body, Done, Error, Head, Op, Summary};
use crate::run::decide::{Decided, decide};
use crate::run::event::{Event, FACT_VERSION, Fact, Origin, Wish};
use crate::run::input::{Input, What};
use crate::run::invariant;
use crate::run::state::{State, Status};

/// How long after its time-out an attempt counts as hung with its agent.
const GRACE_MS: u64 = 500;

/// A run as an actor.
pub(super) struct Run;

/// What a run is told.
pub(super) enum Msg {
    /// An attempt ended.
    Outcome { id: EffectId, attempt: u32, lifted: Box<Lifted> },
    /// Look at the clock.
    Wake,
    /// Look at the inbox.
    Posted,
}

/// What a run is given when it starts: its state as the journal has it.
pub(super) struct Setup {
    pub(super) place: Arc<Place>,
    pub(super) state: State,
    pub(super) seq: Seq,
    /// True if the journal already holds this ownership's `Opened`.
    pub(super) opened: bool,
    pub(super) epoch: crate::id::Epoch,
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

/// Why an owner let a run go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It is over, or waits and was dropped from memory, or the process is ending.
    Parked,
    /// The journal refused: taken over, full, broken.
    Journal(Error),
    /// A broken invariant.
    Bug(String),
}

/// A run's actor while it lives.
pub(super) struct Live {
    place: Arc<Place>,
    state: State,
    seq: Seq,
    under_way: HashMap<EffectId, UnderWay>,
    /// Until which uptime the outward effects that this owner began may be performed.
    begun: HashMap<EffectId, u64>,
    agents: BTreeMap<AgentName, ActorRef<Perform>>,
    names: HashMap<ActorId, AgentName>,
    timer: Option<tokio::task::JoinHandle<()>>,
    progress: watch::Sender<Progress>,
}

struct UnderWay {
    agent: AgentName,
    attempt: u32,
    hung_at: Timestamp,
}

impl Actor for Run {
    type Msg = Msg;
    type State = Live;
    type Arguments = Setup;

    async fn pre_start(&self, myself: ActorRef<Msg>, setup: Setup) -> Result<Live, ActorProcessingErr> {
        let mut live = Live {
            place: setup.place,
            state: setup.state,
            seq: setup.seq,
            under_way: HashMap::new(),
            begun: HashMap::new(),
            agents: BTreeMap::new(),
            names: HashMap::new(),
            timer: None,
            progress: setup.progress,
        };
        let opened =
            if setup.opened { Ok(()) } else { live.hear(What::Opened { epoch: setup.epoch }, Vec::new()).await };
        // What was posted in time counts, so the inbox comes before the clock.
        let heard = match opened {
            Ok(()) => match live.listen().await {
                Ok(()) => live.hear(What::Due, Vec::new()).await,
                gone => gone,
            },
            gone => gone,
        };
        live.go_on(&myself, heard).await;
        Ok(live)
    }

    async fn handle(&self, myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        let heard = match message {
            Msg::Outcome { id, attempt, lifted } => live.take_outcome(id, attempt, *lifted).await,
            Msg::Wake => live.wake().await,
            Msg::Posted => live.listen().await,
        };
        live.go_on(&myself, heard).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Msg>,
        event: SupervisionEvent,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(cell, reason) = event {
            let heard = live.agent_died(&cell, Class::Bug, &reason.to_string()).await;
            live.go_on(&myself, heard).await;
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Msg>, live: &mut Live) -> Result<(), ActorProcessingErr> {
        if let Some(timer) = live.timer.take() {
            timer.abort();
        }
        let (run, owner) = (live.place.run, live.place.ports.owner);
        // A lost release costs the next owner nothing but the look at a dead lock.
        let _ = live.place.ports.writer.commit(Op::Release { run, owner }).await;
        live.progress.send_modify(|progress| {
            progress.gone.get_or_insert(Gone::Parked);
        });
        Ok(())
    }
}

impl Live {
    /// One input: decide, append, apply.
    async fn hear(&mut self, what: What, bodies: Vec<Body>) -> Result<(), Gone> {
        let clock = &self.place.ports.clock;
        // Looked at before the clock that can be set: time that passes in between is lost, never won.
        let uptime_ms = clock.uptime_ms();
        let input = Input { at: clock.now(), jitter_permille: clock.jitter_permille(), what };
        let decided = decide(&self.state, &input).map_err(|illegal| Gone::Bug(illegal.to_string()))?;
        let Decided { facts, state: next } = decided;
        if facts.is_empty() {
            return Ok(());
        }
        invariant::holds(&next).map_err(|broken| Gone::Bug(broken.to_string()))?;
        let batch = batch(&next, self.seq, &facts, bodies);
        self.place.ports.probe.at(Point::Decided);
        let done = self.place.ports.writer.commit(Op::Append(batch)).await.map_err(Gone::Journal)?;
        self.place.ports.probe.at(Point::Committed);
        let Done::Appended(seq) = done else { return Err(Gone::Bug("an append came to something else".to_owned())) };
        (self.state, self.seq) = (next, seq);
        self.tell(None);
        self.keep_begun(&facts, uptime_ms);
        Ok(())
    }

    /// Until when what has begun may be performed, by the clock that nobody sets.
    fn keep_begun(&mut self, facts: &[Fact], uptime_ms: u64) {
        self.begun.retain(|id, _| self.state.effects.contains_key(id));
        for fact in facts {
            if let Event::EffectBegan { id, not_after, .. } = fact.is {
                self.begun.insert(id, uptime_ms.saturating_add(not_after.ms_since(fact.at)));
            }
        }
    }

    fn tell(&self, gone: Option<Gone>) {
        let (seq, status, wake_at) = (self.seq, self.state.status(), self.state.wake_at());
        self.progress.send_replace(Progress { seq, status, wake_at, gone });
    }

    async fn take_outcome(&mut self, id: EffectId, attempt: u32, lifted: Lifted) -> Result<(), Gone> {
        if self.under_way.get(&id).is_none_or(|of| of.attempt != attempt) {
            return Ok(());
        }
        self.under_way.remove(&id);
        self.hear(What::Settled { id, result: lifted.result, usage: lifted.usage }, lifted.bodies).await
    }

    /// Time has passed: hung agents are killed, and the core looks at its own times.
    async fn wake(&mut self) -> Result<(), Gone> {
        let now = self.place.ports.clock.now();
        let hung: Vec<AgentName> =
            self.under_way.values().filter(|of| of.hung_at <= now).map(|of| of.agent.clone()).collect();
        for agent in hung {
            if let Some(actor) = self.agents.get(&agent).map(|actor| actor.get_cell()) {
                self.kill(&actor).await;
                self.agent_died(&actor, Class::Transient, "it hung: no sign of life after its time-out").await?;
            }
        }
        self.hear(What::Due, Vec::new()).await
    }

    async fn kill(&self, actor: &ActorCell) {
        // The kill is certain; only its confirmation may be late.
        let _ = actor.kill_and_wait(Some(Duration::from_secs(1))).await;
    }

    async fn agent_died(&mut self, cell: &ActorCell, class: Class, reason: &str) -> Result<(), Gone> {
        let Some(agent) = self.names.remove(&cell.get_id()) else { return Ok(()) };
        self.agents.remove(&agent);
        let effects: Vec<EffectId> =
            self.under_way.iter().filter(|(_, of)| of.agent == agent).map(|(id, _)| *id).collect();
        effects.iter().for_each(|id| drop(self.under_way.remove(id)));
        tracing::warn!(%agent, reason, "an agent died");
        let ports = Arc::clone(&self.place.ports);
        let mut bodies = Bodies::new(ports.clock.as_ref());
        let reason = bodies.json(&serde_json::json!({ "error": reason }));
        self.hear(What::AgentDied { agent, effects, class, reason }, bodies.into_made()).await
    }

    /// After an input: starts what is outstanding and not under way, or lets the run go.
    async fn go_on(&mut self, myself: &ActorRef<Msg>, heard: Result<(), Gone>) {
        let started = match heard {
            Ok(()) => self.start(myself).await,
            Err(gone) => Err(gone),
        };
        if let Err(gone) = started {
            self.let_go(myself, gone).await;
        }
    }

    /// Hears the inbox.
    async fn listen(&mut self) -> Result<(), Gone> {
        let rows = {
            let (place, after) = (Arc::clone(&self.place), self.state.heard);
            let read = tokio::task::spawn_blocking(move || place.ports.store.inbox(place.run, after)).await;
            read.map_err(|error| Gone::Bug(error.to_string()))?.map_err(Gone::Journal)?
        };
        for row in rows {
            let ports = Arc::clone(&self.place.ports);
            let mut bodies = Bodies::new(ports.clock.as_ref());
            let say = inbox::lift(&self.place, &self.state, &mut bodies, &row)
                .map_err(|failure| Gone::Bug(failure.reason))?;
            self.hear(What::Posted { place: row.place, post: row.id, at: row.at, say }, bodies.into_made()).await?;
        }
        Ok(())
    }

    async fn start(&mut self, myself: &ActorRef<Msg>) -> Result<(), Gone> {
        self.abort_unwanted().await;
        let now = self.place.ports.clock.now();
        for (id, not_before) in self.state.outstanding() {
            if not_before <= now && !self.under_way.contains_key(&id) {
                self.start_one(myself, id, now).await?;
            }
        }
        if self.may_go() {
            myself.stop(None);
        } else {
            self.set_timer(myself, now);
        }
        Ok(())
    }

    async fn start_one(&mut self, myself: &ActorRef<Msg>, id: EffectId, now: Timestamp) -> Result<(), Gone> {
        let Some(work) = self.work(id) else { return Ok(()) };
        let (agent, attempt) = (work.turn.agent.clone(), work.effect.attempt);
        let hung_at = now.plus_ms(work.timeout_ms() + GRACE_MS);
        if !self.agents.contains_key(&agent) {
            let setup = agent::Setup { run: myself.clone() };
            let spawned = Actor::spawn_linked(None, Agent, setup, myself.get_cell()).await;
            let (actor, _) = spawned.map_err(|error| Gone::Bug(error.to_string()))?;
            self.names.insert(actor.get_id(), agent.clone());
            self.agents.insert(agent.clone(), actor);
        }
        self.under_way.insert(id, UnderWay { agent: agent.clone(), attempt, hung_at });
        if let Some(actor) = self.agents.get(&agent) {
            // An agent that cannot be told is dying; its supervision event says so, and the effect is still outstanding.
            let _ = actor.cast(Perform(work));
        }
        Ok(())
    }

    /// Kills the agents whose effects nobody wants any more.
    async fn abort_unwanted(&mut self) {
        for agent in self.state.abandoned(self.under_way.iter().map(|(id, of)| (id, &of.agent))) {
            self.under_way.retain(|_, of| of.agent != agent);
            if let Some(actor) = self.agents.remove(&agent) {
                self.names.remove(&actor.get_id());
                self.kill(&actor.get_cell()).await;
            }
        }
    }

    /// Whether the run needs its actor no longer: it is over, or it waits for somebody and parking is wanted.
    fn may_go(&self) -> bool {
        if !self.under_way.is_empty() {
            return false;
        }
        match self.state.status() {
            Status::Ended(_) => true,
            Status::Running => false,
            Status::Waiting | Status::Paused | Status::Stuck => self.place.ports.park,
        }
    }

    fn set_timer(&mut self, myself: &ActorRef<Msg>, now: Timestamp) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        let hung = self.under_way.values().map(|of| of.hung_at).min();
        // What is under way needs no timer to start it.
        let starts = self.state.outstanding().into_iter().map(|(_, at)| at).filter(|at| *at > now);
        let Some(at) = hung.into_iter().chain(self.state.due_at()).chain(starts).min() else { return };
        // A little late rather than a little early: a wake before its time would find nothing due.
        let wait = Duration::from_millis(at.ms_since(now).saturating_add(1));
        let to = myself.clone();
        self.timer = Some(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = to.cast(Msg::Wake);
        }));
    }

    async fn let_go(&mut self, myself: &ActorRef<Msg>, gone: Gone) {
        tracing::error!(?gone, "the run is let go");
        if matches!(gone, Gone::Bug(_)) {
            // The evidence is what is in the journal; the run says there that it will not go on.
            let _ = Box::pin(self.hear(What::Broken, Vec::new())).await;
        }
        self.tell(Some(gone));
        myself.stop(None);
    }

    fn work(&self, id: EffectId) -> Option<Work> {
        let state = &self.state;
        let effect = state.effects.get(&id)?.clone();
        let turn = state.turns.get(&effect.message)?.clone();
        let about = match &effect.wish {
            Wish::Deliver { .. } => Some((id, effect.clone())),
            Wish::Query { about } => state.effects.get(about).map(|of| (*about, of.clone())),
            _ => None,
        };
        let outward = about.and_then(|(id, effect)| match &effect.wish {
            Wish::Deliver { permit, .. } => {
                state.permits.get(permit).map(|permit| (id, effect.clone(), permit.clone()))
            }
            _ => None,
        });
        let known = state.agents.get(&turn.agent);
        let origins = turn.desk.values().filter_map(|digest| state.versions.get(digest)).map(|version| version.origin);
        Some(Work {
            place: Arc::clone(&self.place),
            id,
            lines_used: known.map(|agent| agent.lines_used.clone()).unwrap_or_default(),
            nth_turn: known.map_or(1, |agent| agent.turns_total),
            outward,
            not_after_uptime_ms: self.begun.get(&id).copied(),
            origin: origins.max().unwrap_or(Origin::Computed),
            effect,
            turn,
        })
    }
}

/// The append of `facts`, which lead to `state`.
pub(super) fn batch(state: &State, after: Seq, facts: &[Fact], bodies: Vec<Body>) -> Batch {
    let heads = facts.iter().map(|fact| Head {
        kind: fact.is.kind().to_owned(),
        version: FACT_VERSION,
        json: serde_json::to_vec(fact).unwrap_or_default(),
    });
    Batch {
        run: state.run,
        after,
        epoch: state.epoch,
        heads: heads.collect(),
        bodies,
        summary: summary(state),
        at: state.now,
    }
}

/// The run as lists show it.
pub(super) fn summary(state: &State) -> Summary {
    let status = state.status();
    let spent = state.ledger.spent;
    let waiting: Vec<String> = state.open_approvals().map(|(_, approval)| approval.agent.to_string()).collect();
    let questions = state.questions.keys().copied();
    Summary {
        status: status.word().to_owned(),
        wake_at: state.wake_at(),
        waiting_for: (!waiting.is_empty()).then(|| waiting.join(", ")),
        approvals: state.open_approvals().map(|(no, _)| no).chain(questions).collect(),
        steps: spent.steps,
        tokens: spent.tokens,
        nano_usd: spent.cost.0,
        heard: state.heard,
        over: matches!(status, Status::Ended(_)),
    }
}

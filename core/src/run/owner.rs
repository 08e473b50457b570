//! A run's owner as a value: it takes in what happens and says what is to be done, in order. It does no I/O, waits for
//! nothing and starts nothing: the product's actor and the simulation carry its orders out, each in its own world.
//!
//! Whoever drives it tells it what happened, then takes what follows from that, one by one ([`Owner::heed`]), and then
//! what the run's state calls for ([`Owner::go_on`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::decide::{Decided, decide};
use super::event::{BodyRef, Event, Fact, Settled, Wish};
use super::input::{Failed, Input, What};
use super::invariant;
use super::record::{Batch, Body, Head, Moved, Summary};
use super::state::{Effect, State, Status};
use crate::failure::{Class, Usage};
use crate::id::{AgentName, EffectId, Epoch, Seq, Timestamp};

/// How long after its time-out an attempt counts as hung.
const GRACE_MS: u64 = 500;

/// Now, and chance, as whoever drives an owner has them.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds by the clock that nobody sets. Looked at before the other one: time that passes in between is lost,
    /// never won.
    pub uptime_ms: u64,
    /// By the clock that can be set.
    pub at: Timestamp,
    /// Random, 0 to 1,000.
    pub jitter_permille: u16,
}

/// One attempt of an effect, among all that an owner starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// Of which effect.
    pub id: EffectId,
    /// Its place among the attempts that this owner started: no two have the same.
    pub nth: u64,
}

/// What is to be done; `E` is how a journal refuses.
#[derive(Debug)]
pub enum Order<E> {
    /// Nothing follows from what was heard.
    Nothing,
    /// Append this; then [`Owner::appended`], or [`Owner::fail`].
    Append(Append),
    /// Read the next row of the inbox after this place; then [`Owner::read`].
    Read(u64),
    /// Fold the run from its journal; then [`Owner::loaded`], or [`Owner::fail`].
    Load,
    /// Kill these attempts of this agent, which give no sign of life; then [`Owner::died`]. Its others go on.
    KillHung(AgentName, Vec<Attempt>),
    /// Kill these attempts of this agent: nobody wants what they would come to.
    KillUnwanted(AgentName, Vec<Attempt>),
    /// Start this attempt.
    Start(Attempt),
    /// Say [`Owner::woken`] after so many milliseconds, and at no time that was ordered before.
    Timer(Option<u64>),
    /// Own the run no longer.
    LetGo(Gone<E>),
}

/// What one input came to, to be appended whole.
#[derive(Debug, Clone)]
pub struct Append {
    /// The facts; at least one.
    pub facts: Vec<Fact>,
    /// The bodies that they name for the first time.
    pub bodies: Vec<Body>,
}

/// Why an owner let a run go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone<E> {
    /// It is over, or waits and was dropped from memory, or the process is ending.
    Parked,
    /// The journal refused: taken over, full, broken.
    Journal(E),
    /// A broken invariant.
    Bug(String),
}

/// The owner of one run, in a journal that refuses with `E`.
pub struct Owner<E> {
    state: State,
    seq: Seq,
    /// This ownership, which the state says once that is durable.
    epoch: Epoch,
    parks: bool,
    tasks: VecDeque<Task<E>>,
    /// What is being appended comes to.
    pending: Option<Pending>,
    under_way: BTreeMap<EffectId, UnderWay>,
    /// Until which uptime the outward effects that this owner began may be performed.
    begun: BTreeMap<EffectId, u64>,
    started: u64,
    free: bool,
    gone: Option<Gone<E>>,
}

enum Task<E> {
    Hear(What, Vec<Body>),
    Read,
    KillHung(AgentName, Vec<Attempt>),
    Load,
    LetGo(Gone<E>),
}

struct Pending {
    begun: Vec<(EffectId, u64)>,
    /// Whether the run is over with it, and nothing else is waited for.
    last: bool,
}

struct UnderWay {
    agent: AgentName,
    nth: u64,
    hung_at: Timestamp,
}

impl<E: Clone + From<Moved>> Owner<E> {
    /// An owner of the run that the records up to `seq` make `state`. If it `parks`, it lets go of a run that only waits.
    pub fn new(state: State, seq: Seq, parks: bool) -> Self {
        let (epoch, tasks) = (state.epoch, VecDeque::new());
        let (under_way, begun) = (BTreeMap::new(), BTreeMap::new());
        Self { state, seq, epoch, parks, tasks, pending: None, under_way, begun, started: 0, free: false, gone: None }
    }

    /// The run with all that was decided: that is durable, but for what is being appended or could not be.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The run's last record.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The ownership.
    pub fn epoch(&self) -> Epoch {
        self.epoch.max(self.state.epoch)
    }

    /// Why it let the run go, if it did.
    pub fn gone(&self) -> Option<&Gone<E>> {
        self.gone.as_ref()
    }

    /// The agent of `attempt`, as long as its outcome is waited for.
    pub fn agent_of(&self, attempt: Attempt) -> Option<&AgentName> {
        self.under_way.get(&attempt.id).filter(|of| of.nth == attempt.nth).map(|of| &of.agent)
    }

    /// The attempts of `agent` whose outcome is waited for.
    pub fn attempts_of(&self, agent: &AgentName) -> Vec<Attempt> {
        self.by_agent(|_, of| of.agent == *agent).remove(agent).unwrap_or_default()
    }

    /// Whether an attempt of `agent` is under way.
    pub fn is_busy(&self, agent: &AgentName) -> bool {
        self.under_way.values().any(|of| of.agent == *agent)
    }

    /// Whether an attempt that acts on the world is under way.
    pub fn acts(&self) -> bool {
        self.under_way.keys().any(|id| self.state.effects.get(id).is_some_and(|effect| effect.is_outward()))
    }

    /// The uptime after which the outward effect `id` is not performed, if this owner began it.
    pub fn not_after_uptime_ms(&self, id: EffectId) -> Option<u64> {
        self.begun.get(&id).copied()
    }

    /// What is to be appended as the journal takes it.
    pub fn batch(&self, append: Append) -> Option<Batch> {
        let (pending, state) = (self.pending.as_ref()?, &self.state);
        Some(Batch {
            run: state.run,
            after: self.seq,
            // A run that breaks as it is opened says so under the new ownership.
            epoch: self.epoch.max(state.epoch),
            heads: append.facts.iter().map(Head::of).collect(),
            bodies: append.bodies,
            summary: Summary::of(state),
            at: state.now,
            release: pending.last,
        })
    }

    /// Whether the run's last append, which is durable, gave the ownership up.
    pub fn is_free(&self) -> bool {
        self.free
    }
}

/// What happens.
impl<E: Clone + From<Moved>> Owner<E> {
    /// The run is new: `what` starts it.
    pub fn starts(&mut self, what: What, bodies: Vec<Body>) {
        self.push(Task::Hear(what, bodies));
    }

    /// The run is this owner's, under `epoch` if the journal does not say so yet. What was posted in time counts, so the
    /// inbox comes before the clock. A run that is just made has none that is not told of.
    pub fn opened(&mut self, epoch: Option<Epoch>) {
        if let Some(epoch) = epoch {
            self.epoch = epoch;
            self.push(Task::Hear(What::Opened { epoch }, Vec::new()));
            self.push(Task::Read);
        }
        self.push(Task::Hear(What::Due, Vec::new()));
    }

    /// Something may have been posted.
    pub fn posted(&mut self) {
        self.push(Task::Read);
    }

    /// An attempt ended. False if nobody waits for it any more, and then it comes to nothing.
    pub fn outcome(
        &mut self,
        attempt: Attempt,
        result: Result<Settled, Failed>,
        usage: Option<Usage>,
        bodies: Vec<Body>,
    ) -> bool {
        if self.agent_of(attempt).is_none() {
            return false;
        }
        self.under_way.remove(&attempt.id);
        self.push(Task::Hear(What::Settled { id: attempt.id, result, usage }, bodies));
        true
    }

    /// `attempts` of one agent panicked, erred or were killed. Those that nobody waits for any more come to nothing.
    pub fn died(&mut self, attempts: &[Attempt], class: Class, reason: BodyRef, bodies: Vec<Body>) {
        let awaited = attempts.iter().filter_map(|attempt| Some((attempt.id, self.agent_of(*attempt)?.clone())));
        let (effects, agents): (Vec<EffectId>, Vec<AgentName>) = awaited.unzip();
        let Some(agent) = agents.into_iter().next() else { return };
        effects.iter().for_each(|id| drop(self.under_way.remove(id)));
        // Before whatever else waits to be heard: it happened in the course of that.
        self.push_front(Task::Hear(What::AgentDied { agent, effects, class, reason }, bodies));
    }

    /// Time has passed: who is hung by `at` is killed, and the core looks at its own times.
    pub fn woken(&mut self, at: Timestamp) {
        for (agent, attempts) in self.by_agent(|_, of| of.hung_at <= at) {
            self.push(Task::KillHung(agent, attempts));
        }
        self.push(Task::Hear(What::Due, Vec::new()));
    }

    /// What was to be appended is durable; `seq` is its last record.
    pub fn appended(&mut self, seq: Seq) {
        let Some(Pending { begun, last }) = self.pending.take() else { return };
        (self.seq, self.epoch, self.free) = (seq, self.epoch(), last);
        self.begun.retain(|id, _| self.state.effects.contains_key(id));
        self.begun.extend(begun);
    }

    /// The next row of the inbox, or none: then all is read.
    pub fn read(&mut self, row: Option<(What, Vec<Body>)>) {
        if let Some((what, bodies)) = row {
            self.push_front(Task::Read);
            self.push_front(Task::Hear(what, bodies));
        }
    }

    /// The run as its journal has it: what was decided and is not durable is forgotten.
    pub fn loaded(&mut self, state: State, seq: Seq) {
        let (epoch, ours) = (state.epoch, state.epoch <= self.epoch);
        (self.state, self.seq) = (state, seq);
        if !ours {
            // Somebody else has it now, and says what becomes of it.
            self.fail(Gone::Journal(Moved { last: seq, epoch }.into()));
        }
    }

    /// An order could not be carried out, and no order will be. The first such reason counts.
    pub fn fail(&mut self, gone: Gone<E>) {
        (self.pending, self.tasks) = (None, VecDeque::new());
        if self.gone.is_none() && matches!(gone, Gone::Bug(_)) {
            // The evidence is what is in the journal; the run says there that it will not go on.
            self.tasks.push_back(Task::Load);
            self.tasks.push_back(Task::Hear(What::Broken, Vec::new()));
        }
        let gone = self.gone.get_or_insert(gone).clone();
        self.tasks.push_back(Task::LetGo(gone));
    }

    fn push(&mut self, task: Task<E>) {
        if self.gone.is_none() {
            self.tasks.push_back(task);
        }
    }

    fn push_front(&mut self, task: Task<E>) {
        if self.gone.is_none() {
            self.tasks.push_front(task);
        }
    }
}

/// What follows.
impl<E: Clone + From<Moved>> Owner<E> {
    /// What is heard next, if that is what is next.
    pub fn hears(&self) -> Option<&What> {
        match self.tasks.front() {
            Some(Task::Hear(what, _)) => Some(what),
            _ => None,
        }
    }

    /// What follows next from what happened; none once all of it is heeded.
    pub fn heed(&mut self, moment: Moment) -> Option<Order<E>> {
        Some(match self.tasks.pop_front()? {
            Task::Hear(what, bodies) => self.hear(moment, what, bodies),
            Task::Read => Order::Read(self.state.heard),
            Task::KillHung(agent, attempts) => Order::KillHung(agent, attempts),
            Task::Load => Order::Load,
            Task::LetGo(gone) => Order::LetGo(gone),
        })
    }

    /// One input: decided, and to be appended if it comes to anything that holds.
    fn hear(&mut self, moment: Moment, what: What, bodies: Vec<Body>) -> Order<E> {
        let input = Input { at: moment.at, jitter_permille: moment.jitter_permille, what };
        let nothing = State::new(self.state.run, Arc::clone(&self.state.plan));
        let Decided { facts, state } = match decide(std::mem::replace(&mut self.state, nothing), &input) {
            Ok(decided) => decided,
            Err(illegal) => return self.breaks(illegal.to_string()),
        };
        self.state = state;
        if facts.is_empty() {
            return Order::Nothing;
        }
        if let Err(broken) = invariant::holds_after(&self.state, &facts) {
            return self.breaks(broken.to_string());
        }
        let begun = facts.iter().filter_map(|fact| {
            let Event::EffectBegan { id, not_after, .. } = fact.is else { return None };
            Some((id, moment.uptime_ms.saturating_add(not_after.ms_since(fact.at))))
        });
        let over = self.state.ended.is_some();
        let last = over && self.under_way.is_empty() && self.tasks.is_empty();
        self.pending = Some(Pending { begun: begun.collect(), last });
        Order::Append(Append { facts, bodies })
    }

    fn breaks(&mut self, why: String) -> Order<E> {
        self.fail(Gone::Bug(why));
        Order::Nothing
    }

    /// After all is heeded: what nobody wants any more is killed, what is outstanding and not under way is started, and
    /// then the owner waits or lets the run go.
    pub fn go_on(&mut self, at: Timestamp) -> Vec<Order<E>> {
        if self.gone.is_some() {
            return Vec::new();
        }
        let mut orders = self.kill_unwanted();
        for (id, not_before) in self.state.outstanding() {
            if not_before <= at && !self.under_way.contains_key(&id) {
                orders.extend(self.start(id, at));
            }
        }
        if self.may_go() {
            self.gone = Some(Gone::Parked);
            orders.push(Order::LetGo(Gone::Parked));
        } else {
            // A little late rather than a little early: a wake before its time would find nothing due.
            orders.push(Order::Timer(self.wakes_at(at).map(|then| then.ms_since(at).saturating_add(1))));
        }
        orders
    }

    fn kill_unwanted(&mut self) -> Vec<Order<E>> {
        let unwanted = self.by_agent(|id, _| !self.state.wants(id));
        self.under_way.retain(|id, _| self.state.wants(id));
        unwanted.into_iter().map(|(agent, attempts)| Order::KillUnwanted(agent, attempts)).collect()
    }

    /// The attempts under way that are `such`, by agent.
    fn by_agent(&self, such: impl Fn(&EffectId, &UnderWay) -> bool) -> BTreeMap<AgentName, Vec<Attempt>> {
        let mut found: BTreeMap<AgentName, Vec<Attempt>> = BTreeMap::new();
        for (id, of) in self.under_way.iter().filter(|(id, of)| such(id, of)) {
            found.entry(of.agent.clone()).or_default().push(Attempt { id: *id, nth: of.nth });
        }
        found
    }

    fn start(&mut self, id: EffectId, at: Timestamp) -> Option<Order<E>> {
        let effect = self.state.effects.get(&id)?;
        let hung_at = at.plus_ms(timeout_ms(&self.state, effect) + GRACE_MS);
        self.started += 1;
        let nth = self.started;
        self.under_way.insert(id, UnderWay { agent: effect.agent.clone(), nth, hung_at });
        Some(Order::Start(Attempt { id, nth }))
    }

    /// Whether the run needs its owner no longer: it is over, or it waits for somebody and parking is wanted.
    fn may_go(&self) -> bool {
        if !self.under_way.is_empty() {
            return false;
        }
        match self.state.status() {
            Status::Ended(_) => true,
            Status::Running => false,
            Status::Waiting | Status::Paused | Status::Stuck => self.parks,
        }
    }

    /// When the next attempt is hung, the next time of the core's own comes, or the next outstanding effect is to start:
    /// what is under way needs no timer to start it.
    fn wakes_at(&self, at: Timestamp) -> Option<Timestamp> {
        let hung = self.under_way.values().map(|of| of.hung_at);
        let starts = self.state.outstanding().into_iter().map(|(_, not_before)| not_before).filter(|then| *then > at);
        hung.chain(self.state.due_from(at.max(self.state.now))).chain(starts).min()
    }
}

/// The time-out of an attempt at `effect`.
pub fn timeout_ms(state: &State, effect: &Effect) -> u64 {
    let tool = |name| state.plan.tools.get(name).map_or(30_000, |spec| spec.call_timeout_ms);
    match &effect.wish {
        Wish::Model { .. } => state.patience(&effect.agent, effect.model.as_deref()).call_ms,
        // To prepare is to read and compute for a person: their own limit holds, not that of the act.
        Wish::Prepare { .. } => state.plan.patience(&effect.agent, None).call_ms,
        Wish::Tool { tool: name, .. } | Wish::Own { tool: name } | Wish::Deliver { tool: name, .. } => tool(name),
        Wish::Query { .. } | Wish::Question { .. } | Wish::Rule => 30_000,
    }
}

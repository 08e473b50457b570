//! Every way that a topology can go: a search over the pure core from the start, with states that differ in nothing
//! that a run branches on taken for one. It reports what it saw and judges nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use super::branch::{self, Bodies, Choice};
use crate::id::{AgentName, Digest, Outcome, RunId, Timestamp};
use crate::run::desk::{Desk, Held};
use crate::run::event::{Ending, Event, Fact, Message, PauseReason};
use crate::run::input::What;
use crate::run::state::{State, Status};
use crate::topology::plan::{Plan, Recipient};

/// The ending of a run that waits for a person, since a message could not be handled.
const STUCK: &str = "stuck on a dead letter";

/// When the made-up run starts.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

/// What the search saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// States that differ in something that a run branches on.
    pub(super) states: usize,
    /// Steps from one state to the next.
    pub(super) branches: u64,
    /// True if the bound was hit: there is more than was explored.
    pub(super) bounded: bool,
    /// Ways from the start to an ending, by ending.
    pub(super) endings: BTreeMap<String, u128>,
    /// Handoffs taken; true for the `then` of one whose rounds were used up.
    pub(super) taken: BTreeSet<(AgentName, Outcome, bool)>,
    /// The way with the most handoffs.
    pub(super) longest: Way,
    /// The way with the most steps.
    pub(super) dearest: Way,
    /// The way on which the most rounds were used up.
    pub(super) strangest: Way,
    /// What cannot be: a way, and what is wrong there.
    pub(super) broken: Vec<String>,
    /// Ways that end stuck, by what went wrong last: the first that was found of each.
    pub(super) stuck: BTreeMap<String, Stuck>,
}

/// Where a message could not be handled.
#[derive(Debug)]
pub(super) struct Stuck {
    /// The message, as `from -> to, outcome`.
    pub(super) message: String,
    /// The way there.
    pub(super) chain: Vec<String>,
}

/// A way from the start to an ending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// `agent:outcome`, and what went wrong on the way.
    pub(super) chain: Vec<String>,
    /// Handoffs, turns, steps, handoffs whose rounds were used up.
    pub(super) counts: Counts,
    /// How it ends.
    pub(super) ending: String,
}

/// What is counted along a way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages sent by members.
    pub(super) hops: u64,
    /// Turns begun.
    pub(super) turns: u64,
    /// Model and tool calls asked for.
    pub(super) steps: u64,
    /// Handoffs whose rounds were used up.
    pub(super) exhausted: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            hops: self.hops + other.hops,
            turns: self.turns + other.turns,
            steps: self.steps + other.steps,
            exhausted: self.exhausted + other.exhausted,
        }
    }
}

/// By what a way is the most remarkable: hops, steps, rounds used up.
type Measure = fn(&Counts) -> (u64, u64);

const MEASURES: [Measure; 3] = [|c| (c.hops, c.steps), |c| (c.steps, c.turns), |c| (c.exhausted, c.hops)];

/// A state that is done with.
#[derive(Debug, Default)]
struct Node {
    done: bool,
    ending: Option<String>,
    endings: BTreeMap<String, u128>,
    /// By each measure: what is counted from here, over which edge.
    best: [Option<(Counts, Edge)>; 3],
}

#[derive(Debug, Clone, Default)]
struct Edge {
    label: Vec<String>,
    counts: Counts,
    to: usize,
}

/// A state whose choices are being explored.
struct Frame {
    node: usize,
    state: State,
    choices: std::vec::IntoIter<Choice>,
    /// The way here.
    edge: Edge,
}

struct Search {
    nodes: Vec<Node>,
    known: HashMap<Digest, usize>,
    bodies: Bodies,
    seen: Seen,
    /// What the start itself counts.
    start: Counts,
    paths_max: u64,
}

/// Explores `plan`, without its budget, up to `paths_max` branches.
pub(super) fn search(plan: &Plan, paths_max: u64) -> Seen {
    let mut search = Search {
        nodes: Vec::new(),
        known: HashMap::new(),
        bodies: Bodies::default(),
        seen: Seen::default(),
        start: Counts::default(),
        paths_max,
    };
    search.explore(Arc::new(unlimited(plan)));
    search.result()
}

/// What a run may spend bounds it from outside; here every way is to be seen.
fn unlimited(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let budget = &mut plan.budget;
    (budget.steps, budget.tokens, budget.cost, budget.active_ms, budget.recipients) = (None, None, None, None, None);
    for member in plan.team.values_mut() {
        (member.limits.tokens, member.limits.cost) = (None, None);
    }
    plan
}

impl Search {
    fn explore(&mut self, plan: Arc<Plan>) {
        let mode = plan.mode;
        let mut state = State::new(RunId(uuid::Uuid::from_u128(1)), plan);
        let (brief, note) = (self.bodies.next(), self.bodies.next());
        let by = branch::somebody("callsheet rehearse", &[]);
        let start = What::Start { plan: brief.digest, mode, brief, labels: Default::default(), note, by };
        let facts = match branch::hear(&mut state, start, BEGINNING) {
            Ok(facts) => facts,
            Err(illegal) => return self.seen.broken.push(format!("at the start: {illegal}")),
        };
        let edge = self.edge("", &facts);
        self.start = edge.counts;
        let mut stack = Vec::new();
        self.enter(&mut stack, state, edge);
        while let Some(frame) = stack.last_mut() {
            let choice = if self.seen.branches < self.paths_max { frame.choices.next() } else { None };
            match choice {
                Some(choice) => self.follow(&mut stack, &choice),
                None => {
                    self.seen.bounded |= frame.choices.len() > 0;
                    self.leave(&mut stack);
                }
            }
        }
    }

    /// Takes `choice` from the state on top.
    fn follow(&mut self, stack: &mut Vec<Frame>, choice: &Choice) {
        let Some(frame) = stack.last() else { return };
        self.seen.branches += 1;
        let (from, mut state) = (frame.node, frame.state.clone());
        let agent = subject(&frame.state);
        let facts = match branch::take(&mut state, choice, &mut self.bodies) {
            Ok(facts) => facts,
            Err(illegal) => {
                let text = format!("{} {agent} {}: {illegal}", way_here(stack).join(" "), choice.says);
                return self.seen.broken.push(text);
            }
        };
        if branch::is_refused(&facts) {
            let text = format!("{} {agent}: nobody can decide here", way_here(stack).join(" "));
            return self.seen.broken.push(text);
        }
        let says = if choice.says.is_empty() { String::new() } else { format!("{agent} {}", choice.says) };
        let mut edge = self.edge(&says, &facts);
        let key = key(&state);
        match self.known.get(&key).copied() {
            Some(to) if self.nodes[to].done => {
                edge.to = to;
                self.join(from, &edge);
            }
            Some(_) => {
                let text = format!("{} {}: it goes round without end", way_here(stack).join(" "), edge.label.join(" "));
                self.seen.broken.push(text);
            }
            None => self.enter(stack, state, edge),
        }
    }

    /// Makes `state` the one on top.
    fn enter(&mut self, stack: &mut Vec<Frame>, state: State, edge: Edge) {
        let node = self.nodes.len();
        self.known.insert(key(&state), node);
        let choices = branch::choices(&state, &mut self.bodies);
        let ending = choices.is_empty().then(|| ending(&state));
        if ending.as_deref() == Some(STUCK) {
            self.stuck(stack, &state, &edge);
        }
        let endings = ending.iter().map(|ending| (ending.clone(), 1)).collect();
        self.nodes.push(Node { ending, endings, ..Node::default() });
        stack.push(Frame { node, state, choices: choices.into_iter(), edge: Edge { to: node, ..edge } });
    }

    /// Remembers why a message cannot be handled in `state`, to which `edge` leads from the state on top.
    fn stuck(&mut self, stack: &[Frame], state: &State, edge: &Edge) {
        let Some(message) = state.dead.values().next_back().map(|letter| &letter.message) else { return };
        let went_wrong = |label: &&String| label.starts_with('(');
        let why = edge.label.iter().rev().find(went_wrong).map(|label| label.trim_matches(['(', ')']).to_owned());
        let why = why.unwrap_or_else(|| format!("{} cannot handle it", name(&message.to)));
        self.seen.stuck.entry(why).or_insert_with(|| {
            let from = message.from.as_ref().map_or("start".to_owned(), ToString::to_string);
            let chain = way_here(stack).into_iter().chain(edge.label.iter().cloned()).collect();
            Stuck { message: format!("{from} -> {}, {}", name(&message.to), message.outcome), chain }
        });
    }

    /// Is done with the state on top.
    fn leave(&mut self, stack: &mut Vec<Frame>) {
        let Some(frame) = stack.pop() else { return };
        self.nodes[frame.node].done = true;
        if let Some(before) = stack.last().map(|frame| frame.node) {
            self.join(before, &frame.edge);
        }
    }

    /// Adds what lies beyond `edge` to what lies beyond `from`.
    fn join(&mut self, from: usize, edge: &Edge) {
        let beyond = self.nodes[edge.to].endings.clone();
        for (nth, measure) in MEASURES.iter().enumerate() {
            let after = self.nodes[edge.to].best[nth].as_ref().map(|(counts, _)| *counts).unwrap_or_default();
            let counts = edge.counts.plus(after);
            let best = &mut self.nodes[from].best[nth];
            if best.as_ref().is_none_or(|(known, _)| measure(&counts) > measure(known)) {
                *best = Some((counts, edge.clone()));
            }
        }
        let endings = &mut self.nodes[from].endings;
        for (ending, ways) in beyond {
            let known = endings.entry(ending).or_default();
            *known = known.saturating_add(ways);
        }
    }

    /// What `facts` let a reader see, and count.
    fn edge(&mut self, says: &str, facts: &[Fact]) -> Edge {
        let mut edge = Edge::default();
        if !says.is_empty() {
            edge.label.push(format!("({says})"));
        }
        for fact in facts {
            // A question is no handoff; who asks says so.
            if let Event::MessageSent(message) = &fact.is
                && let Some(from) = message.from.as_ref().filter(|_| message.asked_by.is_none())
            {
                edge.counts.hops += 1;
                edge.counts.exhausted += u64::from(message.exhausted);
                let then = if message.exhausted { format!(">{}", name(&message.to)) } else { String::new() };
                edge.label.push(format!("{from}:{}{then}", message.outcome));
                self.seen.taken.insert((from.clone(), message.outcome.clone(), message.exhausted));
            }
            if let Event::EffectAsked { reserved, .. } = &fact.is {
                edge.counts.steps += reserved.steps;
            }
            if matches!(fact.is, Event::ApprovalOverdue { .. }) {
                edge.label.push("(overdue)".to_owned());
            }
            edge.counts.turns += u64::from(matches!(fact.is, Event::TurnBegan { .. }));
        }
        edge
    }

    fn result(mut self) -> Seen {
        self.seen.states = self.nodes.len();
        let (longest, dearest, strangest) = (self.way(0), self.way(1), self.way(2));
        (self.seen.longest, self.seen.dearest, self.seen.strangest) = (longest, dearest, strangest);
        self.seen.endings = self.nodes.first().map(|node| node.endings.clone()).unwrap_or_default();
        self.seen
    }

    /// The best way from the start by measure `nth`.
    fn way(&self, nth: usize) -> Way {
        let mut way = Way { counts: self.start, ..Way::default() };
        let mut node = self.nodes.first();
        while let Some(here) = node {
            if let Some(ending) = &here.ending {
                way.ending.clone_from(ending);
            }
            let Some((_, edge)) = &here.best[nth] else { break };
            way.chain.extend(edge.label.iter().cloned());
            way.counts = way.counts.plus(edge.counts);
            node = self.nodes.get(edge.to);
        }
        way
    }
}

fn way_here(stack: &[Frame]) -> Vec<String> {
    stack.iter().flat_map(|frame| frame.edge.label.iter().cloned()).collect()
}

/// Whose turn it is.
fn subject(state: &State) -> String {
    let first = state.outstanding().into_iter().next().and_then(|(id, _)| state.effects.get(&id));
    let open = state.open_approvals().next().map(|(_, approval)| approval.agent.clone());
    let any = state.turns.values().next().map(|turn| turn.agent.clone());
    first.map(|effect| effect.agent.clone()).or(open).or(any).map_or_else(String::new, |agent| agent.to_string())
}

fn name(to: &Recipient) -> String {
    match to {
        Recipient::Member(agent) => agent.to_string(),
        Recipient::End => "end".to_owned(),
    }
}

fn ending(state: &State) -> String {
    match (state.status(), &state.paused) {
        (Status::Stuck, _) if !state.dead.is_empty() => STUCK.to_owned(),
        (Status::Ended(Ending::Bug), _) => "bug".to_owned(),
        (_, Some(PauseReason::Intensity { .. })) => "paused: an agent fails too often".to_owned(),
        (_, Some(PauseReason::Budget { what, .. })) => format!("paused by the limit of {}", words(*what)),
        (status, _) => status.word().to_owned(),
    }
}

fn words(limit: crate::run::event::Limit) -> String {
    let word = serde_json::to_value(limit).ok().and_then(|value| value.as_str().map(str::to_owned));
    word.unwrap_or_default().replace('_', " ")
}

/// What a run branches on in `state`, with the versions of artefacts numbered as they come.
fn key(state: &State) -> Digest {
    let mut numbers = BTreeMap::new();
    let mut text = String::new();
    let mut desk = |text: &mut String, desk: &Desk| {
        for (name, held) in desk {
            let _ = write!(text, "{name}=");
            for version in held.versions() {
                let next = numbers.len();
                let _ = write!(text, "{},", numbers.entry(version).or_insert(next));
            }
            if let Held::Item { at, .. } = held {
                let _ = write!(text, "{at},");
            }
        }
    };
    for message in state.queued.values().chain(state.dead.values().map(|letter| &letter.message)) {
        let Message { to, from, outcome, branch, .. } = message;
        let _ = write!(text, "\nqueued {to:?} {from:?} {outcome} {branch} ");
        desk(&mut text, &message.desk);
    }
    for turn in state.turns.values() {
        let (refused, deaths, calls) = (turn.answers_refused, turn.deaths, turn.calls.len());
        let (agent, branch) = (&turn.agent, &turn.message.branch);
        let _ = write!(text, "\nturn {agent} {branch} {} {} {refused} {deaths} {calls} ", turn.asked, turn.steps);
        let waits = (turn.waits_for.len(), turn.message.asked_by.is_some());
        let _ = write!(text, "{} {:?} {waits:?} ", turn.policy_strikes, turn.failed.is_some());
        desk(&mut text, &turn.desk);
    }
    for (id, split) in &state.splits {
        let _ = write!(text, "\nsplit {id:?} {}", split.branches);
        for (index, message) in &split.arrived {
            let _ = write!(text, "\narrived {index} {:?} {} ", message.from, message.outcome);
            desk(&mut text, &message.desk);
        }
    }
    for effect in state.effects.values() {
        let (kind, again) = (std::mem::discriminant(&effect.wish), branch::began_again(state, effect));
        let doubt = (effect.doubt.is_some(), effect.asked_about, effect.failed, effect.began.is_some());
        let _ = write!(text, "\neffect {} {kind:?} {} {again} {doubt:?}", effect.agent, effect.ordinal);
    }
    for (_, approval) in state.open_approvals() {
        let _ = write!(text, "\nopen {} {} {:?} ", approval.agent, approval.overdue, approval.approved_by);
        desk(&mut text, &approval.desk);
    }
    let mut usable: Vec<_> =
        state.permits.values().filter(|permit| permit.used.len() < permit.manifest.items.len()).collect();
    // Of two permits for the same versions the latest counts.
    usable.dedup_by(|one, other| one.member == other.member && one.manifest.desk == other.manifest.desk);
    for permit in usable {
        let _ = write!(text, "\npermit {} {:?} ", permit.member, permit.used);
        desk(&mut text, &permit.manifest.desk);
    }
    for message in &state.results {
        let _ = write!(text, "\nend {:?} {}", message.from, message.outcome);
    }
    let turns: Vec<_> = state.pasts.iter().map(|(of, past)| (of, past.turns, past.splits)).collect();
    let _ = write!(text, "\n{:?}\n{turns:?}\n{:?} {:?}", state.rounds, state.ended, state.paused.is_some());
    Digest::of("callsheet rehearse key 1", &[text.as_bytes()])
}

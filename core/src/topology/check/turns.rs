//! Rule: limits are not below what the handoffs allow.
//!
//! A person's decision resets all rounds but its own, so the handoffs alone bound a team only between two decisions; that
//! is what is counted: the most turns a member takes from start, or from a person's handoff, until the next person or
//! the end, and with them the questions that it may be asked in others' turns. It is counted among the members that reach
//! each other: exactly, over (member, rounds taken), if those are few; else from above, for a walk is cut by the bounded
//! handoffs it takes into stretches without a cycle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::asks::Asks;
use super::draft::Draft;
use super::graph::{Edge, Graph, Via};
use super::seat::Seat;
use crate::topology::fault::{Code, Place};
use crate::topology::plan::{Budget, QUESTIONS_PER_TURN_MAX};
use crate::topology::proof::Proof;

/// States that are counted exactly for one member.
const STATES_MAX: u64 = 4_096;

/// States that are counted exactly for all members that reach each other.
const STATES_TOGETHER_MAX: u64 = 1 << 18;

pub(super) fn check(
    draft: &mut Draft<'_>,
    graph: &Graph,
    seats: &[Seat],
    asks: &Asks,
    budget: &Budget,
    proof: &mut Proof,
) {
    let reached = graph.distances(graph.start, |_| true);
    let mut steps = 0_u64;
    let handed = handed(graph, &reached);
    let asked_by = asked_by(seats, asks);
    let mut known = vec![None; seats.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        if reached[index].is_none() {
            continue;
        }
        let most = with_questions(&asked_by, &handed, &mut known, index);
        proof.turns.insert(node.name.clone(), most);
        let Some(member) = &seats[index].member else { continue };
        if !node.is_person() && !node.is_rule && node.outward.is_none() {
            steps += u64::from(most);
        }
        if member.limits.turns < most {
            let what = format!(
                "`{}` may take {} turns, and the handoffs{} allow {most} between two decisions of a person",
                node.name,
                member.limits.turns,
                if most > handed[index] { " and questions" } else { "" }
            );
            let instead = format!("write limits = {{ turns = {most} }} or more, or fewer rounds");
            draft.fault(Code::TurnsTooFew, &seats[index].turns_place, what, instead);
        }
    }
    let place = budget.steps.filter(|limit| *limit < steps);
    if let Some(limit) = place {
        let what = format!(
            "the budget has {limit} steps, and the handoffs allow {steps} turns between two decisions of a person"
        );
        let instead = format!("write steps = {steps} or more (a turn takes one step at least), or fewer rounds");
        let at = draft.steps_place.clone().unwrap_or_else(|| Place::top(draft.name));
        draft.fault(Code::StepsTooFew, &at, what, instead);
    }
}

/// Who may ask each member, by their places.
fn asked_by(seats: &[Seat], asks: &Asks) -> Vec<Vec<usize>> {
    let places: HashMap<&str, usize> = seats.iter().enumerate().map(|(at, seat)| (seat.name.as_str(), at)).collect();
    let mut asked_by = vec![vec![]; seats.len()];
    for (asker, of) in asks {
        let Some(asker) = places.get(asker.as_str()) else { continue };
        let of: BTreeSet<usize> = of.iter().filter_map(|name| places.get(name.as_str()).copied()).collect();
        of.into_iter().for_each(|asked| asked_by[asked].push(*asker));
    }
    asked_by
}

/// The most turns of a member between two decisions: those that it is handed, and the questions that it is asked in the
/// turns of others. Each is counted once; members that would wait for themselves are told elsewhere.
fn with_questions(asked_by: &[Vec<usize>], handed: &[u32], known: &mut [Option<u32>], index: usize) -> u32 {
    if let Some(most) = known[index] {
        return most;
    }
    known[index] = Some(handed[index]);
    let mut most = handed[index];
    for asker in &asked_by[index] {
        let asked = with_questions(asked_by, handed, known, *asker).saturating_mul(QUESTIONS_PER_TURN_MAX);
        most = most.saturating_add(asked);
    }
    known[index] = Some(most);
    most
}

/// The most turns of each member between two decisions that it is handed. A walk that leaves the members that reach each
/// other without a decision does not come back to them, so only what happens among those is counted. A person's own turn
/// is a decision; and what is not reached may well go round in circles.
fn handed(graph: &Graph, reached: &[Option<usize>]) -> Vec<u32> {
    let undecided = |edge: &Edge| !graph.nodes[edge.from].is_person();
    let circle = graph.circles(undecided);
    let mut circles = vec![vec![]; graph.nodes.len()];
    (0..graph.nodes.len()).for_each(|node| circles[circle[node]].push(node));
    let entries = entries(graph, reached);
    let mut most = vec![0; graph.nodes.len()];
    for among in circles.iter().filter(|among| !among.is_empty()) {
        let inside = |edge: &&Edge| undecided(edge) && edge.to.is_some_and(|to| circle[to] == circle[edge.from]);
        let inner: Vec<&Edge> = among.iter().flat_map(|node| graph.from(*node)).filter(inside).collect();
        let mut count = Count::new(graph, &circle, among, &inner, &entries);
        for node in among.iter().filter(|node| reached[**node].is_some()) {
            most[*node] = if inner.is_empty() { 1 } else { count.most(*node) };
        }
    }
    most
}

fn rounds(edge: &Edge) -> Option<(usize, u32)> {
    match edge.via {
        Via::Rounds { index, max } => Some((index, max)),
        Via::Plain | Via::UsedUp { .. } => None,
    }
}

/// Where a stretch without decisions begins.
fn entries(graph: &Graph, reached: &[Option<usize>]) -> BTreeSet<usize> {
    // What is not reached is told as that, and may well go round in circles.
    let decided = |edge: &&Edge| graph.nodes[edge.from].is_person() && reached[edge.from].is_some();
    graph.all().filter(decided).filter_map(|edge| edge.to).chain(graph.start).collect()
}

/// Counts among members that reach each other: exactly, if the states are few, for they make no cycle, because every
/// cycle takes a bounded handoff; else from above.
struct Count<'g> {
    graph: &'g Graph,
    /// The circle that each member is of.
    circle: &'g [usize],
    /// The members where a walk may come in.
    entered: Vec<usize>,
    /// Handoffs with rounds, by their place in a state.
    places: Vec<usize>,
    /// Their rounds.
    bounded: BTreeMap<usize, u32>,
    exact: bool,
    known: HashMap<(usize, Vec<u32>), u32>,
}

impl<'g> Count<'g> {
    fn new(graph: &'g Graph, circle: &'g [usize], among: &[usize], inner: &[&Edge], entries: &BTreeSet<usize>) -> Self {
        let bounded: BTreeMap<usize, u32> = inner.iter().filter_map(|edge| rounds(edge)).collect();
        let size = among.len() as u64;
        let states = bounded.values().try_fold(size, |all, max| all.checked_mul(u64::from(*max) + 1));
        let exact = states.is_some_and(|states| states <= STATES_MAX && states * size <= STATES_TOGETHER_MAX);
        let undecided = |edge: &Edge| !graph.nodes[edge.from].is_person();
        let is_entered = |node: &usize| {
            let from_elsewhere = |edge: &Edge| circle[edge.from] != circle[*node] && undecided(edge);
            entries.contains(node) || graph.to(*node).any(from_elsewhere)
        };
        let entered = if exact { among.iter().copied().filter(is_entered).collect() } else { vec![] };
        let places = bounded.keys().copied().collect();
        Self { graph, circle, entered, places, bounded, exact, known: HashMap::new() }
    }

    /// The most turns of `target`.
    fn most(&mut self, target: usize) -> u32 {
        if !self.exact {
            return self.bounded.values().fold(1, |all: u32, max| all.saturating_add(*max));
        }
        self.known.clear();
        let fresh = vec![0; self.places.len()];
        let entered = self.entered.clone();
        entered.into_iter().map(|node| self.from(node, fresh.clone(), target)).max().unwrap_or(0)
    }

    fn from(&mut self, node: usize, taken: Vec<u32>, target: usize) -> u32 {
        if self.circle[node] != self.circle[target] {
            return 0;
        }
        if let Some(known) = self.known.get(&(node, taken.clone())) {
            return *known;
        }
        let graph = self.graph;
        let mut best = 0;
        for edge in graph.from(node) {
            let (Some(to), Some(next)) = (edge.to, self.next(edge, &taken)) else { continue };
            best = best.max(self.from(to, next, target));
        }
        let most = best + u32::from(node == target);
        self.known.insert((node, taken), most);
        most
    }

    /// The rounds taken after an edge, if it can be taken.
    fn next(&self, edge: &Edge, taken: &[u32]) -> Option<Vec<u32>> {
        let place = |index: usize| self.places.iter().position(|place| *place == index);
        let mut next = taken.to_vec();
        match edge.via {
            Via::Plain => {}
            Via::Rounds { index, max } => {
                let Some(place) = place(index) else { return Some(next) };
                next[place] += 1;
                if next[place] > max {
                    return None;
                }
            }
            Via::UsedUp { index } => {
                // If the rounds lead outside, they are never used up in here.
                if next[place(index)?] < *self.bounded.get(&index)? {
                    return None;
                }
            }
        }
        Some(next)
    }
}

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
use super::team::Seat;
use crate::topology::fault::Code;
use crate::topology::plan::{Budget, QUESTIONS_PER_TURN_MAX};
use crate::topology::proof::Proof;

/// States that are counted exactly.
const STATES_MAX: u64 = 4_096;

pub(super) fn check(
    draft: &mut Draft<'_>,
    graph: &Graph,
    seats: &[Seat],
    asks: &Asks,
    budget: &Budget,
    proof: &mut Proof,
) {
    let reached = graph.distances(graph.start, |_| true);
    let entries = entries(graph);
    let mut steps = 0_u64;
    let handed = |index: usize| match &graph.nodes[index] {
        // What is not reached may well go round in circles.
        _ if reached[index].is_none() => 0,
        node if node.is_person() => 1,
        _ => most(graph, &entries, index),
    };
    let handed: Vec<u32> = (0..graph.nodes.len()).map(handed).collect();
    let mut known = vec![None; seats.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        if reached[index].is_none() {
            continue;
        }
        let most = with_questions(seats, asks, &handed, &mut known, index);
        proof.turns.insert(node.name.clone(), most);
        let Some(member) = &seats[index].member else { continue };
        if !node.is_person() && node.outward.is_none() {
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
        let at = draft.steps_place.clone().unwrap_or_else(|| super::top(draft.name));
        draft.fault(Code::StepsTooFew, &at, what, instead);
    }
}

/// The most turns of a member between two decisions: those that it is handed, and the questions that it is asked in the
/// turns of others. Each is counted once; members that would wait for themselves are told elsewhere.
fn with_questions(seats: &[Seat], asks: &Asks, handed: &[u32], known: &mut [Option<u32>], index: usize) -> u32 {
    if let Some(most) = known[index] {
        return most;
    }
    known[index] = Some(handed[index]);
    let may_ask = |asker: &Seat| asks.get(&asker.name).is_some_and(|of| of.contains(&seats[index].name));
    let mut most = handed[index];
    for asker in (0..seats.len()).filter(|asker| may_ask(&seats[*asker])) {
        let asked = with_questions(seats, asks, handed, known, asker).saturating_mul(QUESTIONS_PER_TURN_MAX);
        most = most.saturating_add(asked);
    }
    known[index] = Some(most);
    most
}

/// The most turns of a member between two decisions that it is handed. A walk that leaves the members that reach each
/// other does not come back to them, so only what happens among those is counted.
fn most(graph: &Graph, entries: &BTreeSet<usize>, target: usize) -> u32 {
    let undecided = |edge: &Edge| !graph.nodes[edge.from].is_person();
    let from = graph.distances([target], undecided);
    let reached = (0..graph.nodes.len()).filter(|node| from[*node].is_some());
    let among: BTreeSet<usize> = reached.filter(|node| undecided_back(graph, *node, target)).chain([target]).collect();
    let inside = |edge: &&Edge| among.contains(&edge.from) && edge.to.is_some_and(|to| among.contains(&to));
    let inner: Vec<&Edge> = graph.edges.iter().filter(inside).collect();
    let bounded: BTreeMap<usize, u32> = inner.iter().filter_map(|edge| rounds(edge)).collect();
    if inner.is_empty() {
        return 1;
    }
    let states = bounded.values().try_fold(among.len() as u64, |all, max| all.checked_mul(u64::from(*max) + 1));
    if states.is_none_or(|states| states > STATES_MAX) {
        return bounded.values().fold(1, |all: u32, max| all.saturating_add(*max));
    }
    let coming = graph.edges.iter().filter(|edge| !among.contains(&edge.from) && undecided(edge));
    let entered = coming.filter_map(|edge| edge.to).chain(entries.iter().copied());
    let entered: BTreeSet<usize> = entered.filter(|node| among.contains(node)).collect();
    let places: Vec<usize> = bounded.keys().copied().collect();
    let fresh = vec![0; places.len()];
    let mut exact = Exact { graph, target, among: &among, places, bounded, known: HashMap::new() };
    entered.into_iter().map(|node| exact.most(node, fresh.clone())).max().unwrap_or(0)
}

/// Whether `target` is reached again from `node` without a decision. A person's own turn is a decision.
fn undecided_back(graph: &Graph, node: usize, target: usize) -> bool {
    let undecided = |edge: &Edge| !graph.nodes[edge.from].is_person();
    !graph.nodes[node].is_person() && graph.distances([node], undecided)[target].is_some()
}

fn rounds(edge: &Edge) -> Option<(usize, u32)> {
    match edge.via {
        Via::Rounds { index, max } => Some((index, max)),
        Via::Plain | Via::UsedUp { .. } => None,
    }
}

/// Where a stretch without decisions begins.
fn entries(graph: &Graph) -> BTreeSet<usize> {
    // What is not reached is told as that, and may well go round in circles.
    let reached = graph.distances(graph.start, |_| true);
    let decided = |edge: &&Edge| graph.nodes[edge.from].is_person() && reached[edge.from].is_some();
    graph.edges.iter().filter(decided).filter_map(|edge| edge.to).chain(graph.start).collect()
}

/// Counts exactly: the states make no cycle, because every cycle takes a bounded handoff.
struct Exact<'g> {
    graph: &'g Graph,
    target: usize,
    /// The members that reach each other, the target among them.
    among: &'g BTreeSet<usize>,
    /// Handoffs with rounds, by their place in a state.
    places: Vec<usize>,
    /// Their rounds.
    bounded: BTreeMap<usize, u32>,
    known: HashMap<(usize, Vec<u32>), u32>,
}

impl Exact<'_> {
    fn most(&mut self, node: usize, taken: Vec<u32>) -> u32 {
        if !self.among.contains(&node) {
            return 0;
        }
        if let Some(known) = self.known.get(&(node, taken.clone())) {
            return *known;
        }
        let graph = self.graph;
        let mut best = 0;
        for edge in graph.from(node) {
            let (Some(to), Some(next)) = (edge.to, self.next(edge, &taken)) else { continue };
            best = best.max(self.most(to, next));
        }
        let most = best + u32::from(node == self.target);
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

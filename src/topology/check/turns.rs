//! Rule: limits are not below what the handoffs allow.
//!
//! A person's decision resets all rounds but its own, so the handoffs alone bound a team only between two decisions; that
//! is what is counted: the most turns a member takes from start, or from a person's handoff, until the next person or
//! the end. Small teams are counted exactly, over (member, rounds taken). Of larger ones an upper bound is taken: a walk
//! is cut by the bounded handoffs it takes into stretches without a cycle, and only handoffs between members that reach
//! each other are taken more than once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::draft::Draft;
use super::graph::{Edge, Graph, Via};
use super::team::Seat;
use crate::topology::fault::Code;
use crate::topology::plan::Budget;
use crate::topology::proof::Proof;

/// States that are counted exactly.
const STATES_MAX: u64 = 4_096;

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph, seats: &[Seat], budget: &Budget, proof: &mut Proof) {
    let reached = graph.distances(graph.start, |_| true);
    let mut steps = 0_u64;
    for (index, node) in graph.nodes.iter().enumerate() {
        let most = if node.is_person() { 1 } else { most(graph, index) };
        if reached[index].is_none() {
            continue;
        }
        proof.turns.insert(node.name.clone(), most);
        let Some(member) = &seats[index].member else { continue };
        if !node.is_person() && node.outward.is_none() {
            steps += u64::from(most);
        }
        if member.limits.turns < most {
            let what = format!(
                "`{}` may take {} turns, and the handoffs allow {most} between two decisions of a person",
                node.name, member.limits.turns
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

/// The most turns of a member between two decisions.
fn most(graph: &Graph, target: usize) -> u32 {
    let inner: Vec<&Edge> = graph.edges.iter().filter(|edge| !graph.nodes[edge.from].is_person()).collect();
    let bounded: BTreeMap<usize, u32> = inner.iter().filter_map(|edge| rounds(edge)).collect();
    let states = bounded.values().try_fold(graph.nodes.len() as u64, |all, max| all.checked_mul(u64::from(*max) + 1));
    if states.is_some_and(|states| states <= STATES_MAX) {
        let places: Vec<usize> = bounded.keys().copied().collect();
        let mut exact = Exact { graph, target, places, known: HashMap::new() };
        let fresh = vec![0; exact.places.len()];
        return entries(graph).into_iter().map(|node| exact.most(node, fresh.clone())).max().unwrap_or(0);
    }
    let inner_edge = |edge: &Edge| !graph.nodes[edge.from].is_person();
    let from = graph.distances([target], inner_edge);
    let turning = |edge: &Edge| {
        let back = |to: usize| graph.distances([to], inner_edge)[target].is_some();
        from[edge.from].is_some() && edge.to.is_some_and(back)
    };
    let rounds = inner.iter().filter(|edge| turning(edge)).filter_map(|edge| rounds(edge));
    rounds.fold(1, |all: u32, (_, max)| all.saturating_add(max))
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
    /// Handoffs with rounds, by their place in a state.
    places: Vec<usize>,
    known: HashMap<(usize, Vec<u32>), u32>,
}

impl Exact<'_> {
    fn most(&mut self, node: usize, taken: Vec<u32>) -> u32 {
        if self.graph.nodes[node].is_person() {
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
                let place = place(index)?;
                next[place] += 1;
                if next[place] > max {
                    return None;
                }
            }
            Via::UsedUp { index } => {
                let max = self.graph.edges.iter().filter_map(rounds).find(|(at, _)| *at == index)?.1;
                if next[place(index)?] < max {
                    return None;
                }
            }
        }
        Some(next)
    }
}

//! How often members can be handed something, between two decisions of a person and in a whole run, and what branches come
//! to together.
//!
//! A person's decision resets all rounds but its own, so what bounds every team is what it does between two decisions: the
//! most turns a member takes from start, from where its branch begins, or from a person's handoff, until the next person or
//! the end. It is counted among the members that reach each other: exactly, over (member, rounds
//! taken), if those are few; else from above, for a walk is cut by the bounded handoffs it takes into stretches without a
//! cycle. Each branch is counted alone, with a split as one way from who splits to the join; what its branches come to is
//! so often that, as it can be taken and can have branches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::graph::{Edge, Graph, Via};
use crate::topology::plan::{EachTo, Over};

/// States that are counted exactly for one member.
const STATES_MAX: u64 = 4_096;

/// States that are counted exactly for all members that reach each other.
const STATES_TOGETHER_MAX: u64 = 1 << 18;

/// How often each node of a graph can be handed something, and how often rounds can begin anew meanwhile.
#[derive(Debug, Clone)]
pub(in crate::topology) struct Turns {
    /// By node.
    pub(in crate::topology) most: Vec<u64>,
    /// By level: into how many stretches decisions of persons in it divide the time.
    pub(in crate::topology) stretches: Vec<u64>,
}

/// The most turns between two decisions.
pub(in crate::topology) fn between(graph: &Graph, reached: &[Option<usize>]) -> Turns {
    let most = handed(graph, reached).into_iter().map(u64::from).collect();
    Turns { most, stretches: vec![1; graph.levels.len()] }
}

/// The most turns in a whole run; none where decisions can go on begetting each other. Members that reach each other are
/// left for good once they are left. Where one person among them decides, that person's own rounds are what bounds them,
/// for nobody begins those anew; two persons begin each other's anew.
pub(in crate::topology) fn whole(graph: &Graph, reached: &[Option<usize>]) -> Option<Turns> {
    let Turns { mut most, mut stretches } = between(graph, reached);
    let circle = graph.circles(|_| true);
    let mut decides: BTreeMap<usize, usize> = BTreeMap::new();
    for (node, _) in graph.nodes.iter().enumerate().filter(|(at, node)| node.is_person() && reached[*at].is_some()) {
        let inside: Vec<&Edge> =
            graph.from(node).filter(|edge| edge.to.is_some_and(|to| circle[to] == circle[node])).collect();
        let bounded: Option<BTreeMap<usize, u32>> = inside.iter().map(|edge| rounds(edge)).collect();
        let again = bounded?.into_values().fold(0, |all: u64, max| all.saturating_add(max.into()));
        if decides.insert(circle[node], node).is_some() {
            return None;
        }
        let members = (0..graph.nodes.len()).filter(|other| circle[*other] == circle[node]);
        members.for_each(|member| most[member] = most[member].saturating_mul(again.saturating_add(1)));
    }
    for node in decides.into_values() {
        let level = &mut stretches[graph.nodes[node].level];
        *level = level.saturating_add(most[node]);
    }
    Some(Turns { most, stretches })
}

/// How often a split can be taken at a level.
fn taken(graph: &Graph, turns: &Turns, split: usize, level: usize) -> u64 {
    let Some(of) = graph.splits.get(&split) else { return 0 };
    let splitter = graph.levels[level].nodes.iter().find(|node| graph.nodes[**node].seat == of.route.from);
    let most = splitter.map_or(0, |node| turns.most[*node]);
    let rounds = |max: u32| u64::from(max).saturating_mul(turns.stretches[level]);
    of.route.rounds.map_or(most, |(max, _)| most.min(rounds(max)))
}

/// How many branches of one kind each taking of a split has at most.
fn most(graph: &Graph, split: usize) -> u64 {
    let fan = graph.splits.get(&split).and_then(|split| split.route.fan.as_ref());
    fan.map_or(0, |fan| match fan.split.over {
        Over::All(_) => 1,
        Over::Times { .. } | Over::Each(_) => u64::from(fan.split.most()),
    })
}

/// How often each level can be there: the run itself once, a branch as often as its split is taken and can have it.
pub(in crate::topology) fn instances(graph: &Graph, turns: &Turns) -> Vec<u64> {
    fn of(graph: &Graph, turns: &Turns, level: usize, known: &mut [Option<u64>]) -> u64 {
        if let Some(known) = known[level] {
            return known;
        }
        let Some(split) = graph.levels[level].of else { return 1 };
        let mut all = 0_u64;
        for around in &graph.levels[level].around {
            let times = taken(graph, turns, split, *around).saturating_mul(most(graph, split));
            all = all.saturating_add(of(graph, turns, *around, known).saturating_mul(times));
        }
        known[level] = Some(all);
        all
    }
    let mut known = vec![None; graph.levels.len()];
    (0..graph.levels.len()).map(|level| of(graph, turns, level, &mut known)).collect()
}

/// What the run comes to, branches included, where `own` is what a level comes to by itself. Of the branches of a list
/// whose items name their members, each is the one that comes to most.
pub(in crate::topology) fn together(graph: &Graph, turns: &Turns, own: impl Fn(usize) -> u64) -> u64 {
    let mut inner = vec![BTreeSet::new(); graph.levels.len()];
    for (split, of) in &graph.splits {
        let around = of.branches.first().map(|branch| &graph.levels[*branch].around);
        for level in around.into_iter().flatten() {
            inner[*level].insert(*split);
        }
    }
    let mut known = vec![None; graph.levels.len()];
    Together { graph, turns, own: &own, inner: &inner }.of(0, &mut known)
}

struct Together<'t, F> {
    graph: &'t Graph,
    turns: &'t Turns,
    own: &'t F,
    /// The splits that are taken at each level.
    inner: &'t [BTreeSet<usize>],
}

impl<F: Fn(usize) -> u64> Together<'_, F> {
    fn of(&self, level: usize, known: &mut [Option<u64>]) -> u64 {
        if let Some(known) = known[level] {
            return known;
        }
        let mut all = (self.own)(level);
        for split in &self.inner[level] {
            let Some(of) = self.graph.splits.get(split) else { continue };
            let branches = of.branches.iter().map(|branch| self.of(*branch, known));
            let named =
                of.route.fan.as_ref().is_some_and(
                    |fan| matches!(&fan.split.over, Over::Each(each) if matches!(each.to, EachTo::By { .. })),
                );
            let once = if named { branches.max().unwrap_or(0) } else { branches.fold(0, u64::saturating_add) };
            let times = taken(self.graph, self.turns, *split, level).saturating_mul(most(self.graph, *split));
            all = all.saturating_add(once.saturating_mul(times));
        }
        known[level] = Some(all);
        all
    }
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
    graph
        .all()
        .filter(decided)
        .filter_map(|edge| edge.to)
        .chain(graph.levels.iter().filter_map(|level| level.begin))
        .collect()
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

//! The team as a graph, and the searches that the rules about paths share.
//!
//! A member stands in it once for each place where its turns can be: in the run itself, and in each branch that a message
//! can be in. A place is named by its innermost branch alone, since a branch is left for its join and nothing else, so what
//! is open around it does not matter to what happens in it. Which splits can be open around which is kept beside.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, VecDeque};

use super::handoffs::{Route, Routes};
use super::seat::{Seat, SeatKind};
use crate::id::{AgentName, ArtefactName, Outcome, ToolName};
use crate::topology::fault::Place;
use crate::topology::plan::Role;

/// Members where their turns can be, and the ways between them.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) start: Option<usize>,
    /// Where turns can be: the run itself first, then branches.
    pub(super) levels: Vec<Level>,
    /// The splits, by the places of their handoffs among the routes.
    pub(super) splits: HashMap<usize, Split>,
    /// Ways out of a branch that lead elsewhere than to its join.
    pub(super) strays: Vec<Stray>,
    edges: Vec<Edge>,
    /// The edges that leave each node, by their place in `edges`.
    leaving: Vec<Vec<usize>>,
    /// The edges that lead to each node, by their place in `edges`.
    coming: Vec<Vec<usize>>,
    /// How many edges the rules have looked at: the work that a check takes.
    looked_at: Cell<u64>,
}

/// Where turns can be: in the run itself, or in a branch.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// The split that it is a branch of; none for the run itself.
    pub(super) of: Option<usize>,
    /// With whom it begins, as a node; for the run itself the start.
    pub(super) begin: Option<usize>,
    /// The levels in which that split is taken.
    pub(super) around: BTreeSet<usize>,
    /// The nodes in it.
    pub(super) nodes: Vec<usize>,
}

/// A split that can be taken.
#[derive(Debug)]
pub(super) struct Split {
    /// The levels of its branches, in the order in which their members are written.
    pub(super) branches: Vec<usize>,
    /// Its handoff.
    pub(super) route: Route,
}

/// A way out of a branch that leads elsewhere than to its join.
#[derive(Debug)]
pub(super) struct Stray {
    /// The node that it leaves.
    pub(super) from: usize,
    /// Where it leads.
    pub(super) to: Astray,
    pub(super) place: Place,
}

/// Where such a way leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Astray {
    /// To the end, as a failure or not.
    End { fails: bool },
    /// To the join of a split around, which is this member.
    Outer(usize),
    /// It splits, and meets where the branch itself ends.
    SharedJoin,
    /// A branch begins with its join.
    Begin,
}

/// What [`Graph::walk`] found.
pub(super) struct Walk<'g> {
    /// For each state the one before, and the edge from there.
    came: Vec<Option<(usize, &'g Edge)>>,
    seen: Vec<bool>,
}

fn state(node: usize, flag: bool) -> usize {
    node * 2 + usize::from(flag)
}

impl<'g> Walk<'g> {
    /// Whether there is a way to (`node`, `flag`).
    pub(super) fn reaches(&self, node: usize, flag: bool) -> bool {
        self.seen[state(node, flag)]
    }

    /// The way to (`node`, `flag`), if there is one.
    pub(super) fn way(&self, node: usize, flag: bool) -> Option<Vec<&'g Edge>> {
        let mut at = state(node, flag);
        if !self.seen[at] {
            return None;
        }
        let mut path = vec![];
        while let Some((before, edge)) = self.came[at] {
            path.push(edge);
            at = before;
        }
        path.reverse();
        Some(path)
    }
}

/// A member, where its turns can be.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its place in the team.
    pub(super) seat: usize,
    pub(super) level: usize,
    pub(super) name: AgentName,
    pub(super) place: Place,
    /// Artefacts a person approves; none if it is no person who decides.
    pub(super) approves: Option<BTreeSet<ArtefactName>>,
    /// The outward tool it is, and what that delivers.
    pub(super) outward: Option<(ToolName, BTreeSet<ArtefactName>)>,
    pub(super) needs: Vec<(ArtefactName, Place)>,
    /// What is there after each of its turns: what it writes, and with a whole all of its sections.
    pub(super) writes: BTreeSet<ArtefactName>,
    /// What is another one after each of its turns: what it writes, and with a section the whole.
    pub(super) changes: BTreeSet<ArtefactName>,
    /// What it is shown, if that is there.
    pub(super) reads: BTreeSet<ArtefactName>,
    pub(super) outcomes: usize,
    /// Whether its turns take no step: a rule's, and those of a person who answers.
    pub(super) is_free: bool,
}

/// A way that a message can take.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) outcome: Outcome,
    /// `None` is the end, of the run or of the branch.
    pub(super) to: Option<usize>,
    pub(super) via: Via,
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// What a way is to the splits that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It stays where it is, or ends there.
    Hand,
    /// It goes into a branch of this split.
    Enter(usize),
    /// It goes to the join of this split, past all that happens in its branches.
    Join(usize),
}

/// How often a way can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// Always.
    Plain,
    /// So many times; the index tells handoffs with rounds apart.
    Rounds { index: usize, max: u32 },
    /// When the rounds are used up.
    UsedUp { index: usize },
}

/// A graph that is being built.
struct Building<'r> {
    graph: Graph,
    routes: &'r [Route],
    /// The handoffs of each member.
    by_seat: Vec<Vec<usize>>,
    /// Each member as a node of the run itself.
    seats: Vec<Node>,
    placed: HashMap<(usize, usize), usize>,
    /// Whether a member stands anywhere.
    stands: Vec<bool>,
    branches: HashMap<(usize, usize), usize>,
    next: Vec<usize>,
}

impl<'r> Building<'r> {
    /// The node of a member at a level.
    fn node(&mut self, seat: usize, level: usize) -> usize {
        if let Some(node) = self.placed.get(&(seat, level)) {
            return *node;
        }
        let node = self.graph.nodes.len();
        self.graph.nodes.push(Node { level, ..self.seats[seat].clone() });
        self.graph.levels[level].nodes.push(node);
        self.placed.insert((seat, level), node);
        self.stands[seat] = true;
        self.next.push(node);
        node
    }

    /// Follows all that can be reached from what is known.
    fn follow(&mut self) {
        while let Some(node) = self.next.pop() {
            for index in self.by_seat[self.graph.nodes[node].seat].clone() {
                let routes: &'r [Route] = self.routes;
                let route = &routes[index];
                let (first, used_up) = match route.rounds {
                    None => (Via::Plain, None),
                    Some((max, then)) => (Via::Rounds { index, max }, Some(then)),
                };
                match &route.fan {
                    Some(_) => self.split(node, index, first),
                    None => self.hand(node, route, route.to, first),
                }
                if let Some(then) = used_up {
                    self.hand(node, route, then, Via::UsedUp { index });
                }
            }
        }
    }

    /// The join of the branch that a level is; none for the run itself.
    fn join(&self, level: usize) -> Option<Option<usize>> {
        self.graph.levels[level].of.map(|split| self.routes[split].to)
    }

    fn hand(&mut self, from: usize, route: &Route, to: Option<usize>, via: Via) {
        let level = self.graph.nodes[from].level;
        let fails = route.fails && !matches!(via, Via::UsedUp { .. });
        let arrives = self.join(level).map(|join| join == to && !fails);
        if arrives == Some(false) && to.is_none() {
            self.stray(from, Astray::End { fails }, &route.place);
        }
        let to = to.filter(|_| arrives != Some(true)).map(|seat| self.node(seat, level));
        self.edge(from, route, to, via, Kind::Hand);
    }

    fn split(&mut self, from: usize, index: usize, via: Via) {
        let routes: &'r [Route] = self.routes;
        let route = &routes[index];
        let level = self.graph.nodes[from].level;
        let past = if self.join(level) == Some(route.to) {
            Some(Astray::SharedJoin)
        } else {
            (level > 0 && route.to.is_none()).then_some(Astray::End { fails: false })
        };
        let begins = route.fan.iter().flat_map(|fan| &fan.begins).copied();
        let mut branches = vec![];
        for (nth, begin) in begins.enumerate() {
            let branch = *self.branches.entry((index, nth)).or_insert_with(|| {
                self.graph.levels.push(Level { of: Some(index), ..Level::default() });
                self.graph.levels.len() - 1
            });
            branches.push(branch);
            self.graph.levels[branch].around.insert(level);
            if Some(begin) == route.to {
                self.stray(from, Astray::Begin, &route.place);
                continue;
            }
            let to = self.node(begin, branch);
            self.graph.levels[branch].begin = Some(to);
            self.edge(from, route, Some(to), Via::Plain, Kind::Enter(index));
        }
        self.graph.splits.entry(index).or_insert_with(|| Split { branches, route: route.clone() });
        if let Some(to) = past {
            return self.stray(from, to, &route.place);
        }
        let to = route.to.map(|seat| self.node(seat, level));
        self.edge(from, route, to, via, Kind::Join(index));
    }

    fn stray(&mut self, from: usize, to: Astray, place: &Place) {
        self.graph.strays.push(Stray { from, to, place: place.clone() });
    }

    fn edge(&mut self, from: usize, route: &Route, to: Option<usize>, via: Via, kind: Kind) {
        let (outcome, place) = (route.outcome.clone(), route.place.clone());
        self.graph.edges.push(Edge { from, outcome, to, via, kind, place });
    }

    /// Finds the ways that lead past a join: to a member at which a split around the branch meets.
    fn past_joins(&mut self) {
        for level in 1..self.graph.levels.len() {
            let joins: BTreeSet<usize> = self
                .graph
                .open_around(level)
                .into_iter()
                .filter_map(|around| self.graph.levels[around].of.and_then(|split| self.routes[split].to))
                .collect();
            let leads =
                |edge: &&Edge| self.graph.nodes[edge.from].level == level && !matches!(edge.kind, Kind::Enter(_));
            let outer = |edge: &Edge| edge.to.map(|to| self.graph.nodes[to].seat).filter(|seat| joins.contains(seat));
            let past = self.graph.edges.iter().filter(leads).filter_map(|edge| {
                Some(Stray { from: edge.from, to: Astray::Outer(outer(edge)?), place: edge.place.clone() })
            });
            let past: Vec<Stray> = past.collect();
            self.graph.strays.extend(past);
        }
    }
}

impl Graph {
    /// The graph of members with their handoffs.
    pub(super) fn new(seats: Vec<Node>, routes: &Routes) -> Self {
        let mut by_seat = vec![vec![]; seats.len()];
        routes.all.iter().enumerate().for_each(|(index, route)| by_seat[route.from].push(index));
        let graph = Self {
            nodes: vec![],
            start: None,
            levels: vec![Level::default()],
            splits: HashMap::new(),
            strays: vec![],
            edges: vec![],
            leaving: vec![],
            coming: vec![],
            looked_at: Cell::new(0),
        };
        let size = seats.len();
        let mut building = Building {
            graph,
            routes: &routes.all,
            by_seat,
            seats,
            placed: HashMap::new(),
            stands: vec![false; size],
            branches: HashMap::new(),
            next: vec![],
        };
        if let Some((start, _)) = &routes.start {
            let start = building.node(*start, 0);
            (building.graph.start, building.graph.levels[0].begin) = (Some(start), Some(start));
            building.follow();
        }
        // Whom nothing reaches stands in the run itself.
        for seat in 0..size {
            if !building.stands[seat] {
                building.node(seat, 0);
                building.follow();
            }
        }
        building.past_joins();
        let mut graph = building.graph;
        graph.leaving = vec![vec![]; graph.nodes.len()];
        graph.coming = vec![vec![]; graph.nodes.len()];
        for (index, edge) in graph.edges.iter().enumerate() {
            graph.leaving[edge.from].push(index);
            if let Some(to) = edge.to {
                graph.coming[to].push(index);
            }
        }
        graph
    }

    /// The levels that can be open around one, itself among them only if its split reaches itself.
    pub(super) fn open_around(&self, level: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut next: Vec<usize> = self.levels[level].around.iter().copied().collect();
        while let Some(around) = next.pop() {
            if found.insert(around) {
                next.extend(&self.levels[around].around);
            }
        }
        found
    }

    /// How many edges have been looked at so far.
    pub(super) fn looked_at(&self) -> u64 {
        self.looked_at.get()
    }

    fn look(&self, edges: usize) {
        self.looked_at.set(self.looked_at.get() + edges as u64);
    }

    /// Every edge.
    pub(super) fn all(&self) -> impl Iterator<Item = &Edge> {
        self.look(self.edges.len());
        self.edges.iter()
    }

    pub(super) fn from(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.look(self.leaving[node].len());
        self.leaving[node].iter().map(|index| &self.edges[*index])
    }

    /// The edges that lead to `node`.
    pub(super) fn to(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.look(self.coming[node].len());
        self.coming[node].iter().map(|index| &self.edges[*index])
    }

    /// The shortest ways from start to each (member, flag). The flag is false at first; `after` says what it can be once an
    /// edge has been taken, or nothing if there is no need to go on.
    pub(super) fn walk<F: IntoIterator<Item = bool>>(&self, after: impl Fn(&Edge, bool) -> F) -> Walk<'_> {
        let mut walk = Walk { came: vec![None; self.nodes.len() * 2], seen: vec![false; self.nodes.len() * 2] };
        let Some(start) = self.start else { return walk };
        walk.seen[state(start, false)] = true;
        let mut queue = VecDeque::from([(start, false)]);
        while let Some((node, flag)) = queue.pop_front() {
            for edge in self.from(node) {
                let Some(to) = edge.to else { continue };
                for then in after(edge, flag) {
                    if !walk.seen[state(to, then)] {
                        walk.seen[state(to, then)] = true;
                        walk.came[state(to, then)] = Some((state(node, flag), edge));
                        queue.push_back((to, then));
                    }
                }
            }
        }
        walk
    }

    /// A number for each member, the same for those that reach each other over edges that pass, and for no others. The
    /// members are looked at once, each with the edges that leave it (Tarjan's way, without recursion).
    pub(super) fn circles(&self, pass: impl Fn(&Edge) -> bool) -> Vec<usize> {
        const NEW: usize = usize::MAX;
        let size = self.nodes.len();
        let (mut found, mut low, mut circle) = (vec![NEW; size], vec![0; size], vec![NEW; size]);
        let (mut open, mut count, mut circles) = (vec![], 0, 0);
        for root in 0..size {
            let mut under_way = if found[root] == NEW { vec![(root, 0)] } else { vec![] };
            while let Some((node, next)) = under_way.pop() {
                if next == 0 {
                    (found[node], low[node]) = (count, count);
                    count += 1;
                    open.push(node);
                }
                let Some(edge) = self.leaving[node].get(next).map(|index| &self.edges[*index]) else {
                    if low[node] == found[node] {
                        while let Some(member) = open.pop() {
                            circle[member] = circles;
                            if member == node {
                                break;
                            }
                        }
                        circles += 1;
                    }
                    if let Some((before, _)) = under_way.last() {
                        low[*before] = low[*before].min(low[node]);
                    }
                    continue;
                };
                self.look(1);
                under_way.push((node, next + 1));
                match edge.to.filter(|_| pass(edge)) {
                    Some(to) if found[to] == NEW => under_way.push((to, 0)),
                    Some(to) if circle[to] == NEW => low[node] = low[node].min(found[to]),
                    _ => {}
                }
            }
        }
        circle
    }

    /// Members reachable from `nodes` over edges that pass, with how many edges it takes.
    pub(super) fn distances(
        &self,
        nodes: impl IntoIterator<Item = usize>,
        pass: impl Fn(&Edge) -> bool,
    ) -> Vec<Option<usize>> {
        let mut distance = vec![None; self.nodes.len()];
        let mut queue = VecDeque::new();
        for node in nodes {
            if distance[node].replace(0).is_none() {
                queue.push_back(node);
            }
        }
        while let Some(node) = queue.pop_front() {
            let next = distance[node].map(|n: usize| n + 1);
            for edge in self.from(node).filter(|edge| pass(edge)) {
                if let Some(to) = edge.to
                    && distance[to].is_none()
                {
                    distance[to] = next;
                    queue.push_back(to);
                }
            }
        }
        distance
    }

    /// A path as people read it, from `start`.
    pub(super) fn told(&self, path: &[&Edge]) -> Vec<String> {
        let mut told = vec!["start".to_owned()];
        told.extend(self.hops(path));
        if path.is_empty() {
            told.extend(self.start.map(|start| self.nodes[start].name.to_string()));
        }
        told
    }

    /// The members along a path, each with the outcome it hands on with if it has several.
    pub(super) fn hops(&self, path: &[&Edge]) -> Vec<String> {
        let mut told: Vec<String> = path.iter().map(|edge| self.hop(edge)).collect();
        if let Some(edge) = path.last() {
            told.push(edge.to.map_or_else(|| "end".to_owned(), |to| self.nodes[to].name.to_string()));
        }
        told
    }

    fn hop(&self, edge: &Edge) -> String {
        let node = &self.nodes[edge.from];
        match (node.outcomes > 1, edge.via) {
            (_, Via::UsedUp { .. }) => format!("{} ({}, rounds used up)", node.name, edge.outcome),
            _ if matches!(edge.kind, Kind::Enter(_)) => format!("{} ({}, into a branch)", node.name, edge.outcome),
            _ if matches!(edge.kind, Kind::Join(_)) => format!("{} ({}, its branches meet)", node.name, edge.outcome),
            (true, _) => format!("{} ({})", node.name, edge.outcome),
            (false, _) => node.name.to_string(),
        }
    }
}

impl Node {
    /// A member that is being checked; `place` is its place in the team.
    pub(super) fn new((place, seat): (usize, &Seat)) -> Self {
        let outward = match (&seat.kind, seat.member.as_ref().map(|member| &member.role)) {
            (SeatKind::Tool { outward: true, delivers }, Some(Role::Tool { tool, .. })) => {
                Some((tool.clone(), delivers.clone()))
            }
            _ => None,
        };
        let approves = match &seat.kind {
            SeatKind::Person { approves, .. } if !approves.is_empty() => Some(approves.clone()),
            _ => None,
        };
        let writes: BTreeSet<_> = seat.member.iter().flat_map(|member| member.writes.iter().cloned()).collect();
        let reads = seat.member.iter().flat_map(|member| member.reads.iter().map(|read| read.artefact.clone()));
        Self {
            seat: place,
            level: 0,
            name: seat.name.clone(),
            place: seat.place.clone(),
            approves,
            outward,
            needs: seat.needs.clone(),
            changes: writes.clone(),
            reads: reads.collect(),
            writes,
            outcomes: seat.outcomes.len(),
            is_free: matches!(seat.kind, SeatKind::Rule | SeatKind::Person { .. }),
        }
    }

    pub(super) fn is_person(&self) -> bool {
        self.approves.is_some()
    }
}

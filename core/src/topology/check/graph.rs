//! The team as a graph, and the searches that the rules about paths share.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};

use super::handoffs::Routes;
use super::seat::{Seat, SeatKind};
use crate::id::{AgentName, ArtefactName, Outcome, ToolName};
use crate::topology::fault::Place;
use crate::topology::plan::Role;

/// Members and the ways between them.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) start: Option<usize>,
    edges: Vec<Edge>,
    /// The edges that leave each member, by their place in `edges`.
    leaving: Vec<Vec<usize>>,
    /// The edges that lead to each member, by their place in `edges`.
    coming: Vec<Vec<usize>>,
    /// How many edges the rules have looked at: the work that a check takes.
    looked_at: Cell<u64>,
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

/// A member.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: AgentName,
    pub(super) place: Place,
    /// Artefacts a person approves; none if it is no person.
    pub(super) approves: Option<BTreeSet<ArtefactName>>,
    /// The outward tool it is, and what that delivers.
    pub(super) outward: Option<(ToolName, BTreeSet<ArtefactName>)>,
    pub(super) needs: Vec<(ArtefactName, Place)>,
    pub(super) writes: BTreeSet<ArtefactName>,
    outcomes: usize,
    /// Whether it decides by a rule, which takes no step.
    pub(super) is_rule: bool,
}

/// A way that a message can take.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) outcome: Outcome,
    /// `None` is the end.
    pub(super) to: Option<usize>,
    pub(super) via: Via,
    pub(super) place: Place,
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

impl Graph {
    pub(super) fn new(seats: &[Seat], routes: &Routes) -> Self {
        let nodes: Vec<Node> = seats.iter().map(Node::new).collect();
        let mut edges = vec![];
        for (index, route) in routes.all.iter().enumerate() {
            let edge = |to, via| Edge {
                from: route.from,
                outcome: route.outcome.clone(),
                to,
                via,
                place: route.place.clone(),
            };
            match route.rounds {
                None => edges.push(edge(route.to, Via::Plain)),
                Some((max, then)) => {
                    edges.push(edge(route.to, Via::Rounds { index, max }));
                    edges.push(edge(then, Via::UsedUp { index }));
                }
            }
        }
        let mut leaving = vec![vec![]; nodes.len()];
        let mut coming = vec![vec![]; nodes.len()];
        for (index, edge) in edges.iter().enumerate() {
            leaving[edge.from].push(index);
            if let Some(to) = edge.to {
                coming[to].push(index);
            }
        }
        let start = routes.start.as_ref().map(|(start, _)| *start);
        Self { nodes, start, edges, leaving, coming, looked_at: Cell::new(0) }
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

    /// The shortest ways from start to each (member, flag). The flag is false at first; `after` says what it is once an
    /// edge has been taken, or none if there is no need to go on.
    pub(super) fn walk(&self, after: impl Fn(&Edge, bool) -> Option<bool>) -> Walk<'_> {
        let mut walk = Walk { came: vec![None; self.nodes.len() * 2], seen: vec![false; self.nodes.len() * 2] };
        let Some(start) = self.start else { return walk };
        walk.seen[state(start, false)] = true;
        let mut queue = VecDeque::from([(start, false)]);
        while let Some((node, flag)) = queue.pop_front() {
            for edge in self.from(node) {
                let (Some(to), Some(then)) = (edge.to, after(edge, flag)) else { continue };
                if !walk.seen[state(to, then)] {
                    walk.seen[state(to, then)] = true;
                    walk.came[state(to, then)] = Some((state(node, flag), edge));
                    queue.push_back((to, then));
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
            (true, _) => format!("{} ({})", node.name, edge.outcome),
            (false, _) => node.name.to_string(),
        }
    }
}

impl Node {
    fn new(seat: &Seat) -> Self {
        let outward = match (&seat.kind, seat.member.as_ref().map(|member| &member.role)) {
            (SeatKind::Tool { outward: true, delivers }, Some(Role::Tool { tool, .. })) => {
                Some((tool.clone(), delivers.clone()))
            }
            _ => None,
        };
        let approves = match &seat.kind {
            SeatKind::Person { approves, .. } => Some(approves.clone()),
            _ => None,
        };
        Self {
            name: seat.name.clone(),
            place: seat.place.clone(),
            approves,
            outward,
            needs: seat.needs.clone(),
            writes: seat.member.iter().flat_map(|member| member.writes.iter().cloned()).collect(),
            outcomes: seat.outcomes.len(),
            is_rule: seat.kind == SeatKind::Rule,
        }
    }

    pub(super) fn is_person(&self) -> bool {
        self.approves.is_some()
    }
}

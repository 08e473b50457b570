//! The team as a graph, and the searches that the rules about paths share.

use std::collections::{BTreeSet, VecDeque};

use super::handoffs::Routes;
use super::team::{Seat, SeatKind};
use crate::id::{AgentName, ArtefactName, Outcome, ToolName};
use crate::topology::fault::Place;
use crate::topology::plan::Role;

/// Members and the ways between them.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) start: Option<usize>,
    pub(super) edges: Vec<Edge>,
    /// The edges that leave each member, by their place in `edges`.
    leaving: Vec<Vec<usize>>,
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
        edges.iter().enumerate().for_each(|(index, edge)| leaving[edge.from].push(index));
        Self { nodes, start: routes.start.as_ref().map(|(start, _)| *start), edges, leaving }
    }

    pub(super) fn from(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.leaving[node].iter().map(|index| &self.edges[*index])
    }

    /// The shortest way from start to a state that is sought, over (member, flag). The flag is false at first;
    /// `after` says what it is once an edge has been taken.
    pub(super) fn search(
        &self,
        after: impl Fn(&Edge, bool) -> bool,
        sought: impl Fn(usize, bool) -> bool,
    ) -> Option<Vec<&Edge>> {
        let start = self.start?;
        let state = |node: usize, flag: bool| node * 2 + usize::from(flag);
        let mut came: Vec<Option<(usize, &Edge)>> = vec![None; self.nodes.len() * 2];
        let mut seen = vec![false; self.nodes.len() * 2];
        seen[state(start, false)] = true;
        let mut queue = VecDeque::from([(start, false)]);
        while let Some((node, flag)) = queue.pop_front() {
            if sought(node, flag) {
                let mut path = vec![];
                let mut at = state(node, flag);
                while let Some((before, edge)) = came[at] {
                    path.push(edge);
                    at = before;
                }
                path.reverse();
                return Some(path);
            }
            for edge in self.from(node) {
                let Some(to) = edge.to else { continue };
                let next = (to, after(edge, flag));
                if !seen[state(next.0, next.1)] {
                    seen[state(next.0, next.1)] = true;
                    came[state(next.0, next.1)] = Some((state(node, flag), edge));
                    queue.push_back(next);
                }
            }
        }
        None
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
        }
    }

    pub(super) fn is_person(&self) -> bool {
        self.approves.is_some()
    }
}

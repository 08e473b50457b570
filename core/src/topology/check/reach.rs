//! Rule: every member is reachable from start, and end is reachable from every member.

use std::collections::BTreeSet;

use super::asks::Asks;
use super::draft::Draft;
use super::graph::{Graph, Kind};
use crate::id::AgentName;
use crate::topology::fault::Code;

/// `ungated`: a person who is bypassed is told as that already.
pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph, asks: &Asks, ungated: bool) {
    let reached = graph.distances(graph.start, |_| true);
    let found: BTreeSet<usize> =
        (0..graph.nodes.len()).filter(|node| reached[*node].is_some()).map(|node| graph.nodes[node].seat).collect();
    // Whom nothing reaches stands in the graph once.
    let asked: BTreeSet<&AgentName> = asks.values().flatten().collect();
    // Who is asked and hands nothing on works within the turns of others.
    let is_aside = |node: usize| asked.contains(&graph.nodes[node].name) && graph.from(node).next().is_none();
    let lost = |node: usize| !found.contains(&graph.nodes[node].seat) && !is_aside(node);
    for (index, node) in graph.nodes.iter().enumerate() {
        // What only a lost member leads to is lost with it.
        let follows = || graph.to(index).any(|edge| edge.from != index && lost(edge.from));
        if lost(index) && !(ungated && node.is_person()) && !follows() {
            let what = format!("no path leads from start to `{}`", node.name);
            draft.fault(Code::Unreachable, &node.place, what, "hand something on to it, or take it off the team");
        }
    }
    let all_follow = (0..graph.nodes.len()).filter(|node| lost(*node)).collect::<Vec<_>>();
    let told = draft.faults.iter().any(|fault| fault.code == Code::Unreachable);
    if let (Some(first), false, false) = (all_follow.first(), told, ungated) {
        let node = &graph.nodes[*first];
        let what = format!("no path leads from start to `{}`", node.name);
        draft.fault(Code::Unreachable, &node.place, what, "hand something on to it, or take it off the team");
    }
    endless(draft, graph, &reached);
}

fn endless(draft: &mut Draft<'_>, graph: &Graph, reached: &[Option<usize>]) {
    let mut ends = vec![false; graph.nodes.len()];
    let mut next: Vec<usize> = graph.all().filter(|edge| edge.to.is_none()).map(|edge| edge.from).collect();
    while let Some(node) = next.pop() {
        if !std::mem::replace(&mut ends[node], true) {
            // That a branch is left says nothing of who sent it out.
            let inside = graph.to(node).filter(|edge| !matches!(edge.kind, Kind::Enter(_)));
            next.extend(inside.map(|edge| edge.from));
        }
    }
    let stuck: Vec<usize> = (0..graph.nodes.len()).filter(|node| !ends[*node] && reached[*node].is_some()).collect();
    if let Some(first) = stuck.iter().copied().min_by_key(|node| reached[*node]) {
        let names: BTreeSet<usize> = stuck.iter().map(|node| graph.nodes[*node].seat).collect();
        let name =
            |seat: &usize| graph.nodes.iter().find(|node| node.seat == *seat).map(|node| format!("`{}`", node.name));
        let names: Vec<String> = names.iter().filter_map(name).collect();
        let what = format!("no path leads from {} to end", names.join(", "));
        draft.fault(Code::NoEnd, &graph.nodes[first].place, what, "hand an outcome of one of them on to \"end\"");
    }
}

//! Rule: nothing acts on the world without a person's approval of exactly what leaves.
//!
//! For every outward tool and every artefact that it delivers: on no way from start is the tool reached unless a person
//! approved that artefact (a) and nobody wrote it since (b). Only the outcome `approve` counts, so a timer or used-up
//! rounds never do (c). The state is (member, approved since last written); the search over it is exhaustive.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::graph::{Edge, Graph};
use crate::id::{AgentName, ArtefactName};
use crate::topology::fault::{Code, Fault};
use crate::topology::proof::Gate;

/// The outcome that approves.
const APPROVE: &str = "approve";

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph) -> Vec<Gate> {
    let mut gates = vec![];
    for (index, node) in graph.nodes.iter().enumerate() {
        let Some((tool, delivers)) = &node.outward else { continue };
        let bypass = delivers.iter().find_map(|artefact| {
            let after = |edge: &Edge, approved: bool| approved_after(graph, edge, artefact, approved);
            let path = graph.search(after, |at, approved| at == index && !approved)?;
            Some((artefact, path))
        });
        match bypass {
            Some((artefact, path)) => draft.faults.push(fault(graph, index, artefact, &path)),
            None => {
                let approvers = graph
                    .nodes
                    .iter()
                    .filter(|node| node.approves.as_ref().is_some_and(|approves| !approves.is_disjoint(delivers)));
                gates.push(Gate {
                    sender: node.name.clone(),
                    tool: tool.clone(),
                    artefacts: delivers.iter().cloned().collect(),
                    approvers: approvers.map(|node| node.name.clone()).collect(),
                });
            }
        }
    }
    gates
}

fn approved_after(graph: &Graph, edge: &Edge, artefact: &ArtefactName, approved: bool) -> bool {
    let from = &graph.nodes[edge.from];
    if approves(graph, edge, artefact) {
        return true;
    }
    approved && !from.writes.contains(artefact)
}

fn approves(graph: &Graph, edge: &Edge, artefact: &ArtefactName) -> bool {
    let approves = &graph.nodes[edge.from].approves;
    edge.outcome.as_str() == APPROVE && approves.as_ref().is_some_and(|approves| approves.contains(artefact))
}

fn fault(graph: &Graph, sender: usize, artefact: &ArtefactName, path: &[&Edge]) -> Fault {
    let node = &graph.nodes[sender];
    let tool = node.outward.as_ref().map_or_else(String::new, |(tool, _)| tool.to_string());
    let place = path.last().map_or(&node.place, |edge| &edge.place);
    let approved = path.iter().rposition(|edge| approves(graph, edge, artefact));
    let (code, what, instead) = match approved {
        None => {
            // The path shows it of every artefact that nobody approves on it.
            let never = |artefact: &&ArtefactName| !path.iter().any(|edge| approves(graph, edge, artefact));
            let delivers = node.outward.iter().flat_map(|(_, delivers)| delivers).filter(never);
            let (told, listed): (Vec<_>, Vec<_>) =
                delivers.map(|name| (format!("`{name}`"), format!("\"{name}\""))).unzip();
            let (told, listed) = (told.join(" and "), listed.join(", "));
            (
                Code::Ungated,
                format!("`{}` ({tool}) can be reached although nobody approved {told}", node.name),
                format!("hand on to a person with approves = [{listed}], and from its `approve` to `{}`", node.name),
            )
        }
        Some(at) => {
            let writer =
                path[at..].iter().rev().map(|edge| &graph.nodes[edge.from]).find(|n| n.writes.contains(artefact));
            let writer = writer.map_or("a member", |node| node.name.as_str());
            (
                Code::Rewritten,
                format!("`{writer}` rewrites `{artefact}` after it was approved and before `{}` ({tool})", node.name),
                format!("let `{writer}` work before the approval, or hand its version on to a person again"),
            )
        }
    };
    Fault::new(code, place, what, instead).on_path(graph.told(path))
}

/// The outward tool that each person's approval leads to, before another person: what it binds.
pub(super) fn binds(draft: &mut Draft<'_>, graph: &Graph) -> BTreeMap<AgentName, AgentName> {
    let mut binds = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.is_person()) {
        let first: Vec<&Edge> = graph.from(index).filter(|edge| edge.outcome.as_str() == APPROVE).collect();
        let beyond = |edge: &Edge| !graph.nodes[edge.from].is_person();
        let reached = graph.distances(first.iter().filter_map(|edge| edge.to), beyond);
        let found = |at: &usize| reached[*at].is_some() && graph.nodes[*at].outward.is_some();
        let senders: Vec<usize> = (0..graph.nodes.len()).filter(found).collect();
        if let [one] = senders[..] {
            binds.insert(node.name.clone(), graph.nodes[one].name.clone());
        } else if let (Some(edge), [_, _, ..]) = (first.first(), &senders[..]) {
            let names: Vec<String> = senders.iter().map(|at| format!("`{}`", graph.nodes[*at].name)).collect();
            let what = format!("the approval of `{}` leads to {}", node.name, names.join(" and "));
            let instead = "put a person before each: one approval shows and binds what one tool would send";
            draft.fault(Code::TwoBound, &edge.place, what, instead);
        }
    }
    binds
}

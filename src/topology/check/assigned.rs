//! Rule: what a member reads is on its desk, whichever way the message came.

use super::draft::Draft;
use super::graph::Graph;
use crate::topology::fault::{Code, Fault};

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph) {
    for (index, node) in graph.nodes.iter().enumerate() {
        for (artefact, place) in &node.needs {
            let after =
                |edge: &super::graph::Edge, written: bool| written || graph.nodes[edge.from].writes.contains(artefact);
            let Some(path) = graph.search(after, |at, written| at == index && !written) else { continue };
            let writers: Vec<String> = graph
                .nodes
                .iter()
                .filter(|node| node.writes.contains(artefact))
                .map(|n| format!("`{}`", n.name))
                .collect();
            let instead = if writers.is_empty() {
                format!("let a member before it write it: writes = [\"{artefact}\"]")
            } else {
                let writers = writers.join(" or ");
                format!("let every way to `{}` pass {writers}, or read \"{artefact}?\" if it may be absent", node.name)
            };
            let what = if writers.is_empty() {
                format!("`{}` reads `{artefact}`, and nobody writes it", node.name)
            } else {
                format!("`{}` may read `{artefact}` before it is written", node.name)
            };
            let fault = Fault::new(Code::Unassigned, place, what, instead);
            draft.faults.push(fault.on_path(graph.told(&path)));
        }
    }
}

//! Rule: what a member reads is on its desk, whichever way the message came.

use super::draft::Draft;
use super::graph::{Edge, Graph};
use crate::id::ArtefactName;
use crate::topology::fault::{Code, Fault, Place};

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph) {
    let mut missing: Vec<(usize, &ArtefactName, &Place, Vec<&Edge>)> = vec![];
    for (index, node) in graph.nodes.iter().enumerate() {
        for (artefact, place) in &node.needs {
            let after = |edge: &Edge, written: bool| written || graph.nodes[edge.from].writes.contains(artefact);
            if let Some(path) = graph.search(after, |at, written| at == index && !written) {
                missing.push((index, artefact, place, path));
            }
        }
    }
    for (index, artefact, place, path) in &missing {
        // Who reads it later on the same path misses it for the same cause.
        let earlier =
            |edge: &&Edge| missing.iter().any(|(at, same, ..)| *at == edge.from && same == artefact && at != index);
        if !path.iter().any(earlier) {
            draft.faults.push(fault(graph, *index, artefact, place, path));
        }
    }
}

fn fault(graph: &Graph, index: usize, artefact: &ArtefactName, place: &Place, path: &[&Edge]) -> Fault {
    let name = &graph.nodes[index].name;
    let writers = graph.nodes.iter().filter(|node| node.writes.contains(artefact));
    let writers: Vec<String> = writers.map(|node| format!("`{}`", node.name)).collect();
    let (what, instead) = if writers.is_empty() {
        (
            format!("`{name}` reads `{artefact}`, and nobody writes it"),
            format!("let a member before it write it: writes = [\"{artefact}\"]"),
        )
    } else {
        let writers = writers.join(" or ");
        (
            format!("`{name}` may read `{artefact}` before it is written"),
            format!("let every way to `{name}` pass {writers}, or read \"{artefact}?\" if it may be absent"),
        )
    };
    Fault::new(Code::Unassigned, place, what, instead).on_path(graph.told(path))
}

//! Rule: what a member reads is on its desk, whichever way the message came.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::graph::{Edge, Graph};
use crate::id::ArtefactName;
use crate::topology::fault::{Code, Fault, Place};

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph) {
    let mut readers: BTreeMap<&ArtefactName, Vec<(usize, &Place)>> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        node.needs.iter().for_each(|(artefact, place)| readers.entry(artefact).or_default().push((index, place)));
    }
    let mut writers: BTreeMap<&ArtefactName, Vec<usize>> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        node.writes.iter().for_each(|artefact| writers.entry(artefact).or_default().push(index));
    }
    let mut missing: Vec<(usize, &ArtefactName, &Place, Vec<&Edge>)> = vec![];
    for (artefact, readers) in readers {
        let mut writes = vec![false; graph.nodes.len()];
        writers.get(artefact).into_iter().flatten().for_each(|writer| writes[*writer] = true);
        // Once it is written it stays so: what comes after needs no look.
        let walk = graph.walk(|edge, _| (!writes[edge.from]).then_some(false));
        missing.extend(
            readers.iter().filter_map(|(index, place)| Some((*index, artefact, *place, walk.way(*index, false)?))),
        );
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

//! Rule: what a member reads is on its desk, whichever way the message came.
//!
//! For every artefact the ways are looked at on which it is not written. A join has what was there before its split, the
//! lists that are collected there, and, if it waits for all of its branches, what one of them writes on every way.

use std::collections::{BTreeMap, BTreeSet};

use super::branches::Merges;
use super::draft::Draft;
use super::graph::{Edge, Graph, Kind};
use crate::id::ArtefactName;
use crate::topology::fault::{Code, Fault, Place};
use crate::topology::plan::Over;

/// An artefact that is missing where it is needed.
struct Missing<'g> {
    node: usize,
    artefact: &'g ArtefactName,
    place: &'g Place,
    path: Vec<&'g Edge>,
}

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph, merges: &Merges) {
    let mut readers: BTreeMap<&ArtefactName, Vec<(usize, &Place)>> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        node.needs.iter().for_each(|(artefact, place)| readers.entry(artefact).or_default().push((index, place)));
    }
    for edge in graph.all() {
        if let Kind::Join(split) = edge.kind
            && let Some((artefact, place)) = graph.splits[&split].route.fan.as_ref().and_then(|fan| fan.list.as_ref())
            && !graph.nodes[edge.from].writes.contains(artefact)
        {
            readers.entry(artefact).or_default().push((edge.from, place));
        }
    }
    let mut missing: Vec<Missing<'_>> = vec![];
    // What a team is brought is on its desk from the start.
    for (artefact, readers) in readers.into_iter().filter(|(artefact, _)| !draft.taken.contains(artefact.as_str())) {
        let absent = Absent::new(graph, merges, artefact);
        // Once it is written it stays so: what comes after needs no look.
        let walk = graph.walk(|edge, _| absent.passes(edge).then_some(false));
        missing.extend(
            readers.iter().filter_map(|(node, place)| {
                Some(Missing { node: *node, artefact, place, path: walk.way(*node, false)? })
            }),
        );
    }
    let mut told = BTreeSet::new();
    for one in &missing {
        // Who reads it later on the same path misses it for the same cause.
        let earlier = |edge: &&Edge| {
            let same = |at: &Missing<'_>| at.node == edge.from && at.artefact == one.artefact && at.node != one.node;
            missing.iter().any(same)
        };
        if !one.path.iter().any(earlier) && told.insert((one.place.file.clone(), one.place.span.start)) {
            draft.faults.push(fault(draft, graph, merges, one));
        }
    }
}

/// Whether some way leads to `member` on which an artefact is not written.
pub(super) fn may_be_absent(graph: &Graph, merges: &Merges, member: &str, artefact: &ArtefactName) -> bool {
    let absent = Absent::new(graph, merges, artefact);
    let walk = graph.walk(|edge, _| absent.passes(edge).then_some(false));
    let mut places = graph.nodes.iter().enumerate().filter(|(_, node)| node.name.as_str() == member);
    places.any(|(node, _)| walk.reaches(node, false))
}

/// The ways on which an artefact is not written.
struct Absent<'g> {
    graph: &'g Graph,
    merges: &'g Merges,
    artefact: &'g ArtefactName,
    /// Splits one of whose branches writes it on every way, so that their joins have it.
    sure: BTreeSet<usize>,
}

impl<'g> Absent<'g> {
    fn new(graph: &'g Graph, merges: &'g Merges, artefact: &'g ArtefactName) -> Self {
        let mut absent = Self { graph, merges, artefact, sure: BTreeSet::new() };
        // What is surely written beyond an inner join can make it sure around it.
        let brings = |split: &&usize| merges.get(split).is_some_and(|merge| merge.adds.contains(artefact));
        let bringing: Vec<usize> = graph.splits.keys().filter(brings).copied().collect();
        loop {
            let more = bringing.iter().find(|split| !absent.sure.contains(split) && absent.is_sure(**split));
            let Some(more) = more.copied() else { return absent };
            absent.sure.insert(more);
        }
    }

    /// Whether one whole branch of a split, whose join waits for all, writes it on every way.
    fn is_sure(&self, split: usize) -> bool {
        let Some(split) = self.graph.splits.get(&split) else { return false };
        let all =
            split.route.fan.as_ref().is_some_and(|fan| fan.split.needs_all() && matches!(fan.split.over, Over::All(_)));
        all && split.branches.iter().any(|branch| !self.is_left(*branch))
    }

    /// Whether a branch can be left without its having been written there.
    fn is_left(&self, branch: usize) -> bool {
        let begin = self.graph.levels[branch].begin;
        let inside = |edge: &Edge| !matches!(edge.kind, Kind::Enter(_)) && self.passes(edge);
        let found = self.graph.distances(begin, inside);
        let nodes = &self.graph.levels[branch].nodes;
        let mut leaving = nodes.iter().filter(|node| found[**node].is_some()).flat_map(|node| self.graph.from(*node));
        leaving.any(|edge| edge.to.is_none() && self.passes(edge))
    }

    /// Whether it can still be absent after a way.
    fn passes(&self, edge: &Edge) -> bool {
        if self.graph.nodes[edge.from].writes.contains(self.artefact) {
            return false;
        }
        match edge.kind {
            Kind::Hand => true,
            Kind::Enter(split) => {
                let fan = self.graph.splits[&split].route.fan.as_ref();
                fan.and_then(|fan| fan.split.item()) != Some(self.artefact)
            }
            Kind::Join(split) => {
                let collected = self.merges.get(&split).is_some_and(|merge| merge.collects.contains(self.artefact));
                !collected && !self.sure.contains(&split)
            }
        }
    }
}

fn fault(draft: &Draft<'_>, graph: &Graph, merges: &Merges, missing: &Missing<'_>) -> Fault {
    let Missing { node: index, artefact, place, path } = missing;
    let node = &graph.nodes[*index];
    let name = &node.name;
    // It itself is no writer that the way could pass before.
    let others = graph.nodes.iter().filter(|other| other.name != *name && other.writes.contains(*artefact));
    let others: BTreeSet<String> = others.map(|other| format!("`{}`", other.name)).collect();
    let others: Vec<String> = others.into_iter().collect();
    // Beyond a join there is the list of it.
    let joins = path.iter().filter_map(|edge| match edge.kind {
        Kind::Join(split) => merges.get(&split),
        Kind::Hand | Kind::Enter(_) => None,
    });
    let list_instead =
        draft.lists.get(*artefact).filter(|list| joins.clone().any(|merge| merge.collects.contains(*list)));
    let list = merges.values().any(|merge| merge.collects.contains(*artefact));
    let section = draft.sections.contains_key(artefact.as_str());
    let read = draft.sections.get(artefact.as_str()).map_or(*artefact, |section| &section.of);
    // What a person approves and what leaves cannot be absent.
    let or_absent = match node.approves.is_none() && node.outward.is_none() {
        true => format!(", or read \"{read}?\" if {} may be absent then", if section { "some of it" } else { "it" }),
        false => String::new(),
    };
    let (what, instead) = if draft.items.contains_key(artefact.as_str()) {
        (
            format!("`{name}` reads `{artefact}`, which is there only in the branches of its split"),
            format!("read it in a branch only{or_absent}"),
        )
    } else if let Some(list) = list_instead {
        (
            format!("`{name}` reads `{artefact}`, which ends with the branches that write it"),
            format!("read \"{list}\", the list of what all of them wrote"),
        )
    } else if list {
        (
            format!("`{name}` may read `{artefact}` before the branches that it is collected of have met"),
            format!("let every way to `{name}` pass their join{or_absent}"),
        )
    } else if !others.is_empty() {
        (
            match section {
                true => format!("`{name}` may read `{read}` before its section `{artefact}` is written"),
                false => format!("`{name}` may read `{artefact}` before it is written"),
            },
            format!("lead the path that is shown through {} first, in [handoffs]{or_absent}", others.join(" or ")),
        )
    } else if node.writes.contains(*artefact) {
        (
            format!("`{name}` reads `{artefact}` before it has written it itself"),
            format!("read \"{artefact}?\", which is absent on its first turn"),
        )
    } else {
        (
            format!("`{name}` reads `{artefact}`, and nobody writes it"),
            format!("let a member before it write it: writes = [\"{artefact}\"]"),
        )
    };
    Fault::new(Code::Unassigned, place, what, instead).on_path(graph.told(path))
}

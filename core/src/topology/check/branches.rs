//! Rule: splits are nested well, and desks merge by rule. Nothing leaves a branch but to its join, no split reaches itself,
//! and what two branches would write is collected or refused. So no join can starve: each of its branches can only arrive,
//! stay where a person is asked, or die where a person is told.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::graph::{Astray, Graph, Split};
use crate::id::ArtefactName;
use crate::topology::fault::{Code, Fault};
use crate::topology::plan::{BRANCHES_MAX, Over};
use crate::topology::raw::topology::Topology;

/// What comes of each split, by the place of its handoff among the routes.
pub(super) type Merges = BTreeMap<usize, Merge>;

/// What comes of a split's branches.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// What its join has that was written in its branches.
    pub(super) adds: BTreeSet<ArtefactName>,
    /// The lists that are made at its join.
    pub(super) collects: BTreeSet<ArtefactName>,
    /// What persons in its branches answer for, and can refuse.
    pub(super) refuses: BTreeSet<ArtefactName>,
}

/// What can be written and refused at a level, at its joins included.
#[derive(Debug, Clone, Default)]
struct Done {
    writes: BTreeSet<ArtefactName>,
    refuses: BTreeSet<ArtefactName>,
}

/// The lists that are made at the join of a split.
pub(super) fn collects(merges: &Merges, split: usize) -> Vec<ArtefactName> {
    merges.get(&split).map(|merge| merge.collects.iter().cloned().collect()).unwrap_or_default()
}

/// None if splits are not nested well, which is told: then nothing can be said of paths.
pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, graph: &Graph) -> Option<Merges> {
    let before = draft.faults.len();
    itself(draft, graph);
    // Where a split comes to itself, its ways lead anywhere.
    if draft.faults.len() == before {
        strays(draft, graph);
    }
    if draft.faults.len() > before {
        return None;
    }
    at_once(draft, graph);
    let mut merging = Merging { draft, graph, lists: lists(raw), done: BTreeMap::new(), merges: Merges::new() };
    (0..graph.levels.len()).for_each(|level| drop(merging.level(level)));
    let merges = merging.merges;
    unmade(draft, raw, &merges);
    called_off(draft, graph);
    Some(merges)
}

fn strays(draft: &mut Draft<'_>, graph: &Graph) {
    let mut told = BTreeSet::new();
    // Who went past a join comes to the end of the run in the wrong branch, and that is no cause of its own.
    let past = graph.strays.iter().filter(|stray| matches!(stray.to, Astray::Outer(_)));
    let past: BTreeSet<usize> = past.map(|stray| graph.nodes[stray.from].level).collect();
    for stray in &graph.strays {
        let follows = matches!(stray.to, Astray::End { .. }) && past.contains(&graph.nodes[stray.from].level);
        if follows || !told.insert(stray.place.span.start) {
            continue;
        }
        let node = &graph.nodes[stray.from];
        let join = graph.levels[node.level].of.and_then(|split| graph.splits.get(&split));
        let join = join.map_or_else(String::new, |split| join_of(graph, split));
        let (code, what, instead) = match stray.to {
            Astray::End { fails } => (
                Code::PastJoin,
                format!(
                    "`{}` is in a branch, which ends at its join `{join}` and not at {}",
                    node.name,
                    the_end(fails)
                ),
                format!("hand on to \"{join}\"; what failed or was refused can be told there by another outcome"),
            ),
            Astray::Outer(seat) => {
                let outer = graph.nodes.iter().find(|node| node.seat == seat).map_or("", |node| node.name.as_str());
                (
                    Code::PastJoin,
                    format!("`{}` is in a branch that ends at `{join}`, and hands on past it to `{outer}`", node.name),
                    format!("hand on to \"{join}\", which can hand on to \"{outer}\""),
                )
            }
            Astray::SharedJoin => (
                Code::PastJoin,
                format!("`{}` splits within a branch, and both would meet at `{join}`", node.name),
                "give each split a join of its own: the inner one hands on to the outer one".to_owned(),
            ),
            Astray::Begin => (
                Code::SplitBranches,
                "a branch begins with the join at which it ends".to_owned(),
                "let its branches begin with other members than its join".to_owned(),
            ),
        };
        draft.fault(code, &stray.place, what, instead);
    }
}

fn the_end(fails: bool) -> &'static str {
    if fails { "\"failed\"" } else { "\"end\"" }
}

fn join_of(graph: &Graph, split: &Split) -> String {
    let join = split.route.to.and_then(|seat| graph.nodes.iter().find(|node| node.seat == seat));
    join.map_or_else(|| "end".to_owned(), |node| node.name.to_string())
}

/// Splits in whose branches the same split is taken.
fn itself(draft: &mut Draft<'_>, graph: &Graph) {
    let mut told = BTreeSet::new();
    for (index, level) in graph.levels.iter().enumerate() {
        let Some(of) = level.of else { continue };
        let within = graph.open_around(index);
        if within.iter().any(|around| graph.levels[*around].of == Some(of)) && told.insert(of) {
            let Some(split) = graph.splits.get(&of) else { continue };
            let name =
                graph.nodes.iter().find(|node| node.seat == split.route.from).map_or("", |node| node.name.as_str());
            let what = format!("a branch of this split comes to `{name}`, which splits in the same way again");
            let join = join_of(graph, split);
            let instead = format!("let its branches end at \"{join}\", and go round from there");
            draft.fault(Code::SplitItself, &split.route.place, what, instead);
        }
    }
}

/// Splits that are nested so that too many branches can be open at once.
fn at_once(draft: &mut Draft<'_>, graph: &Graph) {
    let mut known = vec![None; graph.levels.len()];
    for level in 1..graph.levels.len() {
        let open = open(graph, level, &mut known);
        let Some(split) = graph.levels[level].of.and_then(|of| graph.splits.get(&of)) else { continue };
        let is_first = split.branches.first() == Some(&level);
        if open > u64::from(BRANCHES_MAX) && is_first {
            let what = format!("{open} branches may be open here at once, and {BRANCHES_MAX} are allowed");
            draft.fault(Code::SplitBranches, &split.route.place, what, "split into fewer, here or around it");
        }
    }
}

fn open(graph: &Graph, level: usize, known: &mut [Option<u64>]) -> u64 {
    if let Some(open) = known[level] {
        return open;
    }
    let around = graph.levels[level].around.iter().map(|around| open(graph, *around, known)).max().unwrap_or(1);
    let split = graph.levels[level].of.and_then(|of| graph.splits.get(&of));
    let most = split.and_then(|split| split.route.fan.as_ref()).map_or(1, |fan| fan.split.most());
    let open = around.saturating_mul(u64::from(most));
    known[level] = Some(open);
    open
}

/// The lists that are declared of each artefact.
fn lists(raw: &Topology) -> BTreeMap<String, Vec<ArtefactName>> {
    let mut lists: BTreeMap<String, Vec<ArtefactName>> = BTreeMap::new();
    for (name, artefact) in &raw.artefacts {
        if let Some(of) = &artefact.of {
            lists.entry(of.value.clone()).or_default().extend(name.value.parse().ok());
        }
    }
    lists
}

struct Merging<'m, 'd> {
    draft: &'m mut Draft<'d>,
    graph: &'m Graph,
    lists: BTreeMap<String, Vec<ArtefactName>>,
    done: BTreeMap<usize, Done>,
    merges: Merges,
}

impl Merging<'_, '_> {
    fn level(&mut self, level: usize) -> Done {
        if let Some(done) = self.done.get(&level) {
            return done.clone();
        }
        let mut done = Done::default();
        for node in self.graph.levels[level].nodes.iter().map(|node| &self.graph.nodes[*node]) {
            done.writes.extend(node.writes.iter().cloned());
            done.refuses.extend(node.approves.iter().flatten().cloned());
        }
        let inner = self.graph.splits.iter().filter(|(_, split)| {
            let taken = |branch: &usize| self.graph.levels[*branch].around.contains(&level);
            split.branches.first().is_some_and(taken)
        });
        let inner: BTreeSet<usize> = inner.map(|(index, _)| *index).collect();
        for index in inner {
            self.merge(index);
            let Some(merge) = self.merges.get(&index) else { continue };
            done.writes.extend(merge.adds.iter().cloned());
            done.refuses.extend(merge.refuses.iter().cloned());
        }
        self.done.insert(level, done.clone());
        done
    }

    fn merge(&mut self, index: usize) {
        if self.merges.contains_key(&index) {
            return;
        }
        let graph = self.graph;
        let Some(split) = graph.splits.get(&index) else { return };
        let branches: Vec<Done> = split.branches.iter().map(|branch| self.level(*branch)).collect();
        let mut merge = Merge::default();
        for artefact in branches.iter().flat_map(|done| &done.writes) {
            match self.lists.get(artefact.as_str()) {
                Some(lists) => merge.collects.extend(lists.iter().cloned()),
                None => drop(merge.adds.insert(artefact.clone())),
            }
        }
        merge.refuses = branches.iter().flat_map(|done| done.refuses.iter().cloned()).collect();
        for artefact in &merge.adds {
            let by: Vec<usize> = (0..branches.len()).filter(|at| branches[*at].writes.contains(artefact)).collect();
            self.twice(split, artefact, &by);
        }
        merge.adds.extend(merge.collects.iter().cloned());
        self.merges.insert(index, merge);
    }

    /// Tells of an artefact that two branches bring to the join; `by` are those that write it.
    fn twice(&mut self, split: &Split, artefact: &ArtefactName, by: &[usize]) {
        let Some(fan) = &split.route.fan else { return };
        let name = |at: usize| {
            let begin = self.graph.levels[split.branches[at]].begin;
            begin.map_or("", |node| self.graph.nodes[node].name.as_str())
        };
        let who = match (&fan.split.over, by) {
            (Over::All(_), [one, other, ..]) => format!("the branches of `{}` and `{}` both", name(*one), name(*other)),
            (Over::All(_), _) => return,
            _ if fan.split.most() == 1 => return,
            (_, [one, other, ..]) => format!("the branches of `{}` and `{}` both", name(*one), name(*other)),
            (_, [one]) => format!("two branches of `{}` both", name(*one)),
            _ => return,
        };
        let is_list = self.lists.values().flatten().any(|list| list == artefact);
        let (what, instead) = if is_list {
            (
                format!("{who} collect `{artefact}`, and one desk has one"),
                "let the join within the branch make one artefact of the list, and collect that".to_owned(),
            )
        } else {
            (
                format!("{who} write `{artefact}`, and the join has one desk"),
                format!("collect them: write NAME = {{ of = \"{artefact}\" }} under [artefacts], or write others"),
            )
        };
        self.draft.fault(Code::TwoWriters, &split.route.place, what, instead);
    }
}

/// Tells of lists that no split makes.
fn unmade(draft: &mut Draft<'_>, raw: &Topology, merges: &Merges) {
    if draft.damaged || draft.edges_missing {
        return;
    }
    for (name, artefact) in &raw.artefacts {
        let made = merges.values().any(|merge| merge.collects.iter().any(|list| list.as_str() == name.value));
        if let Some(of) = artefact.of.as_ref().filter(|_| !made) {
            let what = format!("no branch of a split writes `{}`, so there is nothing to collect", of.value);
            let instead = format!("let a member of a branch write it: writes = [\"{}\"]", of.value);
            draft.fault(Code::Collected, &of.place, what, instead);
        }
    }
}

/// Outward tools in branches that can be called off while they act.
fn called_off(draft: &mut Draft<'_>, graph: &Graph) {
    let mut told = BTreeSet::new();
    for node in graph.nodes.iter().filter(|node| node.outward.is_some() && node.level > 0) {
        let open = graph.open_around(node.level).into_iter().chain([node.level]);
        let splits = open.filter_map(|level| graph.levels[level].of.and_then(|of| graph.splits.get(&of)));
        let few = splits.filter(|split| {
            let fan = split.route.fan.as_ref().map(|fan| &fan.split);
            fan.is_some_and(|split| split.needs.is_some_and(|needs| needs < split.most()))
        });
        let few: Vec<&Split> = few.collect();
        if let Some(split) = few.first().filter(|_| told.insert(node.seat)) {
            let tool = node.outward.as_ref().map_or_else(String::new, |(tool, _)| tool.to_string());
            let what = format!(
                "`{}` ({tool}) acts on the world in a branch that is called off once the join has what it needs",
                node.name
            );
            let instead = format!("let \"{}\" hand on to `{}`, or leave `needs` out", join_of(graph, split), node.name);
            draft.faults.push(Fault::new(Code::CallsOff, &split.route.place, what, instead));
        }
    }
}

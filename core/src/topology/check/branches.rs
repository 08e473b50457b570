//! Rule: splits are nested well, and desks merge by rule. Nothing leaves a branch but to its join, no split reaches itself,
//! and what two branches would write is collected or refused. So no join can starve: each of its branches can only arrive,
//! stay where a person is asked, or die where a person is told.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::graph::{Astray, Graph, Kind, Split};
use crate::id::ArtefactName;
use crate::topology::fault::{Code, Fault};
use crate::topology::plan::{self, BRANCHES_MAX, Over};
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
    /// What several branches write and nobody reads beyond the join: it ends there.
    pub(super) ends: BTreeSet<ArtefactName>,
    /// What its join may have another version of.
    pub(super) changes: BTreeSet<ArtefactName>,
    /// What persons in its branches answer for, and can refuse.
    pub(super) refuses: BTreeSet<ArtefactName>,
}

/// What can be written and refused at a level, at its joins included.
#[derive(Debug, Clone, Default)]
struct Done {
    writes: BTreeSet<ArtefactName>,
    changes: BTreeSet<ArtefactName>,
    refuses: BTreeSet<ArtefactName>,
}

/// The split of a plan, with what comes of its branches at its join.
pub(super) fn merged(merges: &Merges, index: usize, split: &plan::Split) -> plan::Split {
    let names = |of: fn(&Merge) -> &BTreeSet<ArtefactName>| {
        merges.get(&index).map(|merge| of(merge).iter().cloned().collect()).unwrap_or_default()
    };
    plan::Split { collects: names(|merge| &merge.collects), ends: names(|merge| &merge.ends), ..split.clone() }
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
    let ways = graph.walk(|_, flag| Some(flag));
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
        let way = ways.way(stray.from, false).unwrap_or_default();
        let mut told = graph.told(&way);
        if told.last().is_none_or(|last| *last != node.name.to_string()) {
            told.push(node.name.to_string());
        }
        draft.faults.push(Fault::new(code, &stray.place, what, instead).on_path(told));
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
            done.changes.extend(node.changes.iter().cloned());
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
            done.changes.extend(merge.changes.iter().cloned());
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
        for artefact in merge.adds.clone() {
            let by: Vec<usize> = (0..branches.len()).filter(|at| branches[*at].writes.contains(&artefact)).collect();
            let Some(who) = self.writers(split, &by) else { continue };
            let whole = self.draft.sections.get(artefact.as_str()).map(|section| section.of.clone());
            let read = whole.as_ref().unwrap_or(&artefact);
            match self.reader(index, read) {
                None => drop(merge.ends.insert(artefact)),
                // It is told of the whole.
                Some(_)
                    if whole.as_ref().is_some_and(|whole| by.iter().all(|at| branches[*at].writes.contains(whole))) => {
                }
                Some(reader) => {
                    let wholly = by.iter().find(|at| branches[**at].writes.contains(read)).filter(|_| whole.is_some());
                    let wholly = wholly.map(|at| self.begins(split, *at).to_owned());
                    self.twice(split, &artefact, &who, &reader, wholly.as_deref());
                }
            }
        }
        // It ends under the name that it has on a desk, so a whole with all of its sections.
        let whole = |name: &ArtefactName| self.draft.sections.get(name.as_str()).map_or(name, |of| &of.of).clone();
        merge.ends = merge.ends.iter().map(whole).collect();
        merge.changes = branches.iter().flat_map(|done| done.changes.iter().cloned()).collect();
        for brought in [&mut merge.adds, &mut merge.changes] {
            brought.retain(|artefact| !merge.ends.contains(&whole(artefact)));
        }
        merge.adds.extend(merge.collects.iter().cloned());
        merge.changes.extend(merge.collects.iter().cloned());
        self.merges.insert(index, merge);
    }

    /// The first member of the branches at this place of a split.
    fn begins(&self, split: &Split, branch: usize) -> &str {
        let begin = self.graph.levels[split.branches[branch]].begin;
        begin.map_or("", |node| self.graph.nodes[node].name.as_str())
    }

    /// Whose branches they are, if two or more of them write what those at the places `by` write.
    fn writers(&self, split: &Split, by: &[usize]) -> Option<String> {
        let fan = split.route.fan.as_ref()?;
        match (&fan.split.over, by) {
            (Over::All(_), [_]) => None,
            (_, [one, other, ..]) => {
                let (one, other) = (self.begins(split, *one), self.begins(split, *other));
                (fan.split.most() > 1).then(|| format!("the branches of `{one}` and `{other}` both"))
            }
            (_, [one]) if fan.split.most() > 1 => Some(format!("two branches of `{}` both", self.begins(split, *one))),
            _ => None,
        }
    }

    /// Who reads `artefact` beyond the join of a split before it is written anew, in words, or that nobody reads it in the
    /// branches either, which is a list that was forgotten. In those branches what ended in them is not there.
    fn reader(&self, index: usize, artefact: &ArtefactName) -> Option<String> {
        let graph = self.graph;
        let split = graph.splits.get(&index)?;
        let joins = |split: &Split| {
            let levels: BTreeSet<usize> =
                split.branches.iter().flat_map(|branch| &graph.levels[*branch].around).copied().collect();
            let is_join = move |node: &usize| {
                Some(graph.nodes[*node].seat) == split.route.to && levels.contains(&graph.nodes[*node].level)
            };
            (0..graph.nodes.len()).filter(is_join).collect::<Vec<_>>()
        };
        let mut next = joins(split);
        let mut seen = BTreeSet::new();
        while let Some(node) = next.pop() {
            if !seen.insert(node) {
                continue;
            }
            let at = &graph.nodes[node];
            if at.reads.contains(artefact) {
                return Some(format!("`{}` reads it beyond the join", at.name));
            }
            // What it splits over is what its own turn leaves.
            if at.writes.contains(artefact) {
                continue;
            }
            if self.splits_over(node, artefact) {
                return Some(format!("`{}` splits over it beyond the join", at.name));
            }
            for edge in graph.from(node).filter(|edge| edge.kind != Kind::Enter(index)) {
                match edge.to {
                    Some(to) => next.push(to),
                    // The end of a branch leads to its join.
                    None => next.extend(
                        graph.levels[at.level].of.and_then(|of| graph.splits.get(&of)).into_iter().flat_map(joins),
                    ),
                }
            }
        }
        let is_within = |level: usize| {
            let mut around = graph.open_around(level).into_iter().chain([level]);
            around.any(|level| split.branches.contains(&level))
        };
        let looks = |at: usize| graph.nodes[at].reads.contains(artefact) || self.splits_over(at, artefact);
        let is_read = (0..graph.nodes.len()).any(|at| is_within(graph.nodes[at].level) && looks(at));
        (!is_read).then(|| "nobody reads it".to_owned())
    }

    /// Whether a member splits over a list in `artefact`.
    fn splits_over(&self, node: usize, artefact: &ArtefactName) -> bool {
        let list = |of: &usize| self.graph.splits[of].route.fan.as_ref()?.list.as_ref().map(|(list, _)| list);
        self.graph.from(node).any(|edge| matches!(&edge.kind, Kind::Join(of) if list(of) == Some(artefact)))
    }

    /// Tells of an artefact that two branches bring to the join, where somebody reads it; `wholly` is who writes all of
    /// what others write a section of.
    fn twice(&mut self, split: &Split, artefact: &ArtefactName, who: &str, reader: &str, wholly: Option<&str>) {
        let is_list = self.lists.values().flatten().any(|list| list == artefact);
        let section = self.draft.sections.get(artefact.as_str());
        let (what, instead) = match (section, wholly) {
            _ if is_list => (
                format!("{who} collect `{artefact}`, and one desk has one"),
                "let the join within the branch make one artefact of the list, and collect that".to_owned(),
            ),
            (Some(section), Some(wholly)) => (
                format!("{who} write `{artefact}`: that of `{wholly}` writes all of `{}`", section.of),
                format!(
                    "let it write a section beside that, or write \"{}\" before the split or beyond it",
                    section.of
                ),
            ),
            (Some(section), None) => (
                format!("{who} write the section `{}` of `{}`, and the join has one desk", section.at, section.of),
                "let each write a section of its own".to_owned(),
            ),
            (None, _) => (
                format!("{who} write `{artefact}`, and {reader}"),
                format!("collect them: write NAME = {{ of = \"{artefact}\" }} under [artefacts], or write others"),
            ),
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

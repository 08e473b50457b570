//! Rule: nothing acts on the world without a person's approval of exactly what leaves.
//!
//! For every outward tool and every artefact that it delivers: on no way from start is the tool reached unless a person
//! approved that artefact (a) and nobody wrote it since (b). Only the outcome `approve` counts, so a timer or used-up
//! rounds never do (c), and any other outcome of a person who approves it takes back what was approved before (d). The
//! state is (member, approved since last written or refused); the search over it is exhaustive.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::branches::Merges;
use super::draft::Draft;
use super::graph::{Edge, Graph, Kind, Node, Walk};
use super::seat::Seat;
use crate::id::{AgentName, ArtefactName};
use crate::topology::fault::{Code, Fault};
use crate::topology::plan::{Over, Role, Short};
use crate::topology::proof::{Approval, Gate};
use crate::topology::raw::topology::Topology;

/// The outcome that approves.
const APPROVE: &str = "approve";

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph, merges: &Merges) -> Vec<Gate> {
    let outward = || graph.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.outward.as_ref()?)));
    let mut delivered: BTreeMap<&ArtefactName, Vec<usize>> = BTreeMap::new();
    for (at, (_, delivers)) in outward() {
        delivers.iter().for_each(|artefact| delivered.entry(artefact).or_default().push(at));
    }
    let mut bypassed = BTreeMap::new();
    let mut approvals: BTreeMap<usize, BTreeMap<ArtefactName, Approval>> = BTreeMap::new();
    for (artefact, senders) in &delivered {
        let of = Delivered { graph, merges, artefact, known: RefCell::default() };
        let all = walk(&of, |_| true);
        for sender in senders {
            if let Some(path) = all.way(*sender, false) {
                bypassed.entry(graph.nodes[*sender].seat).or_insert((*sender, *artefact, path));
            }
        }
        for (seat, approval) in self::approvals(&of, senders) {
            approvals.entry(seat).or_default().insert((*artefact).clone(), approval);
        }
    }
    let mut gates = vec![];
    let mut told = BTreeSet::new();
    for (at, (tool, _)) in outward() {
        let seat = graph.nodes[at].seat;
        if !told.insert(seat) {
            continue;
        }
        match bypassed.get(&seat) {
            Some((sender, artefact, path)) => draft.faults.push(fault(graph, merges, *sender, artefact, path)),
            None => gates.push(Gate {
                sender: graph.nodes[at].name.clone(),
                tool: tool.clone(),
                approvals: approvals.remove(&seat).unwrap_or_default(),
            }),
        }
    }
    gates
}

/// Whoever is to accept what a rule found has to be there: somebody approves each artefact of which a rule may leave it to a
/// person.
pub(super) fn asked(draft: &mut Draft<'_>, raw: &Topology, seats: &[Seat]) {
    // What a team is brought, or gives, is approved by those who have it as a member.
    if !draft.taken.is_empty() {
        return;
    }
    let approves = |seat: &Seat, artefact: &str| match seat.member.as_ref().map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.iter().any(|name| name.as_str() == artefact),
        // Of whom something is wrong, it is told.
        None => true,
        Some(_) => false,
    };
    for (name, artefact) in &raw.artefacts {
        let gates = artefact.checks.iter().filter(|check| draft.around.guards.gates.contains(&check.value));
        let unasked = gates.filter(|_| !seats.iter().any(|seat| approves(seat, &name.value)));
        let faults = unasked.map(|check| {
            let what = format!("`{}` may leave `{}` to a person, and nobody approves it", check.value, name.value);
            let instead = format!("let a person approve it: approves = [\"{}\"]", name.value);
            Fault::new(Code::GateUnasked, &check.place, what, instead)
        });
        let faults: Vec<Fault> = faults.collect();
        draft.faults.extend(faults);
    }
}

/// Who approves what is delivered on every way to each of `senders`, and who on some ways; by the sender's place in the team.
fn approvals(of: &Delivered<'_>, senders: &[usize]) -> BTreeMap<usize, Approval> {
    let graph = of.graph;
    let seat = |at: &usize| graph.nodes[*at].seat;
    let mut approvals: BTreeMap<usize, Approval> = senders.iter().map(|at| (seat(at), Approval::default())).collect();
    let persons = graph.nodes.iter().filter(|node| answers_for(node, of.artefact));
    let persons: BTreeMap<usize, &Node> = persons.map(|node| (node.seat, node)).collect();
    for (person, node) in persons {
        let walk = walk(of, |at| graph.nodes[at].seat == person);
        for (sender, approval) in &mut approvals {
            let reached = |flag| senders.iter().any(|at| seat(at) == *sender && walk.reaches(*at, flag));
            match (reached(true), reached(false)) {
                (true, true) => approval.sometimes.push(node.name.clone()),
                (true, false) => approval.always.push(node.name.clone()),
                (false, _) => {}
            }
        }
    }
    approvals
}

/// The ways from start; the flag says whether one of the persons that `count` has approved `of.artefact` since it was last
/// written or refused, in the branch where the way is. What was approved around a branch is not approved in it, nor
/// around it what was approved there: a permit is for what lies on one desk.
fn walk<'g>(of: &Delivered<'g>, count: impl Fn(usize) -> bool) -> Walk<'g> {
    let graph = of.graph;
    graph.walk(|edge, before| {
        let lost = ends(of.merges, edge, of.artefact);
        let kept = !lost || matches!(edge.kind, Kind::Join(split) if of.stays(split, true));
        let counts = match approves(graph, edge, of.artefact) {
            true => before || count(edge.from),
            false => before && !undoes(graph, edge, of.artefact),
        };
        [kept.then_some(counts), lost.then_some(false)].into_iter().flatten()
    })
}

/// An artefact that leaves, in the splits of its team.
struct Delivered<'g> {
    graph: &'g Graph,
    merges: &'g Merges,
    artefact: &'g ArtefactName,
    /// What is known of splits, by whether it matters what is written.
    known: RefCell<BTreeMap<(usize, bool), bool>>,
}

impl Delivered<'_> {
    /// Whether the branches of a split can meet although the artefact was refused in none of them nor, if that matters,
    /// written.
    fn stays(&self, split: usize, written: bool) -> bool {
        if let Some(known) = self.known.borrow().get(&(split, written)) {
            return *known;
        }
        let stays = self.look(split, written).unwrap_or(false);
        self.known.borrow_mut().insert((split, written), stays);
        stays
    }

    fn look(&self, split: usize, written: bool) -> Option<bool> {
        let of = self.graph.splits.get(&split)?;
        let fan = &of.route.fan.as_ref()?.split;
        let ends = self.merges.get(&split).is_some_and(|merge| merge.ends.contains(self.artefact));
        let mut branches = of.branches.iter().map(|branch| self.passes(*branch, written && !ends));
        let waits = fan.needs.is_none_or(|needs| needs >= fan.most());
        Some(match &fan.over {
            // A list may have no items, and of members that fail nobody may be left.
            Over::Each(_) => true,
            _ if fan.short == Short::GoOn => true,
            Over::All(_) if waits => branches.all(|passes| passes),
            Over::All(_) | Over::Times { .. } => branches.any(|passes| passes),
        })
    }

    /// The same of the ways through one branch.
    fn passes(&self, branch: usize, written: bool) -> bool {
        let level = &self.graph.levels[branch];
        let stays = |edge: &Edge| {
            let from = &self.graph.nodes[edge.from];
            let past = match edge.kind {
                Kind::Hand => true,
                Kind::Enter(_) => false,
                Kind::Join(inner) => self.stays(inner, written),
            };
            past && !refuses(self.graph, edge, self.artefact) && !(written && from.changes.contains(self.artefact))
        };
        let reached = self.graph.distances(level.begin, stays);
        let nodes = level.nodes.iter().filter(|node| reached[**node].is_some());
        nodes.flat_map(|node| self.graph.from(*node)).any(|edge| edge.to.is_none() && stays(edge))
    }
}

/// Whether `artefact` can be another one at the join of a split, or be refused before it.
fn changes(merges: &Merges, split: usize, artefact: &ArtefactName) -> bool {
    merges.get(&split).is_some_and(|merge| merge.changes.contains(artefact) || merge.refuses.contains(artefact))
}

/// Whether what was approved of `artefact` before `edge` counts no longer: its writer writes, or a person says no.
fn undoes(graph: &Graph, edge: &Edge, artefact: &ArtefactName) -> bool {
    graph.nodes[edge.from].changes.contains(artefact) || refuses(graph, edge, artefact)
}

fn refuses(graph: &Graph, edge: &Edge, artefact: &ArtefactName) -> bool {
    answers_for(&graph.nodes[edge.from], artefact) && edge.outcome.as_str() != APPROVE
}

/// Whether `node` is a person who approves `artefact`.
fn answers_for(node: &Node, artefact: &ArtefactName) -> bool {
    node.approves.as_ref().is_some_and(|approves| approves.contains(artefact))
}

fn approves(graph: &Graph, edge: &Edge, artefact: &ArtefactName) -> bool {
    edge.outcome.as_str() == APPROVE && answers_for(&graph.nodes[edge.from], artefact)
}

fn fault(graph: &Graph, merges: &Merges, sender: usize, artefact: &ArtefactName, path: &[&Edge]) -> Fault {
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
        Some(at) if path[at..].iter().any(|edge| ends(merges, edge, artefact)) => {
            let person = graph.nodes[path[at].from].name.as_str();
            (
                Code::OtherBranch,
                format!("`{person}` approves `{artefact}` and is not in the same branch as `{}` ({tool})", node.name),
                format!("let a person approve between where the branch begins and `{}`", node.name),
            )
        }
        Some(at) => {
            let undone = path[at..].iter().rev().find(|edge| undoes(graph, edge, artefact));
            let (who, outcome) =
                undone.map_or(("a member", ""), |edge| (graph.nodes[edge.from].name.as_str(), edge.outcome.as_str()));
            if undone.is_some_and(|edge| graph.nodes[edge.from].is_person()) {
                (
                    Code::Overruled,
                    format!(
                        "`{}` ({tool}) can be reached after `{outcome}` of `{who}`, which takes back that `{artefact}` was approved",
                        node.name
                    ),
                    format!("let `{outcome}` of `{who}` lead to a person's `approve` again, or to \"end\""),
                )
            } else {
                (
                    Code::Rewritten,
                    format!("`{who}` rewrites `{artefact}` after it was approved and before `{}` ({tool})", node.name),
                    format!("let `{who}` work before the approval, or hand its version on to a person again"),
                )
            }
        }
    };
    Fault::new(code, place, what, instead).on_path(graph.told(path))
}

/// Whether what was approved before `edge` may not count after it, since it is about another branch.
fn ends(merges: &Merges, edge: &Edge, artefact: &ArtefactName) -> bool {
    match edge.kind {
        Kind::Hand => false,
        Kind::Enter(_) => true,
        Kind::Join(split) => changes(merges, split, artefact),
    }
}

/// The outward tool that each person's approval leads to, before another person: what it binds.
pub(super) fn binds(draft: &mut Draft<'_>, graph: &Graph) -> BTreeMap<AgentName, AgentName> {
    let mut binds = BTreeMap::new();
    let stays = |edge: &Edge| !matches!(edge.kind, Kind::Enter(_));
    let mut reached: BTreeMap<usize, (&Edge, BTreeSet<&AgentName>)> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.is_person()) {
        let first: Vec<&Edge> =
            graph.from(index).filter(|edge| edge.outcome.as_str() == APPROVE && stays(edge)).collect();
        let beyond = |edge: &Edge| !graph.nodes[edge.from].is_person() && stays(edge);
        let found = graph.distances(first.iter().filter_map(|edge| edge.to), beyond);
        let senders = (0..graph.nodes.len()).filter(|at| found[*at].is_some() && graph.nodes[*at].outward.is_some());
        if let Some(edge) = first.first() {
            let names = senders.map(|at| &graph.nodes[at].name);
            reached.entry(node.seat).or_insert_with(|| (*edge, BTreeSet::new())).1.extend(names);
        }
    }
    for (edge, senders) in reached.into_values() {
        let name = &graph.nodes[edge.from].name;
        if senders.len() > 1 {
            let names: Vec<String> = senders.iter().map(|name| format!("`{name}`")).collect();
            let what = format!("the approval of `{name}` leads to {}", names.join(" and "));
            let instead = "put a person before each: one approval shows and binds what one tool would send";
            draft.fault(Code::TwoBound, &edge.place, what, instead);
        }
        if let ([one], false) = (&senders.iter().collect::<Vec<_>>()[..], senders.is_empty()) {
            binds.insert(name.clone(), (**one).clone());
        }
    }
    binds
}

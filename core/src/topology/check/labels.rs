//! Rule: what is private and what others wrote never meet in what is asked outside without a person (the rule of two), and what
//! is private is shown to no model that may not be told.
//!
//! Where something can come to is followed over tools, artefacts, notes and questions until nothing new comes anywhere. What a
//! person says is theirs, and carries nothing on.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::seat::Seat;
use crate::id::{AgentName, ArtefactName, ToolName};
use crate::topology::fault::{Code, Fault};
use crate::topology::plan::{ASK_TOOL, Arg, Member, Over, Plan, Recipient, Role};
use crate::topology::spec::Labels;

pub(super) fn check(draft: &mut Draft<'_>, seats: &[Seat], plan: &Plan) {
    let flow = Flow::of(plan);
    let mut faults: Vec<Fault> = vec![];
    for seat in seats {
        let Some(member) = plan.team.get(&seat.name) else { continue };
        let held = flow.of_member(&seat.name);
        faults.extend(two(plan, &flow, seat, member, &held));
        // What one model may not be told is one mistake, whoever tells it.
        if !faults.iter().any(|fault| fault.code == Code::NotToBeTold) {
            faults.extend(told(plan, &flow, seat, member, &held));
        }
    }
    draft.faults.extend(faults);
}

/// The tool of a member that would be asked with what is private and what others wrote.
fn two(plan: &Plan, flow: &Flow<'_>, seat: &Seat, member: &Member, held: &Held<'_>) -> Option<Fault> {
    let barred = |spec: &crate::topology::spec::ToolSpec| spec.bars(held.labels()).map(str::to_owned);
    let (tool, arg) = tools(member).into_iter().find_map(|tool| Some((tool, barred(plan.tools.get(tool)?)?)))?;
    let (private, untrusted) = (flow.way(&seat.name, Label::Private), flow.way(&seat.name, Label::Untrusted));
    let what = format!(
        "`{}` asks `{tool}` outside with what is private and what others wrote; `{arg}` takes neither. What others wrote comes by {}",
        seat.name,
        untrusted.join(" -> ")
    );
    let instead =
        "let one member read what others wrote and another one what is private, and let a person stand between them";
    Some(Fault { path: private, ..Fault::new(Code::RuleOfTwo, &seat.place, what, instead) })
}

/// The model of a member that would be told what is private, and may not be.
fn told(plan: &Plan, flow: &Flow<'_>, seat: &Seat, member: &Member, held: &Held<'_>) -> Option<Fault> {
    held.private.as_ref()?;
    let path = || flow.way(&seat.name, Label::Private);
    let teller =
        tools(member).into_iter().find_map(|tool| Some((tool, plan.tools.get(tool)?.refuses_private.as_ref()?)));
    if let Some((tool, model)) = teller {
        let what =
            format!("`{}` is shown what is private, and `{tool}` tells {model}, which may not be told that", seat.name);
        let instead = "give it a tool that tells nobody, or keep from it what is private";
        return Some(Fault { path: path(), ..Fault::new(Code::NotToBeTold, &seat.place, what, instead) });
    }
    let Role::Model { model, .. } = &member.role else { return None };
    let next = |alias: &&String| plan.models.get(*alias)?.fallback.as_ref();
    // A circle of fallbacks ends where it began.
    let mut asked = std::iter::successors(Some(model), next).take(plan.models.len());
    let spec = asked.find_map(|alias| plan.models.get(alias).filter(|spec| spec.refuses_private))?;
    let what = format!("`{}` is shown what is private, and {} may not be told that", seat.name, spec.model);
    let instead = "give it another model, or keep from it what is private";
    Some(Fault { path: path(), ..Fault::new(Code::NotToBeTold, &seat.model_place, what, instead) })
}

/// The tools that a member can use.
fn tools(member: &Member) -> Vec<&ToolName> {
    match &member.role {
        Role::Model { tools, .. } => tools.iter().collect(),
        Role::Tool { tool, .. } => vec![tool],
        Role::Person(_) | Role::Rule(_) => vec![],
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Label {
    Private,
    Untrusted,
}

/// By what a label came.
#[derive(Clone, Debug, PartialEq)]
enum Came<'p> {
    /// From outside the team.
    By(&'p str),
    /// By an artefact, of whoever wrote it.
    In(&'p ArtefactName, &'p AgentName),
    /// By what a member said.
    Said(&'p AgentName),
}

/// What a member may hold, and how each came to it first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held<'p> {
    private: Option<Came<'p>>,
    untrusted: Option<Came<'p>>,
}

impl<'p> Held<'p> {
    fn labels(&self) -> Labels {
        Labels { untrusted: self.untrusted.is_some(), private: self.private.is_some() }
    }

    fn get(&self, label: Label) -> Option<&Came<'p>> {
        match label {
            Label::Private => self.private.as_ref(),
            Label::Untrusted => self.untrusted.as_ref(),
        }
    }

    fn take(&mut self, labels: Labels, came: &Came<'p>) {
        if labels.private {
            self.private.get_or_insert_with(|| came.clone());
        }
        if labels.untrusted {
            self.untrusted.get_or_insert_with(|| came.clone());
        }
    }
}

/// What every member may come to hold.
struct Flow<'p> {
    members: BTreeMap<&'p AgentName, Held<'p>>,
}

impl<'p> Flow<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut flow = Self { members: plan.team.keys().map(|name| (name, Held::default())).collect() };
        // Each round brings a label at least one member further.
        for _ in 0..=plan.team.len() * 2 {
            let before = flow.members.clone();
            for (name, member) in &plan.team {
                flow.step(plan, name, member);
            }
            if flow.members == before {
                break;
            }
        }
        flow
    }

    fn of_member(&self, name: &AgentName) -> Held<'p> {
        self.members.get(name).cloned().unwrap_or_default()
    }

    /// What comes to one member from those beside it.
    fn step(&mut self, plan: &'p Plan, name: &'p AgentName, member: &'p Member) {
        let mut held = self.of_member(name);
        for tool in tools(member).into_iter().filter(|tool| tool.as_str() != ASK_TOOL) {
            if let Some(spec) = plan.tools.get(tool) {
                held.take(spec.labels, &Came::By(tool.as_str()));
            }
        }
        for artefact in read(plan, member) {
            for (writer, _) in plan.team.iter().filter(|(_, other)| writes(plan, other, artefact)) {
                held.take(self.of_member(writer).labels(), &Came::In(artefact, writer));
            }
        }
        for (from, other) in &plan.team {
            // What a person says is theirs.
            let says = !matches!(other.role, Role::Person(_));
            let hears = hands_to(plan, from, name) || other.may_ask.contains(name) || member.may_ask.contains(from);
            if says && hears {
                held.take(self.of_member(from).labels(), &Came::Said(from));
            }
        }
        self.members.insert(name, held);
    }

    /// How a label comes to a member, from where it begins.
    fn way(&self, name: &AgentName, label: Label) -> Vec<String> {
        let mut way = vec![name.to_string()];
        let mut at = self.of_member(name);
        while let Some(came) = at.get(label).cloned().filter(|_| way.len() <= self.members.len() * 2) {
            match came {
                Came::By(tool) => {
                    way.push(tool.to_owned());
                    break;
                }
                Came::In(_, from) | Came::Said(from) => {
                    way.push(from.to_string());
                    at = self.of_member(from);
                }
            }
        }
        way.reverse();
        way
    }
}

/// Whether a member writes an artefact, or a section of it.
fn writes(plan: &Plan, member: &Member, artefact: &ArtefactName) -> bool {
    member.writes.iter().any(|written| plan.whole(written) == plan.whole(artefact))
}

/// The artefacts that a member reads, a list as what it is of, and an item as the list that it is in.
fn read<'p>(plan: &'p Plan, member: &'p Member) -> Vec<&'p ArtefactName> {
    let reads = member.reads.iter().map(|read| &read.artefact);
    let args = match &member.role {
        Role::Tool { args, .. } => args.values().collect(),
        _ => vec![],
    };
    let roots = args.into_iter().filter_map(|arg| match arg {
        Arg::Path { root, .. } => plan.artefacts.keys().find(|name| name.as_str() == root),
        Arg::Value(_) => None,
    });
    reads.chain(roots).map(|name| written(plan, name)).collect()
}

fn written<'p>(plan: &'p Plan, name: &'p ArtefactName) -> &'p ArtefactName {
    if let Some(of) = plan.artefacts.get(name).and_then(|artefact| artefact.of.as_ref()) {
        return of;
    }
    let splits = plan.handoffs.values().flat_map(BTreeMap::values).filter_map(|handoff| handoff.split.as_ref());
    let mut lists = splits.filter_map(|split| match &split.over {
        Over::Each(each) if each.item == *name => Some(&each.artefact),
        _ => None,
    });
    lists.next().unwrap_or(name)
}

/// Whether what `from` says can reach `to` with a message.
fn hands_to(plan: &Plan, from: &AgentName, to: &AgentName) -> bool {
    let is_to = |recipient: &Recipient| matches!(recipient, Recipient::Member(member) if member == to);
    plan.handoffs.get(from).into_iter().flat_map(BTreeMap::values).any(|handoff| {
        let then = handoff.rounds.as_ref().is_some_and(|rounds| is_to(&rounds.then));
        is_to(&handoff.to) || then || handoff.split.as_ref().is_some_and(|split| split.begins().contains(to))
    })
}

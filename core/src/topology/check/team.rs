//! Rule: every member has an agent, and what its entry says fits the agent's kind; tools, models and artefacts exist.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::seat::{Seat, SeatKind, also_reads, limits, unfit};
use super::template::{self, Scope};
use super::{args, names, person, rule, sections};
use crate::id::{AgentName, ArtefactName, Outcome, ToolName};
use crate::topology::fault::{At, Code, Fault, Place, nearest};
use crate::topology::plan::{Budget, Member, Memory, Mode, ModelSpec, Param, Read, Role, TOOL_OUTCOME};
use crate::topology::raw::handoff::Handoffs;
use crate::topology::raw::{self, agent, topology::Topology};
use crate::topology::spec::{Reach, ToolSpec};

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, params: &BTreeMap<String, Param>) -> Vec<Seat> {
    let mut seats = vec![];
    for (name, member) in &raw.team {
        let Some(parsed) = names::parse_free::<AgentName>(draft, name) else {
            draft.damaged = true;
            draft.lost.insert(name.value.clone());
            continue;
        };
        let seat = if member.broken { None } else { seat(draft, raw, params, name, &parsed, member) };
        draft.damaged |= seat.is_none();
        seats.push(seat.unwrap_or_else(|| Seat::empty(parsed, &name.place)));
    }
    seats
}

fn seat(
    draft: &mut Draft<'_>,
    raw: &Topology,
    params: &BTreeMap<String, Param>,
    key: &At<String>,
    name: &AgentName,
    entry: &raw::topology::Member,
) -> Option<Seat> {
    let mut seat = Seat::empty(name.clone(), &key.place);
    if let (Some(otherwise), false) = (&entry.otherwise, entry.is_rule) {
        unfit(draft, &otherwise.place, "has an `else` and no `rule`", "write its rule, or take `else` out");
    }
    let (does, agent) = match (&entry.tool, entry.is_rule) {
        (_, true) => (String::new(), None),
        (Some(tool), false) => {
            if let Some(file) = &entry.file {
                unfit(draft, &file.place, "names a tool and a file", "keep one of `tool` and `file`");
            }
            let tool = agent::Tool { tool: tool.clone(), limits: raw::Limits::default() };
            (String::new(), Some(agent::Kind::Tool(tool)))
        }
        (None, false) => {
            let agent = file(draft, key, entry)?;
            (agent.does, Some(agent.kind))
        }
    };
    let reads = reads(draft, raw, entry, &mut seat);
    seat.reads_known = reads.len() == entry.reads.len() && !raw.damaged;
    let writes = artefacts(draft, raw, &entry.writes);
    let mut member = Member {
        does,
        reads,
        writes,
        limits: limits(&[]),
        may_ask: vec![],
        needs: BTreeMap::new(),
        memory: Memory::Turn,
        parallel: entry.parallel.as_ref().map(|at| at.value),
        role: Role::Model { outcomes: vec![], tools: vec![], model: String::new(), instructions: String::new() },
    };
    match agent {
        Some(agent::Kind::Model(mut model)) => {
            undeclared(draft, raw, name, &mut model);
            self::model(draft, entry, &model, &mut seat, &mut member);
        }
        Some(agent::Kind::Person(person)) => person::check(draft, raw, entry, &person, &mut seat, &mut member),
        Some(agent::Kind::Tool(tool)) => self::tool(draft, raw, params, entry, &tool, &mut seat, &mut member)?,
        None => rule::check(draft, raw, params, entry, &mut seat, &mut member)?,
    }
    if let Some(at) = seat.instructions.take() {
        let scope = Scope::of_instructions(draft, (name, &member), params);
        template::template(draft, &at, Some(&scope).filter(|_| seat.reads_known));
    }
    seat.member = Some(member);
    Some(seat)
}

fn file(draft: &mut Draft<'_>, key: &At<String>, entry: &raw::topology::Member) -> Option<agent::Agent> {
    let (path, named_at) = match &entry.file {
        Some(file) => (file.value.clone(), &file.place),
        None => (format!("agents/{}.toml", key.value), &key.place),
    };
    let (file, text) = draft.text(&path, named_at)?;
    draft.keep(agent::read(&file, &text))
}

/// Tells once that a model declares no outcomes and is handed on by several, which it has from then on.
fn undeclared(draft: &mut Draft<'_>, raw: &Topology, name: &AgentName, model: &mut agent::Model) {
    let ways = raw.handoffs.iter().find(|(from, _)| from.value == name.as_str());
    let Some((_, Handoffs::By(ways))) = ways.filter(|_| model.outcomes.is_empty()) else { return };
    let words: Vec<At<String>> = ways.iter().map(|(key, _)| key.clone()).collect();
    if words.iter().any(|word| word.value == TOOL_OUTCOME || word.value.parse::<Outcome>().is_err()) {
        return;
    }
    let list: Vec<String> = words.iter().map(|word| format!("{:?}", word.value)).collect();
    let line = format!("outcomes = [{}]", list.join(", "));
    let what =
        format!("`outcomes` is missing: [handoffs] hands `{name}` on by {}", list.join(" and ").replace('"', "`"));
    let fault = Fault::new(Code::MissingKey, &model.kind, what, format!("write {line}"));
    let end = Place { span: model.kind.span.end..model.kind.span.end, ..model.kind.clone() };
    draft.faults.push(fault.with_edit(end, format!("\n{line}")));
    model.outcomes = words;
}

fn artefacts(draft: &mut Draft<'_>, raw: &Topology, list: &[At<String>]) -> Vec<ArtefactName> {
    names::once(draft, list);
    let collected = |at: &At<String>| raw.artefacts.iter().any(|(name, of)| name.value == at.value && of.of.is_some());
    if let Some(at) = list.iter().find(|at| collected(at)) {
        let what = format!("`{}` is a list of what branches write: it is made where they meet", at.value);
        draft.fault(Code::Collected, &at.place, what, "write the artefact that it is a list of");
    }
    let found = list.iter().filter(|at| !collected(at)).filter_map(|at| sections::written(draft, raw, at));
    found.collect()
}

fn reads(draft: &mut Draft<'_>, raw: &Topology, entry: &raw::topology::Member, seat: &mut Seat) -> Vec<Read> {
    names::once(draft, &entry.reads);
    let mut reads = vec![];
    for at in &entry.reads {
        let optional = at.value.ends_with('?');
        let plain = At { value: at.value.trim_end_matches('?').to_owned(), place: at.place.clone() };
        let damaged = draft.damaged;
        if let Some(artefact) = draft.readable(raw, &plain) {
            if !optional {
                seat.needs.push((artefact.clone(), at.place.clone()));
            }
            reads.push(Read { artefact, optional });
        }
        // An unknown read says nothing about paths.
        draft.damaged = damaged;
    }
    reads
}

fn model(
    draft: &mut Draft<'_>,
    entry: &raw::topology::Member,
    model: &agent::Model,
    seat: &mut Seat,
    member: &mut Member,
) {
    if let Some(args) = &entry.args {
        unfit(draft, &args.place, "is a model: it has no `args`", "take `args` out");
    }
    if let Some(first) = entry.approves.first() {
        unfit(
            draft,
            &first.place,
            "is a model: it cannot approve",
            "let a person approve; a model hands on with an outcome",
        );
    }
    names::once(draft, &model.outcomes);
    let mut outcomes: Vec<Outcome> = vec![];
    for at in &model.outcomes {
        outcomes.extend(names::parse(draft, at));
    }
    draft.damaged |= outcomes.len() < model.outcomes.len();
    if model.outcomes.is_empty() {
        outcomes.extend(TOOL_OUTCOME.parse().ok());
    }
    names::once(draft, &model.tools);
    let mut tools: Vec<ToolName> = model.tools.iter().filter_map(|at| offered(draft, at)).collect();
    seat.tools_unknown = tools.len() < model.tools.len();
    member.needs = needs(draft, model, &outcomes, &mut tools, seat.tools_unknown);
    let alias = entry.model.as_ref().or(model.model.as_ref());
    if let Some(alias) = alias {
        seat.model_place = alias.place.clone();
    }
    if let Some(turns) = entry.limits.turns.as_ref().or(model.limits.turns.as_ref()) {
        seat.turns_place = turns.place.clone();
    }
    member.limits = limits(&[&entry.limits, &model.limits]);
    member.memory = model.memory;
    member.role = Role::Model {
        outcomes: outcomes.clone(),
        tools,
        model: alias.map_or_else(|| "default".to_owned(), |at| at.value.clone()),
        instructions: instructions(draft, model, seat),
    };
    seat.outcomes = outcomes;
    seat.kind = SeatKind::Model;
}

/// What each outcome needs: outcomes that there are, and tools that the agent is offered.
fn needs(
    draft: &mut Draft<'_>,
    model: &agent::Model,
    outcomes: &[Outcome],
    offered: &mut Vec<ToolName>,
    tools_unknown: bool,
) -> BTreeMap<Outcome, Vec<ToolName>> {
    let mut needs = BTreeMap::new();
    for (name, tools) in &model.needs {
        let Some(outcome) = outcomes.iter().find(|outcome| outcome.as_str() == name.value) else {
            draft.unknown(Code::UnknownOutcome, name, "outcome", outcomes.iter().map(Outcome::as_str));
            continue;
        };
        let is_offered = |offered: &[ToolName], at: &At<String>| {
            let mut written = model.tools.iter().map(|at| at.value.as_str());
            written.any(|name| name == at.value) || offered.iter().any(|tool| tool.as_str() == at.value)
        };
        for at in tools {
            if tools_unknown || is_offered(offered, at) {
                continue;
            }
            let is_near = nearest(&at.value, offered.iter().map(ToolName::as_str)).is_some();
            if let Some(spec) = draft.around.tools.get(at.value.as_str()).filter(|_| !is_near) {
                draft.faults.push(unoffered(model, at));
                offered.push(spec.name.clone());
                continue;
            }
            let known: BTreeSet<&str> = offered.iter().map(ToolName::as_str).collect();
            draft.unknown(Code::UnknownTool, at, "tool of this agent", known);
        }
        let tools = tools.iter().filter(|at| is_offered(offered, at)).filter_map(|at| at.value.parse().ok());
        needs.insert(outcome.clone(), tools.collect());
    }
    needs
}

/// Tells of a tool that an outcome needs, and that the agent is not offered.
fn unoffered(model: &agent::Model, at: &At<String>) -> Fault {
    let named = model.tools.iter().map(|tool| tool.value.as_str()).chain([at.value.as_str()]);
    let list: Vec<String> = named.map(|name| format!("{name:?}")).collect();
    let what = format!("an outcome needs `{}`, and `tools` of this agent does not name it", at.value);
    let line = format!("tools = [{}]", list.join(", "));
    let fault = Fault::new(Code::UnknownTool, &at.place, what, format!("write {line}"));
    let (place, text) = match model.tools.last() {
        Some(last) => (&last.place, format!(", {:?}", at.value)),
        None => (&model.kind, format!("\n{line}")),
    };
    let end = Place { span: place.span.end..place.span.end, ..place.clone() };
    fault.with_edit(end, text)
}

fn offered(draft: &mut Draft<'_>, at: &At<String>) -> Option<ToolName> {
    let spec = known_tool(draft, at)?;
    if spec.reach == Reach::ActsOut {
        let what = format!("`{}` acts on the world, and a model would call it without an approval", at.value);
        let instead = "make it a member of the team behind a person: NAME = { tool = \"...\", args = { ... } }";
        draft.fault(Code::OffersOutward, &at.place, what, instead);
    }
    let letters = spec.description.chars().count();
    if letters > DESCRIPTION_LETTERS_MAX {
        let what =
            format!("`{}` is described in {letters} characters, and {DESCRIPTION_LETTERS_MAX} are taken", at.value);
        let instead = "shorten what describes it in callsheet.toml, or make two connections of it";
        draft.fault(Code::ToolText, &at.place, what, instead);
    }
    Some(spec.name)
}

/// Longest description of a tool that every provider takes.
const DESCRIPTION_LETTERS_MAX: usize = 1_024;

/// Looks at a model agent that is on no team.
pub(super) fn alone(draft: &mut Draft<'_>, model: &agent::Model, seat: &mut Seat) {
    names::once(draft, &model.outcomes);
    let outcomes: Vec<Outcome> = model.outcomes.iter().filter_map(|at| names::parse(draft, at)).collect();
    names::once(draft, &model.tools);
    let mut tools: Vec<ToolName> = model.tools.iter().filter_map(|at| offered(draft, at)).collect();
    let tools_unknown = tools.len() < model.tools.len();
    // Which words are no outcome is told where they are declared.
    if outcomes.len() == model.outcomes.len() {
        needs(draft, model, &outcomes, &mut tools, tools_unknown);
    }
    instructions(draft, model, seat);
}

pub(super) fn known_tool(draft: &mut Draft<'_>, at: &At<String>) -> Option<ToolSpec> {
    let around = draft.around;
    if let Some(found) = around.tools.get(at.value.as_str()) {
        return Some(found.clone());
    }
    // What is wrong with the connection is told where it is.
    if around.unread || around.broken.contains(at.value.split('.').next().unwrap_or_default()) {
        draft.incomplete = true;
        return None;
    }
    let meant = draft.unknown(Code::UnknownTool, at, "tool", around.tools.keys().map(ToolName::as_str));
    meant.and_then(|meant| around.tools.get(meant)).cloned()
}

/// The instructions, from the agent's file or the one beside it.
fn instructions(draft: &mut Draft<'_>, model: &agent::Model, seat: &mut Seat) -> String {
    let (text, place) = match (&model.instructions, &model.instructions_file) {
        (Some(text), None) => (text.value.clone(), text.place.clone()),
        (None, Some(named)) => {
            let folder = named.place.file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = if folder.is_empty() { named.value.clone() } else { format!("{folder}/{}", named.value) };
            let Some((file, text)) = draft.text(&path, &named.place) else { return String::new() };
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                let place = Place { file: file.clone(), span: start..start + line.trim_end().len() };
                draft.faults.extend(super::secrets::fault(&At { value: line.to_owned(), place }));
                start += line.len();
            }
            (text.to_string(), Place { file, span: 0..0 })
        }
        (Some(_), Some(named)) => {
            let what = "`instructions` and `instructions_file` are both written";
            draft.fault(Code::WrongValue, &named.place, what, "keep one of them");
            return String::new();
        }
        (None, None) => {
            let file = model.outcomes.first().or(model.tools.first()).map(|at| at.place.file.clone());
            let place = file.map_or(seat.place.clone(), |file| Place { file, span: 0..0 });
            let instead =
                "write instructions = \"\"\"...\"\"\" or instructions_file = \"NAME.md\" into the agent's file";
            draft.fault(Code::MissingKey, &place, format!("`{}` has no instructions", seat.name), instead);
            return String::new();
        }
    };
    seat.instructions = Some(At { value: text.clone(), place });
    text
}

fn tool(
    draft: &mut Draft<'_>,
    raw: &Topology,
    params: &BTreeMap<String, Param>,
    entry: &raw::topology::Member,
    tool: &agent::Tool,
    seat: &mut Seat,
    member: &mut Member,
) -> Option<()> {
    if let Some(model) = &entry.model {
        unfit(draft, &model.place, "is a tool: it has no `model`", "take `model` out");
    }
    if let Some(first) = entry.approves.first() {
        unfit(draft, &first.place, "is a tool: it cannot approve", "let a person approve");
    }
    if let Some(second) = entry.writes.get(1) {
        let instead = "keep one: the tool's result becomes it";
        unfit(draft, &second.place, "is a tool: it writes one artefact at most", instead);
    }
    let spec = known_tool(draft, &tool.tool)?;
    let outward = spec.reach == Reach::ActsOut;
    let no_args = At { value: vec![], place: tool.tool.place.clone() };
    let written = entry.args.as_ref().unwrap_or(&no_args);
    let args = args::check(draft, raw, params, &spec, written);
    let mut delivers = BTreeSet::new();
    for (artefact, place) in &args.artefacts {
        also_reads(seat, member, artefact, place);
        // An item of a split is the same for its whole branch: what is made of it is shown to the person who approves.
        if !draft.items.contains_key(artefact.as_str()) {
            delivers.insert(artefact.clone());
        }
    }
    if outward && args.complete {
        args::approvable(draft, &spec, written, &delivers);
    }
    if let Some(turns) = entry.limits.turns.as_ref().or(tool.limits.turns.as_ref()) {
        seat.turns_place = turns.place.clone();
    }
    if member.does.is_empty() {
        member.does.clone_from(&spec.description);
    }
    member.limits = limits(&[&entry.limits, &tool.limits]);
    if entry.limits.call_timeout_ms.or(tool.limits.call_timeout_ms).is_none() {
        member.limits.call_timeout_ms = spec.call_timeout_ms;
    }
    member.role = Role::Tool { tool: spec.name, args: args.by_name };
    seat.outcomes.extend(TOOL_OUTCOME.parse().ok());
    seat.kind = SeatKind::Tool { outward, delivers };
    Some(())
}

/// The models that the team uses, by alias.
pub(super) fn models(draft: &mut Draft<'_>, seats: &[Seat], budget: &Budget) -> BTreeMap<String, ModelSpec> {
    let mut models = BTreeMap::new();
    let asked = |seat: &Seat| match &seat.member {
        Some(Member { role: Role::Model { model, .. }, .. }) => Some((model.clone(), seat.model_place.clone())),
        _ => None,
    };
    let mut wanted: Vec<(String, Place)> = seats.iter().filter_map(asked).collect();
    while let Some((alias, place)) = wanted.pop() {
        if models.contains_key(&alias) {
            continue;
        }
        let around = draft.around;
        let spec = match (around.models.get(&alias), around.mode) {
            (Some(spec), _) => spec.clone(),
            (None, Mode::Rehearsal) => around.models.get("default").cloned().unwrap_or_else(rehearsed),
            (None, Mode::Live | Mode::Replay) => {
                let at = At { value: alias, place };
                draft.unknown(Code::UnknownModel, &at, "model", around.models.keys().map(String::as_str));
                continue;
            }
        };
        let is_told = models.values().any(|known: &ModelSpec| known.model == spec.model);
        if let Some((what, instead, written)) = around.nowhere.get(&spec.model).filter(|_| around.mode == Mode::Live) {
            // Whether it has a price matters once somebody knows where it is.
            if !is_told {
                let at = written.as_ref().unwrap_or(&place);
                draft.quote(&at.file);
                draft.fault(Code::UnknownModel, at, what, instead);
            }
        } else if around.mode == Mode::Live && budget.cost.is_some() && around.unpriced.contains(&spec.model) {
            let what = format!("`{}` has no price, and the budget limits the cost", spec.model);
            let instead = format!(
                "write its price into callsheet.toml under [models.prices.\"{0}\"], or free = [\"{0}\"] under [models]",
                spec.model
            );
            draft.fault(Code::Unpriced, &place, what, instead);
        }
        wanted.extend(spec.fallback.iter().map(|to| (to.clone(), place.clone())));
        models.insert(alias.clone(), spec);
    }
    models
}

fn rehearsed() -> ModelSpec {
    ModelSpec { model: "rehearsal".to_owned(), ..ModelSpec::default() }
}

/// What the tools that the team uses declare.
pub(super) fn tools(draft: &Draft<'_>, members: &BTreeMap<AgentName, Member>) -> BTreeMap<ToolName, ToolSpec> {
    let used = members.values().flat_map(|member| match &member.role {
        Role::Model { tools, .. } => tools.clone(),
        Role::Tool { tool, .. } => vec![tool.clone()],
        Role::Person(_) | Role::Rule(_) => vec![],
    });
    used.filter_map(|name| Some((name.clone(), draft.around.tools.get(&name)?.clone()))).collect()
}

//! Rule: a rehearsal says only what its agents can do, and says something for each model.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Environment;
use serde_json::Value;

use super::asks::{self, Asks};
use super::draft::Draft;
use super::given::{ReadError, Test};
use super::handoffs::{self, Routes};
use super::seat::{Seat, SeatKind};
use super::team;
use super::{expectations, names};
use crate::id::{AgentName, ArtefactName, ToolName};
use crate::topology::fault::{At, Code, Place};
use crate::topology::plan::{ANSWER, ASK_TOOL, Line, Mode, Param, Role, Script, ScriptedCall};
use crate::topology::raw::{rehearsal, topology::Topology};

pub(super) fn check(
    draft: &mut Draft<'_>,
    raw: &Topology,
    seats: &[Seat],
    routes: &Routes,
    asks: &Asks,
    params: &BTreeMap<String, Param>,
) -> (Option<Script>, Vec<Test>) {
    let path = format!("rehearsals/{}.toml", draft.name);
    let models: Vec<&Seat> = seats.iter().filter(|seat| seat.kind == SeatKind::Model).collect();
    let needed = draft.around.mode == Mode::Rehearsal && !models.is_empty();
    if !needed && draft.files.read(&path) == Err(ReadError::Missing) {
        return (Some(Script::default()), vec![]);
    }
    let Some((file, text)) = draft.text(&path, &raw.top) else { return (None, vec![]) };
    let read = draft.keep(rehearsal::read(&file, &text));
    let Some(read) = read else { return (None, vec![]) };
    let mut script = Script::default();
    let mut heard = BTreeSet::new();
    for (agent, lines) in &read.agents {
        let Some(index) = handoffs::member(draft, seats, agent) else { continue };
        heard.insert(index);
        let seat = &seats[index];
        match &seat.kind {
            SeatKind::Model => {
                let lines = lines.iter().map(|line| self::line(draft, seat, routes, asks, index, line)).collect();
                script.lines.insert(seat.name.clone(), lines);
            }
            SeatKind::Unknown => {}
            _ => {
                let what = format!("`{}` is no model: a rehearsal does not speak for it", seat.name);
                draft.fault(Code::Script, &agent.place, what, "take its lines out; tools are real, people decide");
            }
        }
    }
    let silent = models.iter().filter(|seat| !script.lines.contains_key(&seat.name)).filter(|_| !draft.edges_missing);
    let silent: Vec<AgentName> = silent.map(|seat| seat.name.clone()).collect();
    for name in silent {
        let instead = format!("write [[{name}]] with outcome, note and writes into {path}");
        draft.fault(Code::NoScript, &read.top, format!("{path} has no line for `{name}`"), instead);
    }
    asks::answered(draft, asks, &read, &script);
    let tests = read.tests.iter().map(|test| expectations::check(draft, raw, seats, asks, params, test)).collect();
    (Some(script), tests)
}

fn line(
    draft: &mut Draft<'_>,
    seat: &Seat,
    routes: &Routes,
    asks: &Asks,
    index: usize,
    line: &rehearsal::Line,
) -> Line {
    if let Some(when) = &line.when {
        expression(draft, when);
    }
    for at in line.outcome.iter().chain(&line.note) {
        team::template(draft, at);
    }
    let mut results: Vec<At<String>> = vec![];
    let calls = line.calls.iter().filter_map(|call| {
        results.push(call.name.clone());
        self::call(draft, seat, asks, call)
    });
    let calls: Vec<ScriptedCall> = calls.collect();
    names::once(draft, &results);
    asks::few(draft, line);
    outcome(draft, seat, asks, line);
    let writes = writes(draft, seat, routes, index, line);
    Line {
        when: line.when.as_ref().map(|at| at.value.clone()),
        calls,
        outcome: line.outcome.as_ref().map(|at| at.value.clone()),
        note: line.note.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        writes,
    }
}

fn expression(draft: &mut Draft<'_>, at: &At<String>) {
    if let Err(error) = Environment::new().compile_expression(&at.value) {
        let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let what = format!("this expression does not parse: {why}");
        draft.fault(Code::Template, &at.place, what, "write it without {{ }}, such as when = \"round == 2\"");
    }
}

/// Tells of templates in a value that do not parse.
fn templates(draft: &mut Draft<'_>, value: &Value, place: &Place) {
    match value {
        Value::String(text) => team::template(draft, &At { value: text.clone(), place: place.clone() }),
        Value::Array(list) => list.iter().for_each(|value| templates(draft, value, place)),
        Value::Object(object) => object.values().for_each(|value| templates(draft, value, place)),
        _ => {}
    }
}

fn call(draft: &mut Draft<'_>, seat: &Seat, asks: &Asks, call: &rehearsal::Call) -> Option<ScriptedCall> {
    templates(draft, &call.args.value, &call.args.place);
    if call.tool.value == ASK_TOOL {
        return asks::question(draft, seat, asks, call);
    }
    let Some(Role::Model { tools, .. }) = seat.member.as_ref().map(|member| &member.role) else { return None };
    let Some(tool) = tools.iter().find(|tool| tool.as_str() == call.tool.value) else {
        draft.unknown(
            Code::Script,
            &call.tool,
            &format!("tool of `{}`", seat.name),
            tools.iter().map(ToolName::as_str),
        );
        return None;
    };
    let spec = draft.around.tools.get(tool)?;
    let takes = spec.args.get("properties").and_then(Value::as_object);
    let open = takes.is_none() || spec.args.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
    for name in call.args.value.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !open && !takes.is_some_and(|takes| takes.contains_key(name)) {
            let at = At { value: name.clone(), place: call.args.place.clone() };
            let known = takes.into_iter().flat_map(|takes| takes.keys().map(String::as_str));
            draft.unknown(Code::Script, &at, &format!("argument of {tool}"), known);
        }
    }
    Some(ScriptedCall { tool: tool.clone(), args: call.args.value.clone(), name: call.name.value.clone() })
}

fn outcome(draft: &mut Draft<'_>, seat: &Seat, asks: &Asks, line: &rehearsal::Line) {
    let is_asked = asks.values().flatten().any(|asked| *asked == seat.name);
    match &line.outcome {
        Some(at) if asks::is_rendered(&at.value) => {}
        Some(at) if seat.outcomes.iter().any(|outcome| outcome.as_str() == at.value) => {}
        Some(at) if is_asked && at.value == ANSWER => {
            if let Some((name, _)) = line.writes.first() {
                let what = format!("this line of `{}` answers a question, and writes `{}`", seat.name, name.value);
                draft.fault(Code::Script, &name.place, what, "take it out; an answer is its note");
            }
        }
        Some(at) => {
            let answer = is_asked.then_some(ANSWER);
            let known = seat.outcomes.iter().map(|outcome| outcome.as_str()).chain(answer);
            draft.unknown(Code::UnknownOutcome, at, &format!("outcome of `{}`", seat.name), known);
        }
        None if seat.outcomes.len() == 1 => {}
        None => {
            let what = format!("`{}` has several outcomes, and this line names none", seat.name);
            let first = seat.outcomes.first().map(ToString::to_string).unwrap_or_default();
            draft.fault(Code::Script, &line.place, what, format!("write outcome = \"{first}\""));
        }
    }
}

/// The artefacts of a line: those that its agent writes, all of them unless it leads to the end.
fn writes(
    draft: &mut Draft<'_>,
    seat: &Seat,
    routes: &Routes,
    index: usize,
    line: &rehearsal::Line,
) -> BTreeMap<ArtefactName, Value> {
    let written = seat.member.as_ref().map(|member| member.writes.clone()).unwrap_or_default();
    let mut values = BTreeMap::new();
    let mut mistaken = false;
    for (name, value) in &line.writes {
        templates(draft, &value.value, &value.place);
        match written.iter().find(|artefact| artefact.as_str() == name.value) {
            Some(artefact) => {
                values.insert(artefact.clone(), value.value.clone());
            }
            None => {
                mistaken = true;
                let what = format!("artefact that `{}` writes", seat.name);
                draft.unknown(Code::Script, name, &what, written.iter().map(ArtefactName::as_str));
            }
        }
    }
    let literal = line.outcome.as_ref().map(|at| at.value.as_str()).filter(|text| !asks::is_rendered(text));
    let mut ways = routes.all.iter().filter(|route| route.from == index);
    let goes_on = ways.any(|route| route.to.is_some() && literal.is_none_or(|text| route.outcome.as_str() == text));
    let missing = written.iter().find(|artefact| !values.contains_key(*artefact));
    if let (Some(artefact), true, false) = (missing, goes_on, mistaken) {
        let what = format!("this line of `{}` does not write `{artefact}`", seat.name);
        let instead =
            format!("add writes.{artefact} = {{ ... }}; a turn writes all its artefacts unless it leads to end");
        draft.fault(Code::Script, &line.place, what, instead);
    }
    values
}

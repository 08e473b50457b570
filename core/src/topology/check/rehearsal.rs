//! Rule: a rehearsal says only what its agents can do, and says something for each model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::asks::{self, Asks, is_rendered};
use super::draft::Draft;
use super::given::{Queries, ReadError, Surroundings, Test};
use super::handoffs::Routes;
use super::lacking::List;
use super::params::has_type;
use super::seat::{Seat, SeatKind};
use super::template::{self, Scope};
use super::{expectations, names, recipient, scripted, sections};
use crate::id::{AgentName, ArtefactName, ToolName};
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::plan::{ANSWER, ASK_TOOL, EXPIRED, Line, Mode, Over, Param, Role, Script, ScriptedCall};
use crate::topology::raw::{Tree, rehearsal, topology::Topology};

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
    // What teams within it say by themselves, they say here too, unless its own file has other lines for them.
    let inherited = std::mem::take(&mut draft.script);
    let speaks = |seat: &&&Seat| !inherited.lines.contains_key(&seat.name);
    let needed =
        draft.around.mode == Mode::Rehearsal && models.iter().any(|seat| speaks(&seat)) && draft.within.is_empty();
    if !needed && draft.files.read(&path) == Err(ReadError::Missing) {
        return (Some(inherited), vec![]);
    }
    let Some((file, text)) = draft.text(&path, &raw.top) else { return (None, vec![]) };
    let read = draft.keep(rehearsal::read(&file, &text));
    let Some(read) = read else { return (None, vec![]) };
    draft.asking = read.asked().map(str::to_owned).collect();
    let mut script = Script::default();
    let mut heard = BTreeSet::new();
    for (agent, lines) in &read.agents {
        let Some(index) = recipient::member(draft, seats, agent) else { continue };
        heard.insert(index);
        let seat = &seats[index];
        match &seat.kind {
            SeatKind::Model => {
                let results = results(draft.around, lines);
                let member = seat.member.as_ref().filter(|_| seat.reads_known);
                let scope = member.map(|member| Scope::of_instructions(draft, (&seat.name, member), params));
                let team = Team { seat, index, routes, asks, scope: scope.map(|scope| scope.of_rehearsal(results)) };
                let lines = lines.iter().map(|line| self::line(draft, &team, line)).collect();
                script.lines.insert(seat.name.clone(), lines);
            }
            SeatKind::Unknown => {}
            SeatKind::Person { approves, .. } if approves.is_empty() => {
                let lines = lines.iter().map(|line| answered(draft, seat, asks, line)).collect();
                script.lines.insert(seat.name.clone(), lines);
            }
            _ => {
                let what = format!("`{}` is no model: a rehearsal does not speak for it", seat.name);
                draft.fault(Code::Script, &agent.place, what, "take its lines out; tools are real, people decide");
            }
        }
    }
    for (name, lines) in inherited.lines {
        script.lines.entry(name).or_insert(lines);
    }
    let silent = models.iter().filter(|seat| !script.lines.contains_key(&seat.name)).filter(|_| !draft.edges_missing);
    let silent: Vec<AgentName> = silent.map(|seat| seat.name.clone()).collect();
    let is_member = !draft.within.is_empty();
    for name in silent.into_iter().filter(|_| !is_member) {
        let instead = format!("write [[{name}]] with outcome, note and writes into {path}");
        draft.fault(Code::NoScript, &read.top, format!("{path} has no line for `{name}`"), instead);
    }
    asks::answered(draft, asks, &read, &script);
    if let Some(test) = read.tests.first().filter(|_| !draft.taken.is_empty()) {
        let what = format!("`{}` does not run by itself: others bring what it takes", draft.name);
        draft.fault(
            Code::Expectation,
            &test.name.place,
            what,
            "test it in the rehearsal of a team that has it as a member",
        );
    }
    let tests = read.tests.iter().map(|test| expectations::check(draft, raw, seats, asks, params, test)).collect();
    (Some(script), tests)
}

/// What the calls of one agent's lines give, by the names that they have in its templates: a schema, which says nothing
/// where that is not known, or where a name is that of different results.
fn results(around: &Surroundings, lines: &[rehearsal::Line]) -> BTreeMap<String, Value> {
    let mut results: BTreeMap<String, Value> = BTreeMap::new();
    for call in lines.iter().flat_map(|line| &line.calls) {
        let result = result(around, call).unwrap_or_else(|| json!({}));
        let same = results.entry(call.name.value.clone()).or_insert_with(|| result.clone());
        if *same != result {
            *same = json!({});
        }
    }
    results
}

/// What one call gives, if its tool or its query says so.
fn result(around: &Surroundings, call: &rehearsal::Call) -> Option<Value> {
    if call.tool.value == ASK_TOOL {
        return Some(json!({ "type": "string" }));
    }
    let queries = around.queries.get(call.tool.value.as_str());
    let named = call.args.value.get("query").and_then(Value::as_str);
    let of_query = named.and_then(|name| queries?.get(name)?.result.as_ref());
    let mut result = of_query.or(around.tools.get(call.tool.value.as_str())?.result.as_ref())?.clone();
    // A call that came back as an error says why.
    if let Some(fields) = result.get_mut("properties").and_then(Value::as_object_mut) {
        fields.entry("error").or_insert_with(|| json!({ "type": "string" }));
    }
    Some(result)
}

/// What a person answers in a test: said as it stands, for nothing is computed for them.
fn answered(draft: &mut Draft<'_>, seat: &Seat, asks: &Asks, line: &rehearsal::Line) -> Line {
    let literal = "write it as it is to be said: templates are for agents";
    if let Some(at) = &line.when {
        draft.fault(
            Code::Script,
            &at.place,
            format!("`{}` is a person: no line depends on anything", seat.name),
            literal,
        );
    }
    if let Some(call) = line.calls.first() {
        let what = format!("`{}` is a person, and calls no tool", seat.name);
        draft.fault(Code::Script, &call.tool.place, what, "take `calls` out");
    }
    let texts = line.writes.iter().flat_map(|(_, value)| value.texts());
    let rendered: Vec<At<String>> =
        line.outcome.iter().chain(&line.note).cloned().chain(texts).filter(|at| is_rendered(&at.value)).collect();
    for at in rendered {
        draft.fault(Code::Script, &at.place, format!("`{}` is a person, and this is a template", seat.name), literal);
    }
    outcome(draft, seat, asks, line);
    let written = seat.member.as_ref().map(|member| member.writes.clone()).unwrap_or_default();
    let mut writes = BTreeMap::new();
    let own: Vec<String> = written.iter().map(|artefact| draft.called(&seat.name, artefact).to_string()).collect();
    for (name, value) in &sections::of_line(draft, line, &own) {
        let found = own.iter().position(|own| *own == name.value).and_then(|nth| written.get(nth));
        let Some(artefact) = found else {
            unwritten(draft, seat, name, &own);
            continue;
        };
        if let Some(schema) = draft.schema(artefact) {
            scripted::check(draft, Code::ScriptedValue, artefact.as_str(), value, &schema, &[]);
        }
        writes.insert(artefact.clone(), value.value.clone());
    }
    Line {
        when: None,
        calls: vec![],
        outcome: line.outcome.as_ref().map(|at| at.value.clone()),
        note: line.note.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        writes,
    }
}

/// What the lines of one agent are checked against.
struct Team<'t> {
    seat: &'t Seat,
    /// Its place in the team.
    index: usize,
    routes: &'t Routes,
    asks: &'t Asks,
    /// What its templates may name; none if that is not known.
    scope: Option<Scope>,
}

fn line(draft: &mut Draft<'_>, team: &Team<'_>, line: &rehearsal::Line) -> Line {
    let scope = team.scope.as_ref();
    if let Some(when) = &line.when {
        template::expression(draft, when, scope);
    }
    for at in line.outcome.iter().chain(&line.note) {
        template::template(draft, at, scope);
    }
    let mut results: Vec<At<String>> = vec![];
    let calls = line.calls.iter().filter_map(|call| {
        results.push(call.name.clone());
        self::call(draft, team, call)
    });
    let calls: Vec<ScriptedCall> = calls.collect();
    names::once(draft, &results);
    asks::few(draft, line);
    outcome(draft, team.seat, team.asks, line);
    let writes = writes(draft, team, line);
    Line {
        when: line.when.as_ref().map(|at| at.value.clone()),
        calls,
        outcome: line.outcome.as_ref().map(|at| at.value.clone()),
        note: line.note.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        writes,
    }
}

fn call(draft: &mut Draft<'_>, team: &Team<'_>, call: &rehearsal::Call) -> Option<ScriptedCall> {
    let seat = team.seat;
    call.args.texts().iter().for_each(|at| template::template(draft, at, team.scope.as_ref()));
    if call.tool.value == ASK_TOOL {
        return asks::question(draft, seat, team.asks, call);
    }
    let Some(Role::Model { tools, .. }) = seat.member.as_ref().map(|member| &member.role) else { return None };
    let Some(tool) = tools.iter().find(|tool| tool.as_str() == call.tool.value) else {
        let connection = call.tool.value.split('.').next().unwrap_or_default();
        if !seat.tools_unknown && !draft.around.unread && !draft.around.broken.contains(connection) {
            unoffered(draft, seat, &call.tool, tools);
        }
        return None;
    };
    let around = draft.around;
    let spec = around.tools.get(tool)?;
    let queries = around.queries.get(tool).filter(|queries| !queries.is_empty());
    // What a named query takes is told by the query.
    let untold: &[&str] = if queries.is_some() { &["/args"] } else { &[] };
    scripted::check(draft, Code::Script, tool.as_str(), &call.args, &spec.args, untold);
    if let Some(queries) = queries {
        query(draft, queries, &call.args);
    }
    Some(ScriptedCall { tool: tool.clone(), args: call.args.value.clone(), name: call.name.value.clone() })
}

/// Tells, once an agent, of a tool that its lines call and that it is not offered.
fn unoffered(draft: &mut Draft<'_>, seat: &Seat, tool: &At<String>, tools: &[ToolName]) {
    let is_near = nearest(&tool.value, tools.iter().map(ToolName::as_str)).is_some();
    if is_near || !draft.around.tools.contains_key(tool.value.as_str()) {
        let what = format!("tool of `{}`", seat.name);
        draft.unknown(Code::Script, tool, &what, tools.iter().map(ToolName::as_str));
        return;
    }
    let list: Vec<String> =
        tools.iter().map(ToolName::as_str).chain([tool.value.as_str()]).map(|name| format!("{name:?}")).collect();
    let what =
        format!("the script of `{}` calls `{}`, and `tools` of its file does not name it", seat.name, tool.value);
    let instead = format!("write tools = [{}] into that file, or take the call out", list.join(", "));
    let fault = Fault::new(Code::Script, &tool.place, what, instead);
    if !draft.faults.iter().any(|told| told.what == fault.what) {
        draft.faults.push(fault);
    }
}

/// Whether a call of a named query gives it what it takes.
fn query(draft: &mut Draft<'_>, queries: &Queries, args: &Tree) {
    let Some((_, named)) = args.part("query") else { return };
    let Some((name, takes)) = named.value.as_str().and_then(|name| queries.get_key_value(name)) else { return };
    let given = args.part("args").map(|(_, given)| given);
    let takes = &takes.args;
    let keys: Vec<&At<String>> = given.into_iter().flat_map(|given| given.parts.iter().map(|(key, _)| key)).collect();
    let mut missing: Vec<&str> = takes.keys().map(String::as_str).collect();
    missing.retain(|arg| !keys.iter().any(|key| key.value == *arg));
    for key in keys.iter().filter(|key| !takes.contains_key(&key.value)) {
        let what = format!("argument of the query {name}");
        let known = takes.keys().map(String::as_str);
        let meant = draft.unknown(Code::Script, key, &what, known);
        missing.retain(|arg| Some(*arg) != meant);
    }
    for arg in missing {
        let what = format!("the query {name} needs the argument `{arg}`");
        let place = given.map_or(&named.place, |given| &given.place);
        draft.fault(Code::Script, place, what, format!("write args = {{ {arg} = \"...\" }} beside its name"));
    }
    for (key, value) in given.into_iter().flat_map(|given| &given.parts) {
        let kind = takes.get(&key.value).copied();
        let is_known = !value.value.as_str().is_some_and(is_rendered);
        if let Some(kind) = kind.filter(|kind| is_known && !has_type(&value.value, *kind)) {
            let what = format!("the argument `{}` of the query {name} is of type {}", key.value, kind.word());
            draft.fault(Code::Script, &value.place, what, format!("write a value of type {}", kind.word()));
        }
    }
}

fn outcome(draft: &mut Draft<'_>, seat: &Seat, asks: &Asks, line: &rehearsal::Line) {
    let is_asked = asks.values().flatten().any(|asked| *asked == seat.name);
    match &line.outcome {
        Some(at) if is_rendered(&at.value) => {}
        Some(at) if seat.outcomes.iter().any(|outcome| outcome.as_str() == at.value) => {}
        Some(at) if is_asked && at.value == ANSWER => {
            if let Some((name, _)) = line.writes.first() {
                let what = format!("this line of `{}` answers a question, and writes `{}`", seat.name, name.value);
                draft.fault(Code::Script, &name.place, what, "take it out; an answer is its note");
            }
        }
        // That nobody may ask it is told at who would ask.
        Some(at) if at.value == ANSWER && draft.asking.contains(seat.name.as_str()) => {}
        Some(at) => {
            let answer = is_asked.then_some(ANSWER);
            let known = seat.outcomes.iter().map(|outcome| outcome.as_str()).chain(answer);
            draft.unknown(Code::UnknownOutcome, at, &format!("outcome of `{}`", seat.name), known);
        }
        None if seat.outcomes.iter().filter(|outcome| outcome.as_str() != EXPIRED).count() <= 1 => {}
        None => {
            let what = format!("`{}` has several outcomes, and this line names none", seat.name);
            let first = seat.outcomes.first().map(ToString::to_string).unwrap_or_default();
            draft.fault(Code::Script, &line.place, what, format!("write outcome = \"{first}\""));
        }
    }
}

/// The artefacts of a line: those that its agent writes, all of them unless it leads to the end.
fn writes(draft: &mut Draft<'_>, team: &Team<'_>, line: &rehearsal::Line) -> BTreeMap<ArtefactName, Value> {
    let (seat, routes, index) = (team.seat, team.routes, team.index);
    let written = seat.member.as_ref().map(|member| member.writes.clone()).unwrap_or_default();
    let mut values = BTreeMap::new();
    let mut mistaken = false;
    let own: Vec<String> = written.iter().map(|artefact| draft.called(&seat.name, artefact).to_string()).collect();
    for (name, value) in &sections::of_line(draft, line, &own) {
        value.texts().iter().for_each(|at| template::template(draft, at, team.scope.as_ref()));
        match own.iter().position(|own| *own == name.value).and_then(|nth| written.get(nth)) {
            Some(artefact) => {
                // An answer to a question writes nothing, which is told.
                let is_answer = line.outcome.as_ref().is_some_and(|at| at.value == ANSWER);
                if let Some(schema) = draft.schema(artefact).filter(|_| !is_answer) {
                    scripted::check(draft, Code::ScriptedValue, artefact.as_str(), value, &schema, &[]);
                }
                too_many(draft, routes, artefact, value);
                values.insert(artefact.clone(), value.value.clone());
            }
            None => {
                mistaken = true;
                unwritten(draft, seat, name, &own);
            }
        }
    }
    let literal = line.outcome.as_ref().map(|at| at.value.as_str()).filter(|text| !is_rendered(text));
    let mut ways = routes.all.iter().filter(|route| route.from == index);
    let goes_on = ways.any(|route| {
        (route.to.is_some() || route.fan.is_some()) && literal.is_none_or(|text| route.outcome.as_str() == text)
    });
    let missing = written.iter().find(|artefact| !values.contains_key(*artefact));
    if let (Some(artefact), true, false) = (missing, goes_on, mistaken) {
        let artefact = draft.called(&seat.name, artefact);
        let what = format!("this line of `{}` does not write `{artefact}`", seat.name);
        let instead =
            format!("add writes.{artefact} = {{ ... }}; a turn writes all its artefacts unless it leads to end");
        draft.fault(Code::Script, &line.place, what, instead);
    }
    values
}

/// Tells of an artefact that a line writes and its agent does not: the name is wrong, or the agent's entry lacks it.
fn unwritten(draft: &mut Draft<'_>, seat: &Seat, name: &At<String>, own: &[String]) {
    let is_near = nearest(&name.value, own.iter().map(String::as_str)).is_some();
    if draft.kinds.contains_key(&name.value) && !is_near {
        let what = format!("`{}` does not write `{}`", seat.name, name.value);
        draft.forgot(seat.name.as_str(), List::Writes, &name.value, Fault::new(Code::Script, &name.place, what, ""));
        return;
    }
    let what = format!("artefact that `{}` writes", seat.name);
    draft.unknown(Code::Script, name, &what, own.iter().map(String::as_str));
}

/// Tells of a list that stands in the script and is longer than the splits over it take.
fn too_many(draft: &mut Draft<'_>, routes: &Routes, artefact: &ArtefactName, value: &Tree) {
    let overs = routes.all.iter().filter_map(|route| route.fan.as_ref()).map(|fan| &fan.split.over);
    for over in overs {
        let Over::Each(each) = over else { continue };
        let list = value.at(each.keys.iter().map(String::as_str));
        let items = list.value.as_array().map_or(0, Vec::len);
        if each.artefact == *artefact && items > each.most as usize {
            let what = format!("this list has {items} items, and the split over it takes {}", each.most);
            draft.fault(
                Code::ScriptedValue,
                &list.place,
                what,
                format!("write {} or less, or a greater `most`", each.most),
            );
            return;
        }
    }
}

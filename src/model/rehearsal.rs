//! The model of a rehearsal: agents speak the lines of a script, filled in from what tools returned. No model runs,
//! and nothing is remembered between two replies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::conversation;
use super::template::{Error, Rendered, Scope};
use super::{Act, Answer, Ask, Model, Origin, Reply, Section, ToolCall};
use crate::failure::Usage;
use crate::failure::Work;
use crate::failure::{Class, Failure};
use crate::run::body::FailureReport;
use crate::topology::plan::{ANSWER, Line, Role};

/// Speaks the script of the plan that it is asked with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rehearsal;

impl Model for Rehearsal {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move { speak(ask) })
    }
}

/// How many tokens `bytes` bytes count as in a rehearsal: four bytes a token, rounded up.
pub fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

fn speak(ask: &Ask) -> Result<Reply, Failure> {
    let lines = ask.plan.script.as_ref().and_then(|script| script.lines.get(&ask.agent));
    let Some(lines) = lines.filter(|lines| !lines.is_empty()) else {
        let member = &ask.member;
        let file = if *member == ask.agent {
            format!("rehearsals/{}.toml", ask.plan.name)
        } else {
            "its rehearsal".to_owned()
        };
        return Err(permanent(format!("{member} has no lines: write [[{member}]] in {file}")));
    };
    let scope = scope(ask);
    let (index, calls_made) = match under_way(ask) {
        Some(under_way) => under_way,
        None => (pick(ask, lines, &scope)?, 0),
    };
    let Some(line) = lines.get(index as usize) else {
        return Err(permanent(format!("{} has no line {}", ask.member, index + 1)));
    };
    let spoken = match line.calls.get(calls_made) {
        Some(call) => scope.render(&format!("calls.{}", call.name), &call.args).map(|args| Rendered {
            value: Act::Calls(vec![ToolCall {
                id: call.name.clone(),
                tool: call.tool.clone(),
                args: args.value,
                named: String::new(),
            }]),
            computed: args.computed,
        }),
        None => return answer(ask, line, index, &scope),
    };
    let spoken = spoken.map_err(|error| unspoken(ask, index, &error))?;
    reply(ask, index, spoken)
}

/// The line whose calls this turn is in the middle of, and how many of them have been made.
fn under_way(ask: &Ask) -> Option<(u32, usize)> {
    let last = ask.now.said.last().filter(|exchange| matches!(exchange.reply.act, Act::Calls(_)))?;
    let line = last.reply.line?;
    let same =
        ask.now.said.iter().rev().take_while(|e| matches!(e.reply.act, Act::Calls(_)) && e.reply.line == Some(line));
    Some((line, same.count()))
}

/// The first unused line whose `when` holds; the last that holds, if all are used.
fn pick(ask: &Ask, lines: &[Line], scope: &Scope) -> Result<u32, Failure> {
    let used = |index: u32| ask.lines_used.contains(&index) || ask.now.said.iter().any(|e| e.reply.line == Some(index));
    let mut last = None;
    for (index, line) in (0..).zip(lines) {
        let holds = match &line.when {
            Some(when) => scope.holds("when", when).map_err(|error| unspoken(ask, index, &error))?,
            None => true,
        };
        if holds && !used(index) {
            return Ok(index);
        }
        if holds {
            last = Some(index);
        }
    }
    last.ok_or_else(|| {
        let (agent, from, outcome) = (&ask.agent, &ask.now.message.from, &ask.now.message.outcome);
        permanent(format!("{agent} has no line whose `when` holds for {outcome} from {from}: add one without `when`"))
    })
}

fn answer(ask: &Ask, line: &Line, index: u32, scope: &Scope) -> Result<Reply, Failure> {
    let wrong = |error| unspoken(ask, index, &error);
    let mut computed = false;
    let outcome = match &line.outcome {
        Some(template) => scope.text("outcome", template).map_err(wrong)?.value.trim().to_owned(),
        None => only_outcome(ask, index)?,
    };
    let outcome =
        outcome.parse().map_err(|error| permanent(format!("{}, outcome {outcome:?}: {error}", place(ask, index))))?;
    let note = scope.text("note", &line.note).map_err(wrong)?;
    // An answer to a question is its note and nothing else.
    computed |= ask.is_question && note.computed;
    let note = note.value;
    let mut writes = BTreeMap::new();
    for (artefact, body) in &line.writes {
        let rendered = scope.render(&format!("writes.{artefact}"), body).map_err(wrong)?;
        computed |= rendered.computed;
        writes.insert(artefact.clone(), rendered.value);
    }
    reply(ask, index, Rendered { value: Act::Answer(Answer { outcome, note, writes }), computed })
}

fn only_outcome(ask: &Ask, index: u32) -> Result<String, Failure> {
    if ask.is_question {
        return Ok(ANSWER.to_owned());
    }
    match ask.plan.team.get(&ask.agent).map(|member| &member.role) {
        Some(Role::Model { outcomes, .. }) if outcomes.len() == 1 => Ok(outcomes[0].to_string()),
        _ => {
            let place = place(ask, index);
            Err(permanent(format!("{place}: `outcome` is missing, and the agent has not exactly one")))
        }
    }
}

fn reply(ask: &Ask, line: u32, spoken: Rendered<Act>) -> Result<Reply, Failure> {
    let shown = conversation::prompt(ask)?.bytes();
    let usage = Usage {
        input_tokens: tokens(usize::try_from(shown).unwrap_or(usize::MAX)),
        output_tokens: tokens(length(&spoken.value)),
        ..Usage::NOTHING
    };
    let origin = if spoken.computed { Origin::Computed } else { Origin::Scripted };
    Ok(Reply { line: Some(line), usage: Some(usage), ..Reply::new(spoken.value, origin) })
}

fn length(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}

fn scope(ask: &Ask) -> Scope {
    let mut scope = Scope::default();
    // What the agent is shown again of its earlier turns gives way to what it has now.
    for (name, result) in ask.earlier.iter().flat_map(results) {
        scope.add(name, result);
    }
    for (name, body) in &ask.now.desk {
        scope.add(name.as_str(), body);
    }
    for (name, result) in results(&ask.now) {
        scope.add(name, result);
    }
    let nothing = json!([]);
    let checks: BTreeMap<_, _> =
        ask.now.desk.keys().map(|name| (name, ask.now.checks.get(name).unwrap_or(&nothing))).collect();
    let answered = ask.now.said.iter().rev().find(|exchange| matches!(exchange.reply.act, Act::Answer(_)));
    let problems = answered.map(|exchange| exchange.problems.as_slice()).unwrap_or_default();
    scope.add("brief", &json!(ask.brief));
    scope.add("message", &ask.now.message.whole());
    scope.add("desk", &json!(ask.now.desk));
    scope.add("round", &json!(ask.now.message.round));
    scope.add("turn", &json!(ask.turn));
    scope.add("checks", &json!(checks));
    scope.add("problems", &json!(problems));
    scope
}

/// The results of a turn's calls, by the name that its script gives them.
fn results(section: &Section) -> impl Iterator<Item = (&String, &Value)> {
    section.said.iter().flat_map(|exchange| &exchange.results)
}

/// A template failed; if a tool's error is in scope, that is most likely why.
fn unspoken(ask: &Ask, line: u32, error: &Error) -> Failure {
    let failed: Vec<String> = results(&ask.now)
        .filter_map(|(name, result)| {
            Some(format!("; {name} came back as an error: {}", FailureReport::read(result)?.error))
        })
        .collect();
    permanent(format!("{}, {error}{}", place(ask, line), failed.concat()))
}

/// Where in the rehearsal's file a line of an agent stands.
fn place(ask: &Ask, line: u32) -> String {
    // The lines of a team within another one stand in its own file, or in that of the other.
    match ask.member == ask.agent {
        true => format!("rehearsals/{}.toml, [[{}]] no. {}", ask.plan.name, ask.agent, line + 1),
        false => format!("rehearsal, [[{}]] no. {}", ask.member, line + 1),
    }
}

fn permanent(reason: String) -> Failure {
    Failure::new(Class::Permanent, reason)
}

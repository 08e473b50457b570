//! What a call computes from: the rows of an earlier result of its turn, or what its model wrote itself; and whether a turn
//! has the evidence that an outcome needs.

use serde_json::Value;

use crate::id::{AgentName, Outcome, ToolName};
use crate::model::names::{Names, ROWS_FROM};
use crate::model::{Act, Exchange, Section, ToolCall};
use crate::run::body;
use crate::topology::plan::{Mode, Plan};

/// The arguments of a call, with the rows that it takes from an earlier result of the turn.
pub(super) fn args_of(call: &ToolCall, before: &[Exchange], names: Option<&Names>) -> Result<Value, String> {
    let (Some(from), Some(args)) = (call.args.get(ROWS_FROM), call.args.as_object()) else {
        return Ok(call.args.clone());
    };
    let tool = from.as_str().and_then(|name| names?.tool(name));
    let rows = before.iter().rev().find_map(|exchange| {
        let Act::Calls(calls) = &exchange.reply.act else { return None };
        let of_tool = calls.iter().rev().filter(|made| Some(&made.tool) == tool.as_ref());
        of_tool.filter_map(|made| exchange.results.get(&made.id)?.get("rows")).find(|rows| rows.is_array()).cloned()
    });
    let rows = rows.ok_or_else(|| format!("{ROWS_FROM}: no result of {from} in this turn has rows: call it first"))?;
    let mut args = args.clone();
    args.remove(ROWS_FROM);
    args.insert("rows".to_owned(), rows);
    Ok(Value::Object(args))
}

/// Whether what a call computes from was written by its model: neither named by [`ROWS_FROM`] nor, row for row, what a result
/// of the turn gave.
pub(super) fn is_typed(plan: &Plan, call: &ToolCall, before: &[Exchange]) -> bool {
    let Some(spec) = plan.tools.get(&call.tool) else { return false };
    let mut written = spec.data_args.iter().filter_map(|name| call.args.get(name));
    let gave = |result: &Value, data: &Value| data.is_array() && result.get("rows") == Some(data);
    written.any(|data| !before.iter().flat_map(|exchange| exchange.results.values()).any(|result| gave(result, data)))
}

/// That what a call computes from was written out, and how it takes its rows from a result: a script by its template, a model
/// by the tool's name.
fn written_out(mode: Mode) -> String {
    match mode {
        Mode::Rehearsal => {
            "and the script wrote out what it was computed from: give it rows = \"{{ NAME.rows }}\", where NAME is \
                            the `as` of the call whose result has the rows"
                .to_owned()
        }
        Mode::Live | Mode::Replay => format!(
            "and you wrote yourself what it was computed from: call it again and name in {ROWS_FROM} the tool whose result has \
             the rows"
        ),
    }
}

/// What an outcome needs and the turn has not: a result of a tool, and where its model may name the rows, one over rows that
/// another tool gave. What it types is its word and no evidence.
pub(super) fn unfounded(plan: &Plan, agent: &AgentName, now: &Section, outcome: &Outcome) -> Option<String> {
    let member = plan.team.get(agent)?;
    let (needed, names) = (member.needs.get(outcome)?, Names::of(member));
    let results = |tool: &ToolName| {
        let of_tool = |(nth, exchange): (usize, &Exchange)| {
            let Act::Calls(calls) = &exchange.reply.act else { return Vec::new() };
            let made = calls.iter().filter(|call| call.tool == *tool);
            let came = made.filter(|call| exchange.results.get(&call.id).is_some_and(body::is_result));
            came.map(|call| is_typed(plan, call, &now.said[..nth])).collect()
        };
        now.said.iter().enumerate().flat_map(of_tool).collect::<Vec<bool>>()
    };
    let list = |tools: &[&ToolName]| tools.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(" and ");
    let (mut missing, mut typed) = (Vec::new(), Vec::new());
    for tool in needed {
        let results = results(tool);
        match results.iter().all(|is_typed| *is_typed) {
            true if results.is_empty() => missing.push(tool),
            true if !names.others(tool).is_empty() => typed.push(tool),
            _ => {}
        }
    }
    if !missing.is_empty() {
        let what = list(&missing);
        return Some(format!(
            "the outcome {outcome} needs a result of {what} in this turn, and there is none: call it first"
        ));
    }
    (!typed.is_empty()).then(|| {
        let (what, instead) = (list(&typed), written_out(plan.mode));
        format!("the outcome {outcome} needs a result of {what} over rows that a tool gave, {instead}")
    })
}

//! Rule: a member that decides by a rule looks at values that are there, compares each with its own kind, and has an outcome for
//! whatever it finds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::{follow, types};
use super::draft::Draft;
use super::names;
use super::seat::{Seat, SeatKind, limits, unfit};
use crate::id::{ArtefactName, Outcome};
use crate::topology::fault::{At, Code, Place};
use crate::topology::plan::{Member, Param, Read, Role};
use crate::topology::raw::rule as written;
use crate::topology::raw::topology::{self, Topology};
use crate::topology::rule::{Condition, Rule, RuleLine};

pub(super) fn check(
    draft: &mut Draft<'_>,
    raw: &Topology,
    params: &BTreeMap<String, Param>,
    entry: &topology::Member,
    seat: &mut Seat,
    member: &mut Member,
) -> Option<()> {
    fits(draft, entry);
    let rule = entry.rule.as_ref()?;
    let otherwise = match &entry.otherwise {
        Some(otherwise) => names::parse::<Outcome>(draft, otherwise),
        None => {
            let what = format!("the rule of `{}` has no `else`", seat.name);
            draft.fault(Code::RuleElse, &rule.place, what, "write else = \"the outcome if no line holds\" beside it");
            None
        }
    };
    let mut lines: Vec<RuleLine> = vec![];
    for written in &rule.value {
        let Some(line) = line(draft, raw, params, seat, member, written) else { continue };
        if let Some(nth) = lines.iter().position(|before| covers(before, &line)) {
            let what = format!("this line can never hold: line {} holds whenever it would", nth + 1);
            draft.fault(Code::RuleLine, &written.place, what, "take it out, or put it before that line");
        }
        lines.push(line);
    }
    let known = lines.len() == rule.value.len();
    let rule = Rule { lines, otherwise: otherwise.filter(|_| known)? };
    if let Some(turns) = &entry.limits.turns {
        seat.turns_place = turns.place.clone();
    }
    member.does = rule.words();
    member.limits = limits(&[&entry.limits]);
    seat.outcomes = rule.outcomes();
    seat.kind = SeatKind::Rule;
    member.role = Role::Rule(rule);
    Some(())
}

fn fits(draft: &mut Draft<'_>, entry: &topology::Member) {
    for (name, at) in [("file", &entry.file), ("tool", &entry.tool), ("model", &entry.model)] {
        if let Some(at) = at {
            unfit(draft, &at.place, &format!("decides by a rule: it has no `{name}`"), &format!("take `{name}` out"));
        }
    }
    if let Some(args) = &entry.args {
        unfit(draft, &args.place, "decides by a rule: it has no `args`", "take `args` out");
    }
    for (name, list) in [("writes", &entry.writes), ("approves", &entry.approves)] {
        if let Some(first) = list.first() {
            let what = format!("decides by a rule: it has no `{name}`");
            unfit(draft, &first.place, &what, &format!("take `{name}` out; it only chooses where the work goes"));
        }
    }
}

/// Whether an earlier line holds whenever a later one does.
fn covers(earlier: &RuleLine, later: &RuleLine) -> bool {
    let same = (&earlier.root, &earlier.keys) == (&later.root, &later.keys);
    same && later.condition.implies(&earlier.condition)
}

fn line(
    draft: &mut Draft<'_>,
    raw: &Topology,
    params: &BTreeMap<String, Param>,
    seat: &mut Seat,
    member: &mut Member,
    written: &written::RuleLine,
) -> Option<RuleLine> {
    let outcome = names::parse::<Outcome>(draft, &written.outcome);
    let (root, keys) = draft.rooted(raw, &written.when.value);
    let schema = if root == "params" {
        Some(param(draft, params, &written.when, &keys)?)
    } else {
        let at = At { value: root.clone(), place: written.when.place.clone() };
        let artefact = draft.readable(raw, &at)?;
        reads(seat, member, &artefact, &written.when.place);
        let schema = draft.schema(&artefact);
        match &schema {
            Some(schema) => follow(draft, &written.when, schema, &keys)?.map(|found| resolved(schema, found)),
            None => None,
        }
    };
    let condition = written.condition.value.clone();
    if let Some(schema) = schema {
        let place = &written.condition.place;
        agree(draft, &written.when.value, &schema, &condition, place);
    }
    Some(RuleLine { root, keys, condition, outcome: outcome? })
}

/// A part of a schema that stands by itself.
fn resolved(root: &Value, part: &Value) -> Value {
    super::args::resolve(root, part).clone()
}

/// A parameter, as a schema.
fn param(draft: &mut Draft<'_>, params: &BTreeMap<String, Param>, path: &At<String>, keys: &[String]) -> Option<Value> {
    let [name] = keys else {
        let what = format!("`{}` is no parameter", path.value);
        let instead = params.keys().map(|name| format!("params.{name}")).collect::<Vec<_>>().join(", ");
        draft.fault(Code::ToolPath, &path.place, what, format!("there are: {instead}"));
        return None;
    };
    if let Some(param) = params.get(name) {
        return Some(json!({ "type": param.kind.word() }));
    }
    let at = At { value: name.clone(), place: path.place.clone() };
    draft.unknown(Code::ToolPath, &at, "parameter", params.keys().map(String::as_str));
    None
}

/// A rule reads what it looks at; what its entry reads with `?` may be absent.
fn reads(seat: &mut Seat, member: &mut Member, artefact: &ArtefactName, place: &Place) {
    if !member.reads.iter().any(|read| read.artefact == *artefact) {
        seat.needs.push((artefact.clone(), place.clone()));
        member.reads.push(Read { artefact: artefact.clone(), optional: false });
    }
}

/// Tells of a condition that can hold of nothing that the schema takes.
fn agree(draft: &mut Draft<'_>, path: &str, schema: &Value, condition: &Condition, place: &Place) {
    let list = |types: &BTreeSet<String>| types.iter().cloned().collect::<Vec<_>>().join(" or ");
    if let Some(has) = types(schema) {
        let (takes, does) = takes(condition);
        if !takes.iter().any(|kind| has.contains(*kind)) {
            let what = format!("`{path}` is of type {}, and this line {does}", list(&has));
            draft.fault(Code::RuleType, place, what, fitting(&has));
            return;
        }
    }
    let (Some(known), Condition::Is(_) | Condition::In(_)) = (schema.get("enum").and_then(Value::as_array), condition)
    else {
        return;
    };
    let wanted = match condition {
        Condition::In(values) => values.as_slice(),
        Condition::Is(value) => std::slice::from_ref(value),
        _ => &[],
    };
    if let Some(other) = wanted.iter().find(|value| !known.contains(value)) {
        let what = format!("`{path}` is never {other}");
        let list: Vec<String> = known.iter().map(Value::to_string).collect();
        draft.fault(Code::RuleType, place, what, format!("by its schema it is one of {}", list.join(", ")));
    }
}

/// The types of which a condition can hold, and what it does with them.
fn takes(condition: &Condition) -> (Vec<&'static str>, &'static str) {
    let of = |value: &Value| match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        _ => "number",
    };
    let with_integers = |mut types: Vec<&'static str>| {
        if types.contains(&"number") {
            types.push("integer");
        }
        types
    };
    match condition {
        Condition::Above(_) | Condition::Below(_) | Condition::AtLeast(_) | Condition::AtMost(_) => {
            (vec!["number", "integer"], "compares it with a number")
        }
        Condition::Is(value) => (with_integers(vec![of(value)]), "compares it with a value of another type"),
        Condition::In(values) => {
            (with_integers(values.iter().map(of).collect()), "compares it with values of another type")
        }
        Condition::Empty(_) => (vec!["string", "array", "object"], "asks whether it is empty"),
        Condition::LongerThan(_) => (vec!["string", "array"], "asks how long it is"),
    }
}

/// Conditions that fit one of the types.
fn fitting(types: &BTreeSet<String>) -> String {
    let words: BTreeSet<&str> = types
        .iter()
        .flat_map(|kind| match kind.as_str() {
            "number" | "integer" => &["above", "below", "at_least", "at_most", "is", "in"][..],
            "string" => &["is", "in", "empty", "longer_than"],
            "boolean" => &["is"],
            "array" => &["empty", "longer_than"],
            "object" => &["empty"],
            _ => &[],
        })
        .copied()
        .collect();
    let words: Vec<&str> = words.into_iter().collect();
    if words.is_empty() {
        return "lead the path to a value of another type".to_owned();
    }
    format!("ask of it: {}", words.join(", "))
}

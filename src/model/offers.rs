//! What the models of a plan are offered to call. A member's offers are the same in all of its requests, but for those that
//! are left out, so they are made and written once for a plan.

use serde_json::{Map, Value, json};

use super::Ask;
use super::names::{END_TURN, Names, ROWS_FROM};
use super::prompt::{Offer, OwnOffers};
use crate::id::{AgentName, ToolName};
use crate::topology::order::ORDER;
use crate::topology::plan::{ASK_TOOL, Member, Plan, Recipient};

/// How deep references of a schema are followed.
const SCHEMA_DEPTH_MAX: usize = 16;

/// What there is to call. In the last step that fits, and where only an end helps, that is the end of the turn.
pub(super) fn offers(ask: &Ask, member: &Member) -> Vec<Offer> {
    let own = ask.offers.of(&ask.agent, ask.is_question, || own(&ask.plan, &ask.agent, member, ask.is_question));
    let is_offered = |tool: &ToolName| !ask.is_last() && !ask.withheld.contains(tool);
    let tools = own.tools.iter().filter(|(tool, _)| is_offered(tool)).map(|(_, offer)| offer);
    tools.chain([&own.end]).cloned().collect()
}

fn own(plan: &Plan, agent: &AgentName, member: &Member, is_question: bool) -> OwnOffers {
    let names = Names::of(member);
    let tool = |(name, tool): (&String, &ToolName)| Some((tool.clone(), offer(plan, member, &names, name, tool)?));
    let description = match is_question {
        true => "Gives your answer to the question.",
        false if member.writes.is_empty() => "Hands on what you found out, and ends your turn.",
        false if may_end(plan, agent) => {
            "Hands your finished work on, and ends your turn; give all of `writes`, unless the work ends there."
        }
        false => "Hands your finished work on, and ends your turn; give all of `writes`.",
    };
    let schema = end_turn(plan, agent, member, is_question).into();
    let end = Offer { name: END_TURN.to_owned(), description: description.to_owned(), schema };
    OwnOffers { tools: names.iter().filter_map(tool).collect(), end }
}

fn offer(plan: &Plan, member: &Member, names: &Names, name: &str, tool: &ToolName) -> Option<Offer> {
    if tool.as_str() == ASK_TOOL {
        let to: Vec<&str> = member.may_ask.iter().map(AgentName::as_str).collect();
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["to", "question"],
            "properties": { "to": { "type": "string", "enum": to }, "question": { "type": "string" } },
        });
        let description = "Ask a teammate one question; the result is their answer.".to_owned();
        return Some(Offer { name: name.to_owned(), description, schema: schema.into() });
    }
    let spec = plan.tools.get(tool)?;
    let schema = by_reference(plain(&spec.args), &names.others(tool)).into();
    Some(Offer { name: name.to_owned(), description: spec.description.clone(), schema })
}

/// The form of a tool that takes rows, with the way to name them instead: a model that copies rows invents some.
fn by_reference(mut schema: Value, others: &[&str]) -> Value {
    if schema["properties"].get("rows").is_none() || others.is_empty() {
        return schema;
    }
    schema["properties"][ROWS_FROM] = json!({
        "type": "string", "enum": others,
        "description": "the tool whose latest result in this turn has the rows; use this in place of `rows`, and copy nothing",
    });
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "rows");
    }
    schema
}

/// Whether one of its outcomes ends the work, so that nothing has to be written.
pub(super) fn may_end(plan: &Plan, agent: &AgentName) -> bool {
    plan.handoffs.get(agent).into_iter().flatten().any(|(_, handoff)| handoff.to == Recipient::End)
}

fn end_turn(plan: &Plan, agent: &AgentName, member: &Member, is_question: bool) -> Value {
    // What each outcome leads to is said once, where the turn's end is described.
    let (meaning, note) = match is_question {
        true => ("that this is your answer", "the whole answer"),
        false => ("what becomes of your work", "one sentence, in your own words, for whoever is next"),
    };
    let mut properties = json!({
        "outcome": {
            "type": "string", "enum": plan.words(agent, is_question), "description": meaning,
        },
        "note": { "type": "string", "description": note },
    });
    let mut required = vec!["note", "outcome"];
    let writes: Map<String, Value> =
        member.writes.iter().filter_map(|name| Some((name.to_string(), plain(plan.schema(name.as_str())?)))).collect();
    if !writes.is_empty() && !is_question {
        let names: Vec<String> = member.writes.iter().map(ToString::to_string).collect();
        let mut all = json!({
            "type": "object", "additionalProperties": false, "properties": writes, ORDER: names,
            "description": "your finished work, whole",
        });
        if !may_end(plan, agent) {
            all["required"] = json!(names);
            required.insert(0, "writes");
        }
        properties["writes"] = all;
    }
    // In this order, since a server that forces the form makes the model fill it in as it stands: the work comes before the
    // verdict on it.
    json!({
        "type": "object", "additionalProperties": false, "required": required, "properties": properties,
        ORDER: ["writes", "note", "outcome"],
    })
}

/// A schema that stands within another: its local references are replaced by what they name.
fn plain(schema: &Value) -> Value {
    fn walk(value: &Value, root: &Value, depth: usize) -> Value {
        let Value::Object(map) = value else {
            return match value {
                Value::Array(list) => list.iter().map(|one| walk(one, root, depth)).collect(),
                other => other.clone(),
            };
        };
        if let Some(target) = map.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return match found {
                Some(found) if depth < SCHEMA_DEPTH_MAX => walk(found, root, depth + 1),
                // Nothing is lost: the answer is examined by the whole schema.
                _ => json!({}),
            };
        }
        let kept = map.iter().filter(|(key, _)| !["$schema", "$id", "definitions", "$defs"].contains(&key.as_str()));
        let mut kept: Map<String, Value> = kept.map(|(key, one)| (key.clone(), walk(one, root, depth))).collect();
        if let Some(kind) = kept.get("enum").and_then(kind_of).filter(|_| !kept.contains_key("type")) {
            kept.insert("type".to_owned(), kind.into());
        }
        kept.into()
    }
    walk(schema, schema, 0)
}

/// The type of all of a list's values; many servers want it beside them.
fn kind_of(values: &Value) -> Option<&'static str> {
    let values = values.as_array()?;
    let all = |is: fn(&Value) -> bool| !values.is_empty() && values.iter().all(is);
    [("string", Value::is_string as fn(&Value) -> bool), ("integer", Value::is_i64), ("boolean", Value::is_boolean)]
        .into_iter()
        .find_map(|(kind, is)| all(is).then_some(kind))
}

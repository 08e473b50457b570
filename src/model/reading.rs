//! From a model's words to an act. What is odd and harmless is read, and noted; what would change the meaning is told to
//! the model, as the result of the call that it made.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::names::{END_TURN, Names};
use super::prompt::{Spoken, SpokenCall};
use super::{Act, Answer, Ask, Reply};
use crate::failure::Usage;
use crate::run::event::Origin;
use crate::topology::plan::{Member, Plan};

/// The reply that `spoken` is.
pub fn reply(ask: &Ask, spoken: Spoken, usage: Option<Usage>) -> Reply {
    let mut noted = Vec::new();
    let Some(member) = ask.plan.team.get(&ask.agent) else {
        return Reply::new(Act::Unusable(vec![format!("{} is not on the team", ask.agent)]), Origin::Model);
    };
    let names = Names::of(member);
    let mut spoken = spoken;
    if spoken.calls.is_empty()
        && let Some((call, how)) = written(&spoken.text, &|name| names.ends(name) || names.tool(name).is_some())
    {
        spoken.calls.push(call);
        noted.push(how);
    }
    let read = Reading { plan: &ask.plan, member, names, noted };
    let Spoken { text, calls, signature, reasoning } = spoken;
    let (act, kept, noted) = read.act(calls);
    let (call_id, spoken) = match (&act, kept) {
        (Act::Answer(_), mut kept) => (kept.pop().map(|end| end.id).unwrap_or_default(), Vec::new()),
        (_, kept) => (String::new(), kept),
    };
    Reply { usage, text, signature, reasoning, noted, call_id, spoken, ..Reply::new(act, Origin::Model) }
}

struct Reading<'a> {
    plan: &'a Plan,
    member: &'a Member,
    names: Names,
    noted: Vec<String>,
}

impl Reading<'_> {
    /// What the calls do, those that are kept as they were spoken, and what was odd.
    fn act(mut self, calls: Vec<SpokenCall>) -> (Act, Vec<SpokenCall>, Vec<String>) {
        let mut seen = BTreeSet::new();
        let twice = calls.iter().find(|call| !seen.insert(call.id.clone())).map(|call| call.id.clone());
        let act = match (calls.as_slice(), twice) {
            (_, Some(id)) => Act::Unusable(vec![format!("two calls have the id {id:?}")]),
            ([], _) => Act::Unusable(vec![format!("nothing was called: a turn ends with one call of {END_TURN}")]),
            ([end], _) if self.names.ends(&end.name) => match self.answer(end) {
                Ok(answer) => Act::Answer(answer),
                Err(why) => Act::Unusable(vec![why]),
            },
            (calls, _) if calls.iter().all(|call| self.names.ends(&call.name)) => {
                Act::Unusable(vec![format!("{END_TURN} was called more than once: call it once, alone")])
            }
            // An end beside other calls is refused by itself; the others are done.
            (calls, _) => Act::Calls(calls.iter().map(|call| self.call(call)).collect()),
        };
        let kept = if matches!(act, Act::Calls(_)) { Vec::new() } else { calls };
        (act, kept, self.noted)
    }

    fn call(&mut self, call: &SpokenCall) -> super::ToolCall {
        let mut kept = self.names.kept(call);
        if let Some(spec) = self.plan.tools.get(&kept.tool) {
            kept.args = untexted(kept.args, &spec.args, &call.name, &mut self.noted);
        }
        kept
    }

    fn answer(&mut self, end: &SpokenCall) -> Result<Answer, String> {
        let args = end.args.as_ref().map_err(|_| format!("the arguments of {END_TURN} are not JSON"))?;
        let args = args.as_object().ok_or_else(|| format!("the arguments of {END_TURN} are not an object"))?;
        if let Some(foreign) = args.keys().find(|key| !["outcome", "note", "writes"].contains(&key.as_str())) {
            return Err(format!("{END_TURN} has no argument {foreign:?}"));
        }
        let text = |key: &str| args.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is not a text"));
        let outcome = text("outcome")?.parse().map_err(|_| "`outcome` is none of those declared".to_owned())?;
        let note = text("note")?.to_owned();
        let writes = args.get("writes").cloned().unwrap_or(Value::Null);
        let writes = match self.object(writes, "writes") {
            Value::Null => Map::new(),
            Value::Object(writes) => writes,
            _ => return Err("`writes` is not an object".to_owned()),
        };
        let mut bodies = std::collections::BTreeMap::new();
        for (name, body) in writes {
            let artefact = name.parse().map_err(|_| format!("there is no artefact {name:?}"))?;
            let schema = self.plan.schema(&name).filter(|_| self.member.writes.contains(&artefact));
            let body = match schema {
                Some(schema) => untexted(body, schema, &format!("writes.{artefact}"), &mut self.noted),
                None => body,
            };
            bodies.insert(artefact, body);
        }
        Ok(Answer { outcome, note, writes: bodies })
    }

    /// JSON of an object that came as a text, as that object.
    fn object(&mut self, value: Value, place: &str) -> Value {
        untexted(value, &serde_json::json!({ "type": "object" }), place, &mut self.noted)
    }
}

/// How deep a schema is followed.
const DEPTH_MAX: usize = 16;

/// `value` with JSON that stands in a text, where `schema` has an object or a list and nothing else, as what it says; once,
/// so that a text within such a text stays one. Each place is noted.
fn untexted(value: Value, schema: &Value, place: &str, noted: &mut Vec<String>) -> Value {
    fn walk(value: Value, schema: &Value, root: &Value, place: &str, noted: &mut Vec<String>, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return value;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return match found {
                Some(found) => walk(value, found, root, place, noted, depth + 1),
                None => value,
            };
        }
        match (value, schema["type"].as_str()) {
            (Value::String(text), Some(kind @ ("object" | "array"))) => match serde_json::from_str::<Value>(&text) {
                Ok(read) if read.is_object() == (kind == "object") && (read.is_object() || read.is_array()) => {
                    noted.push(format!("{place} came as a text with JSON in it, and was read as what that says"));
                    read
                }
                _ => Value::String(text),
            },
            (Value::Object(map), _) => {
                let one = |(key, value): (String, Value)| {
                    let below =
                        walk(value, &schema["properties"][&key], root, &format!("{place}.{key}"), noted, depth + 1);
                    (key, below)
                };
                map.into_iter().map(one).collect::<Map<_, _>>().into()
            }
            (Value::Array(list), _) => {
                let item = |(nth, value): (usize, Value)| {
                    walk(value, &schema["items"], root, &format!("{place}[{nth}]"), noted, depth + 1)
                };
                list.into_iter().enumerate().map(item).collect()
            }
            (other, _) => other,
        }
    }
    walk(value, schema, schema, place, noted, 0)
}

/// A call that a model wrote as text where its server reads none: exactly one, of a tool that it was offered.
pub(super) fn written(text: &str, is_offered: &dyn Fn(&str) -> bool) -> Option<(SpokenCall, String)> {
    let mut found = BTreeSet::new();
    for part in parts(text) {
        let Ok(value) = serde_json::from_str::<Value>(part.trim()) else { continue };
        let value = value.get("function").filter(|function| function.is_object()).cloned().unwrap_or(value);
        let text = |keys: &[&str]| keys.iter().find_map(|key| value.get(key)?.as_str());
        let Some(name) = text(&["name", "tool", "function"]) else { continue };
        if !is_offered(name) {
            continue;
        }
        let args = ["arguments", "parameters", "args", "input"].iter().find_map(|key| value.get(key));
        let args = match args {
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(args) => Some(args.clone()),
            None => None,
        };
        let Some(args) = args.filter(Value::is_object) else { continue };
        found.insert((name.to_owned(), args.to_string()));
    }
    let (name, args) = found.pop_first().filter(|_| found.is_empty())?;
    let how = format!("the call of {name} came as text, and was read as that call");
    Some((SpokenCall { id: "call_0".to_owned(), name, args: serde_json::from_str(&args).map_err(|_| args) }, how))
}

/// The parts of a text in which a call may stand: between tags, between fences, or all of it.
fn parts(text: &str) -> Vec<&str> {
    const MARKS: [(&str, &str); 4] =
        [("<tool_call>", "</tool_call>"), ("```json", "```"), ("```tool_call", "```"), ("```\n", "```")];
    let between = |(open, close): (&str, &str)| {
        let after = text.split(open).skip(1);
        after.filter_map(|rest| rest.split_once(close).map(|(inner, _)| inner)).collect::<Vec<_>>()
    };
    let marked: Vec<&str> = MARKS.iter().flat_map(|(open, close)| between((*open, *close))).collect();
    if marked.is_empty() { vec![text] } else { marked }
}

//! A turn's choices as one form, for servers that force the form of an answer but not that of a call: what may be called is
//! one JSON Schema, the answer is one call in it, and results go back as messages.

use serde_json::{Value, json};

use super::broken::truncated;
use super::draft;
use crate::failure::Failure;
use crate::model::prompt::{Offer, Prompt, Said, Spoken, SpokenCall};
use crate::topology::order::ORDER;

/// What a model is told of the form of its answers.
const HOW: &str = "Your answer is always one JSON document and nothing else: {\"call\": {\"name\": NAME, \"arguments\": \
                   ARGUMENTS}}. It makes one call; to make two, make one after the other: the result of a call is the next \
                   message. This is what you can call:";

/// The prompt without calls, and the form of its answer.
pub(super) fn spelled(prompt: &Prompt) -> (Prompt, Value) {
    let mut system = format!("{}\n\n{HOW}\n", prompt.system.trim_end());
    for Offer { name, description, schema } in &prompt.tools {
        system.push_str(&format!("\n`{name}`: {description}\nits ARGUMENTS: {}\n", schema.text()));
    }
    let plain = Prompt {
        system: system.trim_start().to_owned(),
        tools: Vec::new(),
        said: said(&prompt.said),
        output_tokens_max: prompt.output_tokens_max,
    };
    (plain, form(&prompt.tools))
}

/// The form of an answer: its one field is a call of one of the offers.
fn form(offers: &[Offer]) -> Value {
    let one = |offer: &Offer| {
        json!({
            "type": "object", "additionalProperties": false, "required": ["name", "arguments"],
            "properties": { "name": { "type": "string", "enum": [offer.name] }, "arguments": *offer.schema },
            // The name first: what follows depends on it.
            ORDER: ["name", "arguments"],
        })
    };
    let call = match offers {
        [offer] => one(offer),
        offers => json!({ "anyOf": offers.iter().map(one).collect::<Vec<_>>() }),
    };
    json!({ "type": "object", "additionalProperties": false, "required": ["call"], "properties": { "call": call } })
}

/// The conversation as messages: each call is an answer of its own, and its result follows it.
fn said(said: &[Said]) -> Vec<Said> {
    let mut plain = Vec::new();
    let mut calls: Vec<SpokenCall> = Vec::new();
    for one in said {
        match one {
            Said::User(text) => tell(&mut plain, text),
            Said::Model(spoken) if spoken.calls.is_empty() => plain.push(one.clone()),
            Said::Model(spoken) => {
                calls.clone_from(&spoken.calls);
                // What it thought goes back with the first of them.
                let first = calls.first().map(written).unwrap_or_default();
                plain.push(Said::Model(Spoken { text: first, calls: Vec::new(), ..spoken.clone() }));
            }
            Said::Results(results) => {
                for (nth, (id, text)) in results.iter().enumerate() {
                    let call = calls.get(nth).filter(|call| call.id == *id);
                    if let Some(call) = call.filter(|_| nth > 0) {
                        plain.push(Said::Model(Spoken { text: written(call), ..Spoken::default() }));
                    }
                    let name = call.map_or("the call", |call| call.name.as_str());
                    tell(&mut plain, &format!("Result of `{name}`:\n{text}"));
                }
            }
        }
    }
    plain
}

/// Roles take turns: many servers refuse two messages of one in a row.
fn tell(plain: &mut Vec<Said>, text: &str) {
    match plain.last_mut() {
        Some(Said::User(before)) => before.push_str(&format!("\n\n{text}")),
        _ => plain.push(Said::User(text.to_owned())),
    }
}

fn written(call: &SpokenCall) -> String {
    // By hand, since the name comes first.
    format!("{{\"call\":{{\"name\":{},\"arguments\":{}}}}}", Value::from(call.name.as_str()), draft::object(call))
}

/// A reply whose words are such an answer, as the call that it makes. Other words stay words.
///
/// # Errors
/// If the document is cut off.
pub(super) fn read(spoken: Spoken) -> Result<Spoken, Failure> {
    if !spoken.calls.is_empty() {
        return Ok(spoken);
    }
    let text = spoken.text.rsplit_once("</think>").map_or(spoken.text.as_str(), |(_, after)| after).trim();
    let text = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).unwrap_or(text);
    let text = text.strip_suffix("```").unwrap_or(text).trim();
    match serde_json::from_str::<Value>(text) {
        Ok(document) => match call(&document) {
            Some(call) => Ok(Spoken { text: String::new(), calls: Vec::from([call]), ..spoken }),
            None => Ok(spoken),
        },
        Err(error) if error.is_eof() && text.starts_with('{') => Err(truncated("the JSON of the answer is not closed")),
        Err(_) => Ok(spoken),
    }
}

fn call(document: &Value) -> Option<SpokenCall> {
    let call = document.get("call").unwrap_or(document);
    let name = call.get("name")?.as_str()?.to_owned();
    let args = call.get("arguments").cloned().unwrap_or_else(|| json!({}));
    Some(SpokenCall { id: "call_0".to_owned(), name, args: Ok(args) })
}

//! `streamGenerateContent`. Calls come whole; nothing marks the last event but a finish reason and the end of the body.

use std::collections::BTreeSet;

use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::Value;

use super::broken::invalid;
use super::dialect::{Ear, Heard, Ready, Spelled};
use super::draft::{self, Draft, End, shaped};
use super::endpoint::{Key, below};
use super::extra::Extra;
use super::json::{Json, list, object};
use super::sse;
use crate::failure::{Failure, Usage};
use crate::model::prompt::{Offer, Said, Spoken};

/// What Google's documentation names for calls that Gemini did not make; from its third series on, it refuses calls without any.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

pub(super) fn spelled<'a>(ready: Ready<'a>) -> Spelled<'a> {
    let Ready { base, key, model, prompt, said, omits, form } = ready;
    let model = model.strip_prefix("models/").unwrap_or(model);
    let declaration = |offer: &'a Offer| {
        let (name, description, schema) = ((&offer.name).into(), (&offer.description).into(), (&offer.schema).into());
        object([("name", name), ("description", description), ("parametersJsonSchema", schema)])
    };
    let mut config = object([("maxOutputTokens", prompt.output_tokens_max.into())]);
    let mut body = object([("contents", list(contents(said, needs_signature(model))))]);
    let mut extras = BTreeSet::new();
    if let Some(form) = form {
        config.put("responseMimeType", "application/json");
        config.put("responseJsonSchema", form);
    } else {
        let declarations = list(prompt.tools.iter().map(declaration));
        body.put("tools", list([object([("functionDeclarations", declarations)])]));
        if !omits.contains(&Extra::ToolChoice) {
            let mode = object([("mode", "ANY".into())]);
            body.put("toolConfig", object([("functionCallingConfig", mode)]));
            extras.insert(Extra::ToolChoice);
        }
    }
    body.put("generationConfig", config);
    if !prompt.system.is_empty() {
        body.put("systemInstruction", object([("parts", list([text(&prompt.system)]))]));
    }
    let mut url = below(base, &["models", &format!("{model}:streamGenerateContent")]);
    url.query_pairs_mut().append_pair("alt", "sse");
    let headers = key.map(|Key(key)| (HeaderName::from_static("x-goog-api-key"), key.clone())).into_iter().collect();
    Spelled { url, headers, body, extras }
}

fn needs_signature(model: &str) -> bool {
    let series = model.strip_prefix("gemini-").and_then(|rest| rest.split(['.', '-']).next());
    series.and_then(|series| series.parse::<u32>().ok()).is_some_and(|series| series >= 3)
}

fn text(text: &str) -> Json<'_> {
    object([("text", text.into())])
}

/// Roles take turns, and a result names the tool that it is of.
fn contents(said: &[Said], needs_signature: bool) -> Vec<Json<'_>> {
    let mut turns: Vec<(&str, Vec<Json<'_>>)> = Vec::new();
    let mut calls: Vec<(&str, &str)> = Vec::new();
    for said in said {
        let (role, parts) = match said {
            Said::User(words) => ("user", Vec::from([text(words)])),
            Said::Model(spoken) => {
                calls.extend(spoken.calls.iter().map(|call| (call.id.as_str(), call.name.as_str())));
                ("model", parts(spoken, needs_signature))
            }
            Said::Results(results) => {
                let mut parts = Vec::new();
                for (id, text) in results {
                    let name = calls.iter().rev().find(|(other, _)| other == id).map_or("", |(_, name)| *name);
                    let response = object([("result", text.into())]);
                    let result = object([("id", id.into()), ("name", name.into()), ("response", response)]);
                    parts.push(object([("functionResponse", result)]));
                }
                ("user", parts)
            }
        };
        match turns.last_mut() {
            _ if parts.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    let turn = |(role, parts)| object([("role", Json::from(role)), ("parts", Json::List(parts))]);
    turns.into_iter().map(turn).collect()
}

fn parts(spoken: &Spoken, needs_signature: bool) -> Vec<Json<'_>> {
    let words = Some(spoken.text.as_str()).filter(|words| !words.trim().is_empty());
    let mut parts: Vec<Json<'_>> = words.map(text).into_iter().collect();
    for (nth, call) in spoken.calls.iter().enumerate() {
        let (id, name, args) = ((&call.id).into(), (&call.name).into(), draft::object(call).into());
        let mut part = object([("functionCall", object([("id", id), ("name", name), ("args", args)]))]);
        let signature = spoken.signature.as_deref().or(needs_signature.then_some(NO_SIGNATURE));
        if let Some(signature) = signature.filter(|_| nth == 0) {
            part.put("thoughtSignature", signature);
        }
        parts.push(part);
    }
    parts
}

/// Hears a reply.
pub(super) struct Listener {
    draft: Draft,
}

impl Listener {
    pub(super) fn new(draft: Draft) -> Self {
        Self { draft }
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<(), Failure> {
        if let Some(usage) = &chunk.usage_metadata {
            self.draft.usage = read_usage(usage);
        }
        let is_blocked = chunk.prompt_feedback.is_some();
        if let Some(word) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            self.draft.refuses("the prompt was blocked")?;
            self.draft.ends(&word, End::Refused)?;
        }
        if chunk.candidates.is_none() && chunk.usage_metadata.is_none() && !is_blocked {
            return Err(invalid("the reply has no candidates"));
        }
        let candidates = chunk.candidates.unwrap_or_default();
        if candidates.len() > 1 || candidates.iter().any(|candidate| candidate.index.unwrap_or(0) != 0) {
            return Err(invalid("the reply has two candidates, where one was asked for"));
        }
        for candidate in candidates {
            let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
            parts.into_iter().try_for_each(|part| self.part(part))?;
            if let Some(word) = candidate.finish_reason {
                self.draft.ends(&word, end(&word))?;
            }
        }
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<(), Failure> {
        let is_call = part.function_call.is_some();
        if let Some(call) = part.function_call {
            self.draft.call(&call.id.unwrap_or_default(), &call.name)?;
            self.draft
                .args(&call.args.filter(|args| !args.is_null()).map_or_else(String::new, |args| args.to_string()))?;
        }
        if !part.thought.unwrap_or(false) {
            self.draft.text(&part.text.unwrap_or_default())?;
        }
        // It goes back on the first call, so that is the one to keep.
        if let Some(signature) = part.thought_signature.filter(|_| is_call && self.draft.signature.is_none()) {
            self.draft.sign(signature)?;
        }
        Ok(())
    }
}

impl Ear for Listener {
    fn event(&mut self, event: &sse::Event) -> Result<bool, Failure> {
        let chunk = draft::event(event, &mut self.draft)?;
        self.chunk(chunk).map(|()| false)
    }

    fn whole(&mut self, text: &str) -> Result<(), Failure> {
        let chunks = match draft::document(text, &mut self.draft)? {
            Value::Array(chunks) => chunks,
            one => Vec::from([one]),
        };
        for chunk in chunks {
            let chunk = draft::unfailed(chunk, &mut self.draft)?;
            self.chunk(shaped(chunk)?)?;
        }
        Ok(())
    }

    fn heard(self: Box<Self>) -> Result<Heard, Failure> {
        self.draft.heard()
    }

    fn ends_with_body(&self) -> bool {
        true
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    usage_metadata: Option<Value>,
    prompt_feedback: Option<Feedback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

fn end(word: &str) -> End {
    match word {
        // The second is no word of Google's, but of servers that stand in for it.
        "STOP" | "FUNCTION_CALL" => End::Proper,
        "MAX_TOKENS" => End::Cut,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" => End::Refused,
        word if word.starts_with("IMAGE_") => End::Refused,
        _ => End::Wrong,
    }
}

/// The prompt's count includes what was cached; what tools of the provider put in and what was thought stand apart.
fn read_usage(usage: &Value) -> Option<Usage> {
    let of = |key: &str| usage[key].as_u64().unwrap_or(0);
    let input_tokens = usage["promptTokenCount"].as_u64()?.saturating_add(of("toolUsePromptTokenCount"));
    Some(Usage {
        input_tokens,
        output_tokens: of("candidatesTokenCount").saturating_add(of("thoughtsTokenCount")),
        cached_tokens: of("cachedContentTokenCount").min(input_tokens),
        cache_write_tokens: 0,
    })
}

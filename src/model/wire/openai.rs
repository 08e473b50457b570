//! Chat completions. Servers that speak it differ in how they cut calls up; what is ambiguous is refused.

use std::collections::BTreeSet;

use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use super::broken::invalid;
use super::dialect::{Ear, Heard, Ready, Spelled};
use super::draft::{self, Draft, End, shaped};
use super::endpoint::{Key, below};
use super::extra::Extra;
use super::json::{Json, list, object};
use super::sse;
use crate::failure::{Failure, Usage};
use crate::model::prompt::{Offer, Said, Spoken, SpokenCall};

pub(super) fn spelled<'a>(ready: Ready<'a>) -> Spelled<'a> {
    let Ready { base, key, model, prompt, said, omits, form } = ready;
    let tool = |offer: &'a Offer| {
        let (name, description, schema) = ((&offer.name).into(), (&offer.description).into(), (&offer.schema).into());
        let function = object([("name", name), ("description", description), ("parameters", schema)]);
        object([("type", "function".into()), ("function", function)])
    };
    let mut extras = BTreeSet::new();
    let mut with = |extra: Extra| !omits.contains(&extra) && extras.insert(extra);
    let is_back = said.iter().any(|said| matches!(said, Said::Model(spoken) if spoken.reasoning.is_some()));
    let with_reasoning = is_back && with(Extra::Reasoning);
    let messages = list(messages(&prompt.system, said, with_reasoning));
    let mut body = object([("model", model.into()), ("messages", messages), ("stream", true.into())]);
    if let Some(form) = form {
        let schema = object([("name", "answer".into()), ("schema", form.into())]);
        body.put("response_format", object([("type", "json_schema".into()), ("json_schema", schema)]));
    } else {
        body.put("tools", list(prompt.tools.iter().map(tool)));
        if with(Extra::ToolChoice) {
            body.put("tool_choice", "required");
        }
    }
    if with(Extra::StreamOptions) {
        body.put("stream_options", object([("include_usage", true.into())]));
    }
    let (cap, name) = cap(&base, model, omits);
    body.put(name, prompt.output_tokens_max);
    extras.insert(cap);
    let headers = key.map(|Key(key)| (AUTHORIZATION, format!("Bearer {key}"))).into_iter().collect();
    Spelled { url: below(base, &["chat", "completions"]), headers, body, extras }
}

/// OpenAI's own models count reasoning in the cap and want it under the newer name; most other servers know the older only.
fn cap(base: &Url, model: &str, omits: &BTreeSet<Extra>) -> (Extra, &'static str) {
    let (older, newer) = ((Extra::MaxTokens, "max_tokens"), (Extra::MaxCompletionTokens, "max_completion_tokens"));
    let name = model.rsplit('/').next().unwrap_or(model);
    let mut rest = name.chars();
    let reasons =
        name.starts_with("gpt-5") || (rest.next() == Some('o') && rest.next().is_some_and(|c| c.is_ascii_digit()));
    let (first, second) =
        if reasons || base.host_str() == Some("api.openai.com") { (newer, older) } else { (older, newer) };
    // A reply without any cap is never asked for.
    if omits.contains(&first.0) && !omits.contains(&second.0) { second } else { first }
}

fn messages<'a>(system: &'a str, said: &'a [Said], with_reasoning: bool) -> Vec<Json<'a>> {
    let message = |role: &'a str, content: &'a str| object([("role", role.into()), ("content", content.into())]);
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(message("system", system));
    }
    for said in said {
        match said {
            Said::User(text) => messages.push(message("user", text)),
            Said::Model(spoken) if spoken.calls.is_empty() && spoken.text.trim().is_empty() => {}
            Said::Model(spoken) => messages.push(assistant(spoken, with_reasoning)),
            Said::Results(results) => {
                for (id, text) in results {
                    let mut result = message("tool", text);
                    result.put("tool_call_id", id);
                    messages.push(result);
                }
            }
        }
    }
    messages
}

/// What a model said, with what it thought as it came. That of another dialect is a list and no part of this one.
fn assistant<'a>(spoken: &'a Spoken, with_reasoning: bool) -> Json<'a> {
    let mut message = object([("role", "assistant".into()), ("content", Value::Null.into())]);
    if let Some(Value::Object(thoughts)) = spoken.reasoning.as_ref().filter(|_| with_reasoning) {
        thoughts.iter().for_each(|(key, thought)| message.put(key, thought));
    }
    if !spoken.text.is_empty() {
        message.put("content", &spoken.text);
    }
    let call = |call: &'a SpokenCall| {
        let (name, args) = ((&call.name).into(), draft::object(call).to_string().into());
        let function = object([("name", name), ("arguments", args)]);
        object([("id", (&call.id).into()), ("type", "function".into()), ("function", function)])
    };
    if !spoken.calls.is_empty() {
        message.put("tool_calls", list(spoken.calls.iter().map(call)));
    }
    message
}

/// Hears a reply.
pub(super) struct Listener {
    draft: Draft,
    /// Of the last call, as the server counts.
    index: Option<u64>,
}

impl Listener {
    pub(super) fn new(draft: Draft) -> Self {
        Self { draft, index: None }
    }

    fn chunk(&mut self, chunk: Chunk, is_whole: bool) -> Result<(), Failure> {
        if let Some(usage) = chunk.usage.as_ref().filter(|usage| !usage.is_null()) {
            self.draft.usage = read_usage(usage);
        }
        let choices = match chunk.choices {
            Some(choices) => choices,
            None if chunk.usage.is_some() && !is_whole => return Ok(()),
            None => return Err(invalid("the reply has no choices")),
        };
        if choices.len() > 1 || choices.iter().any(|choice| choice.index.unwrap_or(0) != 0) {
            return Err(invalid("the reply has two choices, where one was asked for"));
        }
        let Some(choice) = choices.into_iter().next() else {
            return if is_whole { Err(invalid("the reply has no choices")) } else { Ok(()) };
        };
        let words = if is_whole { choice.message } else { choice.delta };
        match words {
            Some(words) => self.words(words, is_whole)?,
            None if choice.finish_reason.is_some() && !is_whole => {}
            None => return Err(invalid("a choice of the reply says nothing")),
        }
        choice.finish_reason.map_or(Ok(()), |word| self.draft.ends(&word, end(&word)))
    }

    fn words(&mut self, words: Words, is_whole: bool) -> Result<(), Failure> {
        match words.content {
            Some(Content::Text(text)) => self.draft.text(&text)?,
            Some(Content::Parts(parts)) => {
                let texts = parts.into_iter().filter(|part| part.kind == "text").filter_map(|part| part.text);
                texts.into_iter().try_for_each(|text| self.draft.text(&text))?;
            }
            None => {}
        }
        self.draft.refuses(&words.refusal.unwrap_or_default())?;
        let thoughts = [("reasoning_content", words.reasoning_content), ("reasoning", words.reasoning)];
        for (key, thought) in thoughts {
            if let Some(Value::String(text)) = thought {
                self.draft.think(text.len(), |kept| append(&mut kept[key], &text))?;
            }
        }
        for detail in words.reasoning_details.unwrap_or_default() {
            self.draft.think(detail.to_string().len(), |kept| detailed(&mut kept["reasoning_details"], detail))?;
        }
        words.tool_calls.unwrap_or_default().into_iter().try_for_each(|part| self.part(part, is_whole))
    }

    /// A part of a call: the first of a new one, or more of the last. OpenAI counts them from 0; Ollama has given all of
    /// them 0 and told them apart by id; a gateway to Bedrock begins at 1; some do not count.
    fn part(&mut self, part: Part, is_whole: bool) -> Result<(), Failure> {
        let function = part.function.unwrap_or_default();
        let (id, name) = (part.id.unwrap_or_default(), function.name.unwrap_or_default());
        let last = self.index;
        let Some((last_id, last_name)) = self.draft.last_call() else {
            return self.begin(part.index, &id, &name, function.arguments);
        };
        let is_other_id = !id.is_empty() && *last_id != id;
        let begins = is_whole
            || match (part.index, last) {
                (Some(index), Some(last)) if index > last => true,
                (Some(index), Some(last)) if index < last => return Err(invalid("parts of calls come out of order")),
                (Some(_), _) => is_other_id && !name.is_empty(),
                (None, _) => !name.is_empty() && (is_other_id || id.is_empty()),
            };
        if begins {
            return self.begin(part.index, &id, &name, function.arguments);
        }
        if last_name.is_empty() {
            *last_name = name;
        } else if !name.is_empty() && *last_name != name {
            return Err(invalid("a call changes its name"));
        }
        if last_id.is_empty() {
            *last_id = id;
        }
        self.draft.args(&text_of(function.arguments))
    }

    fn begin(&mut self, index: Option<u64>, id: &str, name: &str, args: Option<Value>) -> Result<(), Failure> {
        self.draft.index_fits(index)?;
        if id.is_empty() && name.is_empty() {
            return Err(invalid("a call begins without id and name"));
        }
        self.index = index;
        self.draft.call(id, name)?;
        self.draft.args(&text_of(args))
    }
}

impl Ear for Listener {
    fn event(&mut self, event: &sse::Event) -> Result<bool, Failure> {
        if event.data.trim() == "[DONE]" {
            return Ok(true);
        }
        let chunk = draft::event(event, &mut self.draft)?;
        self.chunk(chunk, false).map(|()| false)
    }

    fn whole(&mut self, text: &str) -> Result<(), Failure> {
        let reply = draft::document(text, &mut self.draft)?;
        let reply = draft::unfailed(reply, &mut self.draft)?;
        self.chunk(shaped(reply)?, true)
    }

    fn heard(self: Box<Self>) -> Result<Heard, Failure> {
        self.draft.heard()
    }

    fn ends_with_body(&self) -> bool {
        false
    }
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Words>,
    message: Option<Words>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Words {
    content: Option<Content>,
    refusal: Option<String>,
    /// What the model thought, in the words of DeepSeek and others; of vLLM and OpenRouter; of OpenRouter in parts.
    reasoning_content: Option<Value>,
    reasoning: Option<Value>,
    reasoning_details: Option<Vec<Value>>,
    tool_calls: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
struct ContentPart {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize, Default)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

/// More of a text that comes in pieces.
fn append(kept: &mut Value, text: &str) {
    match kept {
        Value::String(before) => before.push_str(text),
        none => *none = text.into(),
    }
}

/// More of a list whose entries come in pieces: a piece of the last entry has its kind and its place.
fn detailed(kept: &mut Value, detail: Value) {
    if !kept.is_array() {
        *kept = json!([]);
    }
    let Value::Array(list) = kept else { return };
    let is_same = |last: &&mut Value| {
        detail.get("index").is_some() && ["index", "type"].iter().all(|key| last.get(key) == detail.get(key))
    };
    let (Some(last), Value::Object(fields)) = (list.last_mut().filter(is_same), &detail) else {
        return list.push(detail);
    };
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match (key.as_str(), value) {
            ("text" | "summary" | "data", Value::String(text)) => append(&mut last[key], text),
            _ => last[key] = value.clone(),
        }
    }
}

/// Arguments are JSON as a text; some servers forget the text.
fn text_of(arguments: Option<Value>) -> String {
    match arguments {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

fn end(word: &str) -> End {
    match word {
        "stop" | "tool_calls" | "function_call" => End::Proper,
        "length" | "max_tokens" => End::Cut,
        "model_length" => End::TooLong,
        "content_filter" | "refusal" => End::Refused,
        "error" | "abort" | "insufficient_system_resource" => End::Failed,
        _ => End::Wrong,
    }
}

/// `prompt_tokens` includes what was cached, which DeepSeek and Moonshot say in places of their own. Most servers count reasoning among `completion_tokens`; xAI only in the total.
fn read_usage(usage: &Value) -> Option<Usage> {
    let (input_tokens, output) = (usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?);
    let total = usage["total_tokens"].as_u64().unwrap_or(0);
    let details = &usage["prompt_tokens_details"];
    let cached = [&details["cached_tokens"], &usage["prompt_cache_hit_tokens"], &usage["cached_tokens"]];
    let cached = cached.into_iter().filter_map(Value::as_u64).max();
    Some(Usage {
        input_tokens,
        output_tokens: output.max(total.saturating_sub(input_tokens)),
        cached_tokens: cached.unwrap_or(0).min(input_tokens),
        cache_write_tokens: details["cache_write_tokens"].as_u64().unwrap_or(0).min(input_tokens),
    })
}

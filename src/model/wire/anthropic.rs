//! Messages. Blocks come one after the other, each with a beginning and an end; the usage comes in two halves.

use std::collections::BTreeSet;

use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::draft::{self, Draft, End, invalid, shaped};
use super::{Ear, Extra, Heard, Key, Ready, Spelled, below, sse};
use crate::failure::{Failure, Usage};
use crate::model::prompt::{Offer, Said, Spoken};

const VERSION: &str = "2023-06-01";

pub(super) fn spelled(ready: Ready<'_>) -> Spelled {
    let Ready { base, key, model, prompt, said, omits, .. } = ready;
    let mut extras = BTreeSet::new();
    let mut with = |extra: Extra| !omits.contains(&extra) && extras.insert(extra);
    let mark = if with(Extra::CacheControl) { mark } else { |_: &mut Value| {} };
    let is_back = said.iter().any(|said| matches!(said, Said::Model(spoken) if spoken.reasoning.is_some()));
    let with_reasoning = is_back && with(Extra::Reasoning);
    let tool =
        |offer: &Offer| json!({ "name": offer.name, "description": offer.description, "input_schema": offer.schema });
    let mut tools: Vec<Value> = prompt.tools.iter().map(tool).collect();
    tools.last_mut().into_iter().for_each(mark);
    let mut body = json!({
        "model": model,
        "max_tokens": prompt.output_tokens_max,
        "messages": messages(said, with_reasoning, mark),
        "tools": tools,
        "stream": true,
    });
    if with(Extra::ToolChoice) {
        body["tool_choice"] = json!({ "type": "any" });
    }
    if !prompt.system.is_empty() {
        let mut system = json!({ "type": "text", "text": prompt.system });
        mark(&mut system);
        body["system"] = json!([system]);
    }
    let mut headers = Vec::from([(HeaderName::from_static("anthropic-version"), VERSION.to_owned())]);
    headers.extend(key.map(|Key(key)| (HeaderName::from_static("x-api-key"), key.clone())));
    Spelled { url: below(base, &["messages"]), headers, body, extras }
}

/// Up to here the provider keeps what it has read, for the next call of the turn.
fn mark(block: &mut Value) {
    block["cache_control"] = json!({ "type": "ephemeral" });
}

/// Roles take turns: what follows in the same role goes into the same message.
fn messages(said: &[Said], with_reasoning: bool, mark: fn(&mut Value)) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for said in said {
        let (role, blocks) = match said {
            Said::User(text) => ("user", Vec::from([json!({ "type": "text", "text": text })])),
            Said::Model(spoken) => ("assistant", assistant(spoken, with_reasoning)),
            Said::Results(results) => {
                let result = |(id, text): &(String, String)| json!({ "type": "tool_result", "tool_use_id": id, "content": text });
                ("user", results.iter().map(result).collect())
            }
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, before)) if *last == role => before.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    let last = turns.iter_mut().rev().find(|(role, _)| *role == "user").and_then(|(_, blocks)| blocks.last_mut());
    last.into_iter().for_each(mark);
    turns.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect()
}

/// What a model said, after what it thought as it came. That of another dialect is an object and no part of this one.
fn assistant(spoken: &Spoken, with_reasoning: bool) -> Vec<Value> {
    let text = Some(spoken.text.trim_end()).filter(|text| !text.trim().is_empty());
    let mut blocks: Vec<Value> = text.map(|text| json!({ "type": "text", "text": text })).into_iter().collect();
    if let Some(Value::Array(thoughts)) = spoken.reasoning.as_ref().filter(|_| with_reasoning)
        && !spoken.calls.is_empty()
    {
        blocks.splice(..0, thoughts.iter().cloned());
    }
    blocks.extend(
        spoken
            .calls
            .iter()
            .map(|call| json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": draft::object(call) })),
    );
    blocks
}

/// Hears a reply.
pub(super) struct Listener {
    draft: Draft,
    counts: Option<Counts>,
    is_begun: bool,
    /// Blocks so far, and the one that is open.
    blocks: u64,
    open: Option<Open>,
}

/// A block that has begun and not ended.
enum Open {
    Text,
    /// Its input as the beginning gave it, used if no part of it follows.
    Call {
        input: Value,
        is_in_parts: bool,
    },
    /// Thinking, which goes back with the reply.
    Thinking,
    /// What nobody knows, which is not kept.
    Other,
}

impl Listener {
    pub(super) fn new(draft: Draft) -> Self {
        Self { draft, counts: None, is_begun: false, blocks: 0, open: None }
    }

    fn begin_block(&mut self, index: u64, block: Block) -> Result<(), Failure> {
        if self.open.is_some() || index != self.blocks || !self.is_begun {
            return Err(invalid("blocks of the reply come out of order"));
        }
        self.blocks += 1;
        self.open = Some(match block {
            Block::Text { text } => {
                self.draft.text(&text)?;
                Open::Text
            }
            Block::ToolUse { id, name, input } => {
                self.draft.call(&id.unwrap_or_default(), &name)?;
                Open::Call { input, is_in_parts: false }
            }
            Block::Thinking { thinking, signature } => {
                let block = json!({ "type": "thinking", "thinking": thinking, "signature": signature });
                self.thinks(block)?;
                Open::Thinking
            }
            Block::RedactedThinking { data } => {
                self.thinks(json!({ "type": "redacted_thinking", "data": data }))?;
                Open::Thinking
            }
            Block::Other => Open::Other,
        });
        Ok(())
    }

    /// A block of thinking begins.
    fn thinks(&mut self, block: Value) -> Result<(), Failure> {
        let add = |kept: &mut Value| match kept {
            Value::Array(blocks) => blocks.push(block.clone()),
            none => *none = json!([block]),
        };
        self.draft.think(block.to_string().len(), add)
    }

    /// More of the latest block of thinking.
    fn thinks_on(&mut self, key: &str, text: &str) -> Result<(), Failure> {
        self.draft.think(text.len(), |kept| {
            if let Some(Value::String(before)) = kept.as_array_mut().and_then(|b| b.last_mut()?.get_mut(key)) {
                before.push_str(text);
            }
        })
    }

    fn more(&mut self, index: u64, delta: Delta) -> Result<(), Failure> {
        if index.checked_add(1) != Some(self.blocks) {
            return Err(invalid("blocks of the reply come out of order"));
        }
        match (&mut self.open, delta) {
            (Some(Open::Text), Delta::Text { text }) => self.draft.text(&text),
            (Some(Open::Call { is_in_parts, .. }), Delta::Input { partial_json }) => {
                *is_in_parts |= !partial_json.is_empty();
                self.draft.args(&partial_json)
            }
            (Some(Open::Thinking), Delta::Thinking { thinking }) => self.thinks_on("thinking", &thinking),
            (Some(Open::Thinking), Delta::Signature { signature }) => self.thinks_on("signature", &signature),
            (Some(_), Delta::Other) => Ok(()),
            (Some(_), _) => Err(invalid("a block of the reply goes on as another kind")),
            (None, _) => Err(invalid("a block of the reply goes on after its end")),
        }
    }

    fn end_block(&mut self, index: u64) -> Result<(), Failure> {
        match self.open.take() {
            Some(_) if index.checked_add(1) != Some(self.blocks) => {
                Err(invalid("blocks of the reply come out of order"))
            }
            Some(Open::Call { input, is_in_parts: false }) if !input.is_null() => self.draft.args(&input.to_string()),
            Some(_) => Ok(()),
            None => Err(invalid("a block of the reply ends twice")),
        }
    }

    fn stops(&mut self, reason: Option<String>, usage: Option<&Value>) -> Result<(), Failure> {
        if let Some(usage) = usage {
            let counts = self.counts.get_or_insert_default();
            counts.join(usage);
            self.draft.usage = counts.usage();
        }
        reason.map_or(Ok(()), |word| self.draft.ends(&word, end(&word)))
    }
}

impl Ear for Listener {
    fn event(&mut self, event: &sse::Event) -> Result<bool, Failure> {
        match shaped(draft::event(event, &mut self.draft)?)? {
            Event::MessageStart { .. } if self.is_begun => return Err(invalid("the reply begins twice")),
            Event::MessageStart { message } => {
                self.is_begun = true;
                message.usage.iter().for_each(|usage| self.counts.get_or_insert_default().join(usage));
            }
            Event::ContentBlockStart { index, content_block } => self.begin_block(index, content_block)?,
            Event::ContentBlockDelta { index, delta } => self.more(index, delta)?,
            Event::ContentBlockStop { index } => self.end_block(index)?,
            Event::MessageDelta { delta, usage } => self.stops(delta.stop_reason, usage.as_ref())?,
            Event::MessageStop if self.open.is_some() => return Err(invalid("the reply ends within a block")),
            Event::MessageStop => return Ok(true),
            Event::Other => {}
        }
        Ok(false)
    }

    fn whole(&mut self, text: &str) -> Result<(), Failure> {
        let reply = draft::document(text, &mut self.draft)?;
        let Message::Message { content, stop_reason, usage } = shaped(draft::unfailed(reply, &mut self.draft)?)?;
        self.is_begun = true;
        for (index, block) in (0..).zip(content) {
            self.begin_block(index, block)?;
            self.end_block(index)?;
        }
        self.stops(stop_reason, usage.as_ref())
    }

    fn heard(self: Box<Self>) -> Result<Heard, Failure> {
        self.draft.heard()
    }

    fn ends_with_body(&self) -> bool {
        false
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Stop,
        usage: Option<Value>,
    },
    MessageStop,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: Option<String>,
        name: String,
        #[serde(default)]
        input: Value,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        #[serde(default)]
        data: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Message { content: Vec<Block>, stop_reason: Option<String>, usage: Option<Value> },
}

fn end(word: &str) -> End {
    match word {
        "end_turn" | "tool_use" | "stop_sequence" => End::Proper,
        "max_tokens" => End::Cut,
        "model_context_window_exceeded" => End::TooLong,
        "refusal" => End::Refused,
        _ => End::Wrong,
    }
}

/// Tokens as Messages counts them: what came from the cache and what went into it stand apart from the input.
#[derive(Default)]
struct Counts {
    input: Option<u64>,
    cached: u64,
    written: u64,
    output: Option<u64>,
}

impl Counts {
    /// The end's counts are over all, but some gateways give 0 in one of the two places: the greater one is right.
    fn join(&mut self, usage: &Value) {
        let of = |key: &str| usage[key].as_u64();
        self.input = self.input.max(of("input_tokens"));
        self.output = self.output.max(of("output_tokens"));
        self.cached = self.cached.max(of("cache_read_input_tokens").unwrap_or(0));
        self.written = self.written.max(of("cache_creation_input_tokens").unwrap_or(0));
    }

    fn usage(&self) -> Option<Usage> {
        Some(Usage {
            input_tokens: self.input?.saturating_add(self.cached).saturating_add(self.written),
            output_tokens: self.output?,
            cached_tokens: self.cached,
            cache_write_tokens: self.written,
        })
    }
}

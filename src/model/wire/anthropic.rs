//! Messages. Blocks come one after the other, each with a beginning and an end; the usage comes in two halves.

use std::collections::BTreeSet;

use reqwest::header::HeaderName;
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
use crate::model::prompt::{Offer, Said, Spoken};

const VERSION: &str = "2023-06-01";

pub(super) fn spelled<'a>(ready: Ready<'a>) -> Spelled<'a> {
    let Ready { base, key, model, prompt, said, omits, .. } = ready;
    let mut extras = BTreeSet::new();
    let mut with = |extra: Extra| !omits.contains(&extra) && extras.insert(extra);
    let mark: Mark = if with(Extra::CacheControl) { mark } else { |_| {} };
    let is_back = said.iter().any(|said| matches!(said, Said::Model(spoken) if spoken.reasoning.is_some()));
    let with_reasoning = is_back && with(Extra::Reasoning);
    let tool = |offer: &'a Offer| {
        let (name, description, schema) = ((&offer.name).into(), (&offer.description).into(), (&offer.schema).into());
        object([("name", name), ("description", description), ("input_schema", schema)])
    };
    let mut tools: Vec<Json<'a>> = prompt.tools.iter().map(tool).collect();
    tools.last_mut().into_iter().for_each(mark);
    let mut body = object([
        ("model", model.into()),
        ("max_tokens", prompt.output_tokens_max.into()),
        ("messages", list(messages(said, with_reasoning, mark))),
        ("tools", list(tools)),
        ("stream", true.into()),
    ]);
    if with(Extra::ToolChoice) {
        body.put("tool_choice", object([("type", "any".into())]));
    }
    if !prompt.system.is_empty() {
        let mut system = text(&prompt.system);
        mark(&mut system);
        body.put("system", list([system]));
    }
    let mut headers = Vec::from([(HeaderName::from_static("anthropic-version"), VERSION.to_owned())]);
    headers.extend(key.map(|Key(key)| (HeaderName::from_static("x-api-key"), key.clone())));
    Spelled { url: below(base, &["messages"]), headers, body, extras }
}

/// Marks a block, or does not.
type Mark = for<'m, 'a> fn(&'m mut Json<'a>);

/// Up to here the provider keeps what it has read, for the next call of the turn.
fn mark(block: &mut Json<'_>) {
    block.put("cache_control", object([("type", "ephemeral".into())]));
}

fn text(text: &str) -> Json<'_> {
    object([("type", "text".into()), ("text", text.into())])
}

/// Roles take turns: what follows in the same role goes into the same message.
fn messages(said: &[Said], with_reasoning: bool, mark: Mark) -> Vec<Json<'_>> {
    let mut turns: Vec<(&str, Vec<Json<'_>>)> = Vec::new();
    for said in said {
        let (role, blocks) = match said {
            Said::User(words) => ("user", Vec::from([text(words)])),
            Said::Model(spoken) => ("assistant", assistant(spoken, with_reasoning)),
            Said::Results(results) => {
                let result =
                    |(id, text)| object([("type", "tool_result".into()), ("tool_use_id", id), ("content", text)]);
                ("user", results.iter().map(|(id, text)| result((id.into(), text.into()))).collect())
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
    let message = |(role, content)| object([("role", Json::from(role)), ("content", Json::List(content))]);
    turns.into_iter().map(message).collect()
}

/// What a model said, after what it thought as it came. That of another dialect is an object and no part of this one.
fn assistant(spoken: &Spoken, with_reasoning: bool) -> Vec<Json<'_>> {
    let words = Some(spoken.text.trim_end()).filter(|words| !words.trim().is_empty());
    let mut blocks: Vec<Json<'_>> = words.map(text).into_iter().collect();
    if let Some(Value::Array(thoughts)) = spoken.reasoning.as_ref().filter(|_| with_reasoning)
        && !spoken.calls.is_empty()
    {
        blocks.splice(..0, thoughts.iter().map(Json::from));
    }
    blocks.extend(spoken.calls.iter().map(|call| {
        let (id, name, input) = ((&call.id).into(), (&call.name).into(), draft::object(call).into());
        object([("type", "tool_use".into()), ("id", id), ("name", name), ("input", input)])
    }));
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
        match draft::event(event, &mut self.draft)? {
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

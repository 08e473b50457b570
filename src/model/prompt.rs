//! What a model is sent and what it says, in no provider's dialect: one conversation of one turn. `wire` speaks it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AgentName, ToolName};
use crate::topology::order;

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What it is told to be and to do.
    pub system: String,
    /// What it may call; never empty, since a turn ends with a call.
    pub tools: Vec<Offer>,
    /// The conversation so far; it begins and ends with what is not the model's.
    pub said: Vec<Said>,
    /// Tokens that the reply may have.
    pub output_tokens_max: u64,
}

/// A tool as it is offered: the model must call one of those that it is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Letters, digits and `_`, 1 to 64 of them, unique: what every provider takes.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema (draft-07) of its arguments, an object.
    pub schema: Schema,
}

/// What the members of one plan are offered, as far as it was asked for: it is the same in each of their requests.
#[derive(Debug, Default)]
pub struct Offers(Mutex<BTreeMap<(AgentName, bool), Arc<OwnOffers>>>);

/// What one member is offered.
#[derive(Debug)]
pub(super) struct OwnOffers {
    pub(super) tools: Vec<(ToolName, Offer)>,
    pub(super) end: Offer,
}

impl Offers {
    /// Those to `agent`, who is asked a question or is not; made at the first time.
    pub(super) fn of(&self, agent: &AgentName, is_question: bool, make: impl FnOnce() -> OwnOffers) -> Arc<OwnOffers> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry((agent.clone(), is_question)).or_insert_with(|| Arc::new(make())))
    }
}

/// A JSON Schema as it is written: once, for all the requests that offer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Arc<Written>);

#[derive(Debug, PartialEq)]
struct Written {
    value: Value,
    /// Its properties in their order.
    text: String,
    /// Bytes that it counts for.
    bytes: usize,
}

impl Schema {
    /// It as it stands in a request: its properties in their order.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl From<Value> for Schema {
    fn from(value: Value) -> Self {
        let (text, bytes) = (order::write(&value), value.to_string().len());
        Self(Arc::new(Written { value, text, bytes }))
    }
}

impl Deref for Schema {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// To the model.
    User(String),
    /// By the model.
    Model(Spoken),
    /// What became of its calls: one result for each, in their order, by call id.
    Results(Vec<(String, String)>),
}

/// One reply of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Spoken {
    /// Its words outside calls.
    pub text: String,
    /// Its calls, in order.
    pub calls: Vec<SpokenCall>,
    /// What the provider wants to see again with this reply, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What it thought, in the shape of its provider's dialect; it goes back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Value>,
}

/// A call as the model spoke it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpokenCall {
    /// The provider's id; made up from its place if the provider gives none.
    pub id: String,
    /// Hostile text: perhaps not among the offers.
    pub name: String,
    /// The arguments: JSON, or the text that should have been JSON.
    pub args: Result<Value, String>,
}

impl Prompt {
    /// All of it as text that people read and compare.
    pub fn text(&self) -> String {
        let mut text = format!("== system\n{}\n", self.system.trim_end());
        for offer in &self.tools {
            text.push_str(&format!("\n== offered: {}\n{}\n{:#}\n", offer.name, offer.description, *offer.schema));
        }
        for said in &self.said {
            match said {
                Said::User(words) => text.push_str(&format!("\n== user\n{}\n", words.trim_end())),
                Said::Model(spoken) => text.push_str(&spoken.text_with_calls()),
                Said::Results(results) => {
                    for (call, result) in results {
                        text.push_str(&format!("\n== result of {call}\n{}\n", readable(result)));
                    }
                }
            }
        }
        text.push_str(&format!("\n== at most {} tokens\n", self.output_tokens_max));
        text
    }

    /// Bytes of text that it comes to. No tokeniser makes more than one token of a byte.
    pub fn bytes(&self) -> u64 {
        let offered = self.tools.iter().map(|o| o.name.len() + o.description.len() + o.schema.0.bytes);
        let args = |call: &SpokenCall| match &call.args {
            Ok(args) => args.to_string().len(),
            Err(text) => text.len(),
        };
        let thought = |spoken: &Spoken| spoken.reasoning.as_ref().map_or(0, |thought| thought.to_string().len());
        let said = self.said.iter().map(|said| match said {
            Said::User(text) => text.len(),
            Said::Model(spoken) => {
                thought(spoken)
                    + spoken.text.len()
                    + spoken.calls.iter().map(|c| c.id.len() + c.name.len() + args(c)).sum::<usize>()
            }
            Said::Results(results) => results.iter().map(|(id, text)| id.len() + text.len()).sum(),
        });
        (self.system.len() + offered.sum::<usize>() + said.sum::<usize>()) as u64
    }
}

impl Spoken {
    fn text_with_calls(&self) -> String {
        let mut text = format!("\n== model\n{}", self.text);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            text.push('\n');
        }
        for call in &self.calls {
            let args = match &call.args {
                Ok(args) => format!("{args:#}"),
                Err(text) => text.clone(),
            };
            text.push_str(&format!("call {} of {}: {args}\n", call.id, call.name));
        }
        text
    }
}

/// JSON spread over lines; other text as it is.
fn readable(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| format!("{value:#}"))
}

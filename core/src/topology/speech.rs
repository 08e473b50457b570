//! How models are spoken to: how their calls are spoken, and what is sent beside the conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// How models say what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// They call tools, which their server offers to them.
    #[default]
    Tools,
    /// Their answer is one JSON document, whose form the server forces: it names what they call, and with what.
    JsonSchema,
}

impl Calls {
    /// Both, with their words in files.
    pub const ALL: [(&'static str, Self); 2] = [("tools", Self::Tools), ("json_schema", Self::JsonSchema)];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        Self::ALL[usize::from(self == Self::JsonSchema)].0
    }
}

/// What is particular to requests to a model, beside the conversation. How it behaves depends on it, so it is pinned with a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manner {
    /// How it says what it does.
    #[serde(default)]
    pub calls: Calls,
    /// How far its words are left to chance; its server decides if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Number>,
    /// Fields that are put into each request.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// A part of a request that not every server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extra {
    /// That some tool must be called.
    ToolChoice,
    /// That the end of a stream says what was used.
    StreamOptions,
    /// The cap of the output under its older name; the newer one is used instead.
    MaxTokens,
    /// The cap of the output under its newer name; the older one is used instead.
    MaxCompletionTokens,
    /// Up to where the provider keeps what it has read.
    CacheControl,
    /// What the model thought before, given back.
    Reasoning,
}

impl Extra {
    /// All of them, with the word that a provider's table has for each.
    pub const ALL: [(&'static str, Self); 6] = [
        ("tool_choice", Self::ToolChoice),
        ("stream_options", Self::StreamOptions),
        ("max_tokens", Self::MaxTokens),
        ("max_completion_tokens", Self::MaxCompletionTokens),
        ("cache_control", Self::CacheControl),
        ("reasoning", Self::Reasoning),
    ];
}

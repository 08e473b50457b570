//! What a request says beyond what every server takes: each can be left out, because a provider's table says so or because
//! the server refused it. A refusal is learned once for an endpoint and a model, and remembered as long as the process lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A part of a request that not every server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// How servers name it when they refuse it, in lower case.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::ToolChoice => &["tool_choice", "tool choice", "toolchoice", "toolconfig", "function calling config"],
            Self::StreamOptions => &["stream_options", "include_usage"],
            Self::MaxTokens => &["max_tokens"],
            Self::MaxCompletionTokens => &["max_completion_tokens"],
            Self::CacheControl => &["cache_control"],
            Self::Reasoning => &["reasoning", "thinking block", "thought"],
        }
    }
}

/// Words of a server that takes a request but for one part of it.
const REFUSES: [&str; 14] = [
    "support",
    "unrecognized",
    "unrecognised",
    "unknown",
    "unexpected",
    "extra",
    "permitted",
    "allowed",
    "invalid",
    "instead",
    "must be",
    "may not",
    "cannot",
    "not compatible",
];

/// Which of those that were `sent` a server refuses, if `message` or the parameter that it names says so.
pub(super) fn refused(sent: &BTreeSet<Extra>, message: &str, param: Option<&str>) -> Option<Extra> {
    let lower = message.to_ascii_lowercase();
    let is_refusal = REFUSES.iter().any(|word| lower.contains(word));
    let is_named = |extra: &&Extra| {
        let names = extra.names();
        param.is_some_and(|param| names.contains(&param)) || is_refusal && names.iter().any(|name| lower.contains(name))
    };
    sent.iter().find(is_named).copied()
}

/// What is refused, by endpoint and model.
type Refused = BTreeMap<(String, String), BTreeSet<Extra>>;

/// What endpoints turned out not to take, by base URL and model.
#[derive(Debug, Clone, Default)]
pub(super) struct Learned(Arc<Mutex<Refused>>);

impl Learned {
    pub(super) fn of(&self, base_url: &str, model: &str) -> BTreeSet<Extra> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(base_url.to_owned(), model.to_owned())).cloned().unwrap_or_default()
    }

    pub(super) fn add(&self, base_url: &str, model: &str, extra: Extra) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((base_url.to_owned(), model.to_owned())).or_default().insert(extra);
    }
}

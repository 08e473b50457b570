//! What a request says beyond what every server takes: each can be left out, because a provider's table says so or because
//! the server refused it. A refusal is learned once for an endpoint and a model, and remembered as long as the process lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

pub use crate::topology::speech::Extra;

/// How servers name a part when they refuse it, in lower case.
fn names(extra: Extra) -> &'static [&'static str] {
    match extra {
        Extra::ToolChoice => &["tool_choice", "tool choice", "toolchoice", "toolconfig", "function calling config"],
        Extra::StreamOptions => &["stream_options", "include_usage"],
        Extra::MaxTokens => &["max_tokens"],
        Extra::MaxCompletionTokens => &["max_completion_tokens"],
        Extra::CacheControl => &["cache_control"],
        Extra::Reasoning => &["reasoning", "thinking block", "thought"],
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
        let names = names(**extra);
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

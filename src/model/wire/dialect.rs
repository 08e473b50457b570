//! What a dialect does: it spells a request, and hears a reply.

use std::collections::BTreeSet;

use reqwest::Url;
use reqwest::header::HeaderName;
use serde_json::Value;

use super::endpoint::Key;
use super::extra::Extra;
use super::json::Json;
use super::sse;
use crate::failure::{Failure, Usage};
use crate::model::prompt::{Prompt, Said, Spoken};

/// A reply that is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// What was said; empty if the provider properly ended without a word.
    pub spoken: Spoken,
    /// What it used; `None` if the provider did not say.
    pub usage: Option<Usage>,
}

/// What hears a reply: one for each dialect.
pub(super) trait Ear: Send {
    /// One event of a stream; true if it is the last one.
    fn event(&mut self, event: &sse::Event) -> Result<bool, Failure>;
    /// The reply as one JSON document.
    fn whole(&mut self, text: &str) -> Result<(), Failure>;
    /// The reply, after its last event or its document.
    fn heard(self: Box<Self>) -> Result<Heard, Failure>;
    /// Whether the end of the body is the last event, since the dialect has none.
    fn ends_with_body(&self) -> bool;
}

/// A request as its dialect has it.
pub(super) struct Spelled<'a> {
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Json<'a>,
    /// What it says that not every server takes.
    pub(super) extras: BTreeSet<Extra>,
}

/// All that a dialect makes a request of.
pub(super) struct Ready<'a> {
    pub(super) base: Url,
    pub(super) key: Option<&'a Key>,
    pub(super) model: &'a str,
    pub(super) prompt: &'a Prompt,
    /// The prompt's conversation, with ids that the dialect takes.
    pub(super) said: &'a [Said],
    /// What is left out.
    pub(super) omits: &'a BTreeSet<Extra>,
    /// The form of the answer, in place of what may be called.
    pub(super) form: Option<&'a Value>,
}

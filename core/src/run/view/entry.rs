//! One line of a run's story.

use serde::Serialize;

use super::choice::Choice;
use crate::id::{Seq, Timestamp};
use crate::run::event::Origin;

/// One thing that happened, as people read it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Entry {
    /// Its record.
    pub seq: Seq,
    /// When.
    #[serde(serialize_with = "crate::id::as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
    /// Who did it: a member, a person, `start`, `supervisor`.
    pub from: String,
    /// To whom, if it is a message.
    pub to: Option<String>,
    /// One word: an outcome, or what happened.
    pub word: String,
    /// In a sentence.
    pub text: String,
    /// What exactly: digests, arguments, results; for whoever asks for the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where its words come from.
    pub origin: Option<Origin>,
    /// In which branch of a split, if in one: `planner.2` is the second of the planner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What kind of thing it is.
    pub kind: Kind,
    /// If it is what a model chose: among what, and on what evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message along a handoff.
    Message,
    /// A call of a tool, with its result.
    Call,
    /// A version of an artefact.
    Version,
    /// An item that left, or was drafted.
    Item,
    /// A person is asked, or answered.
    Person,
    /// Something failed, was refused, retried or restarted.
    Trouble,
    /// The run began, was resumed, paused, ended.
    Life,
}

/// An entry of `kind`, without its record: who did it, in a word and in a sentence.
pub(super) fn entry(from: &str, word: &str, text: String, kind: Kind) -> Entry {
    Entry {
        seq: Seq(0),
        at: Timestamp(0),
        from: from.to_owned(),
        to: None,
        word: word.to_owned(),
        text,
        detail: None,
        origin: None,
        branch: None,
        kind,
        choice: None,
    }
}

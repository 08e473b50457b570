//! What people said to members, as far as a run branches on it: who reads it, and in which turn; and what they attached that came of
//! it. What it says is a body.

use super::event::BodyRef;
use crate::id::{AgentName, MessageId, Timestamp};

/// What a person said to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// To whom.
    pub to: AgentName,
    /// Who said it.
    pub by: String,
    /// In words.
    pub note: BodyRef,
    /// The turn that was shown it, by the message that it handles.
    pub read_in: Option<MessageId>,
}

/// What a person attached that came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The table: a [`Table`](super::body::Table).
    pub table: BodyRef,
    /// Who attached it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

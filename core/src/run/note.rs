//! What people said to members, as far as a run branches on it: who reads it, and in which turn. What it says is a
//! body.

use super::event::BodyRef;
use crate::id::{AgentName, MessageId};

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

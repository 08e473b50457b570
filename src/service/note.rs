//! What people say to members while a run goes on, as data: who reads it, and whether they have. It decides nothing.

use serde::Serialize;

use super::error::Error;
use super::story::Story;
use crate::id::{AgentName, MessageId};
use crate::run::input::Say;
use crate::run::view::note;

/// What a person said to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Note {
    /// To whom.
    pub to: AgentName,
    /// Who said it.
    pub by: String,
    /// In words.
    pub text: String,
    /// The message in whose turn it was shown; none if nobody was shown it yet.
    pub read_in: Option<MessageId>,
}

/// What people said in a run, in order.
pub(super) fn notes(story: &Story) -> Vec<Note> {
    let texts = story.texts();
    let one = |known: &crate::run::note::Note| Note {
        to: known.to.clone(),
        by: known.by.clone(),
        text: note(&texts, known.note),
        read_in: known.read_in,
    };
    story.state().notes.iter().map(one).collect()
}

/// The members who read what people say to them: the models.
pub fn readers(story: &Story) -> Vec<AgentName> {
    let plan = &story.state().plan;
    plan.team.keys().filter(|name| plan.reads_notes(name)).cloned().collect()
}

/// What is posted to say `text` to `member`.
///
/// # Errors
/// If the run has no such member that reads it.
pub fn to(story: &Story, member: &str, text: String) -> Result<Say, Error> {
    let readers = readers(story);
    let to = readers.iter().find(|name| name.as_str() == member);
    let to = to.ok_or_else(|| {
        Error::unknown("member that reads notes called", member, readers.iter().map(AgentName::as_str))
    })?;
    Ok(Say::Note { to: to.clone(), text })
}

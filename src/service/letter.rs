//! Messages that could not be handled: to whom, why, and what failed, as far as that is known.

use serde::Serialize;

use super::story::Story;
use crate::actor::history::Bodies;
use crate::failure::Class;
use crate::id::MessageId;
use crate::run::body::FailureReport;
use crate::run::event::Reason;
use crate::run::view::failing::Failing;
use crate::run::view::read;
use crate::run::view::why::letter_text;
use crate::topology::plan::Recipient;

/// A message that could not be handled.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Letter {
    /// The message: `dead-letters --retry` and `--discard` name it so.
    pub message: MessageId,
    /// To whom: a member, or `end`.
    pub to: String,
    /// Of what kind the failure is.
    pub class: Class,
    /// In words.
    pub reason: String,
    /// What failed: a model, a tool; none if neither did, or if that is not known.
    pub failed: Option<Failing>,
    /// True if what was asked in a replay is not what was recorded: nobody can mend what a recording does not have.
    pub drifted: bool,
}

impl Letter {
    /// Whether what the run needs from outside failed: a server that cannot be reached, a key that is refused, a file that is
    /// not there. No person is asked for anything then; somebody has to mend it.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self.class, Class::Transient | Class::Throttled | Class::Permanent)
    }
}

/// The dead letters of a run, in order.
pub fn letters(story: &Story) -> Vec<Letter> {
    let (state, texts) = (story.state(), story.texts());
    let letters = state.dead.iter().map(|(id, letter)| Letter {
        message: *id,
        to: match &letter.message.to {
            Recipient::Member(agent) => agent.to_string(),
            Recipient::End => "end".to_owned(),
        },
        class: letter.class,
        reason: letter_text(state, &texts, letter),
        failed: story.view.failing(letter).cloned(),
        drifted: has_drifted(letter.reason, &texts),
    });
    letters.collect()
}

/// Whether the failure was that a replay asked what was not recorded.
fn has_drifted(reason: Reason, texts: &Bodies) -> bool {
    let Reason::Told(told) = reason else { return false };
    read::<FailureReport>(texts, told).is_some_and(|report| report.drifted)
}

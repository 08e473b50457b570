//! How a command ends: one table of codes, and the sentence that goes with a failure.

use crate::file::words;
use crate::run::event::{Ending, PauseReason};
use crate::run::state::Status;
use crate::service::letter::{Letter, letters};
use crate::service::story::Story;
use crate::topology::fault::Faults;
use crate::words::error::Told;

/// The exit codes, as the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed, or cannot go on since something outside failed.
    Failed = 1,
    /// Wrong input: nothing was done.
    Input = 2,
    /// It waits for a person.
    Waiting = 3,
    /// Its budget stopped or paused it.
    Budget = 4,
    /// A person rejected it.
    Rejected = 5,
    /// Interrupted; the state is kept.
    Interrupted = 130,
}

impl Exit {
    /// What a run's story means to whoever waits for its end.
    pub fn of(story: &Story) -> Self {
        let (state, letters) = (story.state(), letters(story));
        // Nobody can mend what a recording does not have.
        if letters.iter().any(|letter| letter.drifted) {
            return Self::Failed;
        }
        match state.status() {
            Status::Ended(Ending::Done) => Self::Done,
            Status::Ended(Ending::Rejected) => Self::Rejected,
            Status::Ended(Ending::Stopped) => Self::Budget,
            Status::Ended(Ending::Failed | Ending::Cancelled | Ending::Bug) => Self::Failed,
            Status::Paused if matches!(state.paused, Some(PauseReason::Budget { .. })) => Self::Budget,
            Status::Stuck if letters.iter().any(Letter::is_out_of_reach) => Self::Failed,
            Status::Waiting | Status::Paused | Status::Stuck | Status::Running => Self::Waiting,
        }
    }
}

/// Why a command cannot go on: what is wrong and what to do, and the code.
#[derive(Debug)]
pub struct Stop {
    /// The code.
    pub exit: Exit,
    /// For stderr; may quote hostile text.
    pub text: String,
    /// The faults of files that it is about, which the text has in words.
    pub faults: Faults,
}

impl Stop {
    /// One that is about no file.
    pub fn of(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), faults: Faults::default() }
    }

    /// The user's input is wrong.
    pub fn input(text: impl Into<String>) -> Self {
        Self::of(Exit::Input, text)
    }

    /// Something failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::of(Exit::Failed, text)
    }
}

impl<E> From<E> for Stop
where
    Told: From<E>,
{
    fn from(error: E) -> Self {
        let Told { text, is_input, faults } = error.into();
        Self { faults, ..Self::of(if is_input { Exit::Input } else { Exit::Failed }, text) }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("the system refused: {}", words(&error)))
    }
}

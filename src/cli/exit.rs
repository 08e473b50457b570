//! How a command ends: one table of codes, and the sentence that goes with a failure.

use crate::actor::{history, system};
use crate::app;
use crate::failure::Class;
use crate::journal;
use crate::run::event::{Ending, PauseReason};
use crate::run::state::{State, Status};

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
    /// What a run's state means to whoever waits for its end.
    pub fn of(state: &State) -> Self {
        match state.status() {
            Status::Ended(Ending::Done) => Self::Done,
            Status::Ended(Ending::Rejected) => Self::Rejected,
            Status::Ended(Ending::Stopped) => Self::Budget,
            Status::Ended(Ending::Failed | Ending::Cancelled | Ending::Bug) => Self::Failed,
            Status::Paused if matches!(state.paused, Some(PauseReason::Budget { .. })) => Self::Budget,
            Status::Stuck if is_out_of_reach(state) => Self::Failed,
            Status::Waiting | Status::Paused | Status::Stuck | Status::Running => Self::Waiting,
        }
    }
}

/// Whether what the run needs from outside failed: a server that cannot be reached, a key that is refused, a file that is not
/// there. No person is asked for anything then; somebody has to mend it.
fn is_out_of_reach(state: &State) -> bool {
    let failed = |class| matches!(class, Class::Transient | Class::Throttled | Class::Permanent);
    state.dead.values().any(|letter| failed(letter.class))
}

/// Why a command cannot go on: what is wrong and what to do, and the code.
#[derive(Debug)]
pub struct Stop {
    /// The code.
    pub exit: Exit,
    /// For stderr; may quote hostile text.
    pub text: String,
}

impl Stop {
    /// The user's input is wrong.
    pub fn input(text: impl Into<String>) -> Self {
        Self { exit: Exit::Input, text: text.into() }
    }

    /// Something failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }
}

impl From<journal::Error> for Stop {
    fn from(error: journal::Error) -> Self {
        use journal::Error::{
            Broken, Conflict, Damaged, Ended, Full, Malformed, Newer, Owned, ReadOnly, UnknownRun, Unreadable,
        };
        match &error {
            UnknownRun => Self::input("there is no such run; `callsheet runs` lists them"),
            Owned { .. } => {
                Self::input(format!("{error}; wait for it, or take it over with `--take-over` if it is stuck"))
            }
            Newer { .. } | Unreadable(_) => Self::input(error.to_string()),
            Damaged(_) => Self::failed(format!("{error}; `callsheet audit verify` says where")),
            Conflict { .. } => Self::failed(format!("{error}: another process drives it now")),
            Full | ReadOnly | Ended | Malformed(_) | Broken(_) => Self::failed(error.to_string()),
        }
    }
}

impl From<system::Error> for Stop {
    fn from(error: system::Error) -> Self {
        match error {
            system::Error::Journal(error) => error.into(),
            system::Error::History(error) => error.into(),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<history::Error> for Stop {
    fn from(error: history::Error) -> Self {
        match error {
            history::Error::Journal(error) => error.into(),
            error @ history::Error::Replay(_) => Self::failed(error.to_string()),
        }
    }
}

impl From<system::Gone> for Stop {
    fn from(gone: system::Gone) -> Self {
        match gone {
            system::Gone::Journal(error) => error.into(),
            system::Gone::Bug(why) => {
                Self::failed(format!("a rule of callsheet's own was broken: {why}; the journal has the evidence"))
            }
            system::Gone::Parked => Self::failed("the run was let go while it waited; callsheet resume takes it up"),
        }
    }
}

impl From<app::Error> for Stop {
    fn from(error: app::Error) -> Self {
        match error {
            app::Error::Journal(error) => error.into(),
            app::Error::System(error) => error.into(),
            other @ (app::Error::Faults(_) | app::Error::Environment(_)) => Self::input(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}

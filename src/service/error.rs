//! Why something cannot be done, as data: a face puts it into words, with what to do next.

use std::path::PathBuf;

use super::thread::Comment;
use crate::actor::examiner;
use crate::actor::history;
use crate::actor::system::{self, Gone};
use crate::app;
use crate::id::{AgentName, ApprovalNo, ArtefactName, RunNo};
use crate::journal;
use crate::run::event::{Refusal, Who};
use crate::topology::fault::Faults;
use crate::topology::plan::Param;

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Error {
    /// A file is no table that can be attached, a sentence each.
    #[error("no table: {0:?}")]
    NoTable(Vec<String>),
    /// There is no journal, or no run in it.
    #[error("nothing has run here yet")]
    NothingYet,
    /// No run has this number.
    #[error("there is no run {no}")]
    UnknownRun {
        /// The number.
        no: RunNo,
        /// The newest one, if there is any.
        newest: Option<RunNo>,
    },
    /// Nothing of this kind has this name.
    #[error("there is no {what} {name}")]
    Unknown {
        /// Of which kind, such as `state`.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// This number was never taken for an approval or a question.
    #[error("there is no approval {0}")]
    UnknownApproval(ApprovalNo),
    /// This number is not that of an approval, or of one that was never asked.
    #[error("{0} is no approval that waits")]
    NoApproval(ApprovalNo),
    /// The approval does not wait any more.
    #[error("approval {no} is closed")]
    Closed {
        no: ApprovalNo,
        /// What it came to.
        why: Refusal,
        /// Approvals of the same run that wait.
        open: Vec<ApprovalNo>,
    },
    /// The run is over.
    #[error("run {run} is over: {status}")]
    Over {
        run: RunNo,
        /// How it ended.
        status: String,
    },
    /// Somebody whom the project does not declare.
    #[error("`{}` is not one of the people that callsheet.toml declares", .who.name)]
    Stranger {
        who: Who,
        /// Whom it declares.
        known: Vec<String>,
    },
    /// The run refused what was posted to it.
    #[error("the run refused it")]
    Refused {
        why: Refusal,
        /// What is wrong with what was written, if that is why.
        faults: Option<String>,
    },
    /// Comments on it are open that block it.
    #[error("comments block it")]
    Blocked {
        run: RunNo,
        /// Those comments.
        comments: Vec<Comment>,
    },
    /// What is wrong with a comment, a sentence each.
    #[error("{}", .0.join("; "))]
    Remark(Vec<String>),
    /// Whoever drives the run did not answer in time; what was posted is kept.
    #[error("the process that drives the run did not answer")]
    Unanswered,
    /// The approval is not about a draft.
    #[error("there is nothing to edit")]
    NothingToEdit,
    /// The approval is about no artefact that can be edited, or not about this one.
    #[error("this approval is not about that artefact")]
    NotAbout {
        /// What was asked for.
        named: Option<String>,
        /// What it is about.
        approves: Vec<ArtefactName>,
    },
    /// An artefact's text was erased.
    #[error("{0} was erased")]
    Erased(ArtefactName),
    /// The run has no such artefact.
    #[error("the run has no artefact {named}")]
    NoArtefact {
        /// What was asked for.
        named: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The artefact has no version of this number.
    #[error("{artefact} has no version {version}")]
    NoVersion {
        /// Which artefact.
        artefact: String,
        /// What was asked for.
        version: usize,
        /// How many it has.
        last: usize,
    },
    /// The topology, or the data that it reads, has faults.
    #[error("{}", .0.render(false))]
    Faulty(Faults),
    /// Its models or its tools cannot be asked.
    #[error("{0}")]
    Unreachable(String),
    /// The recording cannot be replayed.
    #[error("{0}")]
    Recording(String),
    /// The recording is one of another topology.
    #[error("{} is a recording of {topology}", .path.display())]
    RecordingOf {
        path: PathBuf,
        /// Of which.
        topology: String,
    },
    /// A parameter is wrong or missing.
    #[error("a parameter is wrong")]
    Param(ParamFault),
    /// The agent cannot be tried so.
    #[error("{agent} cannot be tried so")]
    Untried {
        agent: AgentName,
        /// Why not.
        why: Untried,
    },
    /// The project's rules for what is written cannot be read.
    #[error(transparent)]
    Rules(#[from] examiner::Unmade),
    /// The run is not driven here any more.
    #[error("the run was let go")]
    Gone(Gone),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// A run cannot be told from it.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The system.
    #[error(transparent)]
    System(#[from] system::Error),
    /// There is no system.
    #[error(transparent)]
    App(#[from] app::Error),
    /// A file or a folder that is needed cannot be made.
    #[error("{} cannot be made: {}", .path.display(), crate::file::words(.why))]
    Unmade {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
}

impl Error {
    /// That nothing of the kind `what` has this name, and those that there are.
    pub fn unknown(what: &'static str, name: &str, known: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Unknown { what, name: name.to_owned(), known: known.into_iter().map(Into::into).collect() }
    }
}

/// What is wrong with a run's parameters.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum ParamFault {
    /// The topology has none of this name.
    Unknown {
        name: String,
        /// Of which topology.
        topology: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// It has no default, and none was given.
    Missing {
        name: String,
        /// Of which topology.
        topology: String,
        /// How it is declared.
        param: Box<Param>,
    },
    /// Its text is not of its type, or lies outside of its bounds.
    Unfit {
        name: String,
        /// What was given.
        text: String,
        /// How it is declared.
        param: Box<Param>,
    },
}

/// Why an agent cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untried {
    /// A person or a tool is tried by running its team.
    NoModel,
    /// It reads these, and they are not given.
    Reads(Vec<ArtefactName>),
    /// Nobody hands on to it, so it gets the brief, and no artefact.
    GetsTheBrief,
}

//! Why what somebody said to a run comes to nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BodyRef, Decision};
use crate::id::{ApprovalNo, CommentNo, Outcome};

/// Why a row of the inbox was refused; the poster's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as for events")]
pub enum Refusal {
    /// This run has no such approval or question.
    UnknownApproval,
    /// Somebody decided before.
    AlreadyDecided { by: String, decision: Decision },
    /// Somebody answered before.
    AlreadyAnswered { by: String, outcome: Outcome },
    /// An answer is wanted, and no decision.
    WantsAnswer,
    /// A decision is wanted, and no answer.
    WantsDecision,
    /// The person who answers does not declare this outcome.
    UnknownOutcome,
    /// The answer has faults: a list of sentences.
    FaultyAnswer { problems: BodyRef },
    /// This person approved it already; others are waited for.
    AlreadyApproved,
    /// The content changed since; another approval binds it.
    Replaced { by: Option<ApprovalNo> },
    /// The digest is not that of the content.
    ContentChanged,
    /// Its time was up, or the run ended.
    Closed,
    /// This person may not.
    NotAllowed,
    /// The project declares its people, and nobody has this name.
    NotDeclared { name: String },
    /// Whoever started the run may not approve here.
    StarterMayNot,
    /// Rules that did not hold have to be accepted by name.
    Unaccepted { rules: BTreeSet<String> },
    /// The edit is not of an artefact that this person approves.
    NotTheirs,
    /// The edited version has faults: a list of sentences.
    FaultyEdit { problems: BodyRef },
    /// It cannot be handed to somebody who may say nothing to it.
    NotTheirsToDecide { to: String },
    /// Comments on it are open that block it.
    Blocked { comments: Vec<CommentNo> },
    /// There is no such comment.
    UnknownComment,
    /// Somebody resolved it before.
    AlreadyResolved { by: String },
    /// Whoever made the comment resolves it, or somebody who may approve what it is on.
    NotYoursToResolve { by: String },
    /// Whoever resolves another's comment says why.
    SayWhy,
    /// No desk has that version any more, or a turn has put another one in its place.
    UnknownVersion,
    /// The comment has faults: a list of sentences.
    FaultyComment { problems: BodyRef },
    /// No member of that name reads notes: there is none, or it is not a model.
    ReadsNoNotes { to: String },
    /// The note has faults: a list of sentences.
    FaultyNote { problems: BodyRef },
    /// There is no such dead letter.
    UnknownDeadLetter,
    /// There is nothing to pause or resume.
    NothingToDo,
    /// A raise below what is spent and reserved, or below the limit.
    RaiseTooLow,
    /// The run is over.
    RunOver,
    /// The row cannot be read.
    Unreadable,
}

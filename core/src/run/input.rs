//! What a run hears: the owner's own events, workers' results, posts from the inbox, and that time has passed.
//! Time, jitter, numbers and bodies arrive here; the core makes none of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::Table;
use super::event::{BodyRef, DeadLetterAnswer, Decision, Lists, Raise, Settled, Who, WriteHead};
use crate::failure::{Class, Usage};
use crate::id::{
    AgentName, ApprovalNo, ArtefactName, CommentNo, Digest, EffectId, Epoch, MessageId, Outcome, Timestamp,
};
use crate::topology::plan::Mode;
use crate::topology::spec::Labels;

/// One input: it comes to one batch of events, appended whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// When it was heard.
    pub at: Timestamp,
    /// Random, 0 to 1,000: where in its range a wait falls.
    pub jitter_permille: u16,
    /// What.
    pub what: What,
}

/// What is heard.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The first input of a new run.
    Start {
        /// The pinned plan.
        plan: Digest,
        /// Whether models run.
        mode: Mode,
        /// The resolved parameters.
        brief: BodyRef,
        /// What they carry, where others wrote them: a run before, or whoever sent a request.
        labels: Labels,
        /// A note for the first message.
        note: BodyRef,
        /// Who starts it.
        by: Who,
    },
    /// The first input of every ownership.
    Opened {
        /// Of this ownership.
        epoch: Epoch,
    },
    /// A worker's result of one attempt.
    Settled {
        /// Of this effect.
        id: EffectId,
        /// What it came to.
        result: Result<Settled, Failed>,
        /// What a model call used, if its provider said.
        usage: Option<Usage>,
    },
    /// Attempts of an agent panicked, erred or hung. Its others are still under way.
    AgentDied {
        /// Which.
        agent: AgentName,
        /// Those that they were of.
        effects: Vec<EffectId>,
        /// Transient for a hang, bug for a panic or an error.
        class: Class,
        /// In words.
        reason: BodyRef,
    },
    /// A row of the inbox, next in order.
    Posted {
        /// Its place.
        place: u64,
        /// Its id.
        post: uuid::Uuid,
        /// When it was posted, which may be long before it is heard.
        at: Timestamp,
        /// Who posted it, and what; none if the row cannot be read.
        say: Option<(Who, Command)>,
    },
    /// Time has passed.
    Due,
    /// The owner found its own invariants broken.
    Broken,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its class.
    pub class: Class,
    /// In words.
    pub reason: BodyRef,
    /// How long the other side wants to be left alone.
    pub retry_after_ms: Option<u64>,
    /// True if a model cannot take so long a request.
    pub too_long: bool,
    /// True if a model was asked and nothing came back: whether it worked, and is billed, nobody knows.
    pub lost: bool,
    /// The artefact that it is about, if it is what somebody wrote that could not be taken.
    pub artefact: Option<ArtefactName>,
}

/// What a person wants, with texts by reference.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant says what its fields are for")]
pub enum Command {
    /// A decision on exactly `binds`.
    Decide { approval: ApprovalNo, binds: Digest, decision: Decision, comment: BodyRef },
    /// An approval of exactly `binds`, though these rules do not hold over it.
    Accept { approval: ApprovalNo, binds: Digest, rules: BTreeSet<String>, comment: BodyRef },
    /// A new version of an artefact in place of the one shown.
    Edit {
        approval: ApprovalNo,
        binds: Digest,
        artefact: ArtefactName,
        body: BodyRef,
        findings: Option<BodyRef>,
        lists: Lists,
        problems: Option<BodyRef>,
    },
    /// A person's answer to what is asked of them, with what is wrong with it.
    Respond {
        approval: ApprovalNo,
        binds: Digest,
        outcome: Outcome,
        writes: Vec<WriteHead>,
        comment: BodyRef,
        problems: Option<BodyRef>,
    },
    /// What an approval binds was opened, to be read.
    Look { approval: ApprovalNo, binds: Digest },
    /// Somebody takes it on, or hands it to somebody; to nobody gives it back.
    Assign { approval: ApprovalNo, to: Option<Assignee>, remark: Option<BodyRef>, problems: Option<BodyRef> },
    /// A remark on a version, with what is wrong with it.
    Comment {
        artefact: ArtefactName,
        version: Digest,
        remark: BodyRef,
        blocks: bool,
        mentions: Vec<String>,
        problems: Option<BodyRef>,
    },
    /// An answer to a comment.
    Reply { comment: CommentNo, remark: BodyRef, mentions: Vec<String>, problems: Option<BodyRef> },
    /// A comment is settled, and why, if that is said.
    Resolve { comment: CommentNo, remark: Option<BodyRef>, problems: Option<BodyRef> },
    /// What a person says to a member, with what is wrong with it.
    Note { to: AgentName, note: BodyRef, problems: Option<BodyRef> },
    /// A person wants to be told how the run ends, or does not any more.
    Follow { on: bool },
    /// What came of the run, as a table, with what is wrong with it; `again` if the last one is of the same file.
    Results { table: BodyRef, again: bool, problems: Option<BodyRef> },
    /// Whether an effect happened.
    Answer { question: ApprovalNo, happened: bool, receipt: BodyRef },
    /// What becomes of a dead letter.
    DeadLetter { message: MessageId, answer: DeadLetterAnswer },
    /// New limits; the run goes on if it was paused.
    Raise(Raise),
    /// Nothing new begins.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Cancel,
}

/// To whom something is handed.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignee {
    /// Everybody in a group, as `group:NAME`.
    Group(String),
    /// A person, with what the project declares of them.
    Person(Who),
}

/// A row of the inbox as it is posted: JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Who.
    pub by: Who,
    /// What.
    pub say: Say,
}

/// What a person wants, with its texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `Command`, with texts in place of references")]
pub enum Say {
    /// A decision.
    Decide { approval: ApprovalNo, binds: Digest, decision: Decision, comment: String },
    /// An approval, though these rules do not hold.
    Accept { approval: ApprovalNo, binds: Digest, rules: BTreeSet<String>, comment: String },
    /// A new version.
    Edit { approval: ApprovalNo, binds: Digest, artefact: ArtefactName, body: Value },
    /// A person's answer to what is asked of them.
    Respond {
        approval: ApprovalNo,
        binds: Digest,
        outcome: Outcome,
        #[serde(default)]
        writes: BTreeMap<ArtefactName, Value>,
        comment: String,
    },
    /// What an approval binds was opened, to be read.
    Look { approval: ApprovalNo, binds: Digest },
    /// Somebody takes it on, or hands it to a person, or to `group:NAME`, and says why; to nobody gives it back.
    Assign { approval: ApprovalNo, to: Option<String>, text: String },
    /// A remark on a version: on the part that a JSON pointer names, or on all of it.
    Comment { artefact: ArtefactName, version: Digest, at: String, text: String, blocks: bool },
    /// An answer to a comment.
    Reply { comment: CommentNo, text: String },
    /// A comment is settled; why, unless that is empty.
    Resolve { comment: CommentNo, text: String },
    /// What a person says to a member.
    Note { to: AgentName, text: String },
    /// They want to be told how the run ends, or do not any more.
    Follow { on: bool },
    /// What came of the run, as a table.
    Results { table: Table },
    /// Whether an effect happened.
    Answer { question: ApprovalNo, happened: bool },
    /// What becomes of a dead letter.
    DeadLetter { message: MessageId, answer: DeadLetterAnswer },
    /// New limits.
    Raise(Raise),
    /// Nothing new begins.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Cancel,
}

/// A run's parameters, resolved.
pub type Brief = BTreeMap<String, Value>;

//! All that can happen in a run, in the past tense: what its journal holds and its state is folded from.
//! Heads only: texts and artefacts are named by digest, so that a body can be erased and the fold still holds.

mod body;
mod effect;
mod end;
mod kind;
mod limit;
mod version;
mod who;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use body::{BodyRef, Origin};
pub use effect::{ActHead, CallHead, ItemHead, Manifest, Part, Replied, Ruling, Settled, Wish, WriteHead};
pub use end::{Closed, Ending};
pub use limit::{Amount, Limit, Raise};
pub use version::{Items, Lists, Version};
pub use who::{Channel, Decision, Who};

use super::branch::Branch;
use super::desk::Desk;
use crate::failure::Class;
use crate::id::{
    AgentName, ApprovalNo, ArtefactName, CommentNo, Digest, EffectId, Epoch, MessageId, Outcome, Timestamp,
};
use crate::topology::plan::{MEND, Mode, Recipient};
use crate::topology::spec::Labels;

/// The version of [`Fact`]'s JSON.
pub const FACT_VERSION: u16 = 1;

/// An event and when it happened; as JSON, a record's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// When: never earlier than the fact before.
    pub at: Timestamp,
    /// What.
    pub is: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the variant says what its fields are; they fit on one screen")]
pub enum Event {
    /// The run began: what was checked is pinned, parameters are resolved.
    Started { plan: Digest, mode: Mode, brief: BodyRef, by: Who },
    /// An owner took the run up.
    Opened { epoch: Epoch },
    /// A row of the inbox was taken in.
    Heard { place: u64, post: uuid::Uuid },
    /// A row of the inbox was refused.
    InputRefused { place: u64, post: uuid::Uuid, why: Refusal },
    /// A message went to a member, or to `end`.
    MessageSent(Message),
    /// The end of a turn splits: its message becomes so many branches, which meet at the handoff's join.
    Split { message: MessageId, outcome: Outcome, note: BodyRef, origin: Origin, branches: u32 },
    /// The join has what it needs: a branch that was still under way ends without arriving.
    CalledOff { branch: Branch },
    /// A member took a message up.
    TurnBegan { message: MessageId },
    /// An effect is wished for; it stays outstanding until it is settled.
    EffectAsked { id: EffectId, message: MessageId, ordinal: u32, wish: Wish, reserved: Amount },
    /// An outward effect may be performed until `not_after`.
    EffectBegan { id: EffectId, epoch: Epoch, not_after: Timestamp },
    /// An effect came to a result.
    EffectSettled { id: EffectId, spent: Amount, result: Settled },
    /// An attempt failed; the effect is still outstanding unless `last`.
    EffectFailed { id: EffectId, class: Class, reason: Reason, spent: Amount, last: bool },
    /// The next attempt of an effect.
    RetryPlanned {
        id: EffectId,
        attempt: u32,
        reserved: Amount,
        not_before: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_tokens: Option<u64>,
    },
    /// A model failed: its fallback is asked instead; until a time by everyone, or, without one, by this effect alone.
    ModelSwitched { id: EffectId, from: String, to: String, until: Option<Timestamp> },
    /// A turn's conversation was too long for its model: earlier turns and all but the latest results are left out.
    ContextCut { message: MessageId },
    /// Nobody knows whether an outward effect happened; it is asked about from `ask_from` on. With a reason why it can
    /// neither be repeated nor looked up, a person is asked.
    FellInDoubt {
        id: EffectId,
        ask_from: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<BodyRef>,
        /// What the attempt failed of; none if it was lost with its owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<BodyRef>,
    },
    /// A version of an artefact was made.
    VersionWritten(Version),
    /// An answer was not taken; its writer is asked again.
    AnswerRefused { message: MessageId, problems: BodyRef },
    /// A turn ended with an outcome.
    TurnEnded { message: MessageId, outcome: Outcome, note: BodyRef },
    /// A person is asked to decide.
    ApprovalAsked {
        no: ApprovalNo,
        message: MessageId,
        binds: Digest,
        replaces: Option<ApprovalNo>,
        expires_at: Timestamp,
    },
    /// A person decided.
    ApprovalDecided {
        no: ApprovalNo,
        by: Who,
        decision: Decision,
        comment: Option<BodyRef>,
        /// The rules that did not hold, and are accepted by name.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        accepts: BTreeSet<String>,
        /// When, if it was heard later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// A person answered, with an outcome and a comment; what they wrote follows.
    PersonAnswered {
        no: ApprovalNo,
        by: Who,
        outcome: Outcome,
        comment: BodyRef,
        /// When, if it was heard later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// Nobody has said anything yet: whoever is asked is reminded.
    Reminded { no: ApprovalNo },
    /// Nobody has said anything yet: `to` is told, and may say it from here on.
    Escalated { no: ApprovalNo, to: String },
    /// An approval is no longer open, and nobody decided it.
    ApprovalClosed { no: ApprovalNo, why: Closed },
    /// What a person put in place of a version cannot be prepared: the approval that they edited is open again, as it was.
    EditRefused { no: ApprovalNo, artefact: ArtefactName, version: Digest, problems: BodyRef },
    /// The person's time was up; they are still waited for.
    ApprovalOverdue { no: ApprovalNo },
    /// The items of one manifest may be performed, each once.
    PermitGiven { no: ApprovalNo, manifest: Digest, slots: u32 },
    /// A person said something else than `approve` to what the permit rests on: nothing begins under it any more.
    PermitVoided { no: ApprovalNo, by: ApprovalNo },
    /// A person is asked whether an effect happened.
    QuestionAsked { no: ApprovalNo, effect: EffectId },
    /// A person said whether it happened.
    QuestionAnswered { no: ApprovalNo, by: Who, happened: bool },
    /// A person opened what an approval is about, to read it.
    Looked {
        no: ApprovalNo,
        by: Who,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// Somebody takes an approval or a question on, or hands it to `to`, a person or a group; to nobody gives it back.
    Assigned {
        no: ApprovalNo,
        by: Who,
        to: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<BodyRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// A person remarks something on a version. One that blocks stops whoever would approve that, until it is resolved.
    CommentMade {
        no: CommentNo,
        artefact: ArtefactName,
        version: Digest,
        by: Who,
        remark: BodyRef,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        blocks: bool,
        /// The people whom it names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<String>,
        /// When, if it was heard later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// Somebody answers a comment.
    CommentReplied {
        no: CommentNo,
        by: Who,
        remark: BodyRef,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// A comment is settled: it stops nothing any more.
    CommentResolved {
        no: CommentNo,
        by: Who,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<BodyRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// Somebody wants to be told how the run ends, or, if `on` is false, does not any more.
    Followed {
        by: Who,
        on: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// A person attached what came of the run, as a table: to a run that is over as well. A later one takes no earlier one's place.
    ResultsAttached {
        /// Which one it is, from 1.
        no: u32,
        by: Who,
        table: BodyRef,
        /// When, if it was heard later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// A person says something to a member, whose next turn is shown it. It decides nothing.
    NoteLeft {
        to: AgentName,
        by: Who,
        note: BodyRef,
        /// When, if it was heard later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_at: Option<Timestamp>,
    },
    /// An agent died: a panic, an error, a hang.
    AgentFailed { agent: AgentName, message: MessageId, class: Class, reason: BodyRef },
    /// The supervisor starts it again, not before a time.
    AgentRestarted { agent: AgentName, not_before: Timestamp },
    /// A message cannot be handled; a person says what next.
    DeadLettered { message: MessageId, class: Class, reason: Reason },
    /// A person said what next.
    DeadLetterAnswered { message: MessageId, by: Who, answer: DeadLetterAnswer },
    /// Nothing new begins.
    Paused { why: PauseReason },
    /// It goes on.
    Resumed { by: Who },
    /// Limits were raised.
    BudgetRaised { by: Who, raise: Raise },
    /// A person wants it to end.
    CancelAsked { by: Who },
    /// Nothing will happen any more.
    Ended { how: Ending },
}

/// Why something failed: what somebody said of it, or the rule that forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Reason {
    /// Whoever tried it told why.
    Told(BodyRef),
    /// It was not tried.
    Rule(Rule),
}

/// A rule of the run itself, by which something fails without an attempt that could tell why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Rule {
    /// Its owner died while it was under way.
    LostWithOwner,
    /// Its branch was called off: the join has what it needs without it.
    CalledOff,
    /// Nobody approved what is on the member's desk.
    NotApproved,
    /// The permit is too old to act on.
    PermitExpired {
        /// The approval that it comes from.
        no: ApprovalNo,
    },
    /// Somebody said no, later, to what the permit rests on.
    PermitVoided {
        /// The approval that it comes from.
        no: ApprovalNo,
    },
}

impl Reason {
    /// What was told; nothing if it is a rule's.
    pub fn told(self) -> Option<BodyRef> {
        match self {
            Self::Told(told) => Some(told),
            Self::Rule(_) => None,
        }
    }
}

impl From<Rule> for Reason {
    fn from(rule: Rule) -> Self {
        Self::Rule(rule)
    }
}

impl From<BodyRef> for Reason {
    fn from(told: BodyRef) -> Self {
        Self::Told(told)
    }
}

/// What travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Message {
    /// Its place among the run's messages.
    pub id: MessageId,
    /// The turn that it ended; none for the brief.
    pub cause: Option<MessageId>,
    /// From whom; none for the brief.
    pub from: Option<AgentName>,
    /// To whom.
    pub to: Recipient,
    /// On which outcome; `start` for the brief.
    pub outcome: Outcome,
    /// One sentence.
    pub note: BodyRef,
    /// Artefact versions that it carries.
    pub desk: Desk,
    /// How often its handoff has been taken, this time included.
    pub round: u32,
    /// True if the rounds were used up and it went to `then`.
    pub exhausted: bool,
    /// For a question to a teammate, or to write something anew: the message whose turn asks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<MessageId>,
    /// Where its note comes from.
    pub origin: Origin,
    /// What its note may carry: all that whoever says it was shown; what a person says is theirs.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
    /// The branch that it is in.
    #[serde(default, skip_serializing_if = "Branch::is_root")]
    pub branch: Branch,
    /// For what goes on beyond a join: the split whose branches met, which is within this message's branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joined>,
}

/// A split whose branches met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Joined {
    /// How many splits its member had made in the branch around it, this one included.
    pub nth: u32,
    /// How many branches it had.
    pub branches: u32,
    /// What came of them, in the order of the branches.
    pub arrived: Vec<Arrival>,
}

/// A message that ended a branch: the join takes what it says from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Arrival {
    /// Which branch, from 0.
    pub index: u32,
    /// The message.
    pub message: MessageId,
    /// From whom.
    pub from: AgentName,
    /// On which outcome.
    pub outcome: Outcome,
    /// What it said.
    pub note: BodyRef,
    /// What that may carry.
    #[serde(default, skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
}

impl Message {
    /// Whether it is a question to a teammate.
    pub fn is_question(&self) -> bool {
        self.asked_by.is_some() && !self.is_mend()
    }

    /// Whether it asks its reader to write anew what cannot be prepared for a person.
    pub fn is_mend(&self) -> bool {
        self.asked_by.is_some() && self.outcome.as_str() == MEND
    }
}

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterAnswer {
    /// Hand it to its agent again.
    Retry,
    /// Drop it.
    Discard,
    /// End the run as failed.
    Stop,
}

/// Why nothing new begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as for events")]
pub enum PauseReason {
    /// A person wants it.
    Asked { by: Who },
    /// The next effect does not fit: `needed` (with what is spent and reserved) against `limit`, in `what`'s unit.
    Budget { what: Limit, agent: Option<AgentName>, needed: u64, limit: u64 },
    /// An agent failed too often.
    Intensity { agent: AgentName, restarts: u32 },
}

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
    /// Nothing left a rehearsal, so that nothing can have come of it.
    Rehearsed,
    /// What was attached is no table that can be kept: a list of sentences.
    FaultyResults { problems: BodyRef },
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

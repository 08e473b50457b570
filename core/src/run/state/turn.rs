//! One agent's handling of one message, and the effects that it asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, Digest, EffectId, Epoch, MessageId, Outcome, Timestamp, ToolName};
use crate::run::desk::Desk;
use crate::run::event::{Amount, BodyRef, CallHead, Message, Origin, Part, Reason, Wish};
use crate::topology::spec::Labels;

/// How long after a model was first asked being told to wait does not count as an attempt.
pub const THROTTLED_MS_MAX: u64 = 600_000;

/// One agent's handling of one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What it handles.
    pub message: Message,
    /// Who.
    pub agent: AgentName,
    /// The desk, with what this turn wrote.
    pub desk: Desk,
    /// Effects asked for so far.
    pub asked: u32,
    /// Steps so far.
    pub steps: u32,
    /// The latest model effect.
    pub model: Option<EffectId>,
    /// Parts of the requests so far, in order.
    pub shown: Vec<Part>,
    /// Parts of the next request that no earlier one of this turn had.
    pub unseen: Vec<Part>,
    /// Calls of the latest reply not asked for yet.
    pub calls: Vec<CallHead>,
    /// Questions to teammates that are not answered yet, with the calls that asked them.
    pub waits_for: BTreeMap<MessageId, String>,
    /// Questions to teammates so far.
    pub questions: u32,
    /// The note that its agent handed on last, by outcome.
    pub handed: BTreeMap<Outcome, Digest>,
    /// Tools that are not offered any more, since it made the same call of them again.
    pub withheld: BTreeSet<ToolName>,
    /// True once its conversation was cut to make room.
    pub cut: bool,
    /// Answers refused in a row.
    pub answers_refused: u32,
    /// Replies that broke the rules.
    pub policy_strikes: u32,
    /// Bytes of all that it was shown so far.
    pub shown_bytes: u64,
    /// What it was shown so far.
    pub labels: Labels,
    /// The script line of the latest reply.
    pub line: Option<u32>,
    /// Where the words of the latest reply come from.
    pub origin: Origin,
    /// For a person: how often a writer was asked for what can be prepared.
    pub mends: u32,
    /// For a person: the approval that is open or decided.
    pub approval: Option<ApprovalNo>,
    /// For an outward tool agent: the permit that it performs under.
    pub permit: Option<ApprovalNo>,
    /// For an outward tool agent: an item cannot be performed; what is under way settles, then the turn is given up.
    pub failed: Option<(Class, Reason)>,
    /// How often it killed its agent.
    pub deaths: u32,
    /// When it last did.
    pub died_at: Option<Timestamp>,
}

/// An effect not settled yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The turn that asked.
    pub message: MessageId,
    /// Who.
    pub agent: AgentName,
    /// Its place among the turn's effects.
    pub ordinal: u32,
    /// What.
    pub wish: Wish,
    /// What is set aside for it.
    pub reserved: Amount,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Attempts so far, the current one included.
    pub attempt: u32,
    /// Not before this.
    pub not_before: Timestamp,
    /// The latest beginning, if it is outward.
    pub began: Option<Began>,
    /// From when it may be asked about, if nobody knows whether it happened.
    pub doubt: Option<Timestamp>,
    /// When its key was first used, if a beginning since then may have been performed for all that is known.
    pub unsure: Option<Timestamp>,
    /// True while something else (a question, a query) settles it.
    pub asked_about: bool,
    /// True if only a person can settle the doubt.
    pub for_person: bool,
    /// Why an attempt to settle the doubt failed, for whoever is asked.
    pub why: Option<Reason>,
    /// Attempts that left a doubt and were not lost with their owner, and what the latest of them failed of.
    pub doubts: u32,
    /// See `doubts`.
    pub doubted_of: Option<BodyRef>,
    /// The class of the latest attempt's failure, until the next attempt is planned.
    pub failed: Option<Class>,
    /// For a model call: the alias of the model that is asked.
    pub model: Option<String>,
    /// Attempts that other models made before this one was asked.
    pub attempts_before: u32,
    /// Attempts since then that were only asked to wait.
    pub waited: u32,
    /// For a model call: attempts that failed and count as spent, since another model was asked.
    pub paid_in_vain: u32,
    /// For a model call: how many steps fit into its turn after it.
    pub steps_left: u32,
    /// For a model call that was cut off: the tokens that its reply may have now.
    pub output_tokens: Option<u64>,
}

impl Effect {
    /// Attempts so far that count, the current one included.
    pub fn tried(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_before + self.waited)
    }

    /// Whether an attempt that failed as `class` at `at` does not count: the other side only asks to wait, and has not done
    /// so for too long.
    pub fn only_waits(&self, class: Class, at: Timestamp) -> bool {
        let is_model = matches!(self.wish, Wish::Model { .. });
        is_model && class == Class::Throttled && at.ms_since(self.asked_at) < THROTTLED_MS_MAX
    }

    /// Whether it acts on the world.
    pub fn is_outward(&self) -> bool {
        matches!(self.wish, Wish::Deliver { .. })
    }
}

/// A beginning of an outward effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began {
    /// Under which ownership.
    pub epoch: Epoch,
    /// When.
    pub at: Timestamp,
    /// When first.
    pub first_at: Timestamp,
    /// Not performed after this.
    pub not_after: Timestamp,
}

//! What people are asked to approve, and what their approval allows.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, MessageId, Outcome, Timestamp};
use crate::run::desk::{Desk, Held};
use crate::run::event::{BodyRef, Channel, Decision, Manifest, Ruling, Who};
use crate::topology::quiet::Quiet;
use crate::topology::wall::Hour;

/// What a person is, or was, asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The turn.
    pub message: MessageId,
    /// The member.
    pub agent: AgentName,
    /// What is wanted of them.
    pub wants: Wants,
    /// What exactly: the digest of a manifest's body, or over the versions on the desk.
    pub binds: Digest,
    /// The manifest, if an outward tool follows.
    pub manifest: Option<Manifest>,
    /// The desk that it was made from.
    pub desk: Desk,
    /// What declared rules came to over it.
    pub rules: Option<Ruling>,
    /// When.
    pub asked_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// True once the time was up and it waits on.
    pub overdue: bool,
    /// How often they were reminded, and when last.
    pub reminded: (u32, Option<Timestamp>),
    /// Who else was told, and may say something since.
    pub escalated_to: Option<String>,
    /// Who is on it: a person, or a group.
    pub assigned_to: Option<String>,
    /// Whether somebody else put them on it.
    pub handed_on: bool,
    /// Who opened it to read it.
    pub looked: Vec<Look>,
    /// Who approved so far.
    pub approved_by: BTreeSet<String>,
    /// When the latest decision on it was made, which may be before it was heard.
    pub decided_at: Option<Timestamp>,
    /// What a person last put in place of a version, if it could not be prepared.
    pub refused: Option<RefusedEdit>,
    /// What it came to.
    pub fate: Option<Fate>,
}

impl Approval {
    /// The rules that did not hold over it, each of which whoever approves has to accept by its name.
    pub fn gates(&self) -> impl Iterator<Item = &String> {
        self.rules.iter().flat_map(|ruling| &ruling.gates)
    }

    /// Whether `who` has opened it to read it, over the channel that they come by.
    pub fn has_looked(&self, who: &Who) -> bool {
        self.looked.iter().any(|look| (&look.by, look.via) == (&who.name, who.via))
    }

    /// Every version that it rests on.
    pub fn rests_on(&self) -> impl Iterator<Item = Digest> + '_ {
        let outward = self.manifest.iter().flat_map(|manifest| manifest.desk.values());
        self.desk.values().chain(outward).flat_map(Held::versions)
    }
}

/// That somebody opened an approval to read it, the first time over this channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Their name.
    pub by: String,
    /// How.
    pub via: Option<Channel>,
    /// When.
    pub at: Timestamp,
}

/// A person's version that could not be prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedEdit {
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// The version.
    pub version: Digest,
    /// What is wrong with it.
    pub problems: BodyRef,
}

/// What is wanted of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// A decision on what is shown.
    Decision,
    /// An outcome, and the artefacts that they write.
    Form,
    /// A sentence: a teammate asks.
    Sentence,
}

/// What an approval came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Decided.
    Decided(Who, Decision),
    /// Answered.
    Answered(Who, Outcome),
    /// Closed; the number of the one that binds the new content, once known.
    Edited(Option<ApprovalNo>),
    /// Closed without a decision.
    Lapsed,
}

/// A manifest whose items may be performed, each once.
#[derive(Debug, Clone, PartialEq)]
pub struct Permit {
    /// What.
    pub manifest: Manifest,
    /// For which member.
    pub member: AgentName,
    /// When it was given: what leaves on a later day is counted from here.
    pub given_at: Timestamp,
    /// True where no model runs: what is made reaches nobody, and waits for no day.
    pub at_once: bool,
    /// When nothing leaves under it, whatever its day.
    pub quiet: Option<Arc<Quiet>>,
    /// The time of the day at which what leaves on a later day does so.
    pub hour: Option<Arc<Hour>>,
    /// What leaves at once does not begin from here on: it holds as long as there was time to give it.
    pub expires_at: Timestamp,
    /// The later approval in which a person said no to what it rests on: nothing begins under it any more.
    pub voided_by: Option<ApprovalNo>,
    /// Slots used: performed, under way, or in doubt.
    pub used: BTreeSet<u32>,
}

//! What a run leaves in its journal: records, each a head in a chain and the bodies that it names, and beside them the run as
//! lists and timers need it. A store keeps these as bytes and understands nothing of them.

use serde::{Deserialize, Serialize};

use super::event::{FACT_VERSION, Fact};
use super::state::{Approval, State, Status};
use super::waits::Wait;
use crate::id::{ApprovalNo, Digest, Epoch, RunId, Seq, Timestamp};

/// What one input came to: appended whole or not at all.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Which run.
    pub run: RunId,
    /// The last record that its writer knows.
    pub after: Seq,
    /// Its writer's epoch.
    pub epoch: Epoch,
    /// The events; at least one.
    pub heads: Vec<Head>,
    /// Bodies that the heads name for the first time.
    pub bodies: Vec<Body>,
    /// The run as lists show it, after this batch.
    pub summary: Summary,
    /// When, for lists; no decision rests on it.
    pub at: Timestamp,
    /// Whether the ownership is given up with it: the last append of a run frees it without a commit of its own.
    pub release: bool,
}

/// An event as bytes: branched on, hashed as stored, no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The event's kind, such as `message_sent`.
    pub kind: String,
    /// The version of that kind's JSON.
    pub version: u16,
    /// JSON.
    pub json: Vec<u8>,
}

impl Head {
    /// The head of `fact`.
    pub fn of(fact: &Fact) -> Self {
        let json = serde_json::to_vec(fact).unwrap_or_default();
        Self { kind: fact.is.kind().to_owned(), version: FACT_VERSION, json }
    }
}

/// A head in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, without gaps.
    pub seq: Seq,
    /// Under which ownership.
    pub epoch: Epoch,
    /// The event.
    pub head: Head,
    /// [`chain`] of the record before and this one.
    pub chain: Digest,
}

/// The chain's link for a record: over the link before (for the first record [`chain_start`]), place, epoch, kind,
/// version and JSON, length-prefixed.
pub fn chain(before: Digest, seq: Seq, epoch: Epoch, head: &Head) -> Digest {
    Digest::of(
        "callsheet record 1",
        &[
            &before.0,
            &seq.0.to_le_bytes(),
            &epoch.0.to_le_bytes(),
            head.kind.as_bytes(),
            &head.version.to_le_bytes(),
            &head.json,
        ],
    )
}

/// The link before a run's first record: no run's chain is another's.
pub fn chain_start(run: RunId) -> Digest {
    Digest::of("callsheet chain 1", &[run.0.as_bytes()])
}

/// Content that heads name by digest. It can be erased; the chain still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Over salt and bytes.
    pub digest: Digest,
    /// Random, erased with the bytes: the digest alone does not confirm a guess.
    pub salt: [u8; 16],
    /// JSON, or an outward item's final bytes.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A body with its digest.
    pub fn new(salt: [u8; 16], bytes: Vec<u8>) -> Self {
        Self { digest: Self::digest_of(&salt, &bytes), salt, bytes }
    }

    /// Whether the digest is that of the bytes.
    pub fn is_whole(&self) -> bool {
        self.digest == Self::digest_of(&self.salt, &self.bytes)
    }

    fn digest_of(salt: &[u8; 16], bytes: &[u8]) -> Digest {
        Digest::of("callsheet body 1", &[salt, bytes])
    }
}

/// A run as lists and timers need it: rebuildable from its records, written with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Summary {
    /// One word: `running`, `waiting`, `paused`, `stuck`, `done`, `failed`, `rejected`, `cancelled`, `stopped`, `bug`.
    pub status: String,
    /// When it wants to be woken, if nobody wakes it before.
    #[schemars(with = "Option<crate::id::Iso>")]
    pub wake_at: Option<Timestamp>,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// Approvals and questions open now.
    pub approvals: Vec<ApprovalNo>,
    /// Open approvals that more than one person has to give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quorums: Vec<Quorum>,
    /// What waits for people, and for whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Steps taken.
    pub steps: u64,
    /// Tokens used.
    pub tokens: u64,
    /// Money spent, in billionths of a dollar.
    pub nano_usd: u64,
    /// Inbox rows heard.
    pub heard: u64,
    /// Whether nothing will happen any more.
    pub over: bool,
}

impl Summary {
    /// Of a run that stands at `state`.
    pub fn of(state: &State) -> Self {
        let status = state.status();
        let spent = state.ledger.spent;
        let waiting: Vec<String> = state.open_approvals().map(|(_, approval)| approval.agent.to_string()).collect();
        let questions = state.questions.keys().copied();
        Self {
            status: status.word().to_owned(),
            wake_at: state.wake_at(),
            waiting_for: (!waiting.is_empty()).then(|| waiting.join(", ")),
            approvals: state.open_approvals().map(|(no, _)| no).chain(questions).collect(),
            quorums: quorums(state),
            waits: state.waits(),
            steps: spent.steps,
            tokens: spent.tokens,
            nano_usd: spent.cost.0,
            heard: state.heard,
            over: matches!(status, Status::Ended(_)),
        }
    }
}

fn quorums(state: &State) -> Vec<Quorum> {
    let quorum = |(no, approval): (ApprovalNo, &Approval)| {
        let (needed, approved_by) = (state.needed_for(approval), approval.approved_by.iter().cloned().collect());
        Quorum { approval: no, needed, approved_by }
    };
    state.open_approvals().map(quorum).filter(|quorum| quorum.needed > 1).collect()
}

/// How far the people are who have to approve together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Quorum {
    /// What they approve.
    pub approval: ApprovalNo,
    /// How many of them it needs.
    pub needed: u32,
    /// Who has approved.
    pub approved_by: Vec<String>,
}

/// A run's journal does not stand where a writer believed: somebody else appended, or took the run over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run moved on: it stands at record {last}, epoch {epoch}")]
pub struct Moved {
    /// Where it stands.
    pub last: Seq,
    /// Whose it is.
    pub epoch: Epoch,
}

//! What an effect is asked for, and what it comes to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::body::{BodyRef, Origin};
use super::limit::Amount;
use super::version::Lists;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, EffectId, Outcome, ToolName};
use crate::run::desk::{Desk, Held};
use crate::topology::spec::Labels;

/// What an effect is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "as for events")]
pub enum Wish {
    /// Ask the model. The request is that of `after` (if any) and `shown`.
    Model { after: Option<EffectId>, shown: Vec<Part> },
    /// Perform a tool call that a model asked for.
    Tool {
        call: String,
        tool: ToolName,
        args: BodyRef,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        typed: bool,
    },
    /// Call a tool agent's tool with arguments from the desk.
    Own { tool: ToolName },
    /// Apply the rule of a member that decides by one to its desk.
    Rule,
    /// Compute what a person is to approve, and take a number for it.
    Prepare { binds: Option<AgentName> },
    /// Perform one item of an approved manifest.
    Deliver { tool: ToolName, permit: ApprovalNo, slot: u32, item: Digest, recipients: u64 },
    /// Ask the sink whether an effect happened.
    Query { about: EffectId },
    /// Take a number for a question about an effect.
    Question { about: EffectId },
}

/// A part of what a model is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its instructions, pinned in the plan; rendered over the parts that follow.
    Instructions,
    /// The run's parameters.
    Brief(Digest),
    /// The message's note.
    Note(Digest),
    /// What a person said to it since its last turn: who, and what.
    Told(String, Digest),
    /// What a branch came to the join with: which one, from whom, on which outcome, with which note.
    Arrived(u32, AgentName, Outcome, Digest),
    /// An artefact that it reads.
    Artefact(ArtefactName, Held),
    /// What checks said of one.
    Findings(ArtefactName, Digest),
    /// Its own earlier reply.
    Reply(Digest),
    /// The result of one of its calls.
    Result(String, Digest),
    /// The result of one of its calls, left out to make room.
    LeftOut(String, Digest),
    /// Nobody answered one of its questions in time.
    Unanswered(String),
    /// Why its answer was not taken.
    Problems(Digest),
}

impl Part {
    /// The bodies that are read to show it.
    pub fn read(&self) -> Vec<Digest> {
        match self {
            Self::Artefact(_, held) => held.versions().collect(),
            Self::Brief(digest)
            | Self::Note(digest)
            | Self::Told(_, digest)
            | Self::Arrived(.., digest)
            | Self::Findings(_, digest)
            | Self::Reply(digest)
            | Self::Result(_, digest)
            | Self::Problems(digest) => vec![*digest],
            Self::Instructions | Self::LeftOut(..) | Self::Unanswered(_) => Vec::new(),
        }
    }
}

/// What an effect came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "as for events")]
pub enum Settled {
    /// A model's reply.
    Replied(Replied),
    /// A tool's result.
    Returned {
        body: BodyRef,
        labels: Labels,
        origin: Origin,
        #[serde(default, skip_serializing_if = "Lists::is_empty")]
        lists: Lists,
    },
    /// What a rule came to, on which of its lines (from 0), if one held.
    Ruled {
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        note: BodyRef,
    },
    /// What a person is to approve; without a manifest, the versions on the desk. With what declared rules came to over it.
    Prepared {
        no: ApprovalNo,
        manifest: Option<Manifest>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<Ruling>,
    },
    /// An item was performed.
    Performed { receipt: BodyRef },
    /// The sink says that it was not.
    NotPerformed,
    /// A number for a question.
    Numbered { no: ApprovalNo },
}

/// A model's reply, as far as the run branches on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Replied {
    /// The whole reply.
    pub body: BodyRef,
    /// Where it comes from.
    pub origin: Origin,
    /// The script line, if it is scripted.
    pub line: Option<u32>,
    /// True if the provider reported more than it was allowed.
    pub over_reported: bool,
    /// What it reported then: tokens and their price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Amount>,
    /// True if the provider reported nothing, so that all that was set aside for the call counts as spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assumed: bool,
    /// What it does.
    pub act: ActHead,
}

impl Replied {
    /// A reply as it came, before what it used is looked at.
    pub fn new(body: BodyRef, origin: Origin, line: Option<u32>, act: ActHead) -> Self {
        Self { body, origin, line, over_reported: false, reported: None, assumed: false, act }
    }
}

/// What a reply does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as for events")]
pub enum ActHead {
    /// Tool calls.
    Calls(Vec<CallHead>),
    /// The end of the turn, if `problems` is none.
    Answer { outcome: Option<Outcome>, note: BodyRef, writes: Vec<WriteHead>, problems: Option<BodyRef> },
}

/// A tool call that a model asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CallHead {
    /// Unique within the reply.
    pub call: String,
    /// Which tool.
    pub tool: ToolName,
    /// Its arguments.
    pub args: BodyRef,
    /// What forbids it (not offered, arguments do not fit): told to the model instead of a result.
    pub refused: Option<BodyRef>,
    /// True if it is refused for its arguments only, which the model can mend.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misfit: bool,
    /// For a question: the teammate. The arguments are its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<AgentName>,
    /// True if the turn made this very call before: it is not performed again, and its tool is not offered any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// True if a model wrote itself what the result is computed from, and no earlier result of the turn gave it so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub typed: bool,
}

impl CallHead {
    /// A call that nothing is against.
    pub fn new(call: String, tool: ToolName, args: BodyRef) -> Self {
        Self { call, tool, args, refused: None, misfit: false, asks: None, again: false, typed: false }
    }
}

/// An artefact that an answer writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WriteHead {
    /// Which.
    pub artefact: ArtefactName,
    /// Its body.
    pub body: BodyRef,
    /// What the checks said, if anything.
    pub findings: Option<BodyRef>,
    /// Where its content comes from.
    pub origin: Origin,
    /// Its lists that a handoff can split over, by their place in it.
    #[serde(default, skip_serializing_if = "Lists::is_empty")]
    pub lists: Lists,
}

impl WriteHead {
    /// A version that no check has said anything of, without lists.
    pub fn new(artefact: ArtefactName, body: BodyRef, origin: Origin) -> Self {
        Self { artefact, body, findings: None, origin, lists: Lists::new() }
    }
}

/// What an outward tool would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Manifest {
    /// The list as a person sees it; its digest is what an approval binds.
    pub body: BodyRef,
    /// Its items, in order; shared by the approval, its permit and whoever performs one of them.
    pub items: Arc<[ItemHead]>,
    /// The versions that it was made from.
    pub desk: Desk,
}

/// What declared rules came to over what a person is to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ruling {
    /// All of it: a list of [`Applied`](crate::run::body::Applied).
    pub body: BodyRef,
    /// The rules that did not hold and leave it to a person: whoever approves has to accept each by its name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gates: BTreeSet<String>,
}

/// An item of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ItemHead {
    /// Over its final bytes.
    pub digest: Digest,
    /// How many it reaches.
    pub recipients: u64,
    /// How long after the decision it leaves.
    #[serde(default, skip_serializing_if = "crate::run::later::is_at_once")]
    pub after_ms: u64,
}

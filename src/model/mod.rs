//! The port for models: one attempt per call, a typed reply or a typed failure; no retry, no memory of its own.

pub mod breaker;
pub mod conversation;
pub mod live;
pub mod names;
mod offers;
pub mod paced;
pub mod prompt;
pub mod reading;
pub mod rehearsal;
pub mod replay;
pub mod template;
pub mod trial;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::prompt::{Offers, SpokenCall};
use crate::failure::Usage;
use crate::failure::Work;
use crate::id::{AgentName, ArtefactName, EffectId, Outcome, ToolName};
use crate::run::event::Origin;
use crate::topology::manner::Patience;
use crate::topology::plan::Plan;

/// A model, or what stands for one.
pub trait Model: Send + Sync {
    /// Answers `ask`, once.
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply>;
}

/// All that a model is shown for one reply.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The effect that this is an attempt of.
    pub effect: EffectId,
    /// The pinned plan as its speaker sees it: instructions, tools, schemas, script.
    pub plan: Arc<Plan>,
    /// What the plan's members are offered to call.
    pub offers: Arc<Offers>,
    /// Who speaks, as their own team calls them.
    pub agent: AgentName,
    /// The same, as everybody calls them.
    pub member: AgentName,
    /// The alias of the model that speaks for them: a key of the plan's models.
    pub model: String,
    /// What was said in earlier turns, if the agent is shown it again; oldest first.
    pub earlier: Vec<Section>,
    /// The run's parameters, resolved.
    pub brief: BTreeMap<String, Value>,
    /// This turn so far.
    pub now: Section,
    /// Whether it answers a teammate's question.
    pub is_question: bool,
    /// The branch of a split that the turn is in; empty outside of any.
    pub branch: String,
    /// How many turns this agent has had in that branch, this one included.
    pub turn: u32,
    /// Which attempt at this reply it is, from 1.
    pub attempt: u32,
    /// Which script lines this agent's earlier turns used.
    pub lines_used: Vec<u32>,
    /// Tools that this turn is not offered any more.
    pub withheld: BTreeSet<ToolName>,
    /// Steps that fit into the turn after this reply.
    pub steps_left: u32,
    /// Tokens that the request may come to.
    pub input_tokens_max: u64,
    /// Tokens that the reply may have.
    pub output_tokens_max: u64,
    /// How long is waited for the reply.
    pub patience: Patience,
    /// Told of a reply as it comes.
    pub pulse: Pulse,
}

impl Ask {
    /// Whether a call of a tool would leave no step for a reply after it.
    pub(crate) fn is_last(&self) -> bool {
        self.steps_left < 2
    }
}

/// A turn as its agent sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The message that it handles.
    pub message: Incoming,
    /// The artefacts on the desk that the member reads.
    pub desk: BTreeMap<ArtefactName, Value>,
    /// What checks said of those artefacts: a list of `tool::Finding` by artefact.
    pub checks: BTreeMap<ArtefactName, Value>,
    /// What was said, oldest first.
    pub said: Vec<Exchange>,
}

/// Told how many bytes of a reply have come so far. Shown to people, never part of a run.
#[derive(Clone)]
pub struct Pulse(pub Arc<dyn Fn(u64) + Send + Sync>);

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pulse")
    }
}

/// The message that a turn handles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// From whom: a member, or `start`.
    pub from: String,
    /// The outcome that it was sent on; `start` for the brief.
    pub outcome: String,
    /// Its note.
    pub note: String,
    /// How often this handoff has been taken, this time included.
    pub round: u32,
    /// Which branch of its split the turn is in, from 1; none outside of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    /// For whoever is the join of a split: what its branches came to, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<Arrived>,
    /// What people said to the member since its last turn, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<FromPerson>,
}

impl Incoming {
    /// All of it, as templates name it: what there is none of is null, or an empty list.
    pub fn whole(&self) -> Value {
        let Self { from, outcome, note, round, branch, arrived, people } = self;
        json!({
            "from": from, "outcome": outcome, "note": note, "round": round, "branch": branch, "arrived": arrived,
            "people": people,
        })
    }
}

/// What a person said to a member while the run went on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FromPerson {
    /// Who.
    pub by: String,
    /// In words.
    pub note: String,
}

/// What a branch of a split came to its join with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    /// Which branch, from 1.
    pub branch: u32,
    /// From whom.
    pub from: String,
    /// The outcome that it was sent on.
    pub outcome: String,
    /// Its note.
    pub note: String,
}

/// One reply of a turn, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// What was said.
    pub reply: Reply,
    /// Results of its calls, by call id; an error is an object `{ "error": text }`.
    pub results: BTreeMap<String, Value>,
    /// Why an answer was not taken: findings and schema errors, to be mended.
    pub problems: Vec<String>,
}

/// A typed reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it does.
    pub act: Act,
    /// Where its words come from.
    pub origin: Origin,
    /// The script line, if it is scripted.
    pub line: Option<u32>,
    /// What it used; `None` if the provider did not say.
    pub usage: Option<Usage>,
    /// Words beside its calls.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What its provider wants to see again, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What was thought, in the shape of the provider's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Value>,
    /// For an answer: the id of the call that ended the turn.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// For what cannot be used: the calls as they were spoken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spoken: Vec<SpokenCall>,
    /// What was odd and read all the same, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<String>,
}

impl Reply {
    /// A reply that does `act`, and nothing else.
    pub fn new(act: Act, origin: Origin) -> Self {
        Self {
            act,
            origin,
            line: None,
            usage: None,
            text: String::new(),
            signature: None,
            reasoning: None,
            call_id: String::new(),
            spoken: Vec::new(),
            noted: Vec::new(),
        }
    }
}

/// What a reply does: call tools, or end the turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Tool calls, performed side by side.
    Calls(Vec<ToolCall>),
    /// The turn's end.
    Answer(Answer),
    /// Neither: why, in sentences that its writer is told.
    Unusable(Vec<String>),
}

/// A tool call that a model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the reply; in a script the `as` name.
    pub id: String,
    /// Which tool.
    pub tool: ToolName,
    /// Its arguments.
    pub args: Value,
    /// The name that it was called by, if there is no such tool.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub named: String,
}

/// The end of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Among the agent's declared outcomes; the run refuses others.
    pub outcome: Outcome,
    /// One sentence.
    pub note: String,
    /// The artefacts that it writes.
    pub writes: BTreeMap<ArtefactName, Value>,
}

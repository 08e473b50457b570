//! The port for models: one attempt per call, a typed reply or a typed failure; no retry, no memory of its own.

pub mod prompt;
pub mod rehearsal;
pub mod template;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Usage;
use crate::failure::Work;
use crate::id::{AgentName, ArtefactName, EffectId, Outcome, ToolName};
use crate::run::event::Origin;
use crate::topology::plan::Plan;

/// A model, or what stands for one.
pub trait Model: Send + Sync {
    /// Answers `ask`, once.
    fn reply(&self, ask: Ask) -> Work<'_, Reply>;
}

/// All that a model is shown for one reply.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The effect that this is an attempt of.
    pub effect: EffectId,
    /// The pinned plan: instructions, tools, schemas, script.
    pub plan: Arc<Plan>,
    /// Who speaks.
    pub agent: AgentName,
    /// The run's parameters, resolved.
    pub brief: BTreeMap<String, Value>,
    /// The message that the turn handles.
    pub message: Incoming,
    /// The artefacts on the desk that the member reads.
    pub desk: BTreeMap<ArtefactName, Value>,
    /// What checks said of those artefacts: a list of `tool::Finding` by artefact.
    pub checks: BTreeMap<ArtefactName, Value>,
    /// How many turns this agent has had in this run, this one included.
    pub turn: u32,
    /// Which script lines this agent's earlier turns used.
    pub lines_used: Vec<u32>,
    /// This turn so far, oldest first.
    pub so_far: Vec<Exchange>,
    /// Tokens that the reply may have.
    pub output_tokens_max: u64,
}

/// The message that a turn handles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incoming {
    /// From whom: a member, or `start`.
    pub from: String,
    /// The outcome that it was sent on; `start` for the brief.
    pub outcome: String,
    /// Its note.
    pub note: String,
    /// How often this handoff has been taken, this time included.
    pub round: u32,
}

/// One reply of this turn, and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was said.
    pub said: Act,
    /// The script line that it came from, if it is scripted.
    pub line: Option<u32>,
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
}

/// What a reply does: call tools, or end the turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Tool calls, performed side by side.
    Calls(Vec<ToolCall>),
    /// The turn's end.
    Answer(Answer),
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

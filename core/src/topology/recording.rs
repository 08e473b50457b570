//! What the models of a run were asked and said, as one readable file: another run can be played from it without them.
//! How it is made from a journal is in `actor::recording`, how it is played in `model::replay`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::price::ModelSpec;
use crate::id::{AgentName, ToolName};

/// The version of the file.
pub const SCHEMA_VERSION: u32 = 1;

/// The largest file that is read, in bytes.
pub const BYTES_MAX: usize = 64 << 20;

/// A run's recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// [`SCHEMA_VERSION`] when it was made.
    pub schema_version: u32,
    /// The topology that ran.
    pub topology: String,
    /// The run's parameters.
    #[serde(default)]
    pub brief: BTreeMap<String, Value>,
    /// Its models by alias, with the prices of that day.
    #[serde(default)]
    pub models: BTreeMap<String, ModelSpec>,
    /// Every answered attempt, in the order in which they were answered.
    #[serde(default)]
    pub call: Vec<Recorded>,
    /// What tools gave that ask a model of their own, such as a search by meaning: where none runs they would give something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result: Vec<Given>,
}

/// What one call of a tool gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Whose call it was.
    pub agent: AgentName,
    /// In which branch of a split, if in one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// In which turn of theirs there, from 1.
    pub turn: u32,
    /// Its place among what the turn asked for.
    pub nth: u32,
    /// What was called.
    pub tool: ToolName,
    /// With what, as JSON; absent if the arguments are taken from the desk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
    /// What it gave, as JSON.
    pub result: String,
}

/// One attempt of a model call, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Who was asked.
    pub agent: AgentName,
    /// In which branch of a split, if in one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// In which turn of theirs there, from 1.
    pub turn: u32,
    /// For which reply of the turn, from 1.
    pub nth: u32,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// The model that answered.
    pub model: String,
    /// The whole request, as text.
    pub request: String,
    /// The reply, as JSON (`model::Reply`); absent if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// How it failed, as JSON (`Failure`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Which call of a run: the same in every run that takes the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallPlace {
    /// Who is asked.
    pub agent: AgentName,
    /// In which branch of a split; empty outside of any.
    pub branch: String,
    /// Which turn of this agent there, from 1.
    pub turn: u32,
    /// Which reply of the turn, from 1.
    pub nth: u32,
    /// Which attempt at it, from 1.
    pub attempt: u32,
}

impl std::fmt::Display for CallPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { agent, branch, turn, nth, attempt } = self;
        let branch = if branch.is_empty() { String::new() } else { format!(" in {branch}") };
        write!(f, "{agent}{branch}, turn {turn}, call {nth}, attempt {attempt}")
    }
}

/// What stands at the top of the file.
const HEAD: &str = "# What the models of one run were asked and what they said; `callsheet run TOPOLOGY --replay FILE` plays it again.\n\
                    # It holds whatever they were shown: treat it as you treat that data.\n";

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence with the line, for people.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("it has {} bytes, and at most {BYTES_MAX} are read", text.len()));
        }
        let recording: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if recording.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "it has schema_version {}, this callsheet reads {SCHEMA_VERSION}",
                recording.schema_version
            ));
        }
        let mut seen = BTreeSet::new();
        for call in &recording.call {
            let place = call.place();
            if call.reply.is_some() == call.failure.is_some() {
                return Err(format!("{place}: it has to have either a reply or a failure"));
            }
            if let Some(twice) = seen.replace(place) {
                return Err(format!("there are two calls of {twice}"));
            }
        }
        Ok(recording)
    }

    /// The file's text.
    ///
    /// # Errors
    /// A sentence, if something in it cannot be written as TOML.
    pub fn text(&self) -> Result<String, String> {
        let body = toml::to_string_pretty(self).map_err(|error| format!("it cannot be written as TOML: {error}"))?;
        Ok(format!("{HEAD}{body}"))
    }

    /// What `tool` gave to the call at this place of the run, if it was called with the same arguments there.
    pub fn given(
        &self,
        (agent, branch): (&AgentName, &str),
        (turn, nth): (u32, u32),
        (tool, args): (&ToolName, Option<&Value>),
    ) -> Option<Value> {
        let is_there = |given: &&Given| {
            let said = given.args.as_ref().map(|args| serde_json::from_str::<Value>(args).ok());
            (&given.agent, given.branch.as_str(), given.turn, given.nth) == (agent, branch, turn, nth)
                && given.tool == *tool
                && said == args.map(|args| Some(args.clone()))
        };
        serde_json::from_str(&self.result.iter().find(is_there)?.result).ok()
    }

    /// The call at `place`.
    pub fn at(&self, place: &CallPlace) -> Option<&Recorded> {
        self.call.iter().find(|call| call.place() == *place)
    }
}

impl Recorded {
    /// Which call of its run it is.
    pub fn place(&self) -> CallPlace {
        let (agent, branch) = (self.agent.clone(), self.branch.clone());
        CallPlace { agent, branch, turn: self.turn, nth: self.nth, attempt: self.attempt }
    }
}

//! Checks of what is written: rules over artefacts, and what they find.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ArtefactName, ToolName};

/// A rule on an artefact's body. Pure and total: it runs on every version, whoever wrote it.
pub trait Check: Send + Sync {
    /// The name in `checks = [...]`.
    fn name(&self) -> &str;

    /// JSON Schema of what `callsheet.toml` may say under `[checks.NAME]`.
    fn settings(&self) -> Value {
        serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }

    /// Whether it looks at what tools gave in the run.
    fn looks_back(&self) -> bool {
        false
    }

    /// Examines `body`; `sight` is what its writer could see beside it, `settings` what `callsheet.toml` says
    /// under `[checks.NAME]` (an empty object if nothing).
    fn examine(&self, body: &Value, sight: &Sight<'_>, settings: &Value) -> Vec<Finding>;
}

/// What a check looks at beside the body.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The artefacts that its writer could read.
    pub desk: &'a BTreeMap<ArtefactName, Value>,
    /// What tools gave in this run so far, turn by turn, in the order in which each turn asked for it.
    pub calls: &'a [Read],
}

impl<'a> Sight<'a> {
    /// A desk, in a run that called nothing.
    pub fn of(desk: &'a BTreeMap<ArtefactName, Value>) -> Self {
        Self { desk, calls: &[] }
    }
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Which tool.
    pub tool: ToolName,
    /// What it returned.
    pub result: Value,
    /// Whether it was given in the turn that wrote what is examined.
    pub is_own: bool,
}

impl Read {
    /// One that no run made.
    pub fn example(result: Value) -> Self {
        Self { tool: ToolName::fixed("example.query"), result, is_own: true }
    }
}

/// What a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// The rule that found it, such as `campaign_qa.unsubscribe`.
    pub rule: String,
    /// JSON pointer into the body.
    pub at: String,
    /// What is wrong and how to mend it, one sentence.
    pub what: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The version is refused, and its writer is not asked again: a person looks at it.
    Block,
    /// The version is refused; its writer is asked again.
    Must,
    /// The version stands; a person who approves it has to accept this by name.
    Gate,
    /// The version stands; its readers are told.
    Should,
}

impl Level {
    /// Whether the version is refused.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Block | Self::Must)
    }
}

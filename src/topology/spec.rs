//! What a tool declares of itself: the three independent things that the checks and the run rely on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ToolName;

/// A tool's declaration. The engine of a tool enforces what it says here; a prompt never does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name, such as `performance.query`.
    pub name: ToolName,
    /// What it does, for a model and for people.
    pub description: String,
    /// JSON Schema of its arguments (an object).
    pub args: Value,
    /// What a second execution of one effect would do.
    pub repeat: Repeat,
    /// Where it reaches.
    pub reach: Reach,
    /// Labels that each argument accepts; an argument not named here accepts none.
    pub accepts: BTreeMap<String, Labels>,
    /// Labels that its results carry.
    pub labels: Labels,
    /// One call's time-out.
    pub call_timeout_ms: u64,
    /// Whether it can draft: prepare and perform without reaching anyone.
    pub drafts: bool,
}

/// What a second execution of one effect would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Repeat {
    /// Nothing: it has no effect.
    Pure,
    /// Nothing, if the key is the same and younger than this.
    Idempotent {
        /// How long the sink remembers a key.
        key_age_ms: u64,
    },
    /// Harm, but the sink can be asked by effect id whether the first one happened.
    Queryable,
    /// Harm, and nobody can tell: a person is asked.
    #[default]
    Once,
}

/// Where a tool reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Nothing outside the project.
    Inside,
    /// It asks something outside, and what it asks is seen there.
    ReadsOut,
    /// It acts on the world: it needs a permit.
    ActsOut,
}

/// Labels on a body: what its reader must not be led by, and what must not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Written by somebody outside: may carry instructions.
    #[serde(default)]
    pub untrusted: bool,
    /// About people, or not to be shown.
    #[serde(default)]
    pub private: bool,
}

impl Labels {
    /// What carries both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { untrusted: self.untrusted || other.untrusted, private: self.private || other.private }
    }

    /// Whether an argument that accepts `self` takes a value labelled `other`.
    pub fn accepts(self, other: Self) -> bool {
        (self.untrusted || !other.untrusted) && (self.private || !other.private)
    }
}

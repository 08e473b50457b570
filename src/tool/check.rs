//! Checks of what is written: rules over artefacts, and what they find.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ArtefactName;

/// A rule on an artefact's body. Pure and total: it runs on every version, whoever wrote it.
pub trait Check: Send + Sync {
    /// The name in `checks = [...]`.
    fn name(&self) -> &'static str;

    /// JSON Schema of what `callsheet.toml` may say under `[checks.NAME]`.
    fn settings(&self) -> Value {
        serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }

    /// Examines `body`; `desk` holds the artefacts that its writer could read, `settings` what `callsheet.toml` says
    /// under `[checks.NAME]` (an empty object if nothing).
    fn examine(&self, body: &Value, desk: &BTreeMap<ArtefactName, Value>, settings: &Value) -> Vec<Finding>;
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
    /// The version is refused; its writer is asked again.
    Must,
    /// The version stands; its readers are told.
    Should,
}

//! How a run ends, and how an approval that nobody decided.

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// What reached `end` is its result.
    Done,
    /// A person rejected it, or did not answer in time.
    Rejected,
    /// A failure ended it.
    Failed,
    /// A person cancelled it.
    Cancelled,
    /// Its budget ended it.
    Stopped,
    /// A broken invariant of our own ended it; the evidence is in the journal.
    Bug,
}

/// Why an approval closed without a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Its content was edited; the next approval of the same turn binds the new content.
    Edited,
    /// Nobody decided in time.
    Expired,
    /// The run ended.
    RunEnded,
    /// Its branch was called off: the join has what it needs without it.
    CalledOff,
}

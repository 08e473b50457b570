//! What triggers did: a firing has a key (a time, a run, a delivery), and starts one run at most, however many servers see it.

use serde::{Deserialize, Serialize};

use crate::id::{Digest, RunId, Timestamp};

/// A firing that is to start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The trigger: `TOPOLOGY.NAME`.
    pub trigger: String,
    /// What tells it from the trigger's other firings: the same again is the same firing.
    pub key: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// Whether it starts nothing while the run that its trigger started last is not over.
    pub alone: bool,
}

/// A firing, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The trigger: `TOPOLOGY.NAME`.
    pub trigger: String,
    /// What tells it from the trigger's other firings.
    pub key: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// When this was noted.
    pub at: Timestamp,
    /// What it came to.
    pub came: Came,
}

/// What a firing came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// This run. It is settled.
    Started(RunId),
    /// Nothing, and why. It is settled.
    Skipped(String),
    /// Nothing yet: it waits for this run to be over.
    Waits(RunId),
    /// Nothing yet: why it could not start a run.
    Failed(String),
}

impl Came {
    /// Whether nothing will come of it any more.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Started(_) | Self::Skipped(_))
    }

    /// The run that it started.
    pub fn run(&self) -> Option<RunId> {
        if let Self::Started(run) = self { Some(*run) } else { None }
    }
}

/// Since when a trigger is what it is: what was due before does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The trigger: `TOPOLOGY.NAME`.
    pub trigger: String,
    /// A digest of when it fires.
    pub what: Digest,
    /// The time now: since when, unless it was watched as the same before.
    pub at: Timestamp,
}

/// Which firings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firings {
    /// Of this trigger.
    pub trigger: Option<String>,
    /// With this key.
    pub key: Option<String>,
    /// Only one that started this run.
    pub run: Option<RunId>,
    /// Only those that started a run.
    pub started: bool,
    /// At most so many; 0 is 1,000.
    pub limit: usize,
}

/// Runs of a topology that ended done since then, and for which this trigger has settled no firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfired {
    /// The topology.
    pub topology: String,
    /// When they were last written to, at the earliest.
    pub since: Timestamp,
    /// The trigger.
    pub trigger: String,
}

impl Unfired {
    /// The key of the firing that follows a run.
    pub fn key(run: RunId) -> String {
        run.0.simple().to_string()
    }
}

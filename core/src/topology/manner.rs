//! How long a call of a model may take and be silent, and which of the places that say so wins.

use super::plan::{Limits, ModelSpec, Plan};
pub use super::speech::{Calls, Manner};
use crate::id::AgentName;

/// What a call may take if nothing is written.
pub const CALL_TIMEOUT_MS: u64 = 90_000;

/// How long a reply may be silent if nothing is written; models that think without a word are silent for a minute.
pub const IDLE_TIMEOUT_MS: u64 = 120_000;

/// How long is waited for a call of a model, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For all of it, from the request to the last word.
    pub call_ms: u64,
    /// Between two pieces of a reply that has begun.
    pub idle_ms: u64,
}

/// One of the two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For all of a call.
    Call,
    /// For the next piece of a reply.
    Idle,
}

impl Wait {
    /// Its key in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Call => "call_timeout",
            Self::Idle => "idle_timeout",
        }
    }

    /// What is written about it for a model or its provider.
    pub fn of_model(self, model: &ModelSpec) -> Option<u64> {
        match self {
            Self::Call => model.call_timeout_ms,
            Self::Idle => model.idle_timeout_ms,
        }
    }
}

impl Patience {
    /// What holds of an agent with these limits that asks this model: what is written for the model wins, since that knows how
    /// fast its server is; then what is written for the agent, or the default.
    pub fn of(limits: Option<&Limits>, model: Option<&ModelSpec>) -> Self {
        let of_model = |wait: Wait| model.and_then(|model| wait.of_model(model));
        let call_ms = limits.map_or(CALL_TIMEOUT_MS, |limits| limits.call_timeout_ms);
        let idle_ms = limits.and_then(|limits| limits.idle_timeout_ms).unwrap_or(IDLE_TIMEOUT_MS);
        Self { call_ms: of_model(Wait::Call).unwrap_or(call_ms), idle_ms: of_model(Wait::Idle).unwrap_or(idle_ms) }
    }

    /// The same, with whichever of these is longer.
    #[must_use]
    pub fn raised(self, call_ms: Option<u64>, idle_ms: Option<u64>) -> Self {
        Self { call_ms: self.call_ms.max(call_ms.unwrap_or(0)), idle_ms: self.idle_ms.max(idle_ms.unwrap_or(0)) }
    }
}

impl Plan {
    /// How long a call of `agent` to the model of this alias may take, before any raise.
    pub fn patience(&self, agent: &AgentName, alias: Option<&str>) -> Patience {
        let limits = self.team.get(agent).map(|member| &member.limits);
        Patience::of(limits, alias.and_then(|alias| self.models.get(alias)))
    }

    /// What to do about a call of `agent` that took longer than `wait`: where the limit stands, and how this run gets another.
    pub fn raise_advice(&self, agent: &AgentName, alias: &str, wait: Wait, limit_ms: u64) -> String {
        let key = wait.key();
        let model = self.models.get(alias).filter(|model| wait.of_model(model).is_some());
        let place = match model {
            Some(model) => format!("{key} of {} in callsheet.toml", model.model),
            None => format!("limits.{key} of `{agent}`"),
        };
        let option = key.replace('_', "-");
        format!("raise {place}; in this run: callsheet resume --{option} {}", short(limit_ms.saturating_mul(2)))
    }
}

/// A time in words: `90 s`.
pub fn time_words(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { format!("{} s", ms / 1_000) } else { format!("{ms} ms") }
}

/// A time as it is written in files: `90s`.
fn short(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}

/// So many bytes in words: `104 kB`.
pub fn bytes_words(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

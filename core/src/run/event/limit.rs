//! What is counted and bounded: amounts, limits, and higher limits.

use serde::{Deserialize, Serialize};

use crate::id::NanoUsd;

/// What is spent or reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Amount {
    /// Model and tool calls.
    pub steps: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// Money.
    pub cost: NanoUsd,
    /// People reached.
    pub recipients: u64,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Model and tool calls.
    Steps,
    /// Tokens.
    Tokens,
    /// Billionths of a dollar.
    Cost,
    /// Milliseconds with an effect under way.
    ActiveTime,
    /// People reached.
    Recipients,
    /// Turns of an agent between two decisions of a person.
    Turns,
    /// Steps of one turn.
    StepsPerTurn,
}

/// New limits; absent ones stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Raise {
    /// Of the run.
    pub steps: Option<u64>,
    /// Of the run.
    pub tokens: Option<u64>,
    /// Of the run.
    pub cost: Option<NanoUsd>,
    /// Of the run, in milliseconds.
    pub active_ms: Option<u64>,
    /// Of the run.
    pub recipients: Option<u64>,
    /// Of each agent.
    pub turns: Option<u32>,
    /// Of each turn.
    pub steps_per_turn: Option<u32>,
    /// Of each call of a model, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_timeout_ms: Option<u64>,
    /// Of the silence within each reply, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            tokens: self.tokens.saturating_add(other.tokens),
            cost: NanoUsd(self.cost.0.saturating_add(other.cost.0)),
            recipients: self.recipients.saturating_add(other.recipients),
        }
    }

    /// This without `other`; `None` if there is less than that.
    pub fn minus(self, other: Self) -> Option<Self> {
        Some(Self {
            steps: self.steps.checked_sub(other.steps)?,
            tokens: self.tokens.checked_sub(other.tokens)?,
            cost: NanoUsd(self.cost.0.checked_sub(other.cost.0)?),
            recipients: self.recipients.checked_sub(other.recipients)?,
        })
    }

    /// The part of it that `limit` bounds.
    pub fn of(self, limit: Limit) -> u64 {
        match limit {
            Limit::Steps => self.steps,
            Limit::Tokens => self.tokens,
            Limit::Cost => self.cost.0,
            Limit::Recipients => self.recipients,
            Limit::ActiveTime | Limit::Turns | Limit::StepsPerTurn => 0,
        }
    }
}

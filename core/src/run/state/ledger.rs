//! What is spent and reserved.

use std::collections::BTreeMap;

use crate::id::{AgentName, Timestamp};
use crate::run::event::{Amount, Raise, Reason};

/// What is spent and reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Settled.
    pub spent: Amount,
    /// For effects under way.
    pub reserved: Amount,
    /// Both, by agent.
    pub by_agent: BTreeMap<AgentName, Account>,
    /// Milliseconds with an effect under way.
    pub active_ms: u64,
    /// Since when one is.
    pub active_since: Option<Timestamp>,
    /// Raised limits.
    pub raise: Raise,
    /// Of what is spent: what calls took that failed.
    pub in_vain: InVain,
}

/// What calls took that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InVain {
    /// How many.
    pub calls: u32,
    /// What they took.
    pub spent: Amount,
    /// Why the latest of them failed.
    pub last: Option<Reason>,
}

/// An agent's part of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Settled.
    pub spent: Amount,
    /// For effects under way.
    pub reserved: Amount,
}

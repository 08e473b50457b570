//! What one input comes to, while it is decided.

use crate::id::Timestamp;
use crate::run::event::{Event, Fact};
use crate::run::fold::Illegal;
use crate::run::input::{Input, What};
use crate::run::state::State;

/// A state with the events of this batch applied as they are decided.
pub(super) struct Batch {
    pub(super) state: State,
    pub(super) facts: Vec<Fact>,
    pub(super) at: Timestamp,
    /// When what is heard was posted, if it was before that.
    pub(super) posted_at: Option<Timestamp>,
    pub(super) jitter_permille: u16,
}

impl Batch {
    pub(super) fn new(state: State, input: &Input) -> Self {
        let posted_at = match input.what {
            What::Posted { at, .. } => Some(at),
            _ => None,
        };
        Self {
            at: input.at.max(state.now),
            posted_at: posted_at.filter(|at| *at < input.at.max(state.now)),
            state,
            facts: Vec::new(),
            jitter_permille: input.jitter_permille.min(1_000),
        }
    }

    pub(super) fn emit(&mut self, event: Event) -> Result<(), Illegal> {
        let fact = Fact { at: self.at, is: event };
        self.state.apply(&fact)?;
        self.facts.push(fact);
        Ok(())
    }

    /// Whether nothing new begins: the run is paused, or over.
    pub(super) fn is_halted(&self) -> bool {
        self.state.paused.is_some() || self.state.ended.is_some()
    }

    /// A wait between half of `ms` and all of it.
    pub(super) fn jittered(&self, ms: u64) -> u64 {
        ms / 2 + (ms / 2).saturating_mul(u64::from(self.jitter_permille)) / 1_000
    }
}

/// An input that no worker of ours sends.
pub(super) fn impossible(what: &'static str) -> Illegal {
    Illegal { event: "input", why: what }
}

//! A stand-in for the store: compare-and-append on (sequence, epoch), an inbox whose rows have an idempotent id, and
//! the truth that every durable fact is held against as it arrives.

use std::sync::Arc;

use callsheet_core::id::{Epoch, RunId, Seq, Timestamp};
use callsheet_core::run::event::{Fact, Who};
use callsheet_core::run::input::Command;
use callsheet_core::run::invariant::{Broken, Watch, holds};
use callsheet_core::run::state::State;
use callsheet_core::topology::plan::Plan;

use super::bill::Billed;

/// A run's records and inbox.
pub(crate) struct Journal {
    pub(crate) facts: Vec<Fact>,
    pub(crate) epoch: Epoch,
    pub(crate) truth: Arc<State>,
    pub(crate) inbox: Vec<Row>,
    run: RunId,
    watch: Watch,
    pub(crate) billed: Billed,
}

/// A row of the inbox.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: uuid::Uuid,
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// None is a row that cannot be read.
    pub(crate) say: Option<(Who, Command)>,
    /// Whatever happens until it is heard, it has to be refused.
    pub(crate) wrong: bool,
}

impl Journal {
    pub(crate) fn new(run: RunId, plan: Arc<Plan>) -> Self {
        let billed = Billed::new(&plan);
        let truth = Arc::new(State::new(run, plan));
        Self { facts: Vec::new(), epoch: Epoch(1), truth, inbox: Vec::new(), run, watch: Watch::default(), billed }
    }

    /// Whether a writer that stands at (`seq`, `epoch`) may append.
    pub(crate) fn admits(&self, seq: Seq, epoch: Epoch) -> bool {
        seq.0 == self.facts.len() as u64 && epoch == self.epoch
    }

    /// Appends `facts`, which follow from the truth. The owner has asked the invariants of the state that they lead to.
    pub(crate) fn append(&mut self, facts: &[Fact]) -> Result<Arc<State>, Broken> {
        // In place where nobody looks on: a copy for each batch is a third of what a seed costs.
        let truth = Arc::make_mut(&mut self.truth);
        for fact in facts {
            truth.apply(fact).map_err(|illegal| broken("I11", illegal.to_string()))?;
            self.watch.take(truth, fact)?;
            self.billed.take(truth, fact)?;
        }
        // The owner has looked only at what came; whatever waits holds, too.
        holds(truth)?;
        self.facts.extend_from_slice(facts);
        Ok(Arc::clone(&self.truth))
    }

    /// Posts `row`, unless its id is known; whether it was new.
    pub(crate) fn post(&mut self, row: Row) -> bool {
        let new = self.inbox.iter().all(|known| known.id != row.id);
        if new {
            self.inbox.push(row);
        }
        new
    }

    /// I11: what a new owner folds is what the last one had.
    pub(crate) fn refolded(&self) -> Result<(), Broken> {
        let mut state = State::new(self.run, Arc::clone(&self.truth.plan));
        for fact in &self.facts {
            state.apply(fact).map_err(|illegal| broken("I11", illegal.to_string()))?;
        }
        if state != *self.truth {
            return Err(broken("I11", "what is replayed is not what was live".to_owned()));
        }
        Ok(())
    }
}

pub(crate) fn broken(invariant: &'static str, what: String) -> Broken {
    Broken { invariant, what }
}

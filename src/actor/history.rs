//! A run as its journal has it: read, and folded.

use std::sync::Arc;

use crate::id::{Digest, RunId, RunNo, Seq};
use crate::journal::{Cause, Error as JournalError, Query, Store, Subject};
use crate::run::event::{Event, Fact};
use crate::run::state::State;
use crate::topology::plan::{PLAN_FORMAT, Plan};

/// Records read at a time.
const PAGE: usize = 1_000;

/// Why a run cannot be told from its journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The records are whole, and not a history that this callsheet knows.
    #[error("the journal of this run cannot be replayed: {0}")]
    Replay(String),
}

/// A run as its journal has it.
pub struct Loaded {
    /// Its number.
    pub no: RunNo,
    /// The pinned plan's digest.
    pub digest: Digest,
    /// The pinned plan.
    pub plan_json: Vec<u8>,
    /// What its records come to.
    pub state: State,
    /// Its last record.
    pub seq: Seq,
}

/// Folds a run from its records: the same for an owner, a viewer and an auditor.
///
/// # Errors
/// If it is unknown, damaged, or of a kind that this callsheet does not know.
pub fn load(store: &dyn Store, run: RunId) -> Result<Loaded, Error> {
    let rows = store.runs(&Query { id: Some(run), ..Query::default() })?;
    let no = rows.first().ok_or(JournalError::UnknownRun)?.no;
    let (digest, plan_json, plan) = pinned_plan(store, run)?;
    let mut state = State::new(run, Arc::new(plan));
    let mut seq = Seq(0);
    loop {
        let page = store.records(run, seq, PAGE)?;
        if page.is_empty() {
            return Ok(Loaded { no, digest, plan_json, state, seq });
        }
        for record in page {
            let place = |why: String| Error::Replay(format!("record {}: {why}", record.seq));
            let fact = read_fact(&record.head.json).map_err(place)?;
            state.apply(&fact).map_err(|illegal| place(illegal.to_string()))?;
            seq = record.seq;
        }
    }
}

/// The plan that a run's first record pins: its digest, its bytes, itself.
///
/// # Errors
/// As [`load`].
pub fn pinned_plan(store: &dyn Store, run: RunId) -> Result<(Digest, Vec<u8>, Plan), Error> {
    let first = store.records(run, Seq(0), 1)?;
    let first = first.first().ok_or(JournalError::UnknownRun)?;
    let fact = read_fact(&first.head.json).map_err(|why| Error::Replay(format!("record 1: {why}")))?;
    let Event::Started { plan: digest, .. } = fact.is else {
        return Err(Error::Replay("the first record does not start it".to_owned()));
    };
    let damaged = |text: &str| JournalError::Damaged(Cause::new(Subject::Run(run), text));
    let json =
        store.blob(digest)?.ok_or_else(|| damaged("has lost its pinned plan; restore the journal from a copy"))?;
    if Plan::digest(&json) != digest {
        return Err(damaged("has a pinned plan that is not what was pinned; restore the journal from a copy").into());
    }
    let plan = read_plan(&json)?;
    Ok((digest, json, plan))
}

/// Reads a record's head.
///
/// # Errors
/// A sentence, for a kind that this callsheet does not know.
pub fn read_fact(json: &[u8]) -> Result<Fact, String> {
    serde_json::from_slice(json).map_err(|error| format!("not an event that this callsheet knows ({error})"))
}

/// Reads a pinned plan.
///
/// # Errors
/// If it is none, or of a format that this callsheet does not read.
pub(super) fn read_plan(json: &[u8]) -> Result<Plan, Error> {
    let plan: Plan =
        serde_json::from_slice(json).map_err(|error| Error::Replay(format!("the pinned plan: {error}")))?;
    if plan.format != PLAN_FORMAT {
        return Err(Error::Replay(format!("its plan has format {}, this callsheet reads {PLAN_FORMAT}", plan.format)));
    }
    Ok(plan)
}

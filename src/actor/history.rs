//! A run as its journal has it: read, and folded.

use std::sync::Arc;

use serde_json::Value;

use crate::failure::Failure;
use crate::id::{Digest, RunId, RunNo, Seq};
use crate::journal::{Cause, Error as JournalError, Query, Record, Store, Subject};
use crate::run::event::{Event, Fact};
use crate::run::fold::Illegal;
use crate::run::state::State;
use crate::run::view::Texts;
use crate::topology::plan::{Mode, PLAN_FORMAT, Plan};
use crate::topology::spec::Labels;

/// Records read at a time: with what they say, about as much as a core's cache holds.
const PAGE: usize = 256;

/// Pages of a long history that are read before they are folded.
const PAGES_AHEAD: usize = 2;

/// Why a run cannot be told from its journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record is whole, and nothing that this callsheet knows can have happened there.
    #[error("the journal of this run cannot be replayed: record {seq}: {why}")]
    Record {
        /// Which.
        seq: Seq,
        /// What is against it.
        #[source]
        why: Misread,
    },
    /// The first record is of something else than a start.
    #[error("the journal of this run cannot be replayed: the first record does not start it")]
    NoStart,
    /// The pinned plan is none that this callsheet knows.
    #[error("the journal of this run cannot be replayed: the pinned plan: {0}")]
    Plan(#[source] serde_json::Error),
    /// The pinned plan is of another format.
    #[error(
        "the journal of this run cannot be replayed: its plan has format {found}, this callsheet reads {PLAN_FORMAT}"
    )]
    PlanFormat {
        /// Its format.
        found: u32,
    },
    /// A text that a record names cannot be read, or was erased.
    #[error("the journal of this run cannot be replayed: record {seq}: {}", .why.reason)]
    Text {
        /// The record.
        seq: Seq,
        /// Why not.
        why: Failure,
    },
}

/// Why a record is no part of a history.
#[derive(Debug, thiserror::Error)]
pub enum Misread {
    /// It is of a kind that this callsheet does not know.
    #[error("not an event that this callsheet knows ({0})")]
    Unknown(#[source] serde_json::Error),
    /// It cannot have happened after those before it.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

impl Misread {
    /// The error of the record in that place.
    pub fn at(self, seq: Seq) -> Error {
        Error::Record { seq, why: self }
    }
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

/// Who is told of each record, and may find it wrong.
pub type Each<'a> = dyn FnMut(&Record, &Fact) -> Result<(), Error> + 'a;

/// Folds a run from its records: the same for an owner and an auditor.
///
/// # Errors
/// If it is unknown, damaged, or of a kind that this callsheet does not know.
pub fn load(store: &dyn Store, run: RunId) -> Result<Loaded, Error> {
    load_telling(store, run, &mut |_, _| Ok(()))
}

/// As [`load`], telling `each` record with what it says before it is folded.
///
/// # Errors
/// As [`load`], and those of `each`.
pub fn load_telling(store: &dyn Store, run: RunId, each: &mut Each<'_>) -> Result<Loaded, Error> {
    let rows = store.runs(&Query { id: Some(run), ..Query::default() })?;
    let no = rows.first().ok_or(JournalError::UnknownRun)?.no;
    let (digest, plan_json, plan) = pinned_plan(store, run)?;
    let state = State::new(run, Arc::new(plan));
    go_on(store, Loaded { no, digest, plan_json, state, seq: Seq(0) }, each)
}

/// Folds a run on from where it is known.
///
/// # Errors
/// As [`load`].
pub fn load_on(store: &dyn Store, known: Loaded) -> Result<Loaded, Error> {
    go_on(store, known, &mut |_, _| Ok(()))
}

fn go_on(store: &dyn Store, known: Loaded, each: &mut Each<'_>) -> Result<Loaded, Error> {
    let mut loaded = known;
    follow(store, loaded.state.run, loaded.seq, &mut |record, fact| {
        each(&record, &fact)?;
        loaded.state.apply(&fact).map_err(|illegal| Misread::from(illegal).at(record.seq))?;
        loaded.seq = record.seq;
        Ok(())
    })?;
    Ok(loaded)
}

/// Gives `take` each record of a run after `after`, with what it says, in order.
///
/// # Errors
/// If a record cannot be read, and those of `take`.
pub fn follow(
    store: &dyn Store,
    run: RunId,
    after: Seq,
    take: &mut dyn FnMut(Record, Fact) -> Result<(), Error>,
) -> Result<(), Error> {
    let first = page(store, run, after)?;
    let is_long = first.len() == PAGE;
    let mut last = first.last().map_or(after, |(record, _)| record.seq);
    first.into_iter().try_for_each(|(record, fact)| take(record, fact))?;
    if !is_long {
        return Ok(());
    }
    // To read a long history takes as long as to fold it: the next pages are read meanwhile.
    std::thread::scope(|scope| {
        let (read, pages) = std::sync::mpsc::sync_channel(PAGES_AHEAD);
        scope.spawn(move || {
            loop {
                let page = page(store, run, last);
                last = page.iter().flatten().last().map_or(last, |(record, _)| record.seq);
                let is_last = page.as_ref().map_or(true, |page| page.len() < PAGE);
                // Nobody reads on once what was read cannot be folded.
                if read.send(page).is_err() || is_last {
                    return;
                }
            }
        });
        pages.into_iter().try_for_each(|page| page?.into_iter().try_for_each(|(record, fact)| take(record, fact)))
    })
}

fn page(store: &dyn Store, run: RunId, after: Seq) -> Result<Vec<(Record, Fact)>, Error> {
    let records = store.records(run, after, PAGE)?;
    let mut page = Vec::with_capacity(records.len());
    for record in records {
        let fact = fact(&record)?;
        page.push((record, fact));
    }
    Ok(page)
}

/// What a run's first record says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The pinned plan.
    pub plan: Digest,
    /// Whether models run in it.
    pub mode: Mode,
    /// Its parameters.
    pub brief: Digest,
}

/// What a run's first record says of it.
///
/// # Errors
/// As [`load`].
pub fn started(store: &dyn Store, run: RunId) -> Result<Start, Error> {
    let first = store.records(run, Seq(0), 1)?;
    let first = first.first().ok_or(JournalError::UnknownRun)?;
    let Event::Started { plan, mode, brief, .. } = fact(first)?.is else { return Err(Error::NoStart) };
    Ok(Start { plan, mode, brief: brief.digest })
}

/// What a run's parameters carry: those that others wrote carry what that did.
///
/// # Errors
/// As [`load`].
pub fn brief_labels(store: &dyn Store, run: RunId) -> Result<Labels, Error> {
    for (_, fact) in page(store, run, Seq(0))? {
        if let Event::MessageSent(first) = fact.is {
            return Ok(first.labels);
        }
    }
    Ok(Labels::default())
}

/// The plan that a run's first record pins: its digest, its bytes, itself.
///
/// # Errors
/// As [`load`].
pub fn pinned_plan(store: &dyn Store, run: RunId) -> Result<(Digest, Vec<u8>, Plan), Error> {
    let digest = started(store, run)?.plan;
    let damaged = |text: &str| JournalError::Damaged(Cause::new(Subject::Run(run), text));
    let json =
        store.blob(digest)?.ok_or_else(|| damaged("has lost its pinned plan; restore the journal from a copy"))?;
    if Plan::digest(&json) != digest {
        return Err(damaged("has a pinned plan that is not what was pinned; restore the journal from a copy").into());
    }
    let plan = read_plan(&json)?;
    Ok((digest, json, plan))
}

/// What a record says.
///
/// # Errors
/// [`Error::Record`], for a kind that this callsheet does not know.
pub fn fact(record: &Record) -> Result<Fact, Error> {
    read_fact(&record.head.json).map_err(|why| why.at(record.seq))
}

/// Reads a record's head.
///
/// # Errors
/// For a kind that this callsheet does not know.
pub fn read_fact(json: &[u8]) -> Result<Fact, Misread> {
    serde_json::from_slice(json).map_err(Misread::Unknown)
}

/// Reads a pinned plan.
///
/// # Errors
/// If it is none, or of a format that this callsheet does not read.
pub(super) fn read_plan(json: &[u8]) -> Result<Plan, Error> {
    let plan: Plan = serde_json::from_slice(json).map_err(Error::Plan)?;
    if plan.format == PLAN_FORMAT { Ok(plan) } else { Err(Error::PlanFormat { found: plan.format }) }
}

/// Texts of a run, from its journal.
pub struct Bodies {
    store: Arc<dyn Store>,
    run: RunId,
}

impl Bodies {
    /// The bodies of `run`.
    pub fn new(store: Arc<dyn Store>, run: RunId) -> Self {
        Self { store, run }
    }

    /// A body's bytes; none if it was erased.
    pub fn bytes(&self, digest: Digest) -> Option<Vec<u8>> {
        Some(self.store.body(self.run, digest).ok()??.bytes)
    }
}

impl Texts for Bodies {
    fn value(&self, digest: Digest) -> Option<Value> {
        serde_json::from_slice(&self.bytes(digest)?).ok()
    }
}

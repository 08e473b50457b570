//! What an auditor can prove of a journal: every chain, body and inbox row, and that nothing before a checkpoint changed.
//! Whoever owns the disk can compute a new chain; a [`Checkpoint`] that was exported before is what stops that.

use serde::{Deserialize, Serialize};

use crate::id::{Digest, RunId, Seq};

use super::{Cause, Error, Query, RunRow, Store, Subject, chain_start, verify};

/// Records in memory at a time.
const PAGE_RECORDS_MAX: usize = 1_000;

/// Where a run stood: kept elsewhere, it pins every record up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The run.
    pub run: RunId,
    /// A record of it.
    pub seq: Seq,
    /// That record's link.
    pub chain: Digest,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verified {
    /// Records whose chain holds.
    pub records: u64,
    /// Bodies that have their digest.
    pub bodies: u64,
    /// Bodies whose bytes were erased.
    pub erased: u64,
    /// Inbox rows.
    pub posted: u64,
    /// Where each run stands: checkpoints to export. Of one run there is one.
    pub heads: Vec<Checkpoint>,
}

/// Verifies a run.
pub fn verify(store: &dyn Store, run: RunId) -> Result<Verified, Error> {
    verify_since(store, run, &[])
}

/// Verifies the run of `checkpoint`, and that up to there it is what it was.
pub fn verify_against(store: &dyn Store, checkpoint: &Checkpoint) -> Result<Verified, Error> {
    verify_since(store, checkpoint.run, std::slice::from_ref(checkpoint))
}

/// Verifies every run; those of `checkpoints` against them. Run numbers have no gaps, so a missing run is found too.
pub fn verify_all(store: &dyn Store, checkpoints: &[Checkpoint]) -> Result<Verified, Error> {
    let rows = store.runs(&Query { limit: usize::MAX, ..Query::default() })?;
    let mut all = Verified::default();
    for (row, no) in rows.iter().rev().zip(1..) {
        if row.no.0 != no {
            let text = format!("has no run number {no}; restore the journal from a copy");
            return Err(Error::Damaged(Cause::new(Subject::Journal, text)));
        }
        let one = verify_row(store, row, checkpoints)?;
        all.records += one.records;
        all.bodies += one.bodies;
        all.erased += one.erased;
        all.posted += one.posted;
        all.heads.extend(one.heads);
    }
    match checkpoints.iter().find(|checkpoint| rows.iter().all(|row| row.id != checkpoint.run)) {
        Some(gone) => Err(removed(gone)),
        None => Ok(all),
    }
}

/// Where `run` stands now, to be kept elsewhere; verified before it is given out.
pub fn checkpoint(store: &dyn Store, run: RunId) -> Result<Checkpoint, Error> {
    verify(store, run)?.heads.pop().ok_or(Error::UnknownRun)
}

fn verify_since(store: &dyn Store, run: RunId, checkpoints: &[Checkpoint]) -> Result<Verified, Error> {
    let mine: Vec<_> = checkpoints.iter().filter(|checkpoint| checkpoint.run == run).collect();
    // The row first: what is appended meanwhile only adds records.
    match row(store, run) {
        Err(Error::UnknownRun) if !mine.is_empty() => Err(removed(mine[0])),
        other => verify_row(store, &other?, checkpoints),
    }
}

fn verify_row(store: &dyn Store, row: &RunRow, checkpoints: &[Checkpoint]) -> Result<Verified, Error> {
    let run = row.id;
    let mine: Vec<_> = checkpoints.iter().filter(|checkpoint| checkpoint.run == run).collect();
    let (mut last, mut link) = (Seq(0), chain_start(run));
    loop {
        let page = store.records(run, last, PAGE_RECORDS_MAX)?;
        let Some(end) = page.last() else { break };
        link = verify::follow(run, last, link, &page)?;
        for kept in &mine {
            let there = page.iter().find(|record| record.seq == kept.seq);
            if there.is_some_and(|record| record.chain != kept.chain) {
                return Err(verify::damaged(run, kept.seq, "or one before it is not what it was at the checkpoint"));
            }
        }
        last = end.seq;
        // A page that is not full ends with the run's last record: a store holds itself to that.
        if page.len() < PAGE_RECORDS_MAX {
            break;
        }
    }
    let promised = mine.iter().map(|kept| kept.seq).fold(row.last, Seq::max);
    if last < promised {
        return Err(verify::damaged(run, Seq(last.0 + 1), &format!("is missing; there were {promised}")));
    }
    let mut verified = Verified { records: last.0, ..Verified::default() };
    for (digest, _) in store.bodies(run)? {
        match store.body(run, digest)? {
            Some(body) if body.digest == digest && body.is_whole() => verified.bodies += 1,
            Some(_) => {
                let cause = Cause::new(Subject::Body(run, digest), "is not what was written");
                return Err(Error::Damaged(cause));
            }
            None => verified.erased += 1,
        }
    }
    verified.posted = store.inbox(run, 0)?.len() as u64;
    verified.heads.push(Checkpoint { run, seq: last, chain: link });
    Ok(verified)
}

fn row(store: &dyn Store, run: RunId) -> Result<RunRow, Error> {
    store.runs(&Query { id: Some(run), ..Query::default() })?.pop().ok_or(Error::UnknownRun)
}

fn removed(checkpoint: &Checkpoint) -> Error {
    let text = format!("had {} records and is gone; restore it from a copy", checkpoint.seq);
    Error::Damaged(Cause::new(Subject::Run(checkpoint.run), text))
}

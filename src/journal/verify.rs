//! What every store checks of what it is given and of what it reads; where the bytes lie is not known here.

use crate::id::{Digest, Epoch, RunId, Seq};

use super::{Batch, Cause, Error, NewRun, Record, Subject, chain};

/// Follows the chain from `before`, the link of record `after`, over `records`; the last link, or where it breaks.
pub(super) fn follow(run: RunId, after: Seq, before: Digest, records: &[Record]) -> Result<Digest, Error> {
    let (mut seq, mut link) = (after, before);
    for record in records {
        seq = Seq(seq.0 + 1);
        if record.seq != seq {
            return Err(damaged(run, seq, &format!("is missing; record {} is in its place", record.seq)));
        }
        link = chain(link, seq, record.epoch, &record.head);
        if link != record.chain {
            return Err(damaged(run, seq, "is not what was written: the hash chain breaks there"));
        }
    }
    Ok(link)
}

/// The error for a record that is not as it was written.
pub(super) fn damaged(run: RunId, seq: Seq, what: &str) -> Error {
    Error::Damaged(Cause::new(Subject::Record(run, seq), format!("{what}; restore the journal from a copy")))
}

/// The error for a body that was never stored: one that was erased leaves its row, so that the two are told apart.
pub(super) fn no_body(run: RunId, digest: Digest) -> Error {
    Error::Damaged(Cause::new(Subject::Body(run, digest), "was never stored; restore the journal from a copy"))
}

/// Refuses a batch that no reader could verify later, before it is written.
pub(super) fn well_formed(batch: &Batch) -> Result<(), Error> {
    if batch.heads.is_empty() {
        return Err(Error::Malformed(Cause::new(Subject::Run(batch.run), "is given a batch without a record")));
    }
    match batch.bodies.iter().find(|body| !body.is_whole()) {
        Some(body) => {
            Err(Error::Malformed(Cause::new(Subject::Body(batch.run, body.digest), "is given with another digest")))
        }
        None => Ok(()),
    }
}

/// Refuses a first batch that is not one.
pub(super) fn well_begun(new: &NewRun, batch: &Batch) -> Result<(), Error> {
    if batch.run != new.id || batch.after != Seq(0) || batch.epoch != Epoch(1) {
        return Err(Error::Malformed(Cause::new(
            Subject::Run(new.id),
            "is new and does not begin after record 0 in epoch 1",
        )));
    }
    well_formed(batch)
}

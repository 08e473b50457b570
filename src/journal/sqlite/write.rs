//! The ops on runs, inside the transaction that `mod.rs` holds; it takes back what an op that fails has written.

use rusqlite::{Connection, OptionalExtension as _, ToSql, params};
use uuid::Uuid;

use crate::id::{ApprovalNo, Digest, Epoch, RunId, RunNo, Seq, Timestamp};
use crate::journal::{
    Batch, Cause, Claiming, Done, Error, Holder, Moved, NewRun, OwnerId, Posted, Subject, Summary, chain, chain_start,
    verify,
};

use super::fault::Fault;
use super::read::{self, signed, unsigned};

/// Whether an owner lives, and what it is called.
pub(super) type Living<'a> = &'a dyn Fn(OwnerId) -> Result<Option<Holder>, Error>;

/// Runs a statement that is kept prepared.
pub(super) fn run(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(values)
}

/// A run as its row has it, before a write.
struct Standing {
    no: i64,
    last: Seq,
    chain: Digest,
    epoch: Epoch,
    owner: Option<OwnerId>,
    posted: u64,
    listed: Listed,
}

/// What of a run's summary is in columns with an index of their own.
#[derive(PartialEq, Eq, Default)]
struct Listed {
    heard: i64,
    over: bool,
    wake_at: Option<i64>,
}

impl Standing {
    fn of(connection: &Connection, run: RunId) -> Result<Option<Self>, Fault> {
        type Row = (i64, i64, [u8; 32], i64, Option<[u8; 16]>, i64, Listed);
        let found: Option<Row> = connection
            .prepare_cached(
                "SELECT no, last, chain, epoch, owner, posted, heard, over, wake_at FROM runs WHERE id = ?1",
            )?
            .query_row(params![run.0.as_bytes()], |row| {
                let listed = Listed { heard: row.get(6)?, over: row.get(7)?, wake_at: row.get(8)? };
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, listed))
            })
            .optional()?;
        let Some((no, last, chain, epoch, owner, posted, listed)) = found else { return Ok(None) };
        Ok(Some(Self {
            no,
            last: Seq(unsigned(last)?),
            chain: Digest(chain),
            epoch: Epoch(unsigned(epoch)?),
            owner: owner.map(|bytes| OwnerId(Uuid::from_bytes(bytes))),
            posted: unsigned(posted)?,
            listed,
        }))
    }

    /// A run as `create` inserts it, before its first batch.
    fn new(no: i64, new: &NewRun) -> Self {
        Self {
            no,
            last: Seq(0),
            chain: chain_start(new.id),
            epoch: Epoch(1),
            owner: Some(new.owner),
            posted: 0,
            listed: Listed::default(),
        }
    }

    fn conflict(&self) -> Error {
        Moved { last: self.last, epoch: self.epoch }.into()
    }
}

fn known(connection: &Connection, run: RunId) -> Result<Standing, Fault> {
    Standing::of(connection, run)?.ok_or(Fault::Op(Error::UnknownRun))
}

/// Makes a run with its first batch.
pub(super) fn create(connection: &Connection, new: &NewRun, batch: &Batch) -> Result<Done, Fault> {
    verify::well_begun(new, batch)?;
    if let Some(standing) = Standing::of(connection, new.id)? {
        return Err(standing.conflict().into());
    }
    let no = next(connection, "runs")?;
    let standing = Standing::new(no, new);
    run(
        connection,
        "INSERT INTO runs (no, id, topology, created_at, updated_at, last, chain, epoch, owner, posted, heard, over, summary)
         VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5, 1, ?6, 0, 0, 0, '')",
        params![no, new.id.0.as_bytes(), new.topology, new.at.0, standing.chain.0, new.owner.0.as_bytes()],
    )?;
    for (digest, bytes) in &new.blobs {
        run(connection, "INSERT OR IGNORE INTO blobs VALUES (?1, ?2)", params![digest.0, bytes])?;
    }
    insert(connection, &standing, batch)?;
    Ok(Done::Created(RunNo(unsigned(no)?)))
}

/// Appends to a run that stands where the batch says.
pub(super) fn append(connection: &Connection, batch: &Batch) -> Result<Done, Fault> {
    verify::well_formed(batch)?;
    let standing = known(connection, batch.run)?;
    if batch.after != standing.last || batch.epoch != standing.epoch {
        return Err(standing.conflict().into());
    }
    // The row and the record say the same, or what is appended could not be verified later.
    if read::link(connection, standing.no, standing.last)? != Some(standing.chain) {
        return Err(verify::damaged(batch.run, standing.last, "is not what its run's row says").into());
    }
    let last = insert(connection, &standing, batch)?;
    Ok(Done::Appended(last))
}

fn insert(connection: &Connection, standing: &Standing, batch: &Batch) -> Result<Seq, Fault> {
    let (no, mut seq, mut link) = (standing.no, batch.after, standing.chain);
    {
        let mut record = connection.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for head in &batch.heads {
            seq = Seq(seq.0 + 1);
            link = chain(link, seq, batch.epoch, head);
            let (place, epoch) = (stored(seq.0)?, stored(batch.epoch.0)?);
            record.execute(params![no, place, epoch, head.kind, head.version, head.json, link.0])?;
        }
    }
    if !batch.bodies.is_empty() {
        let sql = "INSERT OR IGNORE INTO bodies (run, digest, salt, bytes) VALUES (?1, ?2, ?3, ?4)";
        let mut kept = connection.prepare_cached(sql)?;
        for body in &batch.bodies {
            kept.execute(params![no, body.digest.0, body.salt, body.bytes])?;
        }
    }
    let Summary { heard, over, wake_at, .. } = &batch.summary;
    let listed = Listed { heard: signed(*heard), over: *over, wake_at: wake_at.map(|at| at.0) };
    let json = serde_json::to_string(&batch.summary).map_err(|error| {
        Error::Malformed(
            Cause::new(Subject::Run(batch.run), format!("has a summary that is no JSON: {error}")).by(error),
        )
    })?;
    // A column that is named is written to its index even if it stays as it is.
    let sql = if listed == standing.listed {
        "UPDATE runs SET last = ?2, chain = ?3, updated_at = iif(over, updated_at, max(created_at, ?4)), summary = ?5
         WHERE no = ?1"
    } else {
        "UPDATE runs SET last = ?2, chain = ?3, updated_at = iif(over, updated_at, max(created_at, ?4)), summary = ?5,
         heard = ?6, over = ?7, wake_at = ?8 WHERE no = ?1"
    };
    let mut update = connection.prepare_cached(sql)?;
    let (place, Listed { heard, over, wake_at }) = (stored(seq.0)?, &listed);
    if listed == standing.listed {
        update.execute(params![no, place, link.0, batch.at.0, json])?;
    } else {
        update.execute(params![no, place, link.0, batch.at.0, json, heard, over, wake_at])?;
    }
    if batch.release {
        run(connection, RELEASE, params![no])?;
    }
    Ok(seq)
}

const RELEASE: &str = "UPDATE runs SET owner = NULL WHERE no = ?1";

/// Takes the ownership of a run.
pub(super) fn claim(
    connection: &Connection,
    id: RunId,
    owner: OwnerId,
    how: Claiming,
    living: Living<'_>,
) -> Result<Done, Fault> {
    let standing = known(connection, id)?;
    if let Some(holder) = standing.owner.filter(|holder| *holder != owner && how != Claiming::TakeOver)
        && let Some(holder) = living(holder)?
    {
        return Err(Error::Owned { by: holder.label }.into());
    }
    let Standing { posted, listed: Listed { heard, over, wake_at }, .. } = &standing;
    let is_needed = match how {
        Claiming::IfFree | Claiming::TakeOver => true,
        Claiming::IfDue(at) => signed(*posted) > *heard || !over && wake_at.is_some_and(|wake_at| wake_at <= at.0),
        Claiming::ToHear(place) => *heard < signed(place),
    };
    if !is_needed {
        return Ok(Done::NotNeeded);
    }
    let epoch = Epoch(standing.epoch.0 + 1);
    let sql = "UPDATE runs SET owner = ?2, epoch = ?3 WHERE no = ?1";
    run(connection, sql, params![standing.no, owner.0.as_bytes(), stored(epoch.0)?])?;
    Ok(Done::Claimed(epoch))
}

/// Gives an ownership up.
pub(super) fn release(connection: &Connection, id: RunId, epoch: Epoch) -> Result<Done, Fault> {
    let standing = known(connection, id)?;
    if standing.epoch == epoch {
        run(connection, RELEASE, params![standing.no])?;
    }
    Ok(Done::Released)
}

/// Posts to the inbox of a run.
pub(super) fn post(connection: &Connection, id: RunId, post: Uuid, json: &[u8], at: Timestamp) -> Result<Done, Fault> {
    let standing = known(connection, id)?;
    let first: Option<i64> = connection
        .prepare_cached("SELECT place FROM inbox WHERE run = ?1 AND id = ?2")?
        .query_row(params![standing.no, post.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(place) = first {
        return Ok(Done::Posted(unsigned(place)?));
    }
    let row = Posted { place: standing.posted + 1, id: post, json: json.to_vec(), at };
    let place = stored(row.place)?;
    let digest = read::posted_digest(id, &row).0;
    run(
        connection,
        "INSERT INTO inbox (run, place, id, at, json, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![standing.no, place, post.as_bytes(), at.0, json, digest],
    )?;
    run(connection, "UPDATE runs SET posted = ?2 WHERE no = ?1", params![standing.no, place])?;
    Ok(Done::Posted(row.place))
}

/// Takes the next approval number.
pub(super) fn number(connection: &Connection, id: RunId) -> Result<Done, Fault> {
    let standing = known(connection, id)?;
    let number = next(connection, "approvals")?;
    run(connection, "INSERT INTO approvals VALUES (?1, ?2)", params![number, standing.no])?;
    Ok(Done::Number(ApprovalNo(unsigned(number)?)))
}

// Counted beside the rows, so that no number comes twice even if rows are ever removed.
fn next(connection: &Connection, counter: &str) -> Result<i64, Fault> {
    let sql = "UPDATE meta SET value = value + 1 WHERE name = ?1 RETURNING value";
    Ok(connection.prepare_cached(sql)?.query_row(params![counter], |row| row.get(0))?)
}

fn stored(number: u64) -> Result<i64, Error> {
    i64::try_from(number)
        .map_err(|_| Error::Malformed(Cause::new(Subject::Journal, format!("does not count to {number}"))))
}

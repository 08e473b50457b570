//! Reads, each in one snapshot; what is read is verified, and damage is told with its run and record.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use crate::id::{Digest, Epoch, RunId, RunNo, Seq, Timestamp};
use crate::journal::{
    Body, Cause, Due, Error, Head, Holder, OwnerId, Posted, Query, Record, RunRow, Subject, Summary, Unfired,
    chain_start, verify,
};

use super::fault;

/// Runs in an answer if the query does not say.
const RUNS_DEFAULT: usize = 1_000;

/// The records of `run` after `after`, verified; a page that is not full has to end with the run's last record.
pub(super) fn records(connection: &Connection, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error> {
    let snapshot = connection.unchecked_transaction().map_err(fault::reading)?;
    let (no, last) = place(&snapshot, run)?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut statement = snapshot
        .prepare_cached(
            "SELECT seq, epoch, kind, version, head, chain FROM records WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )
        .map_err(fault::reading)?;
    let mut rows = statement.query(params![no, signed(after.0), signed(limit as u64)]).map_err(fault::reading)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(fault::reading)? {
        let seq = Seq(after.0 + 1 + page.len() as u64);
        page.push(record(row).map_err(|error| verify::damaged(run, seq, &format!("cannot be read ({error})")))?);
    }
    let end = page.last().map_or(after, |record| record.seq);
    if after > last && page.is_empty() {
        return Ok(page);
    }
    if end > last {
        return Err(verify::damaged(run, end, &format!("is there, though record {last} should be the last")));
    }
    let before = match after {
        Seq(0) => chain_start(run),
        after => link(&snapshot, no, after)?.ok_or_else(|| verify::damaged(run, after, "is missing"))?,
    };
    verify::follow(run, after, before, &page)?;
    if page.len() < limit && end != last {
        return Err(verify::damaged(run, Seq(end.0 + 1), &format!("is missing; the last should be record {last}")));
    }
    Ok(page)
}

/// A body, verified; with one statement, since a turn reads many.
pub(super) fn body(connection: &Connection, run: RunId, digest: Digest) -> Result<Option<Body>, Error> {
    type Found = (bool, Option<[u8; 16]>, Option<Vec<u8>>);
    let damaged =
        |what: &str| Error::Damaged(Cause::new(Subject::Body(run, digest), format!("{what}; restore it from a copy")));
    let sql = "SELECT bodies.digest IS NOT NULL, bodies.salt, bodies.bytes FROM runs
        LEFT JOIN bodies ON bodies.run = runs.no AND bodies.digest = ?2 WHERE runs.id = ?1";
    let read_row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<Found> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params![run.0.as_bytes(), digest.0], read_row).optional())
        .map_err(|error| concerning(Subject::Body(run, digest), fault::reading(error)))?;
    match found {
        None => Err(Error::UnknownRun),
        Some((false, ..)) => Err(verify::no_body(run, digest)),
        Some((true, None, None)) => Ok(None),
        Some((true, Some(salt), Some(bytes))) => {
            let body = Body { digest, salt, bytes };
            if body.is_whole() { Ok(Some(body)) } else { Err(damaged("is not what was written")) }
        }
        Some(_) => Err(damaged("is erased by half")),
    }
}

/// The bodies of a run and whether they are still there.
pub(super) fn bodies(connection: &Connection, run: RunId) -> Result<Vec<(Digest, bool)>, Error> {
    let (no, _) = place(connection, run)?;
    let read_row = |row: &Row<'_>| Ok((Digest(row.get(0)?), row.get(1)?));
    connection
        .prepare_cached(
            "SELECT digest, salt IS NOT NULL OR bytes IS NOT NULL FROM bodies WHERE run = ?1 ORDER BY digest",
        )
        .and_then(|mut statement| statement.query_map(params![no], read_row)?.collect())
        .map_err(|error| concerning(Subject::Run(run), fault::reading(error)))
}

/// A blob, as it is stored.
pub(super) fn blob(connection: &Connection, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
    connection
        .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")
        .and_then(|mut statement| statement.query_row(params![digest.0], |row| row.get(0)).optional())
        .map_err(fault::reading)
}

/// What was posted to `run` after `after`, verified.
pub(super) fn inbox(connection: &Connection, run: RunId, after: u64) -> Result<Vec<Posted>, Error> {
    let snapshot = connection.unchecked_transaction().map_err(fault::reading)?;
    let (no, _) = place(&snapshot, run)?;
    let posted: i64 = snapshot
        .prepare_cached("SELECT posted FROM runs WHERE no = ?1")
        .and_then(|mut statement| statement.query_row(params![no], |row| row.get(0)))
        .map_err(fault::reading)?;
    let posted = unsigned(posted)?;
    let read_row = |row: &Row<'_>| {
        let (place, id, at): (i64, _, _) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((
            place,
            Posted { place: after, id: Uuid::from_bytes(id), json: row.get(3)?, at: Timestamp(at) },
            row.get(4)?,
        ))
    };
    let rows: Vec<(i64, Posted, [u8; 32])> = snapshot
        .prepare_cached("SELECT place, id, at, json, digest FROM inbox WHERE run = ?1 AND place > ?2 ORDER BY place")
        .and_then(|mut statement| statement.query_map(params![no, signed(after)], read_row)?.collect())
        .map_err(|error| concerning(Subject::Run(run), fault::reading(error)))?;
    let mut heard = Vec::with_capacity(rows.len());
    for (place, row, digest) in rows {
        let expected = after + 1 + heard.len() as u64;
        let row = Posted { place: unsigned(place)?, ..row };
        if row.place != expected || posted_digest(run, &row).0 != digest {
            let cause = Cause::new(Subject::Posted(run, expected), "is not what was written; restore it from a copy");
            return Err(Error::Damaged(cause));
        }
        heard.push(row);
    }
    let last = heard.last().map_or(after.min(posted), |row| row.place);
    if last != posted {
        let text = format!("has {last} rows in its inbox and should have {posted}; restore it from a copy");
        return Err(Error::Damaged(Cause::new(Subject::Run(run), text)));
    }
    Ok(heard)
}

/// The runs that `query` names, newest first; `living` says whether an owner lives.
pub(super) fn runs(
    connection: &Connection,
    query: &Query,
    living: &dyn Fn(OwnerId) -> Result<Option<Holder>, Error>,
) -> Result<Vec<RunRow>, Error> {
    let (wanted, values) = wanted(query);
    let sql = format!(
        "SELECT id, no, topology, created_at, updated_at, last, epoch, owner, posted, summary FROM runs
         WHERE {wanted} ORDER BY no DESC"
    );
    let limit = if query.limit == 0 { RUNS_DEFAULT } else { query.limit };
    let mut statement = connection.prepare_cached(&sql).map_err(fault::reading)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(fault::reading)?;
    let mut found = Vec::new();
    // Not by SQL's own limit: who lives is not in the table, and others' runs must not fill an answer.
    while found.len() < limit
        && let Some(row) = rows.next().map_err(fault::reading)?
    {
        let owner = row.get::<_, Option<[u8; 16]>>(7).map_err(fault::reading)?.map(|id| OwnerId(Uuid::from_bytes(id)));
        let owner = owner.map_or(Ok(None), living)?;
        let is_others = |due: Due| owner.as_ref().is_some_and(|owner| owner.id != due.by);
        if !query.due.is_some_and(is_others) {
            found.push(run_row(row, owner)?);
        }
    }
    Ok(found)
}

/// The last record of each run that is not over.
pub(super) fn lasts(connection: &Connection) -> Result<Vec<(RunId, Seq)>, Error> {
    let read_row = |row: &Row<'_>| Ok((RunId(Uuid::from_bytes(row.get(0)?)), row.get::<_, i64>(1)?));
    let rows: Vec<(RunId, i64)> = connection
        .prepare_cached("SELECT id, last FROM runs WHERE over = 0")
        .and_then(|mut statement| statement.query_map([], read_row)?.collect())
        .map_err(fault::reading)?;
    rows.into_iter().map(|(run, last)| Ok((run, Seq(unsigned(last)?)))).collect()
}

/// A run's number and last record.
pub(super) fn place(connection: &Connection, run: RunId) -> Result<(i64, Seq), Error> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT no, last FROM runs WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row(params![run.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(fault::reading)?;
    let (no, last) = found.ok_or(Error::UnknownRun)?;
    Ok((no, Seq(unsigned(last)?)))
}

/// The link of a record.
pub(super) fn link(connection: &Connection, no: i64, seq: Seq) -> Result<Option<Digest>, Error> {
    connection
        .prepare_cached("SELECT chain FROM records WHERE run = ?1 AND seq = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![no, signed(seq.0)], |row| row.get(0).map(Digest)).optional()
        })
        .map_err(fault::reading)
}

/// A digest over all of an inbox row: what a person decided must be what is heard.
pub(super) fn posted_digest(run: RunId, row: &Posted) -> Digest {
    Digest::of(
        "callsheet posted 1",
        &[run.0.as_bytes(), &row.place.to_le_bytes(), row.id.as_bytes(), &row.at.0.to_le_bytes(), &row.json],
    )
}

/// A number that is never negative, as SQLite stores it; beyond its range no row is found.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way round.
pub(super) fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| {
        Error::Damaged(Cause::new(Subject::Journal, format!("has a count of {number}; restore it from a copy")))
    })
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let count = |column| {
        let number: i64 = row.get(column)?;
        u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
    };
    Ok(Record {
        seq: Seq(count(0)?),
        epoch: Epoch(count(1)?),
        head: Head { kind: row.get(2)?, version: row.get(3)?, json: row.get(4)? },
        chain: Digest(row.get(5)?),
    })
}

fn run_row(row: &Row<'_>, owner: Option<Holder>) -> Result<RunRow, Error> {
    let count = |column| row.get::<_, i64>(column).map_err(fault::reading).and_then(unsigned);
    let id = RunId(Uuid::from_bytes(row.get(0).map_err(fault::reading)?));
    let text: String = row.get(9).map_err(fault::reading)?;
    let summary: Summary = serde_json::from_str(&text).map_err(|error| {
        let text = format!("has a summary that cannot be read ({error}); restore it from a copy");
        Error::Damaged(Cause::new(Subject::Run(id), text).by(error))
    })?;
    Ok(RunRow {
        id,
        no: RunNo(count(1)?),
        topology: row.get(2).map_err(fault::reading)?,
        created_at: Timestamp(row.get(3).map_err(fault::reading)?),
        updated_at: Timestamp(row.get(4).map_err(fault::reading)?),
        last: Seq(count(5)?),
        epoch: Epoch(count(6)?),
        owner,
        posted: count(8)?,
        summary,
    })
}

fn wanted(query: &Query) -> (String, Vec<Value>) {
    let (mut wanted, mut values) = (vec!["1"], Vec::new());
    if let Some(id) = query.id {
        wanted.push("id = ?");
        values.push(Value::Blob(id.0.as_bytes().to_vec()));
    }
    if let Some(no) = query.no {
        wanted.push("no = ?");
        values.push(Value::Integer(signed(no.0)));
    }
    if let Some(no) = query.above {
        wanted.push("no > ?");
        values.push(Value::Integer(signed(no.0)));
    }
    if let Some(approval) = query.approval {
        wanted.push("no = (SELECT run FROM approvals WHERE number = ?)");
        values.push(Value::Integer(signed(approval.0)));
    }
    if query.live {
        wanted.push("over = 0");
    }
    if let Some(Due { at, .. }) = query.due {
        // As a union, because each half then has its own small index.
        wanted.push(
            "no IN (SELECT no FROM runs WHERE wake_at <= ? AND over = 0 UNION SELECT no FROM runs WHERE posted > heard)",
        );
        values.push(Value::Integer(at.0));
    }
    if let Some(Unfired { topology, since, trigger }) = &query.unfired {
        wanted.push(
            "topology = ? AND over = 1 AND updated_at >= ? AND json_extract(summary, '$.status') = 'done'
             AND NOT EXISTS (SELECT 1 FROM firings WHERE trigger = ? AND key = lower(hex(runs.id)) AND settled = 1)",
        );
        let (topology, trigger) = (topology.clone(), trigger.clone());
        values.extend([Value::Text(topology), Value::Integer(since.0), Value::Text(trigger)]);
    }
    (wanted.join(" AND "), values)
}

/// Damage, told with what was read.
fn concerning(subject: Subject, error: Error) -> Error {
    match error {
        Error::Damaged(cause) => Error::Damaged(cause.of(subject)),
        other => other,
    }
}

//! The firings of triggers: rows beside the runs, written in the same transactions. A journal that no server of triggers has
//! opened to write does not have their tables, and has no firings.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use crate::id::{Digest, RunId, RunNo, Timestamp};
use crate::journal::{Batch, Came, Cause, Done, Error, Fired, Firing, Firings, NewRun, Subject, Watch};

use super::fault::{self, Fault};
use super::read::{signed, unsigned};
use super::write;

/// Added to a journal of whatever format when it is opened to write: nothing in it is moved, and whoever does not know of these
/// tables leaves them alone.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS firings (
  trigger TEXT NOT NULL, key TEXT NOT NULL, due_at INTEGER NOT NULL, at INTEGER NOT NULL, run BLOB,
  settled INTEGER NOT NULL, came TEXT NOT NULL, PRIMARY KEY (trigger, key)
) STRICT;
CREATE INDEX IF NOT EXISTS firings_at ON firings(trigger, at);
CREATE INDEX IF NOT EXISTS firings_run ON firings(run) WHERE run IS NOT NULL;
CREATE TABLE IF NOT EXISTS watched (trigger TEXT PRIMARY KEY NOT NULL, what BLOB NOT NULL, since INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS runs_ended ON runs(topology, updated_at) WHERE over = 1;
";

/// Firings in an answer if the query does not say.
const FIRINGS_DEFAULT: usize = 1_000;

/// Makes the run of a firing, unless that is settled or has to wait.
pub(super) fn fire(connection: &Connection, fired: &Fired, new: &NewRun, batch: &Batch) -> Result<Done, Fault> {
    if let Some(settled) = settled(connection, &fired.trigger, &fired.key)? {
        return Ok(Done::Settled(settled));
    }
    if fired.alone
        && let Some(run) = last(connection, &fired.trigger)?
    {
        return Ok(Done::Overlaps(run));
    }
    let made = write::create(connection, new, batch)?;
    let Fired { trigger, key, due_at, .. } = fired.clone();
    put(connection, &Firing { trigger, key, due_at, at: new.at, came: Came::Started(new.id) })?;
    Ok(made)
}

/// Notes what a firing came to that started nothing, unless it is settled.
pub(super) fn note(connection: &Connection, firing: &Firing) -> Result<Done, Fault> {
    if firing.came.run().is_some() {
        return Err(malformed("is told of a run that started without its firing").into());
    }
    match settled(connection, &firing.trigger, &firing.key)? {
        Some(settled) => Ok(Done::Settled(settled)),
        None => {
            put(connection, firing)?;
            Ok(Done::Noted)
        }
    }
}

/// Since when a trigger is watched as what it is.
pub(super) fn watch(connection: &Connection, watch: &Watch) -> Result<Done, Fault> {
    let known: Option<([u8; 32], i64)> = connection
        .prepare_cached("SELECT what, since FROM watched WHERE trigger = ?1")?
        .query_row(params![watch.trigger], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((what, since)) = known
        && Digest(what) == watch.what
    {
        return Ok(Done::Watched(Timestamp(since)));
    }
    let sql = "INSERT OR REPLACE INTO watched VALUES (?1, ?2, ?3)";
    write::run(connection, sql, params![watch.trigger, watch.what.0, watch.at.0])?;
    Ok(Done::Watched(watch.at))
}

/// The firings that `query` names, newest first.
pub(super) fn firings(connection: &Connection, query: &Firings) -> Result<Vec<Firing>, Error> {
    if !is_there(connection).map_err(fault::reading)? {
        return Ok(Vec::new());
    }
    let (mut wanted, mut values) = (vec!["1"], Vec::new());
    for (column, value) in [("trigger = ?", &query.trigger), ("key = ?", &query.key)] {
        if let Some(value) = value {
            wanted.push(column);
            values.push(Value::Text(value.clone()));
        }
    }
    if let Some(run) = query.run {
        wanted.push("run = ?");
        values.push(Value::Blob(run.0.as_bytes().to_vec()));
    }
    if query.started {
        wanted.push("run IS NOT NULL");
    }
    let limit = if query.limit == 0 { FIRINGS_DEFAULT } else { query.limit };
    values.push(Value::Integer(signed(limit as u64)));
    let sql = format!(
        "SELECT trigger, key, due_at, at, came FROM firings WHERE {}
         ORDER BY at DESC, due_at DESC, trigger DESC, key DESC LIMIT ?",
        wanted.join(" AND ")
    );
    let read = || -> rusqlite::Result<Vec<(Firing, String)>> {
        connection.prepare_cached(&sql)?.query_map(rusqlite::params_from_iter(values), row)?.collect()
    };
    read().map_err(fault::reading)?.into_iter().map(whole).collect()
}

/// Whether the tables are there.
pub(super) fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) = 1 FROM sqlite_schema WHERE type = 'table' AND name = 'firings'";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn row(row: &Row<'_>) -> rusqlite::Result<(Firing, String)> {
    let (due_at, at) = (Timestamp(row.get(2)?), Timestamp(row.get(3)?));
    // What it came to is read from its JSON.
    let came = Came::Skipped(String::new());
    Ok((Firing { trigger: row.get(0)?, key: row.get(1)?, due_at, at, came }, row.get(4)?))
}

fn whole((firing, json): (Firing, String)) -> Result<Firing, Error> {
    match serde_json::from_str(&json) {
        Ok(came) => Ok(Firing { came, ..firing }),
        Err(error) => {
            let text =
                format!("has a firing of {} that nobody can read: {error}; restore it from a copy", firing.trigger);
            Err(Error::Damaged(Cause::new(Subject::Journal, text).by(error)))
        }
    }
}

fn settled(connection: &Connection, trigger: &str, key: &str) -> Result<Option<Firing>, Fault> {
    let found: Option<(Firing, String)> = connection
        .prepare_cached(
            "SELECT trigger, key, due_at, at, came FROM firings WHERE trigger = ?1 AND key = ?2 AND settled = 1",
        )?
        .query_row(params![trigger, key], row)
        .optional()?;
    Ok(found.map(whole).transpose()?)
}

/// The run that a trigger started last, unless it is over.
fn last(connection: &Connection, trigger: &str) -> Result<Option<RunNo>, Fault> {
    let last: Option<[u8; 16]> = connection
        .prepare_cached(
            "SELECT run FROM firings WHERE trigger = ?1 AND run IS NOT NULL ORDER BY at DESC, due_at DESC, key DESC LIMIT 1",
        )?
        .query_row(params![trigger], |row| row.get(0))
        .optional()?;
    let Some(run) = last.map(|bytes| RunId(Uuid::from_bytes(bytes))) else { return Ok(None) };
    let no: Option<i64> = connection
        .prepare_cached("SELECT no FROM runs WHERE id = ?1 AND over = 0")?
        .query_row(params![run.0.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(no.map(|no| unsigned(no).map(RunNo)).transpose()?)
}

fn put(connection: &Connection, firing: &Firing) -> Result<(), Fault> {
    let json = serde_json::to_string(&firing.came).map_err(|error| malformed(&format!("has a firing: {error}")))?;
    let run = firing.came.run().map(|run| run.0.as_bytes().to_vec());
    write::run(
        connection,
        "INSERT OR REPLACE INTO firings (trigger, key, due_at, at, run, settled, came) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![firing.trigger, firing.key, firing.due_at.0, firing.at.0, run, firing.came.is_settled(), json],
    )?;
    Ok(())
}

fn malformed(text: &str) -> Error {
    Error::Malformed(Cause::new(Subject::Journal, text))
}

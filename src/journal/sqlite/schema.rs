//! The file: how a journal is made, told from other files, and opened; the tables of format 2.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::file;
use crate::journal::{Cause, Error, JOURNAL_FORMAT, Subject};

use super::{fault, firing};

/// "CSHT": tells a journal from other programs' databases.
const APPLICATION_ID: i64 = 0x4353_4854;

/// How long a lock that another process holds is waited for.
const BUSY_MS_MAX: u64 = 5_000;

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 64;

// `runs.chain` is the last record's link once more: an append to a damaged tail is refused instead of hidden.
// `runs.heard`, `over` and `wake_at` are the summary's, as columns for the queries.
// Heads lie in the order in which they are written, whatever their runs, under a small index: what many runs append at
// once is a few full pages. Format 1 had `records` and `inbox` without a rowid, so that whole heads lay in the inner
// pages of the tree. The columns are the same, so the statements are: a journal of format 1 keeps its tables for good.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', 2), ('runs', 0), ('approvals', 0);
CREATE TABLE runs (
  no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, topology TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  last INTEGER NOT NULL, chain BLOB NOT NULL, epoch INTEGER NOT NULL, owner BLOB,
  posted INTEGER NOT NULL, heard INTEGER NOT NULL, over INTEGER NOT NULL, wake_at INTEGER, summary TEXT NOT NULL
) STRICT;
CREATE INDEX runs_live ON runs(no) WHERE over = 0;
CREATE INDEX runs_wake ON runs(wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_unheard ON runs(no) WHERE posted > heard;
CREATE TABLE records (
  run INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL,
  head BLOB NOT NULL, chain BLOB NOT NULL, PRIMARY KEY (run, seq)
) STRICT;
CREATE TABLE bodies (run INTEGER NOT NULL, digest BLOB NOT NULL, salt BLOB, bytes BLOB, PRIMARY KEY (run, digest)) STRICT;
CREATE TABLE blobs (digest BLOB PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE inbox (
  run INTEGER NOT NULL, place INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL, json BLOB NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY (run, place), UNIQUE (run, id)
) STRICT;
CREATE TABLE approvals (number INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT;
";

/// Makes the journal unless it is there. It appears under its name whole, so that an empty file is always a fault.
pub(super) fn make(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let cannot = |error: &dyn std::fmt::Display| {
        unreadable(path, format!("cannot be made: {error}; make its folder writable or name another place"))
    };
    let folder = folder_of(path);
    fs::create_dir_all(&folder).map_err(|error| cannot(&file::words(&error)))?;
    // A log without its database would be replayed into the new one.
    if with_suffix(path, "-wal").exists() && !path.exists() {
        let text = "is missing and its -wal file is there: restore both from a copy, or remove the -wal file";
        return Err(damaged(path, text));
    }
    // Two makers at once have two drafts: of two processes, or of two threads of one.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let draft = with_suffix(path, &format!(".{}-{}.new", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    let made = draw_up(&draft).map_err(|error| cannot(&error)).and_then(|()| {
        // A link, because a rename would replace what another process has made meanwhile.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !path.exists() => fs::rename(&draft, path).map_err(|error| cannot(&file::words(&error))),
            _ => Ok(()),
        }
    });
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(with_suffix(&draft, suffix));
    }
    made?;
    sync_folder(&folder).map_err(|error| cannot(&file::words(&error)))
}

/// The connection that writes.
pub(super) fn writing(path: &Path, pages_max: Option<u32>) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, false)?;
    let read_only = connection.is_readonly("main").map_err(fault::reading)?;
    if read_only {
        return Err(unreadable(path, "is write-protected: make the file and its folder writable, or only read it"));
    }
    let prepare = || -> rusqlite::Result<String> {
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")?;
        if let Some(pages) = pages_max {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        // Asked first: what is there is not written to, and a lock is not waited for.
        if !firing::is_there(&connection)? {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT", firing::TABLES))?;
        }
        Ok(mode)
    };
    match prepare() {
        Ok(mode) if mode == "wal" => Ok(connection),
        Ok(_) => Err(unreadable(path, "is on a file system that cannot share memory: put it on a local disk")),
        Err(error) => Err(opening(path, error)),
    }
}

/// A connection that only reads. `alone` if nobody can be writing: then neither lock nor shared memory is needed.
pub(super) fn reading(path: &Path, alone: bool) -> Result<Connection, Error> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, alone)
}

/// Whether the journal lies where not even a lock can be written, with no log beside it: it can be read all the same.
pub(super) fn is_alone(path: &Path) -> bool {
    let empty = fs::metadata(with_suffix(path, "-wal")).map_or(true, |log| log.len() == 0);
    let probe = || -> rusqlite::Result<i64> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_query_value(None, "schema_version", |row| row.get(0))
    };
    let code = probe().err().and_then(|error| error.sqlite_error_code());
    empty && matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The folder that the journal lies in, where its owners are too.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => PathBuf::from("."),
    }
}

fn connect(path: &Path, access: OpenFlags, alone: bool) -> Result<Connection, Error> {
    look(path)?;
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = if alone {
        Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
    } else {
        Connection::open_with_flags(path, flags)
    };
    let connection = opened.map_err(|error| opening(path, error))?;
    let check = || -> rusqlite::Result<(i64, i64, i64)> {
        connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Else a statement over a table with partial indexes is prepared anew each time that a value is bound to it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let format = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let application = number("application_id")?;
        let version = number("user_version")?;
        if application != APPLICATION_ID || !(1..=i64::from(JOURNAL_FORMAT)).contains(&version) {
            return Ok((application, version, version));
        }
        let stored = connection.query_row("SELECT value FROM meta WHERE name = 'format'", [], format)?;
        Ok((application, version, stored))
    };
    let (application, version, stored) = check().map_err(|error| opening(path, error))?;
    if application != APPLICATION_ID {
        return Err(unreadable(
            path,
            "is another program's database: name the journal, or another place for a new one",
        ));
    }
    match u32::try_from(version) {
        Ok(found) if found > JOURNAL_FORMAT => Err(Error::Newer { found }),
        Ok(1..=JOURNAL_FORMAT) if stored == version => Ok(connection),
        _ => Err(damaged(path, format!("says format {version} and {stored}; restore it from a copy"))),
    }
}

// What SQLite would say of these is less clear, or nothing: to it an empty file is a new database.
fn look(path: &Path) -> Result<(), Error> {
    let mut start = [0; 16];
    let read = file::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        if length >= 16 {
            file.read_exact(&mut start)?;
        }
        Ok(length)
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(unreadable(path, "is not there: start a run first, or name another place"))
        }
        Err(error) => {
            let text = format!("cannot be read: {}", file::words(&error));
            Err(Error::Unreadable(Cause::new(Subject::File(path.to_owned()), text).by(error)))
        }
        Ok(0) => Err(damaged(path, "is empty: restore it from a copy, or remove it to begin anew")),
        Ok(_) if start != *b"SQLite format 3\0" => {
            Err(unreadable(path, "is no journal: name the right file, or restore it from a copy"))
        }
        Ok(_) => Ok(()),
    }
}

fn unreadable(path: &Path, text: impl Into<String>) -> Error {
    Error::Unreadable(Cause::new(Subject::File(path.to_owned()), text))
}

fn damaged(path: &Path, text: impl Into<String>) -> Error {
    Error::Damaged(Cause::new(Subject::File(path.to_owned()), text))
}

fn opening(path: &Path, error: rusqlite::Error) -> Error {
    let subject = Subject::File(path.to_owned());
    if let Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) = error.sqlite_error_code() {
        let text = format!(
            "cannot be opened: {error}; make it and its folder writable, or copy it with its -wal file elsewhere"
        );
        return Error::Unreadable(Cause::new(subject, text).by(error));
    }
    match fault::reading(error) {
        Error::Damaged(cause) => Error::Damaged(cause.of(subject)),
        Error::Unreadable(cause) => Error::Unreadable(cause.of(subject)),
        other => other,
    }
}

fn draw_up(draft: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(draft)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA journal_mode = WAL")?;
    connection.execute_batch(&format!(
        "BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {JOURNAL_FORMAT}; {TABLES} {} COMMIT",
        firing::TABLES
    ))?;
    // Closing would do this too, and keep to itself that it failed: the file would get its name without its tables.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Windows opens no folder as a file, and needs no such sync.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn immutable_uri(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~:".contains(byte);
    let escaped = path.as_os_str().as_encoded_bytes().iter().map(|byte| match plain(byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    format!("file:{}?immutable=1", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_syncs_every_commit_into_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        make(&path).unwrap();
        let connection = writing(&path, None).unwrap();
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("synchronous"), 2, "FULL: with NORMAL a power cut takes acknowledged commits");
        assert_eq!((number("fullfsync"), number("checkpoint_fullfsync")), (1, 1));
        assert_eq!(number("busy_timeout"), i64::try_from(BUSY_MS_MAX).unwrap());
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        assert_eq!(mode.unwrap(), "wal");
    }
}

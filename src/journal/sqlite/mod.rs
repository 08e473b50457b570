//! The journal in one SQLite file: write-ahead log, a sync for each commit, one writer beside many readers.
//! Any number of processes may open it; which of them drives a run is told by `owner`.

mod fault;
mod firing;
mod lock;
mod op;
mod pulse;
mod read;
mod readers;
mod schema;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;

use crate::id::{Digest, RunId, Seq};

use super::{
    Body, Cause, Done, Error, Firing, Firings, Holder, Lease, Op, OwnerId, Posted, Query, Record, RunRow, Store,
    Subject, owner,
};

use fault::Fault;
use lock::lock;
use pulse::Pulse;
use readers::Readers;

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// To run and to post; made if it is not there.
    ReadWrite,
    /// To look and to audit, also where nothing can be written; it has to be there.
    ReadOnly,
}

/// Bounds on the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Its size in pages of 4 KiB, beyond which a write fails with [`Error::Full`]; `None` is what the disk holds.
    pub pages_max: Option<u32>,
}

/// A journal in a file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    alone: bool,
    // In this order: the one that writes is closed last, and then leaves no log behind.
    readers: Readers,
    pulse: Pulse,
    pen: Mutex<Pen>,
}

impl Sqlite {
    /// Opens the journal at `path`.
    pub fn open(path: &Path, how: Open) -> Result<Self, Error> {
        Self::open_within(path, how, Limits::default())
    }

    /// Opens the journal at `path`, which may grow up to `limits`.
    pub fn open_within(path: &Path, how: Open, limits: Limits) -> Result<Self, Error> {
        let pen = match how {
            Open::ReadWrite => {
                schema::make(path)?;
                Pen::Ready(schema::writing(path, limits.pages_max)?)
            }
            Open::ReadOnly => Pen::Refusing(Error::ReadOnly, None),
        };
        let alone = how == Open::ReadOnly && schema::is_alone(path);
        let file = path.to_owned();
        let readers = Readers::new(move || schema::reading(&file, alone));
        // Whoever opens it is told what is wrong with the file now and not at the first read.
        readers.read(|_| Ok(()))?;
        Ok(Self { path: path.to_owned(), alone, readers, pulse: Pulse::default(), pen: Mutex::new(pen) })
    }

    /// The folder of the journal, which its owners are made for.
    pub fn folder(&self) -> PathBuf {
        schema::folder_of(&self.path)
    }
}

impl Store for Sqlite {
    fn commit(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        let folder = self.folder();
        let answers = lock(&self.pen).commit(ops, &|id| owner::is_alive(&folder, id));
        self.pulse.beat();
        answers.unwrap_or_else(|error| vec![Err(error); ops.len()])
    }

    fn records(&self, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error> {
        let read = self.readers.read(|connection| read::records(connection, run, after, limit));
        read.inspect(|records| tracing::trace!(target: "callsheet::journal", read = records.len(), %run, "records"))
    }

    fn body(&self, run: RunId, digest: Digest) -> Result<Option<Body>, Error> {
        self.readers.read(|connection| read::body(connection, run, digest))
    }

    fn bodies(&self, run: RunId) -> Result<Vec<(Digest, bool)>, Error> {
        self.readers.read(|connection| read::bodies(connection, run))
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        self.readers.read(|connection| read::blob(connection, digest))
    }

    fn inbox(&self, run: RunId, after: u64) -> Result<Vec<Posted>, Error> {
        self.readers.read(|connection| read::inbox(connection, run, after))
    }

    fn runs(&self, query: &Query) -> Result<Vec<RunRow>, Error> {
        let folder = self.folder();
        // Many runs have the same owner, and asking costs a file.
        let asked = std::cell::RefCell::new(HashMap::new());
        let living = |id: OwnerId| {
            if let Some(known) = asked.borrow().get(&id) {
                return Ok(Option::clone(known));
            }
            let found = owner::is_alive(&folder, id)?;
            asked.borrow_mut().insert(id, found.clone());
            Ok(found)
        };
        self.readers.read(|connection| read::runs(connection, query, &living))
    }

    fn firings(&self, query: &Firings) -> Result<Vec<Firing>, Error> {
        self.readers.read(|connection| firing::firings(connection, query))
    }

    fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error> {
        self.readers.read(read::lasts)
    }

    fn lease(&self, holder: Holder) -> Result<Lease, Error> {
        let held = owner::Lock::new(&self.folder(), &holder)?;
        Ok(Lease::new(holder, held))
    }

    fn changes(&self) -> Result<watch::Receiver<u64>, Error> {
        self.pulse.changes(&self.path, self.alone)
    }
}

/// The right to write. After a failed commit nobody knows what the disk holds, and a later sync would not tell:
/// nothing more is written, not even when the file is closed.
#[derive(Debug)]
enum Pen {
    Ready(Connection),
    // The connection is kept so that its locks end with the store.
    Refusing(Error, #[expect(dead_code, reason = "held, not used")] Option<Connection>),
}

impl Pen {
    fn commit(&mut self, ops: &[Op], living: write::Living<'_>) -> Result<Vec<Result<Done, Error>>, Error> {
        let failed = match self {
            Self::Refusing(error, _) => return Err(error.clone()),
            Self::Ready(connection) => match commit(connection, ops, living) {
                Ok(answers) => return Ok(answers),
                Err(Failed { error, nothing_begun: true }) => return Err(error),
                Err(failed) => failed.error,
            },
        };
        let refusing = Self::Refusing(later(&failed), None);
        if let Self::Ready(connection) = std::mem::replace(self, refusing) {
            // If it cannot be set the log is moved at the end, which loses nothing that was acknowledged.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            *self = Self::Refusing(later(&failed), Some(connection));
        }
        Err(failed)
    }
}

/// A group that was not written.
struct Failed {
    error: Error,
    nothing_begun: bool,
}

fn commit(
    connection: &mut Connection,
    ops: &[Op],
    living: write::Living<'_>,
) -> Result<Vec<Result<Done, Error>>, Failed> {
    let broken = |error| Failed { error, nothing_begun: false };
    let group = begin(connection)?;
    // Almost always all of them succeed, and a savepoint for each would copy every page that it changes.
    let (group, answers) = match ops.iter().map(|op| op::apply(&group, op, living).map(Ok)).collect() {
        Ok(answers) => (group, answers),
        Err(Fault::Op(_)) if !group.is_autocommit() => {
            group.rollback().map_err(|error| broken(fault::writing(error)))?;
            let group = begin(connection)?;
            let answers = ops.iter().map(|op| apart(&group, op, living)).collect::<Result<_, _>>().map_err(broken)?;
            (group, answers)
        }
        // The whole group failed, or SQLite itself ended the transaction.
        Err(Fault::Group(error) | Fault::Op(error)) => return Err(broken(error)),
    };
    group.commit().map_err(|error| broken(fault::writing(error)))?;
    Ok(answers)
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Failed> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| Failed { nothing_begun: fault::is_busy(&error), error: fault::writing(error) })
}

/// Writes one op in a savepoint of its own; the outer error takes the group.
fn apart(group: &Transaction<'_>, op: &Op, living: write::Living<'_>) -> Result<Result<Done, Error>, Error> {
    let step = |sql| write::run(group, sql, &[]).map_err(fault::writing);
    step("SAVEPOINT op")?;
    let answer = match op::apply(group, op, living) {
        Ok(done) => Ok(done),
        Err(Fault::Group(error)) => return Err(error),
        // SQLite itself ended the transaction: the ops before this one are gone too.
        Err(Fault::Op(error)) if group.is_autocommit() => return Err(error),
        Err(Fault::Op(error)) => {
            step("ROLLBACK TO op")?;
            Err(error)
        }
    };
    step("RELEASE op")?;
    Ok(answer)
}

fn later(failed: &Error) -> Error {
    match failed {
        Error::Full => Error::Full,
        other => {
            let text = format!("had an earlier write that failed ({other}); open it again");
            Error::Broken(Cause::new(Subject::Journal, text).by(other.clone()))
        }
    }
}

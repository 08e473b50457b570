//! What SQLite's errors mean for a journal: one table for reading, one for writing.

use rusqlite::ErrorCode;

use crate::journal::{Cause, Error, Subject};

/// How far a failed write reaches.
pub(super) enum Fault {
    /// Takes its own op with it.
    Op(Error),
    /// Takes the whole group, and the store writes no more.
    Group(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Op(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match writing(error) {
            damaged @ Error::Damaged(_) => Self::Op(damaged),
            other => Self::Group(other),
        }
    }
}

/// The error of a read.
pub(super) fn reading(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(code) if is_damage(code) => damaged(error),
        Some(_) => Error::Unreadable(of(error)),
        // Not from SQLite but from a value of another type or range than this program writes.
        None => damaged(error),
    }
}

/// The error of a write.
pub(super) fn writing(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(code) if is_damage(code) => damaged(error),
        Some(_) => Error::Broken(of(error)),
        None => damaged(error),
    }
}

/// Whether another process's lock, which goes by itself, is all that was in the way.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

// A missing table or a broken constraint is damage too: this program made the tables and keeps to them.
fn is_damage(code: ErrorCode) -> bool {
    use ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
    matches!(code, DatabaseCorrupt | NotADatabase | ConstraintViolation | TypeMismatch | Unknown)
}

fn of(error: rusqlite::Error) -> Cause {
    let text = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "was held by another process for too long: try again, or end that process".to_owned()
        }
        _ => format!("failed: {error}"),
    };
    Cause::new(Subject::Journal, text).by(error)
}

fn damaged(error: rusqlite::Error) -> Error {
    let text = format!("is not whole ({error}); restore it from a copy");
    Error::Damaged(Cause::new(Subject::Journal, text).by(error))
}

//! What SQLite's errors mean for a journal: one table for reading, one for writing.

use rusqlite::ErrorCode;

use crate::journal::Error;

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
        match writing(&error) {
            damaged @ Error::Damaged(_) => Self::Op(damaged),
            other => Self::Group(other),
        }
    }
}

/// The error of a read.
pub(super) fn reading(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(code) if is_damage(code) => damaged(error),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unreadable("another process has held it for too long: try again, or end that process".to_owned())
        }
        Some(_) => Error::Unreadable(error.to_string()),
        // Not from SQLite but from a value of another type or range than this program writes.
        None => damaged(error),
    }
}

/// The error of a write.
pub(super) fn writing(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(code) if is_damage(code) => damaged(error),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Broken("another process has held it for too long: try again, or end that process".to_owned())
        }
        Some(_) => Error::Broken(error.to_string()),
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

fn damaged(error: &rusqlite::Error) -> Error {
    Error::Damaged(format!("{error}; restore it from a copy"))
}

//! What the server or the connection says -> a failure of its class, without anything of the address.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::failure::{Class, Failure};
use crate::tool::part::args::{invalid, permanent};
use crate::tool::part::hidden::Hidden;

/// What stands before the words of a server that does not take a statement.
pub(super) const UNTAKEN: &str = "the SQL is not taken: ";

/// A failure to open the connection.
pub(super) fn unopened(why: &Error, hidden: &Hidden) -> Failure {
    match why.as_db_error() {
        Some(said) if said.code().code().starts_with("28") || said.code() == &SqlState::INVALID_CATALOG_NAME => {
            permanent(hidden.of(&format!("the database refuses whoever asks: {}", said.message())))
        }
        Some(said) => told(said, "", hidden),
        None => {
            let text = chain(why);
            let is_ours =
                text.contains("TLS") || text.contains("certificate") || text.contains("invalid configuration");
            let text = hidden.of(&format!("the database cannot be reached: {text}"));
            if is_ours { permanent(text) } else { Failure::new(Class::Transient, text) }
        }
    }
}

/// A failure of a statement; `late` is what is said of one whose time was up.
pub(super) fn failed(why: &Error, late: &str, hidden: &Hidden) -> Failure {
    match why.as_db_error() {
        Some(said) => told(said, late, hidden),
        None if why.is_closed() || std::error::Error::source(why).is_some_and(|inner| inner.is::<std::io::Error>()) => {
            Failure::new(
                Class::Transient,
                hidden.of(&format!("the connection to the database was lost: {}", chain(why))),
            )
        }
        None => invalid(hidden.of(&format!("{UNTAKEN}{}", chain(why)))),
    }
}

fn told(said: &DbError, late: &str, hidden: &Hidden) -> Failure {
    let (code, text) = (said.code(), hidden.of(said.message()));
    let class = code.code().get(..2).unwrap_or_default();
    match class {
        _ if code == &SqlState::QUERY_CANCELED => invalid(if late.is_empty() { text } else { late.to_owned() }),
        _ if code == &SqlState::READ_ONLY_SQL_TRANSACTION => {
            Failure::new(Class::Policy, format!("only reading is allowed here: {text}"))
        }
        _ if code == &SqlState::INSUFFICIENT_PRIVILEGE => {
            Failure::new(Class::Policy, format!("the role may not do that: {text}"))
        }
        // Memory, disk, depth: what this one query wants.
        _ if code == &SqlState::TOO_MANY_CONNECTIONS => Failure::new(Class::Transient, text),
        "53" | "54" => invalid(format!("the query needs too much: {text}")),
        // Lost, shut down, in the way of another.
        "08" | "57" | "40" => Failure::new(Class::Transient, text),
        _ if code == &SqlState::LOCK_NOT_AVAILABLE => Failure::new(Class::Transient, text),
        "58" | "XX" | "F0" | "28" => permanent(text),
        _ => invalid(format!("{UNTAKEN}{text}")),
    }
}

/// What is said, with what that comes from.
fn chain(why: &Error) -> String {
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

//! What several kinds of tool are made of: addresses, names, arguments, durations, paths, records, the lock, the outbox, mail
//! servers, what hooks get, pages as text, documents as parts, and how items are shown. No kind of its own.

pub mod address;
pub mod args;
pub mod article;
pub mod beneath;
pub mod disk;
pub mod document;
pub mod duration;
pub mod hidden;
pub mod hook;
pub mod lock;
pub mod outbox;
pub mod page;
pub mod prose;
pub mod record;
pub mod shown;
pub mod smtp;

/// Why a tool cannot be opened as `callsheet.toml` says; nobody branches on it, it is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[tools.{name}]: {what}")]
pub struct Error {
    /// The connection's name.
    pub name: String,
    /// What is wrong and how to mend it.
    pub what: String,
    /// The key below the connection's table that says so, if it is one.
    pub key: Option<&'static str>,
}

impl Error {
    /// An error in `[tools.name]`.
    pub fn new(name: &str, what: impl Into<String>) -> Self {
        Self { name: name.to_owned(), what: what.into(), key: None }
    }

    /// With the key that says so.
    #[must_use]
    pub fn of(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// The name of a tool: a connection's name, a dot and a verb.
///
/// # Errors
/// If `name` is no name, or too long.
pub fn tool_name(name: &str, verb: &str) -> Result<crate::id::ToolName, Error> {
    format!("{name}.{verb}").parse().map_err(|why: crate::id::Malformed| Error::new(name, why.to_string()))
}

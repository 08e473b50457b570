//! Reads a call's arguments into a type, with a failure that the caller can mend.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Class, Failure};

/// The arguments of `tool` as a `T`.
///
/// # Errors
/// [`Class::Invalid`], saying what does not fit.
pub fn read<T: DeserializeOwned>(tool: &str, args: Value) -> Result<T, Failure> {
    serde_json::from_value(args).map_err(|why| invalid(format!("{tool}: the arguments do not fit: {why}")))
}

/// A failure that the caller mends by asking otherwise.
pub fn invalid(reason: impl Into<String>) -> Failure {
    Failure::new(Class::Invalid, reason)
}

/// A failure that stays until somebody mends a file.
pub fn permanent(reason: impl Into<String>) -> Failure {
    Failure::new(Class::Permanent, reason)
}

/// How long `text` is shown in a reason before it is cut.
const QUOTED_CHARS_MAX: usize = 80;

/// `text` in quotes, with control characters escaped, cut where it gets long.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

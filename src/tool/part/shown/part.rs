//! A part of what is shown.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A part of an item, as whoever gets it takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A line with a name, such as a header.
    Field {
        /// Its name.
        name: String,
        /// What it says, decoded.
        value: String,
    },
    /// Text.
    Text {
        /// What it is; empty if that needs no saying.
        name: String,
        /// All of it, decoded.
        text: String,
    },
    /// A list, one row a line.
    Rows(Vec<String>),
    /// What is no text.
    File {
        /// Its name, as the bytes say.
        name: String,
        /// What it is, such as `image/png`.
        media_type: String,
        /// Its size.
        bytes: usize,
        /// Over its bytes, as `sha256sum` prints it.
        sha256: String,
    },
}

impl Shown {
    pub(super) fn field(name: &str, value: impl Into<String>) -> Self {
        Self::Field { name: name.to_owned(), value: value.into() }
    }

    pub(super) fn text(name: &str, text: impl Into<String>) -> Self {
        Self::Text { name: name.to_owned(), text: text.into() }
    }

    pub(super) fn file(name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self::File { name: name.to_owned(), media_type: media_type.to_owned(), bytes: bytes.len(), sha256 }
    }
}

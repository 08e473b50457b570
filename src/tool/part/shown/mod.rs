//! What the bytes of an item say, part by part, for the person who approves them: nothing that leaves is left out. How
//! it is printed is the terminal's.

mod html;
mod mail;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::tool::item::Item;

/// A part of an item, as whoever gets it takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    fn field(name: &str, value: impl Into<String>) -> Self {
        Self::Field { name: name.to_owned(), value: value.into() }
    }

    fn text(name: &str, text: impl Into<String>) -> Self {
        Self::Text { name: name.to_owned(), text: text.into() }
    }

    fn file(name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self::File { name: name.to_owned(), media_type: media_type.to_owned(), bytes: bytes.len(), sha256 }
    }
}

/// All parts of `item`, by what its bytes are. Text that is no UTF-8 is shown as far as it is, and named by its digest.
pub fn parts(item: &Item) -> Vec<Shown> {
    if item.media_type == "message/rfc822" {
        return mail::parts(&item.bytes);
    }
    let text = String::from_utf8_lossy(&item.bytes);
    let mut parts = match item.media_type.as_str() {
        "text/csv" => vec![Shown::Rows(text.lines().map(str::to_owned).collect())],
        kind if kind.starts_with("text/") || kind == "application/json" => vec![Shown::text("", text.clone())],
        _ => Vec::new(),
    };
    if parts.is_empty() || matches!(text, std::borrow::Cow::Owned(_)) {
        parts.push(Shown::file(&item.key, &item.media_type, &item.bytes));
    }
    parts
}

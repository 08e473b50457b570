//! The forms of documents: which files are read, and how the bytes of each become parts.

use std::path::Path;

use super::{docx, pdf};
use crate::tool::part::document::part::{Part, TEXT_BYTES_MAX, Unit, parts};
use crate::tool::part::document::{html, markdown, plain};

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
    Html,
    Docx,
    Pdf,
}

impl Form {
    /// That of a file, by the ending of its name; none if such a file is no document.
    pub(super) fn of(path: &str) -> Option<Self> {
        let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "txt" | "text" => Some(Self::Text),
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "docx" => Some(Self::Docx),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// The parts of a file with these bytes, which lies at `path`.
    ///
    /// # Errors
    /// A clause, for people: why it cannot be read.
    pub(super) fn parts(self, path: &Path, bytes: &[u8]) -> Result<Vec<Part>, String> {
        match self {
            Self::Text => Ok(plain(text(bytes)?)),
            Self::Markdown => Ok(markdown(text(bytes)?)),
            Self::Html => Ok(html(text(bytes)?)),
            Self::Docx => docx::paragraphs(bytes).map(|lines| parts(lines, Unit::Paragraph)),
            Self::Pdf => pdf::pages(path).map(|lines| parts(lines, Unit::Page)),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(format!("it has more than {TEXT_BYTES_MAX} bytes of text"));
    }
    let text = std::str::from_utf8(bytes).map_err(|why| {
        let line = bytes[..why.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text: line {line}")
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

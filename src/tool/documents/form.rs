//! The forms of documents: which files are read, and how the bytes of each become parts.

use std::path::Path;

use super::part::{Line, Part, TEXT_BYTES_MAX, Unit, parts};
use super::{docx, pdf};
use crate::tool::part::page::plain;

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
            Self::Text => {
                Ok(parts(numbered(text(bytes)?).map(|(n, line)| (n, Line::Text(line.to_owned()))), Unit::Line))
            }
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

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

fn markdown(text: &str) -> Vec<Part> {
    let mut fence: Option<&str> = None;
    let lines = numbered(text).map(|(number, line)| {
        let bare = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                let level = line.bytes().take_while(|byte| *byte == b'#').count();
                if (1..=6).contains(&level) && line[level..].starts_with([' ', '\t']) {
                    let title = line[level..].trim().trim_end_matches('#').trim_end();
                    return (number, Line::Heading(level, title.to_owned()));
                }
            }
            _ => {}
        }
        (number, Line::Text(line.to_owned()))
    });
    parts(lines, Unit::Line)
}

/// A page of the web: cut where its headings are, so that each place is a line of the file itself.
fn html(text: &str) -> Vec<Part> {
    let lower = text.to_ascii_lowercase();
    let is_heading = |at: &usize| {
        let rest = &lower.as_bytes()[at + 2..];
        matches!(rest, [b'1'..=b'6', b'>' | b' ' | b'\t' | b'\n' | b'\r', ..])
    };
    let mut cuts: Vec<usize> = lower.match_indices("<h").map(|(at, _)| at).filter(is_heading).collect();
    cuts.push(text.len());
    let (mut lines, mut from, mut number) = (Vec::new(), 0, 1);
    for to in cuts {
        let (piece, small) = (&text[from..to], &lower[from..to]);
        // What is before the first heading has none.
        let (heading, rest) = match small.find("</h").filter(|_| from > 0 || small.starts_with("<h1")) {
            Some(end) if small.starts_with("<h") => (Some(&piece[..end]), &piece[end..]),
            _ => (None, piece),
        };
        if let Some(heading) = heading {
            let level = usize::from(small.as_bytes()[2].saturating_sub(b'0'));
            lines.push((number, Line::Heading(level, plain(heading))));
        }
        lines.extend(plain(rest).lines().map(|line| (number, Line::Text(line.to_owned()))));
        number += piece.bytes().filter(|byte| *byte == b'\n').count();
        from = to;
    }
    parts(lines, Unit::Line)
}

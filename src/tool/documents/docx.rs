//! The paragraphs of a DOCX file, of its text alone. What it unpacks to is bounded; nothing it refers to is opened, and no
//! entity of its own is known.

use std::io::{Cursor, Read as _};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Piece};

use crate::tool::part::document::part::Line;

/// Where the text is.
const DOCUMENT: &str = "word/document.xml";
/// Most bytes that are unpacked.
const XML_BYTES_MAX: u64 = 64 << 20;
/// How many times larger than the file what is unpacked may be.
const RATIO_MAX: u64 = 200;
/// Unpacked bytes that any file may have.
const XML_BYTES_MIN: u64 = 1 << 20;

/// Its paragraphs, numbered.
///
/// # Errors
/// A clause, for people.
pub(super) fn paragraphs(bytes: &[u8]) -> Result<Vec<(usize, Line)>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|why| format!("it is no DOCX file: {why}"))?;
    let document = archive.by_name(DOCUMENT).map_err(|_| format!("it is no DOCX file: it has no {DOCUMENT}"))?;
    let most = (bytes.len() as u64).saturating_mul(RATIO_MAX).clamp(XML_BYTES_MIN, XML_BYTES_MAX);
    let mut xml = String::new();
    let read = document.take(most + 1).read_to_string(&mut xml);
    read.map_err(|why| format!("its {DOCUMENT} cannot be unpacked: {why}"))?;
    if xml.len() as u64 > most {
        return Err(format!("its {DOCUMENT} unpacks to more than {most} bytes"));
    }
    read_xml(&xml).map_err(|why| format!("its {DOCUMENT} is not well-formed: {why}"))
}

fn read_xml(xml: &str) -> Result<Vec<(usize, Line)>, quick_xml::Error> {
    let mut reader = Reader::from_str(xml);
    let (mut lines, mut text, mut level, mut in_text) = (Vec::new(), String::new(), None, false);
    let mut number = 0;
    loop {
        match reader.read_event()? {
            Piece::Start(tag) => match tag.local_name().as_ref() {
                "p" => number += 1,
                "pStyle" => level = heading(&tag),
                "t" => in_text = true,
                _ => {}
            },
            Piece::Empty(tag) => match tag.local_name().as_ref() {
                "pStyle" => level = heading(&tag),
                "tab" | "br" | "cr" => text.push(' '),
                _ => {}
            },
            Piece::Text(piece) if in_text => text.push_str(&piece.xml10_content()),
            Piece::GeneralRef(name) if in_text => match (name.resolve_char_ref()?, name.as_ref()) {
                (Some(letter), _) => text.push(letter),
                (None, "amp") => text.push('&'),
                (None, "lt") => text.push('<'),
                (None, "gt") => text.push('>'),
                (None, "quot") => text.push('"'),
                (None, "apos") => text.push('\''),
                _ => {}
            },
            Piece::End(tag) => match tag.local_name().as_ref() {
                "t" => in_text = false,
                "p" => {
                    let whole = std::mem::take(&mut text);
                    lines.push(match level.take() {
                        Some(level) => (number, Line::Heading(level, whole)),
                        None => (number, Line::Text(whole)),
                    });
                    // Between paragraphs a part may end.
                    lines.push((number, Line::Text(String::new())));
                }
                _ => {}
            },
            Piece::Eof => return Ok(lines),
            _ => {}
        }
    }
}

/// The level of a heading, by the name of its style: `Heading2`, `heading 2`, `Title`.
fn heading(tag: &BytesStart<'_>) -> Option<usize> {
    let value = tag.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == "val")?.value;
    let name = value.to_ascii_lowercase();
    match name.as_str() {
        "title" => Some(1),
        _ => name.strip_prefix("heading")?.trim().parse().ok().filter(|level| (1..=9).contains(level)),
    }
}

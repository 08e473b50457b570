//! What the TOML parser found, in words of ours: what is wrong on the line, and what to write.

use super::walk;
use crate::topology::fault::{At, Code, Fault, Place};

/// What the parser says, what that means, and what to do. The first that fits wins.
const WORDS: [(&str, &str, &str); 22] = [
    ("duplicate key", "this name is written twice", "keep one of them"),
    ("cannot extend", "this adds to a value that is complete", "write all of it in one place"),
    ("key with no value", "this key has no value", "write KEY = VALUE"),
    ("missing value", "a value is missing", "write one after the ="),
    ("string values must be quoted", "a text stands without quotes", "put it in quotes: \"...\""),
    ("missing opening quote", "a text has no quote before it", "put it in quotes: \"...\""),
    (
        "string",
        "a text is not closed on its line, or has a \\ that means nothing",
        "close it with a quote; write \\ as \\\\",
    ),
    ("escape", "a text has a \\ that means nothing", "write \\ as \\\\"),
    ("missing comma", "a comma is missing before this", "put a comma before it"),
    ("extra comma", "there is a comma too many", "take it out"),
    ("unclosed array table", "a heading is not closed", "close it with ]]"),
    ("unclosed array", "a list is not closed", "close it with ]"),
    ("unclosed inline table", "a table is not closed", "close it with }"),
    ("unclosed table", "a heading is not closed", "close it with ]"),
    ("extra `=`", "there is an = too many", "take it out"),
    ("unexpected `=`", "there is an = in a list", "write { KEY = VALUE } within a list"),
    ("missing assignment", "an = is missing between a key and its value", "write KEY = VALUE"),
    ("unquoted key", "a key has a letter that keys do not have", "use letters, digits, - and _, or put it in quotes"),
    ("leading zero", "a number begins with a zero", "take the zero out"),
    ("boolean", "this is no value", "write true or false, or put a text in quotes"),
    ("date-time", "this is no date", "put it in quotes: \"...\""),
    ("number", "this is no number", "write a number, or put a text in quotes: \"...\""),
];

pub(super) fn fault(text: &str, place: &Place, said: &str) -> Fault {
    let known = WORDS.iter().find(|(word, _, _)| said.contains(word));
    let (what, instead) =
        known.map_or(("this is not TOML", "write KEY = VALUE"), |(_, what, instead)| (*what, *instead));
    if said.contains("duplicate key")
        && let Some(fault) = under_another_heading(text, place)
    {
        return fault;
    }
    let file = &place.file;
    if let Some(fault) = unclosed_text(text, place) {
        return fault;
    }
    if said.contains("missing comma")
        && let Some(fault) = unclosed(text, place)
    {
        return fault;
    }
    Fault::new(Code::Syntax, place, format!("{file} is not TOML: {what}"), instead)
}

/// A text of several lines that is never closed, or is closed by what was to begin another one.
fn unclosed_text(text: &str, place: &Place) -> Option<Fault> {
    let (mut at, mut line) = (0, 1);
    while at < text.len() && at <= place.span.end {
        let rest = &text[at..];
        let long = ["\"\"\"", "'''"].into_iter().find(|long| rest.starts_with(long));
        let length = match long {
            Some(long) => {
                let closed = long_text(rest, long);
                let before = closed.map_or("", |end| rest[..end - long.len()].rsplit('\n').next().unwrap_or_default());
                let begins = closed.filter(|_| before.trim_end().ends_with('=') && rest[3..].contains('\n'));
                let until = line + rest[..closed.unwrap_or(0)].matches('\n').count();
                let what = match (closed, begins) {
                    (None, _) => format!("the text that {long} begins here is never closed"),
                    (_, Some(_)) => {
                        let key = before.trim_end().trim_end_matches('=').trim();
                        format!(
                            "the text that {long} begins here is not closed before line {until}, where {key} begins"
                        )
                    }
                    _ => String::new(),
                };
                if !what.is_empty() {
                    let opened = Place { file: place.file.clone(), span: at..at + long.len() };
                    let what = format!("{} is not TOML: {what}", place.file);
                    return Some(Fault::new(Code::Syntax, &opened, what, format!("close it with {long}")));
                }
                closed.unwrap_or(rest.len())
            }
            None => match rest.as_bytes()[0] {
                quote @ (b'"' | b'\'') => short_text(rest, quote),
                b'#' => rest.find('\n').unwrap_or(rest.len()),
                _ => rest.chars().next().map_or(1, char::len_utf8),
            },
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    None
}

/// Where a text of several lines ends, if it does.
fn long_text(rest: &str, long: &str) -> Option<usize> {
    let mut at = long.len();
    loop {
        let inner = &rest[at..];
        if long.starts_with('"') && inner.starts_with('\\') {
            at += 1 + inner[1..].chars().next().map_or(0, char::len_utf8);
        } else if inner.starts_with(long) {
            // One or two quotes may stand before those that close it.
            let quotes = inner.bytes().take(5).take_while(|byte| *byte == long.as_bytes()[0]).count();
            return Some(at + quotes);
        } else {
            at += inner.chars().next()?.len_utf8();
        }
    }
}

/// Where a text of one line ends: at its quote, or with the line.
fn short_text(rest: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\n' => return at,
            _ if escaped => escaped = false,
            b'\\' if quote == b'"' => escaped = true,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A list or table that the line before a new key leaves open.
fn unclosed(text: &str, place: &Place) -> Option<Fault> {
    let start = text[..place.span.start.min(text.len())].rfind('\n')? + 1;
    let line = text[start..].lines().next()?.trim_start();
    let is_key =
        line.starts_with('[') || line.split_once('=').is_some_and(|(key, _)| !key.contains(['"', ',', '{', '[']));
    let bracket = walk::open_bracket(text, start).filter(|_| is_key)?;
    let (close, what) = if bracket == b'[' { ("]", "a list") } else { ("}", "a table") };
    let end = text[..start].trim_end().len();
    let last = Place { file: place.file.clone(), span: text[..end].char_indices().next_back()?.0..end };
    let what = format!("{} is not TOML: {what} is not closed here", place.file);
    let fault = Fault::new(Code::Syntax, &last, what, format!("close it with {close}"));
    Some(fault.with_edit(Place { file: place.file.clone(), span: end..end }, close))
}

/// `[[writer.writes.post]]` below `[[wirter]]`: it begins a `writer`, and then the real one is one too many.
fn under_another_heading(text: &str, place: &Place) -> Option<Fault> {
    let twice = text.get(place.span.clone())?.trim_matches(['[', ']']).to_owned();
    let mut above: Option<At<String>> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let heading = line.trim();
        let inner = heading.strip_prefix("[[").and_then(|rest| rest.split("]]").next());
        match inner.map(str::trim) {
            Some(name) if name == twice => return None,
            Some(name) if name.split('.').next() == Some(&twice) => {
                let above = above?;
                let what = format!("[[{name}]] stands below [[{}]], and belongs to [[{twice}]]", above.value);
                let fault = Fault::new(Code::Syntax, &above.place, what, format!("write [[{twice}]] above it"));
                return Some(fault.meant(&above.value, [twice.as_str()]));
            }
            Some(name) if !name.contains('.') => {
                let at = start + line.find(name)?;
                let place = Place { file: place.file.clone(), span: at..at + name.len() };
                above = Some(At { value: name.to_owned(), place });
            }
            _ => {}
        }
        start += line.len();
    }
    None
}

//! Text without disguises, its merge tags, and what was left over in it.

use super::super::part::args::quoted;
use super::{Found, Settings};

/// The text as a reader takes it: full-width forms as ASCII, characters that do not show left out.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect()
}

/// Reports characters that do not show.
pub(super) fn invisible(text: &str, at: &str, found: &mut Found) {
    if let Some(c) = text.chars().find(|c| is_invisible(*c)) {
        let code = u32::from(c);
        found.must(
            "invisible",
            at,
            format!("there are invisible characters (U+{code:04X}): write the text without them"),
        );
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0E}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
        || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{00A0}' | '\u{2007}' | '\u{202F}' | '\u{3000}' => ' ',
        _ => c,
    }
}

/// A piece of text: as written, or what stands between `{{` and `}}`.
enum Piece<'a> {
    Words(&'a str),
    Tag(&'a str),
    /// A brace pair that is not closed, or not opened.
    Loose,
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        pieces.push(Piece::Words(&rest[..open]));
        let inner = &rest[open + 2..];
        // A tag is short and on one line; what runs on was never closed.
        match inner.find("}}").filter(|end| !inner[..*end].contains(['\n', '{'])) {
            Some(end) => {
                pieces.push(Piece::Tag(&inner[..end]));
                rest = &inner[end + 2..];
            }
            None => {
                pieces.push(Piece::Loose);
                rest = inner;
            }
        }
    }
    pieces.push(Piece::Words(rest));
    if pieces.iter().any(|piece| matches!(piece, Piece::Words(words) if words.contains("}}"))) {
        pieces.push(Piece::Loose);
    }
    pieces
}

/// The text as somebody sees it for whom each merge tag has no value.
pub(super) fn with_fallbacks(text: &str) -> String {
    let words = |piece: &Piece<'_>| match piece {
        Piece::Words(words) => (*words).to_owned(),
        Piece::Tag(inner) => inner.split_once('|').map_or(" ", |(_, fallback)| fallback).to_owned(),
        Piece::Loose => " ".to_owned(),
    };
    pieces(text).iter().map(words).collect()
}

/// Merge tags: known, closed, and with a fallback where a recipient may have no value.
pub(super) fn tags(text: &str, settings: &Settings, at: &str, found: &mut Found) {
    for piece in pieces(text) {
        let inner = match piece {
            Piece::Words(_) => continue,
            Piece::Loose => {
                found.must("merge_tags", at, "a merge tag is not closed or not opened: write {{name|fallback}}");
                continue;
            }
            Piece::Tag(inner) => inner,
        };
        let (name, fallback) = inner.split_once('|').map_or((inner, None), |(name, after)| (name, Some(after)));
        let is_in = |list: &[String]| list.iter().any(|known| known == name);
        let missing = fallback.is_none_or(|fallback| fallback.trim().is_empty());
        if is_in(&settings.platform_tags) {
            continue;
        } else if !is_in(&settings.merge_tags) {
            let known = settings.merge_tags.join(", ");
            found.must("merge_tags", at, format!("the merge tag {} is not known; known are {known}", quoted(inner)));
        } else if missing {
            found.must("merge_tags", at, format!("{{{{{inner}}}}} has no fallback: write {{{{{name}|there}}}}"));
        }
    }
}

/// What an author leaves for later.
const LEFT_OVER: [&str; 6] = ["TODO", "TBD", "TBC", "FIXME", "XXX", "XXXX"];

/// Placeholders that nobody filled in.
pub(super) fn placeholders(text: &str, at: &str, found: &mut Found) {
    let text = with_fallbacks(text);
    let mut report = |what: &str| {
        found.must("placeholders", at, format!("{} is left over: fill it in or take it out", quoted(what)));
    };
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if LEFT_OVER.contains(&word) || word.eq_ignore_ascii_case("lorem") || word.eq_ignore_ascii_case("todo") {
            report(word);
        }
    }
    for (open, close) in [('[', ']'), ('{', '}'), ('<', '>')] {
        for after in text.split(open).skip(1) {
            if let Some((inner, _)) = after.split_once(close).filter(|(inner, _)| is_blank_to_fill(inner, open)) {
                report(&format!("{open}{inner}{close}"));
            }
        }
    }
    for after in text.split("*|").skip(1) {
        if let Some((inner, _)) = after.split_once("|*") {
            report(&format!("*|{inner}|*"));
        }
    }
}

fn is_blank_to_fill(inner: &str, open: char) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    let lower = inner.to_lowercase();
    let asks = ["insert ", "your ", "add ", "name", "first name", "company"].iter().any(|word| lower.starts_with(word));
    let shouts = inner.chars().any(char::is_alphabetic) && !inner.chars().any(char::is_lowercase);
    !inner.is_empty() && inner.len() <= 60 && inner.chars().all(fits) && (open == '{' || asks || shouts)
}

//! Tags and blocks that other mail platforms fill in. Ours would send them to readers as they are.

use std::ops::Range;

use super::super::args::quoted;
use super::found::Found;

/// What is found between the marks of a tag.
#[derive(Clone, Copy)]
enum Inner {
    /// Anything: the marks stand in no prose.
    Any,
    /// A name, perhaps of several words: the marks alone prove nothing.
    Name,
    /// One word with a dot in it.
    Dotted,
}

/// The marks of tags, longer ones first where they begin alike.
const TAGS: [(&str, &str, Inner); 20] = [
    ("{{{", "}}}", Inner::Any),
    ("%%[", "]%%", Inner::Any),
    ("%%=", "=%%", Inner::Any),
    ("%%", "%%", Inner::Name),
    ("{%", "%}", Inner::Any),
    ("{#", "#}", Inner::Any),
    ("{!", "}", Inner::Name),
    ("{$", "}", Inner::Name),
    ("${", "}", Inner::Any),
    ("#{", "}", Inner::Any),
    ("@{", "}", Inner::Any),
    ("*|", "|*", Inner::Any),
    ("<%", "%>", Inner::Any),
    ("<?", "?>", Inner::Any),
    ("<<", ">>", Inner::Name),
    ("[[", "]]", Inner::Name),
    ("[%", "%]", Inner::Any),
    ("[-", "-]", Inner::Name),
    ("##", "##", Inner::Name),
    ("~", "~", Inner::Dotted),
];

/// Longest tag, in bytes; what runs on was none.
const BYTES_MAX: usize = 400;

/// Reports tags of other platforms.
pub(in crate::tool) fn foreign(text: &str, at: &str, found: &mut Found) {
    for place in places(text) {
        let tag = quoted(&text[place]);
        found.must("merge_tags", at, format!("{tag} is a tag of another platform: write {{{{name|fallback}}}}"));
    }
}

/// The text without them, for whoever reads the rest of it.
pub(in crate::tool) fn without_foreign(text: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for place in places(text) {
        out.push_str(&text[from..place.start]);
        out.push(' ');
        from = place.end;
    }
    out + &text[from..]
}

fn places(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(c) = text[from..].chars().next() {
        let length = match own(&text[from..]) {
            Some(length) => length,
            None => match length(text, from) {
                Some(length) => {
                    places.push(from..from + length);
                    length
                }
                None => c.len_utf8(),
            },
        };
        from += length;
    }
    places
}

/// The length of a tag of ours at the start, which may hold anything.
fn own(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("{{").filter(|inner| !inner.starts_with('{'))?;
    inner.find("}}").filter(|end| !inner[..*end].contains(['\n', '{'])).map(|end| end + 4)
}

/// The length of the tag of another platform that begins at `from`.
fn length(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let framed = TAGS.into_iter().find_map(|(open, close, kind)| {
        let after = rest.strip_prefix(open)?;
        let inner = &after[..after.find(close).filter(|end| (1..BYTES_MAX).contains(end))?];
        fits(inner, kind).then_some(open.len() + inner.len() + close.len())
    });
    framed.or_else(|| in_percent(text, from))
}

fn fits(inner: &str, kind: Inner) -> bool {
    match kind {
        // A mark before a tag of ours is no tag itself.
        Inner::Any => !inner.starts_with('{') && !inner.trim().is_empty(),
        Inner::Name => {
            let inside = |c: char| c.is_alphanumeric() || " _.-:|,@/".contains(c);
            inner.trim().starts_with(char::is_alphabetic) && inner.chars().all(inside)
        }
        Inner::Dotted => is_word(inner) && inner.contains('.'),
    }
}

/// `%recipient.name%`, which is neither a share nor an escape in a link.
fn in_percent(text: &str, from: usize) -> Option<usize> {
    let inner = text[from..].strip_prefix('%')?.split('%').next()?;
    let closed = text[from + 1 + inner.len()..].starts_with('%');
    let before = text[..from].trim_end();
    let share = before.ends_with(|c: char| crate::text::digit(c).is_some());
    let word = text[..from].rsplit(char::is_whitespace).next().unwrap_or_default();
    let escape = word.contains("://") && inner.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    (closed && !share && !escape && is_word(inner)).then_some(inner.len() + 2)
}

fn is_word(inner: &str) -> bool {
    inner.len() >= 2
        && inner.starts_with(|c: char| c.is_ascii_alphabetic())
        && inner.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c))
}

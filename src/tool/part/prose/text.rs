//! Text without disguises, its merge tags, and what was left over in it.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{GeneralCategory, Script};
use unicode_segmentation::UnicodeSegmentation as _;

use super::super::args::quoted;
use super::found::Found;
use crate::text::category;

/// Stands between the groups of a number, where it cannot be broken.
pub(in crate::tool) const GROUP_SPACE: char = '\u{A0}';

/// The text as a reader takes it: forms that mean the same as one, characters that do not show left out.
pub(in crate::tool) fn plain(text: &str) -> String {
    let seen: Vec<char> = text.chars().filter(|c| !crate::text::is_unseen(*c)).collect();
    // A space that parts the thousands of a number is kept apart from one between two numbers.
    let part = |at: usize| {
        let is_digit = |c: Option<&char>| c.is_some_and(|c| crate::text::digit(*c).is_some());
        at > 0 && is_digit(seen.get(at - 1)) && is_digit(seen.get(at + 1))
    };
    let (mut out, mut run) = (String::with_capacity(text.len()), String::new());
    for (at, c) in seen.iter().enumerate() {
        let group = matches!(c, '\u{A0}' | '\u{2009}' | '\u{202F}') && part(at);
        // A half or a small two is not what its parts say.
        if group || category(*c) == GeneralCategory::OtherNumber {
            out += &compatible(&std::mem::take(&mut run));
            out.push(if group { GROUP_SPACE } else { *c });
        } else {
            run.push(*c);
        }
    }
    out + &compatible(&run)
}

/// The text in compatible forms: full-width and bold letters as plain ones.
pub(in crate::tool) fn compatible(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned()
}

/// How long a text is, as readers count: an emoji of several parts is one.
pub(in crate::tool) fn length(text: &str) -> usize {
    text.graphemes(true).count()
}

/// Reports a subject that shouts.
pub(in crate::tool) fn shouting(subject: &str, at: &str, found: &mut Found) {
    let words = with_fallbacks(subject);
    // A script without capitals cannot shout in them.
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = words.chars().filter(|c| c.is_uppercase()).count();
    let small = words.chars().any(|c| c.is_lowercase() && c != '\u{df}');
    if capitals >= 5 && !small && capitals * 2 > letters {
        found.should("subject", at, format!("{} is all capitals: write it as a sentence", quoted(subject)));
    }
    if subject.contains("!!") {
        found.should("subject", at, format!("{} shouts: one exclamation mark at most", quoted(subject)));
    }
}

/// Reports characters that do not show, and that no script needs there.
pub(in crate::tool) fn invisible(text: &str, at: &str, found: &mut Found) {
    if let Some(c) = crate::text::first_hidden(text) {
        let code = u32::from(c);
        found.must(
            "invisible",
            at,
            format!("there are invisible characters (U+{code:04X}): write the text without them"),
        );
    }
}

/// Reports words that mix letters which look alike: `pаypal` with a Cyrillic `а`.
pub(in crate::tool) fn mixed(text: &str, at: &str, found: &mut Found) {
    for word in text.split(|c: char| !c.is_alphabetic()) {
        let alike: Vec<Script> = word
            .chars()
            .map(crate::text::script)
            .filter(|script| [Script::Latin, Script::Cyrillic, Script::Greek].contains(script))
            .collect();
        let runs: Vec<usize> = alike.chunk_by(|one, other| one == other).map(<[_]>::len).collect();
        // A foreign name with an ending of one's own has two whole parts; a unit is short.
        if alike.len() >= 4 && runs.len() > 1 && (runs.len() > 2 || runs.contains(&1)) {
            let what = format!("{} mixes letters of two scripts that look alike: write it in one", quoted(word));
            found.should("mixed", at, what);
        }
    }
}

/// A piece of text: as written, or what stands between `{{` and `}}`.
pub(in crate::tool) enum Piece<'a> {
    Words(&'a str),
    Tag(&'a str),
    /// A brace pair that is not closed, or not opened.
    Loose,
}

pub(in crate::tool) fn pieces(text: &str) -> Vec<Piece<'_>> {
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
pub(in crate::tool) fn with_fallbacks(text: &str) -> String {
    let words = |piece: &Piece<'_>| match piece {
        Piece::Words(words) => (*words).to_owned(),
        Piece::Tag(inner) => inner.split_once('|').map_or(" ", |(_, fallback)| fallback).to_owned(),
        Piece::Loose => " ".to_owned(),
    };
    pieces(text).iter().map(words).collect()
}

/// Merge tags: known, closed, and with a fallback where a recipient may have no value; those in `always` have one.
pub(in crate::tool) fn tags(text: &str, known: &[String], always: &[String], at: &str, found: &mut Found) {
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
        if is_in(always) {
            continue;
        } else if !is_in(known) {
            let known = known.join(", ");
            found.must("merge_tags", at, format!("the merge tag {} is not known; known are {known}", quoted(inner)));
        } else if missing {
            found.must("merge_tags", at, format!("{{{{{inner}}}}} has no fallback: write {{{{{name}|there}}}}"));
        }
    }
}

/// What an author leaves for later.
const LEFT_OVER: [&str; 6] = ["TODO", "TBD", "TBC", "FIXME", "XXX", "XXXX"];

/// Placeholders that nobody filled in.
pub(in crate::tool) fn placeholders(text: &str, at: &str, found: &mut Found) {
    let text = with_fallbacks(text);
    let mut report = |what: &str| {
        found.must("placeholders", at, format!("{} is left over: fill it in or take it out", quoted(what)));
    };
    for line in text.lines() {
        let words = || line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let shouted = |word: &str| word.chars().count() > 1 && word.chars().all(char::is_uppercase);
        // "Todo" is a word of Spanish and Portuguese, which a headline has in capitals.
        let headline = words().any(|word| shouted(word) && !LEFT_OVER.contains(&word));
        for word in words() {
            let asks = word.eq_ignore_ascii_case("todo") && line.contains(&format!("{word}:"));
            let capital = LEFT_OVER.contains(&word) && !(word == "TODO" && headline);
            if capital || asks || word.eq_ignore_ascii_case("lorem") {
                report(word);
            }
        }
    }
    for (open, close) in [('[', ']'), ('{', '}'), ('<', '>')] {
        for after in text.split(open).skip(1) {
            if let Some((inner, _)) = after.split_once(close).filter(|(inner, _)| is_blank_to_fill(inner, open)) {
                report(&format!("{open}{inner}{close}"));
            }
        }
    }
}

/// A reader's name, as blanks ask for it.
const NAMES: [&str; 16] = [
    "name",
    "first name",
    "vorname",
    "nachname",
    "pr\u{e9}nom",
    "nombre",
    "nome",
    "naam",
    "imi\u{119}",
    "isim",
    "\u{438}\u{43c}\u{44f}",
    "\u{646}\u{627}\u{645}",
    "\u{928}\u{93e}\u{92e}",
    "\u{540d}\u{524d}",
    "\u{59d3}\u{540d}",
    "\u{304a}\u{540d}\u{524d}",
];

fn is_blank_to_fill(inner: &str, open: char) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    let lower = inner.to_lowercase();
    let asks = ["insert ", "your ", "add ", "company"].iter().chain(&NAMES).any(|word| lower.starts_with(word));
    let shouts = inner.chars().any(char::is_uppercase) && !inner.chars().any(char::is_lowercase);
    !inner.is_empty() && inner.len() <= 60 && inner.chars().all(fits) && (open == '{' || asks || shouts)
}

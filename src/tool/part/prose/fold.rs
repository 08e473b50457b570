//! Terms in a text, however they are written: capitals, full-width and bold letters, hidden characters, letters of another
//! script that look alike, and vowel marks make no difference.

use icu_properties::props::Script;
use unicode_security::confusable_detection::skeleton;

use super::text::plain;
use crate::text::script;

/// A text in the two forms that terms are looked for in.
pub(in crate::tool) struct Folded {
    /// Without capitals and disguises.
    plain: String,
    /// The same, with letters that look like Latin ones as those, in words where they stand in for them.
    unmasked: String,
}

impl Folded {
    pub(in crate::tool) fn of(text: &str) -> Self {
        let plain = lowered(text);
        let letters = || plain.chars().filter(|c| c.is_alphabetic());
        let mostly_latin = letters().filter(|c| script(*c) == Script::Latin).count() * 2 > letters().count();
        let words = plain.split_inclusive(|c: char| !c.is_alphanumeric());
        let unmasked = words.map(|word| if mostly_latin || is_mixed(word) { latin(word) } else { word.to_owned() });
        Self { unmasked: unmasked.collect(), plain }
    }

    /// Whether the term stands in it, as words of their own. `*` at an end of the term lets the word go on there.
    pub(in crate::tool) fn has(&self, term: &str) -> bool {
        self.found(term).is_some()
    }

    /// Where the term stands in it: the words that it was found in, as they are read.
    pub(in crate::tool) fn found(&self, term: &str) -> Option<&str> {
        let (from, rest) = term.trim().strip_prefix('*').map_or((true, term.trim()), |rest| (false, rest));
        let (to, rest) = rest.strip_suffix('*').map_or((true, rest), |rest| (false, rest));
        let plain = lowered(rest);
        let ends = (from, to);
        found_in(&self.plain, &plain, ends).or_else(|| found_in(&self.unmasked, &latin(&plain), ends))
    }
}

fn found_in<'t>(text: &'t str, term: &str, (from, to): (bool, bool)) -> Option<&'t str> {
    let (first, last) = (term.chars().next()?, term.chars().next_back()?);
    let goes_on = |own: char, beside: Option<char>| joins(own) && beside.is_some_and(joins);
    text.match_indices(term).find_map(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        let is_part =
            (from && goes_on(first, before.chars().next_back())) || (to && goes_on(last, after.chars().next()));
        let start = if joins(first) { before.trim_end_matches(joins).len() } else { at };
        let end = if joins(last) { after.trim_start_matches(joins) } else { after };
        (!is_part).then(|| &text[start..text.len() - end.len()])
    })
}

/// Whether letters beside it belong to the same word. Scripts that part no words have no such letters.
fn joins(c: char) -> bool {
    let apart =
        [Script::Han, Script::Hiragana, Script::Katakana, Script::Thai, Script::Lao, Script::Khmer, Script::Myanmar];
    c.is_alphanumeric() && !apart.contains(&script(c))
}

/// Without capitals, hidden characters, vowel marks and stretched letters; one space for each gap, none before a per cent.
pub(in crate::tool) fn lowered(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        let is_gap = c.is_whitespace();
        if is_gap && (out.is_empty() || out.ends_with(' ')) || is_point(c) {
            continue;
        }
        if is_gap {
            out.push(' ');
            continue;
        }
        if matches!(c, '\u{2010}'..='\u{2015}') {
            out.push('-');
            continue;
        }
        if c == '%' && out.ends_with(' ') {
            out.pop();
        }
        // By way of the capital, so that letters with two small forms, or a capital of two letters, are one.
        for small in c.to_uppercase().flat_map(char::to_lowercase) {
            match small {
                'ı' => out.push('i'),
                // What is left of a dotted capital I.
                '\u{307}' if out.ends_with('i') => {}
                small => out.push(small),
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Vowel points of Hebrew and Arabic, and the stroke that stretches Arabic letters.
fn is_point(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}')
}

fn is_mixed(word: &str) -> bool {
    let latin = |c: char| script(c) == Script::Latin;
    let letters = || word.chars().filter(|c| c.is_alphabetic());
    letters().any(latin) && !letters().all(latin)
}

/// Each letter that looks like one of ASCII as that.
fn latin(word: &str) -> String {
    let letter = |c: char| {
        let alike = if c.is_ascii() { None } else { skeleton(c.encode_utf8(&mut [0; 4])).next() };
        let single = skeleton(c.encode_utf8(&mut [0; 4])).count() == 1;
        alike.filter(|alike| single && alike.is_ascii_alphanumeric()).map_or(c, |alike| alike.to_ascii_lowercase())
    };
    word.chars().map(letter).collect()
}

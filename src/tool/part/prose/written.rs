//! The numbers that a text has, other than dates, times of day, numbers of lists, and parts of names.

use super::number::{self, Around, Number};
use super::{link, moment, tag, text};
use crate::text::digit;

/// How many lines the lists of a text have.
pub(in crate::tool) fn counts(text: &str) -> Vec<u32> {
    moment::items(&chars(text)).lengths
}

/// What a text says for itself, letter by letter: without links, and tags as somebody sees them who has no value for them.
pub(in crate::tool) fn chars(text: &str) -> Vec<char> {
    let ours = tag::without_foreign(text);
    link::without_links(&text::with_fallbacks(&ours)).chars().collect()
}

/// The numbers of a text, other than dates, times of day, numbers of lists, and parts of names.
pub(in crate::tool) fn written(chars: &[char], items: &moment::Items) -> Vec<(Number, Around)> {
    let mut found = Vec::new();
    let mut place = 0;
    while place < chars.len() {
        if digit(chars[place]).is_none() {
            place += 1;
            continue;
        }
        if items.places.contains(&place) {
            place += number::digits(chars, place);
            continue;
        }
        if let Some(end) = moment::end_of(chars, place) {
            place = end;
            continue;
        }
        let end = number::end_of(chars, place);
        let around = Around::of(chars, place, end);
        let number = number::number(&chars[place..end], &around);
        if !is_in_name(chars, place, &number, &around) {
            found.push((number, around));
        }
        place = end;
    }
    found
}

/// Whether it belongs to a word such as `Q3`, `B2B` or `X-15`; scripts that part no words have no such names.
fn is_in_name(chars: &[char], place: usize, number: &Number, around: &Around) -> bool {
    let cased = |c: char| c == '_' || c.is_lowercase() || c.is_uppercase();
    let hyphened = around.previous == Some('-') && place > 1 && chars[place - 2].is_uppercase();
    (around.previous.is_some_and(cased) || hyphened) && !number.percent && !number::is_money(around)
}

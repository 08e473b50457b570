//! The numbers that a text has, other than dates, times of day, numbers of lists, and parts of names.

use super::number::{self, Around, Number};
use super::words::{self, List};
use super::{link, moment, tag, text};
use crate::text::digit;

/// Largest number that counts days, dates, hours or ordinals.
const COUNTER_MAX: u32 = 31;

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

/// Whether it says how many days something holds.
pub(in crate::tool) fn is_term(number: &Number, around: &Around) -> bool {
    let spelled = around.words_after().any(|word| words::has(List::Days, word));
    let joined =
        ["日間", "日内", "天", "일간", "일 동안"].iter().any(|unit| around.rest.trim_start().starts_with(unit));
    !number.percent && (spelled || joined)
}

/// Whether it is a year, a day, an hour, an ordinal or a label, of which nobody asks where it comes from.
pub(in crate::tool) fn is_no_claim(number: &Number, around: &Around) -> bool {
    let Some(value) = number.whole.filter(|_| !number.percent && !number::is_money(around)) else { return false };
    let month_before = words::is_month(&around.before);
    let year = number.shown.chars().count() == 4 && ((1900..=2100).contains(&value) || month_before);
    let small = value <= COUNTER_MAX;
    year || (small && (is_date(around, month_before) || is_hour(value, around) || is_counted(number, around)))
}

fn is_date(around: &Around, month_before: bool) -> bool {
    let month = |after: &[String; 2]| {
        let linked = after[0].chars().count() <= 3 && words::is_month(&after[1]);
        words::is_month(&after[0]) || linked
    };
    let unit = ['月', '日', '号', '號', '일', '월'];
    month_before || month(&around.after) || month(&around.beyond) || around.rest.starts_with(unit)
}

fn is_hour(value: u32, around: &Around) -> bool {
    let spelled = around.words_after().any(|word| words::has(List::Hours, word)) || {
        let rest = around.rest.trim_start();
        ["a.m", "p.m", "a. m", "p. m", "o'c", "o\u{2019}c"].iter().any(|half| rest.starts_with(half))
    };
    let minute = around.rest.starts_with(['分', '분']) && around.before.ends_with(['時', '时', '点', '點', '시']);
    let sign = around.rest.starts_with(['時', '时', '点', '點', '시']);
    minute || (value <= 24 && (spelled || sign || words::has(List::At, &around.before)))
}

/// Days, ordinals and labels.
fn is_counted(number: &Number, around: &Around) -> bool {
    let day = is_term(number, around) || words::has(List::Days, &around.before);
    let ending = words::has(List::Ordinals, &around.glued) || (around.apostrophe && !around.glued.is_empty());
    let labelled = around.previous == Some('第') || around.rest.starts_with("番目") || around.rest.starts_with("つ目");
    let dotted =
        around.dot_goes_on || (around.rest.starts_with(". ") && words::has(List::BeforeOrdinal, &around.before));
    let heart = around.previous == Some('<') && number.whole == Some(3);
    day || ending || labelled || dotted || heart || around.label
}

//! Dates and times of day, by their form, and the numbers of lists: they claim nothing.

use std::collections::BTreeSet;

use super::number::{Around, digits, is_digit, small};
use super::words::{self, List};

/// Where the date or time of day ends that begins at `place`, if one does.
pub(in crate::tool) fn end_of(chars: &[char], place: usize) -> Option<usize> {
    // Part of a longer number is none.
    let inside = place > 1 && matches!(chars[place - 1], '.' | ',' | '/') && is_digit(chars, place - 2);
    let end = date(chars, place).or_else(|| short_date(chars, place)).or_else(|| clock(chars, place));
    end.filter(|end| !inside && !is_share(chars, *end))
}

fn is_share(chars: &[char], end: usize) -> bool {
    let rest = &chars[end..];
    matches!(rest, ['%' | '\u{66A}', ..] | [' ', '%' | '\u{66A}', ..])
}

fn is_day(day: u32) -> bool {
    (1..=31).contains(&day)
}

fn is_month(month: u32) -> bool {
    (1..=12).contains(&month)
}

/// Years by the calendars in use.
fn is_year(year: u32) -> bool {
    (1300..=1500).contains(&year) || (1900..=2100).contains(&year) || (2400..=2700).contains(&year)
}

/// `03.07.2026`, `3. 7. 2026`, `2026-07-03`, `7/3/26`
fn date(chars: &[char], place: usize) -> Option<usize> {
    let (first, length) = small(chars, place)?;
    let separator = *chars.get(place + length).filter(|c| matches!(c, '.' | '/' | '-'))?;
    let after = |at: usize| at + 1 + usize::from(separator == '.' && chars.get(at + 1) == Some(&' '));
    let second_at = after(place + length);
    let (second, length) = small(chars, second_at).filter(|(_, length)| *length <= 2)?;
    let third_at = after(Some(second_at + length).filter(|at| chars.get(*at) == Some(&separator))?);
    let (third, length) = small(chars, third_at)?;
    let end = third_at + length;
    let year_first = is_year(first) && is_month(second) && is_day(third);
    let year_last = is_day(first)
        && is_day(second)
        && (is_month(first) || is_month(second))
        && (length == 2 || (length == 4 && is_year(third)));
    (year_first || year_last).then_some(end)
}

/// `3.7.` within a sentence, `03/07`
fn short_date(chars: &[char], place: usize) -> Option<usize> {
    let (first, length) = small(chars, place).filter(|(day, length)| *length <= 2 && is_day(*day))?;
    let separator = chars.get(place + length)?;
    let second_at = place + length + 1;
    let (second, second_length) = small(chars, second_at).filter(|(day, length)| *length <= 2 && is_day(*day))?;
    let end = second_at + second_length;
    let zero = |at: usize, length: usize| length == 2 && crate::text::digit(chars[at]) == Some(0);
    match separator {
        '.' if is_month(second) && chars.get(end) == Some(&'.') && !is_digit(chars, end + 1) => {
            // At the end of a sentence it is a number with a decimal.
            let rest = &chars[end + 1..];
            let goes_on = match rest {
                [' ', c, ..] => c.is_lowercase() || crate::text::digit(*c).is_some() || *c == '\u{2013}',
                [c, ..] => matches!(c, ',' | ';' | ':' | ')' | '-' | '\u{2013}'),
                [] => false,
            };
            goes_on.then_some(end + 1)
        }
        '/' if (is_month(first) || is_month(second)) && (zero(place, length) || zero(second_at, second_length)) => {
            Some(end)
        }
        _ => None,
    }
}

/// `9:30`, `18:30:00`, `18h30`, `18 h 30`, `18.30 Uhr`, `saat 18.30`
fn clock(chars: &[char], place: usize) -> Option<usize> {
    let (_, length) = small(chars, place).filter(|(hour, length)| *length <= 2 && *hour <= 24)?;
    let spaced = |at: usize| at + usize::from(chars.get(at) == Some(&' '));
    let at = spaced(place + length);
    if chars.get(at) == Some(&'h') {
        return minutes(chars, spaced(at + 1));
    }
    let separator = *chars.get(place + length).filter(|c| matches!(c, ':' | '.'))?;
    let end = minutes(chars, place + length + 1)?;
    if separator == ':' {
        let seconds = Some(end + 1).filter(|_| chars.get(end) == Some(&':'));
        return Some(seconds.and_then(|at| minutes(chars, at)).unwrap_or(end));
    }
    let around = Around::of(chars, place, end);
    (words::has(List::Hours, &around.after[0]) || words::has(List::At, &around.before)).then_some(end)
}

fn minutes(chars: &[char], at: usize) -> Option<usize> {
    small(chars, at).filter(|(minute, length)| *length == 2 && *minute < 60).map(|_| at + 2)
}

/// The numbers of a list: lines that begin with one, two, three and so on.
pub(in crate::tool) struct Items {
    /// Where these numbers begin.
    pub(in crate::tool) places: BTreeSet<usize>,
    /// How many lines each list has, numbered or with a mark.
    pub(in crate::tool) lengths: Vec<u32>,
}

/// The lists of a text.
pub(in crate::tool) fn items(chars: &[char]) -> Items {
    let mut items = Items { places: BTreeSet::new(), lengths: Vec::new() };
    let (mut numbered, mut marked) = (0, 0);
    let mut start = 0;
    for line in chars.split(|c| *c == '\n') {
        let indent = line.iter().take_while(|c| c.is_whitespace() || **c == '(').count();
        let at = start + indent;
        start += line.len() + 1;
        if line.iter().all(|c| c.is_whitespace()) {
            continue;
        }
        match item(chars, at) {
            Some(number) if number == numbered + 1 || number == 1 => {
                items.lengths.extend((number == 1 && numbered > 0).then_some(numbered));
                numbered = number;
                items.places.insert(at);
            }
            _ => {}
        }
        let is_marked = matches!(line[indent..], ['-' | '*' | '\u{2022}' | '\u{2013}' | '\u{B7}', ' ', ..]);
        if !is_marked {
            items.lengths.extend((marked > 0).then_some(marked));
        }
        marked = if is_marked { marked + 1 } else { 0 };
    }
    items.lengths.extend([numbered, marked].into_iter().filter(|length| *length > 0));
    items
}

/// The number of the item that begins at `at`: `1.`, `2)`, a digit on a key or in a circle.
fn item(chars: &[char], at: usize) -> Option<u32> {
    if let Some(value) = chars.get(at).and_then(|c| circled(*c)) {
        return Some(value);
    }
    let (value, length) = small(chars, at).filter(|(_, length)| *length <= 2)?;
    let after = chars.get(at + length)?;
    let space = |place: usize| chars.get(place).is_none_or(|c| c.is_whitespace() || !c.is_ascii());
    let marked = match after {
        '.' | ')' | ':' => space(at + length + 1),
        '\u{3001}' | '\u{3002}' | '\u{20E3}' | '\u{FF0E}' => true,
        ' ' => matches!(chars.get(at + length + 1), Some('-' | '\u{2013}' | '\u{2014}')),
        _ => false,
    };
    (marked && digits(chars, at) == length).then_some(value)
}

/// The value of a digit in a circle, which Unicode counts as another number.
pub(in crate::tool) fn circled(c: char) -> Option<u32> {
    let plain = super::text::compatible(&c.to_string());
    let inner = plain.trim_matches(['(', ')', '.']);
    Some(inner).filter(|_| !c.is_ascii() && crate::text::digit(c).is_none() && !is_raised(c))?.parse().ok()
}

/// A small digit above or below the line.
pub(in crate::tool) fn is_raised(c: char) -> bool {
    matches!(c, '\u{B2}' | '\u{B3}' | '\u{B9}' | '\u{2070}'..='\u{2089}')
}

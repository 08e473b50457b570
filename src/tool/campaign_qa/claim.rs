//! Numbers in a text: each must stand somewhere on the desk, as precisely as it is written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::part::args::quoted;
use super::{Found, Settings, link, text};
use crate::id::ArtefactName;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The numbers that may be written.
pub(super) struct Sources(Vec<f64>);

impl Sources {
    /// Those on the desk, and those that the settings allow.
    pub(super) fn of(desk: &BTreeMap<ArtefactName, Value>, settings: &Settings) -> Self {
        let mut numbers = settings.numbers_allowed.clone();
        desk.values().for_each(|body| collect(body, &mut numbers));
        Self(numbers)
    }

    fn back(&self, number: &Number) -> bool {
        let reach = 0.5 * number.step + 1e-9;
        let near = |source: f64| (source.abs() - number.value).abs() <= reach;
        // A share on the desk is written as a percentage.
        self.0.iter().any(|source| near(*source) || (number.percent && source.abs() <= 1.0 && near(source * 100.0)))
    }
}

/// Reports numbers without a source.
pub(super) fn numbers(text: &str, sources: &Sources, at: &str, found: &mut Found) {
    let text = link::without_links(&text::with_fallbacks(text));
    if let Some(c) = text.chars().find(|c| c.is_numeric() && !c.is_ascii_digit()) {
        found.must("numbers", at, format!("{} is no plain digit: write numbers with 0 to 9", quoted(&c.to_string())));
    }
    for number in written(&text).into_iter().filter(|number| !sources.back(number)) {
        let shown = quoted(&number.shown);
        found.must("numbers", at, format!("{shown} is nowhere on the desk: use a number of the finding, or none"));
    }
}

fn collect(value: &Value, numbers: &mut Vec<f64>) {
    match value {
        Value::Number(number) => numbers.extend(number.as_f64()),
        Value::String(text) => {
            numbers.extend(text.trim().trim_end_matches('%').parse::<f64>().ok().filter(|n| n.is_finite()))
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, numbers)),
        Value::Object(map) => map.values().for_each(|value| collect(value, numbers)),
        Value::Null | Value::Bool(_) => {}
    }
}

struct Number {
    shown: String,
    value: f64,
    /// One unit of its last written digit.
    step: f64,
    percent: bool,
}

/// The numbers of a text that claim something: not dates, years, times of day, ordinals, or parts of names.
fn written(text: &str) -> Vec<Number> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut place = 0;
    while place < chars.len() {
        if !chars[place].is_ascii_digit() {
            place += 1;
            continue;
        }
        let end = number_end(&chars, place);
        let in_name = place > 0 && (chars[place - 1].is_alphabetic() || chars[place - 1] == '_');
        let around = Around::of(&chars, place, end);
        if !in_name {
            found.extend(Some(number(&chars[place..end], &around)).filter(|number| !is_no_claim(number, &around)));
        }
        place = if around.clock { end + 3 } else { end };
    }
    found
}

/// Where the number that begins at `place` ends: digits, and separators with a digit after them.
fn number_end(chars: &[char], place: usize) -> usize {
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut end = place;
    while is_digit(end) || (matches!(chars.get(end), Some('.' | ',')) && is_digit(end + 1)) {
        end += 1;
    }
    end
}

/// What stands before and after a number.
struct Around {
    before: String,
    after: String,
    /// Directly after it, up to the next space.
    suffix: String,
    clock: bool,
}

impl Around {
    fn of(chars: &[char], start: usize, end: usize) -> Self {
        let word = |c: &char| c.is_alphabetic();
        let gap = |c: &&char| matches!(**c, ' ' | '-' | '\n' | '\u{2011}' | '\u{2013}' | '.');
        let before: String = chars[..start].iter().rev().skip_while(gap).take_while(|c| word(c)).collect();
        let after: String = chars[end..].iter().skip_while(gap).take_while(|c| word(c)).collect();
        let spaced = matches!(chars[end..], [' ', '%', ..]);
        let suffix = chars[end + usize::from(spaced)..].iter().take_while(|c| c.is_alphabetic() || **c == '%');
        let clock =
            end - start <= 2 && matches!(chars[end..], [':', a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit());
        Self {
            before: before.chars().rev().collect::<String>().to_lowercase(),
            after: after.to_lowercase(),
            suffix: suffix.collect::<String>().to_lowercase(),
            clock,
        }
    }
}

fn number(digits: &[char], around: &Around) -> Number {
    let text: String = digits.iter().collect();
    // Commas before groups of three part thousands; a last one before other digits is a decimal point.
    let (whole, decimals) = match text.rsplit_once(['.', ',']) {
        Some((whole, last)) if text.contains('.') && text[whole.len()..].starts_with('.') => (whole, last),
        Some((whole, last)) if last.len() != 3 => (whole, last),
        _ => (text.as_str(), ""),
    };
    let (factor, sign) = match around.suffix.as_str() {
        "k" => (1e3, "k"),
        "m" => (1e6, "m"),
        suffix => (1.0, if suffix.starts_with('%') { "%" } else { "" }),
    };
    let plain = format!("{}.{decimals}0", whole.replace([',', '.'], ""));
    let percent = around.suffix.starts_with('%') || matches!(around.after.as_str(), "percent" | "percentage");
    Number {
        value: plain.parse::<f64>().unwrap_or(f64::INFINITY) * factor,
        step: 10f64.powi(-i32::try_from(decimals.len()).unwrap_or(300)) * factor,
        shown: format!("{text}{sign}"),
        percent,
    }
}

fn is_no_claim(number: &Number, around: &Around) -> bool {
    let whole = number.shown.chars().all(|c| c.is_ascii_digit());
    let is_month = |word: &str| word.len() >= 3 && MONTHS.iter().any(|month| month.starts_with(word));
    let year = whole && number.shown.len() == 4 && (1900.0..=2100.0).contains(&number.value);
    let small = whole && number.value <= 31.0;
    let days = matches!(around.after.as_str(), "day" | "days") || around.before == "day";
    let date = is_month(&around.before) || is_month(&around.after);
    let ordinal = matches!(around.suffix.as_str(), "st" | "nd" | "rd" | "th");
    year || around.clock || (small && (days || date || ordinal))
}

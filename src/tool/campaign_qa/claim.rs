//! Numbers in a text: each must stand somewhere on the desk, as precisely as it is written, and the term of an offer is
//! the one on the desk.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::part::args::quoted;
use super::super::part::prose::found::Found;
use super::super::part::prose::moment;
use super::super::part::prose::number::{self, Number};
use super::super::part::prose::written::{chars, is_no_claim, is_term, written};
use super::settings::Settings;
use crate::id::ArtefactName;
use crate::text::digit;

/// The numbers that may be written.
#[derive(Clone)]
pub(super) struct Sources {
    numbers: Vec<f64>,
    /// How many days something on the desk holds.
    terms: Vec<f64>,
}

impl Sources {
    /// Those on the desk, and those that the settings allow.
    pub(super) fn of(desk: &BTreeMap<ArtefactName, Value>, settings: &Settings) -> Self {
        let mut sources = Self { numbers: settings.numbers_allowed.clone(), terms: Vec::new() };
        desk.values().for_each(|body| sources.collect("", body));
        sources
    }

    /// These, for a mail of `day`: a term that began with an earlier mail has so much less left.
    pub(super) fn on(&self, day: i64, earlier: &[i64]) -> Self {
        let mut sources = self.clone();
        let passed = earlier.iter().filter_map(|before| u32::try_from(day.checked_sub(*before)?).ok());
        let passed: Vec<f64> = passed.map(f64::from).collect();
        let left = self.terms.iter().flat_map(|term| passed.iter().map(move |passed| term - passed));
        sources.terms.extend(left.filter(|left| *left > 0.0));
        sources
    }

    fn collect(&mut self, key: &str, value: &Value) {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => {
                text.trim().trim_end_matches('%').trim_end().parse::<f64>().ok().filter(|n| n.is_finite())
            }
            Value::Array(list) => return list.iter().for_each(|value| self.collect(key, value)),
            Value::Object(map) => return map.iter().for_each(|(key, value)| self.collect(key, value)),
            Value::Null | Value::Bool(_) => None,
        };
        self.numbers.extend(number);
        self.terms.extend(number.filter(|_| key == "days" || key.ends_with("_days")));
    }

    fn back(&self, number: &Number, counts: &[u32]) -> bool {
        let counted = number.whole.is_some_and(|whole| counts.contains(&whole));
        counted || number.readings.iter().any(|reading| self.back_reading(reading, number.percent))
    }

    fn back_reading(&self, reading: &number::Reading, percent: bool) -> bool {
        let reach = 0.5 * reading.step + 1e-9;
        let near = |source: f64| (source.abs() - reading.value).abs() <= reach;
        // A share on the desk is written as a percentage.
        self.numbers.iter().any(|source| near(*source) || (percent && source.abs() <= 1.0 && near(source * 100.0)))
    }
}

/// Reports numbers without a source, and terms that are not the desk's. `counts` are those of lists, which count
/// themselves.
pub(super) fn numbers(text: &str, sources: &Sources, counts: &[u32], at: &str, found: &mut Found) {
    let chars = chars(text);
    let items = moment::items(&chars);
    for (place, c) in chars.iter().enumerate().filter(|(_, c)| c.is_numeric() && digit(**c).is_none()) {
        if !items.places.contains(&place) && !is_note(&chars, place) {
            found.must(
                "numbers",
                at,
                format!("{} is no plain digit: write numbers with digits", quoted(&c.to_string())),
            );
        }
    }
    for (number, around) in written(&chars, &items) {
        let shown = quoted(&number.shown);
        if is_term(&number, &around) && !sources.terms.is_empty() {
            let held = |reading: &number::Reading| sources.terms.iter().any(|term| (term - reading.value).abs() < 1e-9);
            if !number.readings.iter().any(held) {
                let terms: Vec<_> = sources.terms.iter().map(ToString::to_string).collect();
                let terms = terms.join(", ");
                found.must("terms", at, format!("{shown} days is not what the desk says: {terms} days"));
            }
        } else if !is_no_claim(&number, &around) && !sources.back(&number, counts) {
            found.must("numbers", at, format!("{shown} is nowhere on the desk: use a number of the finding, or none"));
        }
    }
}

/// A small digit that refers to a note, or that a word ends in.
fn is_note(chars: &[char], place: usize) -> bool {
    let number = |c: Option<&char>| c.is_some_and(|c| c.is_numeric());
    let before = place.checked_sub(1).and_then(|at| chars.get(at));
    let after = chars.get(place + 1);
    moment::is_raised(chars[place]) && !number(before) && !number(after) && after != Some(&'%')
}

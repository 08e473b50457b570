//! Personal data in a text: what has the form of it, and what the run itself read about people.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::check::Sight;
use super::super::part::args::quoted;
use super::super::part::prose::fold::{Folded, lowered};
use super::super::part::prose::text;
use super::rule::{Pattern, Rule};
use super::scope::Group;
use super::words::Wrongs;
use crate::text::digit;

/// Values that are shorter say nothing of anybody.
const CHARS_MIN: usize = 3;

/// What is personal in a group.
pub(super) fn personal(rule: &Rule, group: &Group, sight: &Sight<'_>) -> Wrongs {
    let patterns = rule.patterns.as_deref().unwrap_or(&Pattern::ALL);
    let allowed: BTreeSet<String> = rule.allowed.iter().flatten().map(|text| lowered(text)).collect();
    let values = values(rule.columns.as_deref().unwrap_or_default(), sight);
    let mut wrong = Vec::new();
    for piece in group.pieces.iter().filter(|piece| piece.value.is_string()) {
        let plain = text::plain(piece.text());
        let found =
            patterns.iter().flat_map(|pattern| pattern.found(&plain).into_iter().map(|found| (pattern.what(), found)));
        let found = found.filter(|(_, found)| !allowed.contains(&lowered(found)));
        wrong.extend(
            found.map(|(what, found)| (piece.at.clone(), format!("{} is {what}: leave it out", quoted(&found)))),
        );
        let folded = Folded::of(&plain);
        let read = values.iter().filter(|(_, value)| !allowed.contains(&lowered(value)) && folded.has(value));
        wrong.extend(read.map(|(column, value)| {
            (piece.at.clone(), format!("{} stands in {column} of rows that this run read: leave it out", quoted(value)))
        }));
    }
    wrong
}

/// What the run read in these columns.
fn values(columns: &[String], sight: &Sight<'_>) -> BTreeSet<(String, String)> {
    let mut values = BTreeSet::new();
    let rows = sight.calls.iter().filter_map(|call| call.result.get("rows").and_then(Value::as_array)).flatten();
    for row in rows {
        for column in columns {
            let text = match row.get(column) {
                Some(Value::String(text)) => text.trim().to_owned(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            // A star would be taken for the end of a word.
            if text.chars().count() >= CHARS_MIN && !text.contains('*') {
                values.insert((column.clone(), text));
            }
        }
    }
    values
}

impl Pattern {
    fn what(self) -> &'static str {
        match self {
            Self::Email => "somebody's address",
            Self::Phone => "a telephone number",
            Self::Iban => "an account's number",
            Self::Card => "a card's number",
        }
    }

    fn found(self, text: &str) -> Vec<String> {
        match self {
            Self::Email => emails(text),
            Self::Phone => spans(text, "+-./() ").filter(|span| is_phone(span)).collect(),
            Self::Card => spans(text, "- ").filter(|span| is_card(span)).collect(),
            Self::Iban => ibans(text),
        }
    }
}

fn emails(text: &str) -> Vec<String> {
    let inside = |c: char| c.is_alphanumeric() || "@._%+-".contains(c);
    let words = text.split(|c: char| !inside(c)).map(|word| word.trim_matches(['.', '-', '_', '%', '+']));
    let is_address = |word: &&str| {
        let Some((name, host)) = word.split_once('@') else { return false };
        let labels: Vec<&str> = host.split('.').collect();
        let whole = labels.len() > 1 && labels.iter().all(|label| !label.is_empty() && !label.contains('@'));
        !name.is_empty() && whole && labels.last().is_some_and(|end| end.chars().count() >= 2)
    };
    words.filter(is_address).map(str::to_owned).collect()
}

/// Stretches of digits and what may stand between them.
fn spans(text: &str, between: &str) -> impl Iterator<Item = String> {
    let plain: String = text.chars().map(|c| digit(c).and_then(|d| char::from_digit(d, 10)).unwrap_or(c)).collect();
    let inside = |c: char| c.is_ascii_digit() || between.contains(c);
    let mut found = Vec::new();
    let mut rest = plain.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || (between.contains(c) && "+(".contains(c))) {
        let before = rest[..start].chars().next_back();
        let length = rest[start..].find(|c: char| !inside(c)).unwrap_or(rest.len() - start);
        let after = rest[start + length..].chars().next();
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '=' | '_' | '/' | '#'));
        if apart(before) && apart(after) {
            found.push(rest[start..start + length].trim_matches([' ', '-', '.', '/']).to_owned());
        }
        rest = &rest[start + length..];
    }
    found.into_iter()
}

fn is_phone(span: &str) -> bool {
    let digits = span.chars().filter(char::is_ascii_digit).count();
    let parts: Vec<usize> =
        span.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
    // 01.02.2026, and a span of years or dates.
    let is_date = parts.len() >= 3 && parts[..3].iter().all(|length| matches!(length, 1 | 2 | 4)) && digits <= 8;
    let begins = span.starts_with(['+', '0', '(']);
    (8..=15).contains(&digits) && begins && !is_date
}

fn is_card(span: &str) -> bool {
    let digits: Vec<u32> = span.chars().filter_map(|c| c.to_digit(10)).collect();
    (13..=19).contains(&digits.len()) && (3..=6).contains(&digits[0]) && luhn(&digits)
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(nth, digit): (usize, &u32)| match (nth % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice) if twice > 9 => twice - 9,
        (_, twice) => twice,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn ibans(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let starts = letters
        .windows(4)
        .enumerate()
        .filter(|(_, w)| w[..2].iter().all(char::is_ascii_uppercase) && w[2..].iter().all(char::is_ascii_digit));
    let mut found = Vec::new();
    for (start, _) in starts {
        let run = letters[start..].iter().take(34).take_while(|c| c.is_ascii_digit() || c.is_ascii_uppercase()).count();
        let longest = (15..=run).rev().map(|length| &letters[start..start + length]).find(|iban| checks(iban));
        found.extend(longest.map(|iban| iban.iter().collect()));
    }
    found
}

/// The check digits of an account, modulo 97.
fn checks(iban: &[char]) -> bool {
    let moved = iban[4..].iter().chain(&iban[..4]);
    let left = moved
        .filter_map(|c| c.to_digit(36))
        .fold(0_u64, |left, value| (left * if value > 9 { 100 } else { 10 } + u64::from(value)) % 97);
    left == 1
}

//! Rules about how much: how long a field is, how high a discount or a price, how many people.

use unicode_segmentation::UnicodeSegmentation as _;

use super::super::part::prose::number::{self, Around, Number};
use super::super::part::prose::{moment, text, written};
use super::rule::Rule;
use super::scope::{Group, Piece};
use super::words::Wrongs;

/// Fields that are too short or too long.
pub(super) fn length(rule: &Rule, group: &Group) -> Wrongs {
    let mut wrong = Vec::new();
    let texts: Vec<&Piece> = group.pieces.iter().filter(|piece| piece.value.is_string()).collect();
    if texts.is_empty() && rule.chars_min.is_some_and(|least| least > 0) {
        return vec![(group.at.clone(), format!("there is no {}: write it", rule.fields.join(" or ")))];
    }
    for piece in texts {
        let plain = text::plain(piece.text());
        let (chars, words) = (text::length(plain.trim()), plain.unicode_words().count());
        let mut tell = |what: String| wrong.push((piece.at.clone(), what));
        if let Some(least) = rule.chars_min.filter(|least| chars < *least) {
            tell(format!("it has {chars} characters: {least} at least"));
        }
        if let Some(most) = rule.chars_max.filter(|most| chars > *most) {
            tell(format!("it has {chars} characters: {most} at most"));
        }
        if let Some(most) = rule.words_max.filter(|most| words > *most) {
            tell(format!("it has {words} words: {most} at most"));
        }
    }
    wrong
}

/// Percentages, prices and numbers beyond their limits. A number that can be read in two ways is held to both.
pub(super) fn limit(rule: &Rule, group: &Group) -> Wrongs {
    let mut wrong = Vec::new();
    for piece in &group.pieces {
        if let Some(value) = piece.value.as_f64().filter(|_| !rule.fields.is_empty()) {
            wrong.extend(
                beyond(&value.to_string(), [value], rule.value_min, rule.value_max)
                    .map(|what| (piece.at.clone(), what)),
            );
        }
        let chars = written::chars(&text::plain(piece.text()));
        for (number, around) in written::written(&chars, &moment::items(&chars)) {
            let values = || number.readings.iter().map(|reading| reading.value);
            let percent =
                number.percent.then(|| beyond(&percentage(&number), values(), None, rule.percent_max)).flatten();
            let price =
                is_price(&around).then(|| beyond(&price(&number, &around), values(), rule.price_min, rule.price_max));
            wrong.extend(percent.into_iter().chain(price.flatten()).map(|what| (piece.at.clone(), what)));
        }
    }
    wrong
}

fn beyond(shown: &str, values: impl IntoIterator<Item = f64>, least: Option<f64>, most: Option<f64>) -> Option<String> {
    values.into_iter().find_map(|value| {
        let low = least.filter(|least| value < *least).map(|least| format!("{shown} is less than {least}"));
        low.or_else(|| most.filter(|most| value > *most).map(|most| format!("{shown} is more than {most}")))
    })
}

fn percentage(number: &Number) -> String {
    if number.shown.ends_with('%') { number.shown.clone() } else { format!("{} per cent", number.shown) }
}

fn price(number: &Number, around: &Around) -> String {
    match around.previous.filter(|c| !c.is_whitespace() && !c.is_alphanumeric()) {
        Some(sign) => format!("{sign}{}", number.shown),
        None => format!("{} {}", number.shown, around.after[0]).trim_end().to_owned(),
    }
}

/// Currencies as they stand beside a number without a sign of their own.
const CURRENCIES: [&str; 36] = [
    "eur",
    "euro",
    "euros",
    "usd",
    "dollar",
    "dollars",
    "gbp",
    "pound",
    "pounds",
    "chf",
    "franken",
    "sek",
    "nok",
    "dkk",
    "kr",
    "pln",
    "zł",
    "czk",
    "kč",
    "huf",
    "ft",
    "ron",
    "lei",
    "try",
    "tl",
    "lira",
    "rub",
    "руб",
    "рублей",
    "грн",
    "jpy",
    "cny",
    "inr",
    "brl",
    "درهم",
    "ريال",
];

/// Currencies of scripts that part no words.
const JOINED: [&str; 5] = ["円", "元", "원", "บาท", "块"];

fn is_price(around: &Around) -> bool {
    let word = |word: &str| CURRENCIES.contains(&word);
    let rest = around.rest.trim_start();
    number::is_money(around)
        || word(&around.before)
        || word(&around.after[0])
        || JOINED.iter().any(|unit| rest.starts_with(unit))
}

/// More people than may be reached.
pub(super) fn audience(rule: &Rule, group: &Group) -> Wrongs {
    let Some(most) = rule.recipients_max else { return Vec::new() };
    let more = |count: u64| (count > most).then(|| format!("it reaches {count} people: {most} at most"));
    let of_item = group.recipients.and_then(more).map(|what| (group.at.clone(), what));
    let named = group.pieces.iter().filter(|_| !rule.fields.is_empty());
    // What is no whole number of people is more than any.
    let of_fields = named
        .filter(|piece| piece.value.is_number())
        .filter_map(|piece| Some((piece.at.clone(), more(piece.value.as_u64().unwrap_or(u64::MAX))?)));
    of_item.into_iter().chain(of_fields).collect()
}

//! A rule: lines that look at values on a desk, of which the first that holds gives the outcome. It is pure, asks nobody and
//! costs nothing.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::id::Outcome;

/// Characters of a text that are quoted.
const QUOTED_MAX: usize = 60;

/// What decides by a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its lines, in order.
    pub lines: Vec<RuleLine>,
    /// The outcome if none of them holds.
    #[serde(rename = "else")]
    pub otherwise: Outcome,
}

/// A line: a value, a condition, and the outcome if that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleLine {
    /// An artefact's name, or `params`.
    pub root: String,
    /// Keys below it.
    pub keys: Vec<String>,
    /// What has to hold of the value.
    pub condition: Condition,
    /// What it comes to then.
    pub outcome: Outcome,
}

/// What has to hold of a value. Of one that is absent nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is a number above this one.
    Above(Number),
    /// It is a number below this one.
    Below(Number),
    /// It is this number or one above it.
    AtLeast(Number),
    /// It is this number or one below it.
    AtMost(Number),
    /// It is this.
    Is(Value),
    /// It is one of these.
    In(Vec<Value>),
    /// It is a text, a list or a table, and has nothing in it; or, with `false`, something.
    Empty(bool),
    /// It is a text with more characters, or a list with more items.
    LongerThan(u64),
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled {
    /// The outcome.
    pub outcome: Outcome,
    /// The line that gave it, from 0; none if no line holds.
    pub line: Option<u32>,
    /// Why, in a sentence.
    pub note: String,
}

impl Rule {
    /// What it comes to over the values that `root` gives: artefacts by name, and `params`.
    pub fn apply(&self, root: impl Fn(&str) -> Option<Value>) -> Ruled {
        let mut looked_at: Vec<String> = vec![];
        for (nth, line) in (0..).zip(&self.lines) {
            let whole = root(&line.root);
            let value = whole.as_ref().and_then(|whole| below(whole, &line.keys)).filter(|value| !value.is_null());
            if value.is_some_and(|value| line.condition.holds(value)) {
                let note = format!("{} {}", line.path(), line.condition.held(value.unwrap_or(&Value::Null)));
                return Ruled { outcome: line.outcome.clone(), line: Some(nth), note };
            }
            let seen = format!("{} is {}", line.path(), value.map_or_else(|| "absent".to_owned(), said));
            if !looked_at.contains(&seen) {
                looked_at.push(seen);
            }
        }
        Ruled { outcome: self.otherwise.clone(), line: None, note: format!("no line holds: {}", looked_at.join("; ")) }
    }

    /// The outcome of one of its lines; without one, that if none holds.
    pub fn outcome(&self, line: Option<u32>) -> Option<&Outcome> {
        match line {
            Some(line) => self.lines.get(line as usize).map(|line| &line.outcome),
            None => Some(&self.otherwise),
        }
    }

    /// Its outcomes, each once, in the order in which they are written.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = vec![];
        for outcome in self.lines.iter().map(|line| &line.outcome).chain([&self.otherwise]) {
            if !outcomes.contains(outcome) {
                outcomes.push(outcome.clone());
            }
        }
        outcomes
    }

    /// What it does, in a sentence.
    pub fn words(&self) -> String {
        if self.lines.is_empty() {
            return format!("Hands on what its team ended with {}.", self.otherwise);
        }
        let line = |line: &RuleLine| format!("{} if {} {}", line.outcome, line.path(), line.condition.words());
        let lines: Vec<String> = self.lines.iter().map(line).collect();
        format!("Decides by rule: {}; else {}.", lines.join("; "), self.otherwise)
    }
}

impl RuleLine {
    /// The path to its value, as people write it.
    pub fn path(&self) -> String {
        std::iter::once(&self.root).chain(&self.keys).map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

/// What keys lead to below a value, if they lead anywhere; of a list, a key is an item's place from 0.
pub fn below<'v>(value: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |at, key| match at {
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

impl Condition {
    /// Whether it holds of `value`.
    pub fn holds(&self, value: &Value) -> bool {
        let ordered = |limit: &Number, fits: &[Ordering]| {
            value.as_number().and_then(|number| order(number, limit)).is_some_and(|order| fits.contains(&order))
        };
        match self {
            Self::Above(limit) => ordered(limit, &[Ordering::Greater]),
            Self::Below(limit) => ordered(limit, &[Ordering::Less]),
            Self::AtLeast(limit) => ordered(limit, &[Ordering::Greater, Ordering::Equal]),
            Self::AtMost(limit) => ordered(limit, &[Ordering::Less, Ordering::Equal]),
            Self::Is(wanted) => same(value, wanted),
            Self::In(wanted) => wanted.iter().any(|wanted| same(value, wanted)),
            Self::Empty(empty) => size(value).is_some_and(|size| (size == 0) == *empty),
            Self::LongerThan(most) => !value.is_object() && size(value).is_some_and(|size| size > *most),
        }
    }

    /// Whether it holds of nothing of which `earlier` does not hold: a line after that one never gives its outcome.
    pub fn implies(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Is(value), _) => earlier.holds(value),
            (Self::In(values), _) => values.iter().all(|value| earlier.holds(value)),
            (Self::Empty(one), Self::Empty(other)) => one == other,
            (Self::LongerThan(_), Self::Empty(empty)) => !empty,
            (Self::LongerThan(one), Self::LongerThan(other)) => one >= other,
            (Self::Above(one), Self::Above(other) | Self::AtLeast(other))
            | (Self::AtLeast(one), Self::AtLeast(other)) => at_least(one, other),
            (Self::AtLeast(one), Self::Above(other)) => order(one, other) == Some(Ordering::Greater),
            (Self::Below(one), Self::Below(other) | Self::AtMost(other)) | (Self::AtMost(one), Self::AtMost(other)) => {
                at_least(other, one)
            }
            (Self::AtMost(one), Self::Below(other)) => order(one, other) == Some(Ordering::Less),
            _ => false,
        }
    }

    /// As it is written in a sentence.
    pub fn words(&self) -> String {
        let list = |values: &[Value]| values.iter().map(said).collect::<Vec<_>>().join(", ");
        match self {
            Self::Above(limit) => format!("is above {}", grouped(limit)),
            Self::Below(limit) => format!("is below {}", grouped(limit)),
            Self::AtLeast(limit) => format!("is at least {}", grouped(limit)),
            Self::AtMost(limit) => format!("is at most {}", grouped(limit)),
            Self::Is(wanted) => format!("is {}", said(wanted)),
            Self::In(wanted) => format!("is one of {}", list(wanted)),
            Self::Empty(true) => "is empty".to_owned(),
            Self::Empty(false) => "is not empty".to_owned(),
            Self::LongerThan(most) => format!("is longer than {most}"),
        }
    }

    /// What is said of a value of which it holds.
    fn held(&self, value: &Value) -> String {
        let words = self.words();
        match self {
            Self::Above(_) | Self::Below(_) | Self::AtLeast(_) | Self::AtMost(_) | Self::In(_) => {
                format!("is {}, {}", said(value), words.trim_start_matches("is "))
            }
            Self::LongerThan(most) => {
                let what = if value.is_array() { "items" } else { "characters" };
                format!("has {} {what}, more than {most}", size(value).unwrap_or_default())
            }
            Self::Is(_) | Self::Empty(_) => words,
        }
    }
}

fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(one), Value::Number(other)) => order(one, other) == Some(Ordering::Equal),
        _ => value == wanted,
    }
}

/// How many characters or items; none of what has neither.
fn size(value: &Value) -> Option<u64> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(list) => list.len(),
        Value::Object(table) => table.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    u64::try_from(size).ok()
}

fn at_least(one: &Number, other: &Number) -> bool {
    matches!(order(one, other), Some(Ordering::Greater | Ordering::Equal))
}

/// Whole numbers are compared as such: a float does not tell large ones apart.
fn order(one: &Number, other: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// A value as it is told: a text shortened, a list by its length.
fn said(value: &Value) -> String {
    match value {
        Value::Number(number) => grouped(number),
        Value::String(text) if text.chars().count() > QUOTED_MAX => {
            let start: String = text.chars().take(QUOTED_MAX).collect();
            format!("{:?}", format!("{start}..."))
        }
        Value::String(text) => format!("{text:?}"),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// A number with its thousands set apart: `1,200`, `-1,200.5`.
fn grouped(number: &Number) -> String {
    let text = number.to_string();
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, rest) = text.find(|c: char| !c.is_ascii_digit()).map_or((text, ""), |end| text.split_at(end));
    let mut told = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    format!("{sign}{told}{rest}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(word: &str, value: &Value) -> Condition {
        serde_json::from_value(json!({ word: value })).unwrap()
    }

    /// A condition, a value, and what is said of it if it holds.
    #[test]
    fn a_condition_holds_of_what_it_says() {
        let cases: &[(&str, Value, Value, Option<&str>)] = &[
            ("above", json!(1000), json!(1200), Some("is 1,200, above 1,000")),
            ("above", json!(1000), json!(1000), None),
            ("above", json!(1000), json!(1000.5), Some("is 1,000.5, above 1,000")),
            (
                "above",
                json!(9_007_199_254_740_992_u64),
                json!(9_007_199_254_740_993_u64),
                Some("is 9,007,199,254,740,993, above 9,007,199,254,740,992"),
            ),
            ("above", json!(1000), json!("1200"), None),
            ("below", json!(0), json!(-1_234_567), Some("is -1,234,567, below 0")),
            ("below", json!(0), json!(0), None),
            ("at_least", json!(3), json!(3.0), Some("is 3, at least 3")),
            ("at_least", json!(3), json!(2), None),
            ("at_most", json!(0.5), json!(0.5), Some("is 0.5, at most 0.5")),
            ("at_most", json!(0.5), json!(0.51), None),
            ("is", json!("email"), json!("email"), Some("is \"email\"")),
            ("is", json!("email"), json!("Email"), None),
            ("is", json!(2), json!(2.0), Some("is 2")),
            ("is", json!(true), json!(true), Some("is true")),
            ("is", json!(true), json!("true"), None),
            ("in", json!(["a", "b"]), json!("b"), Some("is \"b\", one of \"a\", \"b\"")),
            ("in", json!(["a", "b"]), json!("c"), None),
            ("empty", json!(true), json!([]), Some("is empty")),
            ("empty", json!(true), json!(""), Some("is empty")),
            ("empty", json!(true), json!(0), None),
            ("empty", json!(false), json!({ "a": 1 }), Some("is not empty")),
            ("empty", json!(false), json!([]), None),
            ("longer_than", json!(3), json!([1, 2, 3, 4]), Some("has 4 items, more than 3")),
            ("longer_than", json!(3), json!("äöüß"), Some("has 4 characters, more than 3")),
            ("longer_than", json!(3), json!("abc"), None),
            ("longer_than", json!(0), json!({ "a": 1 }), None),
        ];
        for (word, wanted, value, told) in cases {
            let condition = condition(word, wanted);
            let found = condition.holds(value).then(|| condition.held(value));
            assert_eq!(found.as_deref(), *told, "{word} {wanted} of {value}");
        }
    }

    /// The first line that holds gives the outcome; of what is absent, or of another type, none does.
    #[test]
    fn the_first_line_that_holds_gives_the_outcome() {
        let rule: Rule = serde_json::from_value(json!({ "else": "small", "lines": [
            { "root": "plan", "keys": ["channels", "0"], "condition": { "is": "tv" }, "outcome": "huge" },
            { "root": "plan", "keys": ["usd"], "condition": { "above": 1000 }, "outcome": "large" },
            { "root": "plan", "keys": ["usd"], "condition": { "above": 100 }, "outcome": "middle" },
        ] }))
        .unwrap();
        let cases = [
            (json!({ "usd": 5000, "channels": ["tv"] }), "huge", Some(0), "plan.channels.0 is \"tv\""),
            (json!({ "usd": 5000, "channels": [] }), "large", Some(1), "plan.usd is 5,000, above 1,000"),
            (json!({ "usd": 500 }), "middle", Some(2), "plan.usd is 500, above 100"),
            (
                json!({ "usd": 5, "channels": ["mail"] }),
                "small",
                None,
                "no line holds: plan.channels.0 is \"mail\"; plan.usd is 5",
            ),
            (json!({ "usd": null }), "small", None, "no line holds: plan.channels.0 is absent; plan.usd is absent"),
            (json!({ "usd": "9999" }), "small", None, "no line holds: plan.channels.0 is absent; plan.usd is \"9999\""),
        ];
        for (plan, outcome, line, note) in cases {
            let ruled = rule.apply(|root| (root == "plan").then(|| plan.clone()));
            assert_eq!((ruled.outcome.as_str(), ruled.line, ruled.note.as_str()), (outcome, line, note), "{plan}");
        }
        assert_eq!(
            rule.words(),
            "Decides by rule: huge if plan.channels.0 is \"tv\"; large if plan.usd is above 1,000; middle if plan.usd is \
             above 100; else small."
        );
        let told: Vec<_> = rule.outcomes().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["huge", "large", "middle", "small"]);
    }

    /// An earlier condition, a later one, and whether the later one never decides. It is held against what both say of many values.
    #[test]
    fn a_condition_that_an_earlier_one_covers_is_known() {
        let numbers = [0, 1, 2, 3].map(|n| json!(n));
        let words = ["above", "below", "at_least", "at_most"];
        let mut all: Vec<Condition> =
            words.iter().flat_map(|word| numbers.iter().map(|n| condition(word, n))).collect();
        all.extend([condition("is", &json!(2)), condition("in", &json!([1, 3])), condition("in", &json!([2, "a"]))]);
        all.extend([condition("empty", &json!(true)), condition("empty", &json!(false))]);
        all.extend([0, 1, 2].map(|most| condition("longer_than", &json!(most))));
        let values: Vec<Value> = (-10..=50).map(|tenths| json!(f64::from(tenths) / 10.0)).collect();
        let texts = ["", "a", "bb", "ccc", "dddd"].map(|text| json!(text));
        let lists = [json!([]), json!([1]), json!([1, 2]), json!([1, 2, 3])];
        let others = [json!(true), json!({ "a": 1 })];
        let values: Vec<Value> = values.into_iter().chain(texts).chain(lists).chain(others).collect();
        for earlier in &all {
            for later in &all {
                let covered = values.iter().all(|value| !later.holds(value) || earlier.holds(value));
                assert_eq!(later.implies(earlier), covered, "{later:?} after {earlier:?}");
            }
        }
    }
}

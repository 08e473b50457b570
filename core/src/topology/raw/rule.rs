//! A rule of a team as written: lines with a path, one condition and an outcome.

use serde_json::{Number, Value};
use toml::de::DeValue;

use super::walk::{Keys, Node, Reader};
use crate::topology::fault::{At, Code, Place};
use crate::topology::rule::Condition;

/// A line of a rule.
#[derive(Debug, Clone)]
pub struct RuleLine {
    /// The whole line.
    pub place: Place,
    /// A path into an artefact or `params`.
    pub when: At<String>,
    /// What has to hold of what is there.
    pub condition: At<Condition>,
    /// The outcome then.
    pub outcome: At<String>,
}

/// Most that a text or a list can be compared with.
const LENGTH_MAX: u64 = 1_000_000_000;

/// The words for a condition, each with an example.
const CONDITIONS: [(&str, &str); 8] = [
    ("above", "1000"),
    ("below", "1000"),
    ("at_least", "1000"),
    ("at_most", "1000"),
    ("is", "\"email\""),
    ("in", "[\"email\", \"sms\"]"),
    ("empty", "true"),
    ("longer_than", "3"),
];

/// A whole line, as an example.
const LINE: &str = "{ when = \"plan.budget_usd\", above = 1000, outcome = \"large\" }";

/// The lines of a rule; none if one of them is not to be read, which is told.
pub(super) fn read(reader: &mut Reader, node: &Node<'_>) -> Option<At<Vec<RuleLine>>> {
    let lines = node.get_ref().as_array().filter(|lines| !lines.is_empty());
    let Some(lines) = lines else {
        reader.wrong(node, &format!("a list of lines, such as [{LINE}]"));
        return None;
    };
    let read: Vec<Option<RuleLine>> = lines.iter().map(|node| line(reader, node)).collect();
    Some(reader.at(node.span(), read.into_iter().collect::<Option<_>>()?))
}

fn line(reader: &mut Reader, node: &Node<'_>) -> Option<RuleLine> {
    const KNOWN: [&str; 10] =
        ["when", "above", "below", "at_least", "at_most", "is", "in", "empty", "longer_than", "outcome"];
    let keys = reader.table(node, &KNOWN)?;
    let when = reader.required(&keys, "when", "\"plan.budget_usd\"");
    let condition = condition(reader, node, &keys);
    let outcome = reader.required(&keys, "outcome", "\"large\"");
    Some(RuleLine { place: reader.place(node.span()), when: when?, condition: condition?, outcome: outcome? })
}

/// The one condition of a line.
fn condition(reader: &mut Reader, line: &Node<'_>, keys: &Keys<'_, '_>) -> Option<At<Condition>> {
    let mut written = CONDITIONS.iter().filter_map(|(word, _)| Some((*word, keys.get(word)?)));
    let Some((word, node)) = written.next() else {
        let words: Vec<String> = CONDITIONS.iter().map(|(word, example)| format!("{word} = {example}")).collect();
        let instead = format!("write one of {}", words.join(", "));
        reader.fault(Code::MissingKey, line.span(), "this line says nothing of its value", instead);
        return None;
    };
    if let Some((second, other)) = written.next() {
        let what = format!("this line has two conditions, `{word}` and `{second}`");
        reader.fault(Code::WrongValue, other.span(), what, "keep one, and write another line for the other");
        return None;
    }
    let condition = match word {
        "above" => Condition::Above(number(reader, node)?),
        "below" => Condition::Below(number(reader, node)?),
        "at_least" => Condition::AtLeast(number(reader, node)?),
        "at_most" => Condition::AtMost(number(reader, node)?),
        "is" => Condition::Is(plain(reader, node)?),
        "in" => Condition::In(list(reader, node)?),
        "empty" => Condition::Empty(reader.boolean(node)?),
        _ => Condition::LongerThan(reader.integer(node, 0, LENGTH_MAX)?),
    };
    Some(reader.at(node.span(), condition))
}

fn number(reader: &mut Reader, node: &Node<'_>) -> Option<Number> {
    let number = reader.json(node).value.as_number().cloned();
    if number.is_none() {
        reader.wrong(node, "a number, such as 1000");
    }
    number
}

/// A text, a number, or true or false.
fn plain(reader: &mut Reader, node: &Node<'_>) -> Option<Value> {
    let is_plain =
        matches!(node.get_ref(), DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_));
    let value = Some(reader.json(node).value).filter(|value| is_plain && !value.is_null());
    if value.is_none() {
        reader.wrong(node, "a text in quotes, a number, or true or false");
    }
    value
}

fn list(reader: &mut Reader, node: &Node<'_>) -> Option<Vec<Value>> {
    let Some(list) = node.get_ref().as_array().filter(|list| !list.is_empty()) else {
        reader.wrong(node, "a list of values, such as [\"email\", \"sms\"]");
        return None;
    };
    let read: Vec<Option<Value>> = list.iter().map(|node| plain(reader, node)).collect();
    read.into_iter().collect()
}

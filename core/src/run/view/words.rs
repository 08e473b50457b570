//! The words of which people are told, whatever they are told of.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::id::{Digest, NanoUsd, thousands};
use crate::run::body::FailureReport;
use crate::run::desk::Held;
use crate::run::event::{Amount, BodyRef, Limit, PauseReason, Raise};
use crate::topology::manner::time_words;

/// Where the texts that heads name are read.
pub trait Texts {
    /// The body as JSON; none if it was erased or is not JSON.
    fn value(&self, digest: Digest) -> Option<Value>;

    /// What a desk has under a name; none if a body of it was erased.
    fn held(&self, held: &Held) -> Option<Value> {
        held.value(|version| self.value(version).ok_or(())).ok()
    }
}

/// A note's text.
pub fn note(texts: &dyn Texts, body: BodyRef) -> String {
    match texts.value(body.digest) {
        Some(Value::String(text)) => text,
        Some(other) => brief_of(&other),
        None => erased(),
    }
}

/// The text of a reason: of a failure's report, of a list of sentences, or of a note.
pub fn error_text(texts: &dyn Texts, body: BodyRef) -> String {
    match texts.value(body.digest) {
        Some(Value::Array(_)) => problem_text(texts, body),
        Some(Value::String(text)) => text,
        Some(other) => FailureReport::read(&other).map_or_else(|| brief_of(&other), |report| report.error),
        None => erased(),
    }
}

pub(super) fn problem_text(texts: &dyn Texts, body: BodyRef) -> String {
    read::<Vec<String>>(texts, body).map_or_else(erased, |list| list.join("; "))
}

/// When an item leaves that does so `after_ms` after the approval.
pub fn after_words(after_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    match (after_ms, after_ms.is_multiple_of(DAY_MS)) {
        (0, _) => "at once".to_owned(),
        (DAY_MS, _) => "1 day after the approval".to_owned(),
        (_, true) => format!("{} days after the approval", after_ms / DAY_MS),
        (_, false) => format!("{} after the approval", time_words(after_ms)),
    }
}

/// A body as what it was written as; none if it was erased.
pub fn read<T: DeserializeOwned>(texts: &dyn Texts, body: BodyRef) -> Option<T> {
    texts.value(body.digest).and_then(|value| serde_json::from_value(value).ok())
}

/// What became of calls that nobody heard of any more.
pub(super) fn lost_words(calls: usize, spent: Amount) -> String {
    let them = if calls == 1 { "it" } else { "them" };
    format!(
        "nobody heard what {} came to; what was set aside for {them} counts as spent: {}, {}",
        count(calls, "model call"),
        tokens(spent),
        spent.cost
    )
}

pub(super) fn tokens(amount: Amount) -> String {
    count(usize::try_from(amount.tokens).unwrap_or(usize::MAX), "token")
}

pub(super) fn erased() -> String {
    "(erased)".to_owned()
}

/// New limits in words.
pub(super) fn raise_words(raise: &Raise) -> String {
    let limits = [
        ("steps", raise.steps.map(thousands)),
        ("tokens", raise.tokens.map(thousands)),
        ("cost", raise.cost.map(|cost| cost.to_string())),
        ("active time", raise.active_ms.map(|ms| format!("{} s", ms / 1_000))),
        ("recipients", raise.recipients.map(thousands)),
        ("turns", raise.turns.map(|n| n.to_string())),
        ("steps per turn", raise.steps_per_turn.map(|n| n.to_string())),
        ("time of a call", raise.call_timeout_ms.map(time_words)),
        ("silence within a reply", raise.idle_timeout_ms.map(time_words)),
    ];
    let said = limits.into_iter().filter_map(|(name, limit)| Some(format!("{name} {}", limit?)));
    said.collect::<Vec<_>>().join(", ")
}

/// An amount of what a limit is of, with its unit.
pub fn amount(of: Limit, amount: u64) -> String {
    match of {
        Limit::Cost => NanoUsd(amount).to_string(),
        Limit::ActiveTime if amount >= 120_000 => format!("{} min", amount / 60_000),
        Limit::ActiveTime => format!("{}.{} s", amount / 1_000, amount % 1_000 / 100),
        Limit::Steps | Limit::Tokens | Limit::Recipients | Limit::Turns | Limit::StepsPerTurn => thousands(amount),
    }
}

/// So many of something, in words.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{} {what}s", thousands(number as u64)) }
}

/// Why a run is paused, in words.
pub fn pause_words(why: &PauseReason) -> String {
    match why {
        PauseReason::Asked { by } => format!("{} paused it", by.name),
        PauseReason::Budget { what, agent, needed, limit } => {
            let of = agent.as_ref().map_or_else(|| "the run".to_owned(), ToString::to_string);
            let name = serde_json::to_value(what)
                .ok()
                .and_then(|v| v.as_str().map(|name| name.replace('_', " ")))
                .unwrap_or_default();
            let (needed, limit) = (amount(*what, *needed), amount(*what, *limit));
            if needed == limit {
                return format!("the next step of {of} would need a little more than the limit of {limit} {name}");
            }
            format!("the next step of {of} would need {needed} {name} in all, the limit is {limit}")
        }
        PauseReason::Intensity { agent, restarts } => {
            format!("{agent} failed once more after {restarts} restarts within the window")
        }
    }
}

/// A value in one short line.
pub fn brief_of(value: &Value) -> String {
    const CHARS_MAX: usize = 140;
    let text = match value {
        Value::Object(map) if map.contains_key("row_count") => match map["row_count"].as_u64() {
            Some(rows) => count(usize::try_from(rows).unwrap_or(usize::MAX), "row"),
            None => map["row_count"].to_string(),
        },
        Value::Object(map) if map.contains_key("error") => map["error"].to_string(),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| match value {
                Value::Array(list) => format!("{key} ({})", list.len()),
                Value::Object(_) => format!("{key} {}", cut(&value.to_string(), 48)),
                Value::String(text) => format!("{key} {text}"),
                other => format!("{key} {other}"),
            });
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    cut(&text, CHARS_MAX)
}

/// `text`, or its beginning and three dots.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars_max.saturating_sub(3)).collect();
    format!("{cut}...")
}

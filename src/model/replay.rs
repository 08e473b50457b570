//! The model of a replay: what was recorded, where the request is what was recorded too; else what differs, and no reply.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Ask, Model, Reply, conversation};
use crate::failure::{Class, Failure, Work};
use crate::topology::recording::{CallPlace, Recorded, Recording};

/// Lines of a difference that are told.
const LINES_MAX: usize = 40;

/// Characters of a line that are told, around what changed.
const LINE_CHARS_MAX: usize = 160;

/// Plays the recording of the plan that it is asked with. It remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replay;

impl Model for Replay {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move { speak(ask) })
    }
}

/// Which call of its run `ask` is.
pub fn place(ask: &Ask) -> CallPlace {
    let nth = u32::try_from(ask.now.said.len()).unwrap_or(u32::MAX).saturating_add(1);
    CallPlace { agent: ask.member.clone(), branch: ask.branch.clone(), turn: ask.turn, nth, attempt: ask.attempt }
}

/// The model that `ask` is for.
pub fn model(ask: &Ask) -> String {
    ask.plan.models.get(&ask.model).map_or_else(String::new, |spec| spec.model.clone())
}

/// Whether every reply, failure and result of `recording` can be read.
///
/// # Errors
/// A sentence that says which cannot.
pub fn readable(recording: &Recording) -> Result<(), String> {
    recording.call.iter().try_for_each(|call| came(call).map(drop))?;
    recording.result.iter().try_for_each(|given| match serde_json::from_str::<Value>(&given.result) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(format!("{}, turn {}: what {} gave cannot be read: {error}", given.agent, given.turn, given.tool))
        }
    })
}

fn speak(ask: &Ask) -> Result<Reply, Failure> {
    let request = conversation::prompt(ask)?.text();
    let place = place(ask);
    let recording = ask.plan.recording.as_ref();
    let Some(call) = recording.and_then(|recording| recording.at(&place)) else {
        return Err(drift(format!("this run asks what was not asked when it was recorded: {place}")));
    };
    let model = model(ask);
    if call.model != model {
        return Err(drift(format!("{model} is asked, and {} was when it was recorded: {place}", call.model)));
    }
    if call.request != request {
        let what = difference(&call.request, &request);
        return Err(drift(format!("what is asked differs from what was recorded: {place}\n{what}")));
    }
    came(call).map_err(drift)?
}

/// Nothing was sent, and neither another attempt nor another model would have a reply.
fn drift(why: String) -> Failure {
    Failure { drifted: true, ..Failure::new(Class::Policy, format!("drift: {why}")).unpaid() }
}

fn came(call: &Recorded) -> Result<Result<Reply, Failure>, String> {
    let wrong = |error: serde_json::Error| format!("{}: what it came to cannot be read: {error}", call.place());
    match (&call.reply, &call.failure) {
        (Some(json), _) => serde_json::from_str(json).map(Ok).map_err(wrong),
        (None, Some(json)) => serde_json::from_str(json).map(Err).map_err(wrong),
        (None, None) => Err(format!("{}: it came to nothing", call.place())),
    }
}

/// What differs, a line each: `-` as recorded, `+` as asked now.
fn difference(recorded: &str, asked: &str) -> String {
    let diff = TextDiff::from_lines(recorded, asked);
    let mut lines = Vec::new();
    for op in diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal) {
        let of = |tag: ChangeTag| {
            let changes = diff.iter_changes(op).filter(move |change| change.tag() == tag);
            changes.map(|change| change.value().trim_end_matches('\n').to_owned()).collect::<Vec<_>>()
        };
        let (old, new) = (of(ChangeTag::Delete), of(ChangeTag::Insert));
        for at in 0..old.len().max(new.len()) {
            let (old, new) = (old.get(at).map(String::as_str), new.get(at).map(String::as_str));
            let from = common(old.unwrap_or_default(), new.unwrap_or_default());
            lines.extend(old.map(|line| format!("- {}", around(line, from))));
            lines.extend(new.map(|line| format!("+ {}", around(line, from))));
        }
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("... and {more} lines more"));
    }
    lines.join("\n")
}

/// How many characters both begin with.
fn common(old: &str, new: &str) -> usize {
    old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count()
}

/// A long line, as far as it is near its character number `from`.
fn around(line: &str, from: usize) -> String {
    let start = from.saturating_sub(LINE_CHARS_MAX / 4);
    if line.chars().count() <= LINE_CHARS_MAX {
        return line.to_owned();
    }
    let part: String = line.chars().skip(start).take(LINE_CHARS_MAX).collect();
    let (before, after) = (if start > 0 { "..." } else { "" }, "...");
    format!("{before}{part}{after}")
}

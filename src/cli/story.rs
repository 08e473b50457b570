//! A run's story as it is printed: a line for each thing that happened, or its records as JSON.

use super::paint::{self, Safe, Tone, out, toned};
use crate::id::Timestamp;
use crate::run::event::Origin;
use crate::run::view::choice::Choice;
use crate::run::view::models::models_words;
use crate::run::view::{Entry, Kind};
use crate::service::story::News;
use crate::topology::plan::{Mode, Plan};

/// What is printed of a run's entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// NDJSON in the journal's own shapes.
    pub(super) json: bool,
    /// Below what a model chose: among what, and on what evidence.
    pub(super) detail: bool,
    /// Only entries from this member or person.
    pub(super) from: Option<String>,
    /// Only entries with this outcome or word.
    pub(super) word: Option<String>,
}

impl Shown {
    fn is_all(&self) -> bool {
        self.from.is_none() && self.word.is_none()
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.from.as_ref().is_none_or(|from| *from == entry.from)
            && self.word.as_ref().is_none_or(|word| *word == entry.word)
    }
}

/// Prints what happened.
pub(super) fn print(news: &[News], shown: &Shown, zone: &str) {
    for one in news {
        let entry = one.entry.as_ref().filter(|entry| shown.fits(entry));
        if shown.json && (entry.is_some() || shown.is_all()) {
            paint::json(one);
        } else if let Some(entry) = entry.filter(|_| !shown.json) {
            out(line(entry, zone));
            if let Some(choice) = entry.choice.as_ref().filter(|_| shown.detail) {
                out(toned(Tone::Faint, behind(choice)));
            }
        }
    }
}

/// An entry as a line.
fn line(entry: &Entry, zone: &str) -> String {
    let who = match &entry.to {
        Some(to) => format!("{} -> {to}", entry.from),
        None => entry.from.clone(),
    };
    let tone = match entry.kind {
        Kind::Message => Tone::Strong,
        Kind::Call | Kind::Version | Kind::Life => Tone::Faint,
        Kind::Item => Tone::Good,
        Kind::Person => Tone::Attention,
        Kind::Trouble => Tone::Bad,
    };
    let origin =
        entry.origin.map_or_else(String::new, |origin| toned(Tone::Faint, format!("  [{}]", origin_word(origin))));
    let who =
        toned(if entry.kind == Kind::Message { Tone::Strong } else { Tone::Plain }, format!("{:<22}", Safe(&who)));
    let word = toned(tone, format!("{:<17}", Safe(&entry.word)));
    // What went wrong may take several lines to tell; notes are sentences.
    let (first, rest) = match entry.text.split_once('\n') {
        Some((first, rest)) if entry.kind == Kind::Trouble => (first, rest),
        _ => (entry.text.as_str(), ""),
    };
    let rest: String = rest.lines().map(|line| format!("\n{:10}{}", "", Safe(line))).collect();
    let branch = entry.branch.as_ref().map_or_else(String::new, |branch| toned(Tone::Faint, format!("{branch}: ")));
    format!("{}  {who} {word} {branch}{}{origin}{rest}", clock_time(entry.at, zone), Safe(first))
}

/// What a model chose among, and on what evidence.
fn behind(choice: &Choice) -> String {
    let list = |names: Vec<String>| names.join(", ");
    let outcomes = choice.outcomes.iter().map(|(outcome, to)| format!("{outcome} (to {to})")).collect();
    let mut offered = vec![list(outcomes)];
    if !choice.tools.is_empty() {
        offered.push(list(choice.tools.iter().map(ToString::to_string).collect()));
    }
    if !choice.may_ask.is_empty() {
        offered.push(format!("to ask {}", list(choice.may_ask.iter().map(ToString::to_string).collect())));
    }
    let read = choice.read.iter().map(|(name, held)| {
        let versions: Vec<String> = held.versions().map(|version| version.short()).collect();
        format!("{name} {}", versions.join(" "))
    });
    let calls = choice.calls.iter().map(|call| match &call.by {
        Some(by) => format!("record {} (the answer of {by})", call.seq),
        None => format!("record {} ({})", call.seq, call.tool),
    });
    let evidence: Vec<String> = read.chain(calls).collect();
    let evidence = if evidence.is_empty() { "the brief and the message alone".to_owned() } else { list(evidence) };
    let pad = " ".repeat(10);
    format!("{pad}offered: {}\n{pad}chose {} on: {}", Safe(&offered.join("; ")), Safe(&choice.chose), Safe(&evidence))
}

/// Where words come from, as a mark.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Scripted => "scripted",
        Origin::Computed => "computed",
        Origin::Typed => "computed from what a model wrote",
        Origin::Model => "model",
        Origin::Person => "person",
    }
}

/// The time of day in `zone`.
pub(super) fn clock_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Date and time in `zone`.
pub(super) fn date_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

fn zoned(at: Timestamp, zone: &str) -> Option<jiff::Zoned> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone))
}

/// What a run says of its models, first and last: which ones speak, or that none does.
pub(super) fn mark_mode(plan: &Plan) {
    let mark = match plan.mode {
        Mode::Live => return paint::say(format!("live: {}", Safe(&models_words(plan)))),
        Mode::Rehearsal => "rehearsal: no model runs; agents speak from the script, tools are real, nothing is sent",
        Mode::Replay => "replay: no model runs; agents say what was recorded, tools are real, nothing is sent",
    };
    paint::say(toned(Tone::Attention, mark));
}

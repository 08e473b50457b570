//! A run's story as it is printed: a line for each thing that happened, or its records as JSON.

use std::cell::Cell;

use super::paint::{self, Safe, Tone, out, toned};
use crate::id::Timestamp;
use crate::run::event::Event;
use crate::run::view::choice::Choice;
use crate::run::view::models::models_words;
use crate::run::view::{Entry, Kind};
use crate::service::ledger::Ledger;
use crate::service::story::{News, Story};
use crate::topology::plan::{Mode, Plan};
use crate::words::claim;
use crate::words::origin_word;
use crate::words::time::{clock_time, zoned};

/// What is printed of a run's entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// NDJSON in the journal's own shapes.
    pub(super) json: bool,
    /// Below each entry what exactly it was; below what a model chose, among what and on what evidence.
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

/// How a story is told: in which zone, and of which day it told last.
pub(super) struct Teller {
    zone: String,
    day: Cell<Option<jiff::civil::Date>>,
}

impl Teller {
    /// One that has told nothing yet.
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: zone.to_owned(), day: Cell::default() }
    }

    /// Prints what happened in the run of `story`.
    pub(super) fn print(&self, story: &Story, news: &[News], shown: &Shown) {
        let ledger = Ledger::new(story);
        for one in news {
            let entry = one.entry.as_ref().filter(|entry| shown.fits(entry));
            if shown.json && (entry.is_some() || shown.is_all()) {
                paint::json(one);
            } else if let Some(entry) = entry.filter(|_| !shown.json) {
                self.day(entry.at);
                told(entry, &self.zone);
                let pad = " ".repeat(TIME);
                if let Some(detail) = entry.detail.as_ref().filter(|_| shown.detail) {
                    paint::hung(toned(Tone::Faint, format!("{pad}{}", Safe(detail))), TIME);
                }
                if let Event::VersionWritten(version) = &one.fact.is
                    && shown.detail
                {
                    let lines = ledger.of(version.body.digest).iter().flat_map(claim::told).collect::<Vec<_>>();
                    lines.iter().for_each(|line| paint::hung(toned(Tone::Faint, format!("{pad}{}", Safe(line))), TIME));
                }
                if let Some(choice) = entry.choice.as_ref().filter(|_| shown.detail) {
                    behind(choice)
                        .iter()
                        .for_each(|line| paint::hung(toned(Tone::Faint, format!("{pad}{}", Safe(line))), TIME));
                }
            }
        }
    }

    /// Prints entries as they are.
    pub(super) fn print_entries<'e>(&self, entries: impl Iterator<Item = &'e Entry>) {
        for entry in entries {
            self.day(entry.at);
            told(entry, &self.zone);
        }
    }

    /// The day and the zone of the times that follow, whenever they change.
    pub(super) fn day(&self, at: Timestamp) {
        let Some(time) = zoned(at, &self.zone) else { return };
        if self.day.replace(Some(time.date())) != Some(time.date()) {
            out(toned(Tone::Faint, time.strftime("%Y-%m-%d, times in %Z")));
        }
    }
}

/// Where the text of an entry begins that stands below or beside its time.
const TIME: usize = 10;
/// Columns of who did it, and of the word for it.
const WHO: usize = 23;
const WORD: usize = 18;
/// The narrowest terminal on which they are columns.
const WIDE: usize = 100;

/// Prints an entry: in columns, or as one sentence where the terminal is narrow.
fn told(entry: &Entry, zone: &str) {
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
    let who_tone = if entry.kind == Kind::Message { Tone::Strong } else { Tone::Plain };
    // What went wrong may take several lines to tell; notes are sentences.
    let (first, rest) = match entry.text.split_once('\n') {
        Some((first, rest)) if entry.kind == Kind::Trouble => (first, rest),
        _ => (entry.text.as_str(), ""),
    };
    let (time, first) = (clock_time(entry.at, zone), Safe(first));
    let branch = entry.branch.as_ref().map_or_else(String::new, |branch| toned(Tone::Faint, format!("{branch}: ")));
    if paint::columns().is_some_and(|columns| columns < WIDE) {
        let (who, word) = (toned(who_tone, Safe(&who)), toned(tone, Safe(&entry.word)));
        let colon = if entry.text.is_empty() { "" } else { ": " };
        paint::hung(format!("{time}  {branch}{who} {word}{colon}{first}{origin}"), TIME);
    } else {
        let (who_width, word_width) = (WHO - 1, WORD - 1);
        let who = toned(who_tone, format!("{:<who_width$}", Safe(&who)));
        let word = toned(tone, format!("{:<word_width$}", Safe(&entry.word)));
        paint::hung(format!("{time}  {who} {word} {branch}{first}{origin}"), TIME + WHO + WORD);
    }
    rest.lines().for_each(|line| paint::hung(format!("{:TIME$}{}", "", Safe(line)), TIME));
}

/// What a model chose among, and on what evidence.
fn behind(choice: &Choice) -> [String; 2] {
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
    [format!("offered: {}", offered.join("; ")), format!("chose {} on: {evidence}", choice.chose)]
}

/// What a run says of its models at first: which ones speak, or that none does.
pub(super) fn mark_mode(plan: &Plan) {
    let mark = match plan.mode {
        Mode::Live => return paint::say(format!("live: {}", Safe(&models_words(plan)))),
        Mode::Rehearsal => "rehearsal: no model runs; agents speak from the script, tools are real, nothing is sent",
        Mode::Replay => "replay: no model runs; agents say what was recorded, tools are real, nothing is sent",
    };
    paint::say(toned(Tone::Attention, mark));
}

/// What it says of them at last, where somebody might take its result for more than it is.
pub(super) fn recall_mode(plan: &Plan) {
    let mark = match plan.mode {
        Mode::Live => return mark_mode(plan),
        Mode::Rehearsal => "this is a rehearsal: no model ran, and nothing is sent",
        Mode::Replay => "this is a replay: no model ran, and nothing is sent",
    };
    paint::say(toned(Tone::Attention, mark));
}

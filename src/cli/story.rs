//! A run as a story: its durable records, read as they come, a line for each thing that happened.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::exit::Stop;
use super::paint::{self, Safe, Tone, out, toned};
use crate::actor::Heard;
use crate::actor::history;
use crate::actor::system::{Gone, Handle};
use crate::id::{Digest, RunId, Seq, Timestamp};
use crate::journal::{Record, Store};
use crate::run::event::Origin;
use crate::run::state::{State, Status};
use crate::run::view::choice::Choice;
use crate::run::view::models::models_words;
use crate::run::view::{Entry, Kind, Texts, View};
use crate::topology::plan::{Mode, Plan};

/// Records read at a time.
const PAGE: usize = 500;

/// A reader of one run.
pub struct Story {
    store: Arc<dyn Store>,
    run: RunId,
    zone: String,
    seq: Seq,
    /// What people see so far.
    pub view: View,
}

/// What is printed of a run's entries.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// NDJSON in the journal's own shapes.
    pub json: bool,
    /// Below what a model chose: among what, and on what evidence.
    pub detail: bool,
    /// Only entries from this member or person.
    pub from: Option<String>,
    /// Only entries with this outcome or word.
    pub word: Option<String>,
}

/// Texts of a run, from its journal.
pub struct Bodies {
    store: Arc<dyn Store>,
    run: RunId,
}

impl Bodies {
    /// The bodies of `run`.
    pub fn new(store: Arc<dyn Store>, run: RunId) -> Self {
        Self { store, run }
    }

    /// A body's bytes; none if it was erased.
    pub fn bytes(&self, digest: Digest) -> Option<Vec<u8>> {
        Some(self.store.body(self.run, digest).ok()??.bytes)
    }
}

impl Texts for Bodies {
    fn value(&self, digest: Digest) -> Option<Value> {
        serde_json::from_slice(&self.bytes(digest)?).ok()
    }
}

impl Story {
    /// Opens the story of `run` at its beginning.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn open(store: Arc<dyn Store>, run: RunId, zone: &str) -> Result<Self, Stop> {
        let (_, _, plan) = history::pinned_plan(store.as_ref(), run)?;
        let view = View::new(State::new(run, Arc::new(plan)));
        Ok(Self { store, run, zone: zone.to_owned(), seq: Seq(0), view })
    }

    /// The last record that was read.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The texts of this run.
    pub fn texts(&self) -> Bodies {
        Bodies::new(Arc::clone(&self.store), self.run)
    }

    /// What happened since the last call, with its records.
    ///
    /// # Errors
    /// If the records cannot be read or replayed.
    pub fn news(&mut self) -> Result<Vec<(Record, Option<Entry>)>, Stop> {
        let texts = self.texts();
        let mut news = Vec::new();
        loop {
            let page = self.store.records(self.run, self.seq, PAGE)?;
            if page.is_empty() {
                return Ok(news);
            }
            for record in page {
                let fact = history::read_fact(&record.head.json).map_err(Stop::failed)?;
                let entry = self.view.take(record.seq, &fact, &texts);
                let entry = entry.map_err(|illegal| Stop::failed(format!("record {}: {illegal}", record.seq)))?;
                self.seq = record.seq;
                news.push((record, entry));
            }
        }
    }

    /// Prints what happened since the last call.
    ///
    /// # Errors
    /// As [`Story::news`].
    pub fn print(&mut self, shown: &Shown) -> Result<(), Stop> {
        for (record, entry) in self.news()? {
            let fits = entry.as_ref().is_some_and(|entry| shown.fits(entry));
            if shown.json && (fits || shown.is_all()) {
                let head: Value = serde_json::from_slice(&record.head.json).unwrap_or(Value::Null);
                paint::json(&json!({ "seq": record.seq, "epoch": record.epoch, "fact": head, "entry": entry }));
            } else if let Some(entry) = entry.filter(|_| fits && !shown.json) {
                out(line(&entry, &self.zone));
                if let Some(choice) = entry.choice.as_ref().filter(|_| shown.detail) {
                    out(toned(Tone::Faint, behind(choice)));
                }
            }
        }
        Ok(())
    }

    /// Prints a live run as it goes, until it waits, ends, or is let go.
    ///
    /// # Errors
    /// As [`Story::news`], or why its owner let it go.
    pub async fn follow(
        &mut self,
        handle: &Handle,
        mut pulses: Receiver<Heard>,
        shown: &Shown,
    ) -> Result<Status, Stop> {
        let mut progress = handle.progress();
        loop {
            let now = progress.borrow_and_update().clone();
            paint::passing("");
            self.print(shown)?;
            match now.gone {
                Some(Gone::Parked) => return Ok(now.status),
                Some(gone) => return Err(gone.into()),
                None => {}
            }
            if now.status != Status::Running {
                return Ok(now.status);
            }
            let changed = loop {
                tokio::select! {
                    changed = progress.changed() => break changed,
                    heard = pulses.recv() => match heard {
                        Ok(heard) if heard.run == self.run => {
                            paint::passing(format!("{} answers: {} bytes so far", heard.agent, heard.bytes));
                        }
                        // Another's, or some that came too fast to be shown.
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => break progress.changed().await,
                    },
                }
            };
            if changed.is_err() {
                return Ok(progress.borrow().status);
            }
        }
    }
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

/// An entry as a line.
pub fn line(entry: &Entry, zone: &str) -> String {
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
    format!("{}  {who} {word} {}{origin}{rest}", clock_time(entry.at, zone), Safe(first))
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
    let read = choice.read.iter().map(|(name, digest)| format!("{name} {}", digest.short()));
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
pub fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Scripted => "scripted",
        Origin::Computed => "computed",
        Origin::Typed => "computed from what a model wrote",
        Origin::Model => "model",
        Origin::Person => "person",
    }
}

/// The time of day in `zone`.
pub fn clock_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Date and time in `zone`.
pub fn date_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

fn zoned(at: Timestamp, zone: &str) -> Option<jiff::Zoned> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone))
}

/// What a run says of its models, first and last: which ones speak, or that none does.
pub fn mark_mode(plan: &Plan) {
    let mark = match plan.mode {
        Mode::Live => return paint::say(format!("live: {}", Safe(&models_words(plan)))),
        Mode::Rehearsal => "rehearsal: no model runs; agents speak from the script, tools are real, nothing is sent",
        Mode::Replay => "replay: no model runs; agents say what was recorded, tools are real, nothing is sent",
    };
    paint::say(toned(Tone::Attention, mark));
}

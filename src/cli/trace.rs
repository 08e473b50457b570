//! `callsheet trace`: a run as a sequence diagram, in text or as Mermaid.

use super::exit::{Exit, Stop};
use super::paint::{Safe, columns, out, raw, say};
use super::session::Session;
use crate::id::RunNo;
use crate::run::view::{Entry, Kind};
use crate::words::time::clock_time;

/// Width of a lane where there is room for it, and the least that a lane needs.
const LANE: usize = 14;
const LANE_MIN: usize = 10;
/// Width of the time before the lanes.
const TIME: usize = 10;
/// How long a line gets where no terminal sets it.
const NOTE: usize = 160;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// How it is drawn
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Lanes and arrows
    Text,
    /// A Mermaid sequence diagram
    Mermaid,
}

pub(super) fn trace(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.story(project.run(args.run.map(RunNo))?)?;
    let entries: Vec<Entry> = story.news()?.into_iter().filter_map(|news| news.entry).collect();
    match args.format {
        Format::Text => text(session, &entries),
        Format::Mermaid => mermaid(&entries),
    }
    Ok(Exit::Done)
}

/// The members in the order in which they appear.
fn lanes(entries: &[Entry]) -> Vec<String> {
    let mut lanes: Vec<String> = Vec::new();
    let messages = entries.iter().filter(|entry| entry.kind == Kind::Message);
    for name in messages.flat_map(|entry| std::iter::once(entry.from.clone()).chain(entry.to.clone())) {
        if !lanes.contains(&name) {
            lanes.push(name);
        }
    }
    lanes
}

fn text(session: &Session, entries: &[Entry]) {
    let lanes = lanes(entries);
    let width = match columns() {
        Some(columns) => columns.saturating_sub(TIME) / lanes.len().max(1),
        None => LANE,
    };
    if width < LANE_MIN {
        say("the terminal is too narrow for a lane each: this is the same as a list");
        return session.teller.print_entries(entries.iter().filter(|entry| lanes.contains(&entry.from)));
    }
    let width = width.min(LANE);
    let place = |name: &str| lanes.iter().position(|lane| lane == name);
    if let Some(first) = entries.first() {
        session.teller.day(first.at);
    }
    let heads: String =
        lanes.iter().map(|lane| format!("{:<width$}", cut(&Safe(lane).to_string(), width - 1))).collect();
    out(format!("{:TIME$}{}", "", heads.trim_end()));
    let room = columns().map_or(NOTE, |columns| columns - TIME);
    for entry in entries {
        let (Some(from), to) = (place(&entry.from), entry.to.as_deref().and_then(place)) else { continue };
        let line = match to {
            Some(to) => arrow(from, to, &entry.word, width),
            None => {
                let mark = match entry.kind {
                    Kind::Trouble => '!',
                    Kind::Person => '?',
                    _ => '*',
                };
                format!("{}{mark} {} {}", idle(from, width), entry.word, entry.text)
            }
        };
        session.teller.day(entry.at);
        out(format!("{}  {}", clock_time(entry.at, session.zone()), cut(&Safe(line.trim_end()).to_string(), room)));
    }
}

/// `text`, or its beginning and two dots.
fn cut(text: &str, chars_max: usize) -> String {
    let cut = || text.chars().take(chars_max.saturating_sub(2)).chain("..".chars()).collect();
    if text.chars().count() > chars_max { cut() } else { text.to_owned() }
}

/// The lifelines left of a lane.
fn idle(lanes: usize, width: usize) -> String {
    (0..lanes).map(|_| format!("{:<width$}", "|")).collect()
}

fn arrow(from: usize, to: usize, word: &str, lane: usize) -> String {
    let (left, right) = (from.min(to), from.max(to));
    let mut line = idle(left, lane);
    let width = ((right - left) * lane).max(4) - 2;
    let label = format!(" {word} ");
    let shaft = format!("{label:-^width$}");
    let shaft: String = shaft.chars().take(width).collect();
    line.push_str(&if from <= to { format!("|{shaft}>") } else { format!("<{shaft}|") });
    line
}

fn mermaid(entries: &[Entry]) {
    raw("sequenceDiagram");
    let lanes = lanes(entries);
    for (nth, lane) in lanes.iter().enumerate() {
        raw(format!("  participant p{nth} as {}", plain(lane)));
    }
    let place = |name: &str| lanes.iter().position(|lane| lane == name);
    for entry in entries {
        let Some(from) = place(&entry.from) else { continue };
        match entry.to.as_deref().and_then(place) {
            Some(to) => raw(format!("  p{from}->>p{to}: {}", plain(&entry.word))),
            None => raw(format!("  note over p{from}: {} {}", plain(&entry.word), plain(&entry.text))),
        }
    }
}

/// Text that Mermaid takes for nothing else.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || " _-.,%()/".contains(c) { c } else { ' ' };
    text.chars().map(keep).take(80).collect()
}

//! `callsheet trace`: a run as a sequence diagram, in text or as Mermaid.

use super::exit::{Exit, Stop};
use super::paint::{Safe, out};
use super::session::Session;
use super::story::clock_time;
use crate::id::RunNo;
use crate::run::view::{Entry, Kind};

/// Width of a lane.
const LANE: usize = 14;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// How
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
        Format::Text => text(&entries, session.zone()),
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

fn text(entries: &[Entry], zone: &str) {
    let lanes = lanes(entries);
    let place = |name: &str| lanes.iter().position(|lane| lane == name);
    let heads: String = lanes.iter().map(|lane| format!("{:<LANE$}", Safe(lane))).collect();
    out(format!("{:<10}{}", "", heads.trim_end()));
    for entry in entries {
        let (Some(from), to) = (place(&entry.from), entry.to.as_deref().and_then(place)) else { continue };
        let line = match to {
            Some(to) => arrow(from, to, &entry.word),
            None => {
                let mark = match entry.kind {
                    Kind::Trouble => '!',
                    Kind::Person => '?',
                    _ => '*',
                };
                let words = format!("{mark} {} {}", entry.word, entry.text);
                let mut line = idle(from);
                line.push_str(&words.chars().take(100).collect::<String>());
                line
            }
        };
        out(format!("{}  {}", clock_time(entry.at, zone), Safe(line.trim_end())));
    }
}

/// The lifelines left of a lane.
fn idle(lanes: usize) -> String {
    (0..lanes).map(|_| format!("{:<LANE$}", "|")).collect()
}

fn arrow(from: usize, to: usize, word: &str) -> String {
    let (left, right) = (from.min(to), from.max(to));
    let mut line = idle(left);
    let width = ((right - left) * LANE).max(4) - 2;
    let label = format!(" {word} ");
    let shaft = format!("{label:-^width$}");
    let shaft: String = shaft.chars().take(width).collect();
    line.push_str(&if from <= to { format!("|{shaft}>") } else { format!("<{shaft}|") });
    line
}

fn mermaid(entries: &[Entry]) {
    out("sequenceDiagram");
    let lanes = lanes(entries);
    for (nth, lane) in lanes.iter().enumerate() {
        out(format!("  participant p{nth} as {}", plain(lane)));
    }
    let place = |name: &str| lanes.iter().position(|lane| lane == name);
    for entry in entries {
        let Some(from) = place(&entry.from) else { continue };
        match entry.to.as_deref().and_then(place) {
            Some(to) => out(format!("  p{from}->>p{to}: {}", plain(&entry.word))),
            None => out(format!("  note over p{from}: {} {}", plain(&entry.word), plain(&entry.text))),
        }
    }
}

/// Text that Mermaid takes for nothing else.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || " _-.,%()/".contains(c) { c } else { ' ' };
    text.chars().map(keep).take(80).collect()
}

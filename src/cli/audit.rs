//! `callsheet audit verify`: whether the journal and what it rests on are what was written; `audit checkpoint` prints what to
//! compare with later.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, table, toned};
use super::session::Session;
use crate::file::words;
use crate::id::RunNo;
use crate::journal::audit::{Checkpoint, Verified};
use crate::run::view::count;
use crate::service::audit::{Act, Audit, acts, checkpoints, verify};
use crate::words::approval::channel;
use crate::words::time::date_time;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Verifies that nobody changed the records, plans, manifests and delivered files of one run or of all
    #[command(after_help = "Example:\n  callsheet audit verify 1")]
    Verify {
        /// The run; all if none is given
        run: Option<u64>,
        /// Compares with checkpoints that you kept elsewhere, one JSON object a line: this finds a journal that was rewritten
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Prints one JSON object: what was verified, where each run stands, and the files that differ
        #[arg(long)]
        json: bool,
    },
    /// Lists who looked at what, said what and decided what in a run, when, and over which channel
    #[command(after_help = "Example:\n  callsheet audit people 1")]
    People {
        /// The run; the newest if none is given
        run: Option<u64>,
        /// Prints NDJSON: one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Prints a checkpoint of one run or of all; keep it where the journal's owner cannot change it
    #[command(after_help = "Example:\n  callsheet audit checkpoint > checkpoints.ndjson")]
    Checkpoint {
        /// The run; all if none is given
        run: Option<u64>,
    },
}

pub(super) fn audit(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Verify { run, against, json } => {
            let known = against.as_ref().map(|file| read(file)).transpose()?.unwrap_or_default();
            let audit = verify(&session.project, run.map(RunNo), &known)?;
            if *json {
                paint::json(&audit);
            } else {
                report(&audit);
            }
            Ok(if audit.evidence.differing.is_empty() { Exit::Done } else { Exit::Waiting })
        }
        What::People { run, json } => {
            let (_, acts) = acts(&session.project, run.map(RunNo))?;
            if *json {
                acts.iter().for_each(paint::json);
            } else {
                let row = |act: &Act| {
                    let via = act.by.via.map(channel).unwrap_or_default();
                    let (at, how) = (date_time(act.at, session.zone()), act.by.how.clone());
                    vec![act.seq.to_string(), at, act.by.name.clone(), how, via.to_owned(), act.text.clone()]
                };
                out(table(&["record", "when", "who", "known by", "channel", "what"], acts.iter().map(row)));
            }
            Ok(Exit::Done)
        }
        What::Checkpoint { run } => {
            checkpoints(&session.project, run.map(RunNo))?.iter().for_each(paint::json);
            Ok(Exit::Done)
        }
    }
}

/// What holds, and which files are not as they were delivered.
fn report(audit: &Audit) {
    let Verified { records, bodies, erased, heads, .. } = &audit.chain;
    let (good, runs) = (toned(Tone::Good, "verified"), count(heads.len(), "run"));
    out(format!(
        "{good} {runs} with {records} records and {bodies} texts ({erased} erased): the chain holds, so nobody changed one of them"
    ));
    let of = |number: u64, what: &str| count(usize::try_from(number).unwrap_or(usize::MAX), what);
    let (manifests, files) = (of(audit.evidence.manifests, "manifest"), of(audit.evidence.files, "delivered file"));
    out(format!("the plans are those that the runs started with; {manifests} and {files} are what people approved"));
    for file in &audit.evidence.differing {
        out(format!("{} was {} since it was delivered", Safe(&file.place), toned(Tone::Attention, file.what)));
    }
}

/// Largest file of checkpoints.
const CHECKPOINTS_BYTES_MAX: u64 = 64 << 20;

fn read(file: &Path) -> Result<Vec<Checkpoint>, Stop> {
    let text = crate::file::text(file, CHECKPOINTS_BYTES_MAX);
    let unread = |why| Stop::input(format!("{} cannot be read: {}", file.display(), words(&why)));
    let text = text.map_err(unread)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(nth, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Stop::input(format!("{}:{}: not a checkpoint ({error})", file.display(), nth + 1)))
    };
    lines.map(parse).collect()
}

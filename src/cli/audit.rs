//! `callsheet audit verify`: whether the journal and what it rests on are what was written; `audit checkpoint` exports what to compare with.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, toned};
use super::session::Session;
use crate::id::RunNo;
use crate::journal::audit::{Checkpoint, Verified};
use crate::service::audit::{Audit, checkpoints, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Verifies the chain, records, bodies, plans, manifests and delivered files of one run or of all
    Verify {
        /// The run; all if none is given
        run: Option<u64>,
        /// Checkpoints exported before, one JSON object a line: finds what a rewritten chain hides
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Prints a checkpoint of one run or of all, to be kept where the journal's owner cannot change it
    Checkpoint {
        /// The run; all if none is given
        run: Option<u64>,
    },
}

pub(super) fn audit(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Verify { run, against } => {
            let known = against.as_ref().map(|file| read(file)).transpose()?.unwrap_or_default();
            Ok(report(&verify(&session.project, run.map(RunNo), &known)?))
        }
        What::Checkpoint { run } => {
            checkpoints(&session.project, run.map(RunNo))?.iter().for_each(paint::json);
            Ok(Exit::Done)
        }
    }
}

/// What holds, and which files are not as they were delivered.
fn report(audit: &Audit) -> Exit {
    let Verified { records, bodies, erased, heads, .. } = &audit.chain;
    let good = toned(Tone::Good, "verified");
    out(format!("{good} {} runs, {records} records, {bodies} bodies ({erased} erased): the chain holds", heads.len()));
    let (manifests, files) = (audit.evidence.manifests, audit.evidence.files);
    out(format!(
        "plans, {manifests} manifests and {files} delivered files are what was pinned, approved and delivered"
    ));
    for file in &audit.evidence.differing {
        out(format!("{} was {} since it was delivered", Safe(&file.place), toned(Tone::Attention, file.what)));
    }
    if audit.evidence.differing.is_empty() { Exit::Done } else { Exit::Waiting }
}

/// Largest file of checkpoints.
const CHECKPOINTS_BYTES_MAX: u64 = 64 << 20;

fn read(file: &Path) -> Result<Vec<Checkpoint>, Stop> {
    let text = crate::file::text(file, CHECKPOINTS_BYTES_MAX);
    let text = text.map_err(|error| Stop::input(format!("{}: {error}", file.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(nth, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Stop::input(format!("{}:{}: not a checkpoint ({error})", file.display(), nth + 1)))
    };
    lines.map(parse).collect()
}

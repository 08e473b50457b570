//! `callsheet check --watch`: checks again whenever a file of the project changes, also one that is half written. It looks at
//! the files' times and lengths; nothing of the system tells it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use super::check::{self, Args};
use super::exit::{Exit, Stop};
use super::paint::{Block, Tone, clear, say, toned};
use super::session::{Common, Session};
use crate::config::PROJECT_FILE;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(300);
/// Folders that a check reads nothing from.
const LEFT_OUT: [&str; 5] = [".callsheet", ".git", "out", "target", "node_modules"];
/// Files that are looked at, and how deep.
const FILES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 8;

type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

pub(super) async fn watch(common: &Common, args: &Args) -> Result<Exit, Stop> {
    let here = std::env::current_dir()?;
    let start = common.project.as_ref().map_or_else(|| here.clone(), |project| here.join(project));
    // It is looked for each time: a file that is being saved may be away for a moment.
    let root = start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).unwrap_or(&start).to_owned();
    // Heard from here on, also while a check is made.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut before = None;
    let mut exit = Exit::Done;
    loop {
        let seen = seen(&root);
        if before.as_ref() != Some(&seen) {
            before = Some(seen);
            clear();
            exit = once(common, args);
            say(toned(Tone::Faint, format!("watching {}; Ctrl-C ends it", root.display())));
        }
        tokio::select! {
            _ = tokio::time::sleep(LOOK) => {}
            _ = interrupts.recv() => return Ok(exit),
        }
    }
}

/// Checks once; what keeps it from being done is told as everything else is.
fn once(common: &Common, args: &Args) -> Exit {
    let checked = Session::look(common).and_then(|(session, faults)| check::check(&session, faults, args));
    checked.unwrap_or_else(|stop| {
        say(format!("{} {}", toned(Tone::Bad, "error:"), Block(&stop.text)));
        stop.exit
    })
}

fn seen(root: &Path) -> Seen {
    let mut seen = Seen::new();
    walk(root, DEPTH_MAX, &mut seen);
    seen
}

fn walk(folder: &Path, depth: usize, seen: &mut Seen) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() && depth > 0 && !LEFT_OUT.iter().any(|out| name == *out) {
            walk(&entry.path(), depth - 1, seen);
        } else if meta.is_file() && seen.len() < FILES_MAX {
            seen.insert(entry.path(), (meta.len(), meta.modified().ok()));
        }
    }
}

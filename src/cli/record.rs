//! `--record FILE`: the recording of a run, made from its journal. The file of the same run is brought up to date; no other file
//! is ever written over.

use std::path::Path;

use super::exit::Stop;
use super::paint::say;
use crate::app;
use crate::file;
use crate::journal::RunRow;
use crate::service::project::Project;
use crate::topology::recording::{BYTES_MAX, Recording};

/// Whether a recording of `row`, or of a run that begins, can be written to `path`.
pub(super) fn may_record(project: &Project, path: &Path, row: Option<&RunRow>) -> Result<(), Stop> {
    let wrong = |why: String| Stop::input(format!("--record {}: {why}", path.display()));
    file::regular_or_absent(path).map_err(|error| wrong(file::words(&error)))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Stop::input(format!("--record: there is no folder {}", folder.display())));
    }
    match row {
        _ if !path.exists() => Ok(()),
        None => Err(wrong(format!("there is a file already, and {KEPT}"))),
        Some(row) => ours(path, &project.recording(row)?).map_err(wrong),
    }
}

/// Writes the recording of `row` to `path`; how many calls it has.
pub(super) fn record(project: &Project, path: &Path, row: &RunRow) -> Result<usize, Stop> {
    let failed = |why: String| Stop::failed(format!("{}: {why}", path.display()));
    let recording = project.recording(row)?;
    let text = recording.text().map_err(Stop::failed)?;
    if text.len() > BYTES_MAX {
        say(format!("it has {} bytes, and a replay reads {BYTES_MAX} at most", text.len()));
    }
    file::regular_or_absent(path).map_err(|error| failed(file::words(&error)))?;
    // It may have come to be there while the run was driven.
    if path.exists() {
        ours(path, &recording).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(|error| failed(file::words(&error)))?;
    Ok(recording.call.len())
}

/// What is said of a file in the way.
const KEPT: &str = "nothing is written over: give another name, or remove it";

/// Whether the file is an earlier recording of the run that `now` is of; else why it is kept.
fn ours(path: &Path, now: &Recording) -> Result<(), String> {
    let before =
        app::read_recording(path).map_err(|_| format!("there is a file already that is no recording, and {KEPT}"))?;
    let same = (&before.topology, &before.brief, &before.models) == (&now.topology, &now.brief, &now.models);
    let is_ours = same && now.call.starts_with(&before.call);
    if is_ours { Ok(()) } else { Err(format!("there is a recording of another run already, and {KEPT}")) }
}

//! `--record FILE`: the recording of a run, made from its journal. The file of the same run is brought up to date; no other file
//! is ever written over.

use std::path::Path;

use super::exit::Stop;
use super::paint::say;
use super::session::Session;
use crate::actor::recording::recording;
use crate::app;
use crate::file;
use crate::journal::{RunRow, Store};
use crate::topology::recording::{BYTES_MAX, Recording};

impl Session {
    /// Whether a recording of `row`, or of a run that begins, can be written where it is wanted.
    pub(super) fn may_record(&self, row: Option<&RunRow>) -> Result<(), Stop> {
        let Some(path) = &self.record else { return Ok(()) };
        let wrong = |why: String| Stop::input(format!("--record {}: {why}", path.display()));
        file::regular_or_absent(path).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Stop::input(format!("--record: there is no folder {}", folder.display())));
        }
        match row {
            _ if !path.exists() => Ok(()),
            None => Err(wrong(format!("there is a file already, and {KEPT}"))),
            Some(row) => ours(path, &recording(self.store()?.as_ref(), row.id)?).map_err(wrong),
        }
    }

    /// Writes the recording of `row` if one is wanted. It is made from the journal, so it is whole each time.
    pub(super) fn record(&self, store: &dyn Store, row: &RunRow) -> Result<(), Stop> {
        let Some(path) = &self.record else { return Ok(()) };
        let failed = |why: String| Stop::failed(format!("{}: {why}", path.display()));
        let recording = recording(store, row.id)?;
        let text = recording.text().map_err(Stop::failed)?;
        if text.len() > BYTES_MAX {
            say(format!("it has {} bytes, and a replay reads {BYTES_MAX} at most", text.len()));
        }
        file::regular_or_absent(path).map_err(|error| failed(error.to_string()))?;
        // It may have come to be there while the run was driven.
        if path.exists() {
            ours(path, &recording).map_err(failed)?;
        }
        std::fs::write(path, text).map_err(|error| failed(error.to_string()))?;
        say(format!("recorded: {} calls of models in {}", recording.call.len(), self.shown_path(path)));
        Ok(())
    }
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

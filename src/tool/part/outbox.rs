//! Writes approved items into a run's folder, each whole or not at all, and can say later which were written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::args::permanent;
use crate::failure::{Class, Failure};
use crate::id::{Digest, EffectId};
use crate::tool::{Approved, Receipt};

/// The record beside the items: a line of JSON for each effect that was performed.
pub const RECORD: &str = ".effects";

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What was performed.
    pub effect: EffectId,
    /// The item's key.
    pub key: String,
    /// Of the item's bytes.
    pub digest: Digest,
}

impl Line {
    /// The line for `approved`.
    pub fn of(approved: &Approved) -> Self {
        let digest = Digest::of("callsheet item 1", &[&approved.item.bytes]);
        Self { effect: approved.effect, key: approved.item.key.clone(), digest }
    }
}

/// Writes the item to `<folder>/<key>` and then notes the effect. Not interrupted by dropping the future: the write is
/// small, and either nothing or all of it happens.
///
/// # Errors
/// Permanent or transient if nothing was written; in doubt if the item is there and its note may not be.
pub async fn put(approved: Approved) -> Result<Receipt, Failure> {
    blocking(move || {
        let name = file_name(&approved.item.key)?;
        write_whole(&approved, name).map_err(|why| not_written(&approved.folder.join(name), &why))?;
        note(&approved).map_err(|why| {
            Failure::new(Class::InDoubt, format!("{name} is written, but not noted in {RECORD}: {why}"))
        })?;
        Ok(receipt(&approved))
    })
    .await
}

/// Whether [`put`] wrote the item: it is noted, or (after a crash between the two) it is there byte for byte.
///
/// # Errors
/// If the folder cannot be read.
pub async fn find(approved: Approved) -> Result<Option<Receipt>, Failure> {
    blocking(move || {
        let path = approved.folder.join(file_name(&approved.item.key)?);
        let noted = lines(&approved.folder.join(RECORD)).map_err(|why| unreadable(&approved.folder, &why))?;
        let written = || match fs::read(&path) {
            Ok(bytes) => Ok(bytes == approved.item.bytes),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(unreadable(&path, &why)),
        };
        let found = noted.iter().any(|line| line.effect == approved.effect) || written()?;
        Ok(found.then(|| receipt(&approved)))
    })
    .await
}

/// Appends `line` to the record at `path`, durably.
///
/// # Errors
/// What the system says.
pub fn append(path: &Path, line: &Line) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut text = String::new();
    // A crash may have torn the last line; what follows must not become part of it.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        text.push_str(if last == *b"\n" { "" } else { "\n" });
    }
    text.push_str(&serde_json::to_string(line)?);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The whole lines of the record at `path`; none if it is not there.
///
/// # Errors
/// What the system says.
pub fn lines(path: &Path) -> io::Result<Vec<Line>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Runs `work` where it may block.
///
/// # Errors
/// Those of `work`, and a bug if it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|why| Err(Failure::new(Class::Bug, format!("blocking work ended badly: {why}"))))
}

/// A failure with the class that the system's answer deserves, when nothing was written.
pub fn not_written(path: &Path, why: &io::Error) -> Failure {
    let class = match why.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Class::Transient,
        _ => Class::Permanent,
    };
    Failure::new(class, format!("cannot write {}: {why}", path.display()))
}

fn write_whole(approved: &Approved, name: &str) -> io::Result<()> {
    let folder = &approved.folder;
    fs::create_dir_all(folder)?;
    // Named by the effect: two attempts of one effect write the same bytes, two effects do not meet.
    let draft = folder.join(format!(".{}.part", &approved.effect.to_string()[..32]));
    let written = write_synced(&draft, &approved.item.bytes).and_then(|()| fs::rename(&draft, folder.join(name)));
    if written.is_err() {
        // The first error is the one to report; a draft left behind is hidden and harmless.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn note(approved: &Approved) -> io::Result<()> {
    // The new names become durable before the note that speaks of them.
    for folder in approved.folder.ancestors().take(2).filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    append(&approved.folder.join(RECORD), &Line::of(approved))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn file_name(key: &str) -> Result<&str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || key.len() > 120 || key.starts_with('.') || !key.chars().all(fits) {
        return Err(permanent(format!("{key:?} is not the name of a file that may be written")));
    }
    Ok(key)
}

fn receipt(approved: &Approved) -> Receipt {
    Receipt { place: approved.folder.join(&approved.item.key).display().to_string() }
}

fn unreadable(path: &Path, why: &io::Error) -> Failure {
    permanent(format!("cannot read {}: {why}", path.display()))
}

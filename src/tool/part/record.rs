//! The record that a sink keeps of what it performed: a line of JSON for each effect, written under a lock that every
//! process takes. It is what a sink is asked, and it says whose it is.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::{self, Disk};
use crate::failure::{Class, Failure};
use crate::id::{Digest, EffectId, RunId};
use crate::tool::item::{Approved, Deadline};

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What was performed.
    pub effect: EffectId,
    /// The item's key.
    pub key: String,
    /// SHA-256 of the bytes that left, as `sha256sum` prints it. Of a line without a journal: a digest of an older kind.
    pub digest: Digest,
    /// Whose act it was: the journal, by its first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<RunId>,
    /// The file's name, if it is not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Recipients that were approved and had withdrawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// True if it was written before the act: whether it happened is told by what is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub intended: bool,
}

impl Line {
    /// The line for `approved`, as it is.
    pub fn of(approved: &Approved) -> Self {
        Self {
            effect: approved.effect,
            key: approved.item.key.clone(),
            digest: sha256(&approved.item.bytes),
            journal: Some(approved.source.journal),
            file: None,
            dropped: Vec::new(),
            intended: false,
        }
    }
}

/// SHA-256 of `bytes` alone, as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// How long another process is left to finish its line before it is looked at again.
const LOCK_POLL: Duration = Duration::from_millis(5);

/// A record that nobody else writes while this lives.
pub struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    /// Takes the record at `path`, which is made if it is not there. Waits for others no longer than the attempt may last.
    ///
    /// # Errors
    /// Why it cannot be opened, or that the attempt's time is up.
    pub fn take(path: &Path, deadline: &Deadline) -> Result<Self, Failure> {
        let file = disk::record(path).map_err(|why| not_written(path, &why))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, path: path.to_owned() }),
                Err(TryLockError::Error(why)) => return Err(not_written(path, &why)),
                Err(TryLockError::WouldBlock) => deadline.check()?,
            }
            std::thread::sleep(LOCK_POLL);
        }
    }

    /// Appends `line`, durably.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&mut self, disk: &dyn Disk, line: &impl Serialize) -> io::Result<()> {
        let mut text = String::new();
        // A crash may have torn the last line; what follows must not become part of it.
        if self.file.seek(SeekFrom::End(0))? > 0 {
            self.file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            self.file.read_exact(&mut last)?;
            text.push_str(if last == *b"\n" { "" } else { "\n" });
        }
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
        disk.append(&self.file, &self.path, text.as_bytes())?;
        disk.sync(&self.file, &self.path)
    }
}

/// What `of` finds first among the whole lines of the record at `path`; nothing if it is not there.
///
/// # Errors
/// What the system says.
pub fn find<L: DeserializeOwned, T>(path: &Path, mut of: impl FnMut(L) -> Option<T>) -> io::Result<Option<T>> {
    scan(path, "", |line| serde_json::from_slice(line).ok().and_then(&mut of))
}

/// The lines about `effect` in the record at `path`.
///
/// # Errors
/// What the system says.
pub fn about(path: &Path, effect: EffectId) -> io::Result<Vec<Line>> {
    Ok(naming::<Line>(path, effect)?.into_iter().filter(|line| line.effect == effect).collect())
}

/// The whole lines of the record at `path` in which `effect` stands.
///
/// # Errors
/// What the system says.
pub fn naming<L: DeserializeOwned>(path: &Path, effect: EffectId) -> io::Result<Vec<L>> {
    holding(path, &effect.to_string())
}

/// The whole lines of the record at `path` in which `part` stands.
///
/// # Errors
/// What the system says.
pub fn holding<L: DeserializeOwned>(path: &Path, part: &str) -> io::Result<Vec<L>> {
    let mut found = Vec::new();
    scan(path, part, |line| {
        found.extend(serde_json::from_slice::<L>(line).ok());
        None::<()>
    })?;
    Ok(found)
}

/// Goes through the lines in which `part` stands, as far as `of` finds nothing: only those are worth taking apart.
fn scan<T>(path: &Path, part: &str, mut of: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
    let file = match crate::file::open(path) {
        Ok(file) => file,
        // What lies where its folder should be may be a file.
        Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(why) => return Err(why),
    };
    let (mut file, mut line) = (BufReader::new(file), Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        let names = std::str::from_utf8(&line).is_ok_and(|line| line.contains(part));
        if let Some(found) = names.then(|| of(&line)).flatten() {
            return Ok(Some(found));
        }
        line.clear();
    }
    Ok(None)
}

/// A failure with the class that the system's answer deserves, when nothing was written.
pub fn not_written(path: &Path, why: &io::Error) -> Failure {
    let class = match why.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Class::Transient,
        _ => Class::Permanent,
    };
    Failure::new(class, format!("{} cannot be written: {}", path.display(), crate::file::words(why)))
}

//! What a channel was told of what still waits, and what became of its last try: a file of its own beside the
//! journal, and a lock on who tells it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file;
use crate::id::Timestamp;

/// Largest file.
const BYTES_MAX: u64 = 64 << 20;

/// What one who is told was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mark {
    /// The notices that it took, by id, as far as what they tell of still waits.
    pub(super) told: BTreeSet<String>,
    /// The address that took them, if the file says one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    /// The last try, if the channel did not take what it was told.
    pub(super) failed: Option<Failed>,
}

/// That a channel could not be told something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// When.
    pub at: Timestamp,
    /// Why, for people.
    pub why: String,
}

impl Mark {
    /// That of `name`, which is told at `to`; of one that was never told anything there, or whose file nobody can read,
    /// it is empty: such a one is told again rather than never.
    pub(super) fn read(folder: &Path, name: &str, to: Option<&str>) -> Self {
        let read = file::text(&path(folder, name, "json"), BYTES_MAX).ok();
        let read = read.and_then(|text| serde_json::from_str(&text).ok());
        let is_here = |mark: &Self| mark.to.as_deref() == to;
        read.filter(is_here).unwrap_or_else(|| Self { to: to.map(str::to_owned), ..Self::default() })
    }

    /// Writes it whole and durably, or leaves what was there.
    pub(super) fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        let part = path(folder, name, "part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(part, path(folder, name, "json"))?;
        File::open(folder)?.sync_all()
    }
}

/// The right to tell a channel, as long as this lives; none while another process has it.
pub(super) fn lock(folder: &Path, name: &str) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let file = File::create(path(folder, name, "lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn path(folder: &Path, name: &str, kind: &str) -> PathBuf {
    folder.join(format!("{name}.{kind}"))
}

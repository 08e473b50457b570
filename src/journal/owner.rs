//! Who is alive: an owner holds the operating system's lock on a file for its whole life; no clock.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Cause, Error, Holder, OwnerId, Subject};

/// The lock of an owner of runs, held until this is dropped or its process is gone, however it went. A stopped process
/// holds it.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    // Held for the lock on it alone.
    _file: File,
}

impl Lock {
    /// The lock of `holder`, whose id nobody else has, on runs in the journal that lies in the folder `dir`.
    pub(super) fn new(dir: &Path, holder: &Holder) -> Result<Self, Error> {
        let path = path_of(dir, holder.id);
        let file = take(&path, &holder.label).map_err(|error| {
            let text = format!("cannot hold a lock at {}: {error}; is the folder writable?", path.display());
            Error::Broken(Cause::new(Subject::Owner(holder.id), text).by(error))
        })?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while the lock is held. If that fails, whoever asks next finds it unlocked and removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// What `owner` is called if it lives; the file of a dead one is removed.
pub fn is_alive(dir: &Path, owner: OwnerId) -> Result<Option<Holder>, Error> {
    let path = path_of(dir, owner);
    let unknown = |error: std::io::Error| {
        let text = format!("may live or not, {} does not tell: {}", path.display(), crate::file::words(&error));
        Error::Unreadable(Cause::new(Subject::Owner(owner), text).by(error))
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unknown(error)),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let label = fs::read_to_string(&path).ok().filter(|label| !label.is_empty());
            Ok(Some(Holder { id: owner, label: label.unwrap_or_else(|| "another process".to_owned()) }))
        }
        Err(TryLockError::Error(error)) => Err(unknown(error)),
        Ok(()) => {
            // Its id is known to nobody before it holds its lock, so an unlocked file is a dead owner's.
            let _ = fs::remove_file(&path);
            Ok(None)
        }
    }
}

fn path_of(dir: &Path, owner: OwnerId) -> PathBuf {
    dir.join("owners").join(owner.0.to_string())
}

fn take(path: &Path, label: &str) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    file.try_lock()?;
    file.write_all(label.as_bytes())?;
    Ok(file)
}

//! Who is alive: an owner holds the operating system's lock on a file for its whole life; no lease, no clock.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Error, OwnerId};

/// An owner of runs, alive until this is dropped or its process is gone, however it went. A stopped process lives.
#[derive(Debug)]
pub struct Owner {
    id: OwnerId,
    path: PathBuf,
    // Held for the lock on it alone.
    _lock: File,
}

impl Owner {
    /// The owner `id`, an id that nobody else has, of runs in the journal that lies in the folder `dir`.
    pub fn new(dir: &Path, id: OwnerId) -> Result<Self, Error> {
        let path = path_of(dir, id);
        let lock = take(&path).map_err(|error| {
            Error::Broken(format!("no lock can be held at {}: {error}; is the folder writable?", path.display()))
        })?;
        Ok(Self { id, path, _lock: lock })
    }

    /// Its id, for [`super::Op::Create`] and [`super::Op::Claim`].
    pub fn id(&self) -> OwnerId {
        self.id
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Removed while the lock is held. If that fails, whoever asks next finds it unlocked and removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// The process of `owner` if it lives; the file of a dead one is removed. 0 if the process cannot be told.
pub fn is_alive(dir: &Path, owner: OwnerId) -> Result<Option<u32>, Error> {
    let path = path_of(dir, owner);
    let unknown = |error: std::io::Error| {
        Error::Unreadable(format!("whether an owner lives cannot be told from {}: {error}", path.display()))
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unknown(error)),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            Ok(Some(pid.unwrap_or(0)))
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

fn take(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    file.try_lock()?;
    write!(file, "{}", std::process::id())?;
    Ok(file)
}

//! The steps by which a file comes to be there for good: written, synced, named, its folder synced. A trait, so that a
//! test can see each step and lose one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Where files are written.
pub trait Disk: Send + Sync {
    /// Makes the folder at `path`; its own folder is there.
    ///
    /// # Errors
    /// What the system says, as for all of these.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    /// Writes a file that is not yet durable.
    ///
    /// # Errors
    /// What the system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Adds to the end of `file`, which lies at `path`; not yet durable.
    ///
    /// # Errors
    /// What the system says.
    fn append(&self, mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let _ = path;
        file.write_all(bytes)
    }

    /// Gives a file its name; not durable before its folder is synced.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Gives a file a second name, if nothing has that name; not durable before its folder is synced.
    ///
    /// # Errors
    /// What the system says.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    /// Makes what was written to `file` durable, or, if it is a folder, the names in it.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        let _ = path;
        file.sync_all()
    }
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Disk for Machine {}

/// Makes the names in the folder at `path` durable.
///
/// # Errors
/// What the system says.
pub fn sync_folder(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    disk.sync(&File::open(path)?, path)
}

/// Opens the record at `path`, which is made if it is not there.
///
/// # Errors
/// What the system says.
pub fn record(path: &Path) -> io::Result<File> {
    crate::file::regular_or_absent(path)?;
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

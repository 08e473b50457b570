//! Copies of a project in folders that go when they are done with.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::exit::Stop;
use crate::clock::{Clock as _, Machine};
use crate::config::{Flags, Settings};
use crate::file::words;

/// Bytes of a project that are copied at most.
const BYTES_MAX: u64 = 256 << 20;

/// What a project's run makes, or nobody needs for one.
const LEFT_OUT: [&str; 4] = [".callsheet", "out", "target", ".git"];

/// A folder in the system's place for such.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty one.
    pub(super) fn new() -> Result<Self, Stop> {
        let folder = std::env::temp_dir().join(format!("callsheet-rehearse-{}", Machine.id()));
        let unmade = |why| Stop::failed(format!("{} cannot be made: {}", folder.display(), words(&why)));
        fs::create_dir_all(&folder).map_err(unmade)?;
        Ok(Self(folder))
    }

    /// A copy of the project at `root` as it is before anything ran.
    pub(super) fn fresh(root: &Path) -> Result<Self, Stop> {
        let scratch = Self::new()?;
        copy(root, &scratch.0, &LEFT_OUT, &mut 0)?;
        Ok(scratch)
    }

    /// A copy of all that is in `root`.
    pub(super) fn whole(root: &Path) -> Result<Self, Stop> {
        let scratch = Self::new()?;
        copy(root, &scratch.0, &[], &mut 0)?;
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's own scratch folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The settings of the project that is copied to `root`.
pub(super) fn settings(root: &Path) -> Result<Settings, Stop> {
    let journal = root.join(".callsheet").join("journal.db");
    let flags = Flags { project: Some(root.to_owned()), journal: Some(journal), ..Flags::default() };
    Settings::load(&flags).map_err(|error| Stop::failed(error.to_string()))
}

fn copy(from: &Path, to: &Path, left_out: &[&str], bytes: &mut u64) -> Result<(), Stop> {
    let unmade = |why| Stop::failed(format!("{} cannot be made: {}", to.display(), words(&why)));
    fs::create_dir_all(to).map_err(unmade)?;
    let told = |path: &Path, why: &std::io::Error| {
        Stop::failed(format!("{} cannot be copied: {}", path.display(), words(why)))
    };
    for entry in fs::read_dir(from).map_err(|why| told(from, &why))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if left_out.iter().any(|name| entry.file_name() == OsStr::new(name)) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&path, &target, &[], bytes)?;
        } else if path.is_file() {
            *bytes += fs::metadata(&path)?.len();
            if *bytes > BYTES_MAX {
                return Err(Stop::input(format!(
                    "the project's folder holds more than {} MiB (with {}); a rehearsal with kills copies all of it but {}: move what no run needs",
                    BYTES_MAX >> 20,
                    path.display(),
                    LEFT_OUT.join(", "),
                )));
            }
            fs::copy(&path, &target).map_err(|why| told(&path, &why))?;
        }
    }
    Ok(())
}

//! The files of a project, read beneath its folder only.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::file;
use crate::topology::check::{Files, ReadError};
use crate::topology::raw::walk::FILE_BYTES_MAX;

/// Names that a suggestion looks through.
const NAMES_MAX: usize = 1_000;

/// A project's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The path below the root that `path` names, without leaving it on the way, nor through a link.
    fn below(&self, path: &str) -> Result<PathBuf, ReadError> {
        let mut parts: Vec<&std::ffi::OsStr> = vec![];
        for component in Path::new(path).components() {
            match component {
                Component::Normal(part) => parts.push(part),
                Component::CurDir => {}
                Component::ParentDir => {
                    parts.pop().ok_or(ReadError::Outside)?;
                }
                Component::RootDir | Component::Prefix(_) => return Err(ReadError::Outside),
            }
        }
        let path = self.root.join(parts.iter().collect::<PathBuf>());
        let (real, root) = (path.canonicalize().map_err(refused)?, self.root.canonicalize().map_err(refused)?);
        if real.starts_with(&root) { Ok(real) } else { Err(ReadError::Outside) }
    }
}

fn refused(error: std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ReadError::Missing,
        _ => ReadError::Refused(file::words(&error)),
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let path = self.below(path)?;
        let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        file::bytes(&path, limit).map_err(refused)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = self.below(folder).map_err(|_| ()).and_then(|path| path.read_dir().map_err(|_| ())) else {
            return vec![];
        };
        entries.take(NAMES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

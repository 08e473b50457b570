//! Keeps paths beneath a directory: no absolute path, no `..`, no symbolic link that leads out.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a path is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It says by itself that it leads out.
    #[error("{0:?} is not a path below the directory: write it relative, without '..'")]
    Leads(String),
    /// A link on it leads out.
    #[error("{0:?} leads out of its directory through a symbolic link")]
    Link(String),
    /// It is not there, or cannot be looked at.
    #[error("{path} cannot be read: {}", crate::file::words(.why))]
    Unreadable {
        /// As it was written.
        path: String,
        /// What the system said.
        why: io::Error,
    },
}

/// Takes `path` if its text alone keeps it below a directory; looks at no file.
///
/// # Errors
/// [`Error::Leads`].
pub fn plain(path: &str) -> Result<&Path, Error> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
    let strange = path.is_empty() || path.len() > 1_000 || path.contains(['\0', '\\']) || path.ends_with('/');
    if strange || !Path::new(path).components().all(inside) {
        return Err(Error::Leads(path.to_owned()));
    }
    Ok(Path::new(path))
}

/// The real path of the existing `path` below `root`.
///
/// # Errors
/// All of [`Error`].
pub fn existing(root: &Path, path: &str) -> Result<PathBuf, Error> {
    let unreadable = |why| Error::Unreadable { path: path.to_owned(), why };
    let root = root.canonicalize().map_err(unreadable)?;
    let real = root.join(plain(path)?).canonicalize().map_err(unreadable)?;
    if real.starts_with(&root) { Ok(real) } else { Err(Error::Link(path.to_owned())) }
}

//! Files that are written for a person, who may have some of that name: whatever is there stays as it is.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::exit::Stop;
use crate::file::words;

/// Writes a file that is not there yet, with the folders above it.
pub(super) fn write_new(root: &Path, path: &str, bytes: &[u8]) -> Result<(), Stop> {
    let whole = root.join(path);
    let failed = |why: std::io::Error| match why.kind() {
        ErrorKind::AlreadyExists => Stop::input(format!("{path} is there already and stays as it is")),
        _ => Stop::failed(format!("{path} cannot be written: {}", words(&why))),
    };
    if let Some(folder) = whole.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&whole).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

/// Those of `paths` that are there.
pub(super) fn taken<'p>(root: &Path, paths: impl IntoIterator<Item = &'p str>) -> Vec<&'p str> {
    paths.into_iter().filter(|path| root.join(path).symlink_metadata().is_ok()).collect()
}

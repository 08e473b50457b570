//! The files below a folder: no link is followed, and what is too large is left out and said.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::form::Form;

/// Most documents of a folder.
const FILES_MAX: usize = 10_000;
/// Most entries that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// How deep folders are looked into.
const DEPTH_MAX: usize = 12;

/// A document, as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Below the folder.
    pub(super) path: String,
    pub(super) form: Form,
    pub(super) bytes: u64,
    /// What changes whenever the file does: when it was written, when it was touched, which file it is.
    pub(super) stamp: String,
}

/// The documents in the order of their paths.
///
/// # Errors
/// A clause, for people: the folder cannot be read, or holds too much.
pub(super) fn documents(root: &Path) -> Result<Vec<Found>, String> {
    let (mut found, mut entries) = (Vec::new(), 0);
    below(root, "", 0, &mut entries, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn below(folder: &Path, prefix: &str, depth: usize, entries: &mut usize, found: &mut Vec<Found>) -> Result<(), String> {
    let read = fs::read_dir(folder).map_err(|why| {
        let shown = if prefix.is_empty() { "the folder" } else { prefix.trim_end_matches('/') };
        format!("{shown} cannot be read: {}", crate::file::words(&why))
    })?;
    for entry in read.flatten() {
        *entries += 1;
        if *entries > ENTRIES_MAX || found.len() > FILES_MAX {
            return Err(format!(
                "the folder holds more than {FILES_MAX} documents or {ENTRIES_MAX} files: name a smaller one"
            ));
        }
        // Not of what a link leads to.
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if name.starts_with('.') || name.contains(['\\', '\0']) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() && depth < DEPTH_MAX {
            below(&entry.path(), &format!("{path}/"), depth + 1, entries, found)?;
        }
        let (true, Some(form)) = (kind.is_file(), Form::of(&name)) else { continue };
        let Ok(seen) = entry.metadata() else { continue };
        let stamp = format!(
            "{} {}.{} {}.{} {}",
            seen.len(),
            seen.mtime(),
            seen.mtime_nsec(),
            seen.ctime(),
            seen.ctime_nsec(),
            seen.ino()
        );
        found.push(Found { path, form, bytes: seen.len(), stamp });
    }
    Ok(())
}

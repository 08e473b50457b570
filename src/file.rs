//! Opens the files that people name, without waiting for one that is no file: a pipe, a device, a socket or a folder is
//! refused at once. What is in a file is not looked at here.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The regular file at `path`, to read.
///
/// # Errors
/// What the system says, and that it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    regular(path)?;
    let file = unblocked(path)?;
    // It may have become something else since the look above.
    refused(file.metadata()?.file_type())?;
    Ok(file)
}

/// Looks whether `path` is a regular file; opens nothing.
///
/// # Errors
/// As [`open`].
pub fn regular(path: &Path) -> io::Result<()> {
    refused(fs::metadata(path)?.file_type())
}

/// Looks whether `path` may be written to: a regular file is there, or nothing.
///
/// # Errors
/// As [`open`].
pub fn regular_or_absent(path: &Path) -> io::Result<()> {
    match regular(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        found => found,
    }
}

/// The bytes of the regular file at `path`, at most `bytes_max` of them.
///
/// # Errors
/// As [`open`].
pub fn bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The whole text of the regular file at `path`.
///
/// # Errors
/// As [`open`], and if it is not UTF-8 or has more than `bytes_max` bytes: half a text may read as another whole one.
pub fn text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {bytes_max} bytes")));
    }
    Ok(text)
}

/// Why the system refuses something, as a clause for people: without its number, and with what to look at.
pub fn words(why: &io::Error) -> String {
    use io::ErrorKind as Kind;
    // What is said here is in words already.
    if why.get_ref().is_some() {
        return why.to_string();
    }
    let words = match why.kind() {
        Kind::NotFound => "it is not there, or a folder above it is not",
        Kind::PermissionDenied => "this user may not; look at its permissions",
        Kind::IsADirectory => "it is a folder, and a file is needed",
        Kind::NotADirectory => "a part of its path is a file, and a folder is needed",
        Kind::AlreadyExists => "something of that name is there already",
        Kind::StorageFull | Kind::QuotaExceeded => "the disk is full; make room on it",
        Kind::ReadOnlyFilesystem => "it lies on a disk that can only be read",
        Kind::InvalidFilename => "its name is none that this disk takes",
        Kind::InvalidData => "it is not UTF-8 text",
        _ => {
            let said = why.to_string();
            return said.split(" (os error").next().unwrap_or_default().to_lowercase();
        }
    };
    words.to_owned()
}

fn refused(found: fs::FileType) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() { "is a folder" } else { "is a pipe, a device or a socket" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: a regular file is needed here")))
}

#[cfg(unix)]
fn unblocked(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe without a writer would hold the opening; with this it is opened, and refused.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn unblocked(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, "a = 1\nb = 2\n").unwrap();
        let read = |bytes_max| text(&path, bytes_max).map_err(|why| why.to_string());
        assert_eq!(read(12).as_deref(), Ok("a = 1\nb = 2\n"));
        assert_eq!(read(6), Err("it has more than 6 bytes".to_owned()));
    }
}

//! Writes approved items into a run's folder, each whole or not at all, and can say later which were written. A folder
//! belongs to one run, and nothing in it is written over: what is in the way makes the name longer, and is told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::permanent;
use super::disk::{Disk, Machine, sync_folder};
use super::record::{self, Line, Record, not_written, sha256};
use crate::failure::{Class, Failure};
use crate::file::words;
use crate::id::RunId;
use crate::run::body::Receipt;
use crate::tool::item::{Approved, Source};

/// The record beside the items: whose folder it is, then a line for each effect that was performed.
pub const RECORD: &str = ".effects";

/// Folders, and files in one, that one name may come to.
const NAMES_MAX: u32 = 1_000;

/// The record's first line.
#[derive(Serialize, Deserialize)]
struct Claim {
    folder_of: Source,
}

/// Writes the item to `<folder>/<key>` and then notes the effect; `dropped` are the recipients that are no longer in its
/// bytes. Not interrupted by dropping the future: the write is small, and either nothing or all of it happens.
///
/// # Errors
/// Permanent or transient if nothing was written; in doubt if the item is there and its note may not be.
pub async fn put(approved: Approved, dropped: Vec<String>) -> Result<Receipt, Failure> {
    blocking(move || put_on(&Machine, &approved, &dropped)).await
}

/// [`put`] on `disk`, in this thread.
///
/// # Errors
/// As [`put`].
pub fn put_on(disk: &dyn Disk, approved: &Approved, dropped: &[String]) -> Result<Receipt, Failure> {
    let key = file_name(&approved.item.key)?;
    let (folder, mut record) = own_folder(disk, approved)?;
    let noted = record::about(&folder.join(RECORD), approved.effect).map_err(|why| unreadable(&folder, &why))?;
    if let Some(line) = noted.iter().find(|line| !line.intended) {
        return Ok(receipt(approved, &folder, line));
    }
    // Whoever waited for the record may have waited too long.
    approved.deadline.check()?;
    let name = free_name(&folder, key, &approved.item.bytes).map_err(|why| unreadable(&folder, &why))?;
    let name = name.ok_or_else(|| permanent(format!("there are {NAMES_MAX} files named like {key} already")))?;
    let line = Line { file: (name != key).then(|| name.clone()), dropped: dropped.to_vec(), ..Line::of(approved) };
    let failed = |why: io::Error| not_written(&folder.join(&name), &why);
    if !dropped.is_empty() {
        // What was approved no longer tells whether this happened, so what is about to happen is noted first.
        record.append(disk, &Line { intended: true, ..line.clone() }).map_err(failed)?;
    }
    write_whole(disk, approved, &folder, &name).map_err(failed)?;
    // The new name becomes durable before the note that speaks of it.
    sync_folder(disk, &folder).and_then(|()| record.append(disk, &line)).map_err(|why| {
        Failure::new(Class::InDoubt, format!("{name} is written, but not noted in {RECORD}: {}", words(&why)))
    })?;
    Ok(receipt(approved, &folder, &line))
}

/// Whether [`put`] wrote the item: it is noted, or (after a crash between the two) it is there byte for byte.
///
/// # Errors
/// If a folder cannot be read.
pub async fn find(approved: Approved) -> Result<Option<Receipt>, Failure> {
    blocking(move || {
        let key = file_name(&approved.item.key)?;
        for folder in folders(&approved.folder).take_while(|folder| folder.exists()) {
            if let Some(found) = find_in(&folder, key, &approved).map_err(|why| unreadable(&folder, &why))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    })
    .await
}

fn find_in(folder: &Path, key: &str, approved: &Approved) -> io::Result<Option<Receipt>> {
    let noted = record::about(&folder.join(RECORD), approved.effect)?;
    if let Some(line) = noted.iter().find(|line| !line.intended) {
        return Ok(Some(receipt(approved, folder, line)));
    }
    if owner(folder)?.is_none_or(|source| source.run != approved.source.run) {
        return Ok(None);
    }
    for line in &noted {
        let there = read(&folder.join(line.file.as_deref().unwrap_or(key)))?;
        if there.is_some_and(|bytes| sha256(&bytes) == line.digest) {
            return Ok(Some(receipt(approved, folder, line)));
        }
    }
    for name in names(key) {
        match read(&folder.join(&name))? {
            None => break,
            Some(bytes) if bytes == approved.item.bytes => {
                let line = Line { file: (name != key).then_some(name), ..Line::of(approved) };
                return Ok(Some(receipt(approved, folder, &line)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The folder of `run` among those named like `wanted`, if it has written one.
///
/// # Errors
/// What the system says.
pub fn folder_of(wanted: &Path, run: RunId) -> io::Result<Option<PathBuf>> {
    for folder in folders(wanted).take_while(|folder| folder.exists()) {
        if owner(&folder)?.is_some_and(|source| source.run == run) {
            return Ok(Some(folder));
        }
    }
    // One that an older callsheet made says nobody's name.
    let older = wanted.join(RECORD).exists() && owner(wanted)?.is_none();
    Ok(older.then(|| wanted.to_owned()))
}

/// The run's own folder and its record: the first named like it that is its, or nobody's.
fn own_folder(disk: &dyn Disk, approved: &Approved) -> Result<(PathBuf, Record), Failure> {
    let above = approved.folder.parent().unwrap_or(Path::new(""));
    if !above.as_os_str().is_empty() && !above.exists() {
        fs::create_dir_all(above).map_err(|why| not_written(above, &why))?;
    }
    for folder in folders(&approved.folder) {
        match disk.make_folder(&folder) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(not_written(&folder, &why)),
            _ => {}
        }
        if let Some(record) = claim(disk, &folder, approved)? {
            return Ok((folder, record));
        }
    }
    Err(permanent(format!("{NAMES_MAX} folders named like {} are others' already", approved.folder.display())))
}

/// The folder's record, if the folder is the run's own or becomes it; none if it is another's.
fn claim(disk: &dyn Disk, folder: &Path, approved: &Approved) -> Result<Option<Record>, Failure> {
    let path = folder.join(RECORD);
    let failed = |why: io::Error| not_written(&path, &why);
    // In this order: another attempt of the same run may be claiming it, and its record is there before its first item.
    if !folder.is_dir() || (has_content(folder).map_err(failed)? && !path.exists()) {
        return Ok(None);
    }
    let mut record = Record::take(&path, &approved.deadline)?;
    if let Some(source) = owner(folder).map_err(failed)? {
        return Ok((source.run == approved.source.run).then_some(record));
    }
    // An older callsheet wrote no first line; what it wrote is not added to.
    if record::find(&path, |line: Line| Some(line)).map_err(failed)?.is_some() {
        return Ok(None);
    }
    // The names within the folder become durable with the first item.
    let above = [folder.parent(), folder.parent().and_then(Path::parent)];
    let made = record.append(disk, &Claim { folder_of: approved.source });
    let synced = made.and_then(|()| above.into_iter().flatten().try_for_each(|above| sync_folder(disk, above)));
    synced.map_err(failed)?;
    Ok(Some(record))
}

/// Whose folder it is, if its record says so.
fn owner(folder: &Path) -> io::Result<Option<Source>> {
    record::find(&folder.join(RECORD), |claim: Claim| Some(claim.folder_of))
}

/// Whether anything but drafts lies in it.
fn has_content(folder: &Path) -> io::Result<bool> {
    let shown = |name: &std::ffi::OsStr| !name.as_encoded_bytes().starts_with(b".");
    fs::read_dir(folder)?.try_fold(false, |found, entry| Ok(found || shown(&entry?.file_name())))
}

/// `wanted` and what it is called if that is another's: `1-news`, `1-news-2`, ...
fn folders(wanted: &Path) -> impl Iterator<Item = PathBuf> {
    let name = wanted.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let longer = move |wanted: &Path, n: u32| wanted.with_file_name(format!("{name}-{n}"));
    (1..=NAMES_MAX).map(move |n| if n == 1 { wanted.to_owned() } else { longer(wanted, n) })
}

/// `key` and what the file is called if that is taken: `post.md`, `post-2.md`, ...
pub(in crate::tool) fn names(key: &str) -> impl Iterator<Item = String> {
    let (stem, dot, ending) = key.rfind('.').map_or((key, "", ""), |at| (&key[..at], ".", &key[at + 1..]));
    (1..=NAMES_MAX).map(move |n| if n == 1 { key.to_owned() } else { format!("{stem}-{n}{dot}{ending}") })
}

/// The first name that is free, or holds these very bytes.
fn free_name(folder: &Path, key: &str, bytes: &[u8]) -> io::Result<Option<String>> {
    for name in names(key) {
        let path = folder.join(&name);
        let free = path.symlink_metadata().is_err_and(|why| why.kind() == io::ErrorKind::NotFound);
        if free || path.is_file() && fs::read(&path)? == bytes {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match crate::file::bytes(path, u64::MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Runs `work` where it may block.
///
/// # Errors
/// Those of `work`, and a bug if it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|why| Err(Failure::new(Class::Bug, format!("blocking work ended badly: {why}"))))
}

fn write_whole(disk: &dyn Disk, approved: &Approved, folder: &Path, name: &str) -> io::Result<()> {
    // Named by the effect: two attempts of one effect do not run at once, two effects do not meet.
    let draft = folder.join(format!(".{}.part", &approved.effect.to_string()[..32]));
    let written = disk.write(&draft, &approved.item.bytes).and_then(|file| disk.sync(&file, &draft));
    let named = written.and_then(|()| disk.rename(&draft, &folder.join(name)));
    if named.is_err() {
        // The first error is the one to report; a draft left behind is hidden and harmless.
        let _ = fs::remove_file(&draft);
    }
    named
}

/// The key, if it is the name of a file that may be written.
pub(in crate::tool) fn file_name(key: &str) -> Result<&str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || key.len() > 120 || key.starts_with('.') || !key.chars().all(fits) {
        return Err(permanent(format!("{key:?} is not the name of a file that may be written")));
    }
    Ok(key)
}

fn receipt(approved: &Approved, folder: &Path, line: &Line) -> Receipt {
    let key = approved.item.key.as_str();
    let short = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut told = Vec::new();
    if folder != approved.folder {
        told.push(format!("the folder {} is not this run's", short(&approved.folder)));
    }
    if let Some(name) = &line.file {
        told.push(format!("{key} was there with other content, so this is {name}"));
    }
    Receipt {
        place: folder.join(line.file.as_deref().unwrap_or(key)).display().to_string(),
        sha256: line.journal.map(|_| line.digest),
        dropped: line.dropped.clone(),
        refused: Vec::new(),
        over: Vec::new(),
        remark: (!told.is_empty()).then(|| told.join("; ")),
    }
}

/// A failure that says that `path` cannot be read.
pub(in crate::tool) fn unreadable(path: &Path, why: &io::Error) -> Failure {
    permanent(format!("{} cannot be read: {}", path.display(), words(why)))
}

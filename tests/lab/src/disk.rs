//! A disk as a store sees it: every write, truncation, sync and deletion is recorded in order, and the N-th may fail.
//! It stands under every SQLite file of a folder; the files themselves are real.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::vfs;

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opening a file.
    Open,
    /// Reading.
    Read,
    /// Asking for a file's size.
    Size,
    /// Writing.
    Write,
    /// Cutting a file off.
    Truncate,
    /// Syncing.
    Sync,
    /// Deleting a file.
    Delete,
    /// Taking a lock, of a file or of the shared memory.
    Lock,
    /// Mapping the shared memory.
    Share,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The device reports an error; nothing was done.
    Error,
    /// The disk is full; nothing was written.
    Full,
    /// Half of the bytes were written, then the device reports an error.
    ShortError,
    /// Half of the bytes were written, then the disk is full.
    ShortFull,
}

/// A fault to come.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What fails.
    pub kind: Kind,
    /// Which one, from 0.
    pub nth: usize,
    /// How.
    pub how: How,
    /// Whether every later one fails too.
    pub stays: bool,
}

/// What happened on the disk, or was said of it.
#[derive(Debug, Clone)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// The file's name.
        file: Arc<str>,
        /// Where.
        at: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file was cut off, or grown with zeros.
    Truncate {
        /// The file's name.
        file: Arc<str>,
        /// Its new size.
        size: usize,
    },
    /// A file was synced.
    Sync(Arc<str>),
    /// A sync failed: what was not synced before is in doubt for ever, whatever later syncs say.
    SyncFailed(Arc<str>),
    /// A file was deleted.
    Delete(Arc<str>),
    /// So many groups of the workload were acknowledged by now.
    Acknowledged(usize),
}

/// The disk under one folder.
#[derive(Debug, Default)]
pub struct Disk {
    inner: Mutex<Inner>,
}

/// Holds a disk in its place; when dropped the folder is like any other.
#[derive(Debug)]
pub struct Mounted {
    folder: PathBuf,
    disk: Arc<Disk>,
}

#[derive(Debug, Default)]
struct Inner {
    log: Vec<Event>,
    fault: Option<Fault>,
    seen: usize,
    struck: bool,
    lies: bool,
}

static MOUNTED: Mutex<Vec<(PathBuf, Arc<Disk>)>> = Mutex::new(Vec::new());

impl Mounted {
    /// Puts a disk under `folder`, whose path has no symbolic link.
    pub fn at(folder: &Path) -> Self {
        vfs::register();
        let disk = Arc::new(Disk::default());
        lock(&MOUNTED).push((folder.to_owned(), Arc::clone(&disk)));
        Self { folder: folder.to_owned(), disk }
    }
}

impl std::ops::Deref for Mounted {
    type Target = Disk;

    fn deref(&self) -> &Disk {
        &self.disk
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        lock(&MOUNTED).retain(|(folder, _)| *folder != self.folder);
    }
}

impl Disk {
    /// The disk under the file at `path`, if there is one.
    pub(crate) fn under(path: &Path) -> Option<Arc<Self>> {
        let folder = path.parent()?;
        lock(&MOUNTED).iter().find(|(mounted, _)| mounted == folder).map(|(_, disk)| Arc::clone(disk))
    }

    /// Takes what was recorded since the last time.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut lock(&self.inner).log)
    }

    /// Says that so many groups are acknowledged.
    pub fn acknowledge(&self, groups: usize) {
        self.record(Event::Acknowledged(groups));
    }

    /// Plans a fault, counting from here; or none.
    pub fn plan(&self, fault: Option<Fault>) {
        let mut inner = lock(&self.inner);
        (inner.fault, inner.seen, inner.struck) = (fault, 0, false);
    }

    /// Whether the planned fault has happened.
    pub fn has_struck(&self) -> bool {
        lock(&self.inner).struck
    }

    /// Makes every sync do nothing and say that it did.
    pub fn lie(&self) {
        lock(&self.inner).lies = true;
    }

    pub(crate) fn lies(&self) -> bool {
        lock(&self.inner).lies
    }

    pub(crate) fn record(&self, event: Event) {
        lock(&self.inner).log.push(event);
    }

    /// How the operation at hand is to fail, if it is.
    pub(crate) fn strike(&self, kind: Kind) -> Option<How> {
        let mut inner = lock(&self.inner);
        let fault = inner.fault.filter(|fault| fault.kind == kind)?;
        let nth = inner.seen;
        inner.seen += 1;
        let strikes = nth == fault.nth || (fault.stays && nth > fault.nth);
        inner.struck |= strikes;
        strikes.then_some(fault.how)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

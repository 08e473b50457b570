//! SQLite's file layer, wrapped: what happens to a file in a mounted folder goes through its [`Disk`] first.
//! It is the process's default, so that the journal under test needs no hook; elsewhere it only passes through.
#![allow(non_snake_case, reason = "the fields that these functions fill have SQLite's names")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::{Arc, Once};

use rusqlite::ffi;

use crate::disk::{Disk, Event, How, Kind};

/// Pages in the log after which a commit moves them into the file: few, so that a short workload sees many such moves.
const CHECKPOINT_PAGES: c_int = 12;

static REGISTER: Once = Once::new();
static NAME: &CStr = c"callsheet-lab";

/// Makes this the process's file layer.
pub(crate) fn register() {
    REGISTER.call_once(|| {
        // SAFETY: the default layer lives as long as the process, and so does the leaked copy; a copy keeps the
        // unix layer's functions and data, of which only two functions are replaced.
        let answer = unsafe {
            let mut vfs = *real();
            vfs.szOsFile += size_of::<Handle>() as c_int;
            vfs.pNext = std::ptr::null_mut();
            vfs.zName = NAME.as_ptr();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 1)
        };
        assert_eq!(answer, ffi::SQLITE_OK, "the file layer is registered");
    });
}

/// What SQLite takes for a file; the unix layer's own lies right behind it.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    watch: *mut Watch,
}

struct Watch {
    disk: Option<Arc<Disk>>,
    name: Arc<str>,
    connection: *mut ffi::sqlite3,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(take_lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    // Memory mapping is off in the journal, and version 2 has none.
    xFetch: None,
    xUnfetch: None,
};

fn real() -> *mut ffi::sqlite3_vfs {
    // SAFETY: the call finds the built-in layer by name, and initialises SQLite if nobody has.
    let found = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
    assert!(!found.is_null(), "the unix file layer is there");
    found
}

/// Calls the unix layer's method of the file behind the handle.
macro_rules! behind {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: `open` put a live file of the unix layer there, whose methods SQLite keeps to.
        unsafe {
            let inner = $file.cast::<Handle>().add(1).cast::<ffi::sqlite3_file>();
            let method = (*(*inner).pMethods).$method.unwrap_or_else(|| std::process::abort());
            method(inner $(, $argument)*)
        }
    }};
}

fn watch(file: *mut ffi::sqlite3_file) -> &'static mut Watch {
    // SAFETY: `open` put it there and `close` takes it; SQLite uses a file from one thread at a time, and no
    // reference outlives the call.
    unsafe { &mut *(*file.cast::<Handle>()).watch }
}

fn strike(file: *mut ffi::sqlite3_file, kind: Kind) -> Option<How> {
    watch(file).disk.as_ref().and_then(|disk| disk.strike(kind))
}

fn record(file: *mut ffi::sqlite3_file, event: impl FnOnce(Arc<str>) -> Event) {
    let watch = watch(file);
    if let Some(disk) = &watch.disk {
        disk.record(event(Arc::clone(&watch.name)));
    }
}

fn disk_and_name(name: *const c_char) -> (Option<Arc<Disk>>, Arc<str>) {
    if name.is_null() {
        return (None, "".into());
    }
    // SAFETY: SQLite gives a terminated text.
    let path = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let path = Path::new(&*path);
    (Disk::under(path), path.file_name().unwrap_or_default().to_string_lossy().into())
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let (disk, short) = disk_and_name(name);
    let handle = file.cast::<Handle>();
    // SAFETY: SQLite gives `szOsFile` bytes, room for both; the unix layer gets its own `sqlite3_vfs` back.
    unsafe {
        (*handle).base.pMethods = std::ptr::null();
        if disk.as_ref().is_some_and(|disk| disk.strike(Kind::Open).is_some()) {
            return ffi::SQLITE_CANTOPEN;
        }
        let real = real();
        let Some(method) = (*real).xOpen else { return ffi::SQLITE_CANTOPEN };
        let answer = method(real, name, handle.add(1).cast(), flags, out);
        if answer == ffi::SQLITE_OK {
            (*handle).watch = Box::into_raw(Box::new(Watch { disk, name: short, connection: std::ptr::null_mut() }));
            (*handle).base.pMethods = &METHODS;
        }
        answer
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let (disk, short) = disk_and_name(name);
    if disk.as_ref().is_some_and(|disk| disk.strike(Kind::Delete).is_some()) {
        return ffi::SQLITE_IOERR_DELETE;
    }
    let real = real();
    // SAFETY: as in `open`.
    let answer = unsafe {
        match (*real).xDelete {
            Some(method) => method(real, name, sync_folder),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    };
    if let (Some(disk), ffi::SQLITE_OK) = (disk, answer) {
        disk.record(Event::Delete(Arc::clone(&short)));
        if sync_folder != 0 && !disk.lies() {
            disk.record(Event::Sync(short));
        }
    }
    answer
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let answer = behind!(file, xClose);
    // SAFETY: made by `open`, and SQLite closes a file once.
    drop(unsafe { Box::from_raw((*file.cast::<Handle>()).watch) });
    answer
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, count: c_int, at: i64) -> c_int {
    if strike(file, Kind::Read).is_some() {
        return ffi::SQLITE_IOERR_READ;
    }
    behind!(file, xRead, to, count, at)
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, at: i64) -> c_int {
    let (count, failure) = match strike(file, Kind::Write) {
        None => (count, None),
        Some(How::Error) => return ffi::SQLITE_IOERR_WRITE,
        Some(How::Full) => return ffi::SQLITE_FULL,
        Some(How::ShortError) => (count / 2, Some(ffi::SQLITE_IOERR_WRITE)),
        Some(How::ShortFull) => (count / 2, Some(ffi::SQLITE_FULL)),
    };
    let answer = behind!(file, xWrite, from, count, at);
    if answer == ffi::SQLITE_OK && count > 0 {
        // SAFETY: SQLite gives at least `count` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), count as usize) }.to_vec();
        record(file, |file| Event::Write { file, at: at as usize, bytes });
    }
    failure.unwrap_or(answer)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    if strike(file, Kind::Truncate).is_some() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    let answer = behind!(file, xTruncate, size);
    if answer == ffi::SQLITE_OK {
        record(file, |file| Event::Truncate { file, size: size as usize });
    }
    answer
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if strike(file, Kind::Sync).is_some() {
        record(file, Event::SyncFailed);
        return ffi::SQLITE_IOERR_FSYNC;
    }
    if watch(file).disk.as_ref().is_some_and(|disk| disk.lies()) {
        return ffi::SQLITE_OK;
    }
    let answer = behind!(file, xSync, flags);
    if answer == ffi::SQLITE_OK {
        record(file, Event::Sync);
    }
    answer
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    if strike(file, Kind::Size).is_some() {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    behind!(file, xFileSize, size)
}

unsafe extern "C" fn take_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    if strike(file, Kind::Lock).is_some() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    behind!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    behind!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    behind!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    if what == ffi::SQLITE_FCNTL_PDB {
        // SAFETY: this control's argument points to the connection's pointer.
        watch(file).connection = unsafe { *argument.cast::<*mut ffi::sqlite3>() };
    }
    if what == ffi::SQLITE_FCNTL_PRAGMA {
        shorten_log(file, argument.cast());
    }
    behind!(file, xFileControl, what, argument)
}

/// Only the journal's writer asks for full syncs of its checkpoints, and then it is time to make those frequent.
fn shorten_log(file: *mut ffi::sqlite3_file, texts: *mut *mut c_char) {
    let watch = watch(file);
    // SAFETY: this control's argument is an array of texts, of which the second names the pragma.
    let pragma = unsafe { CStr::from_ptr(*texts.add(1)) };
    if watch.disk.is_some() && !watch.connection.is_null() && pragma == c"checkpoint_fullfsync" {
        // SAFETY: the connection is the one that runs the pragma; the call only replaces its hook.
        unsafe { ffi::sqlite3_wal_autocheckpoint(watch.connection, CHECKPOINT_PAGES) };
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    behind!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    behind!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    if strike(file, Kind::Share).is_some() {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    behind!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // Giving a lock back does not fail.
    if flags & ffi::SQLITE_SHM_LOCK != 0 && strike(file, Kind::Lock).is_some() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    behind!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    behind!(file, xShmBarrier)
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    behind!(file, xShmUnmap, delete)
}

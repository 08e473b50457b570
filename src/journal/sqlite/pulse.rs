//! Who is told of writes: at once of this process's own, by a look at the file every so often of those of others.

use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::journal::{Cause, Error, Subject};

use super::lock::lock;
use super::{fault, schema};

/// How often the file is looked at once somebody wants to be told.
const LOOK_MS: u64 = 100;

/// The number of changes, and the thread that looks for others' if anybody asked.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    changed: watch::Sender<u64>,
    look: Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    end: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Pulse {
    /// This process has written.
    pub(super) fn beat(&self) {
        self.changed.send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Whoever wants to be told; the first one starts the look at the file.
    pub(super) fn changes(&self, path: &Path, alone: bool) -> Result<watch::Receiver<u64>, Error> {
        let mut look = lock(&self.look);
        // Where nobody can write there is nothing to look for.
        if look.is_none() && !alone {
            *look = Some(begin(schema::reading(path, alone)?, self.changed.clone())?);
        }
        Ok(self.changed.subscribe())
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        // Waited for, so that its connection is closed before the one that writes, which then leaves no log behind.
        if let Some(Look { end, thread }) = lock(&self.look).take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

fn begin(connection: Connection, changed: watch::Sender<u64>) -> Result<Look, Error> {
    let (end, ended) = mpsc::channel();
    let mut seen = version(&connection)?;
    let look = move || {
        while ended.recv_timeout(Duration::from_millis(LOOK_MS)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // What cannot be read now is looked at again; whoever is told reads for himself, and hears what is wrong.
            let Ok(now) = version(&connection) else { continue };
            if now != seen {
                seen = now;
                changed.send_modify(|number| *number = number.wrapping_add(1));
            }
        }
    };
    let thread = std::thread::Builder::new().name("journal-pulse".to_owned()).spawn(look).map_err(|error| {
        let text = format!("has no thread to look at it: {error}");
        Error::Unreadable(Cause::new(Subject::Journal, text).by(error))
    })?;
    Ok(Look { end, thread })
}

/// Counts the commits of all other connections, this process's writer among them.
fn version(connection: &Connection) -> Result<i64, Error> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(fault::reading)
}

//! The connections that read: as many as are used at once up to a bound, none closed before the store is.

use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::journal::Error;

use super::lock::lock;

/// Connections that read at once; whoever comes after them waits for one. A read is short and mostly computes, so more
/// than a few for each core only cost memory and opening.
const READERS_MAX: usize = 8;

type Opening = dyn Fn() -> Result<Connection, Error> + Send + Sync;

/// Readers that are lent out and come back.
pub(super) struct Readers {
    open: Box<Opening>,
    kept: Mutex<Kept>,
    returned: Condvar,
}

#[derive(Default)]
struct Kept {
    // The last one back is the first one lent: its pages are the warmest.
    idle: Vec<Connection>,
    opened: usize,
}

impl Readers {
    /// Readers that `open` makes when they are first needed.
    pub(super) fn new(open: impl Fn() -> Result<Connection, Error> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), kept: Mutex::default(), returned: Condvar::new() }
    }

    /// Reads with one of them. `read` must not read with another: all of them may wait like that.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut lent = Lent { readers: self, reader: self.lend() };
        let reader = match &mut lent.reader {
            Some(reader) => reader,
            none => none.insert((self.open)()?),
        };
        read(reader)
    }

    /// One that is idle, or the right to open one.
    fn lend(&self) -> Option<Connection> {
        let is_none_free = |kept: &mut Kept| kept.idle.is_empty() && kept.opened == READERS_MAX;
        let waited = self.returned.wait_while(lock(&self.kept), is_none_free);
        let mut kept = waited.unwrap_or_else(PoisonError::into_inner);
        let idle = kept.idle.pop();
        kept.opened += usize::from(idle.is_none());
        idle
    }
}

/// A reader, or the right to one, that comes back however the read ends.
struct Lent<'a> {
    readers: &'a Readers,
    reader: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut kept = lock(&self.readers.kept);
        match self.reader.take() {
            Some(reader) => kept.idle.push(reader),
            None => kept.opened -= 1,
        }
        drop(kept);
        self.readers.returned.notify_one();
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("opened", &lock(&self.kept).opened).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counted(fails: impl Fn(usize) -> bool + Send + Sync + 'static) -> (Arc<AtomicUsize>, Readers) {
        let opened = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&opened);
        let open = move || {
            if fails(counter.fetch_add(1, Ordering::Relaxed)) { Err(Error::Full) } else { Ok(memory()) }
        };
        (opened, Readers::new(open))
    }

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn sixty_four_who_read_at_once_share_few_connections() {
        let (opened, readers) = counted(|_| false);
        let begin = std::sync::Barrier::new(64);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    begin.wait();
                    for _ in 0..20 {
                        let yields = |_: &Connection| {
                            std::thread::yield_now();
                            Ok(())
                        };
                        readers.read(yields).unwrap();
                    }
                });
            }
        });
        assert!((1..=READERS_MAX).contains(&opened.load(Ordering::Relaxed)), "{opened:?}");
        assert_eq!(lock(&readers.kept).idle.len(), opened.load(Ordering::Relaxed), "none was thrown away");
    }

    #[test]
    fn a_read_that_fails_or_panics_gives_its_place_back() {
        let (opened, readers) = counted(|nth| nth < READERS_MAX);
        for _ in 0..READERS_MAX {
            assert_eq!(readers.read(|_| Ok(())), Err(Error::Full));
        }
        for _ in 0..READERS_MAX * 2 {
            assert_eq!(readers.read(|_| Err::<(), _>(Error::UnknownRun)), Err(Error::UnknownRun));
            let panics = || readers.read(|_| -> Result<(), Error> { panic!("on purpose") });
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        }
        assert_eq!(opened.load(Ordering::Relaxed), READERS_MAX + 1, "the first that opened serves all");
    }
}

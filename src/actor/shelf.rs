//! Where a run's bodies are read. What a live run has just written is kept in memory, since most of it is read in the next
//! turn; what is not there, or no longer, is in the journal.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::failure::{Class, Failure};
use crate::id::{Digest, RunId};
use crate::journal::{Body, Store};

/// Bytes of bodies that a live run keeps: some turns of a usual campaign. The oldest make room.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Bodies that a run wrote and that are durable.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bodies: HashMap<Digest, Vec<u8>>,
    oldest: VecDeque<Digest>,
    bytes: usize,
}

impl Kept {
    /// Keeps what has become durable, as far as there is room.
    pub(super) fn put(&self, bodies: Vec<(Digest, Vec<u8>)>) {
        let mut inner = self.lock();
        for (digest, bytes) in bodies.into_iter().filter(|(_, bytes)| bytes.len() <= KEPT_BYTES_MAX) {
            inner.bytes += bytes.len();
            if let Some(before) = inner.bodies.insert(digest, bytes) {
                inner.bytes -= before.len();
            } else {
                inner.oldest.push_back(digest);
            }
        }
        while inner.bytes > KEPT_BYTES_MAX
            && let Some(oldest) = inner.oldest.pop_front()
        {
            inner.bytes -= inner.bodies.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }

    /// Whether reading these needs no journal.
    pub(super) fn has(&self, mut digests: impl Iterator<Item = Digest>) -> bool {
        let inner = self.lock();
        digests.all(|digest| inner.bodies.contains_key(&digest))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bodies of which an append would be kept.
pub(super) fn copies(bodies: &[Body]) -> Vec<(Digest, Vec<u8>)> {
    bodies.iter().map(|body| (body.digest, body.bytes.clone())).collect()
}

/// The bodies of one run.
#[derive(Clone, Copy)]
pub(super) struct Shelf<'a> {
    store: &'a dyn Store,
    run: RunId,
    kept: Option<&'a Kept>,
}

impl<'a> Shelf<'a> {
    /// Those of a run that may not be live, from its journal.
    pub(super) fn new(store: &'a dyn Store, run: RunId) -> Self {
        Self { store, run, kept: None }
    }

    /// Those of a live run.
    pub(super) fn live(store: &'a dyn Store, run: RunId, kept: &'a Kept) -> Self {
        Self { store, run, kept: Some(kept) }
    }

    /// Reads a body as JSON.
    pub(super) fn json(&self, digest: Digest) -> Result<Value, Failure> {
        self.parsed(digest)
    }

    /// Reads a body as JSON in the shape of `T`.
    pub(super) fn parsed<T: serde::de::DeserializeOwned>(&self, digest: Digest) -> Result<T, Failure> {
        let wrong = |_| Failure::new(Class::Bug, format!("body {} is not what was written", digest.short()));
        self.with(digest, |bytes| serde_json::from_slice(bytes).map_err(wrong))?
    }

    /// Reads a body.
    pub(super) fn bytes(&self, digest: Digest) -> Result<Vec<u8>, Failure> {
        self.with(digest, <[u8]>::to_vec)
    }

    fn with<T>(&self, digest: Digest, read: impl FnOnce(&[u8]) -> T) -> Result<T, Failure> {
        if let Some(kept) = self.kept
            && let Some(bytes) = kept.lock().bodies.get(&digest)
        {
            return Ok(read(bytes));
        }
        match self.store.body(self.run, digest) {
            Ok(Some(body)) => Ok(read(&body.bytes)),
            Ok(None) => Err(Failure::new(Class::Permanent, format!("body {} was erased", digest.short()))),
            Err(error) => Err(Failure::new(Class::Permanent, error.to_string())),
        }
    }
}

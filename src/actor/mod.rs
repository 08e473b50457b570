//! The ractor shell around the core: who waits, performs, dies and is started again. It decides nothing.
//!
//! ```text
//! System (root, scheduler) -- Writer
//!   `- Run (one per live run: sole writer of its journal, supervisor of its agents)
//!        `- Agent (one per member with something to do)
//!             `- Attempt (a task per attempt of an effect: its agent kills it, the run hears of its end or panic)
//! ```
//!
//! A mailbox only ever holds what the journal says is outstanding, so a dead actor's lost mailbox loses nothing.

mod agent;
pub mod answered;
mod ask;
pub mod evidence;
pub mod examiner;
mod founded;
pub mod history;
mod inbox;
pub mod lift;
mod msg;
mod perform;
mod pinned;
pub mod recording;
pub mod remarked;
mod rest;
pub mod ruled;
mod run;
mod shelf;
pub mod system;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;

pub use self::pinned::Pinned;
use self::shelf::{Kept, Shelf};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::id::{AgentName, Digest, RunId, RunNo};
use crate::journal::writer::Writer;
use crate::journal::{self, OwnerId, Store};
use crate::model::Model;
use crate::run::body::Listing;
use crate::run::owner;
use crate::tool::{Check, Tools};
use crate::topology::plan::Mode;

/// Why this process let a run go.
pub type Gone = owner::Gone<journal::Error>;

/// What decides what is done next for a run, over a journal of the product.
type Owner = owner::Owner<journal::Error>;
type Order = owner::Order<journal::Error>;

/// What the shell reaches the world through.
pub struct Ports {
    /// The journal, to read.
    pub store: Arc<dyn Store>,
    /// The journal, to write.
    pub writer: Writer,
    /// Who this process is to the journal.
    pub owner: OwnerId,
    /// What stands for models in a rehearsal.
    pub rehearsal: Arc<dyn Model>,
    /// What stands for models in a replay.
    pub replay: Arc<dyn Model>,
    /// Models.
    pub live: Option<Arc<dyn Model>>,
    /// Tools by name.
    pub tools: Tools,
    /// Checks.
    pub checks: Vec<Arc<dyn Check>>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Who is told at the boundaries.
    pub probe: Arc<dyn Probe>,
    /// The groups of each person.
    pub people: BTreeMap<String, Vec<String>>,
    /// The folder in which each run has its own.
    pub out: PathBuf,
    /// Whether a run that only waits is dropped from memory.
    pub park: bool,
    /// Replies as they come, for whoever looks; no part of any run.
    pub pulses: tokio::sync::broadcast::Sender<Heard>,
}

/// How much of a reply has come so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// In which run.
    pub run: RunId,
    /// Whose reply.
    pub agent: AgentName,
    /// Bytes.
    pub bytes: u64,
}

impl Ports {
    fn model(&self, mode: Mode) -> Option<Arc<dyn Model>> {
        match mode {
            Mode::Rehearsal => Some(Arc::clone(&self.rehearsal)),
            Mode::Replay => Some(Arc::clone(&self.replay)),
            Mode::Live => self.live.clone(),
        }
    }

    fn moment(&self) -> owner::Moment {
        let uptime_ms = self.clock.uptime_ms();
        owner::Moment { uptime_ms, at: self.clock.now(), jitter_permille: self.clock.jitter_permille() }
    }
}

/// A boundary between what is durable and what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A batch is decided and not handed to the journal.
    Decided,
    /// Its commit has returned, and nobody has been told.
    Committed,
    /// An effect has started and is not performed.
    Started,
    /// It is performed, and its outcome is not appended.
    Performed,
}

/// Told at every boundary: a crash sweep kills the process here.
pub trait Probe: Send + Sync {
    /// The process is at `point`.
    fn at(&self, point: Point);
}

/// Does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn at(&self, _point: Point) {}
}

/// What an attempt needs to know of its run.
struct Place {
    run: RunId,
    no: RunNo,
    pinned: Arc<Pinned>,
    ports: Arc<Ports>,
    /// The run's span; its agents' and their steps' lie within.
    span: tracing::Span,
    /// The manifest whose items were asked for last: it is as long as it has items, and read for each of them.
    manifest: Mutex<Option<(Digest, Arc<Listing>)>>,
    /// The journal's first run, once an item needs to say whose it is.
    first: OnceLock<RunId>,
    /// What the run has just written.
    kept: Kept,
}

impl Place {
    /// The run's own folder, such as `out/12-re-engagement`.
    fn folder(&self) -> PathBuf {
        self.ports.out.join(format!("{}-{}", self.no, self.pinned.plan.name))
    }

    /// The run's bodies.
    fn shelf(&self) -> Shelf<'_> {
        Shelf::live(self.ports.store.as_ref(), self.run, &self.kept)
    }

    /// The list of a manifest, read once for all of its items.
    fn manifest(&self, digest: Digest) -> Result<Arc<Listing>, Failure> {
        let mut kept = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, list)) = kept.as_ref().filter(|(of, _)| *of == digest) {
            return Ok(Arc::clone(list));
        }
        let list = Arc::new(self.shelf().parsed(digest)?);
        *kept = Some((digest, Arc::clone(&list)));
        Ok(list)
    }
}

/// Reads of the journal that are under way at once. Each holds a thread, and the journal reads few at a time.
const READS_MAX: usize = 8;

static READS: Semaphore = Semaphore::const_new(READS_MAX);

/// Does what blocks where that harms nobody; whoever comes while there is no room waits for it.
///
/// # Errors
/// If it panics.
async fn blocking<T: Send + 'static>(does: impl FnOnce() -> T + Send + 'static) -> Result<T, tokio::task::JoinError> {
    // It is never closed.
    let _room = READS.acquire().await.ok();
    tokio::task::spawn_blocking(does).await
}

//! What waits in all runs, read once for everybody who tells of it: after a write, only the runs that went on are read
//! anew, and whoever tells hears only if something else waits now.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::notice::Notice;
use crate::clock::{Clock as _, Machine};
use crate::id::{RunId, RunNo, Seq, Timestamp};
use crate::journal::RunRow;
use crate::service::error::Error;
use crate::service::project::Project;

/// What is written at once is looked at once.
const GATHER: Duration = Duration::from_millis(300);

/// An end is told for so long, a day: who starts the server later hears of none that is older.
const TOLD_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// More runs than so many are read with one look at the journal.
const ONE_BY_ONE_MAX: usize = 64;

/// All that waits, the oldest run first; nothing before it was read.
pub(super) type Waiting = Option<Arc<[Arc<Notice>]>>;

/// Whoever reads what waits.
pub(super) struct Board {
    project: Arc<Project>,
    /// How links to the page begin.
    page: String,
    known: Known,
}

/// What is known of the runs.
#[derive(Default)]
struct Known {
    /// How far each that is not over was read, and its number.
    lasts: HashMap<RunId, (Seq, RunNo)>,
    /// The highest number that a run had.
    newest: RunNo,
    /// What waits in those in which something does, or who is to hear of their end.
    waits: BTreeMap<RunNo, Vec<Arc<Notice>>>,
    /// When those of them that are over ended.
    ended: BTreeMap<RunNo, Timestamp>,
}

impl Board {
    pub(super) fn new(project: Arc<Project>, page: String) -> Self {
        Self { project, page, known: Known::default() }
    }

    /// Says to `waiting` what waits, whenever that is something else, until `ends` says so.
    pub(super) async fn tell(mut self, waiting: watch::Sender<Waiting>, mut ends: watch::Receiver<bool>) {
        let mut changes = match self.project.changes() {
            Ok(changes) => changes,
            Err(error) => return tracing::warn!(%error, "nobody is told of anything"),
        };
        let mut is_first = true;
        loop {
            changes.borrow_and_update();
            match tokio::task::spawn_blocking(move || (self.look(), self)).await {
                Ok((looked, board)) => {
                    self = board;
                    match looked {
                        Ok(differs) if differs || is_first => {
                            is_first = false;
                            let all = self.known.waits.values().flatten().cloned().collect();
                            waiting.send_replace(Some(all));
                        }
                        Ok(_) => {}
                        Err(error) => tracing::warn!(%error, "what waits cannot be read"),
                    }
                }
                Err(error) => return tracing::warn!(%error, "nobody is told of anything any more"),
            }
            let goes_on = tokio::select! {
                _ = ends.wait_for(|ends| *ends) => false,
                changed = gathered(&mut changes) => changed,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Reads the runs that went on since; whether something else waits now.
    fn look(&mut self) -> Result<bool, Error> {
        let lasts = self.project.lasts()?;
        let live: HashSet<RunId> = lasts.iter().map(|(run, _)| *run).collect();
        let mut differs = self.known.forget(Machine.now());
        for over in self.known.over(&live) {
            if let Some(row) = self.project.known(over)? {
                differs |= self.known.take(&row, &self.page);
            }
        }
        let is_known = |(run, last): &&(RunId, Seq)| self.known.lasts.get(run).is_some_and(|(known, _)| known == last);
        let moved: Vec<RunId> = lasts.iter().filter(|stands| !is_known(stands)).map(|(run, _)| *run).collect();
        // A run may begin and end between two looks.
        for row in self.project.newer(self.known.newest)? {
            differs |= self.known.take(&row, &self.page);
        }
        if moved.len() > ONE_BY_ONE_MAX {
            for row in self.project.runs(true, usize::MAX)? {
                differs |= self.known.take(&row, &self.page);
            }
            return Ok(differs);
        }
        for run in moved {
            if let Some(row) = self.project.known(run)? {
                differs |= self.known.take(&row, &self.page);
            }
        }
        Ok(differs)
    }
}

/// Waits until something was written, and a little for more of it; whether anything can still be written.
async fn gathered(changes: &mut watch::Receiver<u64>) -> bool {
    let changed = changes.changed().await.is_ok();
    tokio::time::sleep(GATHER).await;
    changed
}

impl Known {
    /// The runs that were not over, and are not among these any more.
    fn over(&self, live: &HashSet<RunId>) -> Vec<RunId> {
        self.lasts.keys().filter(|run| !live.contains(run)).copied().collect()
    }

    /// Forgets the ends that people were to hear of long ago; whether there were any.
    fn forget(&mut self, now: Timestamp) -> bool {
        let before = self.ended.len();
        let waits = &mut self.waits;
        self.ended.retain(|no, at| {
            let is_told = at.0 + TOLD_FOR_MS > now.0;
            is_told || waits.remove(no).is_none()
        });
        self.ended.len() < before
    }

    /// Takes what waits in a run; whether that is something else than before.
    fn take(&mut self, row: &RunRow, page: &str) -> bool {
        self.newest = self.newest.max(row.no);
        if row.summary.over {
            self.lasts.remove(&row.id);
        } else if self.lasts.insert(row.id, (row.last, row.no)) == Some((row.last, row.no)) {
            return false;
        }
        let now = row.summary.waits.iter().map(|wait| Arc::new(Notice::of(row, wait, page)));
        let now: Vec<Arc<Notice>> = now.collect();
        let is_same = self.waits.get(&row.no).map_or(now.is_empty(), |before| *before == now);
        match now.is_empty() {
            true => drop(self.waits.remove(&row.no)),
            false => {
                row.summary.over.then(|| self.ended.insert(row.no, row.updated_at));
                self.waits.insert(row.no, now);
            }
        }
        !is_same
    }
}

//! A run followed as it goes: one step after the other, each when it is durable. A live run is followed by its owner's word,
//! any other by the journal's; nobody looks again and again.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::error::Error;
use super::project::Project;
use super::story::{News, Story};
use crate::actor::Heard;
use crate::actor::system::{Gone, Handle, Progress};
use crate::id::Seq;
use crate::run::state::Status;

/// What comes next of a live run.
#[derive(Debug)]
pub enum Step {
    /// Records that were appended.
    News(Vec<News>),
    /// More of a model's reply has come.
    Answering(Heard),
    /// It waits, is over, or was let go in order.
    Rests(Status),
}

/// A run that this process drives.
pub struct Live {
    handle: Handle,
    progress: watch::Receiver<Progress>,
    pulses: Receiver<Heard>,
    /// How far it was when the latest news was read.
    now: Option<Progress>,
}

impl Live {
    pub(super) fn new(handle: Handle, pulses: Receiver<Heard>) -> Self {
        let progress = handle.progress();
        Self { handle, progress, pulses, now: None }
    }

    /// What comes next; what is read of the run is read into `story`.
    ///
    /// # Errors
    /// As [`Story::news`], or why its owner let it go.
    pub async fn next(&mut self, story: &mut Story) -> Result<Step, Error> {
        loop {
            let now = match self.now.take() {
                Some(now) => now,
                None => {
                    let now = self.progress.borrow_and_update().clone();
                    let news = story.news()?;
                    if !news.is_empty() {
                        self.now = Some(now);
                        return Ok(Step::News(news));
                    }
                    now
                }
            };
            match now.gone {
                Some(Gone::Parked) => return Ok(Step::Rests(now.status)),
                Some(gone) => return Err(Error::Gone(gone)),
                None if now.status != Status::Running => return Ok(Step::Rests(now.status)),
                None => {}
            }
            tokio::select! {
                changed = self.progress.changed() => {
                    if changed.is_err() {
                        return Ok(Step::Rests(self.progress.borrow().status));
                    }
                }
                heard = pulse(&mut self.pulses, story) => {
                    self.now = Some(now);
                    return Ok(Step::Answering(heard));
                }
            }
        }
    }

    /// When the run has got further than when this was last asked or followed; false if nobody will tell any more.
    pub async fn changed(&mut self) -> bool {
        self.progress.changed().await.is_ok()
    }

    /// Whether its owner let it go.
    pub fn is_gone(&self) -> bool {
        self.progress.borrow().gone.is_some()
    }

    /// Why its owner let it go, if it did.
    pub(super) fn gone(&self) -> Option<Gone> {
        self.progress.borrow().gone.clone()
    }

    /// Waits until the run's owner stands where `seq` is; true if it let go of the run then because only people can go on.
    pub async fn caught_up(&mut self, seq: Seq) -> bool {
        let mut progress = self.handle.progress();
        let _ = progress.wait_for(|now| now.seq >= seq || now.gone.is_some()).await;
        let now = progress.borrow();
        now.gone == Some(Gone::Parked) && now.status == Status::Waiting
    }
}

/// The next pulse of the story's run; none will come once nobody sends any.
async fn pulse(pulses: &mut Receiver<Heard>, story: &Story) -> Heard {
    loop {
        match pulses.recv().await {
            Ok(heard) if heard.run == story.row.id => return heard,
            // Another's, or some that came too fast to be shown.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A run that anybody drives, followed through the journal.
pub struct Feed {
    changes: watch::Receiver<u64>,
}

impl Feed {
    /// Begins to listen. What was written before is in the story's first news.
    ///
    /// # Errors
    /// If the journal cannot tell of writes.
    pub fn open(project: &Project) -> Result<Self, Error> {
        Ok(Self { changes: project.store()?.changes()? })
    }

    /// What comes next; none once the run is over.
    ///
    /// # Errors
    /// As [`Story::news`].
    pub async fn next(&mut self, story: &mut Story) -> Result<Option<Vec<News>>, Error> {
        loop {
            // Marked as seen before the records are read, so that none falls between.
            self.changes.borrow_and_update();
            let news = story.news()?;
            if !news.is_empty() {
                return Ok(Some(news));
            }
            let is_over = matches!(story.state().status(), Status::Ended(_));
            if is_over || self.changes.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

//! Runs that many people look at: each is folded once, and read on from there whenever somebody looks again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
use super::project::Project;
use super::story::{News, Story};
use crate::id::{RunNo, Seq};
use crate::run::state::State;
use crate::run::view::{Entry, View};

/// Runs that are kept folded; the one that nobody has looked at for longest makes room.
const KEPT_MAX: usize = 256;

/// The runs that people look at.
pub struct Readings {
    project: Arc<Project>,
    /// The one looked at last stands last.
    kept: Mutex<Vec<(RunNo, Arc<Mutex<Reading>>)>>,
}

/// A run as far as it was read.
pub struct Reading {
    /// Its story.
    pub story: Story,
    /// Its records, in order.
    pub news: Vec<Arc<News>>,
}

impl Readings {
    /// Of the runs of `project`.
    pub fn new(project: Arc<Project>) -> Self {
        Self { project, kept: Mutex::default() }
    }

    /// Has somebody look at a run as it is now.
    ///
    /// # Errors
    /// If there is no such run, or it cannot be read.
    pub fn look<T>(&self, no: RunNo, look: impl FnOnce(&Reading) -> T) -> Result<T, Error> {
        let row = self.project.run(Some(no))?;
        let reading = match self.kept(no) {
            Some(reading) => reading,
            None => {
                let story = self.project.story(row.clone())?;
                self.keep(no, Arc::new(Mutex::new(Reading { story, news: Vec::new() })))
            }
        };
        let mut reading = lock(&reading);
        reading.story.row = row;
        match reading.story.news() {
            Ok(news) => reading.news.extend(news.into_iter().map(Arc::new)),
            Err(error) => {
                // It is half read, and says so again when it is read anew.
                lock(&self.kept).retain(|(kept, _)| *kept != no);
                return Err(error);
            }
        }
        Ok(look(&reading))
    }

    /// The records of a run after `after`, so many at most. Where there are none, nothing is folded to know it.
    ///
    /// # Errors
    /// As [`Readings::look`].
    pub fn after(&self, no: RunNo, after: Seq, limit: usize) -> Result<Vec<Arc<News>>, Error> {
        if self.project.run(Some(no))?.last <= after {
            return Ok(Vec::new());
        }
        self.look(no, |run| run.after(after, limit))
    }

    fn kept(&self, no: RunNo) -> Option<Arc<Mutex<Reading>>> {
        let mut kept = lock(&self.kept);
        let place = kept.iter().position(|(kept, _)| *kept == no)?;
        let one = kept.remove(place);
        let reading = Arc::clone(&one.1);
        kept.push(one);
        Some(reading)
    }

    /// Keeps it, unless somebody else has read it meanwhile: then theirs.
    fn keep(&self, no: RunNo, reading: Arc<Mutex<Reading>>) -> Arc<Mutex<Reading>> {
        let mut kept = lock(&self.kept);
        if let Some((_, known)) = kept.iter().find(|(kept, _)| *kept == no) {
            return Arc::clone(known);
        }
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((no, Arc::clone(&reading)));
        reading
    }
}

impl Reading {
    /// What people see of it, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.news.iter().filter_map(|news| news.entry.as_ref())
    }

    /// The records after `seq`, so many at most.
    pub fn after(&self, seq: Seq, limit: usize) -> Vec<Arc<News>> {
        let from = self.news.partition_point(|news| news.record.seq <= seq);
        self.news[from..].iter().take(limit).cloned().collect()
    }

    /// The run as it was after record `seq`; none if a record cannot be folded, which its story would have told.
    pub fn at(&self, seq: Seq) -> Option<View> {
        let state = self.story.state();
        let mut view = View::new(State::new(state.run, Arc::clone(&state.plan)));
        let texts = self.story.texts();
        for news in self.news.iter().take_while(|news| news.record.seq <= seq) {
            view.take(news.record.seq, &news.fact, &texts).ok()?;
        }
        Some(view)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

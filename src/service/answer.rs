//! A post that waits for its answer: the run is taken up for that as soon as nobody else drives it, and what happens until
//! then is told.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Sleep;

use super::comment::comments;
use super::error::Error;
use super::follow::Live;
use super::story::{News, Story};
use crate::actor::system::{self, Gone, System};
use crate::journal;
use crate::run::event::{Event, Refusal};
use crate::run::view::error_text;

/// How long is waited for the answer of whoever drives the run.
const ANSWER_MS_MAX: u64 = 5_000;

/// How often it is looked whether whoever drives the run lives: one that dies writes nothing that would be heard of.
const OWNER_LOOK_MS: u64 = 250;

/// What comes next.
pub enum Step {
    /// Somebody else drives the run, and is waited for: what that owner is called.
    DrivenBy(String),
    /// What happened meanwhile, the answer itself apart.
    News(Vec<News>),
    /// The run has heard it.
    Answered {
        /// The refusal is the poster's answer, and no failure.
        answer: Result<(), Error>,
        /// The run, if this process drives it.
        live: Option<Live>,
    },
}

/// A post on its way.
pub struct Waiting {
    system: System,
    post: uuid::Uuid,
    /// Where it stands in the run's inbox.
    place: u64,
    take_over: bool,
    live: Option<Live>,
    changes: watch::Receiver<u64>,
    until: Pin<Box<Sleep>>,
    told_owner: bool,
    answer: Option<Result<(), Error>>,
}

impl Waiting {
    pub(super) fn new(system: System, (post, place): (uuid::Uuid, u64), take_over: bool) -> Result<Self, Error> {
        let changes = system.ports().store.changes()?;
        let until = Box::pin(tokio::time::sleep(Duration::from_millis(ANSWER_MS_MAX)));
        Ok(Self { system, post, place, take_over, live: None, changes, until, told_owner: false, answer: None })
    }

    /// What comes next, up to the answer; what is read of the run is read into `story`.
    ///
    /// # Errors
    /// If the run cannot be read or taken up, or nobody answers: what was posted is kept then, and will be heard.
    pub async fn next(&mut self, story: &mut Story) -> Result<Step, Error> {
        loop {
            if let Some(answer) = self.answer.take() {
                return Ok(Step::Answered { answer, live: self.live.take() });
            }
            // Marked as seen before anything is looked at, so that nothing falls between.
            self.changes.borrow_and_update();
            if let Some(by) = self.take_up(story).await? {
                return Ok(Step::DrivenBy(by));
            }
            // Asked for before the answer is looked for: what was appended until then is read.
            let gone = self.live.as_ref().and_then(Live::gone);
            let news = self.heard(story)?;
            if !news.is_empty() {
                return Ok(Step::News(news));
            }
            if self.answer.is_some() {
                continue;
            }
            match gone {
                Some(Gone::Parked) => self.live = None,
                // Nobody else drives it: why this process does not is the reason.
                Some(gone) => return Err(Error::Gone(gone)),
                None => {}
            }
            let is_owned = self.live.is_none();
            tokio::select! {
                _ = self.changes.changed() => {}
                true = changed(self.live.as_mut()) => {}
                () = tokio::time::sleep(Duration::from_millis(OWNER_LOOK_MS)), if is_owned => {}
                () = &mut self.until => return Err(Error::Unanswered),
            }
        }
    }

    /// Takes the run up, unless somebody drives it: who, if that was not told yet. One that has heard what was posted is left
    /// alone.
    async fn take_up(&mut self, story: &Story) -> Result<Option<String>, Error> {
        if self.live.is_some() {
            return Ok(None);
        }
        let (system, run, known) = (&self.system, story.row.id, story.loaded());
        let opened = match self.take_over {
            true => system.open_from(run, true, Some(known)).await.map(Some),
            false => system.open_to_hear(run, self.place, known).await,
        };
        match opened {
            Ok(handle) => {
                self.live = handle.map(|handle| Live::new(handle, self.system.ports().pulses.subscribe()));
            }
            Err(system::Error::Journal(journal::Error::Owned { by })) => {
                let is_new = !std::mem::replace(&mut self.told_owner, true);
                return Ok(is_new.then_some(by));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// Looks for the run's answer; what else is new.
    fn heard(&mut self, story: &mut Story) -> Result<Vec<News>, Error> {
        let mut others = Vec::new();
        for news in story.news()? {
            if matches!(&news.fact.is, Event::Heard { post, .. } if *post == self.post) {
                self.answer = Some(Ok(()));
            } else if let Event::InputRefused { post, why, .. } = &news.fact.is
                && *post == self.post
            {
                self.answer = Some(Err(refused(why.clone(), story)));
            } else {
                others.push(news);
            }
        }
        Ok(others)
    }
}

/// When a live run has got further; never without one.
async fn changed(live: Option<&mut Live>) -> bool {
    match live {
        Some(live) => live.changed().await,
        None => std::future::pending().await,
    }
}

fn refused(why: Refusal, story: &Story) -> Error {
    if let Refusal::Blocked { comments: numbers } = &why {
        let comments = comments(story).into_iter().filter(|comment| numbers.contains(&comment.comment)).collect();
        return Error::Blocked { run: story.row.no, comments };
    }
    let faults = match &why {
        Refusal::FaultyEdit { problems }
        | Refusal::FaultyAnswer { problems }
        | Refusal::FaultyComment { problems }
        | Refusal::FaultyResults { problems }
        | Refusal::FaultyNote { problems } => Some(error_text(&story.texts(), *problems)),
        _ => None,
    };
    Error::Refused { why, faults }
}

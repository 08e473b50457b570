//! The connections to a database: a few, opened when they are needed, used by one call at a time, and given up after a call
//! that did not end well. What runs when its caller goes away is cancelled on the server.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::place::Place;
use super::session::{Session, Settings};
use crate::failure::{Class, Failure};

/// Calls of one database that run at once.
const SESSIONS_MAX: usize = 4;
/// How long the server is asked to cancel.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections.
pub(super) struct Link {
    pub(super) place: Place,
    pub(super) settings: Settings,
    idle: Mutex<Vec<Session>>,
    turns: Semaphore,
}

impl Link {
    pub(super) fn new(place: Place, settings: Settings) -> Self {
        Self { place, settings, idle: Mutex::default(), turns: Semaphore::new(SESSIONS_MAX) }
    }

    /// A connection for one call. What is tried again after it was lost is the run's to decide, which waits longer each time.
    pub(super) async fn borrow(&self) -> Result<Borrowed<'_>, Failure> {
        let turn = self.turns.acquire().await;
        let turn = turn.map_err(|_| Failure::new(Class::Bug, "nobody gives turns any more"))?;
        let session = match self.take() {
            Some(session) => session,
            None => Session::open(&self.place, &self.settings).await?,
        };
        Ok(Borrowed { session: Some(session), link: self, _turn: turn })
    }

    fn take(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Session::is_well);
        idle.pop()
    }
}

/// A connection while one call has it.
pub(super) struct Borrowed<'l> {
    session: Option<Session>,
    link: &'l Link,
    _turn: SemaphorePermit<'l>,
}

impl Borrowed<'_> {
    /// The connection.
    ///
    /// # Errors
    /// None, before it is given back.
    pub(super) fn session(&self) -> Result<&Session, Failure> {
        self.session.as_ref().ok_or_else(|| Failure::new(Class::Bug, "the connection was given back"))
    }

    /// Gives it back for the next call: nothing runs in it.
    pub(super) fn done(mut self) {
        if let Some(session) = self.session.take().filter(Session::is_well) {
            self.link.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

impl Drop for Borrowed<'_> {
    /// Whatever runs in it is cancelled, and nobody uses it again.
    fn drop(&mut self) {
        let Some(session) = self.session.take().filter(Session::is_well) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (token, tls) = session.cancel();
        runtime.spawn(async move {
            // Without it the server ends the statement at its own time-out.
            drop(tokio::time::timeout(CANCEL_TIMEOUT, token.cancel_query(tls)).await);
            drop(session);
        });
    }
}

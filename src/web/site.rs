//! What every request works with: the project, its driver, what was read of its runs, its keys.

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::fail::Fail;
use super::guesses::Guesses;
use super::keys::Keys;
use crate::service::act::Driver;
use crate::service::error::Error;
use crate::service::project::Project;
use crate::service::reading::Readings;
use crate::service::trigger::fire::Triggers;

/// What every request works with.
pub(super) struct Site {
    pub(super) project: Arc<Project>,
    pub(super) driver: Arc<Driver>,
    pub(super) triggers: Arc<Triggers>,
    pub(super) readings: Readings,
    pub(super) keys: Keys,
    /// Under which names it is called: anything else is refused.
    pub(super) hosts: Vec<String>,
    pub(super) cookie: String,
    pub(super) changes: watch::Receiver<u64>,
    /// Ends what would go on for ever.
    pub(super) ends: watch::Receiver<bool>,
    pub(super) guesses: Guesses,
    /// Held by whoever remarks something: a double click finds what its first click said.
    pub(super) remarks: Mutex<()>,
}

impl Site {
    /// Has `look` read the journal on a thread that may wait.
    pub(super) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fail> {
        let site = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || look(&site)).await;
        looked.map_err(|_| Fail::broken("the server failed to make this page; its log says why"))?.map_err(Fail::from)
    }

    pub(super) fn zone(&self) -> &str {
        &self.project.settings.timezone
    }
}

/// What was read; nothing where nothing has run yet.
pub(super) fn nothing_yet<T: Default>(read: Result<T, Error>) -> Result<T, Error> {
    match read {
        Err(Error::NothingYet) => Ok(T::default()),
        other => other,
    }
}

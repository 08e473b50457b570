//! A model that takes its time: for rehearsals that somebody wants to follow.

use std::sync::Arc;
use std::time::Duration;

use super::{Ask, Model, Reply};
use crate::failure::Work;

/// Answers as the one inside does, after a while.
pub struct Paced {
    inner: Arc<dyn Model>,
    pace: Duration,
}

impl Paced {
    /// `inner`, whose every reply takes `pace`.
    pub fn new(inner: Arc<dyn Model>, pace: Duration) -> Self {
        Self { inner, pace }
    }
}

impl Model for Paced {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            tokio::time::sleep(self.pace).await;
            self.inner.reply(ask).await
        })
    }
}

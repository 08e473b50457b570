//! The connection that all tools of a server share: opened when it is first needed, opened anew when it is dead, and off
//! while the server lists anything else than what was accepted.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::list::List;
use super::lock::{Accepted, LOCK_FILE};
use super::place::Place;
use super::session::Session;
use crate::failure::{Class, Failure};

/// Differences that are told.
const CHANGES_MAX: usize = 5;

/// A server, with what was accepted of it.
pub(super) struct Link {
    pub(super) place: Place,
    accepted: Result<Accepted, String>,
    open: Mutex<Option<Arc<Session>>>,
}

impl Link {
    /// `accepted` is what the lock says, or why it says nothing.
    pub(super) fn new(place: Place, accepted: Result<Option<Accepted>, String>) -> Self {
        let accepted = accepted.and_then(|accepted| fits(accepted, &place));
        Self { place, accepted, open: Mutex::new(None) }
    }

    /// What was accepted; else a sentence that says why nothing is, with what to do.
    pub(super) fn accepted(&self) -> Result<&Accepted, &str> {
        self.accepted.as_ref().map_err(String::as_str)
    }

    /// The connection, over which everything is as it was accepted.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Failure> {
        let accepted = self.accepted().map_err(|why| Failure::new(Class::Policy, why))?;
        let mut open = self.open.lock().await;
        if let Some(session) = open.as_ref().filter(|session| session.is_well()) {
            return Ok(Arc::clone(session));
        }
        // The old one ends before the new one begins: two may not share what they write to.
        drop(open.take());
        let session = Session::open(&self.place).await?;
        self.same(accepted, &session.list)?;
        let session = Arc::new(session);
        *open = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Asks once more for the list, right before something is done that cannot be taken back.
    pub(super) async fn still(&self, session: &Session) -> Result<(), Failure> {
        let accepted = self.accepted().map_err(|why| Failure::new(Class::Policy, why))?;
        let now = session.list_again().await.map_err(|broken| broken.failure(&self.place, ""))?;
        self.same(accepted, &now)
    }

    fn same(&self, accepted: &Accepted, now: &List) -> Result<(), Failure> {
        if accepted.list.digest() == now.digest() {
            return Ok(());
        }
        let changes = accepted.list.changes(now);
        let more = changes.len().saturating_sub(CHANGES_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let told = changes.into_iter().take(CHANGES_MAX).collect::<Vec<_>>().join(", ");
        let name = &self.place.name;
        let why = format!(
            "its server lists other tools than those that were accepted ({told}{more}), so nothing is asked of it: look with \
             `callsheet mcp inspect {name}`, which says how to accept them"
        );
        Err(Failure::new(Class::Policy, why))
    }
}

/// What was accepted of this server and no other.
fn fits(accepted: Option<Accepted>, place: &Place) -> Result<Accepted, String> {
    let name = &place.name;
    let instead = format!("look with `callsheet mcp inspect {name}`, which says how to accept them");
    match accepted {
        None => Err(format!("nobody has accepted the tools of `{name}` yet: {instead}")),
        Some(accepted) if accepted.from != place.from() => {
            Err(format!("what {LOCK_FILE} says of `{name}` was accepted of another {}: {instead}", place.key()))
        }
        Some(accepted) => Ok(accepted),
    }
}

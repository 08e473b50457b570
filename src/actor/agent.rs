//! An agent as an actor: it starts attempts beside its mailbox, each an actor of its own, kills them when told to, and tells
//! the run of any that panics or errs: that is the failure of this attempt, and the others go on.

use std::collections::HashMap;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tracing::Instrument;

use super::owner;
use super::perform::{Work, perform};
use super::run;
use crate::failure::Class;

/// An agent.
pub(super) struct Agent;

/// What an agent is told.
pub(super) enum Msg {
    /// Perform this, now.
    Perform(owner::Attempt, Box<Work>),
    /// Kill these.
    Kill(Vec<owner::Attempt>),
}

/// An agent's actor while it lives: its attempts, which the journal knows of too.
pub(super) struct Live {
    run: ActorRef<run::Msg>,
    attempts: HashMap<ActorId, (owner::Attempt, ActorRef<Go>)>,
}

impl Actor for Agent {
    type Msg = Msg;
    type State = Live;
    type Arguments = ActorRef<run::Msg>;

    async fn pre_start(&self, _myself: ActorRef<Msg>, run: ActorRef<run::Msg>) -> Result<Live, ActorProcessingErr> {
        Ok(Live { run, attempts: HashMap::new() })
    }

    async fn handle(&self, myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Perform(which, work) => {
                let (attempt, _) = Actor::spawn_linked(None, Attempt, live.run.clone(), myself.get_cell()).await?;
                live.attempts.insert(attempt.get_id(), (which, attempt.clone()));
                // One that cannot be told is dying, and its supervision event says so.
                let _ = attempt.cast(Go(which, work));
            }
            Msg::Kill(these) => live.attempts.retain(|_, (which, attempt)| {
                let kept = !these.contains(which);
                if !kept {
                    // It dies at the next point where it waits. Until then nobody waits for it.
                    attempt.kill();
                }
                kept
            }),
        }
        Ok(())
    }

    /// An attempt that ends well has reported; the run hears of one that fails, and decides.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Msg>,
        event: SupervisionEvent,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, reason) => {
                if let Some((which, _)) = live.attempts.remove(&cell.get_id()) {
                    live.run.cast(run::Msg::Died(which, reason.to_string()))?;
                }
            }
            SupervisionEvent::ActorTerminated(cell, ..) => drop(live.attempts.remove(&cell.get_id())),
            _ => {}
        }
        Ok(())
    }
}

/// One attempt of one effect.
struct Attempt;

struct Go(owner::Attempt, Box<Work>);

impl Actor for Attempt {
    type Msg = Go;
    type State = ActorRef<run::Msg>;
    type Arguments = ActorRef<run::Msg>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Go>,
        run: ActorRef<run::Msg>,
    ) -> Result<ActorRef<run::Msg>, ActorProcessingErr> {
        Ok(run)
    }

    async fn handle(
        &self,
        myself: ActorRef<Go>,
        Go(attempt, work): Go,
        run: &mut ActorRef<run::Msg>,
    ) -> Result<(), ActorProcessingErr> {
        let agent = tracing::info_span!(parent: &work.place.span, "agent", name = %work.turn.agent);
        let span = tracing::info_span!(parent: &agent, "step", effect = %attempt.id.0.short());
        let lifted = perform(*work).instrument(span).await;
        if let Err(failed) = &lifted.result
            && failed.class == Class::Bug
        {
            return Err(reason_of(&lifted).into());
        }
        run.cast(run::Msg::Outcome(attempt, Box::new(lifted)))?;
        myself.stop(None);
        Ok(())
    }
}

/// The words of a failure, from its body.
fn reason_of(lifted: &super::lift::Lifted) -> String {
    let Err(failed) = &lifted.result else { return String::new() };
    let body = lifted.bodies.iter().find(|body| body.digest == failed.reason.digest);
    body.map_or_else(String::new, |body| String::from_utf8_lossy(&body.bytes).into_owned())
}

//! An agent as an actor: it starts attempts beside its mailbox and dies of any that panics or errs. It holds no state
//! of its own, so a fresh one can take its place at any time.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tracing::Instrument;

use super::owner;
use super::perform::{Work, perform};
use super::run;
use crate::failure::Class;

/// An agent.
pub(super) struct Agent;

/// What an agent is given when it starts.
pub(super) struct Setup {
    pub(super) run: ActorRef<run::Msg>,
}

/// What an agent is told: perform this, now.
pub(super) struct Perform(pub(super) owner::Attempt, pub(super) Work);

impl Actor for Agent {
    type Msg = Perform;
    type State = Setup;
    type Arguments = Setup;

    async fn pre_start(&self, _myself: ActorRef<Perform>, setup: Setup) -> Result<Setup, ActorProcessingErr> {
        Ok(setup)
    }

    async fn handle(
        &self,
        myself: ActorRef<Perform>,
        Perform(which, work): Perform,
        state: &mut Setup,
    ) -> Result<(), ActorProcessingErr> {
        let (attempt, _) = Actor::spawn_linked(None, Attempt, state.run.clone(), myself.get_cell()).await?;
        attempt.cast(Go(which, Box::new(work)))?;
        Ok(())
    }

    /// An attempt that ends well has reported; one that fails takes its agent with it, and the run decides.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Perform>,
        event: SupervisionEvent,
        _state: &mut Setup,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, reason) => Err(reason),
            _ => Ok(()),
        }
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

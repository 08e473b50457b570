//! An agent as an actor: it starts attempts beside its mailbox, each a task of its own, and kills them when told to. The run
//! hears what each came to; one that panics or errs is the failure of that attempt, and the others go on.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::lift::Lifted;
use super::msg::RunMsg;
use super::perform::{Work, perform};
use crate::failure::Class;
use crate::run::owner::Attempt;

/// An agent.
pub(super) struct Agent;

/// What an agent is told.
pub(super) enum Msg {
    /// Perform this, now.
    Perform(Attempt, Arc<Work>),
    /// Kill these.
    Kill(Vec<Attempt>),
}

/// An agent's actor while it lives: its attempts, which the journal knows of too.
pub(super) struct Live {
    run: ActorRef<RunMsg>,
    attempts: BTreeMap<Attempt, Task>,
}

/// An attempt under way. It ends with the agent that holds this: at the next point where it waits.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Actor for Agent {
    type Msg = Msg;
    type State = Live;
    type Arguments = ActorRef<RunMsg>;

    async fn pre_start(&self, _myself: ActorRef<Msg>, run: ActorRef<RunMsg>) -> Result<Live, ActorProcessingErr> {
        Ok(Live { run, attempts: BTreeMap::new() })
    }

    async fn handle(&self, _myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Perform(attempt, work) => {
                live.attempts.retain(|_, task| !task.0.is_finished());
                live.attempts.insert(attempt, start(live.run.clone(), attempt, work));
            }
            // From here on nobody waits for them.
            Msg::Kill(these) => these.iter().for_each(|attempt| drop(live.attempts.remove(attempt))),
        }
        Ok(())
    }
}

/// Starts an attempt, and has the run told of its end, however it ends.
fn start(run: ActorRef<RunMsg>, attempt: Attempt, work: Arc<Work>) -> Task {
    let agent = tracing::info_span!(parent: &work.place.span, "agent", name = %work.turn.agent);
    let span = tracing::info_span!(parent: &agent, "step", effect = %attempt.id.0.short());
    let performed = tokio::spawn(perform(work).instrument(span));
    let task = Task(performed.abort_handle());
    tokio::spawn(async move {
        let came = match performed.await {
            Ok(lifted) => match bug(&lifted) {
                Some(reason) => RunMsg::Died(attempt, reason),
                None => RunMsg::Outcome(attempt, Box::new(lifted)),
            },
            Err(error) => match error.try_into_panic() {
                Ok(panic) => RunMsg::Died(attempt, words_of(panic.as_ref())),
                // It was killed, and whoever did so knows.
                Err(_) => return,
            },
        };
        // A run that has gone waits for nothing.
        let _ = run.cast(came);
    });
    task
}

/// The words of a failure that is ours, from its body.
fn bug(lifted: &Lifted) -> Option<String> {
    let Err(failed) = &lifted.result else { return None };
    let body = lifted.bodies.iter().find(|body| body.digest == failed.reason.digest);
    let words = || body.map_or_else(String::new, |body| String::from_utf8_lossy(&body.bytes).into_owned());
    (failed.class == Class::Bug).then(words)
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked without a word".to_owned())
}

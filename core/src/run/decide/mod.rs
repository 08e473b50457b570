//! The only place where choices are made: a state and an input come to a batch of events.
//! An input's own consequences first, then `advance`: whatever the state now calls for.
//!
//! In layers, of which each knows those above it only: `batch`, which collects; moves, which emit what follows from one
//! rule; reactions, which say what an input comes to; `advance`, which looks for what a state calls for.

mod batch;

// Moves.
mod ask;
mod budget;
mod deliver;
mod doubt;
mod ending;
mod mend;
mod note;
mod split;

// Reactions.
mod approval;
mod attend;
mod comment;
mod inbox;
mod outward;
mod retry;
mod turn;

mod advance;

use batch::Batch;

use super::branch::Branch;
use super::desk::Desk;
use super::event::{Ending, Event, Fact, Message};
use super::fold::Illegal;
use super::input::{Input, What};
use super::state::State;
use crate::id::{MessageId, Outcome};
use crate::run::event::Origin;
use crate::topology::plan::Recipient;

/// What an input comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The events of one append, in order; none is nothing to append.
    pub facts: Vec<Fact>,
    /// The state that they lead to: each was applied as it was decided, as whoever replays them applies it.
    pub state: State,
}

/// What `input` comes to in `state`, which it takes: a copy for every input would cost more with all that a run has made.
///
/// # Errors
/// [`Illegal`] if the input cannot come in this state: its sender is wrong, or we are. The state is then worth nothing;
/// what the run's records come to is its state still.
pub fn decide(state: State, input: &Input) -> Result<Decided, Illegal> {
    let mut batch = Batch::new(state, input);
    match &input.what {
        What::Start { plan, mode, brief, labels, note, by } => {
            batch.emit(Event::Started { plan: *plan, mode: *mode, brief: *brief, by: by.clone() })?;
            batch.emit(Event::Opened { epoch: crate::id::Epoch(1) })?;
            let first = Message {
                id: MessageId(1),
                cause: None,
                from: None,
                to: Recipient::Member(batch.state.plan.start.clone()),
                outcome: Outcome::fixed("start"),
                note: *note,
                desk: Desk::new(),
                round: 1,
                exhausted: false,
                asked_by: None,
                origin: Origin::Person,
                labels: *labels,
                branch: Branch::default(),
                joins: None,
            };
            batch.emit(Event::MessageSent(first))?;
        }
        What::Opened { epoch } => {
            batch.emit(Event::Opened { epoch: *epoch })?;
            if batch.state.ended.is_none() {
                doubt::older(&mut batch)?;
                ending::settle_lost_calls(&mut batch)?;
            }
        }
        What::Settled { id, result, usage } => turn::settled(&mut batch, *id, result, *usage)?,
        What::AgentDied { agent, effects, class, reason } => {
            retry::agent_died(&mut batch, agent, effects, *class, *reason)?;
        }
        What::Posted { place, post, at, say } => {
            approval::pass(&mut batch, *at)?;
            inbox::hear(&mut batch, *place, *post, say.as_ref())?;
        }
        What::Due => approval::pass(&mut batch, input.at)?,
        What::Broken => batch.emit(Event::Ended { how: Ending::Bug })?,
    }
    advance::advance(&mut batch)?;
    Ok(Decided { facts: batch.facts, state: batch.state })
}

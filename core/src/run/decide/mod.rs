//! The only place where choices are made: a state and an input come to a batch of events.
//! An input's own consequences first, then `advance`: whatever the state now calls for.

mod advance;
mod approval;
mod budget;
mod deliver;
mod inbox;
mod mend;
mod outward;
mod retry;
mod turn;

use super::event::{Ending, Event, Fact, Message};
use super::fold::Illegal;
use super::input::{Input, What};
use super::state::State;
use crate::id::{MessageId, Outcome, Timestamp};
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
    let mut draft = Draft::new(state, input);
    match &input.what {
        What::Start { plan, mode, brief, note, by } => {
            draft.emit(Event::Started { plan: *plan, mode: *mode, brief: *brief, by: by.clone() })?;
            draft.emit(Event::Opened { epoch: crate::id::Epoch(1) })?;
            let first = Message {
                id: MessageId(1),
                cause: None,
                from: None,
                to: Recipient::Member(draft.state.plan.start.clone()),
                outcome: start_outcome(),
                note: *note,
                desk: std::collections::BTreeMap::new(),
                round: 1,
                exhausted: false,
                asked_by: None,
                origin: Origin::Person,
            };
            draft.emit(Event::MessageSent(first))?;
        }
        What::Opened { epoch } => {
            draft.emit(Event::Opened { epoch: *epoch })?;
            if draft.state.ended.is_none() {
                outward::doubt_all(&mut draft)?;
                retry::settle_lost_calls(&mut draft)?;
            }
        }
        What::Settled { id, result, usage } => turn::settled(&mut draft, *id, result, *usage)?,
        What::AgentDied { agent, effects, class, reason } => {
            retry::agent_died(&mut draft, agent, effects, *class, *reason)?;
        }
        What::Posted { place, post, at, say } => {
            approval::expire(&mut draft, *at)?;
            inbox::hear(&mut draft, *place, *post, say.as_ref())?;
        }
        What::Due => approval::expire(&mut draft, input.at)?,
        What::Broken => draft.emit(Event::Ended { how: Ending::Bug })?,
    }
    advance::advance(&mut draft)?;
    Ok(Decided { facts: draft.facts, state: draft.state })
}

/// The outcome that the brief is sent on.
pub fn start_outcome() -> Outcome {
    Outcome::fixed("start")
}

/// A state with the events of this batch applied as they are decided.
struct Draft {
    state: State,
    facts: Vec<Fact>,
    at: Timestamp,
    /// When what is heard was posted, if it was before that.
    posted_at: Option<Timestamp>,
    jitter_permille: u16,
}

impl Draft {
    fn new(state: State, input: &Input) -> Self {
        let posted_at = match input.what {
            What::Posted { at, .. } => Some(at),
            _ => None,
        };
        Self {
            at: input.at.max(state.now),
            posted_at: posted_at.filter(|at| *at < input.at.max(state.now)),
            state,
            facts: Vec::new(),
            jitter_permille: input.jitter_permille.min(1_000),
        }
    }

    fn emit(&mut self, event: Event) -> Result<(), Illegal> {
        let fact = Fact { at: self.at, is: event };
        self.state.apply(&fact)?;
        self.facts.push(fact);
        Ok(())
    }

    /// Whether nothing new begins: the run is paused, or over.
    fn is_halted(&self) -> bool {
        self.state.paused.is_some() || self.state.ended.is_some()
    }

    /// A wait between half of `ms` and all of it.
    fn jittered(&self, ms: u64) -> u64 {
        ms / 2 + (ms / 2).saturating_mul(u64::from(self.jitter_permille)) / 1_000
    }
}

/// An input that no worker of ours sends.
fn impossible(what: &'static str) -> Illegal {
    Illegal { event: "input", why: what }
}

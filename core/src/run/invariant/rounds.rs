//! How often bounded handoffs were taken, counted beside the state: in each branch by itself, and anew after a person's turn.

use std::collections::BTreeMap;

use super::broken::{Holds, ensure};
use crate::id::{AgentName, Outcome};
use crate::run::branch::Branch;
use crate::run::event::Message;
use crate::run::state::State;

/// Since a person last decided in the same branch.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken(BTreeMap<(Branch, AgentName, Outcome), u32>);

impl Taken {
    /// I9: a message goes where its rounds lead.
    pub(super) fn sent(&mut self, state: &State, message: &Message) -> Holds {
        let Some(from) = message.from.as_ref().filter(|_| message.asked_by.is_none()) else { return Ok(()) };
        self.take(state, &message.branch, from, &message.outcome, message.exhausted)
    }

    /// I9: a handoff of `from` in `branch` is taken, or its `then`, since its rounds are used up.
    pub(super) fn take(
        &mut self,
        state: &State,
        branch: &Branch,
        from: &AgentName,
        outcome: &Outcome,
        exhausted: bool,
    ) -> Holds {
        let rounds = state.handoff(from, outcome).and_then(|handoff| handoff.rounds.as_ref());
        let Some(rounds) = rounds else {
            return ensure("I9", !exhausted, || format!("{from}'s {outcome} has no rounds to use up"));
        };
        let taken = self.0.entry((branch.clone(), from.clone(), outcome.clone())).or_default();
        let used_up = *taken >= rounds.max;
        ensure("I9", used_up == exhausted, || {
            format!("{from} took {outcome} {taken} times of {} in {branch}, and used up is {exhausted}", rounds.max)
        })?;
        *taken += u32::from(!exhausted);
        Ok(())
    }

    /// A person's turn in `branch` ended: what others may do there counts anew.
    pub(super) fn decided(&mut self, branch: &Branch, person: &AgentName) {
        self.0.retain(|(of, from, _), _| of != branch || from == person);
    }
}

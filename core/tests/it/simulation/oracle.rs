//! What people really said and what the sink really did, kept apart from the run and held against its facts.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_core::id::{ApprovalNo, EffectId, MessageId};
use callsheet_core::run::event::{Decision, Event, Fact, Settled, Who, Wish};
use callsheet_core::run::input::Command;
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::state::State;
use callsheet_core::topology::plan::{Person, Role};
use callsheet_core::topology::spec::Repeat;

use super::journal::{Row, broken};
use super::sink::Sink;

/// An independent memory.
#[derive(Default)]
pub(crate) struct Oracle {
    /// Who approved exactly the content of which approval, and may.
    approved: BTreeMap<ApprovalNo, BTreeSet<String>>,
    /// Items by effect.
    items: BTreeMap<EffectId, (ApprovalNo, u32)>,
    /// Those that a second execution does nothing to.
    pure: BTreeSet<EffectId>,
    /// Items that the run says were performed.
    performed: BTreeSet<(ApprovalNo, u32)>,
    /// How often a message was tried again.
    tried: BTreeMap<MessageId, u32>,
    /// Slots that became free again.
    freed: BTreeSet<(ApprovalNo, u32)>,
}

/// Whether `by` is among those that `person` names, or are told when they say nothing. Whether they were told yet is for the
/// watch.
pub(crate) fn is_asked(person: &Person, by: &Who) -> bool {
    let told = person.escalate.as_ref().is_some_and(|escalate| by.is(&escalate.to));
    person.who.is_empty() || told || person.who.iter().any(|who| by.is(who))
}

/// The person whose approval it is.
pub(crate) fn person(state: &State, no: ApprovalNo) -> Option<&Person> {
    match &state.member(&state.approvals.get(&no)?.agent)?.role {
        Role::Person(person) => Some(person),
        _ => None,
    }
}

/// Whether `by` may approve for `person`.
pub(crate) fn may_approve(state: &State, person: &Person, by: &Who) -> bool {
    let starter = state.starter.as_ref().is_some_and(|starter| starter.name == by.name);
    state.plan.single_person || is_asked(person, by) && (!starter || person.starter_may_approve)
}

impl Oracle {
    /// A row is posted while the truth is `state`.
    pub(crate) fn posted(&mut self, state: &State, row: &Row) {
        let Some((by, Command::Decide { approval, binds, decision: Decision::Approve, .. })) = &row.say else { return };
        let same = state.approvals.get(approval).is_some_and(|known| known.binds == *binds);
        if same && person(state, *approval).is_some_and(|person| may_approve(state, person, by)) {
            self.approved.entry(*approval).or_default().insert(by.name.clone());
        }
    }

    /// `fact` is durable and led to `state`.
    pub(crate) fn take(&mut self, state: &State, inbox: &[Row], sink: &Sink, fact: &Fact) -> Result<(), Broken> {
        match &fact.is {
            Event::Heard { place, .. } => {
                let row = usize::try_from(*place - 1).ok().and_then(|at| inbox.get(at));
                match row {
                    Some(row) if !row.wrong => Ok(()),
                    _ => Err(broken("I8", format!("row {place} of the inbox should have been refused"))),
                }
            }
            Event::PermitGiven { no, .. } => {
                let needed = person(state, *no).map_or(1, |person| person.needed.max(1) as usize);
                let approved = self.approved.get(no).map_or(0, BTreeSet::len);
                if approved >= needed {
                    return Ok(());
                }
                Err(broken("I8", format!("permit {no} with {approved} of {needed} approvals")))
            }
            Event::EffectAsked { id, wish: Wish::Deliver { tool, permit, slot, .. }, .. } => {
                if state.plan.tools.get(tool).is_some_and(|spec| spec.repeat == Repeat::Pure) {
                    self.pure.insert(*id);
                }
                self.items.insert(*id, (*permit, *slot));
                Ok(())
            }
            Event::EffectSettled { id, result: Settled::Performed { .. }, .. } => {
                let Some(item) = self.items.get(id) else { return Ok(()) };
                self.performed.insert(*item);
                if sink.done(item.0, item.1) > 0 {
                    return Ok(());
                }
                Err(broken("I1", format!("slot {} of permit {} counts as done and never was", item.1, item.0)))
            }
            _ => Ok(()),
        }
    }

    /// A dead letter is tried again.
    pub(crate) fn tried(&mut self, message: MessageId) {
        *self.tried.entry(message).or_default() += 1;
    }

    /// How often it was.
    pub(crate) fn tries(&self, message: MessageId) -> u32 {
        self.tried.get(&message).copied().unwrap_or(0)
    }

    /// An item surely failed.
    pub(crate) fn freed(&mut self, permit: ApprovalNo, slot: u32) {
        self.freed.insert((permit, slot));
    }

    /// Whether it did.
    pub(crate) fn was_freed(&self, permit: ApprovalNo, slot: u32) -> bool {
        self.freed.contains(&(permit, slot))
    }

    /// The run is over: what was done, it knows of, or says that it does not know.
    pub(crate) fn at_end(&self, state: &State, sink: &Sink) -> Result<(), Broken> {
        for (id, (permit, slot)) in &self.items {
            let seen = state.effects.get(id).is_some_and(|effect| effect.doubt.is_some());
            let known = self.performed.contains(&(*permit, *slot));
            if sink.happened(*id) && !known && !seen && !self.pure.contains(id) {
                return Err(broken("I5", format!("slot {slot} of permit {permit} was done and the run forgot it")));
            }
        }
        Ok(())
    }
}

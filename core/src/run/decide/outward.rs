//! Acting on the world: only items of an approved manifest, each once, begun durably before they are performed, and
//! never repeated on a guess.

use std::sync::Arc;

use super::batch::{Batch, impossible};
use super::{ask, budget, deliver, doubt, retry};
use crate::failure::Class;
use crate::id::{ApprovalNo, EffectId, MessageId, Outcome};
use crate::run::event::{Amount, Event, Origin, Rule, Settled, Wish};
use crate::run::fold::Illegal;
use crate::run::input::Failed;
use crate::run::later::AT_ONCE_MAX;
use crate::run::state::{Began, Effect, Permit, State, Turn};
use crate::topology::plan::{Role, TOOL_OUTCOME};
use crate::topology::spec::Repeat;

/// Asks for the next items of the permit that the turn's desk is approved under, as far as their day has come, or ends the
/// turn. What people are asked about keeps the turn open, and no other item back.
pub(super) fn step(batch: &mut Batch, message: MessageId) -> Result<(), Illegal> {
    let Some(turn) = batch.state.turns.get(&message).cloned() else { return Ok(()) };
    let room = batch.state.room(message);
    if room == 0 {
        return Ok(());
    }
    let is_settled = room == AT_ONCE_MAX;
    if let Some((class, reason)) = turn.failed {
        return if is_settled { deliver::give_up(batch, message, class, reason) } else { Ok(()) };
    }
    let Some(no) = batch.state.permit_of(&turn) else {
        return deliver::give_up(batch, message, Class::Policy, unapproved(&batch.state, &turn));
    };
    let permit = batch.state.permits.get(&no).ok_or_else(|| impossible("no such permit"))?;
    let left: Vec<_> = permit.left().collect();
    if left.is_empty() {
        let (outcome, note) = (Outcome::fixed(TOOL_OUTCOME), turn.message.note);
        return if is_settled { deliver::end_turn(batch, message, &outcome, note, Origin::Computed) } else { Ok(()) };
    }
    let recipients = left.iter().map(|(_, item)| item.recipients).fold(0, u64::saturating_add);
    let due: Vec<_> = left.into_iter().filter(|(slot, _)| permit.leaves_from(*slot, batch.at) <= batch.at).collect();
    if permit.voided_by.is_some() || due.iter().any(|(slot, _)| !permit.holds(*slot, batch.at)) {
        return if is_settled { deliver::give_up(batch, message, Class::Policy, gone(no, permit)) } else { Ok(()) };
    }
    let Some(Role::Tool { tool, .. }) = batch.state.member(&turn.agent).map(|m| m.role.clone()) else { return Ok(()) };
    // All that is left to do, on whatever day, so that one raise suffices.
    let all = Amount { recipients, ..Amount::default() };
    if due.is_empty() || !budget::fits(batch, message, &turn.agent, all)? {
        return Ok(());
    }
    for (slot, item) in due.into_iter().take(room) {
        let amount = Amount { recipients: item.recipients, ..Amount::default() };
        let wish =
            Wish::Deliver { tool: tool.clone(), permit: no, slot, item: item.digest, recipients: item.recipients };
        if ask::effect(batch, message, wish, amount)?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// Why there is no permit for what is on the turn's desk: there was one, and it was taken back, or there never was.
fn unapproved(state: &State, turn: &Turn) -> Rule {
    let theirs = state.permits.iter().rev().find(|(_, permit)| permit.member == turn.agent);
    match theirs {
        Some((no, permit)) if permit.voided_by.is_some() => Rule::PermitVoided { no: *no },
        _ => Rule::NotApproved,
    }
}

/// Why nothing begins under `permit` any more.
fn gone(no: ApprovalNo, permit: &Permit) -> Rule {
    if permit.voided_by.is_some() { Rule::PermitVoided { no } } else { Rule::PermitExpired { no } }
}

/// Begins outward effects that are due and have not begun: durably, until a time after which they are not performed.
pub(super) fn begin(batch: &mut Batch) -> Result<(), Illegal> {
    let state = &batch.state;
    let due = |effect: &Effect| {
        let waits = effect.is_outward() && effect.began.is_none() && effect.failed.is_none();
        waits && state.begins_from(effect, batch.at) <= batch.at
    };
    let ids: Vec<EffectId> =
        state.effects.iter().filter(|(_, effect)| due(effect)).map(|(id, _)| *id).take(AT_ONCE_MAX).collect();
    ids.into_iter().try_for_each(|id| begin_or_refuse(batch, id))
}

/// Begins `id` if its permit still holds and it has not failed too often; else it fails for good.
fn begin_or_refuse(batch: &mut Batch, id: EffectId) -> Result<(), Illegal> {
    let Some(effect) = batch.state.effects.get(&id) else { return Ok(()) };
    let spent = Amount::default();
    if let Some(reason) = effect.doubted_of.filter(|_| is_given_up(effect)) {
        return batch.emit(Event::EffectFailed {
            id,
            class: Class::Transient,
            reason: reason.into(),
            spent,
            last: true,
        });
    }
    if holds(batch, effect) {
        return begin_one(batch, id);
    }
    let permit = match effect.wish {
        Wish::Deliver { permit: no, .. } => batch.state.permits.get(&no).map(|permit| (no, permit)),
        _ => None,
    };
    let reason = permit.map_or(Rule::NotApproved, |(no, permit)| gone(no, permit)).into();
    batch.emit(Event::EffectFailed { id, class: Class::Policy, reason, spent, last: true })
}

/// Whether as many attempts left a doubt as may fail at all: what keeps one from telling its end keeps the next one, too.
fn is_given_up(effect: &Effect) -> bool {
    effect.doubts >= retry::TOOL_ATTEMPTS_MAX
}

/// Whether the permit of an outward effect still holds.
fn holds(batch: &Batch, effect: &Effect) -> bool {
    let Wish::Deliver { permit, slot, .. } = &effect.wish else { return false };
    batch.state.permits.get(permit).is_some_and(|permit| permit.holds(*slot, batch.at))
}

fn begin_one(batch: &mut Batch, id: EffectId) -> Result<(), Illegal> {
    let Some(effect) = batch.state.effects.get(&id) else { return Ok(()) };
    let not_after = batch.at.plus_ms(doubt::timeout_ms(&batch.state, effect));
    batch.emit(Event::EffectBegan { id, epoch: batch.state.epoch, not_after })
}

/// Settles doubts as the tool's `repeat` allows: the same key again, a question to the sink, a question to a person.
pub(super) fn resolve_doubts(batch: &mut Batch) -> Result<(), Illegal> {
    for (id, effect) in due_doubts(batch) {
        if batch.is_halted() {
            break;
        }
        match batch.state.repeat(&effect) {
            _ if effect.for_person => ask::question(batch, id, &effect)?,
            Repeat::Pure => begin_or_refuse(batch, id)?,
            Repeat::Idempotent { key_age_ms }
                if is_young(batch, &effect, key_age_ms) && holds(batch, &effect) && !is_given_up(&effect) =>
            {
                begin_one(batch, id)?;
            }
            Repeat::Queryable => ask::query(batch, id, &effect)?,
            Repeat::Idempotent { .. } | Repeat::Once => ask::question(batch, id, &effect)?,
        }
    }
    Ok(())
}

fn due_doubts(batch: &Batch) -> Vec<(EffectId, Arc<Effect>)> {
    let agent = |effect: &Effect| batch.state.begins_from(effect, batch.at) <= batch.at;
    let due =
        |effect: &Effect| effect.doubt.is_some_and(|from| from <= batch.at) && !effect.asked_about && agent(effect);
    batch.state.effects.iter().filter(|(_, e)| due(e)).map(|(id, e)| (*id, Arc::clone(e))).collect()
}

/// A key is used again only if the call is over, at the latest, in the first half of the key's age. The other half is for
/// a clock that was set back meanwhile: the sink counts in real time.
fn is_young(batch: &Batch, effect: &Effect, key_age_ms: u64) -> bool {
    let over_within_ms = doubt::timeout_ms(&batch.state, effect).saturating_mul(2);
    let age_ms = |began: Began| batch.at.ms_since(began.first_at).saturating_add(over_within_ms);
    effect.began.is_some_and(|began| age_ms(began) < key_age_ms / 2)
}

/// What an outward effect, a query or a question came to.
pub(super) fn settled(
    batch: &mut Batch,
    id: EffectId,
    effect: &Effect,
    result: &Result<Settled, Failed>,
) -> Result<(), Illegal> {
    let Ok(result) = result else { return Ok(()) };
    batch.emit(Event::EffectSettled { id, spent: effect.reserved, result: result.clone() })?;
    match (&effect.wish, result) {
        (Wish::Query { about }, Settled::Performed { .. }) => perform_settled(batch, *about, result),
        (Wish::Question { about }, Settled::Numbered { no }) => {
            batch.emit(Event::QuestionAsked { no: *no, effect: *about })
        }
        _ => Ok(()),
    }
}

/// A person, or the sink, says that `id` was performed.
pub(super) fn perform_settled(batch: &mut Batch, id: EffectId, result: &Settled) -> Result<(), Illegal> {
    let Some(effect) = batch.state.effects.get(&id) else { return Ok(()) };
    let spent = effect.reserved;
    batch.emit(Event::EffectSettled { id, spent, result: result.clone() })
}

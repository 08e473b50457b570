//! Acting on the world: only items of an approved manifest, each once, begun durably before they are performed, and
//! never repeated on a guess.

use super::{Draft, budget, deliver, retry, turn};
use crate::failure::Class;
use crate::id::{ApprovalNo, EffectId, MessageId, Outcome};
use crate::run::event::Origin;
use crate::run::event::{Amount, BodyRef, Event, Settled, Wish};
use crate::run::fold::Illegal;
use crate::run::input::Failed;
use crate::run::state::{Began, Effect, Permit, State, Turn};
use crate::topology::plan::{Arg, Role, TOOL_OUTCOME};
use crate::topology::spec::Repeat;

/// Items that begin in one append.
const CHUNK_MAX: usize = 64;

/// Asks for the next items of the permit that the turn's desk is approved under, or ends the turn.
pub(super) fn step(draft: &mut Draft, message: MessageId) -> Result<(), Illegal> {
    let Some(turn) = draft.state.turns.get(&message).cloned() else { return Ok(()) };
    if draft.state.effects.values().any(|effect| effect.message == message) {
        return Ok(());
    }
    if let Some((class, reason)) = turn.failed {
        return retry::give_up(draft, message, class, reason);
    }
    let Some(no) = turn.permit.or_else(|| permit_for(&draft.state, &turn)) else {
        return retry::give_up(draft, message, Class::Policy, turn.message.note);
    };
    let permit = draft.state.permits.get(&no).ok_or_else(|| super::impossible("no such permit"))?;
    let items =
        permit.manifest.items.iter().enumerate().filter_map(|(slot, item)| Some((u32::try_from(slot).ok()?, *item)));
    let left: Vec<_> = items.filter(|(slot, _)| !permit.used.contains(slot)).collect();
    let recipients = left.iter().map(|(_, item)| item.recipients).fold(0, u64::saturating_add);
    let unused: Vec<_> = left.into_iter().take(CHUNK_MAX).collect();
    let note = turn.message.note;
    if unused.is_empty() {
        return deliver::end_turn(draft, message, &Outcome::fixed(TOOL_OUTCOME), note, Origin::Computed);
    }
    if !permit.holds(draft.at) {
        return retry::give_up(draft, message, Class::Policy, note);
    }
    let Some(Role::Tool { tool, .. }) = draft.state.member(&turn.agent).map(|m| m.role.clone()) else { return Ok(()) };
    // All that is left to do, so that one raise suffices.
    if !budget::fits(draft, &turn.agent, Amount { recipients, ..Amount::default() })? {
        return Ok(());
    }
    for (slot, item) in unused {
        let amount = Amount { recipients: item.recipients, ..Amount::default() };
        let wish =
            Wish::Deliver { tool: tool.clone(), permit: no, slot, item: item.digest, recipients: item.recipients };
        if turn::ask(draft, message, wish, amount)?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// The permit for this member, with slots to use, whose manifest was made from the versions on the turn's desk.
fn permit_for(state: &State, turn: &Turn) -> Option<ApprovalNo> {
    let Role::Tool { args, .. } = &state.member(&turn.agent)?.role else { return None };
    let roots = args.values().filter_map(|arg| match arg {
        Arg::Path { root, .. } => Some(root.as_str()),
        Arg::Value(_) => None,
    });
    let roots: Vec<&str> = roots.collect();
    let fits = |permit: &Permit| {
        let same = roots.iter().all(|root| permit.manifest.desk.get(*root) == turn.desk.get(*root));
        let items = permit.manifest.items.len();
        let unused = items == 0 || permit.used.len() < items;
        permit.member == turn.agent && permit.voided_by.is_none() && same && unused
    };
    state.permits.iter().rev().find(|(_, permit)| fits(permit)).map(|(no, _)| *no)
}

/// Begins outward effects that are due and have not begun: durably, until a time after which they are not performed.
pub(super) fn begin(draft: &mut Draft) -> Result<(), Illegal> {
    let state = &draft.state;
    let due = |effect: &&Effect| {
        let waits = effect.is_outward() && effect.began.is_none() && effect.failed.is_none();
        waits && state.not_before(effect) <= draft.at
    };
    let ids: Vec<EffectId> =
        state.effects.iter().filter(|(_, effect)| due(effect)).map(|(id, _)| *id).take(CHUNK_MAX).collect();
    ids.into_iter().try_for_each(|id| begin_or_refuse(draft, id))
}

/// Begins `id` if its permit still holds and it has not failed too often; else it fails for good.
fn begin_or_refuse(draft: &mut Draft, id: EffectId) -> Result<(), Illegal> {
    let Some(effect) = draft.state.effects.get(&id) else { return Ok(()) };
    let spent = Amount::default();
    if let Some(reason) = effect.doubted_of.filter(|_| is_given_up(effect)) {
        return draft.emit(Event::EffectFailed { id, class: Class::Transient, reason, spent, last: true });
    }
    if holds(draft, effect) {
        return begin_one(draft, id);
    }
    let reason = draft.state.turns.get(&effect.message).map(|turn| turn.message.note);
    let reason = reason.ok_or_else(|| super::impossible("no such turn"))?;
    draft.emit(Event::EffectFailed { id, class: Class::Policy, reason, spent, last: true })
}

/// Whether as many attempts left a doubt as may fail at all: what keeps one from telling its end keeps the next one, too.
fn is_given_up(effect: &Effect) -> bool {
    effect.doubts >= retry::TOOL_ATTEMPTS_MAX
}

/// Whether the permit of an outward effect still holds.
fn holds(draft: &Draft, effect: &Effect) -> bool {
    let Wish::Deliver { permit, .. } = &effect.wish else { return false };
    draft.state.permits.get(permit).is_some_and(|permit| permit.holds(draft.at))
}

fn begin_one(draft: &mut Draft, id: EffectId) -> Result<(), Illegal> {
    let Some(effect) = draft.state.effects.get(&id) else { return Ok(()) };
    let not_after = draft.at.plus_ms(timeout_ms(&draft.state, effect));
    draft.emit(Event::EffectBegan { id, epoch: draft.state.epoch, not_after })
}

/// Doubts every outward effect that an older ownership began and did not settle.
pub(super) fn doubt_all(draft: &mut Draft) -> Result<(), Illegal> {
    let epoch = draft.state.epoch;
    doubt_where(draft, |began| began.epoch < epoch)
}

/// Doubts every outward effect that began and is not settled.
pub(super) fn doubt_begun(draft: &mut Draft) -> Result<(), Illegal> {
    doubt_where(draft, |_| true)
}

fn doubt_where(draft: &mut Draft, of: impl Fn(Began) -> bool) -> Result<(), Illegal> {
    let lost = draft.state.effects.iter().filter(|(_, e)| e.doubt.is_none() && e.failed.is_none());
    let lost: Vec<EffectId> = lost.filter(|(_, e)| e.began.is_some_and(&of)).map(|(id, _)| *id).collect();
    lost.into_iter().try_for_each(|id| doubt(draft, id, None, None))
}

/// Nobody knows whether `id` happened. It is asked about once the earlier attempt can no longer be under way; with a reason
/// `why` it cannot be repeated, a person is. `failed` is what the attempt failed of, if it was not lost with its owner.
pub(super) fn doubt(
    draft: &mut Draft,
    id: EffectId,
    why: Option<BodyRef>,
    failed: Option<BodyRef>,
) -> Result<(), Illegal> {
    let Some(effect) = draft.state.effects.get(&id) else { return Ok(()) };
    let until = effect.began.map_or(draft.at, |began| began.not_after);
    let ask_from = until.plus_ms(timeout_ms(&draft.state, effect));
    draft.emit(Event::FellInDoubt { id, ask_from, why, failed })
}

/// Settles doubts as the tool's `repeat` allows: the same key again, a question to the sink, a question to a person.
pub(super) fn resolve_doubts(draft: &mut Draft) -> Result<(), Illegal> {
    for (id, effect) in due_doubts(draft) {
        if draft.is_halted() {
            break;
        }
        match draft.state.repeat(&effect) {
            _ if effect.for_person => question(draft, id, &effect)?,
            Repeat::Pure => begin_or_refuse(draft, id)?,
            Repeat::Idempotent { key_age_ms }
                if is_young(draft, &effect, key_age_ms) && holds(draft, &effect) && !is_given_up(&effect) =>
            {
                begin_one(draft, id)?;
            }
            Repeat::Queryable => query(draft, id, &effect)?,
            Repeat::Idempotent { .. } | Repeat::Once => question(draft, id, &effect)?,
        }
    }
    Ok(())
}

fn query(draft: &mut Draft, id: EffectId, effect: &Effect) -> Result<(), Illegal> {
    turn::ask(draft, effect.message, Wish::Query { about: id }, Amount::default()).map(drop)
}

/// Asks a person whether `id` happened.
pub(super) fn question(draft: &mut Draft, id: EffectId, effect: &Effect) -> Result<(), Illegal> {
    turn::ask(draft, effect.message, Wish::Question { about: id }, Amount::default()).map(drop)
}

fn due_doubts(draft: &Draft) -> Vec<(EffectId, Effect)> {
    let agent = |effect: &Effect| draft.state.not_before(effect) <= draft.at;
    let due =
        |effect: &Effect| effect.doubt.is_some_and(|from| from <= draft.at) && !effect.asked_about && agent(effect);
    draft.state.effects.iter().filter(|(_, e)| due(e)).map(|(id, e)| (*id, e.clone())).collect()
}

/// A key is used again only if the call is over, at the latest, in the first half of the key's age. The other half is for
/// a clock that was set back meanwhile: the sink counts in real time.
fn is_young(draft: &Draft, effect: &Effect, key_age_ms: u64) -> bool {
    let over_within_ms = timeout_ms(&draft.state, effect).saturating_mul(2);
    let age_ms = |began: Began| draft.at.ms_since(began.first_at).saturating_add(over_within_ms);
    effect.began.is_some_and(|began| age_ms(began) < key_age_ms / 2)
}

/// What an outward effect, a query or a question came to.
pub(super) fn settled(
    draft: &mut Draft,
    id: EffectId,
    effect: &Effect,
    result: &Result<Settled, Failed>,
) -> Result<(), Illegal> {
    let Ok(result) = result else { return Ok(()) };
    draft.emit(Event::EffectSettled { id, spent: effect.reserved, result: result.clone() })?;
    match (&effect.wish, result) {
        (Wish::Query { about }, Settled::Performed { .. }) => perform_settled(draft, *about, result),
        (Wish::Question { about }, Settled::Numbered { no }) => {
            draft.emit(Event::QuestionAsked { no: *no, effect: *about })
        }
        _ => Ok(()),
    }
}

/// A person, or the sink, says that `id` was performed.
pub(super) fn perform_settled(draft: &mut Draft, id: EffectId, result: &Settled) -> Result<(), Illegal> {
    let Some(effect) = draft.state.effects.get(&id) else { return Ok(()) };
    let spent = effect.reserved;
    draft.emit(Event::EffectSettled { id, spent, result: result.clone() })
}

fn timeout_ms(state: &State, effect: &Effect) -> u64 {
    match &effect.wish {
        Wish::Deliver { tool, .. } => state.plan.tools.get(tool).map_or(0, |spec| spec.call_timeout_ms),
        _ => 0,
    }
}

/// An amount for an outward retry: the recipients again.
pub(super) fn amount(effect: &Effect) -> Amount {
    match effect.wish {
        Wish::Deliver { recipients, .. } => Amount { recipients, ..Amount::default() },
        Wish::Tool { .. } | Wish::Own { .. } => budget::TOOL_CALL,
        _ => Amount::default(),
    }
}

//! Failures: the one retry rule, back-off, restarts and their intensity, poison, dead letters.
//! A step counts once per effect; the death of an owner is no attempt and no poison.

use std::collections::BTreeSet;

use super::batch::Batch;
use super::{ask, budget, deliver, doubt, ending, mend};
use crate::failure::{Class, Usage};
use crate::id::{AgentName, EffectId, MessageId, Timestamp};
use crate::run::event::{Amount, BodyRef, Ending, Event, Lists, Origin, PauseReason, Settled, Wish};
use crate::run::fold::Illegal;
use crate::run::input::Failed;
use crate::run::state::{Effect, State};
use crate::topology::plan::Action;
use crate::topology::spec::{Labels, Repeat};

/// Attempts of a model call that fails transiently.
const MODEL_ATTEMPTS_MAX: u32 = 8;

/// Attempts of a model call that may each have been answered, and paid, without anybody hearing: half of what others get,
/// since each costs its maximum. Fewer would give up on a server that cuts one connection in ten.
const LOST_MAX: u32 = 4;

/// How long the fallback of a model that failed is asked in its place.
const DETOUR_MS: u64 = 60_000;

/// What is put off until so shortly before quiet hours waits until they are over: whoever puts off wants minutes, and an attempt that is
/// heard of a little late would find them begun.
const NEAR_MS: u64 = 300_000;

/// By how much the reply that was cut off may be longer the next time.
const LONGER: u64 = 2;

/// Attempts of anything else that fails transiently.
pub(super) const TOOL_ATTEMPTS_MAX: u32 = 4;

/// What a failed attempt comes to.
pub(super) fn failed(
    batch: &mut Batch,
    id: EffectId,
    effect: &Effect,
    failed: &Failed,
    usage: Option<Usage>,
) -> Result<(), Illegal> {
    let (class, reason) = (failed.class, failed.reason);
    // An attempt that surely failed says nothing of an earlier one with the same key.
    let unsure = effect.unsure.is_some() && batch.state.repeat(effect) != Repeat::Pure;
    if effect.is_outward() && (class == Class::InDoubt || unsure) {
        // What does not go away by itself stands in the way of the next attempt, too.
        let lasts = unsure && matches!(class, Class::Permanent | Class::Policy | Class::Invalid | Class::Bug);
        return doubt::one(batch, id, lasts.then_some(reason), Some(reason));
    }
    // A tool's refusal of what the model asked for is an answer to the model, and labelled like any other.
    if let (Wish::Tool { tool, .. }, Class::Invalid | Class::Policy) = (&effect.wish, class) {
        let labels = batch.state.plan.tools.get(tool).map_or(Labels::default(), |spec| spec.labels);
        let result = Settled::Returned { body: reason, labels, origin: Origin::Computed, lists: Lists::new() };
        return batch.emit(Event::EffectSettled { id, spent: effect.reserved, result });
    }
    let spent = match effect.wish {
        Wish::Model { .. } if batch.state.plan.mode.charges() => budget::used(&batch.state, effect, usage).0,
        _ => Amount::default(),
    };
    let attempts_max = if matches!(effect.wish, Wish::Model { .. }) { MODEL_ATTEMPTS_MAX } else { TOOL_ATTEMPTS_MAX };
    if let Some(again) = another_way(batch, effect, failed) {
        batch.emit(Event::EffectFailed { id, class, reason: reason.into(), spent, last: false })?;
        return go_another_way(batch, id, effect, again);
    }
    if let Some(back) = mend::way_back(batch, effect, failed) {
        batch.emit(Event::EffectFailed { id, class, reason: reason.into(), spent, last: true })?;
        return mend::send_back(batch, effect, back, reason);
    }
    let retries = match batch.state.plan.supervisor.on.get(class.word()) {
        // A model's failure as invalid is a reply that could not be read at all; what it says is examined elsewhere.
        None | Some(Action::Retry) => {
            matches!(class, Class::Transient | Class::Throttled)
                || class == Class::Invalid && matches!(effect.wish, Wish::Model { .. })
        }
        Some(Action::Restart | Action::AskPerson | Action::Stop) => false,
    };
    let tried = effect.tried().saturating_sub(u32::from(effect.only_waits(class, batch.at)));
    // Nothing but a person settles what a question is about, so a question is never given up.
    let last = !(retries && tried < attempts_max && !is_lost_again(effect, failed)
        || matches!(effect.wish, Wish::Question { .. }));
    // What leaves the effect behind: an item's turn is given up when its other items are settled; a sink that cannot be
    // asked leaves the question to a person.
    let gone = last && (effect.is_outward() || matches!(effect.wish, Wish::Query { .. }));
    batch.emit(Event::EffectFailed { id, class, reason: reason.into(), spent, last: gone })?;
    match &effect.wish {
        // In a run that is halted nothing new is asked; the doubt stays, and is looked at again when it goes on.
        Wish::Query { .. } if last && (batch.is_halted() || batch.state.cancelled_by.is_some()) => return Ok(()),
        Wish::Query { about } if last => {
            let Some(asked) = batch.state.effects.get(about).cloned() else { return Ok(()) };
            return ask::question(batch, *about, &asked);
        }
        Wish::Deliver { .. } if last => return Ok(()),
        _ if last => return finally(batch, effect, class, reason),
        _ => {}
    }
    let wait_ms =
        failed.retry_after_ms.unwrap_or(0).saturating_add(backoff_ms(batch, effect.attempt - effect.attempts_before));
    plan_retry(batch, id, wait_ms, None)
}

/// Whether nothing came back of a call once more, and as much was paid in vain for it as may be: what cuts it will cut the next one,
/// at the same price.
fn is_lost_again(effect: &Effect, failed: &Failed) -> bool {
    failed.lost && effect.paid_in_vain + 1 >= LOST_MAX
}

/// What is done about a model call that failed, other than asking the same again.
enum AnotherWay {
    /// The next model is asked; the first one rests until a time, if it is the one to blame.
    Fallback { from: String, to: String, until: Option<Timestamp> },
    /// The conversation is cut.
    Cut,
    /// The reply may be longer.
    Longer(u64),
}

fn another_way(batch: &Batch, effect: &Effect, failed: &Failed) -> Option<AnotherWay> {
    let state = &batch.state;
    let (turn, from) = (state.turns.get(&effect.message)?, effect.model.as_ref()?);
    if !state.plan.mode.charges() || batch.is_halted() || state.cancelled_by.is_some() {
        return None;
    }
    if failed.too_long && turn.can_leave_out() {
        return Some(AnotherWay::Cut);
    }
    if failed.class == Class::Truncated {
        let allowed = state.member(&effect.agent)?.limits.output_tokens;
        return effect.output_tokens.is_none().then(|| AnotherWay::Longer(allowed.saturating_mul(LONGER)));
    }
    let to = state.plan.models.get(from)?.fallback.clone()?;
    let until = match failed.class {
        Class::Throttled if effect.only_waits(failed.class, batch.at) => return None,
        Class::Transient | Class::Throttled
            if effect.tried() >= MODEL_ATTEMPTS_MAX || is_lost_again(effect, failed) =>
        {
            Some(batch.at.plus_ms(DETOUR_MS))
        }
        // The model is well; another may take so long a request.
        Class::Permanent if failed.too_long => None,
        Class::Permanent => Some(batch.at.plus_ms(DETOUR_MS)),
        Class::Refused => None,
        _ => return None,
    };
    Some(AnotherWay::Fallback { from: from.clone(), to, until })
}

fn go_another_way(batch: &mut Batch, id: EffectId, effect: &Effect, way: AnotherWay) -> Result<(), Illegal> {
    let output_tokens = match way {
        AnotherWay::Fallback { from, to, until } => {
            batch.emit(Event::ModelSwitched { id, from, to, until })?;
            None
        }
        AnotherWay::Cut => {
            batch.emit(Event::ContextCut { message: effect.message })?;
            None
        }
        AnotherWay::Longer(tokens) => Some(tokens),
    };
    plan_retry(batch, id, 0, output_tokens)
}

/// What a failure that is not retried comes to.
fn finally(batch: &mut Batch, effect: &Effect, class: Class, reason: BodyRef) -> Result<(), Illegal> {
    match batch.state.plan.supervisor.on.get(class.word()) {
        Some(Action::Stop) => ending::close(batch, Ending::Failed),
        Some(Action::Restart) => match blame(batch, &effect.agent, effect.message, class, reason)? {
            true => Ok(()),
            false => restart(batch, &effect.agent),
        },
        Some(Action::Retry | Action::AskPerson) | None => deliver::give_up(batch, effect.message, class, reason),
    }
}

/// An agent died of `effects`. They failed, outward ones fell in doubt; it is restarted, unless its message is poison or it
/// has failed too often. What was under way beside them goes on; if that dies too, it belongs to the same death, so that
/// a fault that strikes many at once counts once.
pub(super) fn agent_died(
    batch: &mut Batch,
    agent: &AgentName,
    effects: &[EffectId],
    class: Class,
    reason: BodyRef,
) -> Result<(), Illegal> {
    if batch.state.ended.is_some() {
        return Ok(());
    }
    let (mut is_new, mut killers) = (false, BTreeSet::new());
    let died_at = batch.state.agents.get(agent).and_then(|known| known.died_at);
    for id in effects {
        let Some(effect) = batch.state.effects.get(id).cloned() else { continue };
        if effect.doubt.is_some() || effect.failed.is_some() {
            continue;
        }
        let since = effect.began.map_or(effect.not_before, |began| began.at);
        is_new |= died_at.is_none_or(|died_at| died_at <= since);
        let killed_at = batch.state.turns.get(&effect.message).and_then(|turn| turn.died_at);
        if killed_at.is_none_or(|killed_at| killed_at <= since) {
            killers.insert(effect.message);
        }
        if effect.is_outward() {
            doubt::one(batch, *id, None, Some(reason))?;
        } else {
            let paid = matches!(effect.wish, Wish::Model { .. }) && batch.state.plan.mode.charges();
            let spent = if paid { effect.reserved } else { Amount::default() };
            batch.emit(Event::EffectFailed { id: *id, class, reason: reason.into(), spent, last: false })?;
        }
    }
    let mut goes_on = false;
    for message in killers {
        goes_on |= !blame(batch, agent, message, class, reason)?;
    }
    if is_new && goes_on { restart(batch, agent) } else { Ok(()) }
}

/// Counts a death of `agent` against the message that it was of; true if that has killed too many, and is given up.
fn blame(
    batch: &mut Batch,
    agent: &AgentName,
    message: MessageId,
    class: Class,
    reason: BodyRef,
) -> Result<bool, Illegal> {
    batch.emit(Event::AgentFailed { agent: agent.clone(), message, class, reason })?;
    let poison_after = batch.state.plan.supervisor.poison_after;
    let outward = batch.state.effects.values().any(|effect| effect.message == message && effect.is_outward());
    let is_poison = batch.state.turns.get(&message).is_some_and(|turn| turn.deaths >= poison_after) && !outward;
    if is_poison {
        deliver::give_up(batch, message, class, reason)?;
    }
    Ok(is_poison)
}

/// Starts `agent` again, unless it has failed too often.
fn restart(batch: &mut Batch, agent: &AgentName) -> Result<(), Illegal> {
    if batch.state.cancelled_by.is_some() {
        return Ok(());
    }
    let supervisor = &batch.state.plan.supervisor;
    let (max_restarts, within_ms) = (supervisor.max_restarts, supervisor.within_ms);
    let known = batch.state.agents.get(agent);
    let recent = known.map_or(0, |a| a.restarts.iter().filter(|then| batch.at.ms_since(**then) < within_ms).count());
    let restarts = u32::try_from(recent).unwrap_or(u32::MAX);
    if restarts >= max_restarts {
        return batch.emit(Event::Paused { why: PauseReason::Intensity { agent: agent.clone(), restarts } });
    }
    let not_before = batch.at.plus_ms(backoff_ms(batch, restarts + 1));
    batch.emit(Event::AgentRestarted { agent: agent.clone(), not_before })
}

/// Plans the next attempt of every effect whose latest one failed.
pub(super) fn plan_retries(batch: &mut Batch) -> Result<(), Illegal> {
    let failed: Vec<EffectId> =
        batch.state.effects.iter().filter(|(_, e)| e.failed.is_some()).map(|(id, _)| *id).collect();
    for id in failed {
        if !batch.is_halted() {
            plan_retry(batch, id, 0, None)?;
        }
    }
    Ok(())
}

fn plan_retry(batch: &mut Batch, id: EffectId, wait_ms: u64, output_tokens: Option<u64>) -> Result<(), Illegal> {
    let Some(effect) = batch.state.effects.get(&id).cloned() else { return Ok(()) };
    if batch.state.cancelled_by.is_some() {
        return Ok(());
    }
    let mut amount = again(batch, &effect, output_tokens.or(effect.output_tokens));
    // The step was counted when the effect was asked for and is given back when its attempt fails unpaid.
    if batch.state.plan.mode.charges() && matches!(effect.wish, Wish::Model { .. }) {
        amount.steps = 0;
    }
    // A paused run keeps its reason; what does not fit now is looked at again when it goes on.
    let later = batch.state.paused.is_some() && budget::short(batch, &effect.agent, amount).is_some();
    if later || !budget::fits(batch, effect.message, &effect.agent, amount)? {
        return Ok(());
    }
    let not_before = opens_from(&batch.state, &effect, batch.at.plus_ms(wait_ms));
    // A call that was lost with its owner was no attempt of its own.
    let attempt = effect.attempt + u32::from(effect.failed != Some(Class::InDoubt));
    batch.emit(Event::RetryPlanned { id, attempt, reserved: amount, not_before, output_tokens })
}

/// When an attempt that is planned for `at` begins: if nothing may leave soon after that, once something may again.
fn opens_from(state: &State, effect: &Effect, at: Timestamp) -> Timestamp {
    let soon = at.plus_ms(NEAR_MS);
    let opens = state.begins_from(effect, soon);
    if effect.is_outward() && opens > soon { opens } else { at }
}

/// What another attempt of `effect` reserves.
fn again(batch: &Batch, effect: &Effect, output_tokens: Option<u64>) -> Amount {
    match (&effect.wish, batch.state.turns.get(&effect.message)) {
        (Wish::Model { .. }, Some(turn)) => {
            budget::model_call(&batch.state, turn, effect.model.as_deref(), output_tokens)
        }
        _ => budget::amount(effect),
    }
}

/// The wait before attempt or restart number `nth` + 1: doubling, bounded, jittered.
fn backoff_ms(batch: &Batch, nth: u32) -> u64 {
    let supervisor = &batch.state.plan.supervisor;
    let doubled =
        supervisor.backoff_initial_ms.saturating_mul(1_u64.checked_shl(nth.saturating_sub(1)).unwrap_or(u64::MAX));
    batch.jittered(doubled.min(supervisor.backoff_max_ms))
}

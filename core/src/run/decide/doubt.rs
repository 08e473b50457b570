//! What began and was not heard of: nobody knows whether it happened.

use super::batch::Batch;
use crate::id::EffectId;
use crate::run::event::{BodyRef, Event, Wish};
use crate::run::fold::Illegal;
use crate::run::state::{Began, Effect, State};

/// Doubts every outward effect that an older ownership began and did not settle.
pub(super) fn older(batch: &mut Batch) -> Result<(), Illegal> {
    let epoch = batch.state.epoch;
    all_where(batch, |began| began.epoch < epoch)
}

/// Doubts every outward effect that began and is not settled.
pub(super) fn begun(batch: &mut Batch) -> Result<(), Illegal> {
    all_where(batch, |_| true)
}

fn all_where(batch: &mut Batch, of: impl Fn(Began) -> bool) -> Result<(), Illegal> {
    let lost = batch.state.effects.iter().filter(|(_, e)| e.doubt.is_none() && e.failed.is_none());
    let lost: Vec<EffectId> = lost.filter(|(_, e)| e.began.is_some_and(&of)).map(|(id, _)| *id).collect();
    lost.into_iter().try_for_each(|id| one(batch, id, None, None))
}

/// Nobody knows whether `id` happened. It is asked about once the earlier attempt can no longer be under way; with a reason
/// `why` it cannot be repeated, a person is. `failed` is what the attempt failed of, if it was not lost with its owner.
pub(super) fn one(
    batch: &mut Batch,
    id: EffectId,
    why: Option<BodyRef>,
    failed: Option<BodyRef>,
) -> Result<(), Illegal> {
    let Some(effect) = batch.state.effects.get(&id) else { return Ok(()) };
    let until = effect.began.map_or(batch.at, |began| began.not_after);
    let ask_from = until.plus_ms(timeout_ms(&batch.state, effect));
    batch.emit(Event::FellInDoubt { id, ask_from, why, failed })
}

/// How long a delivery may be under way; nothing else is waited for so.
pub(super) fn timeout_ms(state: &State, effect: &Effect) -> u64 {
    match &effect.wish {
        Wish::Deliver { tool, .. } => state.plan.tools.get(tool).map_or(0, |spec| spec.call_timeout_ms),
        _ => 0,
    }
}

//! How a run ends before its time, and what becomes of the model calls that nobody will hear of.

use super::batch::Batch;
use super::doubt;
use crate::failure::Class;
use crate::id::EffectId;
use crate::run::event::{Closed, Ending, Event, PauseReason, Rule, Wish};
use crate::run::fold::Illegal;
use crate::run::state::Effect;
use crate::topology::plan::WhenSpent;

/// Ends the run now: what is open is closed, what is reserved for lost calls settles at its maximum, and
/// what began and was not heard of is in doubt.
pub(super) fn close(batch: &mut Batch, how: Ending) -> Result<(), Illegal> {
    let open: Vec<_> = batch.state.open_approvals().map(|(no, _)| no).collect();
    for no in open {
        batch.emit(Event::ApprovalClosed { no, why: Closed::RunEnded })?;
    }
    abandon_calls(batch)?;
    doubt::begun(batch)?;
    batch.emit(Event::Ended { how })
}

/// Whether a spent budget ends the run instead of pausing it.
pub(super) fn stops_when_spent(batch: &Batch, why: &PauseReason) -> bool {
    matches!(why, PauseReason::Budget { .. }) && batch.state.plan.budget.when_spent == WhenSpent::Stop
}

/// Model calls that an older owner had under way are paid at their maximum, and asked for again.
pub(super) fn settle_lost_calls(batch: &mut Batch) -> Result<(), Illegal> {
    if !batch.state.plan.mode.charges() || batch.state.ended.is_some() {
        return Ok(());
    }
    for (id, effect) in paid_calls(batch) {
        let (class, reason) = (Class::InDoubt, Rule::LostWithOwner.into());
        batch.emit(Event::EffectFailed { id, class, reason, spent: effect.reserved, last: false })?;
    }
    Ok(())
}

/// The run ends now: paid calls under way settle at their maximum.
pub(super) fn abandon_calls(batch: &mut Batch) -> Result<(), Illegal> {
    if !batch.state.plan.mode.charges() {
        return Ok(());
    }
    for (id, effect) in paid_calls(batch) {
        let (class, reason) = (Class::InDoubt, Rule::LostWithOwner.into());
        batch.emit(Event::EffectFailed { id, class, reason, spent: effect.reserved, last: true })?;
    }
    Ok(())
}

/// Model calls that may be under way: one that failed is paid already, and waits for its next attempt.
fn paid_calls(batch: &Batch) -> Vec<(EffectId, Effect)> {
    let under_way = |effect: &Effect| matches!(effect.wish, Wish::Model { .. }) && effect.failed.is_none();
    let calls = batch.state.effects.iter().filter(|(_, effect)| under_way(effect));
    calls.map(|(id, effect)| (*id, effect.clone())).collect()
}

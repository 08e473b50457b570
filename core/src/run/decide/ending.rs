//! How a run ends before its time, and what becomes of the model calls that nobody will hear of.

use super::batch::Batch;
use super::doubt;
use crate::failure::Class;
use crate::id::EffectId;
use crate::run::event::{Amount, Closed, Ending, Event, PauseReason, Rule, Wish};
use crate::run::fold::Illegal;
use crate::run::state::{Effect, State};
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
    if batch.state.ended.is_some() {
        return Ok(());
    }
    lose(batch, Rule::LostWithOwner, false, is_paid)
}

/// The run ends now: paid calls under way settle at their maximum.
pub(super) fn abandon_calls(batch: &mut Batch) -> Result<(), Illegal> {
    lose(batch, Rule::LostWithOwner, true, is_paid)
}

/// Nobody will hear of those of the effects that `which` holds of: a call that may be paid for is paid at its maximum. One
/// that failed is paid already, and waits for its next attempt.
pub(super) fn lose(
    batch: &mut Batch,
    why: Rule,
    last: bool,
    which: impl Fn(&State, &Effect) -> bool,
) -> Result<(), Illegal> {
    let state = &batch.state;
    let lost = state.effects.iter().filter(|(_, effect)| effect.failed.is_none() && which(state, effect));
    let spent = |effect: &Effect| if is_paid(state, effect) { effect.reserved } else { Amount::default() };
    let lost: Vec<(EffectId, Amount)> = lost.map(|(id, effect)| (*id, spent(effect))).collect();
    for (id, spent) in lost {
        let (class, reason) = (Class::InDoubt, why.into());
        batch.emit(Event::EffectFailed { id, class, reason, spent, last })?;
    }
    Ok(())
}

fn is_paid(state: &State, effect: &Effect) -> bool {
    state.plan.mode.charges() && matches!(effect.wish, Wish::Model { .. })
}

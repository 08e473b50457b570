//! Asking for effects: of the next one of a turn, if the budget allows.

use super::batch::{Batch, impossible};
use super::budget;
use crate::id::{EffectId, MessageId};
use crate::run::event::{Amount, Event, Limit, Wish};
use crate::run::fold::Illegal;
use crate::run::state::Effect;

/// Asks for an effect of the turn, if the budget allows; its id if it does.
pub(super) fn effect(
    batch: &mut Batch,
    message: MessageId,
    wish: Wish,
    amount: Amount,
) -> Result<Option<EffectId>, Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let (agent, ordinal, steps) = (turn.agent.clone(), turn.asked, turn.steps);
    if amount.steps > 0 {
        let limit = batch.state.steps_per_turn(&agent);
        if steps >= limit {
            let needed = u64::from(steps) + 1;
            budget::exceeded(batch, Limit::StepsPerTurn, Some(agent), needed, u64::from(limit))?;
            return Ok(None);
        }
    }
    if !budget::fits(batch, message, &agent, amount)? {
        return Ok(None);
    }
    let id = EffectId::of(batch.state.run, &agent, message, ordinal);
    batch.emit(Event::EffectAsked { id, message, ordinal, wish, reserved: amount })?;
    Ok(Some(id))
}

/// Asks a person whether `id` happened.
pub(super) fn question(batch: &mut Batch, id: EffectId, of: &Effect) -> Result<(), Illegal> {
    effect(batch, of.message, Wish::Question { about: id }, Amount::default()).map(drop)
}

/// Asks the sink whether `id` happened.
pub(super) fn query(batch: &mut Batch, id: EffectId, of: &Effect) -> Result<(), Illegal> {
    effect(batch, of.message, Wish::Query { about: id }, Amount::default()).map(drop)
}

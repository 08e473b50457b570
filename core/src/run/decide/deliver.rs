//! Routing: a turn's outcome leads where its handoff says, or, if the rounds are used up, where `then` says.

use super::batch::{Batch, impossible};
use super::split;
use crate::failure::Class;
use crate::id::{AgentName, MessageId, Outcome};
use crate::run::event::{BodyRef, Event, Message, Origin, Reason};
use crate::run::fold::Illegal;
use crate::topology::plan::{MEND, QUESTION, Recipient};

/// Ends the turn of `message` with `outcome` and sends what follows from it.
pub(super) fn end_turn(
    batch: &mut Batch,
    message: MessageId,
    outcome: &Outcome,
    note: BodyRef,
    origin: Origin,
) -> Result<(), Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let (agent, desk, branch) = (turn.agent.clone(), turn.desk.clone(), turn.message.branch.clone());
    let labels = batch.state.says(turn);
    if turn.message.asked_by.is_some() {
        return batch.emit(Event::TurnEnded { message, outcome: outcome.clone(), note });
    }
    let handoff = batch.state.handoff(&agent, outcome).ok_or_else(|| impossible("no such outcome"))?.clone();
    let key = (branch.clone(), agent.clone(), outcome.clone());
    let taken = batch.state.rounds.get(&key).copied().unwrap_or(0);
    let (to, round, exhausted) = match handoff.rounds {
        Some(rounds) if taken >= rounds.max => (rounds.then, taken, true),
        _ => (handoff.to, taken + 1, false),
    };
    if let Some(of) = handoff.split.filter(|_| !exhausted) {
        return split::split(batch, message, outcome, note, origin, &of);
    }
    batch.emit(Event::TurnEnded { message, outcome: outcome.clone(), note })?;
    batch.emit(Event::MessageSent(Message {
        id: MessageId(batch.state.messages_sent + 1),
        cause: Some(message),
        from: Some(agent),
        to,
        outcome: outcome.clone(),
        note,
        desk,
        round,
        exhausted,
        asked_by: None,
        origin,
        labels,
        branch,
        joins: None,
    }))
}

/// Asks `to` to write anew what the person of the turn of `message` cannot be shown, with the reason.
pub(super) fn mend(batch: &mut Batch, message: MessageId, to: AgentName, reason: BodyRef) -> Result<(), Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let round = turn.mends + 1;
    aside(batch, message, to, MEND, reason, round, Origin::Computed)
}

/// Sends a question of the turn of `message` to a teammate, with the desk as it is.
pub(super) fn question(batch: &mut Batch, message: MessageId, to: AgentName, text: BodyRef) -> Result<(), Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let (round, origin) = (turn.questions + 1, turn.origin);
    aside(batch, message, to, QUESTION, text, round, origin)
}

/// Sends `note` from the turn of `message` to a member who answers within it, on no handoff.
fn aside(
    batch: &mut Batch,
    message: MessageId,
    to: AgentName,
    outcome: &'static str,
    note: BodyRef,
    round: u32,
    origin: Origin,
) -> Result<(), Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let (from, desk, branch) = (turn.agent.clone(), turn.desk.clone(), turn.message.branch.clone());
    let labels = batch.state.says(turn);
    batch.emit(Event::MessageSent(Message {
        id: MessageId(batch.state.messages_sent + 1),
        cause: None,
        from: Some(from),
        to: Recipient::Member(to),
        outcome: Outcome::fixed(outcome),
        note,
        desk,
        round,
        exhausted: false,
        asked_by: Some(message),
        origin,
        labels,
        branch,
        joins: None,
    }))
}

/// Puts the message among the dead letters: the run is stuck until a person says what next.
pub(super) fn give_up(
    batch: &mut Batch,
    message: MessageId,
    class: Class,
    reason: impl Into<Reason>,
) -> Result<(), Illegal> {
    batch.emit(Event::DeadLettered { message, class, reason: reason.into() })
}

//! Splitting a message into branches, and meeting at the join: each branch's message goes its own way, and the join hears
//! once, of all of them.

use std::collections::BTreeSet;

use super::batch::{Batch, impossible};
use super::ending;
use crate::id::{MessageId, Outcome};
use crate::run::branch::{Branch, SplitId};
use crate::run::event::{BodyRef, Closed, Ending, Event, Message, Origin, Rule};
use crate::run::fold::Illegal;
use crate::run::meeting::Meeting;
use crate::topology::plan::{Recipient, Split};

/// Ends the turn of `message` with `outcome`, whose message becomes several.
pub(super) fn split(
    batch: &mut Batch,
    message: MessageId,
    outcome: &Outcome,
    note: BodyRef,
    origin: Origin,
    of: &Split,
) -> Result<(), Illegal> {
    let turn = batch.state.turns.get(&message).ok_or_else(|| impossible("no such turn"))?;
    let (from, within, desk) = (turn.agent.clone(), turn.message.branch.clone(), turn.desk.clone());
    let labels = batch.state.says(turn);
    // Its list was counted when it was written, and whoever wrote one that cannot be split was asked again.
    let planned = batch.state.branches(of, &desk).ok_or_else(|| impossible("a split over no list"))?;
    let branches = u32::try_from(planned.len()).unwrap_or(u32::MAX);
    batch.emit(Event::Split { message, outcome: outcome.clone(), note, origin, branches })?;
    batch.emit(Event::TurnEnded { message, outcome: outcome.clone(), note })?;
    let nth = batch.state.past(&from, &within).splits;
    let id = SplitId { within, from, nth };
    let round = batch.state.splits.get(&id).map_or(1, |open| open.round);
    for (index, (to, item)) in (0..).zip(planned) {
        let mut desk = desk.clone();
        desk.extend(of.item().cloned().zip(item));
        batch.emit(Event::MessageSent(Message {
            id: MessageId(batch.state.messages_sent + 1),
            cause: Some(message),
            from: Some(id.from.clone()),
            to: Recipient::Member(to),
            outcome: outcome.clone(),
            note,
            desk,
            round,
            exhausted: false,
            asked_by: None,
            origin,
            labels,
            branch: id.branch(index),
            joins: None,
        }))?;
    }
    Ok(())
}

/// Lets branches meet where what is needed has arrived, or can no longer arrive. Inner splits come before those around
/// them, since one that meets can be what the next one waits for.
pub(super) fn meet(batch: &mut Batch) -> Result<(), Illegal> {
    let mut open: Vec<SplitId> = batch.state.splits.keys().cloned().collect();
    open.sort_by_key(|id| std::cmp::Reverse(id.within.0.len()));
    for id in open {
        if batch.is_halted() {
            break;
        }
        match batch.state.meeting(&id) {
            None | Some(Meeting::Waits) => {}
            Some(Meeting::Falls) => return ending::close(batch, Ending::Failed),
            Some(Meeting::Joins(live)) => {
                live.iter().try_for_each(|branch| call_off(batch, branch))?;
                join(batch, &id)?;
            }
        }
    }
    Ok(())
}

/// Ends a branch that nobody waits for: whoever is asked in it is asked no longer, and what was paid for its calls is paid.
fn call_off(batch: &mut Batch, branch: &Branch) -> Result<(), Illegal> {
    let state = &batch.state;
    let over = state.turns.iter().filter(|(_, turn)| turn.message.branch.is_within(branch));
    let over: BTreeSet<MessageId> = over.map(|(id, _)| *id).collect();
    let asked = state.open_approvals().filter(|(_, approval)| over.contains(&approval.message));
    let asked: Vec<_> = asked.map(|(no, _)| no).collect();
    for no in asked {
        batch.emit(Event::ApprovalClosed { no, why: Closed::CalledOff })?;
    }
    ending::lose(batch, Rule::CalledOff, true, |_, effect| over.contains(&effect.message))?;
    batch.emit(Event::CalledOff { branch: branch.clone() })
}

/// Sends what the branches of `id` came to on to the join.
fn join(batch: &mut Batch, id: &SplitId) -> Result<(), Illegal> {
    let state = &batch.state;
    let open = state.splits.get(id).ok_or_else(|| impossible("no such split"))?;
    let (handoff, split) = state.split_handoff(id).ok_or_else(|| impossible("no such split"))?;
    batch.emit(Event::MessageSent(Message {
        id: MessageId(state.messages_sent + 1),
        cause: None,
        from: Some(id.from.clone()),
        to: handoff.to.clone(),
        outcome: open.outcome.clone(),
        note: open.note,
        desk: open.merged(&state.plan, split),
        round: open.round,
        exhausted: false,
        asked_by: None,
        origin: open.origin,
        labels: open.labels,
        branch: id.within.clone(),
        joins: Some(open.joined(id.nth)),
    }))
}

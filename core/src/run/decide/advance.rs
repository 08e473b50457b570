//! What a state calls for, whatever brought it about: retries, doubts, new turns, their next effects, the end.
//! A function of the state alone, so that a resumed run and a live one take the same next step.

use super::{Draft, approval, budget, outward, retry, turn};
use crate::id::MessageId;
use crate::run::event::{Closed, Decision, Ending, Event, Limit, PauseReason};
use crate::run::fold::Illegal;
use crate::run::state::{Effect, Fate};
use crate::topology::plan::{Recipient, WhenSpent};

/// Looks for one kind of thing that a state calls for.
type Stage = fn(&mut Draft) -> Result<(), Illegal>;

/// All of them, in this order.
const STAGES: [Stage; 5] = [retry::plan_retries, outward::resolve_doubts, outward::begin, admit, step_turns];

/// Emits until nothing more follows.
pub(super) fn advance(draft: &mut Draft) -> Result<(), Illegal> {
    loop {
        let before = draft.facts.len();
        for stage in STAGES {
            if draft.state.ended.is_none() && draft.state.cancelled_by.is_some() {
                return cancel(draft);
            }
            if draft.is_halted() {
                return Ok(());
            }
            stage(draft)?;
        }
        if draft.facts.len() == before {
            return end(draft);
        }
    }
}

/// Takes queued messages up, one for each agent that is free.
fn admit(draft: &mut Draft) -> Result<(), Illegal> {
    let queued: Vec<MessageId> = draft.state.queued.keys().copied().collect();
    for id in queued {
        let state = &draft.state;
        let Some(Recipient::Member(agent)) = state.queued.get(&id).map(|message| message.to.clone()) else { continue };
        if draft.is_halted() || state.turns.values().any(|turn| turn.agent == agent) {
            continue;
        }
        let declared = state.member(&agent).map_or(0, |member| member.limits.turns);
        let limit = state.ledger.raise.turns.unwrap_or(declared).max(declared);
        let counts = state.queued.get(&id).is_some_and(|message| !message.is_mend());
        if counts && state.agents.get(&agent).is_some_and(|known| known.turns >= limit) {
            let needed = u64::from(limit) + 1;
            budget::exceeded(draft, Limit::Turns, Some(agent), needed, u64::from(limit))?;
        } else {
            draft.emit(Event::TurnBegan { message: id })?;
        }
    }
    Ok(())
}

fn step_turns(draft: &mut Draft) -> Result<(), Illegal> {
    let turns: Vec<MessageId> = draft.state.turns.keys().copied().collect();
    for id in turns {
        if !draft.is_halted() && draft.state.turns.contains_key(&id) {
            turn::step(draft, id)?;
        }
    }
    Ok(())
}

/// Ends the run if nothing is pending or outstanding: something reached `end`, or all that there was is discarded.
fn end(draft: &mut Draft) -> Result<(), Illegal> {
    let state = &draft.state;
    let pending = !state.queued.is_empty() || !state.turns.is_empty() || !state.effects.is_empty();
    if pending || !state.dead.is_empty() {
        return Ok(());
    }
    // Whoever asked was discarded while a teammate answered: no letter is left that a person could answer.
    if state.results.is_empty() {
        return close(draft, Ending::Failed);
    }
    let refused = state.results.iter().any(|message| {
        let word = message.outcome.as_str();
        message.from.as_ref().is_some_and(|from| state.is_person(from)) && word != Decision::Approve.word()
    });
    let failed = state.results.iter().any(|message| {
        let failures = message.from.as_ref().and_then(|from| state.plan.failures.get(from));
        failures.is_some_and(|outcomes| outcomes.contains(&message.outcome))
    });
    let how = match (failed, refused) {
        (true, _) => Ending::Failed,
        (false, true) => Ending::Rejected,
        (false, false) => Ending::Done,
    };
    draft.emit(Event::Ended { how })
}

/// Waits for outward effects that began, then ends the run.
fn cancel(draft: &mut Draft) -> Result<(), Illegal> {
    let under_way = |e: &Effect| e.is_outward() && e.began.is_some() && e.doubt.is_none() && e.failed.is_none();
    if draft.state.effects.values().any(under_way) {
        return Ok(());
    }
    close(draft, Ending::Cancelled)
}

/// Ends the run now: what is open is closed, what is reserved for lost calls settles at its maximum, and
/// what began and was not heard of is in doubt.
pub(super) fn close(draft: &mut Draft, how: Ending) -> Result<(), Illegal> {
    let open: Vec<_> = draft.state.open_approvals().map(|(no, _)| no).collect();
    for no in open {
        approval::close(draft, no, Closed::RunEnded)?;
    }
    retry::abandon_calls(draft)?;
    outward::doubt_begun(draft)?;
    draft.emit(Event::Ended { how })
}

/// Whether a spent budget ends the run instead of pausing it.
pub(super) fn stops_when_spent(draft: &Draft, why: &PauseReason) -> bool {
    matches!(why, PauseReason::Budget { .. }) && draft.state.plan.budget.when_spent == WhenSpent::Stop
}

/// Whether the approval of a person's turn is to be prepared (again).
pub(super) fn wants_preparing(draft: &Draft, approval: Option<crate::id::ApprovalNo>) -> bool {
    match approval {
        None => true,
        Some(no) => matches!(draft.state.approvals.get(&no).and_then(|a| a.fate.clone()), Some(Fate::Edited(None))),
    }
}

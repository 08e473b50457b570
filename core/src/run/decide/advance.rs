//! What a state calls for, whatever brought it about: retries, doubts, new turns, their next effects, the end.
//! A function of the state alone, so that a resumed run and a live one take the same next step.

use super::batch::Batch;
use super::{budget, ending, outward, retry, split, turn};
use crate::id::{AgentName, MessageId, Outcome};
use crate::run::event::{Decision, Ending, Event, Limit};
use crate::run::fold::Illegal;
use crate::run::state::Effect;
use crate::topology::plan::{EXPIRED, Member};

/// Looks for one kind of thing that a state calls for.
type Stage = fn(&mut Batch) -> Result<(), Illegal>;

/// All of them, in this order.
const STAGES: [Stage; 6] =
    [retry::plan_retries, outward::resolve_doubts, outward::begin, split::meet, admit, step_turns];

/// Emits until nothing more follows.
pub(super) fn advance(batch: &mut Batch) -> Result<(), Illegal> {
    loop {
        let before = batch.facts.len();
        for stage in STAGES {
            if batch.state.ended.is_none() && batch.state.cancelled_by.is_some() {
                return cancel(batch);
            }
            if batch.is_halted() {
                return Ok(());
            }
            stage(batch)?;
        }
        if batch.facts.len() == before {
            return end(batch);
        }
    }
}

/// Takes queued messages up, as many as each agent handles at once, the earliest first.
fn admit(batch: &mut Batch) -> Result<(), Illegal> {
    let state = &batch.state;
    let mut next: Vec<(MessageId, AgentName)> = Vec::new();
    for (agent, waiting) in state.queued.waiting() {
        let at_once = state.turns.values().filter(|turn| turn.agent == *agent).count();
        let parallel = state.member(agent).map_or(1, Member::parallel);
        let free = (parallel as usize).saturating_sub(at_once);
        next.extend(waiting.iter().take(free).map(|id| (*id, agent.clone())));
    }
    next.sort();
    for (id, agent) in next {
        if batch.is_halted() {
            break;
        }
        let state = &batch.state;
        let declared = state.member(&agent).map_or(0, |member| member.limits.turns);
        let limit = state.ledger.raise.turns.unwrap_or(declared).max(declared);
        let counts = state.queued.get(&id).filter(|message| !message.is_mend());
        if counts.is_some_and(|message| state.past(&agent, &message.branch).turns >= limit) {
            let needed = u64::from(limit) + 1;
            budget::exceeded(batch, Limit::Turns, Some(agent), needed, u64::from(limit))?;
        } else {
            batch.emit(Event::TurnBegan { message: id })?;
        }
    }
    Ok(())
}

fn step_turns(batch: &mut Batch) -> Result<(), Illegal> {
    let turns: Vec<MessageId> = batch.state.turns.keys().copied().collect();
    for id in turns {
        if !batch.is_halted() && batch.state.turns.contains_key(&id) {
            turn::step(batch, id)?;
        }
    }
    Ok(())
}

/// Ends the run if nothing is pending or outstanding: something reached `end`, or all that there was is discarded.
fn end(batch: &mut Batch) -> Result<(), Illegal> {
    let state = &batch.state;
    let pending = !state.queued.is_empty() || !state.turns.is_empty() || !state.effects.is_empty();
    if pending || !state.dead.is_empty() {
        return Ok(());
    }
    // Whoever asked was discarded while a teammate answered: no letter is left that a person could answer.
    if state.results.is_empty() {
        return ending::close(batch, Ending::Failed);
    }
    // Of whoever decides anything but a yes is a no; of whoever answers only silence is.
    let is_no = |from: &AgentName, word: &Outcome| match state.decides(from) {
        true => word.as_str() != Decision::Approve.word(),
        false => state.is_person(from) && word.as_str() == EXPIRED,
    };
    let refused = state.results.iter().any(|message| match &message.joins {
        // Of branches that ended the run together, one that was approved is a result.
        Some(joined) => !joined.arrived.is_empty() && joined.arrived.iter().all(|one| is_no(&one.from, &one.outcome)),
        None => message.from.as_ref().is_some_and(|from| is_no(from, &message.outcome)),
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
    batch.emit(Event::Ended { how })
}

/// Waits for outward effects that began, then ends the run.
fn cancel(batch: &mut Batch) -> Result<(), Illegal> {
    let under_way = |e: &Effect| e.is_outward() && e.began.is_some() && e.doubt.is_none() && e.failed.is_none();
    if batch.state.effects.values().any(|effect| under_way(effect)) {
        return Ok(());
    }
    ending::close(batch, Ending::Cancelled)
}

//! A run's recording, made from its journal: what each answered call of a model was shown, and what it came to. Nothing has
//! to be collected while the run lives, so a recording of a run that was killed and taken up is whole too.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::ask::{self, Asked};
use super::history::{Error, Misread, fact, pinned_plan, read_fact};
use super::shelf::Shelf;
use crate::failure::{Class, Failure};
use crate::id::{AgentName, EffectId, RunId, Seq};
use crate::journal::{Record, Store};
use crate::model::prompt::Offers;
use crate::model::{Pulse, conversation, replay};
use crate::run::body::FailureReport;
use crate::run::event::{BodyRef, Event, Reason, Settled, Wish};
use crate::run::state::{Effect, State, Turn};
use crate::topology::plan::Plan;
use crate::topology::recording::{CallPlace, Given, Recorded, Recording, SCHEMA_VERSION};

/// The plan as the members of each team within it see it, and as the others do.
type Views = BTreeMap<Option<AgentName>, (Arc<Plan>, Arc<Offers>)>;

/// Makes the recording of `run`.
///
/// # Errors
/// If the run cannot be read, or a text that a model was shown was erased.
pub fn recording(store: &dyn Store, run: RunId) -> Result<Recording, Error> {
    let (_, _, plan) = pinned_plan(store, run)?;
    let mut recording = Recording {
        schema_version: SCHEMA_VERSION,
        topology: plan.name.clone(),
        brief: BTreeMap::new(),
        models: plan.models.clone(),
        call: Vec::new(),
        result: Vec::new(),
    };
    let (shelf, mut views) = (Shelf::new(store, run), Views::new());
    let mut state = State::new(run, Arc::new(plan));
    let records = store.records(run, Seq(0), usize::MAX)?;
    for (at, record) in records.iter().enumerate() {
        let fact = fact(record)?;
        let told = |why: Failure| Error::Text { seq: record.seq, why };
        if let Event::Started { brief, .. } = &fact.is {
            recording.brief = shelf.parsed(brief.digest).map_err(told)?;
        }
        if let Event::EffectSettled { id, result: Settled::Replied(replied), .. } = &fact.is {
            let reply = shelf.json(replied.body.digest).map_err(told)?;
            recording.call.extend(called(shelf, &state, &mut views, *id, Ok(reply)).map_err(told)?);
        }
        if let Event::EffectSettled { id, result: Settled::Returned { body, .. }, .. } = &fact.is {
            recording.result.extend(given(shelf, &state, *id, *body).map_err(told)?);
        }
        // A call that was lost with its owner was never answered.
        if let Event::EffectFailed { id, class, reason: Reason::Told(reason), .. } = &fact.is
            && *class != Class::InDoubt
        {
            let too_long = was_too_long(*class, records.get(at + 1));
            let failure = failure(shelf, *class, *reason, too_long).map_err(told)?;
            recording.call.extend(called(shelf, &state, &mut views, *id, Err(failure)).map_err(told)?);
        }
        state.apply(&fact).map_err(|illegal| Misread::from(illegal).at(record.seq))?;
    }
    Ok(recording)
}

/// Whether a failure was that the request is too long: that is what the conversation is cut for, or the next model asked although
/// the first one does not rest. Where it led to neither, it makes no difference.
fn was_too_long(class: Class, next: Option<&Record>) -> bool {
    match next.and_then(|next| read_fact(&next.head.json).ok()).map(|fact| fact.is) {
        Some(Event::ContextCut { .. }) => true,
        Some(Event::ModelSwitched { until: None, .. }) => class == Class::Permanent,
        _ => false,
    }
}

/// The failure as it came from the port; its body has what heads do not need.
fn failure(shelf: Shelf<'_>, class: Class, reason: BodyRef, too_long: bool) -> Result<Value, Failure> {
    let told = shelf.json(reason.digest)?;
    let report = FailureReport::read(&told).unwrap_or_else(|| FailureReport::new(told.to_string()));
    let FailureReport { error, usage, retry_after_ms, lost, .. } = report;
    Ok(serde_json::json!(Failure { usage, retry_after_ms, too_long, lost, ..Failure::new(class, error) }))
}

/// What a tool gave, if it asks a model of its own.
fn given(shelf: Shelf<'_>, state: &State, id: EffectId, body: BodyRef) -> Result<Option<Given>, Failure> {
    let Some(effect) = state.effects.get(&id) else { return Ok(None) };
    let (tool, args) = match &effect.wish {
        Wish::Tool { tool, args, .. } => (tool, Some(args)),
        Wish::Own { tool } => (tool, None),
        _ => return Ok(None),
    };
    let asks_model = state.plan.tools.get(tool).is_some_and(|spec| spec.asks_model);
    let Some(turn) = state.turns.get(&effect.message).filter(|_| asks_model) else { return Ok(None) };
    let past = state.past(&turn.agent, &turn.message.branch);
    Ok(Some(Given {
        agent: turn.agent.clone(),
        branch: turn.message.branch.to_string(),
        turn: past.turns_total.max(1),
        nth: effect.ordinal,
        tool: tool.clone(),
        args: args.map(|args| shelf.json(args.digest)).transpose()?.map(|args| args.to_string()),
        result: shelf.json(body.digest)?.to_string(),
    }))
}

/// What the recording that `plan` plays has of this call of a tool: one that asks a model of its own would give something else without it.
pub(super) fn played(plan: &Plan, (turn, nth_turn): (&Turn, u32), effect: &Effect, args: &Value) -> Option<Value> {
    let (tool, args) = match &effect.wish {
        Wish::Tool { tool, .. } => (tool, Some(args)),
        Wish::Own { tool } => (tool, None),
        _ => return None,
    };
    let place = (&turn.agent, turn.message.branch.to_string());
    plan.recording.as_ref()?.given((place.0, &place.1), (nth_turn, effect.ordinal), (tool, args))
}

/// The call, if it is one of a model that could be asked at all.
fn called(
    shelf: Shelf<'_>,
    state: &State,
    views: &mut Views,
    id: EffectId,
    came: Result<Value, Value>,
) -> Result<Option<Recorded>, Failure> {
    let Some(effect) = state.effects.get(&id).filter(|effect| matches!(effect.wish, Wish::Model { .. })) else {
        return Ok(None);
    };
    let Some(turn) = state.turns.get(&effect.message) else { return Ok(None) };
    let past = state.past(&turn.agent, &turn.message.branch);
    let team = state.plan.teams.innermost(&turn.agent);
    let (seen, offers) = &*views.entry(team.cloned()).or_insert_with(|| match team {
        Some(team) => (Arc::new(state.plan.seen_by(team)), Arc::default()),
        None => (Arc::clone(&state.plan), Arc::default()),
    });
    let asked = Asked {
        shelf,
        plan: &state.plan,
        seen,
        offers,
        id,
        effect,
        turn,
        nth_turn: past.turns_total.max(1),
        lines_used: past.lines_used,
        patience: state.patience(&turn.agent, effect.model.as_deref()),
        pulse: Pulse(Arc::new(|_| {})),
    };
    let ask = ask::ask(asked)?;
    // What could not be put into words failed by itself, and does so again.
    let Ok(prompt) = conversation::prompt(&ask) else { return Ok(None) };
    let model = replay::model(&ask);
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let (reply, failure) = (came.as_ref().ok().map(text), came.as_ref().err().map(text));
    let CallPlace { agent, branch, turn, nth, attempt } = replay::place(&ask);
    Ok(Some(Recorded { agent, branch, turn, nth, attempt, model, request: prompt.text(), reply, failure }))
}

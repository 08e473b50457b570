//! One agent's handling of one message: which effect it asks for next, and what a settled one comes to.

use super::batch::{Batch, impossible};
use super::{approval, ask, budget, deliver, outward, retry};
use crate::failure::{Class, Usage};
use crate::id::{EffectId, MessageId, Outcome};
use crate::run::desk;
use crate::run::event::{ActHead, Amount, BodyRef, Event, Lists, Origin, Replied, Settled, Version, Wish, WriteHead};
use crate::run::fold::Illegal;
use crate::run::input::Failed;
use crate::run::state::{Effect, Turn};
use crate::topology::plan::{ANSWERS_REFUSED_MAX, POLICY_STRIKES_MAX, Role, TOOL_OUTCOME};
use crate::topology::spec::{Labels, Reach};

/// Asks for what the turn of `message` needs next, if anything.
pub(super) fn step(batch: &mut Batch, message: MessageId) -> Result<(), Illegal> {
    let Some(turn) = batch.state.turns.get(&message) else { return Ok(()) };
    let Some(member) = batch.state.member(&turn.agent) else { return Ok(()) };
    let busy = !turn.waits_for.is_empty() || batch.state.effects.values().any(|effect| effect.message == message);
    match &member.role {
        Role::Model { .. } if !turn.calls.is_empty() => ask_tools(batch, message),
        Role::Model { .. } if !busy => ask_model(batch, message),
        Role::Person(person) if !busy && approval::wants_preparing(batch, turn.approval) => {
            // A question is answered on nothing that would leave.
            let binds = person.binds.clone().filter(|_| !turn.message.is_question());
            let wish = Wish::Prepare { binds };
            ask::effect(batch, message, wish, Amount::default()).map(drop)
        }
        Role::Tool { tool, .. } => {
            let spec = batch.state.plan.tools.get(tool).ok_or_else(|| impossible("a tool without a spec"))?;
            match spec.reach {
                Reach::ActsOut => outward::step(batch, message),
                Reach::Inside | Reach::ReadsOut if !busy => {
                    let wish = Wish::Own { tool: tool.clone() };
                    ask::effect(batch, message, wish, budget::TOOL_CALL).map(drop)
                }
                Reach::Inside | Reach::ReadsOut => Ok(()),
            }
        }
        Role::Rule(_) if !busy => ask::effect(batch, message, Wish::Rule, Amount::default()).map(drop),
        Role::Model { .. } | Role::Person(_) | Role::Rule(_) => Ok(()),
    }
}

fn ask_model(batch: &mut Batch, message: MessageId) -> Result<(), Illegal> {
    let Some(turn) = batch.state.turns.get(&message) else { return Ok(()) };
    let model = batch.state.model_of(&turn.agent, batch.at);
    let amount = budget::model_call(&batch.state, turn, model.as_deref(), None);
    let wish = Wish::Model { after: turn.model, shown: turn.unseen.clone() };
    ask::effect(batch, message, wish, amount).map(drop)
}

fn ask_tools(batch: &mut Batch, message: MessageId) -> Result<(), Illegal> {
    let calls = batch.state.turns.get(&message).map(|turn| turn.calls.clone()).unwrap_or_default();
    for call in calls {
        if let Some(teammate) = call.asks {
            deliver::question(batch, message, teammate, call.args)?;
            continue;
        }
        let wish = Wish::Tool { call: call.call, tool: call.tool, args: call.args, typed: call.typed };
        if ask::effect(batch, message, wish, budget::TOOL_CALL)?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes in what an attempt came to. One that nobody waits for any more (its turn was given up, another attempt was
/// faster) comes to nothing.
pub(super) fn settled(
    batch: &mut Batch,
    id: EffectId,
    result: &Result<Settled, Failed>,
    usage: Option<Usage>,
) -> Result<(), Illegal> {
    if batch.state.ended.is_some() {
        return Ok(());
    }
    let Some(effect) = batch.state.effects.get(&id).cloned() else { return Ok(()) };
    match result {
        Err(failed) => retry::failed(batch, id, &effect, failed, usage),
        Ok(Settled::Replied(replied)) => take_reply(batch, id, &effect, replied, usage),
        Ok(returned @ Settled::Returned { body, labels, origin, lists }) => {
            batch.emit(Event::EffectSettled { id, spent: effect.reserved, result: returned.clone() })?;
            match effect.wish {
                Wish::Own { .. } => finish_own(batch, effect.message, *body, *labels, *origin, lists),
                _ => Ok(()),
            }
        }
        Ok(ruled @ Settled::Ruled { outcome, note, .. }) => {
            batch.emit(Event::EffectSettled { id, spent: effect.reserved, result: ruled.clone() })?;
            deliver::end_turn(batch, effect.message, outcome, *note, Origin::Computed)
        }
        Ok(prepared @ Settled::Prepared { .. }) => approval::prepared(batch, id, &effect, prepared),
        Ok(Settled::Performed { .. } | Settled::NotPerformed | Settled::Numbered { .. }) => {
            outward::settled(batch, id, &effect, result)
        }
    }
}

fn take_reply(
    batch: &mut Batch,
    id: EffectId,
    effect: &Effect,
    replied: &Replied,
    usage: Option<Usage>,
) -> Result<(), Illegal> {
    let (spent, reported) = budget::used(&batch.state, effect, usage);
    let assumed = usage.is_none() && batch.state.plan.mode.charges();
    let replied = Replied { over_reported: reported.is_some(), reported, assumed, ..replied.clone() };
    batch.emit(Event::EffectSettled { id, spent, result: Settled::Replied(replied.clone()) })?;
    let message = effect.message;
    match replied.act {
        ActHead::Calls(calls) => {
            let Some(turn) = batch.state.turns.get(&message) else { return Ok(()) };
            let (strikes, refused) = (turn.policy_strikes, turn.answers_refused);
            let reason = |misfit: bool| {
                calls.iter().filter(|call| call.misfit == misfit && !call.again).find_map(|call| call.refused)
            };
            match (reason(false), reason(true)) {
                (Some(reason), _) if strikes > POLICY_STRIKES_MAX => {
                    deliver::give_up(batch, message, Class::Policy, reason)
                }
                (_, Some(reason)) if refused > ANSWERS_REFUSED_MAX => {
                    deliver::give_up(batch, message, Class::Invalid, reason)
                }
                _ => Ok(()),
            }
        }
        ActHead::Answer { outcome: Some(outcome), note, writes, problems: None } => {
            let Some(turn) = batch.state.turns.get(&message).cloned() else { return Ok(()) };
            if !may_end_with(batch, &turn, &outcome, &writes) {
                return Err(impossible("an answer that breaks the plan was passed as valid"));
            }
            for write in writes {
                write_version(batch, &turn, write, turn.labels)?;
            }
            deliver::end_turn(batch, message, &outcome, note, replied.origin)
        }
        ActHead::Answer { note, problems, .. } => {
            let problems = problems.unwrap_or(note);
            let refused = batch.state.turns.get(&message).map_or(0, |turn| turn.answers_refused);
            if refused >= ANSWERS_REFUSED_MAX {
                return deliver::give_up(batch, message, Class::Invalid, problems);
            }
            batch.emit(Event::AnswerRefused { message, problems })
        }
    }
}

/// Whether `outcome` is declared, and the turn writes what it has to, and nothing else.
fn may_end_with(batch: &Batch, turn: &Turn, outcome: &Outcome, writes: &[WriteHead]) -> bool {
    let (plan, is_question) = (&batch.state.plan, turn.message.is_question());
    let written: Vec<_> = writes.iter().map(|write| &write.artefact).collect();
    plan.words(&turn.agent, is_question).contains(&outcome.as_str())
        && plan.misfit(&turn.agent, outcome, is_question, &written).is_none()
}

fn write_version(batch: &mut Batch, turn: &Turn, write: WriteHead, labels: Labels) -> Result<(), Illegal> {
    let WriteHead { artefact, body, findings, origin, lists } = write;
    let base = desk::newest(&batch.state.plan, &turn.desk, &artefact);
    let (message, writer) = (turn.message.id, turn.agent.clone());
    let version = Version { artefact, body, message, writer, person: None, base, labels, origin, findings, lists };
    batch.emit(Event::VersionWritten(version))
}

/// Ends a tool agent's turn: its result is what it writes, if it writes.
fn finish_own(
    batch: &mut Batch,
    message: MessageId,
    body: BodyRef,
    labels: Labels,
    origin: Origin,
    lists: &Lists,
) -> Result<(), Illegal> {
    let Some(turn) = batch.state.turns.get(&message).cloned() else { return Ok(()) };
    let writes = batch.state.member(&turn.agent).and_then(|member| member.writes.first().cloned());
    if let Some(artefact) = writes {
        let write = WriteHead { artefact, body, findings: None, origin, lists: lists.clone() };
        write_version(batch, &turn, write, turn.labels.join(labels))?;
    }
    deliver::end_turn(batch, message, &Outcome::fixed(TOOL_OUTCOME), body, origin)
}

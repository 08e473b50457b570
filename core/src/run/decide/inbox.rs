//! What people post: each row is heard or refused by an event, which is the poster's answer.

use super::{Draft, approval, outward};
use crate::id::{ApprovalNo, ArtefactName, Digest};
use crate::run::event::Origin;
use crate::run::event::{
    BodyRef, Closed, DeadLetterAnswer, Decision, Ending, Event, Limit, PauseReason, Raise, Refusal, Settled, Version,
    Who,
};
use crate::run::fold::Illegal;
use crate::run::input::Command;
use crate::run::state::{Approval, Fate, State};
use crate::topology::manner::Patience;
use crate::topology::plan::{Limits, Person, Role};

/// Hears the row at `place`.
pub(super) fn hear(
    draft: &mut Draft,
    place: u64,
    post: uuid::Uuid,
    say: Option<&(Who, Command)>,
) -> Result<(), Illegal> {
    if place <= draft.state.heard {
        return Ok(());
    }
    let refusal = match say {
        None => Some(Refusal::Unreadable),
        Some((by, _)) if by.undeclared => Some(Refusal::NotDeclared { name: by.name.clone() }),
        Some(_) if draft.state.ended.is_some() => Some(over(draft, say)),
        Some((by, command)) => refusal(draft, by, command),
    };
    if let Some(why) = refusal {
        return draft.emit(Event::InputRefused { place, post, why });
    }
    draft.emit(Event::Heard { place, post })?;
    match say {
        Some((by, command)) => obey(draft, by, command),
        None => Ok(()),
    }
}

/// Why a run that is over refuses: a second decision is told of the first.
fn over(draft: &Draft, say: Option<&(Who, Command)>) -> Refusal {
    match say {
        Some((_, Command::Decide { approval, binds, .. } | Command::Edit { approval, binds, .. })) => {
            match standing(draft, *approval, *binds) {
                Err(why) => why,
                Ok(_) => Refusal::RunOver,
            }
        }
        _ => Refusal::RunOver,
    }
}

fn refusal(draft: &Draft, by: &Who, command: &Command) -> Option<Refusal> {
    match command {
        Command::Decide { approval, binds, decision, .. } => {
            may_decide(draft, by, *approval, *binds, *decision == Decision::Approve).err()
        }
        Command::Edit { approval, binds, artefact, problems, .. } => {
            may_edit(draft, by, *approval, *binds, artefact, *problems).err()
        }
        Command::Answer { question, .. } => {
            (!draft.state.questions.contains_key(question)).then_some(Refusal::UnknownApproval)
        }
        Command::DeadLetter { message, .. } => {
            (!draft.state.dead.contains_key(message)).then_some(Refusal::UnknownDeadLetter)
        }
        Command::Raise(raise) => (!raises(draft, raise)).then_some(Refusal::RaiseTooLow),
        Command::Pause => {
            let halted = draft.state.paused.is_some() || draft.state.cancelled_by.is_some();
            halted.then_some(Refusal::NothingToDo)
        }
        Command::Resume => draft.state.paused.is_none().then_some(Refusal::NothingToDo),
        Command::Cancel => draft.state.cancelled_by.is_some().then_some(Refusal::NothingToDo),
    }
}

/// The approval, if it is open and binds `binds`.
fn standing(draft: &Draft, no: ApprovalNo, binds: Digest) -> Result<&Approval, Refusal> {
    let approval = draft.state.approvals.get(&no).ok_or(Refusal::UnknownApproval)?;
    if let Some((by, decision)) = approval::decision(approval) {
        return Err(Refusal::AlreadyDecided { by: by.name.clone(), decision });
    }
    match approval.fate {
        Some(Fate::Edited(by)) => Err(Refusal::Replaced { by }),
        Some(_) => Err(Refusal::Closed),
        None if approval.binds != binds => Err(Refusal::ContentChanged),
        None => Ok(approval),
    }
}

fn may_decide(draft: &Draft, by: &Who, no: ApprovalNo, binds: Digest, approves: bool) -> Result<(), Refusal> {
    let approval = standing(draft, no, binds)?;
    let person = approval::person(draft, approval).ok_or(Refusal::UnknownApproval)?;
    if draft.state.plan.single_person {
        return Ok(());
    }
    if !is_asked(person, by) {
        return Err(Refusal::NotAllowed);
    }
    let started = draft.state.starter.as_ref().is_some_and(|starter| starter.name == by.name);
    if approves && started && !person.starter_may_approve {
        return Err(Refusal::StarterMayNot);
    }
    if approves && approval.approved_by.contains(&by.name) {
        return Err(Refusal::AlreadyApproved);
    }
    Ok(())
}

fn is_asked(person: &Person, by: &Who) -> bool {
    let named = |who: &String| match who.strip_prefix("group:") {
        Some(group) => by.groups.iter().any(|of| of == group),
        None => *who == by.name,
    };
    person.who.is_empty() || person.who.iter().any(named)
}

fn may_edit(
    draft: &Draft,
    by: &Who,
    no: ApprovalNo,
    binds: Digest,
    artefact: &ArtefactName,
    problems: Option<BodyRef>,
) -> Result<(), Refusal> {
    may_decide(draft, by, no, binds, false)?;
    let approval = standing(draft, no, binds)?;
    let person = approval::person(draft, approval).ok_or(Refusal::UnknownApproval)?;
    if !person.approves.contains(artefact) || !approval.desk.contains_key(artefact) {
        return Err(Refusal::NotTheirs);
    }
    problems.map_or(Ok(()), |problems| Err(Refusal::FaultyEdit { problems }))
}

/// Whether every limit in `raise` is above one in force, the run's or a member's, and there is at least one.
fn raises(draft: &Draft, raise: &Raise) -> bool {
    let state = &draft.state;
    let before = &state.ledger.raise;
    let members = |limit: fn(&Limits) -> Option<u64>, raised: Option<u64>| {
        let declared = state.plan.team.values().filter_map(|member| limit(&member.limits)).min();
        declared.map(|declared| declared.max(raised.unwrap_or(0)))
    };
    let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    let (tokens, cost) = (before.tokens, before.cost.map(|cost| cost.0));
    let (turns, steps) = (before.turns.map(u64::from), before.steps_per_turn.map(u64::from));
    let limits = [
        (raise.steps, state.limit(Limit::Steps)),
        (raise.tokens, least(state.limit(Limit::Tokens), members(|limits| limits.tokens, tokens))),
        (raise.cost.map(|c| c.0), least(state.limit(Limit::Cost), members(|limits| limits.cost.map(|c| c.0), cost))),
        (raise.active_ms, state.limit(Limit::ActiveTime)),
        (raise.recipients, state.limit(Limit::Recipients)),
        (raise.turns.map(u64::from), members(|limits| Some(limits.turns.into()), turns)),
        (raise.steps_per_turn.map(u64::from), members(|limits| Some(limits.steps_per_turn.into()), steps)),
        (raise.call_timeout_ms, shortest_wait(state, |patience| patience.call_ms)),
        (raise.idle_timeout_ms, shortest_wait(state, |patience| patience.idle_ms)),
    ];
    let mut asked = limits.into_iter().filter_map(|(new, old)| Some((new?, old))).peekable();
    asked.peek().is_some() && asked.all(|(new, old)| old.is_some_and(|old| new > old))
}

/// The shortest time in force that is waited for a model.
fn shortest_wait(state: &State, of: fn(Patience) -> u64) -> Option<u64> {
    let waits = state.plan.team.iter().filter_map(|(name, member)| match &member.role {
        Role::Model { model, .. } => Some(of(state.patience(name, Some(model)))),
        _ => None,
    });
    waits.min()
}

fn obey(draft: &mut Draft, by: &Who, command: &Command) -> Result<(), Illegal> {
    match command {
        Command::Decide { approval, decision, comment, .. } => {
            approval::decided(draft, *approval, by, *decision, *comment)
        }
        Command::Edit { approval, artefact, body, findings, .. } => {
            edit(draft, by, *approval, artefact, *body, *findings)
        }
        Command::Answer { question, happened, receipt } => answer(draft, by, *question, *happened, *receipt),
        Command::DeadLetter { message, answer } => {
            draft.emit(Event::DeadLetterAnswered { message: *message, by: by.clone(), answer: *answer })?;
            match answer {
                DeadLetterAnswer::Stop => super::advance::close(draft, Ending::Failed),
                // Discarding the last thing a run had to do leaves it nothing to end with.
                DeadLetterAnswer::Discard if is_empty(draft) => super::advance::close(draft, Ending::Failed),
                DeadLetterAnswer::Discard | DeadLetterAnswer::Retry => Ok(()),
            }
        }
        Command::Raise(raise) => {
            draft.emit(Event::BudgetRaised { by: by.clone(), raise: raise.clone() })?;
            match draft.state.paused {
                Some(PauseReason::Budget { .. }) => draft.emit(Event::Resumed { by: by.clone() }),
                _ => Ok(()),
            }
        }
        Command::Pause => draft.emit(Event::Paused { why: PauseReason::Asked { by: by.clone() } }),
        Command::Resume => draft.emit(Event::Resumed { by: by.clone() }),
        Command::Cancel => draft.emit(Event::CancelAsked { by: by.clone() }),
    }
}

fn is_empty(draft: &Draft) -> bool {
    let state = &draft.state;
    state.queued.is_empty()
        && state.turns.is_empty()
        && state.effects.is_empty()
        && state.dead.is_empty()
        && state.results.is_empty()
}

/// A person's version takes the place of the one that they were shown; it is approved anew.
fn edit(
    draft: &mut Draft,
    by: &Who,
    no: ApprovalNo,
    artefact: &ArtefactName,
    body: BodyRef,
    findings: Option<BodyRef>,
) -> Result<(), Illegal> {
    let approval = draft.state.approvals.get(&no).ok_or_else(|| super::impossible("no such approval"))?;
    let base = approval.desk.get(artefact).copied();
    let labels = base.and_then(|base| draft.state.versions.get(&base)).map(|version| version.labels);
    let (message, writer) = (approval.message, approval.agent.clone());
    approval::close(draft, no, Closed::Edited)?;
    draft.emit(Event::VersionWritten(Version {
        artefact: artefact.clone(),
        body,
        message,
        writer,
        person: Some(by.clone()),
        base,
        labels: labels.unwrap_or_default(),
        origin: Origin::Person,
        findings,
    }))
}

fn answer(draft: &mut Draft, by: &Who, question: ApprovalNo, happened: bool, receipt: BodyRef) -> Result<(), Illegal> {
    let effect = draft.state.questions.get(&question).copied();
    let effect = effect.ok_or_else(|| super::impossible("no such question"))?;
    draft.emit(Event::QuestionAnswered { no: question, by: by.clone(), happened })?;
    // What did not happen begins anew, like anything that has not begun.
    if happened { outward::perform_settled(draft, effect, &Settled::Performed { receipt }) } else { Ok(()) }
}

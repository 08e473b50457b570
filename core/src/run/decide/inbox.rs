//! What people post: each row is heard or refused by an event, which is the poster's answer.

use std::collections::BTreeSet;

use super::batch::{Batch, impossible};
use super::{approval, attend, comment, ending, note, outward};
use crate::id::{ApprovalNo, ArtefactName, Digest, Outcome};
use crate::run::desk::Held;
use crate::run::event::{
    BodyRef, Closed, DeadLetterAnswer, Decision, Ending, Event, Limit, Lists, Origin, PauseReason, Raise, Refusal,
    Settled, Version, Who, WriteHead,
};
use crate::run::fold::Illegal;
use crate::run::input::Command;
use crate::run::state::{Approval, State, Wants};
use crate::topology::manner::Patience;
use crate::topology::plan::{ANSWER, Limits, Person, Role};
use crate::topology::spec::Labels;

/// Hears the row at `place`.
pub(super) fn hear(
    batch: &mut Batch,
    place: u64,
    post: uuid::Uuid,
    say: Option<&(Who, Command)>,
) -> Result<(), Illegal> {
    if place <= batch.state.heard {
        return Ok(());
    }
    let refusal = match say {
        None => Some(Refusal::Unreadable),
        Some((by, _)) if by.undeclared => Some(Refusal::NotDeclared { name: by.name.clone() }),
        // What came of a run is known when it is over.
        Some((_, command)) if batch.state.ended.is_some() && !matches!(command, Command::Results { .. }) => {
            Some(over(batch, command))
        }
        Some((by, command)) => refusal(batch, by, command),
    };
    if let Some(why) = refusal {
        return batch.emit(Event::InputRefused { place, post, why });
    }
    batch.emit(Event::Heard { place, post })?;
    match say {
        Some((by, command)) => obey(batch, by, command),
        None => Ok(()),
    }
}

/// Why a run that is over refuses: a second decision is told of the first.
fn over(batch: &Batch, command: &Command) -> Refusal {
    match command {
        Command::Decide { approval, binds, .. }
        | Command::Accept { approval, binds, .. }
        | Command::Edit { approval, binds, .. }
        | Command::Respond { approval, binds, .. } => match approval::standing(batch, *approval, *binds) {
            Err(why) => why,
            Ok(_) => Refusal::RunOver,
        },
        _ => Refusal::RunOver,
    }
}

fn refusal(batch: &Batch, by: &Who, command: &Command) -> Option<Refusal> {
    match command {
        Command::Decide { approval, binds, decision: Decision::Approve, .. } => {
            may_approve(batch, by, (*approval, *binds), &BTreeSet::new()).err()
        }
        Command::Accept { approval, binds, rules, .. } => may_approve(batch, by, (*approval, *binds), rules).err(),
        Command::Decide { approval, binds, .. } => may_decide(batch, by, *approval, *binds, false).err(),
        Command::Edit { approval, binds, artefact, problems, .. } => {
            may_edit(batch, by, *approval, *binds, artefact, *problems).err()
        }
        Command::Respond { approval, binds, outcome, writes, problems, .. } => {
            may_answer(batch, by, (*approval, *binds), outcome, writes, *problems).err()
        }
        // Nothing comes of looking too late, or of following twice.
        Command::Look { .. } | Command::Follow { .. } => None,
        Command::Assign { approval, to, problems, .. } => attend::refusal(batch, by, *approval, to.as_ref(), *problems),
        Command::Comment { .. } | Command::Reply { .. } | Command::Resolve { .. } => {
            comment::refusal(batch, by, command)
        }
        Command::Note { to, problems, .. } => note::refusal(batch, to, *problems),
        Command::Results { problems, .. } => note::no_results(batch, *problems),
        Command::Answer { question, .. } => {
            (!batch.state.questions.contains_key(question)).then_some(Refusal::UnknownApproval)
        }
        Command::DeadLetter { message, .. } => {
            (!batch.state.dead.contains_key(message)).then_some(Refusal::UnknownDeadLetter)
        }
        Command::Raise(raise) => (!raises(batch, raise)).then_some(Refusal::RaiseTooLow),
        Command::Pause => {
            let halted = batch.state.paused.is_some() || batch.state.cancelled_by.is_some();
            halted.then_some(Refusal::NothingToDo)
        }
        Command::Resume => batch.state.paused.is_none().then_some(Refusal::NothingToDo),
        Command::Cancel => batch.state.cancelled_by.is_some().then_some(Refusal::NothingToDo),
    }
}

fn may_decide(batch: &Batch, by: &Who, no: ApprovalNo, binds: Digest, approves: bool) -> Result<(), Refusal> {
    let approval = approval::standing(batch, no, binds)?;
    let person = approval::person(batch, approval).ok_or(Refusal::UnknownApproval)?;
    if approval.wants != Wants::Decision {
        return Err(Refusal::WantsAnswer);
    }
    if batch.state.plan.single_person {
        return Ok(());
    }
    if !is_asked(person, approval, by) {
        return Err(Refusal::NotAllowed);
    }
    let started = batch.state.starter.as_ref().is_some_and(|starter| starter.name == by.name);
    if approves && started && !person.starter_may_approve {
        return Err(Refusal::StarterMayNot);
    }
    if approves && approval.approved_by.contains(&by.name) {
        return Err(Refusal::AlreadyApproved);
    }
    Ok(())
}

/// Whether `by` may approve, accepting `accepts`: every rule that did not hold, and leaves it to a person, has to be among
/// them.
fn may_approve(
    batch: &Batch,
    by: &Who,
    (no, binds): (ApprovalNo, Digest),
    accepts: &BTreeSet<String>,
) -> Result<(), Refusal> {
    may_decide(batch, by, no, binds, true)?;
    if let Some(blocked) = comment::blocks(batch, no) {
        return Err(blocked);
    }
    let gates = batch.state.approvals.get(&no).into_iter().flat_map(Approval::gates);
    let rules: BTreeSet<String> = gates.filter(|rule| !accepts.contains(*rule)).cloned().collect();
    if rules.is_empty() { Ok(()) } else { Err(Refusal::Unaccepted { rules }) }
}

/// Whether `by` may give this answer: it is wanted of them, they declare its outcome, and it writes what it has to.
fn may_answer(
    batch: &Batch,
    by: &Who,
    (no, binds): (ApprovalNo, Digest),
    outcome: &Outcome,
    writes: &[WriteHead],
    problems: Option<BodyRef>,
) -> Result<(), Refusal> {
    let approval = approval::standing(batch, no, binds)?;
    let person = approval::person(batch, approval).ok_or(Refusal::UnknownApproval)?;
    if approval.wants == Wants::Decision {
        return Err(Refusal::WantsDecision);
    }
    if !batch.state.plan.single_person && !is_asked(person, approval, by) {
        return Err(Refusal::NotAllowed);
    }
    if let Some(problems) = problems {
        return Err(Refusal::FaultyAnswer { problems });
    }
    let is_question = approval.wants == Wants::Sentence;
    let declared = if is_question { outcome.as_str() == ANSWER } else { person.outcomes.contains(outcome) };
    if !declared {
        return Err(Refusal::UnknownOutcome);
    }
    let written: Vec<_> = writes.iter().map(|write| &write.artefact).collect();
    let fits = batch.state.plan.misfit(&approval.agent, outcome, is_question, &written).is_none();
    if fits { Ok(()) } else { Err(Refusal::NotTheirs) }
}

/// Whether `by` is asked, or was told of it since.
fn is_asked(person: &Person, approval: &Approval, by: &Who) -> bool {
    person.who.is_empty() || person.who.iter().chain(&approval.escalated_to).any(|who| by.is(who))
}

fn may_edit(
    batch: &Batch,
    by: &Who,
    no: ApprovalNo,
    binds: Digest,
    artefact: &ArtefactName,
    problems: Option<BodyRef>,
) -> Result<(), Refusal> {
    may_decide(batch, by, no, binds, false)?;
    let approval = approval::standing(batch, no, binds)?;
    let person = approval::person(batch, approval).ok_or(Refusal::UnknownApproval)?;
    if !person.approves.contains(artefact) || !approval.desk.contains_key(artefact) {
        return Err(Refusal::NotTheirs);
    }
    problems.map_or(Ok(()), |problems| Err(Refusal::FaultyEdit { problems }))
}

/// Whether every limit in `raise` is above one in force, the run's or a member's, and there is at least one.
fn raises(batch: &Batch, raise: &Raise) -> bool {
    let state = &batch.state;
    let before = &state.ledger.raise;
    let members = |limit: fn(&Limits) -> Option<u64>, raised: Option<u64>| {
        let declared = state.plan.team.values().filter_map(|member| limit(&member.limits)).min();
        declared.map(|declared| declared.max(raised.unwrap_or(0)))
    };
    let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    let teams = |what: Limit| state.plan.teams.0.values().filter_map(|team| state.limit_of(team, what)).min();
    let of = |what: Limit| least(state.limit(what), teams(what));
    let (tokens, cost) = (before.tokens, before.cost.map(|cost| cost.0));
    let (turns, steps) = (before.turns.map(u64::from), before.steps_per_turn.map(u64::from));
    let limits = [
        (raise.steps, of(Limit::Steps)),
        (raise.tokens, least(of(Limit::Tokens), members(|limits| limits.tokens, tokens))),
        (raise.cost.map(|c| c.0), least(of(Limit::Cost), members(|limits| limits.cost.map(|c| c.0), cost))),
        (raise.active_ms, state.limit(Limit::ActiveTime)),
        (raise.recipients, of(Limit::Recipients)),
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

fn obey(batch: &mut Batch, by: &Who, command: &Command) -> Result<(), Illegal> {
    match command {
        Command::Decide { approval, decision, comment, .. } => {
            approval::decided(batch, *approval, by, (*decision, &BTreeSet::new()), *comment)
        }
        Command::Accept { approval, rules, comment, .. } => {
            approval::decided(batch, *approval, by, (Decision::Approve, rules), *comment)
        }
        Command::Edit { approval, artefact, body, findings, lists, .. } => {
            edit(batch, by, *approval, artefact, *body, *findings, lists.clone())
        }
        Command::Respond { approval, outcome, writes, comment, .. } => {
            approval::answered(batch, *approval, by, outcome, writes, *comment)
        }
        Command::Look { approval, binds } => attend::look(batch, by, *approval, *binds),
        Command::Assign { approval, to, remark, .. } => attend::assign(batch, by, *approval, to.as_ref(), *remark),
        Command::Comment { artefact, version, remark, blocks, mentions, .. } => {
            comment::make(batch, by, (artefact, *version), *remark, *blocks, mentions)
        }
        Command::Reply { comment: no, remark, mentions, .. } => comment::reply(batch, by, *no, *remark, mentions),
        Command::Resolve { comment: no, remark, .. } => comment::resolve(batch, by, *no, *remark),
        Command::Note { to, note, .. } => note::leave(batch, by, to, *note),
        Command::Follow { on } => note::follow(batch, by, *on),
        Command::Results { table, again, .. } => note::attach(batch, by, *table, *again),
        Command::Answer { question, happened, receipt } => answer(batch, by, *question, *happened, *receipt),
        Command::DeadLetter { message, answer } => {
            batch.emit(Event::DeadLetterAnswered { message: *message, by: by.clone(), answer: *answer })?;
            match answer {
                DeadLetterAnswer::Stop => ending::close(batch, Ending::Failed),
                // Discarding the last thing a run had to do leaves it nothing to end with.
                DeadLetterAnswer::Discard if is_empty(batch) => ending::close(batch, Ending::Failed),
                DeadLetterAnswer::Discard | DeadLetterAnswer::Retry => Ok(()),
            }
        }
        Command::Raise(raise) => {
            batch.emit(Event::BudgetRaised { by: by.clone(), raise: raise.clone() })?;
            match batch.state.paused {
                Some(PauseReason::Budget { .. }) => batch.emit(Event::Resumed { by: by.clone() }),
                _ => Ok(()),
            }
        }
        Command::Pause => batch.emit(Event::Paused { why: PauseReason::Asked { by: by.clone() } }),
        Command::Resume => batch.emit(Event::Resumed { by: by.clone() }),
        Command::Cancel => batch.emit(Event::CancelAsked { by: by.clone() }),
    }
}

fn is_empty(batch: &Batch) -> bool {
    let state = &batch.state;
    state.queued.is_empty()
        && state.turns.is_empty()
        && state.effects.is_empty()
        && state.dead.is_empty()
        && state.results.is_empty()
}

/// A person's version takes the place of the one that they were shown; it is approved anew.
fn edit(
    batch: &mut Batch,
    by: &Who,
    no: ApprovalNo,
    artefact: &ArtefactName,
    body: BodyRef,
    findings: Option<BodyRef>,
    lists: Lists,
) -> Result<(), Illegal> {
    let approval = batch.state.approvals.get(&no).ok_or_else(|| impossible("no such approval"))?;
    let before = approval.desk.get(artefact);
    let base = before.and_then(Held::version);
    let versions = before.into_iter().flat_map(Held::versions);
    let labels = versions.filter_map(|version| batch.state.versions.get(&version)).map(|version| version.labels);
    let labels = labels.reduce(Labels::join);
    let (message, writer) = (approval.message, approval.agent.clone());
    approval::close(batch, no, Closed::Edited)?;
    batch.emit(Event::VersionWritten(Version {
        artefact: artefact.clone(),
        body,
        message,
        writer,
        person: Some(by.clone()),
        base,
        labels: labels.unwrap_or_default(),
        origin: Origin::Person,
        findings,
        lists,
    }))
}

fn answer(batch: &mut Batch, by: &Who, question: ApprovalNo, happened: bool, receipt: BodyRef) -> Result<(), Illegal> {
    let effect = batch.state.questions.get(&question).copied();
    let effect = effect.ok_or_else(|| impossible("no such question"))?;
    batch.emit(Event::QuestionAnswered { no: question, by: by.clone(), happened })?;
    // What did not happen begins anew, like anything that has not begun.
    if happened { outward::perform_settled(batch, effect, &Settled::Performed { receipt }) } else { Ok(()) }
}

//! A person's turn: what they are asked, what their decision comes to, what silence comes to. Nothing approves itself.

use super::batch::{Batch, impossible};
use super::deliver;
use std::collections::BTreeSet;

use crate::id::{ApprovalNo, Digest, EffectId, Outcome, Timestamp};
use crate::run::desk::{self, Held};
use crate::run::event::{BodyRef, Closed, Decision, Event, Origin, Refusal, Settled, Version, Who, WriteHead};
use crate::run::fold::Illegal;
use crate::run::state::{Approval, Effect, Fate, Permit, Wants};
use crate::topology::plan::{EXPIRED, Expiry, Person};

/// Asks for the decision that was prepared.
pub(super) fn prepared(batch: &mut Batch, id: EffectId, effect: &Effect, result: &Settled) -> Result<(), Illegal> {
    let Settled::Prepared { no, .. } = result else { return Ok(()) };
    let replaces = batch.state.turns.get(&effect.message).and_then(|turn| turn.approval);
    batch.emit(Event::EffectSettled { id, spent: effect.reserved, result: result.clone() })?;
    let approval = batch.state.approvals.get(no).ok_or_else(|| impossible("nothing was prepared"))?;
    let binds = approval.binds;
    let after_ms = person(batch, approval).map_or(0, |person| person.expires.after_ms);
    let expires_at = batch.at.plus_ms(after_ms);
    batch.emit(Event::ApprovalAsked { no: *no, message: effect.message, binds, replaces, expires_at })
}

/// What a person's decision comes to; the inbox has checked that they may.
pub(super) fn decided(
    batch: &mut Batch,
    no: ApprovalNo,
    by: &Who,
    (decision, accepts): (Decision, &BTreeSet<String>),
    comment: BodyRef,
) -> Result<(), Illegal> {
    let (by, made_at) = (by.clone(), batch.posted_at);
    // What did not fail needs no word of anybody.
    let gates = batch.state.approvals.get(&no).into_iter().flat_map(Approval::gates);
    let accepts = gates.filter(|rule| decision == Decision::Approve && accepts.contains(*rule)).cloned().collect();
    batch.emit(Event::ApprovalDecided { no, by, decision, comment: Some(comment), accepts, made_at })?;
    let approval = batch.state.approvals.get(&no).ok_or_else(|| impossible("no such approval"))?;
    if approval.fate.is_none() {
        return Ok(());
    }
    let message = approval.message;
    match (decision, &approval.manifest) {
        (Decision::Approve, Some(manifest)) => {
            let slots = u32::try_from(manifest.items.len()).unwrap_or(u32::MAX);
            let manifest = manifest.body.digest;
            batch.emit(Event::PermitGiven { no, manifest, slots })?;
        }
        (Decision::Approve, None) => {}
        (Decision::RequestChanges | Decision::Reject, _) => void(batch, no)?,
    }
    deliver::end_turn(batch, message, &Outcome::fixed(decision.word()), comment, Origin::Person)
}

/// What a person's answer comes to: the inbox has checked that they may give it.
pub(super) fn answered(
    batch: &mut Batch,
    no: ApprovalNo,
    by: &Who,
    outcome: &Outcome,
    writes: &[WriteHead],
    comment: BodyRef,
) -> Result<(), Illegal> {
    let made_at = batch.posted_at;
    batch.emit(Event::PersonAnswered { no, by: by.clone(), outcome: outcome.clone(), comment, made_at })?;
    let message = batch.state.approvals.get(&no).map(|approval| approval.message);
    let turn = message.and_then(|message| batch.state.turns.get(&message));
    let turn = turn.cloned().ok_or_else(|| impossible("no such turn"))?;
    for write in writes.iter().cloned() {
        batch.emit(Event::VersionWritten(Version {
            base: desk::newest(&batch.state.plan, &turn.desk, &write.artefact),
            artefact: write.artefact,
            body: write.body,
            message: turn.message.id,
            writer: turn.agent.clone(),
            person: Some(by.clone()),
            labels: turn.labels,
            origin: Origin::Person,
            findings: write.findings,
            lists: write.lists,
        }))?;
    }
    deliver::end_turn(batch, turn.message.id, outcome, comment, Origin::Person)
}

/// What time does to what is open, up to `at`, which is when the latest word was posted, or now: it expires, others are
/// told, whoever is asked is reminded. It decides nothing.
pub(super) fn pass(batch: &mut Batch, at: Timestamp) -> Result<(), Illegal> {
    expire(batch, at)?;
    let state = &batch.state;
    if state.ended.is_some() || state.paused.is_some() || state.cancelled_by.is_some() {
        return Ok(());
    }
    let mut due = Vec::new();
    for (no, approval) in state.open_approvals() {
        let escalates = state.escalates_at(approval).filter(|(due, _)| *due <= at);
        due.extend(escalates.map(|(_, to)| Event::Escalated { no, to: to.clone() }));
        // After a long absence one reminder is as good as many.
        let reminds = state.reminds_at(approval).filter(|due| *due <= at);
        due.extend(reminds.map(|_| Event::Reminded { no }));
    }
    due.into_iter().try_for_each(|event| batch.emit(event))
}

/// Closes what nobody decided in time: before `at`, which is when the latest decision was made, or now.
fn expire(batch: &mut Batch, at: Timestamp) -> Result<(), Illegal> {
    if batch.state.ended.is_some() || batch.state.paused.is_some() {
        return Ok(());
    }
    let late = batch.state.open_approvals().filter(|(_, a)| a.expires_at <= at && !a.overdue);
    let late: Vec<_> = late.map(|(no, approval)| (no, approval.message, expiry(batch, approval))).collect();
    for (no, message, then) in late {
        // What the one before it led to may have called its branch off.
        if batch.state.approvals.get(&no).is_none_or(|approval| approval.fate.is_some()) {
            continue;
        }
        match then {
            Expiry::Hold => batch.emit(Event::ApprovalOverdue { no })?,
            Expiry::Reject => {
                close(batch, no, Closed::Expired)?;
                if batch.state.approvals.get(&no).is_some_and(|approval| approval.wants == Wants::Decision) {
                    void(batch, no)?;
                }
                let note = batch.state.turns.get(&message).map(|turn| turn.message.note);
                let note = note.ok_or_else(|| impossible("no such turn"))?;
                deliver::end_turn(batch, message, &Outcome::fixed(EXPIRED), note, Origin::Computed)?;
            }
        }
    }
    Ok(())
}

/// A later no counts: what approval `by` came to takes back every permit that rests on a version which its person
/// approves, and did not approve.
fn void(batch: &mut Batch, by: ApprovalNo) -> Result<(), Illegal> {
    let state = &batch.state;
    let Some(refused) = state.approvals.get(&by) else { return Ok(()) };
    let approves = person(batch, refused).map(|person| person.approves.as_slice()).unwrap_or_default();
    let refused = approves.iter().filter_map(|artefact| refused.desk.get(artefact)).flat_map(Held::versions);
    let refused: BTreeSet<Digest> = refused.collect();
    let rests = |permit: &Permit| {
        permit.manifest.desk.values().flat_map(Held::versions).any(|version| refused.contains(&version))
    };
    let open = state.permits.iter().filter(|(_, permit)| permit.voided_by.is_none() && rests(permit));
    let open: Vec<ApprovalNo> = open.map(|(no, _)| *no).collect();
    open.into_iter().try_for_each(|no| batch.emit(Event::PermitVoided { no, by }))
}

/// Closes an approval without a decision.
pub(super) fn close(batch: &mut Batch, no: ApprovalNo, why: Closed) -> Result<(), Illegal> {
    batch.emit(Event::ApprovalClosed { no, why })
}

/// Whether an approval is decided, by whom and how.
pub(super) fn decision(approval: &Approval) -> Option<(&Who, Decision)> {
    match &approval.fate {
        Some(Fate::Decided(by, decision)) => Some((by, *decision)),
        _ => None,
    }
}

/// The approval, if it is open and binds `binds`.
pub(super) fn standing(batch: &Batch, no: ApprovalNo, binds: Digest) -> Result<&Approval, Refusal> {
    let approval = batch.state.approvals.get(&no).ok_or(Refusal::UnknownApproval)?;
    if let Some((by, decision)) = decision(approval) {
        return Err(Refusal::AlreadyDecided { by: by.name.clone(), decision });
    }
    match approval.fate {
        Some(Fate::Answered(ref by, ref outcome)) => {
            Err(Refusal::AlreadyAnswered { by: by.name.clone(), outcome: outcome.clone() })
        }
        Some(Fate::Edited(by)) => Err(Refusal::Replaced { by }),
        Some(_) => Err(Refusal::Closed),
        None if approval.binds != binds => Err(Refusal::ContentChanged),
        None => Ok(approval),
    }
}

/// The person of an approval.
pub(super) fn person<'a>(batch: &'a Batch, approval: &Approval) -> Option<&'a Person> {
    batch.state.person(&approval.agent)
}

fn expiry(batch: &Batch, approval: &Approval) -> Expiry {
    person(batch, approval).map_or(Expiry::Hold, |person| person.expires.then)
}

/// Whether the approval of a person's turn is to be prepared (again).
pub(super) fn wants_preparing(batch: &Batch, approval: Option<ApprovalNo>) -> bool {
    match approval {
        None => true,
        Some(no) => matches!(batch.state.approvals.get(&no).and_then(|a| a.fate.clone()), Some(Fate::Edited(None))),
    }
}

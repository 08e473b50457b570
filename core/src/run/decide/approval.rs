//! A person's turn: what they are asked, what their decision comes to, what silence comes to. Nothing approves itself.

use super::{Draft, deliver};
use crate::id::{ApprovalNo, EffectId, Outcome, Timestamp};
use crate::run::event::Origin;
use crate::run::event::{BodyRef, Closed, Decision, Event, Settled, Who};
use crate::run::fold::Illegal;
use crate::run::state::{Approval, Effect, Fate, Permit};
use crate::topology::plan::{Expiry, Person, Role};

/// Asks for the decision that was prepared.
pub(super) fn prepared(draft: &mut Draft, id: EffectId, effect: &Effect, result: &Settled) -> Result<(), Illegal> {
    let Settled::Prepared { no, .. } = result else { return Ok(()) };
    let replaces = draft.state.turns.get(&effect.message).and_then(|turn| turn.approval);
    draft.emit(Event::EffectSettled { id, spent: effect.reserved, result: result.clone() })?;
    let approval = draft.state.approvals.get(no).ok_or_else(|| super::impossible("nothing was prepared"))?;
    let binds = approval.binds;
    let after_ms = person(draft, approval).map_or(0, |person| person.expires.after_ms);
    let expires_at = draft.at.plus_ms(after_ms);
    draft.emit(Event::ApprovalAsked { no: *no, message: effect.message, binds, replaces, expires_at })
}

/// What a person's decision comes to; the inbox has checked that they may.
pub(super) fn decided(
    draft: &mut Draft,
    no: ApprovalNo,
    by: &Who,
    decision: Decision,
    comment: BodyRef,
) -> Result<(), Illegal> {
    let made_at = draft.posted_at;
    draft.emit(Event::ApprovalDecided { no, by: by.clone(), decision, comment: Some(comment), made_at })?;
    let approval = draft.state.approvals.get(&no).ok_or_else(|| super::impossible("no such approval"))?;
    if approval.fate.is_none() {
        return Ok(());
    }
    let message = approval.message;
    match (decision, &approval.manifest) {
        (Decision::Approve, Some(manifest)) => {
            let slots = u32::try_from(manifest.items.len()).unwrap_or(u32::MAX);
            let manifest = manifest.body.digest;
            draft.emit(Event::PermitGiven { no, manifest, slots })?;
        }
        (Decision::Approve, None) => {}
        (Decision::RequestChanges | Decision::Reject, _) => void(draft, no)?,
    }
    deliver::end_turn(draft, message, &Outcome::fixed(decision.word()), comment, Origin::Person)
}

/// Closes what nobody decided in time: before `at`, which is when the latest decision was made, or now.
pub(super) fn expire(draft: &mut Draft, at: Timestamp) -> Result<(), Illegal> {
    if draft.state.ended.is_some() || draft.state.paused.is_some() {
        return Ok(());
    }
    let late = draft.state.open_approvals().filter(|(_, a)| a.expires_at <= at && !a.overdue);
    let late: Vec<_> = late.map(|(no, approval)| (no, approval.message, expiry(draft, approval))).collect();
    for (no, message, then) in late {
        match then {
            Expiry::Hold => draft.emit(Event::ApprovalOverdue { no })?,
            Expiry::Reject => {
                close(draft, no, Closed::Expired)?;
                void(draft, no)?;
                let note = draft.state.turns.get(&message).map(|turn| turn.message.note);
                let note = note.ok_or_else(|| super::impossible("no such turn"))?;
                deliver::end_turn(draft, message, &Outcome::fixed("expired"), note, Origin::Computed)?;
            }
        }
    }
    Ok(())
}

/// A later no counts: what approval `by` came to takes back every permit that rests on a version which its person
/// approves, and did not approve.
fn void(draft: &mut Draft, by: ApprovalNo) -> Result<(), Illegal> {
    let state = &draft.state;
    let Some(refused) = state.approvals.get(&by) else { return Ok(()) };
    let approves = person(draft, refused).map(|person| person.approves.as_slice()).unwrap_or_default();
    let rests = |permit: &Permit| {
        approves.iter().any(|artefact| {
            let version = permit.manifest.desk.get(artefact);
            version.is_some() && version == refused.desk.get(artefact)
        })
    };
    let open = state.permits.iter().filter(|(_, permit)| permit.voided_by.is_none() && rests(permit));
    let open: Vec<ApprovalNo> = open.map(|(no, _)| *no).collect();
    open.into_iter().try_for_each(|no| draft.emit(Event::PermitVoided { no, by }))
}

/// Closes an approval without a decision.
pub(super) fn close(draft: &mut Draft, no: ApprovalNo, why: Closed) -> Result<(), Illegal> {
    draft.emit(Event::ApprovalClosed { no, why })
}

/// Whether an approval is decided, by whom and how.
pub(super) fn decision(approval: &Approval) -> Option<(&Who, Decision)> {
    match &approval.fate {
        Some(Fate::Decided(by, decision)) => Some((by, *decision)),
        _ => None,
    }
}

/// The person of an approval.
pub(super) fn person<'a>(draft: &'a Draft, approval: &Approval) -> Option<&'a Person> {
    match &draft.state.member(&approval.agent)?.role {
        Role::Person(person) => Some(person),
        _ => None,
    }
}

fn expiry(draft: &Draft, approval: &Approval) -> Expiry {
    person(draft, approval).map_or(Expiry::Hold, |person| person.expires.then)
}

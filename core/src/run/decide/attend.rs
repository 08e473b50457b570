//! Who looks at what waits, and who takes it on: it decides nothing, and whoever may decide may still do so.

use super::approval::standing;
use super::batch::Batch;
use crate::id::{ApprovalNo, Digest};
use crate::run::event::{BodyRef, Event, Refusal, Who};
use crate::run::fold::Illegal;
use crate::run::input::Assignee;
use crate::run::state::Wants;

/// Why nobody can hand it on so: it is not open, not `by`'s, or not for whoever it would go to.
pub(super) fn refusal(
    batch: &Batch,
    by: &Who,
    no: ApprovalNo,
    to: Option<&Assignee>,
    problems: Option<BodyRef>,
) -> Option<Refusal> {
    let Some(binds) = batch.state.approvals.get(&no).map(|approval| approval.binds) else {
        return Some(Refusal::UnknownApproval);
    };
    let approval = match standing(batch, no, binds) {
        Ok(approval) => approval,
        Err(why) => return Some(why),
    };
    if !batch.state.is_asked(approval, |of| by.is(of)) {
        return Some(Refusal::NotAllowed);
    }
    let (may, name) = match to {
        None => (true, ""),
        Some(Assignee::Group(group)) => (batch.state.is_asked(approval, |of| of == group), group.as_str()),
        Some(Assignee::Person(who)) if who.undeclared => {
            return Some(Refusal::NotDeclared { name: who.name.clone() });
        }
        Some(Assignee::Person(who)) if approval.wants == Wants::Decision => {
            (batch.state.may_approve(approval, who), who.name.as_str())
        }
        Some(Assignee::Person(who)) => (batch.state.is_asked(approval, |of| who.is(of)), who.name.as_str()),
    };
    let mine = problems.map(|problems| Refusal::FaultyComment { problems });
    mine.or((!may).then(|| Refusal::NotTheirsToDecide { to: name.to_owned() }))
}

pub(super) fn assign(
    batch: &mut Batch,
    by: &Who,
    no: ApprovalNo,
    to: Option<&Assignee>,
    remark: Option<BodyRef>,
) -> Result<(), Illegal> {
    let to = to.map(|to| match to {
        Assignee::Group(name) => name.clone(),
        Assignee::Person(who) => who.name.clone(),
    });
    let (by, made_at) = (by.clone(), batch.posted_at);
    batch.emit(Event::Assigned { no, by, to, remark, made_at })
}

/// Whoever looks is noted, once over each channel; what is not open any more, or is another content, was not looked at.
pub(super) fn look(batch: &mut Batch, by: &Who, no: ApprovalNo, binds: Digest) -> Result<(), Illegal> {
    if standing(batch, no, binds).is_ok_and(|approval| !approval.has_looked(by)) {
        let (by, made_at) = (by.clone(), batch.posted_at);
        batch.emit(Event::Looked { no, by, made_at })?;
    }
    Ok(())
}

//! What people remark on versions: who may, and what it comes to. It reaches no model: whoever asks for changes says what of it
//! an agent is to read.

use super::batch::Batch;
use crate::id::{ApprovalNo, ArtefactName, CommentNo, Digest};
use crate::run::event::{BodyRef, Event, Refusal, Who};
use crate::run::fold::Illegal;
use crate::run::input::Command;

/// Why the run refuses `command`, if it is one about comments.
pub(super) fn refusal(batch: &Batch, by: &Who, command: &Command) -> Option<Refusal> {
    match command {
        Command::Comment { artefact, version, problems, .. } => {
            let current = batch.state.is_current(artefact, *version);
            faulty(*problems).or((!current).then_some(Refusal::UnknownVersion))
        }
        Command::Reply { comment, problems, .. } => is_open(batch, *comment).err().or(faulty(*problems)),
        Command::Resolve { comment, remark, problems } => is_open(batch, *comment)
            .and_then(|()| may_resolve(batch, by, *comment, *remark))
            .err()
            .or(faulty(*problems)),
        _ => None,
    }
}

/// Why nobody may approve `no` now, if comments stop that.
pub(super) fn blocks(batch: &Batch, no: ApprovalNo) -> Option<Refusal> {
    let comments: Vec<CommentNo> = batch.state.stops(batch.state.approvals.get(&no)?).collect();
    (!comments.is_empty()).then_some(Refusal::Blocked { comments })
}

fn faulty(problems: Option<BodyRef>) -> Option<Refusal> {
    problems.map(|problems| Refusal::FaultyComment { problems })
}

fn is_open(batch: &Batch, no: CommentNo) -> Result<(), Refusal> {
    let comment = batch.state.comments.get(&no).ok_or(Refusal::UnknownComment)?;
    match &comment.resolved_by {
        Some(by) => Err(Refusal::AlreadyResolved { by: by.clone() }),
        None => Ok(()),
    }
}

/// Whoever made it settles it, or somebody who may approve what it is on: they say why, and it is on record that they did.
fn may_resolve(batch: &Batch, by: &Who, no: CommentNo, remark: Option<BodyRef>) -> Result<(), Refusal> {
    let state = &batch.state;
    let comment = state.comments.get(&no).ok_or(Refusal::UnknownComment)?;
    if comment.by == by.name {
        return Ok(());
    }
    let may = state
        .open_approvals()
        .any(|(_, approval)| comment.is_on(approval.rests_on()) && state.may_approve(approval, by));
    match (may || state.plan.single_person, remark) {
        (true, Some(_)) => Ok(()),
        (true, None) => Err(Refusal::SayWhy),
        (false, _) => Err(Refusal::NotYoursToResolve { by: comment.by.clone() }),
    }
}

/// A remark on a version takes the next number.
pub(super) fn make(
    batch: &mut Batch,
    by: &Who,
    (artefact, version): (&ArtefactName, Digest),
    remark: BodyRef,
    blocks: bool,
    mentions: &[String],
) -> Result<(), Illegal> {
    let no = CommentNo(u32::try_from(batch.state.comments.len()).unwrap_or(u32::MAX).saturating_add(1));
    let (artefact, by, mentions, made_at) = (artefact.clone(), by.clone(), mentions.to_vec(), batch.posted_at);
    batch.emit(Event::CommentMade { no, artefact, version, by, remark, blocks, mentions, made_at })
}

pub(super) fn reply(
    batch: &mut Batch,
    by: &Who,
    no: CommentNo,
    remark: BodyRef,
    mentions: &[String],
) -> Result<(), Illegal> {
    let (by, mentions, made_at) = (by.clone(), mentions.to_vec(), batch.posted_at);
    batch.emit(Event::CommentReplied { no, by, remark, mentions, made_at })
}

pub(super) fn resolve(batch: &mut Batch, by: &Who, no: CommentNo, remark: Option<BodyRef>) -> Result<(), Illegal> {
    let (by, made_at) = (by.clone(), batch.posted_at);
    batch.emit(Event::CommentResolved { no, by, remark, made_at })
}

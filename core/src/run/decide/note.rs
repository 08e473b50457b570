//! What people say to members while a run goes on, and what they attach that came of it: who reads it, and what it comes to. It
//! decides nothing.

use super::batch::Batch;
use crate::id::AgentName;
use crate::run::event::{BodyRef, Event, Refusal, Who};
use crate::run::fold::Illegal;
use crate::topology::plan::Mode;

/// Why nobody can say that to `to`.
pub(super) fn refusal(batch: &Batch, to: &AgentName, problems: Option<BodyRef>) -> Option<Refusal> {
    let nobody = (!batch.state.plan.reads_notes(to)).then(|| Refusal::ReadsNoNotes { to: to.to_string() });
    nobody.or(problems.map(|problems| Refusal::FaultyNote { problems }))
}

pub(super) fn leave(batch: &mut Batch, by: &Who, to: &AgentName, note: BodyRef) -> Result<(), Illegal> {
    let (to, by, made_at) = (to.clone(), by.clone(), batch.posted_at);
    batch.emit(Event::NoteLeft { to, by, note, made_at })
}

/// Whoever follows is told of the end; what is so already is not written again.
pub(super) fn follow(batch: &mut Batch, by: &Who, on: bool) -> Result<(), Illegal> {
    if batch.state.followers.contains(&by.name) != on {
        let (by, made_at) = (by.clone(), batch.posted_at);
        batch.emit(Event::Followed { by, on, made_at })?;
    }
    Ok(())
}

/// Why nothing can be attached to the run.
pub(super) fn no_results(batch: &Batch, problems: Option<BodyRef>) -> Option<Refusal> {
    let rehearsed = (batch.state.plan.mode != Mode::Live).then_some(Refusal::Rehearsed);
    rehearsed.or(problems.map(|problems| Refusal::FaultyResults { problems }))
}

/// What came of the run is attached, unless it is the same again.
pub(super) fn attach(batch: &mut Batch, by: &Who, table: BodyRef, again: bool) -> Result<(), Illegal> {
    if again {
        return Ok(());
    }
    let no = u32::try_from(batch.state.attached.len()).unwrap_or(u32::MAX).saturating_add(1);
    let (by, made_at) = (by.clone(), batch.posted_at);
    batch.emit(Event::ResultsAttached { no, by, table, made_at })
}

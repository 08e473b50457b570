//! What `prepare` refuses goes back to whoever can mend it: to the person, if they have just edited it, or to the writer of
//! the artefact that it is about. It ends in a dead letter only where nobody of the team can.

use super::batch::Batch;
use super::deliver;
use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest};
use crate::run::desk::Held;
use crate::run::event::{BodyRef, Event, Wish};
use crate::run::fold::Illegal;
use crate::run::input::Failed;
use crate::run::state::{Effect, Fate, State, Turn};
use crate::topology::plan::{Action, MENDS_MAX};

/// To whom it goes back.
pub(super) enum Back {
    /// To the person whose version it is: the approval that they edited opens again.
    Person { no: ApprovalNo, artefact: ArtefactName, version: Digest },
    /// To the writer.
    Writer(AgentName),
}

/// To whom a failed preparation goes back, if to anybody.
pub(super) fn way_back(batch: &Batch, effect: &Effect, failed: &Failed) -> Option<Back> {
    let state = &batch.state;
    let otherwise = state.plan.supervisor.on.get(failed.class.word());
    let otherwise = otherwise.is_some_and(|action| *action != Action::Retry);
    let is_prepare = matches!(effect.wish, Wish::Prepare { .. });
    if !is_prepare || failed.class != Class::Invalid || otherwise || state.cancelled_by.is_some() {
        return None;
    }
    let turn = state.turns.get(&effect.message)?;
    edited(state, turn).or_else(|| writer(state, turn, failed.artefact.as_ref()?))
}

/// Sends it there, with the reason.
pub(super) fn send_back(batch: &mut Batch, effect: &Effect, back: Back, reason: BodyRef) -> Result<(), Illegal> {
    match back {
        Back::Person { no, artefact, version } => {
            batch.emit(Event::EditRefused { no, artefact, version, problems: reason })
        }
        Back::Writer(writer) => deliver::mend(batch, effect.message, writer, reason),
    }
}

/// What was prepared is what a person has just edited.
fn edited(state: &State, turn: &Turn) -> Option<Back> {
    let no = turn.approval?;
    let approval = state.approvals.get(&no).filter(|approval| approval.fate == Some(Fate::Edited(None)))?;
    let mut desk = turn.desk.iter();
    let (artefact, held) = desk.find(|(name, held)| approval.desk.get(*name) != Some(*held))?;
    Some(Back::Person { no, artefact: artefact.clone(), version: held.version()? })
}

/// Whoever wrote `artefact`, unless that would write over what a person wrote.
fn writer(state: &State, turn: &Turn, artefact: &ArtefactName) -> Option<Back> {
    let of = |name: &ArtefactName| state.versions.get(&turn.desk.get(name)?.version()?);
    let writer = &of(artefact)?.writer;
    let writes = &state.member(writer)?.writes;
    // A section of what a person wrote is theirs as well.
    let whole = |name| state.plan.section(name).map_or(name, |section| &section.of);
    let held = writes.iter().filter_map(|name| turn.desk.get(whole(name))).flat_map(Held::versions);
    let over = held.filter_map(|version| state.versions.get(&version)).any(|version| version.person.is_some());
    let may = turn.mends < MENDS_MAX && !over && state.may_mend(&turn.agent, writer);
    may.then(|| Back::Writer(writer.clone()))
}

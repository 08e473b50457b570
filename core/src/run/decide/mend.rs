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

/// Whoever wrote `artefact`, or a section of it, and can be asked to write it anew. Which of its sections is at fault nobody
/// says: whoever wrote longest ago is asked, so that it is the other's turn if that does not mend it.
fn writer(state: &State, turn: &Turn, artefact: &ArtefactName) -> Option<Back> {
    let held = turn.desk.get(artefact).filter(|held| matches!(held, Held::Version(_) | Held::Sections { .. }))?;
    let made = held.versions().filter_map(|version| state.versions.get(&version));
    let can = made.filter(|version| can_write_anew(state, turn, &version.writer));
    can.min_by_key(|version| version.message).map(|version| Back::Writer(version.writer.clone()))
}

/// Whether `writer` may be asked once more, and would not write over what a person wrote.
fn can_write_anew(state: &State, turn: &Turn, writer: &AgentName) -> bool {
    let Some(member) = state.member(writer) else { return false };
    // A section of what a person wrote is theirs as well.
    let held = member.writes.iter().filter_map(|name| turn.desk.get(state.plan.whole(name))).flat_map(Held::versions);
    let over = held.filter_map(|version| state.versions.get(&version)).any(|version| version.person.is_some());
    turn.mends < MENDS_MAX && !over && state.may_mend(&turn.agent, writer)
}

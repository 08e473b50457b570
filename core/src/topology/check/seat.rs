//! A place in the team, with what the rules learn of it before it is a member.

use std::collections::BTreeSet;

use super::draft::Draft;
use crate::id::{AgentName, ArtefactName, Outcome};
use crate::topology::fault::{At, Code, Place};
use crate::topology::manner::CALL_TIMEOUT_MS;
use crate::topology::plan::{Limits, Member, PERSON_OUTCOMES, Read};
use crate::topology::raw;

/// A member as far as it could be made out.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) name: AgentName,
    /// Its key in `[team]`.
    pub(super) place: Place,
    /// The whole of it; none if its agent is unknown.
    pub(super) member: Option<Member>,
    pub(super) kind: SeatKind,
    pub(super) outcomes: Vec<Outcome>,
    /// Artefacts that must be on its desk, and where that is written.
    pub(super) needs: Vec<(ArtefactName, Place)>,
    /// Where its limit of turns is written.
    pub(super) turns_place: Place,
    /// Where its model is named.
    pub(super) model_place: Place,
    /// Its instructions, until they are looked at.
    pub(super) instructions: Option<At<String>>,
    /// Whether all that it reads is known.
    pub(super) reads_known: bool,
    /// Whether it is offered a tool that is not known, which is told.
    pub(super) tools_unknown: bool,
}

/// What the rules about paths tell apart.
#[derive(Debug, PartialEq)]
pub(super) enum SeatKind {
    Unknown,
    Model,
    Person { approves: BTreeSet<ArtefactName>, holds: bool },
    Tool { outward: bool, delivers: BTreeSet<ArtefactName> },
    Rule,
}

impl Seat {
    pub(super) fn empty(name: AgentName, place: &Place) -> Self {
        Self {
            name,
            place: place.clone(),
            member: None,
            kind: SeatKind::Unknown,
            outcomes: vec![],
            needs: vec![],
            turns_place: place.clone(),
            model_place: place.clone(),
            instructions: None,
            reads_known: false,
            tools_unknown: false,
        }
    }
}

/// Tells of a key that does not fit the kind of member.
pub(super) fn unfit(draft: &mut Draft<'_>, place: &Place, what: &str, instead: &str) {
    draft.fault(Code::Unfit, place, format!("this member {what}"), instead);
}

/// Adds artefacts that a member reads without saying so.
pub(super) fn also_reads(seat: &mut Seat, member: &mut Member, artefact: &ArtefactName, place: &Place) {
    seat.needs.push((artefact.clone(), place.clone()));
    match member.reads.iter_mut().find(|read| read.artefact == *artefact) {
        Some(read) => read.optional = false,
        None => member.reads.push(Read { artefact: artefact.clone(), optional: false }),
    }
}

/// The first that is written of each limit, or its default.
pub(super) fn limits(written: &[&raw::Limits]) -> Limits {
    let first = |of: fn(&raw::Limits) -> Option<u64>| written.iter().find_map(|limits| of(limits));
    let small = |n: Option<u64>, default: u32| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    Limits {
        turns: small(first(|l| l.turns.as_ref().map(|at| at.value.into())), 12),
        steps_per_turn: small(first(|l| l.steps_per_turn.map(u64::from)), 16),
        output_tokens: first(|l| l.output_tokens).unwrap_or(4_000),
        tokens: written.iter().find_map(|l| l.tokens).flatten(),
        cost: written.iter().find_map(|l| l.cost).flatten(),
        call_timeout_ms: first(|l| l.call_timeout_ms).unwrap_or(CALL_TIMEOUT_MS),
        idle_timeout_ms: first(|l| l.idle_timeout_ms),
    }
}

/// The outcomes of a person's turn.
pub(super) fn person_outcomes() -> impl Iterator<Item = Outcome> {
    PERSON_OUTCOMES.iter().filter_map(|word| word.parse().ok())
}

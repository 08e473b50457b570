//! Whom a name under `[handoffs]`, in a rehearsal or in a test means.

use super::draft::Draft;
use super::seat::{Seat, SeatKind};
use crate::topology::fault::{At, Code, nearest};

/// The member of this name; the one that was meant if it is told.
pub(super) fn member(draft: &mut Draft<'_>, seats: &[Seat], at: &At<String>) -> Option<usize> {
    named(draft, Code::UnknownMember, seats, at, None).flatten()
}

/// `Some(None)` is the end.
pub(super) fn recipient(draft: &mut Draft<'_>, seats: &[Seat], at: &At<String>) -> Option<Option<usize>> {
    named(draft, Code::UnknownMember, seats, at, Some("end"))
}

/// The same for the recipient of an outcome, whose end may be a failure.
pub(super) fn target(draft: &mut Draft<'_>, seats: &[Seat], at: &At<String>) -> Option<Option<usize>> {
    if is_failure(at) { Some(None) } else { recipient(draft, seats, at) }
}

/// The other end: what reaches it makes the run a failure.
pub(super) fn is_failure(at: &At<String>) -> bool {
    at.value == "failed"
}

/// The member that a test means.
pub(super) fn expected(draft: &mut Draft<'_>, seats: &[Seat], at: &At<String>) -> Option<usize> {
    named(draft, Code::Expectation, seats, at, None).flatten()
}

fn named(
    draft: &mut Draft<'_>,
    code: Code,
    seats: &[Seat],
    at: &At<String>,
    also: Option<&str>,
) -> Option<Option<usize>> {
    let known = draft.places.get(&at.value).copied();
    if known.is_some() || also == Some(at.value.as_str()) {
        return Some(known);
    }
    let index = |name: &str| seats.iter().position(|seat| seat.name.as_str() == name);
    // If the near one is unknown itself, it is its own name that is mistaken, and that is told.
    let unresolved = seats.iter().filter(|seat| seat.kind == SeatKind::Unknown).map(|seat| seat.name.as_str());
    if let Some(near) = nearest(&at.value, unresolved) {
        return Some(index(near));
    }
    if draft.lost.contains(&at.value) {
        return None;
    }
    let names = seats.iter().map(|seat| seat.name.as_str()).chain(also);
    if !draft.lost.is_empty() && nearest(&at.value, names.clone()).is_none() {
        // It may be one whose name was none, which is told.
        draft.edges_missing = true;
        return None;
    }
    let meant = draft.unknown(code, at, "member", names);
    draft.edges_missing |= meant.is_none();
    meant.map(index)
}

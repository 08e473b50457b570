//! Rule: who may be asked is a model of the team, and nobody comes to wait for themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::team::{Seat, SeatKind, unfit};
use crate::id::AgentName;
use crate::topology::fault::Code;
use crate::topology::raw::topology::Topology;

/// Whom each member may ask.
pub(super) type Asks = BTreeMap<AgentName, Vec<AgentName>>;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, seats: &[Seat]) -> Asks {
    let mut asks = Asks::new();
    for (name, member) in raw.team.iter().filter(|(_, member)| !member.may_ask.is_empty()) {
        super::names::once(draft, &member.may_ask);
        let seat = seats.iter().find(|seat| seat.name.as_str() == name.value);
        if seat.is_some_and(|seat| !matches!(seat.kind, SeatKind::Model | SeatKind::Unknown)) {
            unfit(draft, &member.may_ask[0].place, "is no model: it asks nobody", "take `may_ask` out");
            continue;
        }
        for at in &member.may_ask {
            let known = seats.iter().map(|seat| seat.name.as_str());
            let Some(found) = seats.iter().find(|seat| seat.name.as_str() == at.value) else {
                draft.unknown(Code::UnknownMember, at, "member", known);
                continue;
            };
            if !matches!(found.kind, SeatKind::Model | SeatKind::Unknown) {
                unfit(draft, &at.place, "may ask who is no model", "name models; persons decide, tools are called");
            } else if let Some(seat) = seat {
                asks.entry(seat.name.clone()).or_default().push(found.name.clone());
                if reaches(&asks, &found.name, &seat.name) {
                    let what = format!("`{}` would wait for `{}`, which waits for it", seat.name, found.name);
                    draft.fault(Code::AskCircle, &at.place, what, "let only one of them ask the other");
                }
            }
        }
    }
    asks
}

/// Whether a question to `from` can come to one to `to`.
fn reaches(asks: &Asks, from: &AgentName, to: &AgentName) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            next.extend(asks.get(name).into_iter().flatten());
        }
    }
    false
}

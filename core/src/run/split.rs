//! A split that is open: what was there before it, what arrived of it, and what comes of both at the join.

use std::collections::BTreeMap;

use super::desk::{Desk, Held};
use super::event::{Arrival, BodyRef, Joined, Message, Origin};
use crate::id::{MessageId, Outcome};
use crate::topology::plan::{Plan, Split};
use crate::topology::spec::Labels;

/// A split whose branches have not met yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSplit {
    /// The turn that split.
    pub message: MessageId,
    /// On which outcome.
    pub outcome: Outcome,
    /// What it said.
    pub note: BodyRef,
    /// Where that comes from.
    pub origin: Origin,
    /// What that may carry.
    pub labels: Labels,
    /// How often its handoff has been taken, this time included.
    pub round: u32,
    /// What was on the desk when it split.
    pub desk: Desk,
    /// How many branches it has.
    pub branches: u32,
    /// The messages that ended branches, by branch.
    pub arrived: BTreeMap<u32, Message>,
}

impl OpenSplit {
    /// The desk of the join: what was there before the split, and what each branch that arrived added. Artefacts that are
    /// collected are lists in the order of the branches; what they are lists of ends with its branch, as its item does, and
    /// what nobody reads beyond.
    pub fn merged(&self, plan: &Plan, split: &Split) -> Desk {
        let mut desk = self.desk.clone();
        let of = |list| plan.artefacts.get(list).and_then(|artefact| artefact.of.as_ref());
        let parts: Vec<_> = split.collects.iter().filter_map(of).chain(&split.ends).chain(split.item()).collect();
        for (name, held) in self.arrived.values().flat_map(|message| &message.desk) {
            let before = self.desk.get(name);
            if before != Some(held) && !parts.contains(&name) {
                let joined = desk.get(name).map_or_else(|| held.clone(), |beside| held.beside(before, beside));
                desk.insert(name.clone(), joined);
            }
        }
        for list in &split.collects {
            let Some(part) = of(list) else { continue };
            // What was there before the split, and the branch did not write anew, is not its own.
            let before = self.desk.get(part);
            let made =
                self.arrived.values().filter_map(|message| message.desk.get(part).filter(|own| Some(*own) != before));
            let made = made.filter_map(Held::version);
            desk.insert(list.clone(), Held::All(made.collect()));
        }
        desk
    }

    /// What the join is told of the branches.
    pub fn joined(&self, nth: u32) -> Joined {
        let arrival = |(index, message): (&u32, &Message)| {
            let Message { id, from, outcome, note, labels, .. } = message;
            let (index, message, outcome, note, labels) = (*index, *id, outcome.clone(), *note, *labels);
            from.clone().map(|from| Arrival { index, message, from, outcome, note, labels })
        };
        Joined { nth, branches: self.branches, arrived: self.arrived.iter().filter_map(arrival).collect() }
    }
}

//! When the branches of a split meet, and what they are.

use super::branch::{Branch, SplitId};
use super::desk::{Desk, Held};
use super::state::State;
use crate::id::AgentName;
use crate::topology::plan::{EachTo, Handoff, Over, Recipient, Short, Split};

/// What a split waits for, if for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// For branches that can still arrive.
    Waits,
    /// The join follows; these branches are still under way, and nobody needs them.
    Joins(Vec<Branch>),
    /// Fewer have arrived than the join needs, and no more can.
    Falls,
}

impl State {
    /// The handoff that an open split took.
    pub fn split_handoff(&self, id: &SplitId) -> Option<(&Handoff, &Split)> {
        let handoff = self.handoff(&id.from, &self.splits.get(id)?.outcome)?;
        Some((handoff, handoff.split.as_ref()?))
    }

    /// The join at which a message in `branch` ends it.
    pub fn join_of(&self, branch: &Branch) -> Option<&Recipient> {
        let (id, _) = branch.of()?;
        self.split_handoff(&id).map(|(handoff, _)| &handoff.to)
    }

    /// Whether something of `branch` is still to come: a message, a turn, a dead letter, or branches of its own.
    pub fn is_live(&self, branch: &Branch) -> bool {
        let turns = self.turns.values().map(|turn| &turn.message);
        let dead = self.dead.values().map(|letter| &letter.message);
        let mut pending = self.queued.values().chain(turns).chain(dead);
        pending.any(|message| message.branch.is_within(branch))
            || self.splits.keys().any(|id| id.within.is_within(branch))
    }

    /// Whether the branches of an open split meet now.
    pub fn meeting(&self, id: &SplitId) -> Option<Meeting> {
        let (open, (_, split)) = (self.splits.get(id)?, self.split_handoff(id)?);
        let missing = (0..open.branches).filter(|index| !open.arrived.contains_key(index));
        let live: Vec<Branch> = missing.map(|index| id.branch(index)).filter(|branch| self.is_live(branch)).collect();
        // A question whose asker was given up is answered for nobody: its branch is over once that is.
        if open.arrived.keys().any(|index| self.is_live(&id.branch(*index))) {
            return Some(Meeting::Waits);
        }
        let arrived = u32::try_from(open.arrived.len()).unwrap_or(u32::MAX);
        // A list can be shorter than what is needed of it.
        let needed = split.needs.unwrap_or(open.branches).min(open.branches);
        Some(match (arrived >= needed, live.is_empty(), split.short) {
            (true, ..) => Meeting::Joins(live),
            (false, false, _) => Meeting::Waits,
            (false, true, Short::GoOn) => Meeting::Joins(live),
            (false, true, Short::Stop) => Meeting::Falls,
        })
    }

    /// How a turn of `agent` with `desk` splits: for each branch to whom it goes, and what is its item.
    pub fn branches(&self, split: &Split, desk: &Desk) -> Option<Vec<(AgentName, Option<Held>)>> {
        Some(match &split.over {
            Over::All(members) => members.iter().map(|to| (to.clone(), None)).collect(),
            Over::Times { times, to } => (0..*times).map(|_| (to.clone(), None)).collect(),
            Over::Each(each) => {
                let of = desk.get(&each.artefact)?.version()?;
                let items = self.versions.get(&of)?.lists.get(&each.place())?;
                let to = |index: u32| match &each.to {
                    EachTo::One(to) => Some(to.clone()),
                    EachTo::By { .. } => items.to.get(index as usize).cloned(),
                };
                let item = |index| Some((to(index)?, Some(Held::Item { of, at: each.pointer(index) })));
                (0..items.count).map(item).collect::<Option<_>>()?
            }
        })
    }
}

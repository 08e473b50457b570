//! When the branches of a split meet, and what they are.

use std::collections::BTreeSet;

use super::branch::{Branch, SplitId};
use super::desk::{Desk, Held};
use super::event::Items;
use super::state::State;
use crate::id::{AgentName, Digest};
use crate::topology::plan::{Each, EachTo, Handoff, Over, Recipient, Short, Split};

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
        let arrived = u32::try_from(open.arrived.len()).unwrap_or(u32::MAX);
        // A list can be shorter than what is needed of it.
        let needed = split.needs.unwrap_or(open.branches).min(open.branches);
        // Most of the time one of many is still to come, and the first that is found says so.
        let is_missing = |index: u32| !open.arrived.contains_key(&index);
        if arrived < needed && self.pending_in(id).any(is_missing) {
            return Some(Meeting::Waits);
        }
        let live: BTreeSet<u32> = self.pending_in(id).collect();
        // A question whose asker was given up is answered for nobody: its branch is over once that is.
        if open.arrived.keys().any(|index| live.contains(index)) {
            return Some(Meeting::Waits);
        }
        let live: Vec<Branch> =
            live.into_iter().filter(|index| is_missing(*index)).map(|index| id.branch(index)).collect();
        Some(match (arrived >= needed, live.is_empty(), split.short) {
            (true, ..) => Meeting::Joins(live),
            (false, false, _) => Meeting::Waits,
            (false, true, Short::GoOn) => Meeting::Joins(live),
            (false, true, Short::Stop) => Meeting::Falls,
        })
    }

    /// The branches of a split of which something is still to come, as often as there is something.
    fn pending_in<'a>(&'a self, id: &'a SplitId) -> impl Iterator<Item = u32> + 'a {
        let turns = self.turns.values().map(|turn| &turn.message);
        let dead = self.dead.values().map(|letter| &letter.message);
        let messages = turns.chain(self.queued.values()).chain(dead).map(|message| &message.branch);
        let within = self.splits.keys().map(|inner| &inner.within);
        messages.chain(within).filter_map(|branch| id.index_of(branch))
    }

    /// How many branches a turn with `desk` splits into.
    pub fn count(&self, split: &Split, desk: &Desk) -> Option<u32> {
        Some(match &split.over {
            Over::All(members) => u32::try_from(members.len()).unwrap_or(u32::MAX),
            Over::Times { times, .. } => *times,
            Over::Each(each) => self.items(each, desk)?.1.count,
        })
    }

    /// With whom the `index`-th of these branches begins, and what is its item.
    pub fn begins(&self, split: &Split, desk: &Desk, index: u32) -> Option<(AgentName, Option<Held>)> {
        match &split.over {
            Over::All(members) => members.get(index as usize).map(|to| (to.clone(), None)),
            Over::Times { times, to } => (index < *times).then(|| (to.clone(), None)),
            Over::Each(each) => {
                let (of, items) = self.items(each, desk)?;
                let to = match &each.to {
                    EachTo::One(to) => to,
                    EachTo::By { .. } => items.to.get(index as usize)?,
                };
                (index < items.count).then(|| (to.clone(), Some(Held::Item { of, at: each.pointer(index) })))
            }
        }
    }

    /// What was counted of a list when it was written, and the version that it is in.
    fn items(&self, each: &Each, desk: &Desk) -> Option<(Digest, &Items)> {
        let of = desk.get(&each.artefact)?.version()?;
        Some((of, self.versions.get(&of)?.lists.get(&each.place())?))
    }

    /// How a turn with `desk` splits: for each branch to whom it goes, and what is its item.
    pub fn branches(&self, split: &Split, desk: &Desk) -> Option<Vec<(AgentName, Option<Held>)>> {
        (0..self.count(split, desk)?).map(|index| self.begins(split, desk, index)).collect()
    }
}

//! What becomes of branches, counted beside the state: each begins once and arrives once, and a join hears of all that it
//! waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::broken::{Broken, Holds, ensure};
use crate::id::{AgentName, ArtefactName, Digest, MessageId, Outcome};
use crate::run::branch::{Branch, SplitId};
use crate::run::desk::{Desk, Held};
use crate::run::event::Message;
use crate::run::state::State;
use crate::topology::plan::{Recipient, Short, Split};

/// The splits of a run, and where their branches are.
#[derive(Debug, Clone, Default)]
pub(super) struct Branches {
    open: BTreeMap<SplitId, Counted>,
    of_turn: BTreeMap<MessageId, SplitId>,
    made: BTreeMap<(Branch, AgentName), u32>,
}

#[derive(Debug, Clone)]
struct Counted {
    outcome: Outcome,
    branches: u32,
    /// What was there before it.
    desk: Desk,
    begun: BTreeSet<u32>,
    arrived: BTreeMap<u32, MessageId>,
    /// The versions that the branches which arrived came with, and that were not there before.
    made: BTreeMap<ArtefactName, Vec<Vec<Digest>>>,
    called_off: BTreeSet<u32>,
}

/// What a message is to the branches around it.
pub(super) enum Sent {
    /// The first of a branch.
    Begins,
    /// The last of one.
    Arrives,
    /// What goes on beyond a join, which these ended.
    Joins(Vec<MessageId>),
    /// None of that.
    Passes,
}

impl Branches {
    /// A turn splits: `state` is that with the split, in which the turn has not ended.
    pub(super) fn split(&mut self, state: &State, message: MessageId, outcome: &Outcome, branches: u32) -> Holds {
        let Some(turn) = state.turns.get(&message) else {
            return ensure("I2", false, || format!("{message} splits and is not being handled"));
        };
        let (within, from) = (turn.message.branch.clone(), turn.agent.clone());
        let nth = self.made.entry((within.clone(), from.clone())).or_default();
        *nth += 1;
        let id = SplitId { within, from, nth: *nth };
        let counted = Counted {
            outcome: outcome.clone(),
            branches,
            desk: turn.desk.clone(),
            begun: BTreeSet::new(),
            arrived: BTreeMap::new(),
            made: BTreeMap::new(),
            called_off: BTreeSet::new(),
        };
        self.of_turn.insert(message, id.clone());
        ensure("I2", self.open.insert(id, counted).is_none(), || format!("{message} splits twice"))
    }

    /// A branch is not waited for any more.
    pub(super) fn called_off(&mut self, state: &State, branch: &Branch, is_pending: impl Fn(&Branch) -> bool) -> Holds {
        let Some((id, index)) = branch.of() else { return ensure("I1", false, || "the run is called off".to_owned()) };
        let is_enough = self.is_enough(state, &id, &is_pending, Some(index));
        ensure("I1", is_enough, || format!("{branch} is called off before the join has what it needs"))?;
        self.open.retain(|of, _| !of.within.is_within(branch));
        let open = self.open.get_mut(&id);
        let first = open.is_some_and(|open| open.called_off.insert(index) && !open.arrived.contains_key(&index));
        ensure("I2", first, || format!("{branch} is called off and was over"))
    }

    /// Takes a message in that was sent on a handoff.
    pub(super) fn sent(
        &mut self,
        state: &State,
        message: &Message,
        is_pending: impl Fn(&Branch) -> bool,
    ) -> Result<Sent, Broken> {
        if let (Some(joined), Some(from)) = (&message.joins, &message.from) {
            let id = SplitId { within: message.branch.clone(), from: from.clone(), nth: joined.nth };
            let met = self.is_enough(state, &id, &is_pending, None);
            ensure("I1", met, || format!("{} joins before what it needs has arrived", message.id))?;
            let Some(open) = self.open.remove(&id) else { return Ok(Sent::Joins(Vec::new())) };
            let told: BTreeMap<u32, MessageId> = joined.arrived.iter().map(|one| (one.index, one.message)).collect();
            ensure("I2", told == open.arrived && told.len() == joined.arrived.len(), || {
                format!("{} tells of other arrivals than there were", message.id)
            })?;
            let kept: BTreeSet<Digest> = message.desk.values().flat_map(Held::versions).collect();
            let lost = open.made.iter().find(|(name, versions)| {
                let is_kept = |of_branch: &Vec<Digest>| of_branch.iter().all(|version| kept.contains(version));
                let split = joins(state, &id, &open.outcome);
                let whole = state.plan.whole(name);
                let ends = split.is_some_and(|split| split.ends.contains(whole));
                let is_listed = split.is_some_and(|split| collects(state, split, name));
                // Of what several write and nobody collects, which `check` refuses, that of one is kept; and beside a whole
                // no section of it need be.
                let is_kept = if is_listed { versions.iter().all(is_kept) } else { versions.iter().any(is_kept) };
                !is_kept && !ends && (whole == *name || !open.made.contains_key(whole))
            });
            ensure("I1", lost.is_none(), || format!("{} loses what its branches made of {lost:?}", message.id))?;
            return Ok(Sent::Joins(open.arrived.into_values().collect()));
        }
        let Some((id, index)) = message.branch.of() else { return Ok(Sent::Passes) };
        let Some(open) = self.open.get_mut(&id) else {
            return ensure("I9", false, || format!("{} is in a branch that is over", message.id))
                .map(|()| Sent::Passes);
        };
        if message.cause.is_some_and(|cause| self.of_turn.get(&cause) == Some(&id)) {
            let new = index < open.branches && open.begun.insert(index);
            ensure("I2", new, || format!("{} begins a branch twice", message.id))?;
            return Ok(Sent::Begins);
        }
        let over = open.arrived.contains_key(&index) || open.called_off.contains(&index);
        ensure("I2", open.begun.contains(&index) && !over, || format!("{} is in a branch that is over", message.id))?;
        let join = state.handoff(&id.from, &open.outcome).map(|handoff| &handoff.to);
        if join != Some(&message.to) || message.asked_by.is_some() {
            ensure("I9", message.to != Recipient::End, || format!("{} ends the run within a branch", message.id))?;
            return Ok(Sent::Passes);
        }
        for (name, held) in message.desk.iter().filter(|(name, held)| open.desk.get(*name) != Some(*held)) {
            let before: BTreeSet<Digest> = open.desk.get(name).into_iter().flat_map(Held::versions).collect();
            match held {
                // Its item ends with the branch.
                Held::Item { .. } => {}
                // Each section is one of its own; those that were there before the branch are not made in it.
                Held::Sections { .. } => {
                    for (of, version) in held.named(name).into_iter().filter(|(_, of)| !before.contains(of)) {
                        open.made.entry(of).or_default().push(vec![version]);
                    }
                }
                Held::Version(_) | Held::All(_) => {
                    open.made.entry(name.clone()).or_default().push(held.versions().collect());
                }
            }
        }
        let new = open.arrived.insert(index, message.id).is_none();
        ensure("I2", new, || format!("{} arrives where another arrived", message.id))?;
        Ok(Sent::Arrives)
    }

    /// Whether the join of `id` has what it needs: so many arrivals, or fewer where that is allowed and no more can come.
    fn is_enough(&self, state: &State, id: &SplitId, is_pending: &impl Fn(&Branch) -> bool, but: Option<u32>) -> bool {
        let Some(open) = self.open.get(id) else { return false };
        let Some(split) = joins(state, id, &open.outcome) else { return false };
        let needed = split.needs.unwrap_or(open.branches).min(open.branches) as usize;
        let all_begun = open.begun.len() == open.branches as usize;
        let missing = (0..open.branches).filter(|index| !open.arrived.contains_key(index) && Some(*index) != but);
        let nobody_comes = missing.map(|index| id.branch(index)).all(|branch| !is_pending(&branch));
        let enough = open.arrived.len() >= needed;
        all_begun
            && (enough && (nobody_comes || but.is_some())
                || split.short == Short::GoOn && nobody_comes && but.is_none())
    }
}

/// The split that `id` is one of.
fn joins<'a>(state: &'a State, id: &SplitId, outcome: &Outcome) -> Option<&'a Split> {
    state.handoff(&id.from, outcome)?.split.as_ref()
}

/// Whether the join of `split` has a list of all that its branches made of `name`.
fn collects(state: &State, split: &Split, name: &ArtefactName) -> bool {
    let of = |list| state.plan.artefacts.get(list).and_then(|artefact| artefact.of.as_ref());
    split.collects.iter().filter_map(of).any(|of| of == name)
}

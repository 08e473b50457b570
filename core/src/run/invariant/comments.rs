//! What must hold of comments: no approval is given while one blocks it. Which versions a comment is on is followed here by
//! what each turn was handed, beside the state, which follows what each version replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::broken::{Holds, ensure};
use crate::id::{ApprovalNo, CommentNo, Digest};
use crate::run::desk::Held;
use crate::run::event::{Version, Who};
use crate::run::state::State;

/// The comments so far, and what they can be made on.
#[derive(Debug, Clone, Default)]
pub(super) struct Comments {
    made: BTreeMap<CommentNo, Made>,
    /// Versions in whose place a turn has put another one.
    replaced: BTreeSet<Digest>,
}

#[derive(Debug, Clone)]
struct Made {
    by: String,
    on: BTreeSet<Digest>,
    blocks: bool,
    open: bool,
}

impl Comments {
    /// I15: comments are numbered, each on a version of that artefact.
    pub(super) fn made(&mut self, no: CommentNo, by: &Who, on: Digest, blocks: bool) -> Holds {
        let made = Made { by: by.name.clone(), on: BTreeSet::from([on]), blocks, open: true };
        let new = self.made.insert(no, made).is_none() && no.0 as usize == self.made.len();
        let current = !self.replaced.contains(&on);
        ensure("I15", new && current, || format!("comment {no} is made twice, out of order, or on what was replaced"))
    }

    pub(super) fn replied(&self, no: CommentNo) -> Holds {
        let open = self.made.get(&no).is_some_and(|made| made.open);
        ensure("I15", open, || format!("comment {no} is answered and was not open"))
    }

    /// I15: whoever made it settles it, or somebody who may approve what it is on, with a word.
    pub(super) fn resolved(&mut self, state: &State, no: CommentNo, by: &Who, says: bool) -> Holds {
        let Some(made) = self.made.get_mut(&no).filter(|made| made.open) else {
            return ensure("I15", false, || format!("comment {no} is resolved and was not open"));
        };
        made.open = false;
        let on = |held: &Held| held.versions().any(|version| made.on.contains(&version));
        let mut asked = state.open_approvals().filter(|(_, approval)| approval.desk.values().any(on));
        let asked = asked.any(|(_, approval)| state.may_approve(approval, by));
        let may = made.by == by.name || says && (asked || state.plan.single_person);
        ensure("I15", may, || format!("{:?} resolves comment {no}, which is not theirs", by.name))
    }

    /// What a turn makes of what it was handed is commented on as that was.
    pub(super) fn written(&mut self, state: &State, version: &Version) {
        let turn = state.turns.get(&version.message);
        let handed = turn.and_then(|turn| turn.message.desk.get(&version.artefact));
        let from: BTreeSet<Digest> = handed.into_iter().flat_map(Held::versions).chain(version.base).collect();
        for made in self.made.values_mut().filter(|made| !made.on.is_disjoint(&from)) {
            made.on.insert(version.body.digest);
        }
        self.replaced.extend(from);
    }

    /// An edit went back: what it replaced is on the desk again.
    pub(super) fn went_back(&mut self, state: &State, no: ApprovalNo) {
        for version in state.approvals.get(&no).into_iter().flat_map(|approval| approval.rests_on()) {
            self.replaced.remove(&version);
        }
    }

    /// I15: what is approved, nobody's open comment blocks.
    pub(super) fn approved(&self, state: &State, no: ApprovalNo) -> Holds {
        let Some(approval) = state.approvals.get(&no) else { return Ok(()) };
        let on: BTreeSet<Digest> = approval.rests_on().collect();
        let stops = self.made.iter().find(|(_, made)| made.open && made.blocks && !made.on.is_disjoint(&on));
        ensure("I15", stops.is_none(), || {
            let comment = stops.map_or(CommentNo(0), |(comment, _)| *comment);
            format!("approval {no} is approved while comment {comment} blocks it")
        })
    }
}

//! What splits and their branches come to in a state.

use std::collections::BTreeMap;

use super::Legal;
use crate::id::{AgentName, EffectId, MessageId, Outcome};
use crate::run::branch::{Branch, SplitId};
use crate::run::event::{Amount, BodyRef, Message, Origin};
use crate::run::split::OpenSplit;
use crate::run::state::{Fate, State};

impl State {
    /// The turn of `message` is about to end with `outcome`, which splits.
    pub(super) fn split(
        &mut self,
        message: MessageId,
        outcome: &Outcome,
        note: BodyRef,
        origin: Origin,
        branches: u32,
    ) -> Legal {
        let turn = self.turns.get(&message).ok_or("no such turn")?;
        let (from, within) = (turn.agent.clone(), turn.message.branch.clone());
        let handoff = self.handoff(&from, outcome).ok_or("an undeclared handoff")?;
        let split = handoff.split.as_ref().ok_or("a handoff that does not split")?;
        if self.count(split, &turn.desk).ok_or("a list that nobody counted")? != branches {
            return Err("another number of branches than there are items");
        }
        let key = (within.clone(), from.clone(), outcome.clone());
        let round = self.rounds.get(&key).copied().unwrap_or(0) + 1;
        let open = OpenSplit {
            message,
            outcome: outcome.clone(),
            note,
            origin,
            labels: self.says(turn),
            round,
            desk: turn.desk.clone(),
            branches,
            arrived: BTreeMap::new(),
        };
        self.rounds.insert(key, round);
        let past = self.pasts.get_mut(&(from.clone(), within.clone())).ok_or("a turn without a past")?;
        past.splits += 1;
        let id = SplitId { within, from, nth: past.splits };
        self.splits.insert(id, open);
        Ok(())
    }

    /// What a turn sends on its handoff: to the next member, into a branch, or, once its branches have met, beyond them.
    pub(super) fn send_on(&mut self, message: &Message, from: &AgentName) -> Legal {
        const UNDECLARED: &str = "an undeclared handoff";
        if let Some(joined) = &message.joins {
            return self.join(message, from, joined.nth);
        }
        if let Some((id, index)) = message.branch.of()
            && self.splits.get(&id).is_some_and(|open| message.cause == Some(open.message))
        {
            return self.begin_branch(message, &id, index);
        }
        let handoff = self.handoff(from, &message.outcome).ok_or(UNDECLARED)?;
        let declared = match &handoff.rounds {
            Some(rounds) if message.exhausted => &rounds.then,
            _ if handoff.split.is_some() => return Err(UNDECLARED),
            _ => &handoff.to,
        };
        if *declared != message.to {
            return Err(UNDECLARED);
        }
        let key = (message.branch.clone(), from.clone(), message.outcome.clone());
        self.handed.insert(key.clone(), message.note.digest);
        if !message.exhausted {
            self.rounds.insert(key, message.round);
        }
        Ok(())
    }

    fn begin_branch(&mut self, message: &Message, id: &SplitId, index: u32) -> Legal {
        let open = self.splits.get(id).ok_or("no such split")?;
        let (_, split) = self.split_handoff(id).ok_or("no such split")?;
        let (to, item) = self.begins(split, &open.desk, index).ok_or("a branch that there is not")?;
        let mut desk = open.desk.clone();
        desk.extend(split.item().cloned().zip(item));
        let is_planned = message.to == crate::topology::plan::Recipient::Member(to) && message.desk == desk;
        if !is_planned
            || message.from.as_ref() != Some(&id.from)
            || message.outcome != open.outcome
            || message.note != open.note
        {
            return Err("a branch that is not the plan's");
        }
        let key = (id.within.clone(), id.from.clone(), message.outcome.clone());
        self.handed.insert(key, message.note.digest);
        Ok(())
    }

    /// A branch came to its end.
    pub(super) fn arrive(&mut self, message: &Message) -> Legal {
        let (id, index) = message.branch.of().ok_or("no branch")?;
        let open = self.splits.get_mut(&id).ok_or("no such split")?;
        if open.arrived.insert(index, message.clone()).is_some() {
            return Err("a branch arrives once");
        }
        Ok(())
    }

    /// The branches of a split have met: what was counted and remembered in them is over.
    fn join(&mut self, message: &Message, from: &AgentName, nth: u32) -> Legal {
        let id = SplitId { within: message.branch.clone(), from: from.clone(), nth };
        let open = self.splits.get(&id).ok_or("no such split")?;
        let (handoff, split) = self.split_handoff(&id).ok_or("no such split")?;
        let is_declared = handoff.to == message.to && open.outcome == message.outcome;
        if !is_declared
            || message.joins != Some(open.joined(nth))
            || message.note != open.note
            || message.desk != open.merged(&self.plan, split)
        {
            return Err("another join than its branches come to");
        }
        let under_way = (0..open.branches).map(|index| id.branch(index)).any(|branch| self.is_live(&branch));
        if under_way {
            return Err("a join while a branch is under way");
        }
        self.splits.remove(&id);
        self.forget(|branch| id.holds(branch));
        Ok(())
    }

    /// A branch that is not waited for any more ends where it is.
    pub(super) fn call_off(&mut self, branch: &Branch) -> Legal {
        if branch.of().is_none_or(|(id, _)| !self.splits.contains_key(&id)) {
            return Err("no such branch");
        }
        let is_in = |message: &Message| message.branch.is_within(branch);
        self.queued.drop_where(is_in);
        self.dead.retain(|_, letter| !is_in(&letter.message));
        self.splits.retain(|id, _| !id.within.is_within(branch));
        let over: Vec<MessageId> = self.turns.iter().filter(|(_, t)| is_in(&t.message)).map(|(id, _)| *id).collect();
        if self.open_approvals().any(|(_, approval)| over.contains(&approval.message)) {
            return Err("a person is still asked");
        }
        for message in over {
            self.turns.remove(&message);
            let left = self.effects.iter().filter(|(_, effect)| effect.message == message).map(|(id, _)| *id);
            for id in left.collect::<Vec<EffectId>>() {
                let Some(effect) = self.effects.remove(&id) else { continue };
                if effect.is_outward() {
                    return Err("what acts on the world is not called off");
                }
                self.ledger.settle(&effect.agent, effect.reserved, Amount::default())?;
            }
        }
        // An approval that was prepared and edited belongs to no turn any more.
        for approval in self.approvals.values_mut().filter(|approval| approval.fate == Some(Fate::Edited(None))) {
            if !self.turns.contains_key(&approval.message) {
                approval.fate = Some(Fate::Lapsed);
            }
        }
        self.forget(|of| of.is_within(branch));
        Ok(())
    }

    /// Drops what was counted and remembered in branches that are over.
    fn forget(&mut self, is_over: impl Fn(&Branch) -> bool) {
        self.rounds.retain(|(branch, ..), _| !is_over(branch));
        self.handed.retain(|(branch, ..), _| !is_over(branch));
        self.pasts.retain(|(_, branch), _| !is_over(branch));
    }
}

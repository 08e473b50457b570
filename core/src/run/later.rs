//! What leaves later than it was approved: when each item may leave, and what a turn waits for that has nothing else to do.
//! A day is counted from the decision. Where no model runs nothing reaches anybody, and nothing waits.

use std::collections::BTreeMap;

use super::event::{ItemHead, Wish};
use super::state::{Effect, Permit, State, Turn};
use crate::id::{AgentName, ApprovalNo, EffectId, MessageId, Timestamp};
use crate::topology::plan::{Arg, Role};
use crate::topology::spec::ToolSpec;

/// Items of one turn that are under way or asked about, at most.
pub const AT_ONCE_MAX: usize = 64;

/// Whether an item leaves at once, as far as what is written down says.
pub fn is_at_once(after_ms: &u64) -> bool {
    *after_ms == 0
}

/// Approved items that leave together, later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// When, at the earliest.
    pub at: Timestamp,
    /// The member that lets them leave.
    pub agent: AgentName,
    /// The approval that they leave under.
    pub approval: ApprovalNo,
    /// How many items.
    pub items: u32,
    /// How many people they reach, each counted for each item.
    pub recipients: u64,
}

impl Permit {
    /// How long after the decision the item of `slot` leaves.
    fn after_ms(&self, slot: u32) -> u64 {
        let head = self.manifest.items.get(slot as usize).filter(|_| !self.at_once);
        head.map_or(0, |head| head.after_ms)
    }

    /// When the item of `slot` may leave, at the earliest.
    pub fn leaves_at(&self, slot: u32) -> Timestamp {
        self.leaves_after(self.after_ms(slot))
    }

    /// When what leaves so long after the decision may do so, at the earliest: on its day, at the time of the day that is said for
    /// it, when it is not quiet.
    pub fn leaves_after(&self, after_ms: u64) -> Timestamp {
        let hour = self.hour.as_ref().filter(|_| !self.at_once);
        let day = hour.map_or(self.given_at.plus_ms(after_ms), |hour| hour.on_day(self.given_at, after_ms));
        self.open_from(day)
    }

    /// The first time from `at` on at which anything may leave.
    pub fn open_from(&self, at: Timestamp) -> Timestamp {
        self.quiet.as_ref().filter(|_| !self.at_once).map_or(at, |quiet| quiet.open_from(at))
    }

    /// When the item of `slot` may leave, for who looks at it at `now`: hours may have become quiet since its day came.
    pub fn leaves_from(&self, slot: u32, now: Timestamp) -> Timestamp {
        self.open_from(self.leaves_at(slot).max(now))
    }

    /// Whether the item of `slot` may still begin at `at`: for as long as there was time to decide, from its day on.
    pub fn holds(&self, slot: u32, at: Timestamp) -> bool {
        at < self.expires_at.plus_ms(self.leaves_at(slot).ms_since(self.given_at)) && self.voided_by.is_none()
    }

    /// The items that are still to be done, in order.
    pub fn left(&self) -> impl Iterator<Item = (u32, ItemHead)> + '_ {
        let items = self.manifest.items.iter().zip(0_u32..).map(|(head, slot)| (slot, *head));
        items.filter(|(slot, _)| !self.used.contains(slot))
    }
}

impl State {
    /// The permit that `turn` acts under: the latest for its member, with slots to use, whose manifest was made from the
    /// versions on its desk.
    pub fn permit_of(&self, turn: &Turn) -> Option<ApprovalNo> {
        if turn.permit.is_some() {
            return turn.permit;
        }
        let Role::Tool { args, .. } = &self.member(&turn.agent)?.role else { return None };
        let roots = args.values().filter_map(|arg| match arg {
            Arg::Path { root, .. } => Some(root.as_str()),
            Arg::Value(_) => None,
        });
        let roots: Vec<&str> = roots.collect();
        let fits = |permit: &Permit| {
            let same = roots.iter().all(|root| permit.manifest.desk.get(*root) == turn.desk.get(*root));
            let items = permit.manifest.items.len();
            let unused = items == 0 || permit.used.len() < items;
            permit.member == turn.agent && permit.voided_by.is_none() && same && unused
        };
        self.permits.iter().rev().find(|(_, permit)| fits(permit)).map(|(no, _)| *no)
    }

    /// How many more items may begin in the turn of `message`: none while one is under way. Those about which people are
    /// asked keep nothing back but their own number.
    pub fn room(&self, message: MessageId) -> usize {
        let is_asked = |id: &EffectId| self.questions.values().any(|asked| asked == id);
        let mut asked = 0;
        for (id, _) in self.effects.iter().filter(|(_, effect)| effect.message == message) {
            if !is_asked(id) {
                return 0;
            }
            asked += 1;
        }
        AT_ONCE_MAX.saturating_sub(asked)
    }

    /// The permit of a turn that lets things leave, and nothing is against that.
    fn leaves_under(&self, turn: &Turn) -> Option<(ApprovalNo, &Permit)> {
        let is_tool = matches!(self.member(&turn.agent)?.role, Role::Tool { .. });
        let no = self.permit_of(turn).filter(|_| is_tool && turn.failed.is_none())?;
        let permit = self.permits.get(&no)?;
        permit.voided_by.is_none().then_some((no, permit))
    }

    /// What the tool declares that `agent` is; none if it is no tool.
    pub fn tool_of(&self, agent: &AgentName) -> Option<&ToolSpec> {
        let Role::Tool { tool, .. } = &self.member(agent)?.role else { return None };
        self.plan.tools.get(tool)
    }

    /// The time before which an outward `effect` does not begin: what keeps any effect back, and its permit's quiet hours.
    /// For who looks at it at `now`.
    pub fn begins_from(&self, effect: &Effect, now: Timestamp) -> Timestamp {
        let at = self.not_before(effect);
        let Wish::Deliver { permit, .. } = &effect.wish else { return at };
        let permit = self.permits.get(permit).filter(|permit| permit.quiet.is_some());
        permit.map_or(at, |permit| permit.open_from(at.max(now)))
    }

    /// When the quiet hours are over that `effect` waits for: it waits as what was to leave later does.
    pub fn kept_until(&self, effect: &Effect) -> Option<Timestamp> {
        let is_idle = effect.failed.is_none() && (effect.began.is_none() || effect.doubt.is_some());
        let Wish::Deliver { permit, .. } = &effect.wish else { return None };
        if !is_idle || effect.asked_about || self.cancelled_by.is_some() {
            return None;
        }
        let permit = self.permits.get(permit)?;
        let from = self.not_before(effect).max(effect.doubt.unwrap_or(self.now)).max(self.now);
        let opens = permit.open_from(from);
        // It is quiet until then, and not then.
        let is_end = permit.open_from(Timestamp(opens.0 - 1)) == opens;
        (opens > self.now && is_end).then_some(opens)
    }

    /// When the next item leaves of all that only waits for its day.
    pub fn leaves_next(&self) -> Option<Timestamp> {
        let next = |turn: &Turn| {
            let (_, permit) = self.leaves_under(turn).filter(|_| self.room(turn.message.id) > 0)?;
            let first = permit.left().map(|(slot, _)| permit.leaves_from(slot, self.now)).min()?;
            // What was due and did not begin waits for something else: for an answer, or for whoever raises a limit.
            (first > self.now).then_some(first)
        };
        self.turns.values().filter_map(|turn| next(turn)).min()
    }

    /// What waits for its day, the earliest first; with what was tried already, and waits until quiet hours are over.
    pub fn later(&self) -> Vec<Later> {
        let mut later: BTreeMap<(Timestamp, ApprovalNo), Later> = BTreeMap::new();
        let mut add = |at: Timestamp, agent: &AgentName, approval: ApprovalNo, recipients: u64| {
            let new = Later { at, agent: agent.clone(), approval, items: 0, recipients: 0 };
            let known = later.entry((at, approval)).or_insert(new);
            known.items += 1;
            known.recipients = known.recipients.saturating_add(recipients);
        };
        for effect in self.effects.values() {
            let Wish::Deliver { permit, recipients, .. } = effect.wish else { continue };
            if let Some(at) = self.kept_until(effect) {
                add(at, &effect.agent, permit, recipients);
            }
        }
        for turn in self.turns.values() {
            let Some((approval, permit)) = self.leaves_under(turn) else { continue };
            let waits = permit.left().map(|(slot, head)| (permit.leaves_from(slot, self.now), head));
            waits
                .filter(|(at, _)| *at > self.now)
                .for_each(|(at, head)| add(at, &turn.agent, approval, head.recipients));
        }
        later.into_values().collect()
    }
}

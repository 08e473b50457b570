//! The outside world that outward tools act on: it counts what is really done, under which key, for which slot.

use std::collections::BTreeMap;

use callsheet_core::id::{ApprovalNo, Digest, EffectId};
use callsheet_core::run::event::Wish;
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::state::State;
use callsheet_core::topology::spec::Repeat;

use super::journal::broken;

/// What reached the outside.
#[derive(Default)]
pub(crate) struct Sink {
    /// When each key was first seen, and with what.
    keys: BTreeMap<EffectId, (i64, Digest)>,
    /// How often each slot of a permit was done.
    slots: BTreeMap<(ApprovalNo, u32), u32>,
}

impl Sink {
    /// A request lands. The tool keeps the promise of its class; whoever calls it has to keep the run's.
    pub(crate) fn land(&mut self, now: i64, truth: &State, id: EffectId, wish: &Wish) -> Result<bool, Broken> {
        let Wish::Deliver { tool, permit, slot, item, .. } = wish else {
            return Err(broken("I8", "something else than an item lands at the sink".to_owned()));
        };
        let bound = truth.permits.get(permit).and_then(|permit| permit.manifest.items.get(*slot as usize));
        if bound.is_none_or(|head| head.digest != *item) {
            return Err(broken("I8", format!("slot {slot} of permit {permit} lands without a durable permit")));
        }
        let repeat = truth.plan.tools.get(tool).map_or(Repeat::Once, |spec| spec.repeat);
        let known = self.keys.get(&id).copied();
        if let (Repeat::Idempotent { key_age_ms }, Some((first, with))) = (repeat, known) {
            if with != *item {
                return Err(broken("I6", format!("the key {} comes with another item", id.0.short())));
            }
            if u64::try_from(now - first).is_ok_and(|age| age < key_age_ms) {
                return Ok(true);
            }
        }
        self.keys.entry(id).or_insert((now, *item));
        let done = self.slots.entry((*permit, *slot)).or_default();
        *done += 1;
        if *done > 1 && repeat != Repeat::Pure {
            return Err(broken("I5", format!("slot {slot} of permit {permit} is done {done} times ({repeat:?})")));
        }
        Ok(false)
    }

    /// Whether something was done under this key.
    pub(crate) fn happened(&self, id: EffectId) -> bool {
        self.keys.contains_key(&id)
    }

    /// How often a slot was done.
    pub(crate) fn done(&self, permit: ApprovalNo, slot: u32) -> u32 {
        self.slots.get(&(permit, slot)).copied().unwrap_or(0)
    }
}

//! Rule: budget and supervisor are whole, with finite defaults.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::failure::Class;
use crate::topology::fault::{At, Code};
use crate::topology::plan::{Budget, Supervisor, WhenSpent};
use crate::topology::raw::topology::Topology;

/// People that outward tools may reach if the budget does not say.
const RECIPIENTS: u64 = 10_000;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology) -> Budget {
    let budget = &raw.budget;
    draft.steps_place = budget.steps.as_ref().map(|at| at.place.clone());
    Budget {
        steps: budget.steps.as_ref().and_then(|at| at.value),
        tokens: budget.tokens.flatten(),
        cost: budget.cost.flatten(),
        active_ms: budget.active_ms.flatten(),
        recipients: budget.recipients.unwrap_or(Some(RECIPIENTS)),
        when_spent: budget.when_spent.unwrap_or(WhenSpent::Pause),
    }
}

pub(super) fn supervisor(draft: &mut Draft<'_>, raw: &Topology) -> Supervisor {
    let written = &raw.supervisor;
    let mut on = BTreeMap::new();
    for (class, action) in &written.on {
        let words = Class::ALL.map(Class::word);
        if words.contains(&class.value.as_str()) {
            on.insert(class.value.clone(), *action);
        } else {
            unknown_class(draft, class, &words);
        }
    }
    Supervisor {
        max_restarts: written.max_restarts.unwrap_or(3),
        within_ms: written.within_ms.unwrap_or(5 * 60_000),
        backoff_initial_ms: written.initial_ms.unwrap_or(1_000),
        backoff_max_ms: written.max_ms.unwrap_or(30_000).max(written.initial_ms.unwrap_or(1_000)),
        poison_after: written.poison_after.unwrap_or(3),
        on,
    }
}

fn unknown_class(draft: &mut Draft<'_>, class: &At<String>, words: &[&str]) {
    draft.unknown(Code::UnknownKey, class, "class of failures", words.iter().copied());
}

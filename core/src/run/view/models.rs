//! Which model speaks for whom, and what is told of their calls, in words.

use std::collections::BTreeMap;

use super::View;
use super::words::{count, lost_words, tokens};
use crate::id::AgentName;
use crate::topology::plan::{Mode, Plan, Role};

/// The model that each member asks; of a run without models, none.
pub fn models(plan: &Plan) -> BTreeMap<&AgentName, &str> {
    asked(plan).filter(|_| plan.mode == Mode::Live).collect()
}

/// Which model each member asks: every model once, with its members.
pub fn models_words(plan: &Plan) -> String {
    let mut askers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, model) in asked(plan) {
        askers.entry(model).or_default().push(name.as_str());
    }
    let askers: Vec<String> = askers.iter().map(|(model, by)| format!("{model} ({})", by.join(", "))).collect();
    askers.join("; ")
}

/// Each member that asks a model, and which.
fn asked(plan: &Plan) -> impl Iterator<Item = (&AgentName, &str)> {
    plan.team.iter().filter_map(|(name, member)| {
        let Role::Model { model, .. } = &member.role else { return None };
        Some((name, plan.models.get(model).map_or(model.as_str(), |spec| spec.model.as_str())))
    })
}

impl View {
    /// Calls of models of which nobody heard what they came to, and what of the spending is their maximum, in a sentence.
    pub fn lost_calls(&self) -> Option<String> {
        let (calls, spent) = self.lost;
        (calls > 0).then(|| lost_words(calls, spent))
    }

    /// Calls whose providers report nothing, and what of the spending was set aside for them, in a sentence.
    pub fn assumed_calls(&self) -> Option<String> {
        let (calls, spent) = self.assumed;
        let of = count(calls, "model call");
        let text = format!(
            "of {of} the provider reports no usage; what was set aside counts as spent, which is more than was used: {}, {}",
            tokens(spent),
            spent.cost
        );
        (calls > 0).then_some(text)
    }

    /// Calls whose providers report more than they were allowed, and what they report, in a sentence.
    pub fn over_reported_calls(&self) -> Option<String> {
        let (calls, reported) = self.over_reported;
        let of = count(calls, "model call");
        let text =
            format!("of {of} the provider reports more than was allowed: {}, {}", tokens(reported), reported.cost);
        (calls > 0).then_some(text)
    }
}

//! Which model speaks for whom, in words.

use std::collections::BTreeMap;

use crate::topology::plan::{Plan, Role};

/// Which model each member asks: every model once, with its members.
pub fn models_words(plan: &Plan) -> String {
    let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, member) in &plan.team {
        let Role::Model { model, .. } = &member.role else { continue };
        let model = plan.models.get(model).map_or(model.as_str(), |spec| spec.model.as_str());
        asked.entry(model).or_default().push(name.as_str());
    }
    let asked: Vec<String> = asked.iter().map(|(model, by)| format!("{model} ({})", by.join(", "))).collect();
    asked.join("; ")
}

//! What failed when a message could not be handled: which model, or which tool.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::{AgentName, EffectId, MessageId, ToolName};
use crate::run::event::{Reason, Wish};
use crate::run::state::{DeadLetter, Effect, State};
use crate::topology::plan::Role;

/// What failed outside the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// A model, by the name that its provider knows.
    Model(String),
    /// A tool.
    Tool(ToolName),
}

/// The latest failure of each message's turn: its reason, and what failed.
#[derive(Default)]
pub(super) struct Failures(BTreeMap<MessageId, (Reason, Failing)>);

impl Failures {
    /// An attempt failed; `state` is that before it.
    pub(super) fn take(&mut self, id: EffectId, reason: Reason, state: &State) {
        let Some(effect) = state.effects.get(&id) else { return };
        // What a rule of the run did not allow failed nowhere outside.
        let failing = matches!(reason, Reason::Told(_)).then(|| failing(state, effect)).flatten();
        match failing {
            Some(failing) => drop(self.0.insert(effect.message, (reason, failing))),
            None => drop(self.0.remove(&effect.message)),
        }
    }

    /// What failed when `letter` could not be handled.
    pub(super) fn of(&self, letter: &DeadLetter) -> Option<&Failing> {
        let (reason, failing) = self.0.get(&letter.message.id)?;
        (*reason == letter.reason).then_some(failing)
    }
}

fn failing(state: &State, effect: &Effect) -> Option<Failing> {
    match &effect.wish {
        Wish::Model { .. } => {
            let alias = effect.model.as_deref()?;
            Some(Failing::Model(state.plan.models.get(alias).map_or_else(|| alias.to_owned(), |of| of.model.clone())))
        }
        Wish::Tool { tool, .. } | Wish::Own { tool } | Wish::Deliver { tool, .. } => Some(Failing::Tool(tool.clone())),
        Wish::Prepare { binds } => tool_of(state, binds.as_ref()?),
        Wish::Query { about } => failing(state, state.effects.get(about)?),
        Wish::Question { .. } | Wish::Rule => None,
    }
}

fn tool_of(state: &State, member: &AgentName) -> Option<Failing> {
    let Role::Tool { tool, .. } = &state.member(member)?.role else { return None };
    Some(Failing::Tool(tool.clone()))
}

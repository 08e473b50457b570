//! How long is waited for models, and by whose word: what `callsheet doctor` says of it, and whether a model is fast enough.

use std::collections::{BTreeMap, BTreeSet};

use super::session::Session;
use crate::model::trial::Speed;
use crate::topology::manner::{CALL_TIMEOUT_MS, IDLE_TIMEOUT_MS, Patience, Wait, time_words};
use crate::topology::plan::{Limits, ModelSpec, Plan, Role, provider_and_name};

/// Who asks which models.
#[derive(Default)]
pub(super) struct Askers(Vec<(String, String, Limits)>);

impl Askers {
    /// Adds the members of a team, with the models that live runs would ask for them.
    pub(super) fn add(&mut self, session: &Session, plan: &Plan) {
        let named = session.settings.models.named();
        let asks = plan.team.iter().filter_map(|(name, member)| match &member.role {
            Role::Model { model, .. } => Some((name.to_string(), named.get(model)?.clone(), member.limits.clone())),
            _ => None,
        });
        self.0.extend(asks);
    }

    fn of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = (&'a str, &'a Limits)> {
        self.0.iter().filter(move |(_, asked, _)| asked == model).map(|(agent, _, limits)| (agent.as_str(), limits))
    }

    /// What is waited for `model`, and who says so.
    pub(super) fn times(&self, session: &Session, model: &str) -> String {
        let set = spec(session, model);
        let of = |wait: Wait, of_agent: fn(&Limits) -> u64, default: u64| match wait.of_model(&set) {
            Some(ms) => format!("{} ({} of {model} in callsheet.toml wins)", time_words(ms), wait.key()),
            None => by_agent(self.of(model).map(|(agent, limits)| (agent, of_agent(limits))), default),
        };
        let call = of(Wait::Call, |limits| limits.call_timeout_ms, CALL_TIMEOUT_MS);
        let idle = of(Wait::Idle, |limits| limits.idle_timeout_ms.unwrap_or(IDLE_TIMEOUT_MS), IDLE_TIMEOUT_MS);
        format!("a call may take {call}; a reply may be silent for {idle}")
    }

    /// Whose replies may not come in time at this speed, a sentence each.
    pub(super) fn slow(&self, session: &Session, model: &str, speed: Option<Speed>) -> BTreeSet<String> {
        let (Some(speed), set) = (speed, spec(session, model)) else { return BTreeSet::new() };
        let provider = provider_and_name(model).map_or("NAME", |(provider, _)| provider);
        let slow = |(agent, limits): (&str, &Limits)| {
            let call_ms = Patience::of(Some(limits), Some(&set)).call_ms;
            speed.too_slow(agent, limits.output_tokens, call_ms, provider)
        };
        self.of(model).filter_map(slow).collect()
    }
}

/// What callsheet.toml says of `model`.
fn spec(session: &Session, model: &str) -> ModelSpec {
    let asking = session.settings.models.asking(model);
    let (call_timeout_ms, idle_timeout_ms) = (asking.call_timeout_ms, asking.idle_timeout_ms);
    ModelSpec { model: model.to_owned(), call_timeout_ms, idle_timeout_ms, ..ModelSpec::default() }
}

/// The times of agents: one, or each with whose it is.
fn by_agent<'a>(times: impl Iterator<Item = (&'a str, u64)>, default: u64) -> String {
    let mut whose: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for (agent, ms) in times {
        whose.entry(ms).or_default().insert(agent);
    }
    let mut words: Vec<String> = whose
        .iter()
        .map(|(ms, agents)| format!("{} ({})", time_words(*ms), agents.iter().copied().collect::<Vec<_>>().join(", ")))
        .collect();
    if whose.len() < 2 {
        words = Vec::from([time_words(whose.keys().next().copied().unwrap_or(default))]);
    }
    format!("{} by the limits of agents", words.join(", "))
}

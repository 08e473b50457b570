//! A person's answer against what is asked of them: its outcome, what it writes and what it does not, each version of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::examiner::{Examiner, PROBLEMS_MAX, Verdict};
use crate::id::{AgentName, ArtefactName, Outcome};
use crate::run::state::Wants;
use crate::tool::Sight;
use crate::topology::plan::{ANSWER, Plan, Role};

/// The outcomes that `agent` chooses among in an answer.
pub fn outcomes(plan: &Plan, agent: &AgentName, wants: Wants) -> Vec<Outcome> {
    match plan.team.get(agent).map(|member| &member.role) {
        Some(Role::Person(_)) if wants == Wants::Sentence => vec![Outcome::fixed(ANSWER)],
        Some(Role::Person(person)) => person.outcomes.clone(),
        _ => Vec::new(),
    }
}

/// What is against an answer of `agent`, a sentence each, and what was found of each version; `sight` is what they were shown.
pub fn examine(
    (plan, examiner): (&Plan, &Examiner),
    (agent, wants): (&AgentName, Wants),
    outcome: &Outcome,
    writes: &BTreeMap<ArtefactName, Value>,
    sight: &Sight<'_>,
) -> (Vec<String>, BTreeMap<ArtefactName, Verdict>) {
    let mut problems = Vec::new();
    let declared = outcomes(plan, agent, wants);
    if !declared.contains(outcome) {
        let words: Vec<&str> = declared.iter().map(Outcome::as_str).collect();
        problems.push(format!("the outcome {outcome} is not one of {}", words.join(", ")));
    }
    let written: Vec<_> = writes.keys().collect();
    let misfit = plan.misfit(agent, outcome, wants == Wants::Sentence, &written);
    problems.extend(misfit.missing.iter().map(|name| format!("{name} is not written")));
    problems.extend(misfit.foreign.iter().map(|name| format!("{agent} does not write {name}")));
    let mut verdicts = BTreeMap::new();
    for (artefact, body) in writes.iter().filter(|(name, _)| !misfit.foreign.contains(name)) {
        let mut others = sight.desk.clone();
        others.extend(writes.iter().map(|(name, body)| (name.clone(), body.clone())));
        others.remove(artefact);
        let verdict = examiner.examine(artefact, body, &Sight { desk: &others, ..*sight });
        problems.extend(verdict.problems.iter().cloned());
        verdicts.insert(artefact.clone(), verdict);
    }
    problems.truncate(PROBLEMS_MAX);
    (problems, verdicts)
}

//! How the worst case is counted: turns by the handoffs, what a turn takes by its member's kind, and branches together.
//! What a model reads has no bound of its own, so its tokens are bounded by limits, and money by what tokens cost.

use std::collections::{BTreeMap, BTreeSet};

use super::count::{self, Turns};
use super::graph::{Graph, Node};
use super::planned;
use crate::id::{AgentName, NanoUsd};
use crate::topology::bill::{Bill, Bound, By, Most};
use crate::topology::plan::{
    ANSWERS_REFUSED_MAX, Limits, MENDS_MAX, Member, POLICY_STRIKES_MAX, Plan, QUESTIONS_PER_TURN_MAX, Role,
};
use crate::topology::spec::Reach;

impl Bill {
    /// The most that a run of `plan` can come to.
    pub fn of(plan: &Plan) -> Self {
        let graph = planned::graph(plan);
        let reached = graph.distances(graph.start, |_| true);
        let at_once = count::between(&graph, &reached);
        let tokens = tokens(plan);
        let cost = cost(plan, tokens.most);
        let of = |turns: Option<&Turns>| {
            let counted = turns.map(|turns| counted(plan, &graph, turns, &reached));
            let steps = Bound::tightest(counted.map(|(steps, _)| steps), &[(By::Budget, plan.budget.steps)]);
            let approvals = Bound::tightest(counted.map(|(_, approvals)| approvals), &[]);
            Most { steps, tokens, cost_nano_usd: cost, approvals }
        };
        let whole = count::whole(&graph, &reached);
        Self { between_decisions: of(Some(&at_once)), whole_run: of(whole.as_ref()) }
    }
}

/// The steps and the approvals of so many turns.
fn counted(plan: &Plan, graph: &Graph, turns: &Turns, reached: &[Option<usize>]) -> (u64, u64) {
    let steps = count::together(graph, turns, |level| own(plan, graph, turns, level, &|name| steps(plan, name)));
    let approvals = count::together(graph, turns, |level| {
        let at = || graph.levels[level].nodes.iter().filter(|node| reached[**node].is_some());
        let is_answer = |node: &Node| matches!(plan.team[&node.name].role, Role::Person(_)) && !node.is_person();
        let answers = at().filter(|node| is_answer(&graph.nodes[**node])).map(|node| turns.most[*node]);
        // Where a stretch comes to a person who decides, it ends.
        let decides = || at().filter(|node| graph.nodes[**node].is_person());
        let decisions = decides().map(|node| turns.most[*node]).fold(0, u64::saturating_add);
        let decisions = decisions.min(turns.stretches[level]);
        let asked = own(plan, graph, turns, level, &|name| asked(plan, name));
        answers.fold(decisions.saturating_add(asked), u64::saturating_add)
    });
    (steps, approvals)
}

/// What the turns of a level come to by themselves, and those in which writers are asked for what can be prepared.
fn own(plan: &Plan, graph: &Graph, turns: &Turns, level: usize, of: &dyn Fn(&AgentName) -> u64) -> u64 {
    let nodes = || graph.levels[level].nodes.iter().map(|node| (&graph.nodes[*node], turns.most[*node]));
    let by_hand = nodes().map(|(node, most)| of(&node.name).saturating_mul(most)).fold(0, u64::saturating_add);
    let mended = |person: &AgentName| {
        // What binds no manifest is not prepared, and so never refused.
        let binds = matches!(&plan.team[person].role, Role::Person(person) if person.binds.is_some());
        if !binds {
            return 0;
        }
        let writers = plan.team.keys().filter(|writer| plan.may_mend(person, writer));
        writers.map(of).max().unwrap_or(0).saturating_mul(MENDS_MAX.into())
    };
    let persons = || nodes().filter(|(node, _)| node.is_person()).map(|(node, most)| (mended(&node.name), most));
    let mends = persons().map(|(once, most)| once.saturating_mul(most)).fold(0, u64::saturating_add);
    // A stretch ends with the one person that it comes to.
    let dearest = persons().map(|(once, _)| once).max().unwrap_or(0);
    by_hand.saturating_add(mends.min(dearest.saturating_mul(turns.stretches[level])))
}

/// The most steps of one turn, with those of the teammates that it asks.
fn steps(plan: &Plan, name: &AgentName) -> u64 {
    let Some(member) = plan.team.get(name) else { return 0 };
    let by_itself = match &member.role {
        Role::Person(_) | Role::Rule(_) => 0,
        Role::Tool { tool, .. } => u64::from(plan.tools.get(tool).is_some_and(|spec| spec.reach != Reach::ActsOut)),
        Role::Model { tools, .. } => replies(member, tools.is_empty()),
    };
    by_itself.saturating_add(by_teammates(member, |asked| steps(plan, asked)))
}

/// Replies and calls of a model's turn. Who can call nothing can only answer: each answer that is refused is asked again, and
/// a forbidden call begins that count anew until it ends the turn.
fn replies(member: &Member, calls_nothing: bool) -> u64 {
    let answers = u64::from((ANSWERS_REFUSED_MAX + 1) * (POLICY_STRIKES_MAX + 1));
    let limit = u64::from(member.limits.steps_per_turn);
    if calls_nothing && member.may_ask.is_empty() { limit.min(answers) } else { limit }
}

/// How often people are asked within one turn, by its member and by the teammates that it asks.
fn asked(plan: &Plan, name: &AgentName) -> u64 {
    let Some(member) = plan.team.get(name) else { return 0 };
    by_teammates(member, |asked| match plan.team.get(asked).map(|member| &member.role) {
        Some(Role::Person(_)) => 1,
        _ => self::asked(plan, asked),
    })
}

/// What the questions of one turn come to: nobody comes to wait for themselves, so this ends.
fn by_teammates(member: &Member, of: impl Fn(&AgentName) -> u64) -> u64 {
    let dearest = member.may_ask.iter().map(of).max().unwrap_or(0);
    dearest.saturating_mul(QUESTIONS_PER_TURN_MAX.into())
}

/// Models of the team, by the members that speak for them.
fn models(plan: &Plan) -> impl Iterator<Item = (&Member, &str)> {
    plan.team.values().filter_map(|member| match &member.role {
        Role::Model { model, .. } => Some((member, model.as_str())),
        _ => None,
    })
}

/// What all members' own limits come to, if each has one.
fn limits(plan: &Plan, of: impl Fn(&Limits) -> Option<u64>) -> Option<u64> {
    models(plan).try_fold(0_u64, |all, (member, _)| Some(all.saturating_add(of(&member.limits)?)))
}

/// A team of people, rules and tools takes no tokens.
fn without_models(plan: &Plan) -> Option<u64> {
    models(plan).next().is_none().then_some(0)
}

fn tokens(plan: &Plan) -> Bound {
    Bound::tightest(
        without_models(plan),
        &[(By::Budget, plan.budget.tokens), (By::Limits, limits(plan, |limits| limits.tokens))],
    )
}

fn cost(plan: &Plan, tokens: Option<u64>) -> Bound {
    let dearest = asked_models(plan).into_iter().filter_map(|alias| plan.models.get(alias)).map(|spec| {
        // Each call is rounded up by itself, so a token is.
        spec.most(1, 0).max(spec.most(0, 1))
    });
    let dearest = dearest.max().unwrap_or(NanoUsd(0)).0;
    let prices = if dearest == 0 { Some(0) } else { tokens.map(|tokens| tokens.saturating_mul(dearest)) };
    let own = limits(plan, |limits| limits.cost.map(|cost| cost.0));
    let budget = plan.budget.cost.map(|cost| cost.0);
    Bound::tightest(without_models(plan), &[(By::Prices, prices), (By::Budget, budget), (By::Limits, own)])
}

/// The aliases of all models that can be asked, those included that are asked in the place of others.
fn asked_models(plan: &Plan) -> BTreeSet<&str> {
    let fallbacks: BTreeMap<&str, &str> =
        plan.models.iter().filter_map(|(alias, spec)| Some((alias.as_str(), spec.fallback.as_deref()?))).collect();
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = models(plan).map(|(_, alias)| alias).collect();
    while let Some(alias) = next.pop() {
        if found.insert(alias) {
            next.extend(fallbacks.get(alias));
        }
    }
    found
}

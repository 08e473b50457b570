//! What holds of a checked topology, for people. How it was found is in `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::id::{AgentName, ArtefactName, ToolName, thousands};

use super::plan::{Budget, WhenSpent};

/// What holds on every way that a run of the topology can take.
///
/// Turns are counted between two decisions of a person: a decision resets all rounds but its own handoffs', so the rounds
/// bound what the team does by itself, and `limits` and the budget bound the whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Every outward tool on the team, and who approves what it delivers.
    pub gates: Vec<Gate>,
    /// Where the branches of splits meet; none is the end. Each of them is reached: nothing leaves a branch but to its join, no
    /// split reaches itself, and what stops in a branch waits for a person or is given up, which the join hears of.
    pub joins: BTreeSet<Option<AgentName>>,
    /// The most turns of each member between two decisions of a person, those in all branches together (an upper bound for
    /// large teams).
    pub turns: BTreeMap<AgentName, u64>,
    /// What a run may spend.
    pub budget: Budget,
}

/// An outward tool that is reached only with what a person approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The member.
    pub sender: AgentName,
    /// Its tool.
    pub tool: ToolName,
    /// What it delivers, and who approves each of that.
    pub approvals: BTreeMap<ArtefactName, Approval>,
}

/// Who approves an artefact before it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval {
    /// Those who approve it on every way.
    pub always: Vec<AgentName>,
    /// Those who approve it on some ways: if nobody does always, one of them does.
    pub sometimes: Vec<AgentName>,
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |names: &[AgentName], word: &str| names.iter().map(AgentName::as_str).collect::<Vec<_>>().join(word);
        match (self.always.is_empty(), self.sometimes.is_empty()) {
            (true, _) => f.write_str(&join(&self.sometimes, " or ")),
            (false, true) => f.write_str(&join(&self.always, " and ")),
            (false, false) => {
                write!(f, "{} (and on some ways {})", join(&self.always, " and "), join(&self.sometimes, ", "))
            }
        }
    }
}

impl Gate {
    /// What it delivers by who approves it, in words.
    fn told(&self) -> String {
        let mut by: BTreeMap<String, Vec<&ArtefactName>> = BTreeMap::new();
        for (artefact, approval) in &self.approvals {
            by.entry(approval.to_string()).or_default().push(artefact);
        }
        let told = by.iter().map(|(approvers, artefacts)| format!("{} approved by {approvers}", list(artefacts)));
        told.collect::<Vec<_>>().join(", and ")
    }
}

impl Proof {
    /// A proof of nothing but the budget yet.
    pub fn of(budget: &Budget) -> Self {
        Self { gates: vec![], joins: BTreeSet::new(), turns: BTreeMap::new(), budget: budget.clone() }
    }

    /// The most hops between two decisions of a person.
    pub fn hops(&self) -> u64 {
        self.turns.values().fold(0, |all, turns| all.saturating_add(*turns))
    }
}

/// A few lines, without a line end after the last.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for gate in &self.gates {
            writeln!(f, "gated: {} ({}) is reached only with {}", gate.sender, gate.tool, gate.told())?;
        }
        if self.gates.is_empty() {
            writeln!(f, "gated: nothing acts on the world")?;
        }
        if !self.joins.is_empty() {
            let joins = self.joins.iter().map(|join| join.as_ref().map_or("end", AgentName::as_str));
            let joins = joins.collect::<Vec<_>>().join(", ");
            writeln!(f, "joins: {joins}; none waits in vain, since nothing leaves a branch but to its join")?;
        }
        let turns: Vec<String> = self.turns.iter().map(|(name, most)| format!("{name} {most}")).collect();
        writeln!(f, "turns: between two decisions of a person at most {} ({})", self.hops(), turns.join(", "))?;
        let Budget { steps, tokens, cost, active_ms, recipients, when_spent } = &self.budget;
        let cost = cost.map_or_else(|| "unlimited cost".to_owned(), |cost| cost.to_string());
        let active = active_ms.map_or_else(|| "unlimited time".to_owned(), |ms| format!("{} active", span(ms)));
        let then = match when_spent {
            WhenSpent::Pause => "pauses",
            WhenSpent::Stop => "stops",
        };
        let count = |n: &Option<u64>, what: &str| {
            n.map_or_else(|| format!("unlimited {what}"), |n| format!("{} {what}", thousands(n)))
        };
        let (steps, tokens) = (count(steps, "steps"), count(tokens, "tokens"));
        let recipients = count(recipients, "recipients");
        write!(f, "budget: {steps}, {tokens}, {cost}, {active}, {recipients}; then it {then}")
    }
}

fn list<T: fmt::Display>(names: &[T]) -> String {
    names.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn span(ms: u64) -> String {
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= length && ms.is_multiple_of(length) {
            return format!("{}{unit}", ms / length);
        }
    }
    format!("{ms}ms")
}

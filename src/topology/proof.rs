//! What holds of a checked topology, for people. How it was found is in `check`.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::{AgentName, ArtefactName, ToolName};

use super::plan::{Budget, WhenSpent};

/// What holds on every way that a run of the topology can take.
///
/// Turns are counted between two decisions of a person: a decision resets all rounds but its own handoffs', so the rounds
/// bound what the team does by itself, and `limits` and the budget bound the whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Every outward tool on the team, and who approves what it delivers.
    pub gates: Vec<Gate>,
    /// The most turns of each member between two decisions of a person (an upper bound for large teams).
    pub turns: BTreeMap<AgentName, u32>,
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
    /// What it delivers.
    pub artefacts: Vec<ArtefactName>,
    /// Who approves some of that.
    pub approvers: Vec<AgentName>,
}

impl Proof {
    /// A proof of nothing but the budget yet.
    pub fn of(budget: &Budget) -> Self {
        Self { gates: vec![], turns: BTreeMap::new(), budget: budget.clone() }
    }

    /// The most hops between two decisions of a person.
    pub fn hops(&self) -> u64 {
        self.turns.values().copied().map(u64::from).sum()
    }
}

/// A few lines, without a line end after the last.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for gate in &self.gates {
            let (artefacts, approvers) = (list(&gate.artefacts), list(&gate.approvers));
            writeln!(
                f,
                "gated: {} ({}) is reached only with {artefacts} approved by {approvers}",
                gate.sender, gate.tool
            )?;
        }
        if self.gates.is_empty() {
            writeln!(f, "gated: nothing acts on the world")?;
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
        let count =
            |n: &Option<u64>, what: &str| n.map_or_else(|| format!("unlimited {what}"), |n| format!("{n} {what}"));
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

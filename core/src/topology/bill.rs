//! The most that a run can come to, for people. How it is counted is in `check`.

use std::fmt;

use serde::Serialize;

use crate::id::{NanoUsd, thousands};

/// The most that a run can come to.
///
/// Not counted is what people add by themselves: limits that somebody raises, dead letters that somebody tries again, and
/// the approvals that an edit asks for anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// From one decision of a person to the next, or from the start, or to the end.
    pub between_decisions: Most,
    /// From start to end.
    pub whole_run: Most,
}

/// The most of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Most {
    /// Calls of models and tools. However often one is tried, it is one step.
    pub steps: Bound,
    /// Tokens in and out, of attempts that failed and are paid, too.
    pub tokens: Bound,
    /// Billionths of a dollar.
    pub cost_nano_usd: Bound,
    /// How often people are asked: for a decision, for an answer, by a teammate.
    pub approvals: Bound,
}

/// The most of one thing, and what sees to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// None if nothing in the files bounds it.
    pub most: Option<u64>,
    /// What the handoffs allow, where they bound it at all: more than `most` if something else is tighter.
    pub by_handoffs: Option<u64>,
    /// What is tightest.
    pub by: By,
}

/// What bounds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Who hands on to whom, how often, and what a turn may take.
    Handoffs,
    /// The run's budget.
    Budget,
    /// The limits of its members.
    Limits,
    /// What so many tokens cost at most.
    Prices,
    /// Nothing.
    Nothing,
}

impl Bound {
    /// The tightest of what the handoffs allow and of other bounds.
    pub fn tightest(by_handoffs: Option<u64>, others: &[(By, Option<u64>)]) -> Self {
        let all = std::iter::once((By::Handoffs, by_handoffs)).chain(others.iter().copied());
        let least = all.filter_map(|(by, most)| Some((most?, by))).min_by_key(|(most, _)| *most);
        Self { most: least.map(|(most, _)| most), by_handoffs, by: least.map_or(By::Nothing, |(_, by)| by) }
    }
}

impl Bill {
    /// Whether nobody decides in a run, so that the whole of it lies between two decisions.
    fn is_one(&self) -> bool {
        self.between_decisions == self.whole_run
    }
}

/// One or two sentences, without a line end after the last.
impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_one() {
            writeln!(f, "bill: between two decisions of a person at most {}", self.between_decisions)?;
        }
        write!(f, "bill: in a whole run at most {}", self.whole_run)
    }
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, tokens, cost_nano_usd: cost, approvals } = self;
        let is_budget = [steps, tokens, cost].iter().all(|bound| bound.by == By::Budget);
        match (is_budget, steps.by_handoffs) {
            (true, Some(more)) => write!(f, "its budget (the handoffs alone allow {})", count(more, "step"))?,
            (true, None) => f.write_str("its budget")?,
            (false, _) => {
                let steps = steps.told("steps", |n| count(n, "step"));
                let tokens = tokens.told("tokens", |n| count(n, "token"));
                let cost = cost.told("money", |n| NanoUsd(n).to_string());
                write!(f, "{steps}, {tokens} and {cost}")?;
            }
        }
        f.write_str(match approvals.most {
            None => ", and people are asked as often as they send the work back",
            Some(0) => ", and nobody is asked",
            Some(1) => ", and a person is asked once",
            Some(times) => return write!(f, ", and people are asked {times} times"),
        })
    }
}

fn count(n: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(n), if n == 1 { "" } else { "s" })
}

impl Bound {
    fn told(&self, what: &str, amount: impl Fn(u64) -> String) -> String {
        let Some(most) = self.most else { return format!("{what} without a bound") };
        let why = match (self.by, self.by_handoffs) {
            (By::Budget, Some(more)) => format!(" (its budget; the handoffs allow {})", amount(more)),
            (By::Budget, None) => " (its budget)".to_owned(),
            (By::Limits, _) => " (its members' limits)".to_owned(),
            (By::Prices, _) if most == 0 => " (none of its models has a price)".to_owned(),
            (By::Prices, _) => " (what those tokens cost at most)".to_owned(),
            (By::Handoffs | By::Nothing, _) => String::new(),
        };
        format!("{}{why}", amount(most))
    }
}

//! Where in a run a message is: in which branch of which splits. A handoff that splits makes several messages of one, which
//! run side by side and meet at one join; a branch can split again.

use serde::{Deserialize, Serialize};

use crate::id::AgentName;

/// One split of a run. It has the same name however its branches' steps happened to fall between each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SplitId {
    /// The branch whose message was split; the run itself is the empty one.
    #[serde(default, skip_serializing_if = "Branch::is_root")]
    pub within: Branch,
    /// Who split it.
    pub from: AgentName,
    /// How many splits this member had made in that branch, this one included.
    pub nth: u32,
}

/// A branch of a split.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// Who split.
    pub from: AgentName,
    /// How many splits this member had made in the branch around it, this one included.
    pub nth: u32,
    /// Which of its branches, from 0.
    pub index: u32,
}

/// The branches that a message is in, the outermost first; none for what was never split.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Branch(pub Vec<Step>);

impl Branch {
    /// Whether it is none: the run itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The split that it is a branch of, and which of its branches.
    pub fn of(&self) -> Option<(SplitId, u32)> {
        let (last, before) = self.0.split_last()?;
        let within = Self(before.to_vec());
        Some((SplitId { within, from: last.from.clone(), nth: last.nth }, last.index))
    }

    /// Whether it is `other` or a branch within it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The branches around it, itself first, the run itself last.
    pub fn outwards(&self) -> impl Iterator<Item = Self> + '_ {
        (0..=self.0.len()).rev().map(|depth| Self(self.0[..depth].to_vec()))
    }
}

impl SplitId {
    /// Whether `branch` is one of its branches, or within one.
    pub fn holds(&self, branch: &Branch) -> bool {
        self.index_of(branch).is_some()
    }

    /// Which of its branches `branch` is, or is within.
    pub fn index_of(&self, branch: &Branch) -> Option<u32> {
        let step = branch.0.get(self.within.0.len())?;
        let is_of = step.nth == self.nth && step.from == self.from && branch.is_within(&self.within);
        is_of.then_some(step.index)
    }

    /// Its `index`-th branch.
    pub fn branch(&self, index: u32) -> Branch {
        let mut steps = self.within.0.clone();
        steps.push(Step { from: self.from.clone(), nth: self.nth, index });
        Branch(steps)
    }
}

/// As people read it: `planner.2` is the second branch of the planner's split, `planner.2/editor.1` the first within that,
/// `planner(2).1` the first branch when the planner splits for the second time.
impl std::fmt::Display for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            let slash = if depth > 0 { "/" } else { "" };
            match step.nth {
                1 => write!(f, "{slash}{}.{}", step.from, step.index + 1)?,
                nth => write!(f, "{slash}{}({nth}).{}", step.from, step.index + 1)?,
            }
        }
        Ok(())
    }
}

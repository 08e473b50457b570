//! Who said or did something, how, and what they decide.

use serde::{Deserialize, Serialize};

use crate::topology::whom::is_meant;

/// A person, as far as known when they acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Who {
    /// Their name.
    pub name: String,
    /// How it is known: `claimed`, `os_user`, `token`, `single-person project`.
    pub how: String,
    /// The groups that they were in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// True if the project declares its people, and they are none of them: what they say is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undeclared: bool,
    /// How they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Channel>,
}

/// How a person said something, or looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// On the page.
    Page,
    /// By a command.
    Command,
    /// By a program of theirs, over HTTP.
    Api,
}

impl Who {
    /// Whether they are `who`: a name, or `group:NAME` for everybody in a group.
    pub fn is(&self, who: &str) -> bool {
        is_meant(who, &self.name, &self.groups)
    }
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Exactly this, to exactly these.
    Approve,
    /// Another draft.
    RequestChanges,
    /// No.
    Reject,
}

impl Decision {
    /// The outcome that the person's turn ends with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::RequestChanges => "request_changes",
            Self::Reject => "reject",
        }
    }
}

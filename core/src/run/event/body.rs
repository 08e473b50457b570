//! A body as heads name it, and where its words come from.

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// A body by digest, with its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BodyRef {
    /// Over salt and bytes.
    pub digest: Digest,
    /// How many.
    pub bytes: u32,
}

/// Where words come from; shown on every message, version and mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Fixed text of a rehearsal.
    Scripted,
    /// A rehearsal's template over what tools returned, or a tool's own result.
    Computed,
    /// A tool's result over what a model wrote itself.
    Typed,
    /// A model.
    Model,
    /// A person.
    Person,
}

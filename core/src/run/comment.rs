//! A comment on a version, as far as a run branches on it: what it is on, and whether it stops approvals. What it says is a body.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ArtefactName, Digest};

/// A comment on a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// The version that it was made on, and all that was made of that since: another draft does not answer an objection.
    pub versions: BTreeSet<Digest>,
    /// Who made it.
    pub by: String,
    /// Whether it stops approvals while it is open.
    pub blocks: bool,
    /// How much was said in it.
    pub remarks: u32,
    /// The people whom a remark names, by its number from 1.
    pub named: BTreeMap<u32, Vec<String>>,
    /// Who settled it.
    pub resolved_by: Option<String>,
}

impl Comment {
    /// Whether nobody has settled it.
    pub fn is_open(&self) -> bool {
        self.resolved_by.is_none()
    }

    /// Whether it is on one of these versions.
    pub fn is_on(&self, mut versions: impl Iterator<Item = Digest>) -> bool {
        versions.any(|version| self.versions.contains(&version))
    }
}

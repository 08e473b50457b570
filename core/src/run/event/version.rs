//! A version of an artefact, and the lists in it that handoffs can split over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::body::{BodyRef, Origin};
use super::who::Who;
use crate::id::{AgentName, ArtefactName, Digest, MessageId};
use crate::topology::spec::Labels;

/// A version of an artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Version {
    /// Which artefact.
    pub artefact: ArtefactName,
    /// Its body; the digest is the version's name.
    pub body: BodyRef,
    /// The turn that made it.
    pub message: MessageId,
    /// Who made it.
    pub writer: AgentName,
    /// The person, if one edited it.
    pub person: Option<Who>,
    /// The version on the desk before.
    pub base: Option<Digest>,
    /// What it was made from.
    pub labels: Labels,
    /// Where its content comes from.
    pub origin: Origin,
    /// What the checks said: a list of findings, if any.
    pub findings: Option<BodyRef>,
    /// Its lists that a handoff can split over, by their place in it (`channels`).
    #[serde(default, skip_serializing_if = "Lists::is_empty")]
    pub lists: Lists,
}

/// The lists of a version that a handoff can split over, by their place in it.
pub type Lists = BTreeMap<String, Items>;

/// A list within a version, as far as a split over it branches on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Items {
    /// How many items.
    pub count: u32,
    /// Whose branch each one is, if the split says `by`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<AgentName>,
}

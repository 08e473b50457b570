//! What a message carries: by name, which versions of artefacts. Nothing on a desk is a copy; it points at versions, so that
//! an approval of a version holds wherever the version goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ArtefactName, Digest};

/// Artefacts by name.
pub type Desk = BTreeMap<ArtefactName, Held>;

/// What a desk has under a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Held {
    /// A version that somebody wrote.
    Version(Digest),
    /// Versions that the branches of a split wrote, in the order of the branches: an artefact with `of`.
    All(Vec<Digest>),
    /// One item of a list within a version: what the branch of an `each` split is about.
    Item {
        /// The version that the list is in.
        of: Digest,
        /// Where in it, as a JSON pointer.
        at: String,
    },
}

impl Held {
    /// The version, if it is one whole version.
    pub fn version(&self) -> Option<Digest> {
        match self {
            Self::Version(version) => Some(*version),
            Self::All(_) | Self::Item { .. } => None,
        }
    }

    /// Every version that it rests on.
    pub fn versions(&self) -> impl Iterator<Item = Digest> + '_ {
        match self {
            Self::Version(version) | Self::Item { of: version, .. } => std::slice::from_ref(version),
            Self::All(versions) => versions.as_slice(),
        }
        .iter()
        .copied()
    }

    /// Its value, from the bodies of its versions.
    ///
    /// # Errors
    /// Whatever `body` fails of.
    pub fn value<E>(&self, mut body: impl FnMut(Digest) -> Result<Value, E>) -> Result<Value, E> {
        match self {
            Self::Version(version) => body(*version),
            Self::All(versions) => {
                versions.iter().map(|version| body(*version)).collect::<Result<_, _>>().map(Value::Array)
            }
            // The list was examined when its version was written; an erased body has no items any more.
            Self::Item { of, at } => Ok(body(*of)?.pointer(at).cloned().unwrap_or(Value::Null)),
        }
    }
}

impl From<Digest> for Held {
    fn from(version: Digest) -> Self {
        Self::Version(version)
    }
}

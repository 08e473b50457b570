//! What a message carries: by name, which versions of artefacts. Nothing on a desk is a copy; it points at versions, so that
//! an approval of a version holds wherever the version goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{ArtefactName, Digest};
use crate::topology::plan::{Plan, Section};

/// Artefacts by name.
pub type Desk = BTreeMap<ArtefactName, Held>;

/// What a desk has under a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Held {
    /// A version that somebody wrote.
    Version(Digest),
    /// Versions that the branches of a split wrote, in the order of the branches: an artefact with `of`.
    All(Vec<Digest>),
    /// A whole, and sections of it that were written after it, or instead of it.
    Sections {
        /// The version of the whole, if somebody wrote one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whole: Option<Digest>,
        /// The newest version of each section, by the keys that lead to it, with dots between them.
        sections: BTreeMap<String, Digest>,
    },
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
            Self::All(_) | Self::Item { .. } | Self::Sections { .. } => None,
        }
    }

    /// Every version that it rests on.
    pub fn versions(&self) -> impl Iterator<Item = Digest> + '_ {
        let (listed, sections) = match self {
            Self::Version(version) | Self::Item { of: version, .. } => (std::slice::from_ref(version), None),
            Self::All(versions) => (versions.as_slice(), None),
            Self::Sections { whole, sections } => (whole.as_slice(), Some(sections)),
        };
        listed.iter().chain(sections.into_iter().flat_map(BTreeMap::values)).copied()
    }

    /// Every version that it rests on, by the artefact of which it is one; `name` is that which has it on the desk.
    pub fn named(&self, name: &ArtefactName) -> Vec<(ArtefactName, Digest)> {
        let Self::Sections { whole, sections } = self else {
            return self.versions().map(|version| (name.clone(), version)).collect();
        };
        let section = |(at, version): (&String, &Digest)| Some((Section::name(name, at)?, *version));
        whole.iter().map(|whole| (name.clone(), *whole)).chain(sections.iter().filter_map(section)).collect()
    }

    /// Its whole and its sections.
    fn apart(&self) -> (Option<Digest>, BTreeMap<String, Digest>) {
        match self {
            Self::Sections { whole, sections } => (*whole, sections.clone()),
            other => (other.version(), BTreeMap::new()),
        }
    }

    /// It as it is at a join: it came of `before` in one branch, and `beside` came of that in others. Sections that it did
    /// not write anew are what the others have.
    #[must_use]
    pub fn beside(&self, before: Option<&Self>, beside: &Self) -> Self {
        let (of_before, known) = before.map(Self::apart).unwrap_or_default();
        match self {
            Self::Sections { whole, sections } if *whole == of_before => {
                let (whole, mut joined) = beside.apart();
                let new = sections.iter().filter(|(at, version)| known.get(*at) != Some(*version));
                joined.extend(new.map(|(at, version)| (at.clone(), *version)));
                Self::Sections { whole, sections: joined }
            }
            other => other.clone(),
        }
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
            Self::Sections { whole, sections } => {
                let mut joined = whole.map_or_else(|| Ok(Value::Object(Map::new())), &mut body)?;
                for (at, version) in sections {
                    put_section(&mut joined, at, body(*version)?);
                }
                Ok(joined)
            }
            // The list was examined when its version was written; an erased body has no items any more.
            Self::Item { of, at } => Ok(body(*of)?.pointer(at).cloned().unwrap_or(Value::Null)),
        }
    }
}

/// Puts a section into a whole, in the place of what was there.
pub fn put_section(whole: &mut Value, at: &str, section: Value) {
    let mut place = whole;
    for key in at.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[key];
    }
    *place = section;
}

/// Puts a version of `artefact` on a desk, and gives what was there before. A section takes the place of that section
/// alone; a whole takes the place of all of them.
pub fn put(plan: &Plan, desk: &mut Desk, artefact: &ArtefactName, version: Digest) -> Option<Held> {
    let Some(section) = plan.section(artefact) else { return desk.insert(artefact.clone(), version.into()) };
    let before = desk.get(&section.of).cloned();
    let (whole, mut sections) = before.as_ref().map(Held::apart).unwrap_or_default();
    sections.insert(section.at.clone(), version);
    desk.insert(section.of.clone(), Held::Sections { whole, sections });
    before
}

/// The version of `artefact` on a desk: of a section the one that was written last.
pub fn newest(plan: &Plan, desk: &Desk, artefact: &ArtefactName) -> Option<Digest> {
    match plan.section(artefact) {
        None => desk.get(artefact)?.version(),
        Some(section) => desk.get(&section.of)?.apart().1.remove(&section.at),
    }
}

impl From<Digest> for Held {
    fn from(version: Digest) -> Self {
        Self::Version(version)
    }
}

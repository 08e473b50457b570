//! How `[tools.NAME]` of a kind becomes tools, and what these stand on.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::embedder::{self, Embedder};
use super::part::Error;
use super::part::args::permanent;
use super::{Tool, Tools};
use crate::failure::Failure;

/// What a table of a kind says, and how it becomes tools.
pub trait Open: DeserializeOwned + JsonSchema {
    /// What stands after `kind =`.
    const KIND: &'static str;

    /// The tools of `[tools.name]`. Looks at no server: a tool opens what it needs when it is first used.
    ///
    /// # Errors
    /// If the table contradicts itself.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error>;
}

/// What tools stand on.
pub struct Ground<'g> {
    /// The project's folder.
    pub root: &'g Path,
    /// The folder that sinks keep their records in.
    pub records: &'g Path,
    /// The time zone of the project's days, such as `Europe/Berlin`.
    pub zone: &'g str,
    /// The tools that are open so far.
    pub tools: &'g Tools,
    /// What the environment holds.
    pub secrets: Secrets,
    /// The models that make vectors.
    pub embedder: Arc<dyn Embedder>,
}

impl<'g> Ground<'g> {
    /// A folder that keeps the records as well, in the zone of the world, and no models.
    pub fn at(root: &'g Path, tools: &'g Tools, secrets: Secrets) -> Self {
        Self { root, records: root, zone: "UTC", tools, secrets, embedder: embedder::none() }
    }
}

/// What the environment holds under the names that a table says: read when it is needed, and never shown.
#[derive(Clone)]
pub struct Secrets(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Secrets {
    /// Those that `of` knows.
    pub fn new(of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    /// None at all.
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// What stands under `name`, if anything does.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// What stands under `variable`, which a call cannot do without.
    ///
    /// # Errors
    /// It is not set, or empty.
    pub fn needed(&self, variable: &str) -> Result<String, Failure> {
        self.usable(variable).ok_or_else(|| permanent(format!("it needs {variable}: set that variable")))
    }

    /// Those of these variables that are not set, or empty.
    pub fn unset<'v>(&self, variables: impl IntoIterator<Item = &'v String>) -> Vec<String> {
        variables.into_iter().filter(|variable| self.usable(variable).is_none()).cloned().collect()
    }

    fn usable(&self, variable: &str) -> Option<String> {
        self.get(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

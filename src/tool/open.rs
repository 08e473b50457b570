//! How `[tools.NAME]` of a kind becomes tools, and what these stand on.

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::part::Error;
use super::{Tool, Tools};

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
    /// The tools that are open so far.
    pub tools: &'g Tools,
}

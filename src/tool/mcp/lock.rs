//! What a person has accepted of an MCP server: the list of its tools, as `callsheet.lock` keeps it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list::List;
use crate::id::Digest;
use crate::tool::part::lock::{self, Of};

pub use crate::tool::part::lock::LOCK_FILE;

/// What was accepted of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The command or the address that the list came from.
    pub from: String,
    /// What the server calls itself.
    pub server: String,
    /// Its tools.
    pub list: List,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    from: String,
    server: String,
    digest: Digest,
    tools: Vec<Value>,
}

/// What was accepted of the server `name` in the project at `root`, if anything was.
///
/// # Errors
/// A clause, for people: the file cannot be read, or was changed by hand.
pub(super) fn accepted(root: &Path, name: &str) -> Result<Option<Accepted>, String> {
    let Some(entry) = lock::entry::<Entry>(root, Of::Mcp, name)? else { return Ok(None) };
    let list = List::read(entry.tools)?;
    if list.digest() != entry.digest {
        return Err(format!("{LOCK_FILE} was changed by hand: its tools of {name} are not those of its digest"));
    }
    Ok(Some(Accepted { from: entry.from, server: entry.server, list }))
}

/// Writes down that `now` is accepted of the server `name`.
///
/// # Errors
/// A clause, for people.
pub fn accept(root: &Path, name: &str, now: &Accepted) -> Result<(), String> {
    let tools = now.list.tools().cloned().collect();
    let entry = Entry { from: now.from.clone(), server: now.server.clone(), digest: now.list.digest(), tools };
    lock::put(root, Of::Mcp, name, &entry)
}

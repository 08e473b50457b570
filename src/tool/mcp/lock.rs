//! `callsheet.lock`: which list of tools of each MCP server a person has accepted. `check` reads it and asks no server.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list::List;
use crate::file;
use crate::id::Digest;

/// The file's name, beside `callsheet.toml`.
pub const LOCK_FILE: &str = "callsheet.lock";
/// The form of the file.
const VERSION: u32 = 1;
/// Largest file that is read.
const BYTES_MAX: u64 = 16 << 20;

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
struct Lock {
    version: u32,
    mcp: BTreeMap<String, Entry>,
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
    let Some(entry) = read(root)?.mcp.remove(name) else { return Ok(None) };
    let list = List::read(entry.tools)?;
    if list.digest() != entry.digest {
        return Err(format!("{LOCK_FILE} was changed by hand: its tools of {name} are not those of its digest"));
    }
    Ok(Some(Accepted { from: entry.from, server: entry.server, list }))
}

/// Writes down that `now` is accepted of the server `name`: the whole file, then in place of the one before.
///
/// # Errors
/// A clause, for people.
pub fn accept(root: &Path, name: &str, now: &Accepted) -> Result<(), String> {
    let mut lock = read(root)?;
    let tools = now.list.tools().cloned().collect();
    let entry = Entry { from: now.from.clone(), server: now.server.clone(), digest: now.list.digest(), tools };
    lock.mcp.insert(name.to_owned(), entry);
    let text = serde_json::to_string_pretty(&lock).map_err(|why| why.to_string())? + "\n";
    let (path, fresh) = (root.join(LOCK_FILE), root.join(format!("{LOCK_FILE}.new")));
    let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &path));
    written.map_err(|why| format!("{LOCK_FILE} cannot be written: {}", file::words(&why)))
}

fn read(root: &Path) -> Result<Lock, String> {
    let text = match file::text(&root.join(LOCK_FILE), BYTES_MAX) {
        Ok(text) => text,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Ok(Lock { version: VERSION, mcp: BTreeMap::new() });
        }
        Err(why) => return Err(format!("{LOCK_FILE} cannot be read: {}", file::words(&why))),
    };
    let lock: Lock =
        serde_json::from_str(&text).map_err(|why| format!("{LOCK_FILE} is not as it was written: {why}"))?;
    if lock.version != VERSION {
        return Err(format!("{LOCK_FILE} is of version {}, and this callsheet knows version {VERSION}", lock.version));
    }
    Ok(lock)
}

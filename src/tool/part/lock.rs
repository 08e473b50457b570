//! `callsheet.lock`: what a person has accepted of each server, so that `check` asks none. What an entry says, its kind knows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file;

/// The file's name, beside `callsheet.toml`.
pub const LOCK_FILE: &str = "callsheet.lock";
/// The form of the file.
const VERSION: u32 = 1;
/// Largest file that is read.
const BYTES_MAX: u64 = 16 << 20;

/// Which entries are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Those of MCP servers.
    Mcp,
    /// Those of PostgreSQL databases.
    Postgres,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    version: u32,
    #[serde(default)]
    mcp: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    postgres: BTreeMap<String, Value>,
}

impl Lock {
    fn entries(&mut self, of: Of) -> &mut BTreeMap<String, Value> {
        match of {
            Of::Mcp => &mut self.mcp,
            Of::Postgres => &mut self.postgres,
        }
    }
}

/// What the project at `root` says of `name`, if it says anything.
///
/// # Errors
/// A clause, for people: the file cannot be read, or was changed by hand.
pub fn entry<T: DeserializeOwned>(root: &Path, of: Of, name: &str) -> Result<Option<T>, String> {
    let entry = read(root)?.entries(of).remove(name);
    entry.map(serde_json::from_value).transpose().map_err(|why| unlike(&why))
}

/// Writes down what is accepted of `name`: the whole file, then in place of the one before.
///
/// # Errors
/// A clause, for people.
pub fn put(root: &Path, of: Of, name: &str, entry: &impl Serialize) -> Result<(), String> {
    let mut lock = read(root)?;
    let entry = serde_json::to_value(entry).map_err(|why| why.to_string())?;
    lock.entries(of).insert(name.to_owned(), entry);
    let text = serde_json::to_string_pretty(&lock).map_err(|why| why.to_string())? + "\n";
    let (path, fresh) = (root.join(LOCK_FILE), root.join(format!("{LOCK_FILE}.new")));
    let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &path));
    written.map_err(|why| format!("{LOCK_FILE} cannot be written: {}", file::words(&why)))
}

fn read(root: &Path) -> Result<Lock, String> {
    let text = match file::text(&root.join(LOCK_FILE), BYTES_MAX) {
        Ok(text) => text,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Ok(Lock { version: VERSION, mcp: BTreeMap::new(), postgres: BTreeMap::new() });
        }
        Err(why) => return Err(format!("{LOCK_FILE} cannot be read: {}", file::words(&why))),
    };
    let lock: Lock = serde_json::from_str(&text).map_err(|why| unlike(&why))?;
    if lock.version != VERSION {
        return Err(format!("{LOCK_FILE} is of version {}, and this callsheet knows version {VERSION}", lock.version));
    }
    Ok(lock)
}

fn unlike(why: &serde_json::Error) -> String {
    format!("{LOCK_FILE} is not as it was written: {why}")
}

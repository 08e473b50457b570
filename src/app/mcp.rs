//! The MCP servers of a project, as people look at them and accept their tools.

use std::collections::BTreeMap;

use serde::Deserialize as _;

use super::connect;
use crate::config::Settings;
use crate::tool::Tools;
use crate::tool::mcp::{self, Config};
use crate::tool::open::{Ground, Open as _};
use crate::topology::shape;

pub use crate::tool::mcp::{LOCK_FILE, List, Seen, Server};

/// The servers by the names of their tables, and what is wrong with a table that says none.
pub fn servers(settings: &Settings) -> BTreeMap<String, Result<Server, String>> {
    let tables = settings.tools.iter().filter(|(_, table)| table.kind.value == Config::KIND);
    tables.map(|(name, table)| (name.clone(), server(settings, name, &table.table))).collect()
}

fn server(settings: &Settings, name: &str, table: &crate::topology::raw::Tree) -> Result<Server, String> {
    let tools = Tools::new();
    let secrets = connect::secrets(settings);
    let ground = Ground { root: &settings.root, records: &settings.root, tools: &tools, secrets };
    let schema = crate::tool::kind::KINDS.iter().find(|kind| kind.word == Config::KIND).map(|kind| kind.schema());
    if let Some(fault) = schema.and_then(|schema| shape::faults(table, &schema).into_iter().next()) {
        return Err(fault.what);
    }
    let config = Config::deserialize(&table.value).map_err(|why| why.to_string())?;
    Server::new(&config, name, &ground).map_err(|why| why.what)
}

/// Writes down that the tools of the server `name` are accepted as they were `seen`.
///
/// # Errors
/// Why that cannot be written, for people.
pub fn accept(settings: &Settings, name: &str, seen: &Seen) -> Result<(), String> {
    mcp::accept(&settings.root, name, seen)
}

//! The MCP servers of a project, as people look at them and accept their tools.

use std::collections::BTreeMap;

use super::connect;
use crate::config::Settings;
use crate::tool::Tools;
use crate::tool::mcp::{self, Config};
use crate::tool::open::{Ground, Open as _};

pub use crate::tool::mcp::{Given, Hints, LOCK_FILE, List, Seen, Server, Shelf};

/// The servers by the names of their tables, and what is wrong with a table that says none.
pub fn servers(settings: &Settings) -> BTreeMap<String, Result<Server, String>> {
    let tables = settings.tools.iter().filter(|(_, table)| table.kind.value == Config::KIND);
    tables.map(|(name, table)| (name.clone(), server(settings, name, &table.table))).collect()
}

fn server(settings: &Settings, name: &str, table: &crate::topology::raw::Tree) -> Result<Server, String> {
    let tools = Tools::new();
    let secrets = connect::secrets(settings);
    let ground = Ground { zone: &settings.timezone, ..Ground::at(&settings.root, &tools, secrets) };
    let config: Config = connect::config(table)?;
    Server::new(&config, name, &ground).map_err(|why| why.what)
}

/// Writes down that the tools of the server `name` are accepted as they were `seen`.
///
/// # Errors
/// Why that cannot be written, for people.
pub fn accept(settings: &Settings, name: &str, seen: &Seen) -> Result<(), String> {
    mcp::accept(&settings.root, name, seen)
}

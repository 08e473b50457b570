//! The data of a project, as people look at it: files as they would be declared, and databases, of which they accept what
//! these hold.

use std::path::Path;

use serde_json::Value;

use super::connect;
use crate::config::Settings;
use crate::tool::Tools;
use crate::tool::open::{Ground, Open as _};
use crate::tool::postgres::{self, Config};
use crate::tool::sql;
use crate::topology::fault::nearest;

pub use crate::tool::part::lock::LOCK_FILE;
pub use crate::tool::part::record::sha256;
pub use crate::tool::postgres::{Accepted, Looked, Postgres, Table};
pub use crate::tool::sql::{Guess, Seen, is_parquet};

/// The database of `[tools.name]`.
///
/// # Errors
/// A sentence, for people: there is none, or its table is wrong.
pub fn database(settings: &Settings, name: &str) -> Result<Postgres, String> {
    let tables = || settings.tools.iter().filter(|(_, table)| table.kind.value == Config::KIND);
    let Some((_, table)) = tables().find(|(known, _)| known.as_str() == name) else {
        let known: Vec<&str> = tables().map(|(name, _)| name.as_str()).collect();
        let meant = nearest(name, known.iter().copied()).map(|name| format!("; did you mean {name}?"));
        let meant = meant.unwrap_or_default();
        let there = match known.is_empty() {
            true => "no [tools.NAME] has that kind; to look at a file, write its path".to_owned(),
            false => format!("there are: {}", known.join(", ")),
        };
        return Err(format!("there is no [tools.{name}] with kind = \"postgres\"{meant}\n{there}"));
    };
    let (tools, secrets) = (Tools::new(), connect::secrets(settings));
    let ground = Ground { zone: &settings.timezone, ..Ground::at(&settings.root, &tools, secrets) };
    let config: Config = connect::config(&table.table).map_err(|why| format!("[tools.{name}]: {why}"))?;
    Postgres::new(config, name, &ground).map_err(|why| why.to_string())
}

/// How the CSV or Parquet file at `path` is written, called `shown` in what is told.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn guess(path: &Path, shown: &str) -> Result<Guess, String> {
    sql::guess(path, shown)
}

/// A whole CSV or Parquet file, called `shown` in what is told: how it is written, and its rows as JSON.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn whole(bytes: Vec<u8>, is_parquet: bool, shown: &str) -> Result<(Guess, Vec<Vec<Value>>), String> {
    sql::whole(bytes, is_parquet, shown)
}

/// Writes down that what the database `name` holds is accepted as it was `seen`.
///
/// # Errors
/// Why that cannot be written, for people.
pub fn accept(settings: &Settings, name: &str, seen: &Accepted) -> Result<(), String> {
    postgres::accept(&settings.root, name, seen)
}

//! What people set for a connection: its data, its queries, its limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::part::duration::Milliseconds;
use super::asked::Offer;
use super::hide::Hide;
use super::query::Query;
use super::table::Table;
use crate::topology::spec::Labels;

/// What `[tools.NAME]` says for `kind = "sql"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Tables read from CSV files: table name -> path below the project, or a table that says how the file is written.
    #[serde(default)]
    pub csv: BTreeMap<String, Table>,
    /// Tables read from Parquet files: table name -> path below the project.
    #[serde(default)]
    pub parquet: BTreeMap<String, String>,
    /// A SQLite file below the project, instead of `csv` and `parquet`.
    pub sqlite: Option<String>,
    /// What the data is: `private`, `untrusted`.
    #[serde(default)]
    pub labels: Labels,
    /// Most rows of a result; more is an error.
    #[serde(default = "rows_max")]
    pub rows_max: u64,
    /// Most bytes of a result; more is an error.
    #[serde(default = "bytes_max")]
    pub bytes_max: u64,
    /// Longest time of a query.
    #[serde(default = "timeout")]
    pub timeout: Milliseconds,
    /// Named queries.
    #[serde(default)]
    pub queries: BTreeMap<String, Query>,
    /// Whether SQL text may be given instead of a query's name.
    #[serde(default)]
    pub free_sql: bool,
    /// Columns that SQL text reaches in no way and that nobody who writes it is shown: `table.column`, or `column` of every
    /// table. Named queries may use them.
    #[serde(default)]
    pub hide: Vec<Hide>,
}

impl Config {
    /// The names of the tables that are read from files.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.csv.keys().chain(self.parquet.keys()).map(String::as_str)
    }

    /// What can be asked.
    pub(super) fn offer(&self) -> Offer<'_> {
        Offer { queries: &self.queries, free_sql: self.free_sql }
    }
}

fn rows_max() -> u64 {
    10_000
}

fn bytes_max() -> u64 {
    4 << 20
}

fn timeout() -> Milliseconds {
    Milliseconds(5_000)
}

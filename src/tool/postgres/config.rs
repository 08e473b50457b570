//! What people set for a database: where it is, what is read of it, its queries, its limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::tool::part::duration::Milliseconds;
use crate::tool::sql::asked::Offer;
use crate::tool::sql::{Hide, Query};
use crate::topology::spec::Labels;

/// What `[tools.NAME]` says for `kind = "postgres"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The variable of the address, with the role and its password: `postgresql://role:password@host/database`.
    pub url_env: String,
    /// The schemas whose tables are read, in the order in which a name is looked up.
    #[serde(default = "schemas")]
    pub schemas: Vec<String>,
    /// Whether the address of another machine may be spoken to in the clear.
    #[serde(default)]
    pub allow_plain: bool,
    /// What the data is; `untrusted` unless it says otherwise.
    #[serde(default = "labels")]
    pub labels: Labels,
    /// Most rows of a result; more is an error.
    #[serde(default = "rows_max")]
    pub rows_max: u32,
    /// Most bytes of a result; more is an error.
    #[serde(default = "bytes_max")]
    pub bytes_max: u32,
    /// Longest time of a query.
    #[serde(default = "timeout")]
    pub timeout: Milliseconds,
    /// Named queries.
    #[serde(default)]
    pub queries: BTreeMap<String, Query>,
    /// Whether SQL text may be given instead of a query's name.
    #[serde(default)]
    pub free_sql: bool,
    /// Columns that SQL text reaches in no way and that nobody is shown: `table.column`, or `column` of every table. Named
    /// queries may use them.
    #[serde(default)]
    pub hide: Vec<Hide>,
}

impl Config {
    /// What can be asked.
    pub(super) fn offer(&self) -> Offer<'_> {
        Offer { queries: &self.queries, free_sql: self.free_sql }
    }
}

fn schemas() -> Vec<String> {
    vec!["public".to_owned()]
}

fn labels() -> Labels {
    Labels { untrusted: true, private: false }
}

fn rows_max() -> u32 {
    10_000
}

fn bytes_max() -> u32 {
    4 << 20
}

fn timeout() -> Milliseconds {
    Milliseconds(5_000)
}

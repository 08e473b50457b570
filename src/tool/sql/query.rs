//! A named query, as the file says it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::topology::plan::ParamKind;

/// A named query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// One SELECT statement, with `:name` for each argument.
    pub sql: String,
    /// What it answers.
    pub description: String,
    /// Its arguments and their types.
    #[serde(default)]
    pub args: BTreeMap<String, ParamKind>,
}

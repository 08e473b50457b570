//! Columns that SQL text does not reach.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A column of one table, or of every table that has one of that name. Letters are compared as engines do, whatever their
/// case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hide {
    table: Option<String>,
    column: String,
}

impl Hide {
    /// Whether it is about this column.
    pub(in crate::tool) fn is(&self, table: &str, column: &str) -> bool {
        self.table.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(table))
            && self.column.eq_ignore_ascii_case(column)
    }
}

impl FromStr for Hide {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, column) = text.split_once('.').map_or((None, text), |(table, column)| (Some(table), column));
        if column.is_empty() || table.is_some_and(str::is_empty) {
            return Err(format!("{text:?} names no column: write \"table.column\", or \"column\""));
        }
        Ok(Self { table: table.map(str::to_owned), column: column.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Hide {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Hide {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hide".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1 })
    }
}

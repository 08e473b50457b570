//! What `callsheet.toml` says of one CSV file: how it is written, and what its columns are. Reads no file.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A CSV file as a table: its path alone, or with what the file does not say of itself.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(with = "Written")]
pub struct Table {
    /// Below the project.
    pub path: String,
    /// How the file is written.
    pub(super) form: Form,
    /// What each column is, by name; the others are told by their cells.
    pub(super) columns: BTreeMap<String, Column>,
}

/// How a file is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub(super) delimiter: Option<char>,
    pub(super) encoding: Encoding,
    pub(super) skip: usize,
    pub(super) decimal: Option<char>,
    pub(super) thousands: Option<char>,
    pub(super) empty: Vec<String>,
    pub(super) leave_out: Option<Vec<String>>,
}

/// How the bytes of a file are letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Encoding {
    /// The default.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As spreadsheets write "Unicode text".
    #[serde(rename = "utf-16")]
    Utf16,
    /// As older programs of Western Europe write.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// What a column is.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "ColumnWritten")]
pub(super) struct Column {
    pub(super) kind: ColumnKind,
    pub(super) unit: Option<String>,
    pub(super) format: Option<String>,
}

/// The types of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ColumnKind {
    /// As it stands in the file.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A number before a percent sign: 9.90% is 9.9.
    Percent,
    /// true, false, yes, no, 1 or 0: becomes 1 or 0.
    Boolean,
    /// A day in `format`, which becomes 2026-07-01.
    Date,
    /// A day and a time in `format`, which become 2026-07-01T10:00:00.
    Datetime,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Full {
    path: String,
    delimiter: Option<String>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    skip: usize,
    decimal: Option<String>,
    thousands: Option<String>,
    #[serde(default)]
    empty: Vec<String>,
    leave_out: Option<Vec<String>>,
    #[serde(default)]
    columns: BTreeMap<String, Column>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "its schema is that of a table as people write it")]
enum Written {
    Path(String),
    Full(Full),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ColumnFull {
    #[serde(rename = "type")]
    kind: ColumnKind,
    unit: Option<String>,
    format: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "its schema is that of a column as people write it")]
enum ColumnWritten {
    Kind(ColumnKind),
    Full(ColumnFull),
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Table;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a CSV file, or a table with path = \"...\"")
            }
            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Table, E> {
                Ok(Table { path: path.to_owned(), ..Table::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table, A::Error> {
                let full = Full::deserialize(MapAccessDeserializer::new(map))?;
                table(full).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Column;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's type, or a table with type = \"...\"")
            }
            fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<Column, E> {
                let kind = ColumnKind::deserialize(serde::de::value::StrDeserializer::new(kind))?;
                column(ColumnFull { kind, unit: None, format: None }).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Column, A::Error> {
                let full = ColumnFull::deserialize(MapAccessDeserializer::new(map))?;
                column(full).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

fn table(full: Full) -> Result<Table, String> {
    let decimal = one_of("decimal", full.decimal.as_deref(), &['.', ','])?;
    let thousands = one_of("thousands", full.thousands.as_deref(), &['.', ',', ' ', '\''])?;
    if thousands.is_some() && thousands == decimal.or(Some('.')) {
        let instead = match thousands {
            Some('.') => "write decimal = \",\" with thousands = \".\"",
            _ => "write decimal = \".\" with thousands = \",\", or the other way round",
        };
        return Err(format!("decimal and thousands are the same, so a number could be read in two ways: {instead}"));
    }
    let delimiter = one_of("delimiter", full.delimiter.as_deref(), &[',', ';', '\t', '|'])?;
    let form = Form {
        delimiter,
        encoding: full.encoding,
        skip: full.skip,
        decimal,
        thousands,
        empty: full.empty,
        leave_out: full.leave_out,
    };
    Ok(Table { path: full.path, form, columns: full.columns })
}

fn column(full: ColumnFull) -> Result<Column, String> {
    let dated = matches!(full.kind, ColumnKind::Date | ColumnKind::Datetime);
    if dated && full.format.is_none() {
        return Err("a date needs its format: { type = \"date\", format = \"%d.%m.%Y\" }".to_owned());
    }
    if !dated && full.format.is_some() {
        return Err("format is for type = \"date\" and \"datetime\"".to_owned());
    }
    if full.unit.is_some() && !matches!(full.kind, ColumnKind::Integer | ColumnKind::Number) {
        return Err("unit is for type = \"number\" and \"integer\"".to_owned());
    }
    Ok(Column { kind: full.kind, unit: full.unit, format: full.format })
}

fn one_of(key: &str, given: Option<&str>, known: &[char]) -> Result<Option<char>, String> {
    let Some(given) = given else { return Ok(None) };
    let mut letters = given.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if known.contains(&letter) => Ok(Some(letter)),
        _ => {
            let known: Vec<_> = known.iter().map(|letter| format!("{:?}", letter.to_string())).collect();
            Err(format!("{key} is one of {}, not {given:?}", known.join(" ")))
        }
    }
}

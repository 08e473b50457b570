//! The kinds that `[tools.NAME]` in `callsheet.toml` can be of: one table, which the reader, its faults and the editors'
//! schema follow. A kind is a file beside this one and a line in [`KINDS`].

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::open::{Ground, Open};
use super::part::Error;
use super::{Tool, stats};
use crate::topology::spec::Reach;

/// In the order in which they are opened: a tool may rest on those of earlier kinds.
pub static KINDS: &[Kind] = &[
    Kind::of::<super::sql::Config>(),
    Kind::of::<super::postgres::Config>(),
    Kind::of::<super::files::Config>(),
    Kind::of::<super::documents::Config>(),
    Kind::of::<super::sink::Config>(),
    Kind::of::<super::email::Config>(),
    Kind::of::<super::webhook::Config>(),
    Kind::of::<super::http::Config>(),
    Kind::of::<super::mcp::Config>(),
];

/// A line of the table.
pub struct Kind {
    /// What stands after `kind =`.
    pub word: &'static str,
    schema: fn() -> Value,
    open: fn(&str, &Value, &Ground<'_>) -> Result<Vec<Tool>, Error>,
}

impl Kind {
    const fn of<C: Open>() -> Self {
        Self { word: C::KIND, schema: schema::<C>, open: open::<C> }
    }

    /// The JSON Schema (draft-07) of its table, without `kind`.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// The tools of `[tools.name]`, which says `table`.
    ///
    /// # Errors
    /// If the kind does not understand the table, or it contradicts itself.
    pub fn open(&self, name: &str, table: &Value, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        (self.open)(name, table, ground)
    }
}

/// The words that there are, in the table's order.
pub fn words() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.word).collect()
}

/// The tools that need no table.
///
/// # Errors
/// None; their names are fixed.
pub fn built_in() -> Result<Vec<Tool>, Error> {
    stats::open()
}

fn schema<C: Open>() -> Value {
    let mut settings = SchemaSettings::draft07();
    // It becomes a part of another schema, in which names of its own could meet others.
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<C>().to_value()
}

fn open<C: Open>(name: &str, table: &Value, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
    let config = C::deserialize(table).map_err(|why| Error::new(name, why.to_string()))?;
    let tools = config.open(name, ground)?;
    let is_untrue = |tool: &&Tool| matches!(tool, Tool::Outward(_)) != (tool.spec().reach == Reach::ActsOut);
    match tools.iter().find(is_untrue) {
        Some(tool) => Err(Error::new(name, format!("{} does not reach as far as it declares", tool.spec().name))),
        None => Ok(tools),
    }
}

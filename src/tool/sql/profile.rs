//! What a CSV file of somebody's own is, before anything is declared of it: how it is written, and what each column is. What
//! a reader would have to guess is a text here, and told.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::types::Value as Cell;

use super::column;
use super::table::{ColumnKind, Table};
use super::text::{self, Told};
use super::total;
use super::trial;

/// A file as it would be declared.
#[derive(Debug, Clone)]
pub struct Profile {
    /// How it is written, as `key = value` of the table's settings; empty if it is plain CSV.
    pub form: Vec<String>,
    /// Its columns in their order.
    pub columns: Vec<Seen>,
    /// Its rows.
    pub rows: usize,
    /// What was settled without knowing, a sentence each.
    pub remarks: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `number` or `percent`: its type in the settings.
    pub kind: &'static str,
    /// How many different values it has.
    pub distinct: usize,
}

/// Settings of the form that are taken from a fault's own advice: without them there are no columns at all.
const FORM: [&str; 4] = ["delimiter", "encoding", "skip", "leave_out"];
/// Ways in which one file may be unusual at once.
const SETTINGS_MAX: usize = 5;

/// Looks at the file at `path`, called `shown` in what is told.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn profile(path: &Path, shown: &str) -> Result<Profile, String> {
    let bytes = trial::bytes(path, shown)?;
    let mut settings = toml::Table::new();
    for _ in 0..SETTINGS_MAX {
        let mut remarks = Vec::new();
        let fault = match columns(&bytes, &trial::table(&settings)?, &mut remarks) {
            Ok((columns, rows)) => {
                let form = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                return Ok(Profile { form, columns, rows, remarks });
            }
            Err(fault) => fault,
        };
        let taken = advised(&fault).is_some_and(|advised| trial::take(&mut settings, advised));
        if !taken {
            return Err(format!("{shown}:{}: {}", fault.line, fault.what));
        }
    }
    Err(format!("{shown}: it is written in more than {SETTINGS_MAX} unusual ways"))
}

/// The settings that a fault advises, if they are about the form of the file.
fn advised(fault: &Told) -> Option<toml::Table> {
    let first = fault.instead.split(", or ").next()?.split(", if ").next()?.split(" to keep").next()?;
    let table: toml::Table = toml::from_str(&first.replace(", delimiter = ", "\ndelimiter = ")).ok()?;
    (!table.is_empty() && table.keys().all(|key| FORM.contains(&key.as_str()))).then_some(table)
}

type Columns = (Vec<Seen>, usize);

fn columns(bytes: &[u8], table: &Table, remarks: &mut Vec<String>) -> Result<Columns, Told> {
    let text = text::decoded(bytes, &table.form)?;
    let (names, rows) = trial::rows(&text, table)?;
    let (mut read, mut seen) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        let (kind, column) = match column::read(table, name, place, &rows) {
            Ok(column) => (column.kind.word(), column),
            Err(fault) => {
                let declared =
                    surely(&fault).map(|(word, kind)| (word, column::read_as(kind, &table.form, name, place, &rows)));
                match declared {
                    Some((word, Ok(column))) => (word, column),
                    _ => {
                        let (line, what) = (fault.line, fault.what);
                        remarks.push(format!("line {line}: {what}; it is declared as text until you say more: callsheet data inspect FILE shows what to write"));
                        ("text", column::read_as(ColumnKind::Text, &table.form, name, place, &rows)?)
                    }
                }
            }
        };
        seen.push(Seen { name: name.clone(), kind, distinct: distinct(&column) });
        read.push(column);
    }
    if let Some(fault) = total::unnoticed(&rows, &read, &table.form) {
        return Err(fault);
    }
    Ok((seen, rows.len()))
}

/// What a column is that cannot be read in two ways: fractions that end in zeros, or numbers before a percent sign.
fn surely(fault: &Told) -> Option<(&'static str, ColumnKind)> {
    let first = fault.instead.split(" (or ").next()?;
    match first {
        "decimal = \".\"" => Some(("number", ColumnKind::Number)),
        _ if first.starts_with("columns = ") && first.ends_with("= \"percent\" }") => {
            Some(("percent", ColumnKind::Percent))
        }
        _ => None,
    }
}

/// How many different values a column has.
fn distinct(column: &column::Read) -> usize {
    let shown = |cell: &Cell| match cell {
        Cell::Null | Cell::Blob(_) => None,
        Cell::Integer(whole) => Some(whole.to_string()),
        Cell::Real(real) => Some(real.to_string()),
        Cell::Text(text) => Some(text.clone()),
    };
    column.cells.iter().filter_map(shown).collect::<BTreeSet<String>>().len()
}

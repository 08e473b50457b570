//! A CSV file under settings that are tried: what its reader advises is added, until there is nothing left to refuse.

use std::path::Path;

use super::load::{self, FILE_BYTES_MAX};
use super::table::Table;
use super::text::{self, Record, Told};
use super::total;
use crate::file;

/// The bytes of the file at `path`, called `shown` in what is told.
///
/// # Errors
/// A sentence, for people.
pub(super) fn bytes(path: &Path, shown: &str) -> Result<Vec<u8>, String> {
    let bytes = file::bytes(path, FILE_BYTES_MAX + 1)
        .map_err(|why| format!("{shown} cannot be read: {}", file::words(&why)))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{shown} is larger than 256 MiB: load it into a SQLite file, and use sqlite = \"...\""));
    }
    Ok(bytes)
}

/// The file's table under these settings.
///
/// # Errors
/// Why they are none.
pub(super) fn table(settings: &toml::Table) -> Result<Table, String> {
    let mut whole = settings.clone();
    whole.insert("path".to_owned(), "x".into());
    whole.try_into().map_err(|why: toml::de::Error| why.message().to_owned())
}

/// The names of the columns, and the rows.
///
/// # Errors
/// What is wrong before any column is looked at.
pub(super) fn rows<'t>(text: &'t str, table: &Table) -> Result<(Vec<String>, Vec<Record<'t>>), Told> {
    let told = |line, what: &str| Told { line, what: what.to_owned(), instead: String::new(), unknown: None };
    let mut records = text::records(text, &table.form, &|| false)?.unwrap_or_default();
    if records.is_empty() {
        return Err(told(1, "the file is empty: the first line is to name the columns"));
    }
    let header = records.remove(0);
    let names = load::names(&header, table).map_err(|mut faults| faults.remove(0))?;
    let rows = total::without_left_out(records, &table.form)?;
    if rows.is_empty() {
        return Err(told(header.line, "there is a header and no row below it"));
    }
    Ok((names, rows))
}

/// Adds what is advised; lists and tables that are there get longer. Whether there is anything new in it.
pub(super) fn take(settings: &mut toml::Table, advised: toml::Table) -> bool {
    let mut taken = false;
    for (key, value) in advised {
        match (settings.get_mut(&key), value) {
            (None, value) => {
                settings.insert(key, value);
                taken = true;
            }
            (Some(toml::Value::Array(there)), toml::Value::Array(more)) => {
                let new: Vec<_> = more.into_iter().filter(|value| !there.contains(value)).collect();
                taken |= !new.is_empty();
                there.extend(new);
            }
            (Some(toml::Value::Table(there)), toml::Value::Table(more)) => {
                for (name, column) in more {
                    taken |= there.get(&name) != Some(&column);
                    there.insert(name, column);
                }
            }
            _ => {}
        }
    }
    taken
}

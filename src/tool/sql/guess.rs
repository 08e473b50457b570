//! How the file of a platform is written, found out by its reader: what it would refuse is set as it advises, until nothing is
//! left to refuse. What could be read in two ways is a text, or told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rusqlite::types::Value as Cell;
use serde_json::Value;

use super::column::{self, Read};
use super::day;
use super::parquet;
use super::table::Table;
use super::text::{self, Record, Told};
use super::total;
use super::trial;

/// A file as it would be declared, with what is in it then.
#[derive(Debug, Clone)]
pub struct Guess {
    /// What stands below `[tools.NAME.csv.TABLE]` beside its path: lines of TOML.
    pub settings: Vec<String>,
    /// What stands below `[tools.NAME.csv.TABLE.columns]`, if anything does.
    pub declared: Vec<String>,
    /// Its columns in their order.
    pub columns: Vec<Seen>,
    /// How many rows it has.
    pub rows: usize,
    /// The first of them, as a query gives them.
    pub preview: Vec<Vec<String>>,
    /// What was settled without knowing, a sentence each.
    pub remarks: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `number`, `date` or `datetime`.
    pub kind: &'static str,
    /// What declares it, as TOML, where its type alone does not: `{ type = "date", format = "%d.%m.%Y" }`.
    pub declared: Option<String>,
    /// How many different values it has.
    pub distinct: usize,
    /// Whether a query may order by it: days as they do not sort are in no order.
    pub sorts: bool,
}

/// How the reader says that a number could be either.
const EITHER: &str = "a fraction, or thousands?";
/// Rows of the preview.
const PREVIEW_ROWS: usize = 5;
/// Settings of one file.
const SETTINGS_MAX: usize = 1_100;

/// What platforms write where they have no value.
const NO_VALUE: [&str; 16] = [
    "-",
    "--",
    "---",
    "\u{2013}",
    "\u{2014}",
    "n/a",
    "na",
    "#n/a",
    "null",
    "none",
    "nan",
    "(not set)",
    "not set",
    "(none)",
    "k. a.",
    "n. v.",
];

/// Looks at the file at `path`, called `shown` in what is told.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn guess(path: &Path, shown: &str) -> Result<Guess, String> {
    let bytes = trial::bytes(path, shown)?;
    tried(bytes, is_parquet(path), shown).map(|(guess, _)| guess)
}

/// A whole file as it would be declared, called `shown` in what is told, and its rows as JSON.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn whole(bytes: Vec<u8>, is_parquet: bool, shown: &str) -> Result<(Guess, Vec<Vec<Value>>), String> {
    let (guess, columns) = tried(bytes, is_parquet, shown)?;
    let cell = |cell: &Cell| match cell {
        Cell::Null | Cell::Blob(_) => Value::Null,
        Cell::Integer(whole) => Value::from(*whole),
        Cell::Real(real) => Value::from(*real),
        Cell::Text(text) => Value::from(text.as_str()),
    };
    let row = |at: usize| columns.iter().map(|column| column.cells.get(at).map_or(Value::Null, cell)).collect();
    let rows = (0..guess.rows).map(row).collect();
    Ok((guess, rows))
}

fn tried(bytes: Vec<u8>, is_parquet: bool, shown: &str) -> Result<(Guess, Vec<Read>), String> {
    if is_parquet {
        let columns = parquet::read(bytes, &AtomicBool::new(false)).map_err(|why| format!("{shown}: {why}"))?;
        let columns = columns.unwrap_or_default();
        let rows = columns.first().map_or(0, |column| column.cells.len());
        return Ok((guessed(&toml::Table::new(), &columns, rows, Vec::new()), columns));
    }
    let (mut settings, mut remarks) = (toml::Table::new(), Vec::new());
    for _ in 0..SETTINGS_MAX {
        let (fault, column) = match read(&bytes, &trial::table(&settings)?) {
            Ok((columns, rows)) => return Ok((guessed(&settings, &columns, rows, remarks), columns)),
            Err(why) => *why,
        };
        let told = || format!("{shown}:{}: {}", fault.line, fault.what);
        let taken = match &column {
            Some((name, cells)) => {
                let set = of_column(&fault, name, cells, &mut remarks);
                trial::take(&mut settings, set) || trial::take(&mut settings, as_text(name))
            }
            None => advised(&fault).is_some_and(|advised| trial::take(&mut settings, advised)),
        };
        if !taken {
            return Err(told());
        }
    }
    Err(format!("{shown}: it is written in more unusual ways than can be told"))
}

/// Whether a file is one of Parquet, by its name: it says itself what its columns are.
pub fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// What is wrong first, with the cells of its column, if it is about one.
type Wrong = Box<(Told, Option<(String, Vec<String>)>)>;

fn read(bytes: &[u8], table: &Table) -> Result<(Vec<Read>, usize), Wrong> {
    let whole = |fault: Told| -> Wrong { Box::new((fault, None)) };
    let text = text::decoded(bytes, &table.form).map_err(whole)?;
    let (names, rows) = trial::rows(&text, table).map_err(whole)?;
    let (mut columns, mut open) = (Vec::new(), None);
    for (place, name) in names.iter().enumerate() {
        match column::read(table, name, place, &rows) {
            Ok(read) => columns.push(read),
            Err(fault) => {
                let is_ambiguous = fault.what.contains(EITHER);
                let wrong = Box::new((fault, Some((name.clone(), cells(place, &rows)))));
                // Another column may settle it.
                if !is_ambiguous {
                    return Err(wrong);
                }
                open.get_or_insert(wrong);
            }
        }
    }
    if let Some(open) = open {
        return Err(open);
    }
    match total::unnoticed(&rows, &columns, &table.form) {
        Some(fault) => Err(whole(fault)),
        None => Ok((columns, rows.len())),
    }
}

fn cells(place: usize, rows: &[Record<'_>]) -> Vec<String> {
    let cell = |row: &Record<'_>| row.cells.get(place).map(|cell| cell.trim().to_owned());
    rows.iter().filter_map(cell).filter(|cell| !cell.is_empty()).collect()
}

/// What is set for a column of which this is wrong.
fn of_column(fault: &Told, name: &str, cells: &[String], remarks: &mut Vec<String>) -> toml::Table {
    let is_no_value = |cell: &String| NO_VALUE.contains(&cell.to_lowercase().as_str());
    let line = fault.line;
    if fault.instead.contains("type = \"date") {
        return dated(name, cells, line, remarks);
    }
    let Some(advised) = advised(fault) else { return as_text(name) };
    if let Some(toml::Value::Array(empty)) = advised.get("empty") {
        let cell = empty.first().and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        if is_no_value(&cell) {
            return advised;
        }
        remarks.push(format!("line {line}: {}; its column is a text, unless {cell:?} is no value", fault.what));
        return as_text(name);
    }
    if fault.what.contains(EITHER) {
        remarks.push(format!(
            "line {line}: {} It is read as a fraction; write thousands = \".\" and decimal = \",\" if it is not.",
            fault.what
        ));
    }
    advised
}

/// The one format that all cells have; if there are two, which is meant nobody knows.
fn dated(name: &str, cells: &[String], line: usize, remarks: &mut Vec<String>) -> toml::Table {
    let values: Vec<&str> =
        cells.iter().map(String::as_str).filter(|cell| !NO_VALUE.contains(&cell.to_lowercase().as_str())).collect();
    let found: Vec<day::Format> =
        day::formats().filter(|format| values.iter().all(|cell| format.reads(cell))).collect();
    match found.as_slice() {
        [format] => {
            let column = [("type", format.kind().to_owned()), ("format", format.written.clone())];
            let column = column.into_iter().map(|(key, value)| (key.to_owned(), value.into()));
            of(name, column.collect::<toml::Table>().into())
        }
        [] => {
            remarks.push(format!("line {line}: the dates of {name:?} are in no format that is known here: it is a text, and does not sort"));
            as_text(name)
        }
        several => {
            let several: Vec<String> = several.iter().map(|format| format!("{:?}", format.written)).collect();
            remarks.push(format!(
                "line {line}: the dates of {name:?} could be {}: it is a text until you say which, such as {{ type = \"date\", \
                 format = {} }}",
                several.join(" or "),
                several[0]
            ));
            as_text(name)
        }
    }
}

fn as_text(name: &str) -> toml::Table {
    of(name, "text".into())
}

fn of(name: &str, column: toml::Value) -> toml::Table {
    let columns = toml::Table::from_iter([(name.to_owned(), column)]);
    toml::Table::from_iter([("columns".to_owned(), columns.into())])
}

/// The settings that are advised first.
fn advised(fault: &Told) -> Option<toml::Table> {
    let first = fault.first();
    let whole: toml::Table = toml::from_str(&format!("advised = {{ {first} }}")).ok()?;
    whole.get("advised")?.as_table().filter(|table| !table.is_empty()).cloned()
}

fn guessed(settings: &toml::Table, columns: &[Read], rows: usize, remarks: Vec<String>) -> Guess {
    let key = |key: &str| toml::Value::from(key).to_string();
    let set = settings.iter().filter(|(name, _)| *name != "columns").map(|(name, value)| format!("{name} = {value}"));
    let columns_set = settings.get("columns").and_then(toml::Value::as_table);
    let declared = columns_set.into_iter().flatten().map(|(name, column)| format!("{} = {column}", key(name)));
    let cell = |cell: &Cell| match cell {
        Cell::Null | Cell::Blob(_) => String::new(),
        Cell::Integer(whole) => whole.to_string(),
        Cell::Real(real) => real.to_string(),
        Cell::Text(text) => text.clone(),
    };
    let seen = |column: &Read| Seen {
        name: column.name.clone(),
        kind: column.kind.word(),
        sorts: !column.kind.is_unsorted(),
        declared: columns_set.and_then(|set| set.get(&column.name)).map(ToString::to_string),
        distinct: column.cells.iter().map(cell).filter(|cell| !cell.is_empty()).collect::<BTreeSet<String>>().len(),
    };
    let row = |at: usize| columns.iter().map(|column| column.cells.get(at).map(cell).unwrap_or_default()).collect();
    Guess {
        settings: set.collect(),
        declared: declared.collect(),
        columns: columns.iter().map(seen).collect(),
        rows,
        preview: (0..rows.min(PREVIEW_ROWS)).map(row).collect(),
        remarks,
    }
}

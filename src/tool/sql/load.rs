//! Opens the data of a connection: CSV files into a private database in memory, or a SQLite file read-only.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use csv::StringRecord;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};

use super::super::part::beneath;
use super::{Config, file_failure, guard};
use crate::failure::{Class, Failure};

/// Largest CSV file.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Most columns of a CSV file.
const COLUMNS_MAX: usize = 500;

/// Why data cannot be opened. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The path is refused, or nothing is there.
    #[error(transparent)]
    Path(#[from] beneath::Error),
    /// It cannot be read.
    #[error("{file}: {why}")]
    File {
        /// As it was written.
        file: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// A line is malformed.
    #[error("{file}:{line}: {what}")]
    Line {
        /// As it was written.
        file: String,
        /// Where.
        line: u64,
        /// What is wrong and how to mend it.
        what: String,
    },
    /// The engine refused.
    #[error("{file}: {why}")]
    Engine {
        /// As it was written.
        file: String,
        /// What it said.
        why: rusqlite::Error,
    },
    /// Nobody waits any more.
    #[error("stopped")]
    Stopped,
}

/// A closed connection and what its files looked like when it was loaded.
pub(super) struct Loaded {
    pub(super) connection: Connection,
    seen: Vec<Seen>,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// `loaded` if its files are unchanged, else the data loaded anew.
pub(super) fn fresh(
    loaded: Option<Loaded>,
    config: &Config,
    root: &Path,
    stopped: &AtomicBool,
) -> Result<Loaded, Failure> {
    let opened = match &config.sqlite {
        Some(path) => sqlite(root, path),
        None => csv_files(loaded, config, root, stopped),
    };
    opened.map_err(|why| match why {
        Error::Stopped => Failure::new(Class::Transient, "stopped while loading"),
        why => file_failure(&why),
    })
}

/// Whether `name` can be a table of CSV files.
pub(super) fn is_table_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.to_ascii_lowercase().starts_with("sqlite_")
}

fn sqlite(root: &Path, path: &str) -> Result<Loaded, Error> {
    let engine = |why| Error::Engine { file: path.to_owned(), why };
    let real = beneath::existing(root, path)?;
    // A link put there after the look above is refused by the engine. No URI: the name is only ever a name.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(real, flags).map_err(engine)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(engine)?;
    guard::close(&mut connection).map_err(engine)?;
    Ok(Loaded { connection, seen: Vec::new() })
}

fn csv_files(loaded: Option<Loaded>, config: &Config, root: &Path, stopped: &AtomicBool) -> Result<Loaded, Error> {
    let seen = config.csv.values().map(|path| look(root, path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(loaded) = loaded.filter(|loaded| loaded.seen == seen) {
        return Ok(loaded);
    }
    let mut connection = Connection::open_in_memory().map_err(|why| Error::Engine { file: "memory".into(), why })?;
    for ((table, file), seen) in config.csv.iter().zip(&seen) {
        let bytes = whole(file, seen)?;
        let parsed = parse(file, &bytes, stopped)?;
        fill(&mut connection, table, &parsed, stopped)
            .and_then(|()| if stopped.load(Ordering::Relaxed) { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) })
            .map_err(|why| stopped_or(stopped, Error::Engine { file: file.clone(), why }))?;
    }
    guard::close(&mut connection).map_err(|why| Error::Engine { file: "memory".into(), why })?;
    Ok(Loaded { connection, seen })
}

fn stopped_or(stopped: &AtomicBool, why: Error) -> Error {
    if stopped.load(Ordering::Relaxed) { Error::Stopped } else { why }
}

fn look(root: &Path, file: &str) -> Result<Seen, Error> {
    let path = beneath::existing(root, file)?;
    let meta = fs::metadata(&path).map_err(|why| Error::File { file: file.to_owned(), why })?;
    let line = |what: &str| Error::Line { file: file.to_owned(), line: 1, what: what.to_owned() };
    if !meta.is_file() {
        return Err(line("is not a file"));
    }
    if meta.len() > FILE_BYTES_MAX {
        return Err(line("is larger than 256 MiB: load it into a SQLite file and use sqlite = \"...\""));
    }
    Ok(Seen { path, bytes: meta.len(), modified: meta.modified().ok() })
}

fn whole(file: &str, seen: &Seen) -> Result<Vec<u8>, Error> {
    let failed = |why| Error::File { file: file.to_owned(), why };
    let mut bytes = Vec::new();
    File::open(&seen.path).map_err(failed)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

struct Parsed {
    columns: Vec<String>,
    rows: Vec<StringRecord>,
}

fn parse(file: &str, bytes: &[u8], stopped: &AtomicBool) -> Result<Parsed, Error> {
    let wrong = |line: u64, what: String| Error::Line { file: file.to_owned(), line, what };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong(1, "the file is empty: the first line is to name the columns".to_owned()));
    }
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|why| malformed(file, &why))?.clone();
    let columns = columns(&header).map_err(|what| wrong(1, what))?;
    let mut rows = Vec::new();
    for row in reader.records() {
        if rows.len() % 1_000 == 0 && stopped.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        rows.push(row.map_err(|why| malformed(file, &why))?);
    }
    let Some(last) = rows.last() else {
        return Err(wrong(1, "there is a header and no row below it".to_owned()));
    };
    // The reader takes the rest of a file for the text of a quote that nobody closed.
    if bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        let line = last.position().map_or(1, csv::Position::line);
        return Err(wrong(line, "a quote (\") is opened on or before this line and never closed".to_owned()));
    }
    Ok(Parsed { columns, rows })
}

fn columns(header: &StringRecord) -> Result<Vec<String>, String> {
    if header.len() > COLUMNS_MAX {
        return Err(format!("there are {} columns, at most {COLUMNS_MAX} are taken", header.len()));
    }
    let mut columns: Vec<String> = Vec::new();
    for (place, name) in header.iter().map(str::trim).enumerate() {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(format!("column {} has no usable name", place + 1));
        }
        if columns.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(format!("two columns are named {name:?}"));
        }
        columns.push(name.to_owned());
    }
    Ok(columns)
}

fn malformed(file: &str, why: &csv::Error) -> Error {
    let (line, what) = match why.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            (pos.as_ref().map(csv::Position::line), format!("has {len} fields, the header has {expected_len}"))
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            let at = pos.as_ref().map(csv::Position::line);
            (at, format!("field {} is not UTF-8: save the file as UTF-8", err.field() + 1))
        }
        other => (None, format!("{other:?}")),
    };
    Error::Line { file: file.to_owned(), line: line.unwrap_or(1), what }
}

/// The type of a column: the narrowest that all its cells have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Integer,
    Real,
    Text,
}

impl Kind {
    fn of(cell: &str) -> Self {
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        // An id with a leading zero is text; so is everything that the float parser takes beyond plain decimals.
        let plain = digits == "0" || digits.starts_with("0.") || digits.starts_with(|c: char| ('1'..='9').contains(&c));
        if plain && cell.parse::<i64>().is_ok() {
            Self::Integer
        } else if plain && cell.parse::<f64>().is_ok_and(f64::is_finite) {
            Self::Real
        } else {
            Self::Text
        }
    }

    fn declared(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
        }
    }

    fn cell(self, text: &str) -> Cell {
        let number = match self {
            _ if text.is_empty() => Some(Cell::Null),
            Self::Integer => text.parse().ok().map(Cell::Integer),
            Self::Real => text.parse().ok().map(Cell::Real),
            Self::Text => None,
        };
        number.unwrap_or_else(|| Cell::Text(text.to_owned()))
    }
}

fn fill(connection: &mut Connection, table: &str, parsed: &Parsed, stopped: &AtomicBool) -> rusqlite::Result<()> {
    let kinds: Vec<Kind> = (0..parsed.columns.len())
        .map(|place| {
            let cells = parsed.rows.iter().filter_map(|row| row.get(place)).filter(|cell| !cell.is_empty());
            cells.map(Kind::of).max().unwrap_or(Kind::Text)
        })
        .collect();
    let declared: Vec<_> = parsed
        .columns
        .iter()
        .zip(&kinds)
        .map(|(name, kind)| format!("\"{}\" {}", name.replace('"', "\"\""), kind.declared()))
        .collect();
    let holes = vec!["?"; kinds.len()].join(", ");
    let all = connection.transaction()?;
    all.execute(&format!("CREATE TABLE \"{table}\" ({})", declared.join(", ")), [])?;
    {
        let mut insert = all.prepare(&format!("INSERT INTO \"{table}\" VALUES ({holes})"))?;
        for (count, row) in parsed.rows.iter().enumerate() {
            if count % 1_000 == 0 && stopped.load(Ordering::Relaxed) {
                break;
            }
            insert.execute(rusqlite::params_from_iter(row.iter().zip(&kinds).map(|(cell, kind)| kind.cell(cell))))?;
        }
    }
    all.commit()
}

//! Opens the data of a connection: CSV and Parquet files into a private database in memory, or a SQLite file read-only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};

use super::super::Wrong;
use super::super::part::args::permanent;
use super::super::part::beneath;
use super::column::{self, Kind, Read};
use super::config::Config;
use super::hide::Hide;
use super::table::Table;
use super::text::{self, Record, Told};
use super::{function, guard, parquet, total};
use crate::failure::{Class, Failure};
use crate::file;
use crate::topology::code::Code;

/// Largest CSV file.
pub(super) const FILE_BYTES_MAX: u64 = 256 << 20;
/// Most columns of a CSV file.
const COLUMNS_MAX: usize = 500;
/// Most faults of one file that are told at once.
const FAULTS_MAX: usize = 12;

/// Why data cannot be opened. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The path is refused, or nothing is there.
    #[error(transparent)]
    Path(#[from] beneath::Error),
    /// It cannot be read.
    #[error("{file} cannot be read: {}", crate::file::words(.why))]
    File {
        /// As it was written.
        file: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is not what is declared of it.
    #[error("{}", shown(.faults, .file, .setting))]
    Told {
        /// As it was written.
        file: String,
        /// Where its settings are, such as `[tools.shop.csv.orders]`.
        setting: String,
        /// In the order of columns.
        faults: Vec<Told>,
    },
    /// It cannot be taken as a table.
    #[error("{file}: {why}")]
    Unsound {
        /// As it was written.
        file: String,
        /// A clause.
        why: String,
    },
    /// The engine refused.
    #[error("{file}: {why}")]
    Engine {
        /// As it was written.
        file: String,
        /// What it said.
        why: rusqlite::Error,
    },
    /// Several files.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Error>),
    /// Nobody waits any more.
    #[error("stopped")]
    Stopped,
}

fn shown(faults: &[Told], file: &str, setting: &str) -> String {
    let line = |fault: &Told| {
        let mend = match fault.instead.as_str() {
            "" => String::new(),
            instead if instead.starts_with("in the file") => format!("; {instead}"),
            instead => format!("; write in {setting}: {instead}"),
        };
        format!("{file}:{}: {}{mend}", fault.line, fault.what)
    };
    let mut lines: Vec<String> = faults.iter().take(FAULTS_MAX).map(line).collect();
    if faults.len() > FAULTS_MAX {
        lines.push(format!("{file}: and {} more", faults.len() - FAULTS_MAX));
    }
    lines.join("\n")
}

/// A closed connection and what its files looked like when it was loaded.
pub(super) struct Loaded {
    pub(super) connection: Connection,
    /// The tables with their columns, as the engine numbers them.
    pub(super) tables: Vec<Columns>,
    /// Tables that are declared and could not be read.
    pub(super) failed: Vec<(String, Error)>,
    seen: Vec<Seen>,
}

impl Loaded {
    /// Whether these are the files that it was loaded from.
    fn saw(&self, looked: &[Result<Seen, Error>]) -> bool {
        self.seen.len() == looked.len()
            && self.seen.iter().zip(looked).all(|(seen, now)| now.as_ref().ok() == Some(seen))
    }
}

/// A table's columns.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) table: String,
    /// Where the engine keeps it.
    pub(super) root_page: i64,
    /// In order, each with what it is; nothing is known of one that was declared without a type.
    pub(super) columns: Vec<(String, Option<Kind>)>,
    pub(super) rows: Option<usize>,
    /// Whether it is an index of the table.
    is_index: bool,
}

impl Columns {
    /// Whether it is a table that can be asked by its name.
    pub(super) fn is_table(&self) -> bool {
        !self.is_index
    }

    /// The table with its columns and their types, for people and models.
    pub(super) fn shown(&self) -> String {
        self.shown_but(&[])
    }

    /// The same without the columns that are hidden.
    pub(super) fn shown_but(&self, hidden: &[Hide]) -> String {
        let seen = self.columns.iter().filter(|(name, _)| !hidden.iter().any(|hide| hide.is(&self.table, name)));
        let columns = seen.map(|(name, kind)| match kind {
            Some(kind) => format!("{name} {}", kind.word()),
            None => name.clone(),
        });
        let rows = match self.rows {
            None => String::new(),
            Some(1) => ", 1 row".to_owned(),
            Some(rows) => format!(", {rows} rows"),
        };
        format!("{}({}){rows}", self.table, columns.collect::<Vec<_>>().join(", "))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// `loaded` if its files are unchanged, else the data loaded anew, all of it.
pub(super) fn fresh(
    loaded: Option<Loaded>,
    name: &str,
    config: &Config,
    root: &Path,
    stopped: &AtomicBool,
) -> Result<Loaded, Failure> {
    let opened = match &config.sqlite {
        Some(path) => sqlite(root, path),
        None => files(loaded, name, config, root, stopped),
    };
    let whole = |loaded: Loaded| match loaded.failed.is_empty() {
        true => Ok(loaded),
        false => Err(Error::Several(loaded.failed.into_iter().map(|(_, why)| why).collect())),
    };
    opened.and_then(whole).map_err(|why| match why {
        Error::Stopped => Failure::new(Class::Transient, "stopped while loading"),
        why => file_failure(&why),
    })
}

/// The same, as far as it can be read; what could not be is in [`Loaded::failed`].
pub(super) fn opened(loaded: Option<Loaded>, name: &str, config: &Config, root: &Path) -> Result<Loaded, Vec<Wrong>> {
    match &config.sqlite {
        Some(path) => sqlite(root, path).map_err(|why| wrong("", &why, config, root)),
        None => files(loaded, name, config, root, &AtomicBool::new(false)).map_err(|why| wrong("", &why, config, root)),
    }
}

/// The settings that are advised first, and what is said of others.
fn advice(fault: &Told) -> Option<(&str, &str)> {
    let first = fault.first();
    let read = toml::from_str::<toml::Table>(&format!("settings = {{ {first} }}"));
    let is_setting =
        read.is_ok_and(|whole| whole.get("settings").and_then(toml::Value::as_table).is_some_and(|t| !t.is_empty()));
    is_setting.then(|| fault.instead.split_at(first.len()))
}

/// What is wrong with the file of a table, told where the file is named.
pub(super) fn wrong(table: &str, why: &Error, config: &Config, root: &Path) -> Vec<Wrong> {
    let keys: &[&str] = match (&config.sqlite, config.parquet.contains_key(table)) {
        (Some(_), _) => &["sqlite"],
        (None, true) => &["parquet", table],
        (None, false) => &["csv", table],
    };
    let path = config.csv.get(table).map(|table| &table.path).or(config.parquet.get(table)).or(config.sqlite.as_ref());
    match why {
        Error::Path(beneath::Error::Unreadable { path, why }) if why.kind() == std::io::ErrorKind::NotFound => {
            let missing = Wrong::at(keys, Code::MissingFile, format!("there is no file {path}"));
            vec![missing.instead(format!("put {path} there, or name another file")).near(root, path)]
        }
        Error::Path(_) | Error::File { .. } => {
            let instead = path.map_or(String::new(), |path| format!("see to {path}, or name another file"));
            vec![Wrong::at(keys, Code::Unreadable, why.to_string()).instead(instead)]
        }
        // What is declared of a column that is not there is wrong where it is declared.
        Error::Told { faults, file, .. } if faults.iter().any(|fault| fault.unknown.is_some()) => {
            let unknown = faults.iter().filter_map(|fault| Some((fault, fault.unknown.as_ref()?)));
            let at = |(fault, (name, names)): (&Told, &(String, Vec<String>))| {
                let what = format!("{file}:{}: {}", fault.line, fault.what);
                let wrong = Wrong::at(&["csv", table, "columns", name], Code::Data, what);
                let known = names.iter().map(String::as_str);
                Wrong { is_key: true, ..wrong }.instead(fault.instead.clone()).known(name, known)
            };
            unknown.map(at).collect()
        }
        Error::Told { faults, file, setting } => {
            let at = |fault: &Told| {
                let wrong = Wrong::at(keys, Code::Data, format!("{file}:{}: {}", fault.line, fault.what));
                match advice(fault) {
                    None => wrong.instead(fault.instead.clone()),
                    Some((settings, rest)) => {
                        let instead = format!("write in {setting}: {settings}{rest}");
                        Wrong { settings: Some((settings.to_owned(), rest.to_owned())), ..wrong.instead(instead) }
                    }
                }
            };
            faults.iter().take(FAULTS_MAX).map(at).collect()
        }
        Error::Several(all) => all.iter().flat_map(|why| wrong(table, why, config, root)).collect(),
        _ => why.to_string().lines().map(|line| Wrong::at(keys, Code::Data, line)).collect(),
    }
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
    file::regular(&real).map_err(|why| Error::File { file: path.to_owned(), why })?;
    // A link put there after the look above is refused by the engine. No URI: the name is only ever a name.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(real, flags).map_err(engine)?;
    let mut tables = tables(&connection).map_err(engine)?;
    look_at_days(&connection, &mut tables);
    function::bound(&connection).and_then(|()| guard::close(&mut connection)).map_err(engine)?;
    Ok(Loaded { connection, tables, failed: Vec::new(), seen: Vec::new() })
}

/// The tables as the engine knows them, with the affinity of their columns.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<Columns>> {
    const KEPT: &str = "SELECT type = 'index', name, tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 0";
    const TABLE: &str = "SELECT name, type FROM pragma_table_info(?1) WHERE ?1 = ?2";
    const INDEX: &str = "SELECT t.name, t.type FROM pragma_index_xinfo(?1) i LEFT JOIN pragma_table_info(?2) t ON t.cid = i.cid \
                         ORDER BY i.seqno";
    let mut kept = connection.prepare(KEPT)?;
    let kept = kept.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let mut tables = Vec::new();
    for entry in kept {
        let (is_index, name, table, root_page): (bool, String, String, i64) = entry?;
        let mut columns = connection.prepare(if is_index { INDEX } else { TABLE })?;
        let columns = columns.query_map([&name, &table], |row| {
            let declared = row.get::<_, Option<String>>(1)?;
            Ok((
                row.get::<_, Option<String>>(0)?.unwrap_or_default(),
                declared.and_then(|declared| affinity(&declared)),
            ))
        })?;
        let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
        tables.push(Columns { table, root_page, columns, rows: None, is_index });
    }
    Ok(tables)
}

/// Rows of a table of a SQLite file that are looked at for days: nothing is declared of one, and it is opened for every query.
const SAMPLE_ROWS: usize = 200;

/// Finds the columns of a SQLite file whose texts are days, by the first rows of each table. Of a table that cannot be read nothing is
/// known, and whoever asks it is told why.
fn look_at_days(connection: &Connection, tables: &mut [Columns]) {
    let mut found: BTreeMap<(String, String), Kind> = BTreeMap::new();
    for table in tables.iter().filter(|table| table.is_table()) {
        let is_open = |kind: Option<Kind>| matches!(kind, Some(Kind::Text) | None);
        let names: Vec<&String> =
            table.columns.iter().filter(|(_, kind)| is_open(*kind)).map(|(name, _)| name).collect();
        for (name, cells) in names.iter().zip(sample(connection, &table.table, &names).unwrap_or_default()) {
            let there = cells.iter().filter(|cell| !matches!(cell, Cell::Null) && text(cell) != Some(""));
            // A column that is not declared as one of texts may hold numbers, too, and is then none of days.
            let texts: Option<Vec<&str>> = there.map(text).collect();
            let Some(texts) = texts else { continue };
            let shown: Vec<(usize, Option<&str>)> = texts.into_iter().map(|cell| (0, Some(cell))).collect();
            let kind = Kind::of_texts(&shown);
            if kind != Kind::Text {
                found.insert((table.table.clone(), (*name).clone()), kind);
            }
        }
    }
    for table in tables {
        for (name, kind) in &mut table.columns {
            *kind = found.get(&(table.table.clone(), name.clone())).copied().or(*kind);
        }
    }
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

/// The cells of these columns in the first rows of a table, column by column: of a text its beginning, of anything else that it is none.
fn sample(connection: &Connection, table: &str, names: &[&String]) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let mut columns = vec![Vec::new(); names.len()];
    if names.is_empty() {
        return Ok(columns);
    }
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let listed = names.iter().map(|name| {
        let name = quoted(name);
        format!("CASE typeof({name}) WHEN 'text' THEN substr({name}, 1, 40) WHEN 'null' THEN NULL ELSE 0 END")
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {listed} FROM {} LIMIT {SAMPLE_ROWS}", quoted(table));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (nth, cells) in columns.iter_mut().enumerate() {
            // What is not UTF-8 is no day.
            cells.push(row.get(nth).unwrap_or(Cell::Null));
        }
    }
    Ok(columns)
}

/// The engine's own rule for declared types, as far as it is about texts and numbers.
fn affinity(declared: &str) -> Option<Kind> {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Some(Kind::Integer)
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Some(Kind::Text)
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Some(Kind::Real)
    } else {
        None
    }
}

fn files(
    loaded: Option<Loaded>,
    name: &str,
    config: &Config,
    root: &Path,
    stopped: &AtomicBool,
) -> Result<Loaded, Error> {
    let csv = config.csv.iter().map(|(table, settings)| (table, &settings.path, Some(settings)));
    let declared: Vec<_> = csv.chain(config.parquet.iter().map(|(table, path)| (table, path, None))).collect();
    let looked: Vec<_> = declared.iter().map(|(_, path, _)| look(root, path)).collect();
    if let Some(loaded) = loaded.filter(|loaded| loaded.failed.is_empty() && loaded.saw(&looked)) {
        return Ok(loaded);
    }
    let memory = |why| Error::Engine { file: "memory".into(), why };
    let mut connection = Connection::open_in_memory().map_err(memory)?;
    let (mut read, mut seen, mut failed) = (BTreeMap::new(), Vec::new(), Vec::new());
    for ((table, path, settings), looked) in declared.into_iter().zip(looked) {
        let filled = looked.and_then(|looked| {
            let columns = match settings {
                Some(settings) => csv_file(name, (table, settings), &looked, stopped)?,
                None => parquet_file(path, &looked, stopped)?,
            };
            let read = filled(&mut connection, (table, path), &columns, stopped)?;
            seen.push(looked);
            Ok(read)
        });
        match filled {
            Ok(filled) => drop(read.insert(table.as_str(), filled)),
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(why) => failed.push((table.clone(), why)),
        }
    }
    let mut tables = tables(&connection).map_err(memory)?;
    for found in &mut tables {
        let Some((rows, kinds)) = read.get(found.table.as_str()) else { continue };
        found.rows = Some(*rows);
        found.columns.iter_mut().zip(kinds).for_each(|((_, kind), read)| *kind = Some(*read));
    }
    function::bound(&connection).and_then(|()| guard::close(&mut connection)).map_err(memory)?;
    Ok(Loaded { connection, tables, failed, seen })
}

/// The columns of a Parquet file.
fn parquet_file(path: &str, seen: &Seen, stopped: &AtomicBool) -> Result<Vec<Read>, Error> {
    let bytes = file::bytes(&seen.path, FILE_BYTES_MAX);
    let bytes = bytes.map_err(|why| Error::File { file: path.to_owned(), why })?;
    let read = parquet::read(bytes, stopped).map_err(|why| Error::Unsound { file: path.to_owned(), why })?;
    read.ok_or(Error::Stopped)
}

/// The columns of a CSV file.
fn csv_file(
    name: &str,
    (table, settings): (&str, &Table),
    seen: &Seen,
    stopped: &AtomicBool,
) -> Result<Vec<Read>, Error> {
    let path = &settings.path;
    let bytes = file::bytes(&seen.path, FILE_BYTES_MAX);
    let bytes = bytes.map_err(|why| Error::File { file: path.clone(), why })?;
    let parsed = parse(&bytes, settings, stopped).map_err(|faults| Error::Told {
        file: path.clone(),
        setting: format!("[tools.{name}.csv.{table}], beside path = {path:?}"),
        faults,
    })?;
    parsed.ok_or(Error::Stopped)
}

/// Fills the table of a file; how many rows it has, and what its columns are.
fn filled(
    connection: &mut Connection,
    (table, path): (&str, &str),
    columns: &[Read],
    stopped: &AtomicBool,
) -> Result<(usize, Vec<Kind>), Error> {
    fill(connection, table, columns, stopped)
        .and_then(|()| if stopped.load(Ordering::Relaxed) { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) })
        .map_err(|why| stopped_or(stopped, Error::Engine { file: path.to_owned(), why }))?;
    let rows = columns.first().map_or(0, |column| column.cells.len());
    Ok((rows, columns.iter().map(|column| column.kind).collect()))
}

fn stopped_or(stopped: &AtomicBool, why: Error) -> Error {
    if stopped.load(Ordering::Relaxed) { Error::Stopped } else { why }
}

fn look(root: &Path, path: &str) -> Result<Seen, Error> {
    let real = beneath::existing(root, path)?;
    let failed = |why| Error::File { file: path.to_owned(), why };
    file::regular(&real).map_err(failed)?;
    let meta = fs::metadata(&real).map_err(failed)?;
    if meta.len() > FILE_BYTES_MAX {
        let what = "is larger than 256 MiB: load it into a SQLite file and use sqlite = \"...\"";
        return Err(failed(std::io::Error::other(what)));
    }
    Ok(Seen { path: real, bytes: meta.len(), modified: meta.modified().ok() })
}

fn one(line: usize, what: impl Into<String>, instead: impl Into<String>) -> Vec<Told> {
    vec![Told { line, what: what.into(), instead: instead.into(), unknown: None }]
}

/// The columns of a file; nothing if nobody waits any more.
fn parse(bytes: &[u8], table: &Table, stopped: &AtomicBool) -> Result<Option<Vec<Read>>, Vec<Told>> {
    if bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).iter().all(u8::is_ascii_whitespace) {
        return Err(one(1, "the file is empty: the first line is to name the columns", ""));
    }
    let stopped = || stopped.load(Ordering::Relaxed);
    let text = text::decoded(bytes, &table.form).map_err(|fault| vec![fault])?;
    let Some(mut rows) = text::records(&text, &table.form, &stopped).map_err(|fault| vec![fault])? else {
        return Ok(None);
    };
    if rows.is_empty() {
        return Err(one(1, "nothing is left of the file: the first line is to name the columns", "a smaller skip"));
    }
    let header = rows.remove(0);
    let names = names(&header, table)?;
    let rows = total::without_left_out(rows, &table.form).map_err(|fault| vec![fault])?;
    if rows.is_empty() {
        return Err(one(header.line, "there is a header and no row below it", ""));
    }
    let (mut columns, mut faults) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        if stopped() {
            return Ok(None);
        }
        match column::read(table, name, place, &rows) {
            Ok(column) => columns.push(column),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        faults.extend(total::unnoticed(&rows, &columns, &table.form));
    }
    if faults.is_empty() { Ok(Some(columns)) } else { Err(faults) }
}

pub(super) fn names(header: &Record<'_>, table: &Table) -> Result<Vec<String>, Vec<Told>> {
    let wrong = |what: String, instead: String| Err(one(header.line, what, instead));
    if header.cells.len() > COLUMNS_MAX {
        return wrong(
            format!("there are {} columns, at most {COLUMNS_MAX} are taken", header.cells.len()),
            String::new(),
        );
    }
    let mut names: Vec<String> = Vec::new();
    for (place, name) in header.cells.iter().map(|cell| cell.trim()).enumerate() {
        if name.is_empty() || name.chars().any(char::is_control) {
            let instead = "skip, if the names of the columns stand on a lower line".to_owned();
            return wrong(format!("column {} has no usable name", place + 1), instead);
        }
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return wrong(format!("two columns are named {name:?}"), String::new());
        }
        names.push(name.to_owned());
    }
    let unknown = table.columns.keys().filter(|name| !names.contains(name)).map(|unknown| Told {
        line: header.line,
        what: format!("there is no column {unknown:?}, of which something is declared"),
        instead: format!("one of its columns: {}", names.join(", ")),
        unknown: Some((unknown.clone(), names.clone())),
    });
    let unknown: Vec<Told> = unknown.collect();
    if unknown.is_empty() { Ok(names) } else { Err(unknown) }
}

fn fill(connection: &mut Connection, table: &str, columns: &[Read], stopped: &AtomicBool) -> rusqlite::Result<()> {
    let declared = columns.iter().map(|column| {
        let name = column.name.replace('"', "\"\"");
        format!("\"{name}\" {}", column.kind.declared())
    });
    let declared = declared.collect::<Vec<_>>().join(", ");
    let holes = vec!["?"; columns.len()].join(", ");
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let all = connection.transaction()?;
    all.execute(&format!("CREATE TABLE \"{table}\" ({declared})"), [])?;
    {
        let mut insert = all.prepare(&format!("INSERT INTO \"{table}\" VALUES ({holes})"))?;
        for row in 0..rows {
            if row % 1_000 == 0 && stopped.load(Ordering::Relaxed) {
                break;
            }
            insert.execute(rusqlite::params_from_iter(columns.iter().map(|column| &column.cells[row])))?;
        }
    }
    all.commit()
}

/// A failure in the files of a connection.
pub(super) fn file_failure(why: &Error) -> Failure {
    permanent(why.to_string())
}

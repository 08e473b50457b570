//! What people attach to a run that came of it: a table from a file, read and held against what can be kept; and what was attached
//! so far, the last one first. No agent attaches anything.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::Error;
use super::project::Project;
use super::story::Story;
use crate::app::data;
use crate::file;
use crate::id::{Timestamp, as_iso};
use crate::run::body::Table;
use crate::run::event::{Refusal, Who};
use crate::run::input::Say;
use crate::run::note;
use crate::run::view::read;
use crate::topology::plan::Mode;

/// Most bytes of a file that is attached.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a person attached that came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Attached {
    /// Which one it is, from 1; the last one counts.
    pub version: usize,
    /// Who attached it.
    pub by: String,
    /// When.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
    /// The table; none if it was erased.
    pub table: Option<Table>,
}

/// What was attached to a run, the last one first.
pub fn attached(story: &Story) -> Vec<Attached> {
    let texts = story.texts();
    let one = |(place, of): (usize, &note::Attached)| Attached {
        version: place + 1,
        by: of.by.clone(),
        at: of.at,
        table: read::<Table>(&texts, of.table),
    };
    story.state().attached.iter().enumerate().rev().map(one).collect()
}

/// A file as a table, and what was settled of it without knowing, a sentence each.
#[derive(Debug, Clone, PartialEq)]
pub struct FromFile {
    /// As it is attached.
    pub table: Table,
    /// What whoever attaches it should look at.
    pub remarks: Vec<String>,
}

/// Reads the CSV, JSON or Parquet file at `path`.
///
/// # Errors
/// Why it is no table that can be attached.
pub fn from_file(path: &Path) -> Result<FromFile, Error> {
    let shown = path.display().to_string();
    let bytes = file::bytes(path, FILE_BYTES_MAX + 1)
        .map_err(|why| wrong(format!("{shown} cannot be read: {}", file::words(&why))))?;
    let name = path.file_name().unwrap_or_default().display().to_string();
    from_bytes(&name, &shown, bytes)
}

/// Reads `bytes` as the file called `name`, and `shown` in what is told.
///
/// # Errors
/// As [`from_file`].
pub fn from_bytes(name: &str, shown: &str, bytes: Vec<u8>) -> Result<FromFile, Error> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let kib = FILE_BYTES_MAX >> 10;
        return Err(wrong(format!(
            "{shown} has more than {kib} KiB: attach sums by mail, variant or segment, and keep the rows of single people where they are"
        )));
    }
    let (sha256, file) = (data::sha256(&bytes), name.to_owned());
    let ends = |ending: &str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case(ending));
    let (table, remarks) = if ends("json") {
        let (columns, rows) = objects(&bytes).map_err(|why| wrong(format!("{shown}: {why}")))?;
        (Table { file, sha256, read_as: Vec::new(), columns, rows }, Vec::new())
    } else {
        // Texts in UTF-16 begin with a mark that says so.
        let is_utf16 = [b"\xFF\xFE", b"\xFE\xFF"].iter().any(|mark| bytes.starts_with(*mark));
        if bytes.contains(&0) && !is_utf16 && !ends("parquet") {
            return Err(wrong(format!("{shown} is no text: it holds zero bytes; save it as CSV")));
        }
        let (guess, rows) = data::whole(bytes, ends("parquet"), shown).map_err(wrong)?;
        let columns = guess.columns.into_iter().map(|column| column.name).collect();
        let read_as =
            guess.settings.into_iter().chain(guess.declared.into_iter().map(|line| format!("columns.{line}")));
        (Table { file, sha256, read_as: read_as.collect(), columns, rows }, guess.remarks)
    };
    let faults = table.faults();
    if !faults.is_empty() {
        return Err(Error::NoTable(faults.into_iter().map(|fault| format!("{shown}: {fault}")).collect()));
    }
    Ok(FromFile { table, remarks })
}

fn wrong(why: String) -> Error {
    Error::NoTable(vec![why])
}

/// The rows of a JSON file: a list of objects, whose keys are the columns.
fn objects(bytes: &[u8]) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
    let form = "a list of objects, such as [{\"mail\": 1, \"opens\": 120}]";
    let objects: Vec<Map<String, Value>> =
        serde_json::from_slice(bytes).map_err(|why| format!("it is not {form}: {why}"))?;
    let mut columns: Vec<String> = Vec::new();
    for key in objects.iter().flat_map(Map::keys) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    let row =
        |object: &Map<String, Value>| columns.iter().map(|key| object.get(key).cloned().unwrap_or_default()).collect();
    let rows = objects.iter().map(row).collect();
    Ok((columns, rows))
}

/// Whether something can be attached to the run of `story` by `who`.
///
/// # Errors
/// If it is a rehearsal, or the project does not declare them.
pub fn may_attach(project: &Project, story: &Story, who: Who) -> Result<Who, Error> {
    let who = project.declared(who)?;
    if story.state().plan.mode != Mode::Live {
        return Err(Error::Refused { why: Refusal::Rehearsed, faults: None });
    }
    Ok(who)
}

/// Whether what is attached to a run counts although it is over.
pub(super) fn counts_when_over(say: &Say) -> bool {
    matches!(say, Say::Results { .. })
}

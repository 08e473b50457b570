//! The index of a folder: what each document said when it was last read, searched by the words that it holds. It is a cache
//! beside the journal: a document is read again when its file has changed, and without the index all are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::walk::{Found, documents};
use crate::failure::{Class, Failure};
use crate::file;
use crate::tool::part::args::{invalid, permanent};
use crate::tool::part::beneath;
use crate::tool::part::document::part::Part;

/// The form of the file; another one is made anew.
const VERSION: i64 = 2;
/// Documents that are read between two commits: a call that is given up has not worked in vain.
const FILES_PER_COMMIT: usize = 50;
/// Most words of a question.
const WORDS_MAX: usize = 32;
/// Letters from which on a word also finds what begins with it.
const BEGINNING_CHARS_MIN: usize = 4;

const SCHEMA: &str = "
CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, digest TEXT, left_out TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, nth INTEGER NOT NULL, place TEXT NOT NULL,
                    text TEXT NOT NULL, digest BLOB NOT NULL, UNIQUE (file, nth));
CREATE INDEX parts_by_digest ON parts (digest);
CREATE TABLE vectors (digest BLOB PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE embedded (one INTEGER PRIMARY KEY CHECK (one = 1), model TEXT NOT NULL, dimension INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(text, place, content = 'parts', content_rowid = 'id',
                                      tokenize = 'unicode61 remove_diacritics 2');
";

/// Where documents are, and where their index is kept.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) project: PathBuf,
    pub(super) root: String,
    pub(super) index: PathBuf,
    pub(super) file_bytes_max: u64,
}

/// The index as the files are now.
pub(super) struct Index {
    pub(super) connection: Connection,
}

/// A part that was found or asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) file: String,
    pub(super) nth: usize,
    pub(super) place: String,
    pub(super) digest: String,
    pub(super) text: String,
}

impl Index {
    /// Opens it, and reads what has changed since.
    pub(super) fn fresh(place: &Place, stopped: &AtomicBool) -> Result<Self, Failure> {
        let found = beneath::existing(&place.project, &place.root).map_err(|why| permanent(why.to_string()))?;
        let documents = documents(&found).map_err(permanent)?;
        let mut index = Self { connection: opened(&place.index).map_err(|why| engine(&why))? };
        index.refresh(place, &found, &documents, stopped)?;
        Ok(index)
    }

    fn refresh(
        &mut self,
        place: &Place,
        root: &Path,
        documents: &[Found],
        stopped: &AtomicBool,
    ) -> Result<(), Failure> {
        let known = self.known().map_err(|why| engine(&why))?;
        let is_there: std::collections::BTreeSet<&str> = documents.iter().map(|found| found.path.as_str()).collect();
        let gone: Vec<i64> =
            known.iter().filter(|(path, _)| !is_there.contains(path.as_str())).map(|(_, (id, _))| *id).collect();
        let changed: Vec<&Found> = documents
            .iter()
            .filter(|found| known.get(&found.path).is_none_or(|(_, stamp)| *stamp != found.stamp))
            .collect();
        if gone.is_empty() && changed.is_empty() {
            return Ok(());
        }
        let change = self.connection.transaction().map_err(|why| engine(&why))?;
        gone.iter().try_for_each(|id| forget(&change, *id)).map_err(|why| engine(&why))?;
        change.commit().map_err(|why| engine(&why))?;
        for some in changed.chunks(FILES_PER_COMMIT) {
            let change = self.connection.transaction().map_err(|why| engine(&why))?;
            for found in some {
                if stopped.load(Ordering::Relaxed) {
                    return Err(Failure::new(Class::Transient, "stopped while reading documents"));
                }
                let read = read(place, root, found);
                let id = known.get(&found.path).map(|(id, _)| *id);
                put(&change, id, found, read).map_err(|why| engine(&why))?;
            }
            change.commit().map_err(|why| engine(&why))?;
        }
        Ok(())
    }

    fn known(&self) -> rusqlite::Result<BTreeMap<String, (i64, String)>> {
        let mut all = self.connection.prepare("SELECT path, id, stamp FROM files")?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        rows.collect()
    }

    /// How many documents there are, and those that could not be read, each with why.
    pub(super) fn files(&self) -> Result<(usize, Vec<(String, String)>), Failure> {
        let count = |connection: &Connection| {
            let all: i64 =
                connection.query_row("SELECT count(*) FROM files WHERE left_out IS NULL", [], |row| row.get(0))?;
            let left = "SELECT path, left_out FROM files WHERE left_out IS NOT NULL ORDER BY path";
            let mut left = connection.prepare(left)?;
            let left = left.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((usize::try_from(all).unwrap_or_default(), left.collect::<rusqlite::Result<Vec<_>>>()?))
        };
        count(&self.connection).map_err(|why| engine(&why))
    }

    /// The parts that hold some of these words, those first that say most of the rarest.
    pub(super) fn search(&self, query: &str, most: usize) -> Result<Vec<Hit>, Failure> {
        let words = words(query);
        if words.is_empty() {
            return Err(invalid("the query has no word"));
        }
        let sql = "SELECT f.path, p.nth, p.place, f.digest, p.text \
                   FROM words JOIN parts p ON p.id = words.rowid JOIN files f ON f.id = p.file \
                   WHERE words MATCH ?1 ORDER BY bm25(words, 1.0, 2.0), f.path, p.nth LIMIT ?2";
        self.hits(sql, params![words, i64::try_from(most).unwrap_or(i64::MAX)])
    }

    /// The ids of these parts, in the same order; none for a query without a word.
    pub(super) fn by_words(&self, query: &str, most: usize) -> Result<Vec<i64>, Failure> {
        let words = words(query);
        let found = || {
            let sql = "SELECT words.rowid FROM words JOIN parts p ON p.id = words.rowid JOIN files f ON f.id = p.file \
                       WHERE words MATCH ?1 ORDER BY bm25(words, 1.0, 2.0), f.path, p.nth LIMIT ?2";
            let mut found = self.connection.prepare_cached(sql)?;
            let found = found.query_map(params![words, i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?;
            found.collect::<rusqlite::Result<Vec<i64>>>()
        };
        if words.is_empty() { Ok(Vec::new()) } else { found().map_err(|why| engine(&why)) }
    }

    /// The parts with these ids, in this order.
    pub(super) fn of_parts(&self, ids: &[i64]) -> Result<Vec<Hit>, Failure> {
        let sql = "SELECT f.path, p.nth, p.place, f.digest, p.text FROM parts p JOIN files f ON f.id = p.file WHERE p.id = ?1";
        let hits = ids.iter().map(|id| self.hits(sql, params![id]));
        Ok(hits.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Parts of one document, from the `from`th on.
    pub(super) fn parts(&self, file: &str, from: usize, most: usize) -> Result<Vec<Hit>, Failure> {
        let known = "SELECT left_out FROM files WHERE path = ?1";
        let known: Option<Option<String>> =
            self.connection.query_row(known, [file], |row| row.get(0)).optional().map_err(|why| engine(&why))?;
        match known {
            None => return Err(invalid(format!("there is no document {file:?}: name one as a search gives it"))),
            Some(Some(why)) => return Err(invalid(format!("{file:?} is not read: {why}"))),
            Some(None) => {}
        }
        let sql = "SELECT f.path, p.nth, p.place, f.digest, p.text FROM parts p JOIN files f ON f.id = p.file \
                   WHERE f.path = ?1 AND p.nth >= ?2 ORDER BY p.nth LIMIT ?3";
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.hits(sql, params![file, number(from), number(most)])
    }

    fn hits(&self, sql: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Hit>, Failure> {
        let hits = || {
            let mut found = self.connection.prepare(sql)?;
            let hit = |row: &rusqlite::Row<'_>| {
                let nth: i64 = row.get(1)?;
                Ok(Hit {
                    file: row.get(0)?,
                    nth: usize::try_from(nth).unwrap_or_default(),
                    place: row.get(2)?,
                    digest: row.get(3)?,
                    text: row.get(4)?,
                })
            };
            found.query_map(with, hit)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        hits().map_err(|why| engine(&why))
    }
}

/// Words as the index is asked for them: each in quotes, so that none of them means anything to it.
fn words(query: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let more = if word.chars().count() >= BEGINNING_CHARS_MIN { "*" } else { "" };
        let asked = format!("\"{word}\"{more}");
        if !words.contains(&asked) && words.len() < WORDS_MAX {
            words.push(asked);
        }
    }
    words.join(" OR ")
}

/// What a document says, with the digest of its bytes; or why that is not known.
fn read(place: &Place, root: &Path, found: &Found) -> Result<(String, Vec<Part>), String> {
    if found.bytes > place.file_bytes_max {
        return Err(format!("it has {} bytes, more than {} (file_bytes_max)", found.bytes, place.file_bytes_max));
    }
    let path = beneath::existing(root, &found.path).map_err(|why| why.to_string())?;
    let bytes = file::bytes(&path, place.file_bytes_max + 1).map_err(|why| file::words(&why))?;
    if bytes.len() as u64 > place.file_bytes_max {
        return Err(format!("it has more than {} bytes (file_bytes_max)", place.file_bytes_max));
    }
    let parts = found.form.parts(&path, &bytes)?;
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, parts))
}

fn put(
    change: &Connection,
    id: Option<i64>,
    found: &Found,
    read: Result<(String, Vec<Part>), String>,
) -> rusqlite::Result<()> {
    if let Some(id) = id {
        forget(change, id)?;
    }
    let (digest, left_out, parts) = match read {
        Ok((digest, parts)) => (Some(digest), None, parts),
        Err(why) => (None, Some(why), Vec::new()),
    };
    let sql = "INSERT INTO files (path, stamp, digest, left_out) VALUES (?1, ?2, ?3, ?4)";
    change.prepare_cached(sql)?.execute(params![found.path, found.stamp, digest, left_out])?;
    let file = change.last_insert_rowid();
    for (nth, part) in (1_i64..).zip(&parts) {
        let sql = "INSERT INTO parts (file, nth, place, text, digest) VALUES (?1, ?2, ?3, ?4, ?5)";
        change.prepare_cached(sql)?.execute(params![file, nth, part.place, part.text, known_by(&part.text)])?;
        let sql = "INSERT INTO words (rowid, text, place) VALUES (?1, ?2, ?3)";
        change.prepare_cached(sql)?.execute(params![change.last_insert_rowid(), part.text, part.place])?;
    }
    Ok(())
}

/// What a text is known by: a part that only moved keeps its vector.
fn known_by(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn forget(change: &Connection, file: i64) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO words (words, rowid, text, place) SELECT 'delete', id, text, place FROM parts WHERE file = ?1";
    change.prepare_cached(sql)?.execute([file])?;
    change.prepare_cached("DELETE FROM parts WHERE file = ?1")?.execute([file])?;
    change.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([file])?;
    Ok(())
}

/// The file of the index, made anew if it is of another form or no index at all.
fn opened(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent() {
        // Without it opening fails, and says why.
        drop(fs::create_dir_all(folder));
    }
    let attempt = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            VERSION => Ok(Some(connection)),
            0 => {
                connection
                    .execute_batch(&format!("BEGIN IMMEDIATE;{SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"))?;
                Ok(Some(connection))
            }
            _ => Ok(None),
        }
    };
    match attempt() {
        Ok(Some(connection)) => Ok(connection),
        Err(rusqlite::Error::SqliteFailure(why, _)) if why.code == rusqlite::ErrorCode::DatabaseBusy => {
            attempt_again(attempt)
        }
        // Two that make it at once meet here as well: the second finds it made.
        Ok(None) | Err(_) => {
            drop(fs::remove_file(path));
            attempt_again(attempt)
        }
    }
}

fn attempt_again(attempt: impl Fn() -> rusqlite::Result<Option<Connection>>) -> rusqlite::Result<Connection> {
    attempt()?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

pub(super) fn engine(why: &rusqlite::Error) -> Failure {
    let class = match why {
        rusqlite::Error::SqliteFailure(why, _)
            if matches!(why.code, rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) =>
        {
            Class::Transient
        }
        _ => Class::Permanent,
    };
    Failure::new(class, format!("the index of the documents fails: {why}"))
}

//! The `documents` kind: `NAME.search` and `NAME.read` over one folder of Markdown, text, HTML, DOCX and PDF files. Every hit
//! says its file, its place and the digest of the file's bytes, so that a claim can point at it.

mod docx;
mod form;
mod index;
mod pdf;
mod walk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::index::{Hit, Index, Place};
use super::open::{Ground, Open};
use super::part::args::read;
use super::part::duration::Milliseconds;
use super::part::outbox::blocking;
use super::part::{Error, beneath, tool_name};
use super::{Call, Callable, Declared, Look, Tool, Wrong};
use crate::failure::Work;
use crate::topology::code::Code;
use crate::topology::spec::{Labels, ToolSpec};

/// What `[tools.NAME]` says for `kind = "documents"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder, below the project.
    pub root: String,
    /// What the documents are; `untrusted` unless it says otherwise.
    #[serde(default = "labels")]
    pub labels: Labels,
    /// Largest file that is read; a larger one is left out, and that is told.
    #[serde(default = "file_bytes_max")]
    pub file_bytes_max: u32,
    /// Longest time of one call; the first one reads all documents.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
}

fn labels() -> Labels {
    Labels { untrusted: true, private: false }
}

fn file_bytes_max() -> u32 {
    16 << 20
}

fn call_timeout() -> Milliseconds {
    Milliseconds(120_000)
}

/// Hits of a search, unless it says how many.
const HITS: usize = 8;
/// Most hits of a search.
const HITS_MAX: usize = 30;
/// Parts that are read at once, unless it is said how many.
const PARTS: usize = 6;
/// Most parts that are read at once.
const PARTS_MAX: usize = 30;
/// Documents that are told by name where something is wrong with them.
const LEFT_OUT_MAX: usize = 20;

impl Open for Config {
    const KIND: &'static str = "documents";

    /// Documents are read when they are first searched.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        beneath::plain(&self.root).map_err(|why| Error::new(name, why.to_string()).of("root"))?;
        if self.file_bytes_max == 0 {
            return Err(Error::new(name, "file_bytes_max is 1 or more").of("file_bytes_max"));
        }
        let place = Place {
            project: ground.root.to_owned(),
            root: self.root.clone(),
            index: ground.records.join(".callsheet/documents").join(format!("{name}.db")),
            file_bytes_max: u64::from(self.file_bytes_max),
        };
        let shared = Arc::new(Shared { place, turn: Mutex::default() });
        let with = |spec: ToolSpec| ToolSpec { labels: self.labels, call_timeout_ms: self.call_timeout.0, ..spec };
        let search = with(search_spec(tool_name(name, "search")?));
        let read = with(read_spec(tool_name(name, "read")?));
        Ok(vec![
            Tool::callable(Documents { spec: search, act: Act::Search, shared: Arc::clone(&shared) }),
            Tool::callable(Documents { spec: read, act: Act::Read, shared }),
        ])
    }
}

fn search_spec(name: crate::id::ToolName) -> ToolSpec {
    let does = "Searches documents for words. Each hit is a part of one, with its file, its place in there, and the digest of the file.";
    let args = json!({
        "type": "object",
        "properties": {
            "query": { "type": "string", "description": "words that the answer would hold; a longer word also finds what begins with it" },
            "hits": { "type": "integer", "minimum": 1, "maximum": HITS_MAX, "description": format!("most hits; {HITS} if it is not said") },
        },
        "required": ["query"], "additionalProperties": false,
    });
    ToolSpec::callable(name, does, args).accepting_all(&["query"]).giving(json!({
        "type": "object",
        "properties": {
            "hits": { "type": "array", "items": part_schema() },
            "documents": { "type": "integer", "description": "that were searched" },
            "left_out": { "type": "array", "items": { "type": "string" }, "description": "documents that could not be read" },
        },
        "required": ["hits", "documents", "left_out"], "additionalProperties": false,
    }))
}

fn read_spec(name: crate::id::ToolName) -> ToolSpec {
    let args = json!({
        "type": "object",
        "properties": {
            "file": { "type": "string", "description": "as a hit gives it" },
            "part": { "type": "integer", "minimum": 1, "description": "the first part; 1 if it is not said" },
            "parts": { "type": "integer", "minimum": 1, "maximum": PARTS_MAX, "description": format!("how many; {PARTS} if it is not said") },
        },
        "required": ["file"], "additionalProperties": false,
    });
    let spec = ToolSpec::callable(name, "Reads a document, part by part.", args).accepting_all(&["file"]);
    spec.giving(json!({
        "type": "object",
        "properties": {
            "parts": { "type": "array", "items": part_schema() },
            "next": { "type": ["integer", "null"], "description": "the part after these, if there is one" },
        },
        "required": ["parts", "next"], "additionalProperties": false,
    }))
}

fn part_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "file": { "type": "string" },
            "part": { "type": "integer" },
            "place": { "type": "string", "description": "its headings, and its lines, paragraphs or page" },
            "digest": { "type": "string", "description": "SHA-256 of the file's bytes" },
            "text": { "type": "string" },
        },
        "required": ["file", "part", "place", "digest", "text"], "additionalProperties": false,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Search,
    Read,
}

struct Documents {
    spec: ToolSpec,
    act: Act,
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    /// Held by whoever reads what has changed.
    turn: Mutex<()>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sought {
    query: String,
    hits: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    file: String,
    part: Option<usize>,
    parts: Option<usize>,
}

impl Declared for Documents {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn example(&self) -> Option<Value> {
        let place = &self.shared.place;
        let root = beneath::existing(&place.project, &place.root).ok().filter(|_| self.act == Act::Read)?;
        Some(json!({ "file": walk::documents(&root).ok()?.first()?.path }))
    }

    fn look(&self) -> Look {
        if self.act == Act::Read {
            // One connection has two tools, and is told once.
            return Look::default();
        }
        let place = &self.shared.place;
        let root = beneath::existing(&place.project, &place.root);
        let found = match root {
            Err(beneath::Error::Unreadable { why, .. }) if why.kind() == std::io::ErrorKind::NotFound => {
                let wrong = Wrong::at(&["root"], Code::MissingFile, format!("there is no folder {}", place.root));
                let wrong = wrong.instead(format!("make {}, or name another folder", place.root));
                return Look { facts: Vec::new(), faults: vec![wrong.near(&place.project, &place.root)] };
            }
            Err(why) => Err(why.to_string()),
            Ok(root) => walk::documents(&root),
        };
        match found {
            Err(why) => Look { facts: Vec::new(), faults: vec![Wrong::at(&["root"], Code::Unreadable, why)] },
            Ok(found) => {
                let large = found.iter().filter(|found| found.bytes > place.file_bytes_max);
                let large = large
                    .map(|found| format!("not {}: {} bytes are more than file_bytes_max", found.path, found.bytes));
                let facts = std::iter::once(format!("{} documents below {}", found.len(), place.root));
                Look { facts: facts.chain(large.take(LEFT_OUT_MAX)).collect(), faults: Vec::new() }
            }
        }
    }
}

impl Callable for Documents {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let (name, act) = (self.spec.name.to_string(), self.act);
            // When nobody waits any more, reading ends at the next document.
            let stop = Stop::default();
            let (shared, stopped) = (Arc::clone(&self.shared), Arc::clone(&stop.0));
            blocking(move || match act {
                Act::Search => {
                    let sought: Sought = read(&name, call.args)?;
                    let index = shared.fresh(&stopped)?;
                    let hits = index.search(&sought.query, sought.hits.unwrap_or(HITS).clamp(1, HITS_MAX))?;
                    let (documents, left_out) = index.files()?;
                    let left_out = left_out.into_iter().take(LEFT_OUT_MAX).map(|(file, why)| format!("{file}: {why}"));
                    Ok(json!({
                        "hits": hits.iter().map(part).collect::<Vec<_>>(), "documents": documents,
                        "left_out": left_out.collect::<Vec<_>>(),
                    }))
                }
                Act::Read => {
                    let which: Which = read(&name, call.args)?;
                    let most = which.parts.unwrap_or(PARTS).clamp(1, PARTS_MAX);
                    let mut hits = shared.fresh(&stopped)?.parts(&which.file, which.part.unwrap_or(1), most + 1)?;
                    let next = if hits.len() > most { hits.pop().map(|hit| hit.nth) } else { None };
                    Ok(json!({ "parts": hits.iter().map(part).collect::<Vec<_>>(), "next": next }))
                }
            })
            .await
        })
    }
}

impl Shared {
    fn fresh(&self, stopped: &AtomicBool) -> Result<Index, crate::failure::Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Index::fresh(&self.place, stopped)
    }
}

fn part(hit: &Hit) -> Value {
    json!({ "file": hit.file, "part": hit.nth, "place": hit.place, "digest": hit.digest, "text": hit.text })
}

/// Set when nobody waits for the call any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

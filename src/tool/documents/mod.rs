//! The `documents` kind: `NAME.search` and `NAME.read` over one folder of Markdown, text, HTML, DOCX and PDF files. Every hit
//! says its file, its place and the digest of the file's bytes, so that a claim can point at it.

mod docx;
mod form;
mod index;
mod meaning;
mod pdf;
mod vectors;
mod walk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::index::{Hit, Index, Place};
use self::meaning::{Meaning, Shelf, Spent};
use super::open::{Ground, Open};
use super::part::args::read;
use super::part::duration::Milliseconds;
use super::part::outbox::blocking;
use super::part::{Error, beneath, tool_name};
use super::{Call, Callable, Declared, Look, Opened, Tool, Wrong};
use crate::failure::{Class, Failure, Work};
use crate::id::ToolName;
use crate::topology::code::Code;
use crate::topology::spec::{Labels, Reach, ToolSpec};

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
    /// The model that makes vectors of the documents and of each query, such as `openai/text-embedding-3-small`: its
    /// provider is told them. Without it, documents are searched by words alone.
    pub embed: Option<String>,
    /// Bytes of documents that one search tells that model at most.
    #[serde(default = "embed_bytes_max")]
    pub embed_bytes_max: u32,
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

fn embed_bytes_max() -> u32 {
    4 << 20
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
        let wrong = |why: String| Error::new(name, why).of("embed");
        let meaning = match &self.embed {
            Some(model) => Some(self.meaning(model, ground).map_err(wrong)?),
            None => None,
        };
        let with = |spec: ToolSpec| ToolSpec { labels: self.labels, call_timeout_ms: self.call_timeout.0, ..spec };
        let mut search = with(search_spec(tool_name(name, "search")?, meaning.is_some()));
        let refused = meaning.as_ref().filter(|(_, refuses_private)| *refuses_private);
        search.refuses_private = refused.map(|(meaning, _)| meaning.model.clone());
        if meaning.is_some() {
            (search.reach, search.asks_model) = (Reach::ReadsOut, true);
        }
        let is_refused = refused.is_some() && self.labels.private;
        let meaning = meaning.map(|(meaning, _)| meaning);
        let shared = Arc::new(Shared { place, turn: Mutex::default(), meaning, is_refused });
        let read = with(read_spec(tool_name(name, "read")?));
        Ok(vec![
            Tool::callable(Documents { spec: search, act: Act::Search, shared: Arc::clone(&shared) }),
            Tool::callable(Documents { spec: read, act: Act::Read, shared }),
        ])
    }
}

impl Config {
    /// What makes vectors, and whether it may not be told what is private.
    fn meaning(&self, model: &str, ground: &Ground<'_>) -> Result<(Meaning, bool), String> {
        let refuses_private = ground.embedder.refuses_private(model)?;
        let (model, embedder) = (model.to_owned(), Arc::clone(&ground.embedder));
        let bytes_max = usize::try_from(self.embed_bytes_max).unwrap_or(usize::MAX);
        Ok((Meaning { model, embedder, bytes_max, turn: tokio::sync::Mutex::default() }, refuses_private))
    }
}

fn search_spec(name: ToolName, by_meaning: bool) -> ToolSpec {
    let by = if by_meaning { "by words and by meaning" } else { "for words" };
    let does = format!(
        "Searches documents {by}. Each hit is a part of one, with its file, its place in there, and the digest of the file."
    );
    let args = json!({
        "type": "object",
        "properties": {
            "query": { "type": "string", "description": "words that the answer would hold; a longer word also finds what begins with it" },
            "hits": { "type": "integer", "minimum": 1, "maximum": HITS_MAX, "description": format!("most hits; {HITS} if it is not said") },
        },
        "required": ["query"], "additionalProperties": false,
    });
    ToolSpec::callable(name, &does, args).accepting_all(&["query", "hits"]).giving(json!({
        "type": "object",
        "properties": {
            "hits": { "type": "array", "items": part_schema() },
            "documents": { "type": "integer", "description": "that were searched" },
            "left_out": { "type": "array", "items": { "type": "string" }, "description": "documents that could not be read" },
            "by": { "type": "string", "enum": ["words", "words and meaning"], "description": "how the documents were searched" },
            "why": { "type": "string", "description": "what kept the search from being by meaning, too" },
            "told": {
                "type": "object", "description": "what the model that makes vectors was told for this search",
                "properties": {
                    "texts": { "type": "integer" }, "bytes": { "type": "integer" },
                    "tokens": { "type": ["integer", "null"], "description": "as its provider counted them, if it says" },
                },
                "required": ["texts", "bytes", "tokens"], "additionalProperties": false,
            },
        },
        "required": ["hits", "documents", "left_out", "by"], "additionalProperties": false,
    }))
}

fn read_spec(name: ToolName) -> ToolSpec {
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
    meaning: Option<Meaning>,
    /// The documents are private, and whoever makes vectors may not be told that.
    is_refused: bool,
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

    fn open(&self) -> Option<Work<'_, Opened>> {
        let meaning = self.shared.meaning.as_ref().filter(|_| self.act == Act::Search && !self.shared.is_refused)?;
        Some(Box::pin(async { meaning.open(&self.shared.fresh().await?).await }))
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
                let told = self.shared.meaning.as_ref().filter(|_| self.shared.is_refused).map(|meaning| {
                    let what = format!("the documents are private, and {} may not be told that", meaning.model);
                    let instead = "name a model that may be told, such as one on this machine, or take `embed` out";
                    Wrong::at(&["embed"], Code::NotToBeTold, what).instead(instead)
                });
                let large = found.iter().filter(|found| found.bytes > place.file_bytes_max);
                let large = large
                    .map(|found| format!("not {}: {} bytes are more than file_bytes_max", found.path, found.bytes));
                let facts = std::iter::once(format!("{} documents below {}", found.len(), place.root));
                Look { facts: facts.chain(large.take(LEFT_OUT_MAX)).collect(), faults: told.into_iter().collect() }
            }
        }
    }
}

impl Callable for Documents {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let name = self.spec.name.as_str();
            match self.act {
                Act::Search => self.shared.search(read(name, call.args)?, call.is_live).await,
                Act::Read => self.shared.read(read(name, call.args)?).await,
            }
        })
    }
}

impl Shared {
    /// The index as the files are now. When nobody waits any more, reading ends at the next document.
    async fn fresh(self: &Arc<Self>) -> Result<Shelf, Failure> {
        let stop = Stop::default();
        let (shared, stopped) = (Arc::clone(self), Arc::clone(&stop.0));
        let fresh = blocking(move || {
            let _turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
            Index::fresh(&shared.place, &stopped)
        });
        fresh.await.map(Shelf::new)
    }

    async fn search(self: &Arc<Self>, sought: Sought, is_live: bool) -> Result<Value, Failure> {
        let most = sought.hits.unwrap_or(HITS).clamp(1, HITS_MAX);
        let index = self.fresh().await?;
        let (mut spent, mut by, mut why) = (Spent::default(), "words", None);
        let mut hits = None;
        if let Some(meaning) = &self.meaning {
            let came = match () {
                () if !is_live => Err(Failure::new(Class::Policy, "no model runs here, so none is asked for vectors")),
                () if self.is_refused => {
                    Err(Failure::new(Class::Policy, "the documents are private, and it may not be told"))
                }
                () => meaning.search(&index, &sought.query, most, &mut spent).await,
            };
            match came {
                Ok(found) => {
                    by = "words and meaning";
                    hits = Some(found);
                }
                // One that has no key says so by its name.
                Err(Failure { reason, .. }) if reason.starts_with(&meaning.model) => why = Some(reason),
                Err(failure) => why = Some(format!("{}: {}", meaning.model, failure.reason)),
            }
        }
        let query = sought.query;
        let hits = match hits {
            Some(hits) => hits,
            None => index.work(move |index| index.search(&query, most)).await?,
        };
        let (documents, left_out) = index.work(|index| index.files()).await?;
        let left_out = left_out.into_iter().take(LEFT_OUT_MAX).map(|(file, why)| format!("{file}: {why}"));
        let mut found = json!({
            "hits": hits.iter().map(part).collect::<Vec<_>>(), "documents": documents,
            "left_out": left_out.collect::<Vec<_>>(), "by": by,
        });
        if self.meaning.is_some() && is_live {
            found["told"] = spent.told();
        }
        if let Some(why) = why {
            found["why"] = why.into();
        }
        Ok(found)
    }

    async fn read(self: &Arc<Self>, which: Which) -> Result<Value, Failure> {
        let most = which.parts.unwrap_or(PARTS).clamp(1, PARTS_MAX);
        let parts = move |index: &mut Index| index.parts(&which.file, which.part.unwrap_or(1), most + 1);
        let mut hits = self.fresh().await?.work(parts).await?;
        let next = if hits.len() > most { hits.pop().map(|hit| hit.nth) } else { None };
        Ok(json!({ "parts": hits.iter().map(part).collect::<Vec<_>>(), "next": next }))
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

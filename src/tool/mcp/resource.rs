//! `NAME.resources` and `NAME.resource`: what a server has to be read, and one of these as parts with their places and a
//! digest, like a document, so that a claim can point at it.

use std::sync::Arc;

use rmcp::model::ReadResourceResult;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::fitting;
use super::config::Resources;
use super::content::{Body, Content, digest, said};
use super::link::Link;
use super::shelf::Shelf;
use super::uris::{Uris, unusable};
use crate::failure::{Failure, Work};
use crate::id::ToolName;
use crate::tool::part::args::{invalid, permanent, quoted, read};
use crate::tool::part::document::part::{Part, TEXT_BYTES_MAX};
use crate::tool::part::document::{html, markdown, plain};
use crate::tool::part::outbox::blocking;
use crate::tool::{Call, Callable, Declared, Look, Opened, Wrong};
use crate::topology::code::Code;
use crate::topology::spec::{Labels, ToolSpec};

/// What lists.
pub(super) const LIST: &str = "resources";
/// What reads one.
pub(super) const READ: &str = "resource";

/// Resources that one call lists.
const LISTED_MAX: usize = 50;
/// Parts that are read at once, unless it is said how many.
const PARTS: usize = 6;
/// Most parts that are read at once.
const PARTS_MAX: usize = 30;

/// One of the two tools.
pub(super) struct Resource {
    pub(super) spec: ToolSpec,
    pub(super) act: Act,
    pub(super) uris: Uris,
    pub(super) link: Arc<Link>,
    /// It tells what is wrong with its server, since no tool does.
    pub(super) is_first: bool,
}

/// What is done with resources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    List,
    Read,
}

/// What both tools declare beside what they take and give.
pub(super) fn bounded(spec: ToolSpec, given: &Resources, labels: Labels, call_timeout_ms: u64) -> ToolSpec {
    ToolSpec { labels: given.labels.unwrap_or(labels), call_timeout_ms, reach: given.reach, ..spec }
}

pub(super) fn list_spec(name: ToolName, uris: &Uris) -> ToolSpec {
    let does = format!("Lists what can be read at {}, and the templates of what can be.", uris.words());
    let args = json!({
        "type": "object",
        "properties": {
            "words": { "type": "string", "description": "only those that say all these words of themselves" },
            "from": { "type": "integer", "minimum": 1, "description": "the first that is given; 1 if it is not said" },
        },
        "additionalProperties": false,
    });
    let text = json!({ "type": "string" });
    let of = |more: Value| {
        json!({
            "type": "object",
            "properties": {
                "uri": text, "name": text, "title": text, "description": text, "media_type": text, "bytes": more,
            },
            "required": ["uri", "name"], "additionalProperties": false,
        })
    };
    ToolSpec::callable(name, &does, args).giving(json!({
        "type": "object",
        "properties": {
            "resources": { "type": "array", "items": of(json!({ "type": "integer" })) },
            "templates": {
                "type": "array", "items": of(json!({ "type": "integer" })),
                "description": "addresses with {parts} to fill in; given with the first resources",
            },
            "all": { "type": "integer", "description": "how many there are" },
            "next": { "type": ["integer", "null"], "description": "the one after these, if there is one" },
        },
        "required": ["resources", "templates", "all", "next"], "additionalProperties": false,
    }))
}

pub(super) fn read_spec(name: ToolName, uris: &Uris) -> ToolSpec {
    let args = json!({
        "type": "object",
        "properties": {
            "uri": { "type": "string", "description": format!("as the list gives it, or a template filled in; one of: {}", uris.words()) },
            "part": { "type": "integer", "minimum": 1, "description": "the first part; 1 if it is not said" },
            "parts": { "type": "integer", "minimum": 1, "maximum": PARTS_MAX, "description": format!("how many; {PARTS} if it is not said") },
        },
        "required": ["uri"], "additionalProperties": false,
    });
    ToolSpec::callable(name, "Reads a resource, part by part.", args).giving(json!({
        "type": "object",
        "properties": {
            "parts": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "uri": { "type": "string" },
                    "part": { "type": "integer" },
                    "place": { "type": "string", "description": "its headings, and its lines" },
                    "digest": { "type": "string", "description": "SHA-256 of the text of the whole resource" },
                    "text": { "type": "string" },
                },
                "required": ["uri", "part", "place", "digest", "text"], "additionalProperties": false,
            } },
            "files": {
                "type": "array", "description": "what is no text, such as an image: it is described and not given",
                "items": {
                    "type": "object",
                    "properties": {
                        "uri": { "type": "string" }, "media_type": { "type": "string" },
                        "bytes": { "type": "integer" }, "digest": { "type": "string" },
                    },
                    "required": ["uri", "bytes", "digest"], "additionalProperties": false,
                },
            },
            "next": { "type": ["integer", "null"], "description": "the part after these, if there is one" },
        },
        "required": ["parts", "files", "next"], "additionalProperties": false,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sought {
    words: Option<String>,
    from: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    uri: String,
    part: Option<usize>,
    parts: Option<usize>,
}

impl Declared for Resource {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        let why = self.link.accepted().err().filter(|_| self.is_first);
        let wrong = why.map(|why| Wrong::at(&[self.link.place.key()], Code::Unaccepted, why));
        Look { facts: Vec::new(), faults: wrong.into_iter().collect() }
    }

    fn unset(&self) -> Vec<String> {
        self.link.place.unset()
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        // The list tells for both.
        (self.act == Act::List && self.link.accepted().is_ok()).then(|| -> Work<'_, Opened> {
            Box::pin(async {
                let (all, given) = {
                    let shelf = self.shelf().await?;
                    (shelf.resources.len(), self.given(shelf).resources.len())
                };
                Ok(format!("agents may read {given} of the {all} resources that its server lists").into())
            })
        })
    }
}

impl Callable for Resource {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let place = &self.link.place;
            match self.act {
                Act::List => {
                    let sought: Sought = read(self.spec.name.as_str(), call.args)?;
                    fitting(page(self.given(self.shelf().await?), &sought, place.result_bytes_max), place)
                }
                Act::Read => {
                    let which: Which = read(self.spec.name.as_str(), call.args)?;
                    self.allowed(&which.uri).map_err(invalid)?;
                    let session = self.link.session().await?;
                    let came = session.read(&which.uri).await.map_err(|broken| broken.failure(place, ""))?;
                    let contents = self.taken(came)?;
                    // Finding the parts of a long text takes its time.
                    let read = blocking(move || parts(&contents, &which)).await?;
                    fitting(read, place)
                }
            }
        })
    }
}

impl Resource {
    async fn shelf(&self) -> Result<Shelf, Failure> {
        let session = self.link.session().await?;
        let shelf = session.shelf().await.map_err(|broken| broken.failure(&self.link.place, ""))?;
        shelf.ok_or_else(|| permanent("its server says that it has no resources"))
    }

    /// What of it agents may read.
    fn given(&self, shelf: Shelf) -> Shelf {
        let uri = |of: &Map<String, Value>| of["uri"].as_str().unwrap_or_default().to_owned();
        Shelf {
            resources: shelf.resources.into_iter().filter(|of| self.uris.allow(&uri(of))).collect(),
            templates: shelf.templates.into_iter().filter(|of| self.uris.may_allow(&uri(of))).collect(),
            ..shelf
        }
    }

    /// A clause that says why `uri` is not read, if it is not.
    fn allowed(&self, uri: &str) -> Result<(), String> {
        if let Some(why) = unusable(uri) {
            return Err(format!("{} is not asked for: {why}", quoted(uri)));
        }
        if !self.uris.allow(uri) {
            return Err(format!("{} is not asked for: what can be is {}", quoted(uri), self.uris.words()));
        }
        Ok(())
    }

    /// What came, if it is what may be read: a server can answer with something else than it was asked for.
    fn taken(&self, came: ReadResourceResult) -> Result<Vec<Content>, Failure> {
        let contents: Vec<Content> = came.contents.into_iter().map(Content::read).collect();
        let bytes: usize = contents.iter().map(Content::bytes).sum();
        let most = self.link.place.resource_bytes_max.min(TEXT_BYTES_MAX);
        if bytes > most {
            return Err(invalid(format!("it has {bytes} bytes, and {most} are read (resources.bytes_max)")));
        }
        for content in &contents {
            self.allowed(&content.uri).map_err(|why| permanent(format!("its server answers something else: {why}")))?;
            if matches!(content.body, Body::Broken) {
                let uri = quoted(&content.uri);
                return Err(permanent(format!("what its server gives as {uri} is neither text nor base64")));
            }
        }
        Ok(contents)
    }
}

/// The resources that were sought, as many as are given at once.
fn page(shelf: Shelf, sought: &Sought, bytes_max: usize) -> Value {
    let words: Vec<String> =
        sought.words.iter().flat_map(|words| words.split_whitespace()).map(str::to_lowercase).collect();
    let says = |of: &Map<String, Value>| {
        let said = of.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" ").to_lowercase();
        words.iter().all(|word| said.contains(word))
    };
    let found: Vec<Value> = shelf.resources.into_iter().filter(says).map(Value::Object).collect();
    let (all, from) = (found.len(), sought.from.unwrap_or(1).max(1));
    let templates: Vec<Value> = match from {
        1 => shelf.templates.into_iter().filter(says).take(LISTED_MAX).map(Value::Object).collect(),
        _ => Vec::new(),
    };
    let (mut given, mut bytes) = (Vec::new(), 0);
    for resource in found.into_iter().skip(from - 1).take(LISTED_MAX) {
        bytes += resource.to_string().len();
        // A long list is read in more pages, rather than refused.
        if bytes > bytes_max / 2 && !given.is_empty() {
            break;
        }
        given.push(resource);
    }
    let next = Some(from + given.len()).filter(|next| *next <= all && !given.is_empty());
    json!({ "resources": given, "templates": templates, "all": all, "next": next })
}

/// The parts of what came that were asked for, and what of it is no text.
fn parts(contents: &[Content], which: &Which) -> Result<Value, Failure> {
    let (from, most) = (which.part.unwrap_or(1).max(1), which.parts.unwrap_or(PARTS).clamp(1, PARTS_MAX));
    let (mut given, mut files, mut nth) = (Vec::new(), Vec::new(), 0);
    for content in contents {
        let uri = &content.uri;
        match &content.body {
            Body::Text(text) => {
                let digest = digest(text.as_bytes());
                for Part { place, text } in of_text(content, text) {
                    nth += 1;
                    if nth >= from && given.len() < most {
                        given.push(json!({ "uri": uri, "part": nth, "place": place, "digest": digest, "text": text }));
                    }
                }
            }
            other => {
                let mut about = Map::from_iter([("uri".to_owned(), json!(uri))]);
                about.extend(content.media_type.iter().map(|kind| ("media_type".to_owned(), json!(said(kind)))));
                other.told(&mut about);
                files.push(Value::Object(about));
            }
        }
    }
    if given.is_empty() && nth > 0 {
        return Err(invalid(format!("it has {nth} parts, and no part {from}")));
    }
    let next = Some(from + given.len()).filter(|next| *next <= nth);
    Ok(json!({ "parts": given, "files": files, "next": next }))
}

/// A text as parts, by what its server says it is, or by how its address ends.
fn of_text(content: &Content, text: &str) -> Vec<Part> {
    let kind = content.media_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let ends = |endings: &[&str]| endings.iter().any(|ending| content.uri.to_ascii_lowercase().ends_with(ending));
    match kind.to_ascii_lowercase().as_str() {
        "text/markdown" | "text/x-markdown" => markdown(text),
        "text/html" | "application/xhtml+xml" => html(text),
        "" | "text/plain" if ends(&[".md", ".markdown"]) => markdown(text),
        "" if ends(&[".html", ".htm"]) => html(text),
        _ => plain(text),
    }
}

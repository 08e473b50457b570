//! The `files` kind: `NAME.list` and `NAME.read` below one directory, and `NAME.publish`, which writes approved
//! channel versions as Markdown or HTML into the run's folder, or into the folder that the table names for it.

mod publish;
pub mod target;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::open::{Ground, Open};
use super::part::args::{invalid, permanent, quoted, read};
use super::part::duration::Milliseconds;
use super::part::outbox::blocking;
use super::part::{Error, article, beneath, tool_name};
use super::{Call, Callable, Declared, Look, Tool};
use crate::failure::Failure;
use crate::failure::Work;
use crate::file;
use crate::topology::spec::{Labels, ToolSpec};
use publish::{Form, Publish, Wanted};

/// What `[tools.NAME]` says for `kind = "files"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory, below the project.
    pub root: String,
    /// What the files are: `private`, `untrusted`.
    #[serde(default)]
    pub labels: Labels,
    /// Where readers find a file, with `{name}` for its path without its ending; `read` gives it as `link`.
    pub link: Option<String>,
    /// The folder below the project that `publish` writes into, such as the content of a site generator; the run's own folder,
    /// `out/RUN`, unless it is named. Nothing in it is ever written over.
    pub publish_to: Option<String>,
    /// What a published text becomes: `markdown`, or `html`, a page without scripts, styles and pictures.
    #[serde(default)]
    pub publish_as: Form,
    /// What a published file is called, without its ending: `{channel}`, `{title}` and `{date}` stand for those of the text.
    /// `{channel}`, unless it says otherwise.
    pub publish_name: Option<String>,
    /// Largest file that is read.
    #[serde(default = "bytes_max")]
    pub bytes_max: u64,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
}

fn bytes_max() -> u64 {
    1 << 20
}

fn call_timeout() -> Milliseconds {
    Milliseconds(30_000)
}

/// Most files that are listed.
const FILES_MAX: usize = 1_000;
/// What stands in `link` for a file's path without its ending.
const NAME: &str = "{name}";
/// How deep directories are listed.
const DEPTH_MAX: usize = 8;

impl Open for Config {
    const KIND: &'static str = "files";

    /// Files are looked at when they are asked for.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        beneath::plain(&self.root).map_err(|why| Error::new(name, why.to_string()).of("root"))?;
        if let Some(link) = self.link.as_ref().filter(|link| !link.starts_with("https://") || !link.contains(NAME)) {
            let what = format!("link is {}: write an https address with {NAME} in it", quoted(link));
            return Err(Error::new(name, what).of("link"));
        }
        let place = Arc::new(Place {
            project: ground.root.to_owned(),
            root: self.root.clone(),
            link: self.link.clone(),
            bytes_max: self.bytes_max,
        });
        let (read, list) = (read_spec(name, &self)?, list_spec(name, &self)?);
        Ok(vec![
            Tool::callable(Files { spec: read, act: Act::Read, place: Arc::clone(&place) }),
            Tool::callable(Files { spec: list, act: Act::List, place }),
            Tool::outward(Publish::new(name, &self.publishes(), ground)?),
        ])
    }
}

impl Config {
    fn publishes(&self) -> Wanted<'_> {
        let (to, name) = (self.publish_to.as_deref(), self.publish_name.as_deref());
        Wanted { kind: Self::KIND, to, form: self.publish_as, name, call_timeout_ms: self.call_timeout.0 }
    }
}

fn read_spec(name: &str, config: &Config) -> Result<ToolSpec, Error> {
    let path = json!({
        "type": "object", "properties": { "path": { "type": "string", "description": "as the list of files gives it" } },
        "required": ["path"], "additionalProperties": false,
    });
    let spec = ToolSpec::callable(tool_name(name, "read")?, &reads(config), path).accepting_all(&["path"]);
    let spec = spec.giving(text_schema(config));
    Ok(ToolSpec { labels: config.labels, call_timeout_ms: config.call_timeout.0, ..spec })
}

fn list_spec(name: &str, config: &Config) -> Result<ToolSpec, Error> {
    let nothing = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let spec = ToolSpec::callable(tool_name(name, "list")?, "Lists the files that can be read.", nothing);
    let spec = spec.giving(json!({
        "type": "object",
        "properties": { "files": { "type": "array", "items": {
            "type": "object", "properties": { "path": { "type": "string" }, "bytes": { "type": "integer" } },
            "required": ["path", "bytes"], "additionalProperties": false,
        } } },
        "required": ["files"], "additionalProperties": false,
    }));
    Ok(ToolSpec { labels: config.labels, call_timeout_ms: config.call_timeout.0, ..spec })
}

/// What reading gives, as a schema.
fn text_schema(config: &Config) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "path": { "type": "string" }, "title": { "type": ["string", "null"] }, "text": { "type": "string" },
            "words": { "type": "integer" }, "bytes": { "type": "integer" },
            "front_matter": { "type": "string", "description": "only of a file that has some" },
        },
        "required": ["path", "title", "text", "words", "bytes"], "additionalProperties": false,
    });
    if config.link.is_some() {
        schema["properties"]["link"] = json!({ "type": "string" });
    }
    schema
}

/// What reading gives.
fn reads(config: &Config) -> String {
    let link = if config.link.is_some() { ", and the link where readers find it" } else { "" };
    format!("Reads one text file: its title (null if it has none), its text, how many words that has{link}.")
}

struct Files {
    spec: ToolSpec,
    act: Act,
    place: Arc<Place>,
}

#[derive(Clone, Copy)]
enum Act {
    Read,
    List,
}

struct Place {
    project: PathBuf,
    root: String,
    link: Option<String>,
    bytes_max: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Declared for Files {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        // One connection has several tools, and is told once.
        match self.act {
            Act::Read => {
                Look { facts: Vec::new(), faults: target::missing(&self.place.project, "root", &self.place.root) }
            }
            Act::List => Look::default(),
        }
    }

    fn example(&self) -> Option<Value> {
        let listed = self.place.list().ok().filter(|_| matches!(self.act, Act::Read))?;
        Some(json!({ "path": listed.pointer("/files/0/path")? }))
    }
}

impl Callable for Files {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let (name, place) = (self.spec.name.as_str(), Arc::clone(&self.place));
            match self.act {
                Act::Read => {
                    let which: Which = read(name, call.args)?;
                    blocking(move || place.read(&which.path)).await
                }
                Act::List => {
                    let Nothing {} = read(name, call.args)?;
                    blocking(move || place.list()).await
                }
            }
        })
    }
}

impl Place {
    fn read(&self, path: &str) -> Result<Value, Failure> {
        let missing = |why: beneath::Error| match why {
            beneath::Error::Unreadable { .. } => invalid(format!("there is no file {} to read", quoted(path))),
            other => invalid(other.to_string()),
        };
        let root = beneath::existing(&self.project, &self.root).map_err(|why| permanent(why.to_string()))?;
        let real = beneath::existing(&root, path).map_err(missing)?;
        let unreadable =
            |why: std::io::Error| permanent(format!("{} cannot be read: {}", quoted(path), file::words(&why)));
        file::regular(&real).map_err(|why| invalid(format!("{} {}", quoted(path), file::words(&why))))?;
        let bytes = file::bytes(&real, self.bytes_max.saturating_add(1)).map_err(unreadable)?;
        if bytes.len() as u64 > self.bytes_max {
            return Err(invalid(format!("{} has more than {} bytes (bytes_max)", quoted(path), self.bytes_max)));
        }
        let size = bytes.len();
        let article = article::read(path, bytes)?;
        let words = article.text.split_whitespace().count();
        let mut read =
            json!({ "path": path, "title": article.title(), "text": article.text, "words": words, "bytes": size });
        if let Some(front) = article.front_matter {
            read["front_matter"] = front.text.into();
        }
        if let Some(link) = &self.link {
            read["link"] = link.replace(NAME, &as_address(path)).into();
        }
        Ok(read)
    }

    fn list(&self) -> Result<Value, Failure> {
        let root = beneath::existing(&self.project, &self.root).map_err(|why| permanent(why.to_string()))?;
        let mut found = BTreeMap::new();
        walk(&root, "", DEPTH_MAX, &mut found)?;
        let files: Vec<_> = found.into_iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
        Ok(json!({ "files": files }))
    }
}

/// A file's path without its ending, as it stands in an address.
fn as_address(path: &str) -> String {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    let end = path[start..].rfind('.').filter(|at| *at > 0).map_or(path.len(), |at| start + at);
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path[..end].bytes().map(one).collect()
}

/// Collects regular files; hidden names and links are left out.
fn walk(directory: &Path, prefix: &str, depth: usize, found: &mut BTreeMap<String, u64>) -> Result<(), Failure> {
    let unreadable =
        |why: std::io::Error| permanent(format!("the files in {prefix:?} cannot be listed: {}", file::words(&why)));
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // A name that is not UTF-8 could not be asked for.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(unreadable)?;
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), &format!("{path}/"), depth - 1, found)?;
        } else if kind.is_file() {
            found.insert(path, entry.metadata().map_err(unreadable)?.len());
        }
        if found.len() > FILES_MAX {
            return Err(invalid(format!("there are more than {FILES_MAX} files: name one and read it")));
        }
    }
    Ok(())
}

//! Tests of topology: files in, a plan or every fault out.

mod bill;
mod caps;
mod editors;
mod gates;
mod mistakes;
mod project;
mod proofs;
mod questions;
mod splits;
mod spread;
mod teams;
pub(crate) mod written;

use std::collections::BTreeMap;
use std::path::Path;

use callsheet::config::{Flags, Settings};
use callsheet::topology::check::{Checked, Files, ReadError, Surroundings, check};
use callsheet::topology::fault::Faults;
use callsheet::topology::plan::Mode;
use callsheet::topology::spec::{Labels, Reach, Repeat, ToolSpec};
use serde_json::{Value, json};

/// The files of a project, in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let mut parts = vec![];
        for part in path.split('/') {
            if part == ".." {
                parts.pop().ok_or(ReadError::Outside)?;
            } else {
                parts.push(part);
            }
        }
        self.0.get(&parts.join("/")).cloned().ok_or(ReadError::Missing)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let below = |path: &String| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        self.0.keys().filter_map(below).collect()
    }
}

impl Memory {
    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.0[path].clone()).unwrap()
    }
}

pub(crate) fn cases() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The project in tests/cases/topology/base.
pub(crate) fn base() -> Memory {
    let mut memory = Memory::default();
    let root = cases().join("topology/base");
    for folder in ["topologies", "agents", "schemas", "rehearsals", "."] {
        for entry in root.join(folder).read_dir().unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            let name = entry.file_name().into_string().unwrap();
            let path = if folder == "." { name } else { format!("{folder}/{name}") };
            memory.0.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
    memory
}

fn tool(name: &str, reach: Reach, properties: Value, required: &[&str]) -> ToolSpec {
    ToolSpec {
        name: name.parse().unwrap(),
        description: format!("does {name}"),
        args: json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }),
        repeat: Repeat::Pure,
        reach,
        accepts: BTreeMap::new(),
        labels: Labels::default(),
        call_timeout_ms: 30_000,
        drafts: true,
        connection: None,
        data_args: Vec::new(),
        result: None,
    }
}

pub(crate) fn tools() -> Vec<ToolSpec> {
    let text = json!({ "type": "string" });
    let any = json!({});
    vec![
        tool("performance.query", Reach::Inside, json!({ "query": text, "params": { "type": "object" } }), &["query"]),
        tool("stats.rank", Reach::Inside, json!({ "rows": any, "base_min": { "type": "integer" } }), &["rows"]),
        tool("brand.search", Reach::Inside, json!({ "text": text }), &["text"]),
        tool(
            "email.deliver",
            Reach::ActsOut,
            json!({ "sequence": { "type": "object" }, "audience": { "type": "object" },
                    "from": { "type": "string", "pattern": "@" }, "pause_ms": { "type": "integer" } }),
            &["sequence", "audience", "from"],
        ),
        tool("posts.publish", Reach::ActsOut, json!({ "posts": { "type": "array" }, "campaign": text }), &["posts"]),
    ]
}

/// Surroundings as the base project's settings give them.
pub(crate) fn around(mode: Mode) -> Surroundings {
    let flags = Flags::default();
    let settings = Settings::read(&flags, &cases().join("topology/base"), BTreeMap::new()).unwrap();
    let mut around = settings.surroundings(mode, tools(), ["campaign_qa"]);
    around.people.insert("ben".to_owned(), vec![]);
    around
}

pub(crate) fn checked(name: &str, files: &Memory) -> Result<Checked, Faults> {
    check(name, files, &around(Mode::Rehearsal))
}

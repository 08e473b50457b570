//! Files in memory, and what a small team refers to. The product's tests share them.

use std::collections::BTreeMap;
use std::path::Path;

use callsheet_core::id::NanoUsd;
use callsheet_core::topology::check::{Files, ReadError, Surroundings};
use callsheet_core::topology::plan::{Mode, ModelSpec};
use callsheet_core::topology::spec::{Labels, Reach, Repeat, ToolSpec};
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

impl Memory {
    /// All files below `root`, which is text that is read for a test.
    pub(crate) fn below(root: &Path) -> Self {
        fn add(files: &mut Memory, root: &Path, folder: &Path) {
            for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    add(files, root, &path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.0.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = Self::default();
        add(&mut files, root, root);
        files
    }
}

/// A tool that is pure until somebody says otherwise.
pub(crate) fn tool(name: &str, reach: Reach, properties: Value, required: &[&str]) -> ToolSpec {
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
        quiet: None,
        hour: None,
        asks_model: false,
        refuses_private: None,
    }
}

/// What such teams refer to: one tool that acts on the world, one that asks it, one that does neither; one model; one person.
pub(crate) fn surroundings() -> Surroundings {
    let any = json!({});
    let send = tool("out.send", Reach::ActsOut, json!({ "a": any, "b": any, "s": any }), &[]);
    let mut look = tool("look.up", Reach::ReadsOut, json!({}), &[]);
    look.labels = Labels { private: true, untrusted: true };
    let count = tool("count.words", Reach::Inside, json!({}), &[]);
    let model = ModelSpec {
        model: "some/model".to_owned(),
        input_per_million: NanoUsd(3_000_000_000),
        output_per_million: NanoUsd(15_000_000_000),
        ..ModelSpec::default()
    };
    Surroundings {
        tools: [send, look, count].map(|spec| (spec.name.clone(), spec)).into(),
        models: BTreeMap::from([("default".to_owned(), model)]),
        ..Surroundings::nothing(Mode::Live)
    }
}

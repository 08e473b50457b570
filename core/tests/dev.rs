//! dev
extern crate callsheet_core as callsheet;
use callsheet::topology::check::{Files, ReadError, Surroundings};
use std::collections::{BTreeMap, BTreeSet};
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>);
impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.0.get(path).cloned().ok_or(ReadError::Missing)
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
pub(crate) mod written {
    use super::*;
    use callsheet::topology::plan::{Mode, ModelSpec};
    use callsheet::topology::spec::{Labels, Reach, Repeat, ToolSpec};
    use serde_json::{Value, json};
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
        }
    }
    pub(crate) fn surroundings() -> Surroundings {
        let any = json!({});
        let send = tool("out.send", Reach::ActsOut, json!({ "a": any, "b": any }), &[]);
        let look = tool("look.up", Reach::ReadsOut, json!({}), &[]);
        let count = tool("count.words", Reach::Inside, json!({}), &[]);
        Surroundings {
            tools: [send, look, count].map(|spec| (spec.name.clone(), spec)).into(),
            checks: BTreeMap::new(),
            models: BTreeMap::from([(
                "default".to_owned(),
                ModelSpec { model: "x/y".into(), accepts_private: true, ..ModelSpec::default() },
            )]),
            unpriced: BTreeSet::new(),
            nowhere: BTreeMap::new(),
            mode: Mode::Live,
            recording: None,
            single_person: true,
            people: BTreeMap::new(),
            queries: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }
}
#[path = "../../tests/it/topology/splits.rs"]
mod splits;
#[path = "../../tests/it/topology/spread.rs"]
mod spread;

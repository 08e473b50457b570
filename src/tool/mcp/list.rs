//! The tools that a server lists, as they are pinned: every word of them that could reach a model or a person counts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::id::Digest;

/// Most tools of one server.
pub(super) const TOOLS_MAX: usize = 256;
/// Most bytes of the whole list, as JSON.
pub(super) const LIST_BYTES_MAX: usize = 1 << 20;
/// How deep a tool's description may be nested: schemas are read by programs that go down it.
const DEPTH_MAX: usize = 32;

/// A list of tools, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(BTreeMap<String, Value>);

impl List {
    /// Takes what a server, or the lock file, lists.
    ///
    /// # Errors
    /// A clause, for people: what of it cannot be pinned.
    pub fn read(tools: impl IntoIterator<Item = Value>) -> Result<Self, String> {
        let (mut list, mut bytes) = (BTreeMap::new(), 0);
        for tool in tools {
            let name = tool["name"].as_str().unwrap_or_default().to_owned();
            if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(format!("it lists a tool that has no usable name: {name:?}"));
            }
            if depth(&tool) > DEPTH_MAX {
                return Err(format!("what it says of {name:?} is nested deeper than {DEPTH_MAX} levels"));
            }
            bytes += tool.to_string().len();
            if bytes > LIST_BYTES_MAX {
                return Err(format!("its list of tools has more than {LIST_BYTES_MAX} bytes"));
            }
            takes_object(&name, &tool)?;
            if list.insert(name.clone(), sorted(&tool)).is_some() {
                return Err(format!("it lists {name:?} twice"));
            }
            if list.len() > TOOLS_MAX {
                return Err(format!("it lists more than {TOOLS_MAX} tools"));
            }
        }
        Ok(Self(list))
    }

    /// What it is known by: another list has another one, and the same list in another order the same.
    pub fn digest(&self) -> Digest {
        let tools: Vec<String> = self.0.values().map(Value::to_string).collect();
        let parts: Vec<&[u8]> = tools.iter().map(String::as_bytes).collect();
        Digest::of("callsheet.mcp.list", &parts)
    }

    /// The tool that the server calls `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The tools, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// How `now` differs from this, a clause for each tool and each part of it.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let names: BTreeSet<&str> = self.names().chain(now.names()).collect();
        let mut changes = Vec::new();
        for name in names {
            match (self.get(name), now.get(name)) {
                (None, _) => changes.push(format!("{name} is new")),
                (_, None) => changes.push(format!("{name} is gone")),
                (Some(was), Some(is)) => {
                    let keys = |tool: &Value| tool.as_object().into_iter().flat_map(Map::keys).cloned().collect();
                    let keys: BTreeSet<String> =
                        [keys(was), keys(is)].into_iter().flat_map(|keys: Vec<_>| keys).collect();
                    let differs = keys.iter().filter(|key| was.get(*key) != is.get(*key));
                    changes.extend(differs.map(|key| format!("{name} has another {key}")));
                }
            }
        }
        changes
    }
}

/// Whether its arguments are an object with a schema that compiles: else no call could be examined.
fn takes_object(name: &str, tool: &Value) -> Result<(), String> {
    let schema = &tool["inputSchema"];
    let of_object = schema["type"].as_str() == Some("object");
    if !of_object || jsonschema::validator_for(schema).is_err() {
        return Err(format!("the schema of the arguments of {name:?} is none, or not that of an object"));
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    let deepest = |inner: &mut dyn Iterator<Item = &Value>| inner.map(depth).max().unwrap_or_default() + 1;
    match value {
        Value::Array(items) => deepest(&mut items.iter()),
        Value::Object(fields) => deepest(&mut fields.values()),
        _ => 0,
    }
}

/// The same with the keys of all its objects in order, however the features of a library keep them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

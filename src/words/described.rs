//! What a schema says of a part of a document: which fields it has, in which order, and what may stand there.

use serde_json::{Map, Value};

use crate::topology::order::ORDER;
use crate::topology::plan::Plan;
use crate::topology::pointer::keys;

/// A part of a document as its schema describes it, as far as it does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Described<'s> {
    root: Option<&'s Value>,
    at: Option<&'s Value>,
}

impl<'s> Described<'s> {
    /// The whole of a document.
    pub fn by(schema: Option<&'s Value>) -> Self {
        Self { root: schema, at: schema }
    }

    /// An artefact of this plan, by its name.
    pub fn artefact(plan: &'s Plan, name: &str) -> Self {
        Self::by(plan.schema(name))
    }

    /// The field of this name.
    pub fn field(self, name: &str) -> Self {
        self.to(|at| at.get("properties")?.get(name))
    }

    /// Each item of the list that it is.
    pub fn items(self) -> Self {
        self.to(|at| at.get("items"))
    }

    /// The part at this JSON pointer.
    pub fn part(self, pointer: &str) -> Self {
        keys(pointer).fold(self, |part, key| match part.of("properties") {
            Some(_) => part.field(&key),
            None => part.items(),
        })
    }

    /// What this keyword of the schema says of it.
    pub fn of(self, keyword: &str) -> Option<&'s Value> {
        self.at?.get(keyword)
    }

    /// Its type, `null` left out; none if it has several or none is said.
    pub fn kind(self) -> Option<&'s str> {
        match self.of("type")? {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => {
                let mut kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                kinds.next().filter(|_| kinds.next().is_none())
            }
            _ => None,
        }
    }

    /// The fields that it can have, in the order in which people read them.
    pub fn names(self) -> Vec<&'s str> {
        let known = self.of("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let mut names: Vec<&str> = known.map(String::as_str).collect();
        names.sort_by_key(|name| self.place(name));
        names
    }

    /// The fields of a value, in the order in which people read them.
    pub fn in_order(self, fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(name, _)| self.place(name));
        fields
    }

    /// Where a field stands among its siblings: those that are required first, in the order in which the schema requires them;
    /// it may list its properties in another one, in which a model has to think of them.
    fn place(self, name: &str) -> [usize; 2] {
        ["required", ORDER].map(|keyword| {
            let names = self.of(keyword).and_then(Value::as_array);
            names.and_then(|names| names.iter().position(|known| known == name)).unwrap_or(usize::MAX)
        })
    }

    fn to(self, step: impl Fn(&'s Value) -> Option<&'s Value>) -> Self {
        let at = self.at.and_then(step);
        let target = at.and_then(|at| at.get("$ref")?.as_str()?.strip_prefix('#'));
        let referred = target.and_then(|target| self.root?.pointer(target));
        Self { at: referred.or(at), ..self }
    }
}

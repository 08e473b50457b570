//! The body of a request while it is put together. It borrows what is long, or written already, so that a request is
//! written once, where a tree of values would copy each text and each schema several times.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::prompt::Schema;
use crate::topology::order;

/// JSON that is not written yet.
#[derive(Debug, Clone)]
pub(super) enum Json<'a> {
    Text(Cow<'a, str>),
    /// A schema, as it was written once for all requests.
    Schema(&'a Schema),
    Value(Cow<'a, Value>),
    List(Vec<Json<'a>>),
    Object(BTreeMap<&'a str, Json<'a>>),
}

/// An object with these fields.
pub(super) fn object<'a, const N: usize>(fields: [(&'a str, Json<'a>); N]) -> Json<'a> {
    Json::Object(fields.into())
}

/// A list of these.
pub(super) fn list<'a>(items: impl IntoIterator<Item = Json<'a>>) -> Json<'a> {
    Json::List(items.into_iter().collect())
}

impl<'a> Json<'a> {
    /// Puts a field into an object; anything else stays as it is.
    pub(super) fn put(&mut self, key: &'a str, value: impl Into<Json<'a>>) {
        if let Self::Object(fields) = self {
            fields.insert(key, value.into());
        }
    }

    /// A field of an object.
    pub(super) fn field(&mut self, key: &str) -> Option<&mut Json<'a>> {
        match self {
            Self::Object(fields) => fields.get_mut(key),
            _ => None,
        }
    }

    /// It as it is sent.
    pub(super) fn written(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(4_096);
        self.push(&mut json);
        json
    }

    fn push(&self, json: &mut Vec<u8>) {
        match self {
            Self::Text(text) => order::push_text(json, text),
            Self::Schema(schema) => json.extend_from_slice(schema.text().as_bytes()),
            Self::Value(value) => order::push(json, value),
            Self::List(items) => {
                json.push(b'[');
                for (nth, item) in items.iter().enumerate() {
                    json.extend((nth > 0).then_some(b','));
                    item.push(json);
                }
                json.push(b']');
            }
            Self::Object(fields) => {
                json.push(b'{');
                for (nth, (key, value)) in fields.iter().enumerate() {
                    json.extend((nth > 0).then_some(b','));
                    order::push_text(json, key);
                    json.push(b':');
                    value.push(json);
                }
                json.push(b'}');
            }
        }
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Json<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Json<'_> {
    fn from(is: bool) -> Self {
        Self::from(Value::from(is))
    }
}

impl From<u64> for Json<'_> {
    fn from(number: u64) -> Self {
        Self::from(Value::from(number))
    }
}

impl From<Value> for Json<'_> {
    fn from(value: Value) -> Self {
        Self::Value(Cow::Owned(value))
    }
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Self {
        Self::Value(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a Schema> for Json<'a> {
    fn from(schema: &'a Schema) -> Self {
        Self::Schema(schema)
    }
}

//! The order in which a schema names its properties, which JSON does not keep: it is written beside them, under a key of our
//! own. A model that fills a form in does so from its top to its bottom.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// The key beside `properties` that lists their names as the file has them.
pub const ORDER: &str = "x-order";

/// Reads a schema, with the order of properties beside them.
///
/// # Errors
/// If the text is no JSON.
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Ordered>(text).map(|ordered| ordered.value)
}

/// Writes a schema as JSON: properties in their order, and the order itself left out.
pub fn write(value: &Value) -> String {
    let mut json = Vec::new();
    push(&mut json, value);
    String::from_utf8(json).unwrap_or_default()
}

/// Writes `value` behind what is in `json`, as [`write()`] does.
pub fn push(json: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Array(list) => {
            json.push(b'[');
            for (nth, one) in list.iter().enumerate() {
                json.extend((nth > 0).then_some(b','));
                push(json, one);
            }
            json.push(b']');
        }
        Value::Object(map) => push_map(json, map),
        Value::String(text) => push_text(json, text),
        // Writing to memory does not fail.
        plain => drop(serde_json::to_writer(json, plain)),
    }
}

/// Writes `text` as a JSON string behind what is in `json`.
pub fn push_text(json: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(json, text);
}

fn push_map(json: &mut Vec<u8>, map: &Map<String, Value>) {
    let properties = map.get("properties").and_then(Value::as_object);
    let order = properties.and_then(|_| map.get(ORDER)).and_then(Value::as_array);
    json.push(b'{');
    let mut is_first = true;
    for (key, value) in map.iter().filter(|(key, _)| order.is_none() || *key != ORDER) {
        push_key(json, key, std::mem::take(&mut is_first));
        match (key.as_str(), properties, order) {
            ("properties", Some(properties), Some(order)) => push_in_order(json, properties, order),
            _ => push(json, value),
        }
    }
    json.push(b'}');
}

fn push_in_order(json: &mut Vec<u8>, properties: &Map<String, Value>, order: &[Value]) {
    let named: Vec<&str> = order.iter().filter_map(Value::as_str).filter(|key| properties.contains_key(*key)).collect();
    let rest = properties.keys().map(String::as_str).filter(|key| !named.contains(key));
    json.push(b'{');
    for (nth, key) in named.iter().copied().chain(rest).enumerate() {
        push_key(json, key, nth == 0);
        push(json, &properties[key]);
    }
    json.push(b'}');
}

fn push_key(json: &mut Vec<u8>, key: &str, is_first: bool) {
    json.extend((!is_first).then_some(b','));
    push_text(json, key);
    json.push(b':');
}

/// A value, and the names of its fields in their order.
struct Ordered {
    value: Value,
    names: Vec<String>,
}

impl Ordered {
    fn of(value: impl Into<Value>) -> Self {
        Self { value: value.into(), names: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Ordered;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
        Ok(Ordered::of(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
        Ok(Ordered::of(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
        Ok(Ordered::of(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
        Ok(Ordered::of(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
        Ok(Ordered::of(value))
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::of(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ordered, A::Error> {
        let mut values = Vec::new();
        while let Some(one) = list.next_element::<Ordered>()? {
            values.push(one.value);
        }
        Ok(Ordered::of(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Ordered, A::Error> {
        let (mut map, mut names, mut order) = (Map::new(), Vec::new(), None);
        while let Some((key, one)) = entries.next_entry::<String, Ordered>()? {
            if key == "properties" && one.value.is_object() {
                order = Some(one.names);
            }
            names.push(key.clone());
            map.insert(key, one.value);
        }
        // A property may be called `properties` itself: then what it holds is a schema, with a type or the like.
        if let Some(order) = order.filter(|_| map.contains_key("type")) {
            map.insert(ORDER.to_owned(), json!(order));
        }
        Ok(Ordered { value: Value::Object(map), names })
    }
}

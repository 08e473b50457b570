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

/// Writes a request as JSON: properties in their order, and the order itself left out.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    push(&mut text, value);
    text
}

fn push(text: &mut String, value: &Value) {
    match value {
        Value::Array(list) => {
            text.push('[');
            for (nth, one) in list.iter().enumerate() {
                text.push_str(if nth == 0 { "" } else { "," });
                push(text, one);
            }
            text.push(']');
        }
        Value::Object(map) => push_map(text, map),
        other => text.push_str(&other.to_string()),
    }
}

fn push_map(text: &mut String, map: &Map<String, Value>) {
    let properties = map.get("properties").and_then(Value::as_object);
    let order = properties.and_then(|_| map.get(ORDER)).and_then(Value::as_array);
    let mut comma = "{";
    let mut pair = |text: &mut String, key: &str, write: &dyn Fn(&mut String)| {
        text.push_str(comma);
        comma = ",";
        text.push_str(&Value::from(key).to_string());
        text.push(':');
        write(text);
    };
    for (key, value) in map.iter().filter(|(key, _)| order.is_none() || *key != ORDER) {
        match (key.as_str(), properties, order) {
            ("properties", Some(properties), Some(order)) => {
                pair(text, key, &|text| push_in_order(text, properties, order));
            }
            _ => pair(text, key, &|text| push(text, value)),
        }
    }
    text.push_str(if map.is_empty() { "{}" } else { "}" });
}

fn push_in_order(text: &mut String, properties: &Map<String, Value>, order: &[Value]) {
    let named: Vec<&str> = order.iter().filter_map(Value::as_str).filter(|key| properties.contains_key(*key)).collect();
    let rest = properties.keys().map(String::as_str).filter(|key| !named.contains(key));
    let mut comma = "{";
    for key in named.iter().copied().chain(rest) {
        text.push_str(comma);
        comma = ",";
        text.push_str(&Value::from(key).to_string());
        text.push(':');
        push(text, &properties[key]);
    }
    text.push_str(if properties.is_empty() { "{}" } else { "}" });
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

//! What a JSON Schema says that is taken, in words of a line: the same for tools and for what servers list.

use serde_json::Value;

/// The arguments that a schema declares, those first that are required, in the order in which it names them.
pub(super) fn arguments(schema: &Value) -> Vec<(String, &Value, bool)> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut all: Vec<_> = properties.map(|(name, of)| (name.clone(), of, required.contains(&name.as_str()))).collect();
    all.sort_by_key(|(name, ..)| required.iter().position(|needed| needed == name).unwrap_or(required.len()));
    all
}

/// A schema's type in words.
pub(super) fn kind(schema: &Value) -> String {
    let word = |of: &Value| of.as_str().unwrap_or("any").to_owned();
    let kind = match &schema["type"] {
        Value::Array(several) => several.iter().map(word).collect::<Vec<_>>().join(" or "),
        Value::Null => "anything".to_owned(),
        one => word(one),
    };
    let has_items = kind.contains("array") && !schema["items"]["properties"].is_object();
    let items = if has_items { schema["items"]["type"].as_str().map(|of| format!(" of {of}")) } else { None };
    let one_of = schema["enum"].as_array().map(|values| {
        let values: Vec<String> =
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
        format!(", one of {}", values.join(", "))
    });
    format!("{kind}{}{}", items.unwrap_or_default(), one_of.unwrap_or_default())
}

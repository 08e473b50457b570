//! What a person is asked to fill in, in words.

use serde_json::Value;

use super::paint::Safe;
use crate::id::Outcome;
use crate::service::form::Sheet;

/// The fields of a schema: name, whether it is needed, and what it takes.
pub(super) fn fields(schema: &Value) -> Vec<(String, bool, String)> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let word = |of: &Value| match of["enum"].as_array() {
        Some(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or "),
        None => match of["type"].as_str() {
            Some("string") => "a text".to_owned(),
            Some("integer") => "a whole number".to_owned(),
            Some("number") => "a number".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("array") => "a list, such as [\"a\", \"b\"]".to_owned(),
            Some("object") => "a table, such as { a = 1 }".to_owned(),
            _ => "a value".to_owned(),
        },
    };
    let mut all: Vec<_> = properties
        .iter()
        .map(|(name, of)| {
            let said = of["description"].as_str().map(|said| format!("; {said}")).unwrap_or_default();
            (name.clone(), required.contains(&name.as_str()), format!("{}{said}", word(of)))
        })
        .collect();
    // Those that are needed first, as the schema lists them.
    all.sort_by_key(|(name, _, _)| required.iter().position(|of| of == name).unwrap_or(usize::MAX));
    all
}

/// What an answer takes.
pub(super) fn takes(sheet: &Sheet) -> String {
    let mut text = String::new();
    for (name, schema) in &sheet.writes {
        for (field, is_needed, what) in fields(schema) {
            let path = if sheet.writes.len() > 1 { format!("{name}.{field}") } else { field };
            let needed = if is_needed { "" } else { " (may be left out)" };
            text.push_str(&format!("  {}={}{needed}\n", Safe(&path), Safe(&what)));
        }
    }
    if sheet.outcomes.len() > 1 {
        let words: Vec<&str> = sheet.outcomes.iter().map(Outcome::as_str).collect();
        text.push_str(&format!("  --outcome {}\n", words.join(" or ")));
    }
    if sheet.is_sentence {
        text.push_str("  -m \"the answer\"\n");
    }
    text
}

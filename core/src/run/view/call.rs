//! A call of a tool as people read it: what came back, in a few words that any tool's result has. What exactly was given and
//! returned is its detail.

use serde_json::{Map, Value};

use super::words::{brief_of, count, cut};
use crate::run::body::FailureReport;

/// How much of a result is told.
const PARTS_MAX: usize = 4;
/// How long a text may be to stand among other parts.
const PART_CHARS_MAX: usize = 60;
/// How much of a long text is told, where nothing else is.
const SAID_CHARS_MAX: usize = 100;
/// How long all of it may be.
const CHARS_MAX: usize = 140;

/// What `result` says, in words: how many rows of what, or the parts of it that say most.
pub(super) fn told(args: Option<&Value>, result: &Value) -> String {
    if let Some(report) = FailureReport::read(result) {
        return format!("no result: {}", report.error);
    }
    let given = args.and_then(Value::as_object);
    let text = match result {
        Value::Object(of) => match of.get("row_count").and_then(Value::as_u64) {
            Some(rows) => rows_of(rows, given),
            None => format!("{}{}", asked(given), parts(of, given)),
        },
        Value::Array(list) => format!("{}{}", asked(given), count(list.len(), "item")),
        other => format!("{}{}", asked(given), brief_of(other)),
    };
    cut(&text, CHARS_MAX)
}

/// What was given and what was returned, as data in one line.
pub(super) fn detail(args: Option<&Value>, result: &Value) -> String {
    match args {
        Some(args) => format!("{} -> {}", brief_of(args), brief_of(result)),
        None => brief_of(result),
    }
}

/// The answer of a query: its rows, its name, and what it was asked with.
fn rows_of(rows: u64, given: Option<&Map<String, Value>>) -> String {
    let rows = count(usize::try_from(rows).unwrap_or(usize::MAX), "row");
    let query = given.and_then(|given| given.get("query")?.as_str()).map(spaced);
    let with = given.and_then(|given| given.get("args")?.as_object()).into_iter().flatten();
    let with: Vec<String> =
        with.filter_map(|(name, value)| Some(format!("{} {}", spaced(name), plain(value)?))).collect();
    let with = if with.is_empty() { String::new() } else { format!(" ({})", with.join(", ")) };
    format!("{rows}{}{with}", query.map_or_else(String::new, |query| format!(" of {query}")))
}

/// What a tool was asked about: the rows that it was given, or the one text that names it.
fn asked(given: Option<&Map<String, Value>>) -> String {
    let Some(given) = given else { return String::new() };
    let rows = given.values().filter_map(Value::as_array).map(Vec::len).max();
    let text = given.values().find_map(Value::as_str).filter(|text| text.chars().count() <= PART_CHARS_MAX);
    match (rows, text) {
        (Some(rows), _) => format!("from {}: ", count(rows, "row")),
        (None, Some(text)) => format!("{text}: "),
        (None, None) => String::new(),
    }
}

/// The parts of a result that say most: what it names, what it says, how many there are. What was given is left out.
fn parts(of: &Map<String, Value>, given: Option<&Map<String, Value>>) -> String {
    let mut parts: Vec<(u8, String)> = Vec::new();
    for (key, value) in of {
        if given.is_some_and(|given| given.get(key) == Some(value)) {
            continue;
        }
        let name = spaced(key);
        parts.extend(match value {
            Value::Object(inner) => inner.get("name").and_then(plain).map(|named| (0, format!("{name} {named}"))),
            Value::String(text) if text.contains("://") || text.chars().count() > PART_CHARS_MAX => None,
            Value::String(text) => Some((1, format!("{name} {text}"))),
            Value::Bool(is) => Some((2, if *is { name } else { format!("not {name}") })),
            Value::Array(list) => Some((3, format!("{} {name}", list.len()))),
            Value::Number(number) if number.is_f64() => Some((4, format!("{name} {number}"))),
            Value::Number(number) => Some((3, format!("{number} {name}"))),
            Value::Null => None,
        });
    }
    parts.sort_by_key(|(rank, _)| *rank);
    let parts: Vec<String> = parts.into_iter().take(PARTS_MAX).map(|(_, part)| part).collect();
    if parts.is_empty() { said(of, given) } else { parts.join(", ") }
}

/// What a result says that is nothing but texts, or something deeper: the parts of that, or the beginning of a text.
fn said(of: &Map<String, Value>, given: Option<&Map<String, Value>>) -> String {
    if let Some(Value::Object(data)) =
        of.get("data").filter(|data| data.as_object().is_some_and(|data| !data.is_empty()))
    {
        return parts(data, given);
    }
    let is_new = |key: &String, text: &str| given.and_then(|given| given.get(key)?.as_str()) != Some(text);
    let mut texts = of.iter().filter_map(|(key, value)| Some(value.as_str()?).filter(|text| is_new(key, text)));
    let text = texts.find(|text| !text.contains("://")).or_else(|| texts.next());
    let words = text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty());
    words.map_or_else(|| "a result".to_owned(), |words| format!("{:?}", cut(&words, SAID_CHARS_MAX)))
}

/// A value that is one word or number; nothing for what has parts.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_told_in_words() {
        let check = |args: Value, result: Value, wanted: &str| {
            assert_eq!(told(Some(&args), &result), wanted);
            assert_eq!(detail(Some(&args), &result), format!("{} -> {}", brief_of(&args), brief_of(&result)));
        };
        let query = |args: Value| json!({ "query": "clicks_by_segment", "args": args });
        check(
            query(json!({ "quarter": "2026-Q3" })),
            json!({ "row_count": 18 }),
            "18 rows of clicks by segment (quarter 2026-Q3)",
        );
        check(query(json!({})), json!({ "row_count": 1, "rows": [[1]] }), "1 row of clicks by segment");
        check(json!({ "sql": "SELECT 1" }), json!({ "row_count": 0 }), "0 rows");
        check(
            json!({ "rows": [1, 2, 3], "k": "clicks", "base_min": 500 }),
            json!({ "alpha": 0.05, "base_min": 500, "tested": 5, "segments": [1, 2], "weakest": { "name": "lapsed_eu", "k": 1 } }),
            "from 3 rows: weakest lapsed_eu, 2 segments, 5 tested, alpha 0.05",
        );
        check(
            json!({ "path": "ferns.md" }),
            json!({ "path": "ferns.md", "title": "Ferns", "words": 277, "link": "https://example.com", "text": "# Ferns\n".repeat(20) }),
            "ferns.md: title Ferns, 277 words",
        );
        check(json!({}), json!({ "files": ["a", "b"] }), "2 files");
        check(
            json!({}),
            json!({ "p_value": 0.03, "significant": false, "deep": { "k": 1 } }),
            "not significant, p value 0.03",
        );
        check(json!({}), json!({}), "a result");
        let long = "The  shop's\nferns sold best in the west. ".repeat(5);
        check(
            json!({}),
            json!({ "text": long }),
            "\"The shop's ferns sold best in the west. The shop's ferns sold best in the west. The shop's ferns ...\"",
        );
        check(json!({}), json!({ "text": long, "data": { "sold": 5 } }), "5 sold");
        check(json!({ "q": long }), json!({ "q": long }), "a result");
        check(json!({}), json!(["a"]), "1 item");
        check(json!({}), json!("so it is"), "so it is");
        assert_eq!(told(None, &json!({ "row_count": 2 })), "2 rows");
        let long = told(None, &json!({ "a": "b".repeat(60), "c": "d".repeat(60), "e": "f".repeat(60) }));
        assert_eq!(long.chars().count(), CHARS_MAX);
    }
}

//! A document as the fields of a form, each named by its JSON pointer, and what a filled-in form makes of the document.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::parts::text;
use crate::topology::pointer::{below, parent};
use crate::words::described::Described;

/// What a browser sends of a form.
pub(super) type Fields = BTreeMap<String, String>;

/// A field for each part of a document, and for each that its schema would have there as well. Names begin with `prefix`.
pub(super) fn inputs(prefix: &str, of: &Value, at: &str, described: Described<'_>) -> Markup {
    html! {
        @match of {
            Value::Object(fields) => {
                @for (name, field) in described.in_order(fields) {
                    (labelled(prefix, name, field, &below(at, name), described.field(name)))
                }
                @for name in described.names().into_iter().filter(|name| !fields.contains_key(*name)) {
                    (labelled(prefix, name, &Value::Null, &below(at, name), described.field(name)))
                }
            },
            Value::Array(items) => {
                @for (nth, item) in items.iter().enumerate() {
                    @let at = below(at, &nth.to_string());
                    fieldset.nested {
                        legend {
                            (nth + 1)
                            label.leave-out { input type="checkbox" name=(format!("{LEFT_OUT}{at}")); " leave out" }
                        }
                        (inputs(prefix, item, &at, described.items()))
                    }
                }
                @if !items.is_empty() { button.button.small name=(ONE_MORE) value=(at) { "One more like the last" } }
            },
            plain => (input(&format!("{prefix}{at}"), plain, described)),
        }
    }
}

/// The name of a field that takes an item out of its list begins so.
const LEFT_OUT: &str = "leave out ";

/// The name of the field that says which list gets one more item.
const ONE_MORE: &str = "one more";

fn labelled(prefix: &str, name: &str, of: &Value, at: &str, described: Described<'_>) -> Markup {
    let says = described.of("description").and_then(Value::as_str).filter(|says| *says != name);
    html! {
        @if of.is_object() || of.is_array() {
            fieldset.nested { legend { (text(name)) } (inputs(prefix, of, at, described)) }
        } @else {
            label.field {
                span { (text(name)) }
                @if let Some(says) = says { small { (text(says)) } }
                (input(&format!("{prefix}{at}"), of, described))
            }
        }
    }
}

/// The field for a plain value, or for one that is not there.
fn input(name: &str, of: &Value, described: Described<'_>) -> Markup {
    let given = plain(of);
    if let Some(all) = described.of("enum").and_then(Value::as_array) {
        return choice(name, all.iter().map(plain), &given);
    }
    let limit = |keyword| described.of(keyword).and_then(Value::as_f64);
    let is_number = matches!(described.kind(), Some("integer" | "number")) && (of.is_number() || of.is_null());
    html! {
        @match described.kind().or_else(|| kind(of)) {
            Some("boolean") => (choice(name, ["true", "false"].map(str::to_owned), &given)),
            Some(kind) if is_number => input
                type="number" name=(name) value=(given) step=(if kind == "integer" { "1" } else { "any" })
                min=[limit("minimum")] max=[limit("maximum")];,
            Some("array" | "object") => textarea name=(name) rows="3" placeholder="as JSON" { "\n" (given) },
            Some("string") => textarea name=(name) rows=(rows(&given)) { "\n" (given) },
            _ => input type="text" name=(name) value=(given) placeholder="none";,
        }
    }
}

fn choice(name: &str, all: impl IntoIterator<Item = String>, given: &str) -> Markup {
    let all: Vec<String> = all.into_iter().filter(|one| !one.is_empty()).collect();
    html! {
        select name=(name) {
            // What is none of them is shown as it is: the checks say what is wrong with it.
            @if !all.iter().any(|one| one == given) { option selected value=(given) { (text(given)) } }
            @for one in &all { option selected[one == given] { (text(one)) } }
        }
    }
}

/// A plain value as it stands in a field: nothing for null.
fn plain(of: &Value) -> String {
    match of {
        Value::Null => String::new(),
        Value::String(words) => words.clone(),
        other => other.to_string(),
    }
}

fn kind(of: &Value) -> Option<&'static str> {
    match of {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn rows(words: &str) -> usize {
    let lines = words.lines().map(|line| line.chars().count() / 60 + 1).sum::<usize>();
    lines.clamp(1, 18)
}

/// The document with what a form says in its parts. What no type fits stays a text: the checks say what is wrong with it, and
/// nothing that somebody typed is lost.
pub(super) fn written(prefix: &str, before: &Value, fields: &Fields, described: Described<'_>) -> Value {
    let mut body = before.clone();
    for (name, given) in fields {
        let Some(at) = name.strip_prefix(prefix).filter(|at| at.is_empty() || at.starts_with('/')) else { continue };
        let part = described.part(at);
        match body.pointer_mut(at) {
            Some(value) => *value = typed(given, value, part),
            None => drop(add(&mut body, at, described, typed(given, &Value::Null, part))),
        }
    }
    if let Some(list) = fields.get(ONE_MORE).and_then(|at| body.pointer_mut(at)).and_then(Value::as_array_mut) {
        list.extend(list.last().cloned());
    }
    let left_out = fields.keys().filter_map(|name| parent(name.strip_prefix(LEFT_OUT)?));
    let mut left_out: Vec<(&str, usize)> = left_out.filter_map(|(list, nth)| Some((list, nth.parse().ok()?))).collect();
    // What is inside first, and each list from its end, so that the places of the others stay.
    left_out.sort_by_key(|(list, nth)| (list.matches('/').count(), *nth));
    for (list, nth) in left_out.into_iter().rev() {
        if let Some(list) = body.pointer_mut(list).and_then(Value::as_array_mut).filter(|list| nth < list.len()) {
            list.remove(nth);
        }
    }
    body
}

/// Puts a value where none was, if the schema has a field there. A field that is left empty is not there.
fn add(body: &mut Value, at: &str, described: Described<'_>, value: Value) -> Option<()> {
    let (above, name) = parent(at)?;
    let is_known = described.part(above).names().contains(&name.as_str());
    let fields: &mut Map<String, Value> = body.pointer_mut(above)?.as_object_mut()?;
    (is_known && !value.is_null()).then(|| fields.insert(name, value)).map(drop)
}

fn typed(given: &str, before: &Value, described: Described<'_>) -> Value {
    let given = given.replace("\r\n", "\n");
    if let Some(all) = described.of("enum").and_then(Value::as_array) {
        let chosen = all.iter().find(|one| plain(one) == given);
        return chosen.cloned().unwrap_or_else(|| if given.is_empty() { Value::Null } else { given.into() });
    }
    match described.kind().or_else(|| kind(before)) {
        _ if given.is_empty() && before.is_null() => Value::Null,
        Some("string") | None => given.into(),
        Some(_) => serde_json::from_str(&given).unwrap_or_else(|_| given.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: &Value, schema: &Value, given: &[(&str, &str)], wanted: Value) {
        let fields = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(written("at", before, &fields, Described::by(Some(schema))), wanted, "{given:?}");
    }

    #[test]
    fn a_form_changes_the_parts_that_it_names() {
        let before = json!({ "mails": [{ "subject": "old", "day": 0 }, { "subject": "two", "day": 4 }], "live": true, "note": null });
        let with = |pointer: &str, value: Value| {
            let mut body = before.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        let check = |given: &[(&str, &str)], wanted: Value| check(&before, &Value::Null, given, wanted);
        check(&[], before.clone());
        check(&[("at/mails/0/subject", "new\r\nline"), ("key", "k")], with("/mails/0/subject", json!("new\nline")));
        check(&[("at/mails/0/day", "7")], with("/mails/0/day", json!(7)));
        check(&[("at/live", "false")], with("/live", json!(false)));
        check(&[("at/note", "so"), ("at/none", "x")], with("/note", json!("so")));
        check(&[("at/note", "")], before.clone());
        // What is no number stays there to be mended.
        check(&[("at/mails/0/day", "four")], with("/mails/0/day", json!("four")));
        check(&[("leave out /mails/0", "on")], with("/mails", json!([{ "subject": "two", "day": 4 }])));
        check(&[("leave out /mails/1", "on"), ("leave out /mails/0", "on")], with("/mails", json!([])));
        check(&[("leave out /mails/7", "on"), ("leave out /live", "on"), ("one more", "/live")], before.clone());
        let mut more = before.clone();
        more["mails"].as_array_mut().unwrap().push(json!({ "subject": "two", "day": 4 }));
        check(&[("one more", "/mails")], more);
    }

    #[test]
    fn what_is_left_out_is_what_was_shown_there() {
        let lists = json!([["a", "b"], ["c"], ["d", "e"]]);
        let given = [("leave out /1", "on"), ("leave out /2/0", "on"), ("leave out /0/1", "on")];
        check(&lists, &Value::Null, &given, json!([["a"], ["e"]]));
    }

    #[test]
    fn a_form_adds_what_its_schema_has_and_nothing_else() {
        let schema = json!({ "type": "object", "required": ["title"], "properties": {
            "title": { "type": "string" }, "count": { "type": ["integer", "null"] }, "is_new": { "type": "boolean" },
            "tone": { "enum": ["calm", "loud", 3, null] }, "tags": { "type": "array", "items": { "type": "string" } } } });
        let check = |given: &[(&str, &str)], wanted: Value| check(&json!({}), &schema, given, wanted);
        check(&[("at/title", "42"), ("at/count", ""), ("at/other", "x"), ("at", "x")], json!("x"));
        check(&[("at/title", "42"), ("at/count", ""), ("at/other", "x")], json!({ "title": "42" }));
        check(&[("at/count", "42"), ("at/is_new", "true")], json!({ "count": 42, "is_new": true }));
        check(&[("at/tone", "loud"), ("at/tags", "[\"a\"]")], json!({ "tone": "loud", "tags": ["a"] }));
        check(&[("at/tone", "3"), ("at/tags", "[")], json!({ "tone": 3, "tags": "[" }));
        check(&[("at/tone", "")], json!({}));
    }
}

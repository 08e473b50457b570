//! Rule: what a rehearsal says literally is what the schema of its artefact, or of its tool, takes. What a template comes
//! to is not known before it is said.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::args::{lead, types};
use super::asks::is_rendered;
use super::draft::Draft;
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::raw::Tree;

/// Longest that a validator's own words are quoted.
const WORDS_MAX: usize = 160;

/// Tells of what a literal lacks, has too much, or has wrong; nothing of what is under one of the pointers `untold`.
pub(super) fn check(draft: &mut Draft<'_>, code: Code, of: &str, tree: &Tree, schema: &Value, untold: &[&str]) {
    // A schema that does not compile is told where it is.
    let Ok(validator) = jsonschema::validator_for(schema) else { return };
    let mut objects: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for error in validator.iter_errors(&tree.value) {
        let pointer = error.instance_path().as_str().to_owned();
        if untold.iter().any(|start| pointer.starts_with(start)) {
            continue;
        }
        let object = objects.entry(pointer.clone()).or_default();
        match error.kind() {
            ValidationErrorKind::Required { property } => object.0.extend(property.as_str().map(str::to_owned)),
            ValidationErrorKind::AdditionalProperties { unexpected } => object.1.extend(unexpected.clone()),
            _ if has_template(&error.instance().clone()) => {}
            _ => draft.faults.push(wrong(code, of, tree.pointed(&pointer), &error)),
        }
    }
    for (pointer, (missing, unexpected)) in objects {
        fields(draft, code, of, tree.pointed(&pointer), schema, (&pointer, missing, unexpected));
    }
}

/// Tells of fields that are missing or too many; where one is probably the other, once.
fn fields(
    draft: &mut Draft<'_>,
    code: Code,
    of: &str,
    tree: &Tree,
    schema: &Value,
    (pointer, mut missing, unexpected): (&str, Vec<String>, Vec<String>),
) {
    let keys: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
    let known = lead(schema, &keys).ok().flatten().and_then(|at| at.get("properties")).and_then(Value::as_object);
    let known: Vec<String> = known.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let within = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    for key in unexpected {
        let free = known.iter().map(String::as_str).filter(|name| tree.part(name).is_none());
        let meant =
            nearest(&key, missing.iter().map(String::as_str)).or_else(|| nearest(&key, free)).map(str::to_owned);
        missing.retain(|name| Some(name) != meant.as_ref());
        let place = tree.part(&key).map_or(&tree.place, |(at, _)| &at.place);
        let what = format!("`{of}` has no field `{key}`{within}");
        let mut fault = Fault::new(code, place, what, format!("there are: {}", known.join(", ")));
        (fault.given, fault.did_you_mean) = (meant.as_ref().map(|_| key), meant);
        draft.faults.push(fault);
    }
    // Where others are taken too, one of them may be what is missing, misspelt.
    let others: Vec<&At<String>> =
        tree.parts.iter().map(|(key, _)| key).filter(|key| !known.contains(&key.value)).collect();
    for name in missing {
        let misspelt = nearest(&name, others.iter().map(|key| key.value.as_str()));
        if let Some(key) =
            others.iter().find(|key| Some(key.value.as_str()) == misspelt).filter(|_| !tree.value.is_array())
        {
            let what = format!("`{of}` has no field `{}`{within}", key.value);
            let fault = Fault::new(code, &key.place, what, format!("there are: {}", known.join(", ")));
            draft.faults.push(fault.meaning(&key.value, Some(&name)));
            continue;
        }
        let what = format!("`{of}` lacks `{name}`{within}");
        draft.fault(code, &tree.place, what, format!("add {name} = ..."));
    }
}

fn wrong(code: Code, of: &str, tree: &Tree, error: &ValidationError<'_>) -> Fault {
    let given = tree.value.as_str().unwrap_or_default();
    if let ValidationErrorKind::Enum { options } = error.kind() {
        let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let what = format!("{} is none of the values that `{of}` takes here", tree.value);
        let fault = Fault::new(code, &tree.place, what, format!("there are: {}", options.join(", ")));
        return fault.meant(given, options);
    }
    let why: String = error.to_string().chars().take(WORDS_MAX).collect();
    Fault::new(code, &tree.place, format!("this is not what `{of}` takes: {why}"), "write what the schema takes")
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_rendered(text),
        Value::Array(list) => list.iter().any(has_template),
        Value::Object(object) => object.values().any(has_template),
        _ => false,
    }
}

/// Tells of parts of an artefact that a test expects, and that it cannot have.
pub(super) fn expected(draft: &mut Draft<'_>, of: &str, tree: &Tree, schema: &Value, keys: &mut Vec<String>) {
    for (key, part) in &tree.parts {
        // Of lists a test says the whole.
        if tree.value.is_array() {
            return;
        }
        keys.push(key.value.clone());
        match lead(schema, keys) {
            Err(lost) if lost.key == key.value => {
                let what = format!("`{of}` has no field `{}`", key.value);
                let fault = Fault::new(Code::Expectation, &key.place, what, lost.help("[0]"));
                draft.faults.push(fault.meant(&key.value, lost.known.iter().map(String::as_str)));
            }
            Ok(Some(at)) if part.value.is_object() || part.value.is_array() || fits(at, &part.value) => {
                expected(draft, of, part, schema, keys);
            }
            Ok(Some(at)) => {
                let kinds = types(at).unwrap_or_default().into_iter().collect::<Vec<_>>().join(" or ");
                let what = format!("`{}` of `{of}` is of type {kinds}", key.value);
                draft.fault(Code::Expectation, &part.place, what, format!("write a value of type {kinds}"));
            }
            _ => {}
        }
        keys.pop();
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    let Some(kinds) = types(schema) else { return true };
    kinds.iter().any(|kind| match kind.as_str() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    })
}

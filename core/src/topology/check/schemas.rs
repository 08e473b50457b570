//! Rule: every artefact has a schema that is there and compiles, and checks that exist.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::draft::Draft;
use super::{names, schema_text};
use crate::id::ArtefactName;
use crate::topology::fault::{At, Code};
use crate::topology::order;
use crate::topology::plan::Artefact;
use crate::topology::raw::topology::Topology;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology) -> BTreeMap<ArtefactName, Artefact> {
    let mut artefacts = BTreeMap::new();
    for (name, artefact) in &raw.artefacts {
        let Some(parsed) = names::parse_free::<ArtefactName>(draft, name) else {
            draft.damaged = true;
            continue;
        };
        names::once(draft, &artefact.checks);
        for check in &artefact.checks {
            let known = draft.around.checks.keys().map(String::as_str);
            if !draft.around.checks.contains_key(&check.value) {
                draft.unknown(Code::UnknownCheck, check, "check", known);
            }
        }
        let Some(schema) = &artefact.schema else { continue };
        load(draft, schema);
        draft.kinds.insert(name.value.clone(), schema.value.clone());
        let checks = artefact.checks.iter().map(|at| at.value.clone()).collect();
        let same = artefact.same.iter().map(|(field, other)| (field.value.clone(), other.value.clone())).collect();
        artefacts.insert(parsed, Artefact { schema: schema.value.clone(), checks, same, of: None, section: None });
    }
    for (name, artefact) in &raw.artefacts {
        if let (Some(of), Ok(parsed)) = (&artefact.of, name.value.parse()) {
            let checks = artefact.checks.iter().map(|at| at.value.clone()).collect();
            artefacts.extend(list(draft, raw, name, of, checks).map(|list| (parsed, list)));
        }
    }
    artefacts
}

/// The list of all that branches write of one artefact.
fn list(
    draft: &mut Draft<'_>,
    raw: &Topology,
    name: &At<String>,
    of: &At<String>,
    checks: Vec<String>,
) -> Option<Artefact> {
    let part = draft.artefact(raw, of)?;
    draft.damaged |= part.as_str() != of.value;
    let (_, written) = raw.artefacts.iter().find(|(name, _)| name.value == part.as_str())?;
    if written.of.is_some() {
        let what = format!("`{}` would be a list of lists", name.value);
        let instead =
            "name an artefact that a member writes; where branches meet within a branch, let the join write one";
        draft.fault(Code::Collected, &of.place, what, instead);
        draft.damaged = true;
    }
    let kind = &written.schema.as_ref()?.value;
    // No file has such a name.
    let schema = format!("{kind}[]");
    if let Some(items) = draft.schemas.get(kind) {
        let whole = json!({ "type": "array", "items": within(items, true) });
        draft.schemas.insert(schema.clone(), whole);
    }
    draft.kinds.insert(name.value.clone(), schema.clone());
    draft.lists.extend(name.value.parse().map(|list| (part.clone(), list)));
    Some(Artefact { schema, checks, same: BTreeMap::new(), of: Some(part), section: None })
}

/// A schema as it stands under `items` of another one: its references lead to where it is now.
fn within(schema: &Value, is_top: bool) -> Value {
    match schema {
        Value::Object(map) => {
            let keys = map.iter().filter(|(key, _)| !(is_top && ["$id", "$schema"].contains(&key.as_str())));
            let moved = keys.map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some("#")) => (key.clone(), json!("#/items")),
                ("$ref", Some(to)) if to.starts_with("#/") => (key.clone(), json!(format!("#/items{}", &to[1..]))),
                _ => (key.clone(), within(value, false)),
            });
            Value::Object(moved.collect())
        }
        Value::Array(list) => list.iter().map(|value| within(value, false)).collect(),
        plain => plain.clone(),
    }
}

/// Looks at a schema that no artefact has.
pub(super) fn alone(draft: &mut Draft<'_>, schema: &At<String>) {
    load(draft, schema);
}

fn load(draft: &mut Draft<'_>, schema: &At<String>) {
    if draft.schemas.contains_key(&schema.value) || names::parse::<ArtefactName>(draft, schema).is_none() {
        return;
    }
    let path = format!("schemas/{}.json", schema.value);
    let Some((file, text)) = draft.text(&path, &schema.place) else { return };
    let value = match order::read(&text) {
        Ok(value) => value,
        Err(error) => {
            let at = offset(&text, error.line(), error.column());
            draft.faults.push(schema_text::syntax(&file, &text, &error.to_string(), at));
            return;
        }
    };
    if schema_text::check(draft, &file, &text, &value) {
        draft.schemas.insert(schema.value.clone(), value);
    }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

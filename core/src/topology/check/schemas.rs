//! Rule: every artefact has a schema that is there and compiles, and checks that exist.

use std::collections::BTreeMap;

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
        let checks = artefact.checks.iter().map(|at| at.value.clone()).collect();
        let same = artefact.same.iter().map(|(field, other)| (field.value.clone(), other.value.clone())).collect();
        artefacts.insert(parsed, Artefact { schema: schema.value.clone(), checks, same, of: None });
    }
    artefacts
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

//! Rule: a parameter's default has its type.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::Draft;
use super::names;
use crate::id::ArtefactName;
use crate::topology::fault::Code;
use crate::topology::plan::{Param, ParamKind};
use crate::topology::raw::topology::Topology;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology) -> BTreeMap<String, Param> {
    let mut params = BTreeMap::new();
    for (name, param) in &raw.params {
        // A parameter's name follows the rule of an artefact's.
        if names::parse::<ArtefactName>(draft, name).is_none() {
            continue;
        }
        let kind = param.kind.unwrap_or(ParamKind::String);
        if let (Some(default), Some(kind)) = (&param.default, param.kind)
            && !has_type(&default.value, kind)
        {
            let what = format!("the default of `{}` is not of type {}", name.value, word(kind));
            let instead = format!("write a default of type {}, or change the type", word(kind));
            draft.fault(Code::ParamDefault, &default.place, what, instead);
        }
        let default = param.default.as_ref().map(|at| at.value.clone());
        params.insert(name.value.clone(), Param { kind, default, description: param.description.clone() });
    }
    params
}

/// Whether a value has a parameter's type.
pub(super) fn has_type(value: &Value, kind: ParamKind) -> bool {
    match kind {
        ParamKind::String => value.is_string(),
        ParamKind::Integer => value.is_i64() || value.is_u64(),
        ParamKind::Number => value.is_number(),
        ParamKind::Boolean => value.is_boolean(),
    }
}

/// The type's name in files and in JSON Schema.
pub(super) fn word(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "string",
        ParamKind::Integer => "integer",
        ParamKind::Number => "number",
        ParamKind::Boolean => "boolean",
    }
}

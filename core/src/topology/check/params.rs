//! Rule: a parameter's default has its type, and lies within its bounds, which fit the type too.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::Draft;
use super::names;
use crate::id::ArtefactName;
use crate::topology::bounds::{Bounds, is_less};
use crate::topology::fault::{At, Code};
use crate::topology::plan::{Param, ParamKind};
use crate::topology::raw::topology::{self, Topology};

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
            let what = format!("the default of `{}` is not of type {}", name.value, kind.word());
            let instead = format!("write a default of type {}, or change the type", kind.word());
            draft.fault(Code::ParamDefault, &default.place, what, instead);
        }
        let bounds = param.kind.map(|kind| bounds(draft, &name.value, param, kind)).unwrap_or_default();
        if let Some(default) = param.default.as_ref().filter(|at| has_type(&at.value, kind) && !bounds.take(&at.value))
        {
            let words = bounds.words().unwrap_or_default();
            let what = format!("the default of `{}` is {}, and it is to be {words}", name.value, default.value);
            draft.fault(Code::ParamDefault, &default.place, what, format!("write a default that is {words}"));
        }
        let default = param.default.as_ref().map(|at| at.value.clone());
        params.insert(name.value.clone(), Param { kind, default, bounds, description: param.description.clone() });
    }
    params
}

/// What the values may be; what is told of it is left out.
fn bounds(draft: &mut Draft<'_>, name: &str, param: &topology::Param, kind: ParamKind) -> Bounds {
    let [minimum, maximum] = [("minimum", &param.minimum), ("maximum", &param.maximum)].map(|(key, at)| {
        let at = at.as_ref()?;
        if matches!(kind, ParamKind::String | ParamKind::Boolean) {
            let what = format!("`{name}` is of type {}, which has no {key}", kind.word());
            let instead = "take it out, write type = \"integer\" or \"number\", or list the values: one_of = [...]";
            draft.fault(Code::ParamDefault, &at.place, what, instead);
            return None;
        }
        if !has_type(&at.value, kind) {
            let what = format!("the {key} of `{name}` is not of type {}", kind.word());
            draft.fault(Code::ParamDefault, &at.place, what, format!("write a value of type {}", kind.word()));
        }
        at.value.as_number().cloned().map(|number| (number, &at.place))
    });
    let maximum = match (&minimum, maximum) {
        (Some((least, _)), Some((greatest, place))) if is_less(&greatest, least) => {
            let what = format!("the maximum of `{name}` is below its minimum, so no value will do");
            draft.fault(Code::ParamDefault, place, what, format!("write a maximum of {least} or more"));
            None
        }
        (_, maximum) => maximum,
    };
    let mut bounds =
        Bounds { minimum: minimum.map(|(least, _)| least), maximum: maximum.map(|(most, _)| most), one_of: vec![] };
    let Some(written) = &param.one_of else { return bounds };
    if written.value.as_array().is_none_or(Vec::is_empty) {
        let what = format!("one_of of `{name}` lists no value");
        draft.fault(
            Code::ParamDefault,
            &written.place,
            what,
            "write the values: one_of = [\"a\", \"b\"], or take it out",
        );
        return bounds;
    }
    for (_, value) in &written.parts {
        if !has_type(&value.value, kind) || !bounds.take(&value.value) {
            let range = bounds.words().map_or_else(String::new, |range| format!(", {range}"));
            let what = format!("{} in one_of of `{name}` is no {}{range}", value.value, kind.word());
            draft.fault(
                Code::ParamDefault,
                &value.place,
                what,
                format!("write a value of type {}{range}", kind.word()),
            );
        }
    }
    bounds.one_of = written.parts.iter().map(|(_, value)| value.value.clone()).collect();
    bounds
}

/// Whether a parameter is written with the very bounds of another.
pub(super) fn same_bounds(written: &topology::Param, bounds: &Bounds) -> bool {
    let number = |at: &Option<At<Value>>| at.as_ref().and_then(|at| at.value.as_number().cloned());
    let listed = written.one_of.as_ref().and_then(|one_of| one_of.value.as_array().cloned()).unwrap_or_default();
    (number(&written.minimum), number(&written.maximum), listed)
        == (bounds.minimum.clone(), bounds.maximum.clone(), bounds.one_of.clone())
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

//! Rule: a tool agent's arguments are those that the tool takes; literals are valid, paths lead somewhere, types agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::draft::Draft;
use crate::id::ArtefactName;
use crate::topology::fault::{At, Code, Fault, Place, nearest};
use crate::topology::plan::{Arg, Param};
use crate::topology::raw::topology::{self, Topology};
use crate::topology::spec::ToolSpec;

/// A tool agent's arguments as far as they could be made out.
#[derive(Debug)]
pub(super) struct Args {
    pub(super) by_name: BTreeMap<String, Arg>,
    /// Artefacts that they take from the desk.
    pub(super) artefacts: Vec<(ArtefactName, Place)>,
    /// False if a path's root is unknown.
    pub(super) complete: bool,
}

type Written = At<Vec<(At<String>, topology::Arg)>>;

pub(super) fn check(
    draft: &mut Draft<'_>,
    raw: &Topology,
    params: &BTreeMap<String, Param>,
    spec: &ToolSpec,
    written: &Written,
) -> Args {
    let mut args = Args { by_name: BTreeMap::new(), artefacts: vec![], complete: true };
    let takes = spec.args.get("properties").and_then(Value::as_object);
    let open = takes.is_none() || spec.args.get("additionalProperties").is_some_and(|more| more != &json!(false));
    let mut mistaken = BTreeSet::new();
    let needed: Vec<&str> =
        spec.args.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, arg) in &written.value {
        let schema = takes.and_then(|takes| takes.get(&name.value));
        // A tool that takes other arguments, too, still needs those that it requires.
        let missing =
            needed.iter().copied().filter(|known| !written.value.iter().any(|(name, _)| name.value == *known));
        if schema.is_none() && (!open || nearest(&name.value, missing).is_some()) {
            let known = takes.into_iter().flat_map(|takes| takes.keys().map(String::as_str));
            let meant = draft.unknown(Code::ToolArgument, name, &format!("argument of {}", spec.name), known);
            mistaken.extend(meant.map(str::to_owned));
        }
        match arg {
            topology::Arg::Value(literal) => {
                if let Some(schema) = schema {
                    valid(draft, spec, schema, name, literal);
                }
                args.by_name.insert(name.value.clone(), Arg::Value(literal.value.clone()));
            }
            topology::Arg::Path(path) => {
                let whole = Path { raw, params, spec, schema };
                match whole.check(draft, path) {
                    Some((root, keys, artefact)) => {
                        args.artefacts.extend(artefact.map(|artefact| (artefact, path.place.clone())));
                        args.by_name.insert(name.value.clone(), Arg::Path { root, keys });
                    }
                    None => args.complete = false,
                }
            }
        }
    }
    args.complete &= required(draft, raw, spec, written, &mistaken);
    args
}

/// Tells of the arguments that are missing; whether there is none.
fn required(
    draft: &mut Draft<'_>,
    raw: &Topology,
    spec: &ToolSpec,
    written: &Written,
    mistaken: &BTreeSet<String>,
) -> bool {
    let required = spec.args.get("required").and_then(Value::as_array);
    let mut missing =
        required.into_iter().flatten().filter_map(Value::as_str).filter(|name| {
            !mistaken.contains(*name) && !written.value.iter().any(|(written, _)| written.value == *name)
        });
    let missing: Vec<&str> = missing.by_ref().collect();
    if missing.is_empty() {
        return true;
    }
    let names = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
    let arguments = if missing.len() == 1 { "argument" } else { "arguments" };
    let what = format!("{} needs the {arguments} {names}", spec.name);
    let artefacts = raw.artefacts.iter().map(|(name, _)| name.value.as_str()).collect::<Vec<_>>().join(", ");
    let ways: Vec<String> = missing.iter().map(|name| format!("{name} = \"...\"")).collect();
    let instead = format!(
        "write args = {{ {} }}, each a path into an artefact ({artefacts}), a parameter, or {{ value = ... }}",
        ways.join(", ")
    );
    draft.fault(Code::ToolArgument, &written.place, what, instead);
    false
}

fn valid(draft: &mut Draft<'_>, spec: &ToolSpec, schema: &Value, name: &At<String>, literal: &At<Value>) {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        for shared in ["$defs", "definitions"] {
            if let Some(defs) = spec.args.get(shared) {
                object.insert(shared.to_owned(), defs.clone());
            }
        }
    }
    // A tool's own schema that does not compile is the tool's fault, not the file's.
    let Ok(validator) = jsonschema::validator_for(&schema) else { return };
    if let Err(error) = validator.validate(&literal.value) {
        let why: String = error.to_string().chars().take(200).collect();
        let what = format!("`{}` is not what {} takes: {why}", name.value, spec.name);
        draft.fault(Code::ToolLiteral, &literal.place, what, "write { value = ... } with a value that the tool takes");
    }
}

/// Whether an outward tool takes only what a person can have approved.
pub(super) fn approvable(draft: &mut Draft<'_>, spec: &ToolSpec, written: &Written, delivers: &BTreeSet<ArtefactName>) {
    let message = written.value.iter().find_map(|(_, arg)| match arg {
        topology::Arg::Path(path) if path.value.split('.').next() == Some("message") => Some(path),
        _ => None,
    });
    if let Some(path) = message {
        let what = format!("{} acts on the world, and nobody approves a message", spec.name);
        draft.fault(
            Code::Unapprovable,
            &path.place,
            what,
            "let a member write it into an artefact, and a person approve that",
        );
    } else if delivers.is_empty() {
        let what = format!("{} acts on the world and takes no artefact that a person could approve", spec.name);
        draft.fault(
            Code::Unapprovable,
            &written.place,
            what,
            "take its arguments from artefacts: args = { body = \"sequence\" }",
        );
    }
}

/// What a path is checked against.
struct Path<'c> {
    raw: &'c Topology,
    params: &'c BTreeMap<String, Param>,
    spec: &'c ToolSpec,
    /// The schema of the argument that it fills.
    schema: Option<&'c Value>,
}

type Found = (String, Vec<String>, Option<ArtefactName>);

impl Path<'_> {
    fn check(&self, draft: &mut Draft<'_>, path: &At<String>) -> Option<Found> {
        let (root, keys) = draft.rooted(self.raw, &path.value);
        match root.as_str() {
            "params" => {
                self.param(draft, path, &keys)?;
                Some((root, keys, None))
            }
            "message" => {
                let fields = json!({ "type": "object", "properties": {
                    "from": { "type": "string" }, "outcome": { "type": "string" },
                    "note": { "type": "string" }, "round": { "type": "integer" } } });
                self.keys(draft, path, &fields, &keys)?;
                Some((root, keys, None))
            }
            _ => self.artefact(draft, path, root, keys),
        }
    }

    fn param(&self, draft: &mut Draft<'_>, path: &At<String>, keys: &[String]) -> Option<()> {
        let Some(name) = keys.first() else { return Some(()) };
        match self.params.get(name) {
            Some(param) => self.agree(draft, path, &json!({ "type": param.kind.word() }), &json!({})),
            None => {
                let at = At { value: name.clone(), place: path.place.clone() };
                draft.unknown(Code::ToolPath, &at, "parameter", self.params.keys().map(String::as_str));
                return None;
            }
        }
        Some(())
    }

    fn artefact(&self, draft: &mut Draft<'_>, path: &At<String>, root: String, keys: Vec<String>) -> Option<Found> {
        let at = At { value: root.clone(), place: path.place.clone() };
        let name = draft.readable(self.raw, &at)?;
        if let Some(schema) = draft.schema(&name) {
            self.keys(draft, path, &schema, &keys)?;
        }
        Some((root, keys, Some(name)))
    }

    fn keys(&self, draft: &mut Draft<'_>, path: &At<String>, schema: &Value, keys: &[String]) -> Option<()> {
        if let Some(at) = follow(draft, path, schema, keys)? {
            self.agree(draft, path, at, schema);
        }
        Some(())
    }

    /// Tells of types that have nothing in common.
    fn agree(&self, draft: &mut Draft<'_>, path: &At<String>, source: &Value, source_root: &Value) {
        let Some(target) = self.schema else { return };
        let all = || BTreeSet::new();
        let (has, takes) = (types(resolve(source_root, source)), types(resolve(&self.spec.args, target)));
        let (unknown, has, takes) =
            (has.is_none() || takes.is_none(), has.unwrap_or_else(all), takes.unwrap_or_else(all));
        let fits = |has: &String| takes.contains(has) || (has == "integer" && takes.contains("number"));
        if !unknown && !has.iter().any(fits) {
            let list = |types: &BTreeSet<String>| types.iter().cloned().collect::<Vec<_>>().join(" or ");
            let what = format!("`{}` is of type {}, {} takes {}", path.value, list(&has), self.spec.name, list(&takes));
            draft.fault(Code::ToolType, &path.place, what, "lead the path to a value of that type");
        } else if let Some((keys, what)) = lacks((source, source_root), (target, &self.spec.args), 0) {
            let of = if keys.starts_with("0.") { "each item of " } else { "" };
            let keys = keys.trim_start_matches("0.");
            let what =
                format!("{} needs `{keys}` in {of}`{}`, and by its schema it {what}", self.spec.name, path.value);
            let instead =
                format!("add `{keys}` to the schema of {of}`{}`, or lead the path to a value that has it", path.value);
            draft.fault(Code::ToolType, &path.place, what, instead);
        }
    }
}

/// Where a path leads nowhere: which of its keys is not there, and what is.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) key: String,
    /// The keys that are there.
    pub(super) known: Vec<String>,
    /// What is there instead of something with keys.
    pub(super) instead: Option<&'static str>,
}

impl Lost {
    /// What to write instead, where the first item of a list is written as `first`.
    pub(super) fn help(&self, first: &str) -> String {
        match self.instead {
            Some(LIST) => format!("it is a list: write {first} before `{}` for its first item", self.key),
            Some(other) => format!("it is {other}, which has nothing below it: leave `{}` out", self.key),
            None => format!("there are: {}", self.known.iter().take(12).cloned().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// What a list is called in faults.
const LIST: &str = "a list";

/// Follows the keys of a path through a schema, as far as it says what there is; none if it leads nowhere, which is told.
pub(super) fn follow<'v>(
    draft: &mut Draft<'_>,
    path: &At<String>,
    schema: &'v Value,
    keys: &[String],
) -> Option<Option<&'v Value>> {
    match lead(schema, keys) {
        Ok(found) => Some(found),
        Err(lost) => {
            let what = format!("`{}` leads nowhere: there is no `{}`", path.value, lost.key);
            let fault = Fault::new(Code::ToolPath, &path.place, what, lost.help("0."));
            draft.faults.push(fault.meant(&lost.key, lost.known.iter().map(String::as_str)));
            None
        }
    }
}

/// The same, told by whoever asks.
pub(super) fn lead<'v>(schema: &'v Value, keys: &[String]) -> Result<Option<&'v Value>, Lost> {
    let mut at = resolve(schema, schema);
    for key in keys {
        let composed = ["allOf", "anyOf", "oneOf"].iter().any(|word| at.get(word).is_some());
        let listed = at.get("items").filter(|_| key.bytes().all(|b| b.is_ascii_digit()));
        let next = at.get("properties").and_then(|properties| properties.get(key)).or(listed);
        match (next, at.get("properties").and_then(Value::as_object)) {
            (Some(next), _) => at = resolve(schema, next),
            (None, Some(properties)) if !composed => {
                let known = properties.keys().cloned().collect();
                return Err(Lost { key: key.clone(), known, instead: None });
            }
            _ => match without_keys(at).filter(|_| !composed) {
                Some(LIST) if key.bytes().all(|b| b.is_ascii_digit()) => return Ok(None),
                None => return Ok(None),
                instead => return Err(Lost { key: key.clone(), known: vec![], instead }),
            },
        }
    }
    Ok(Some(at))
}

/// What a value is that has no keys, if its schema says that it is nothing else.
fn without_keys(schema: &Value) -> Option<&'static str> {
    let kinds = types(schema)?;
    let mut kinds = kinds.iter().map(String::as_str).filter(|kind| *kind != "null");
    match (kinds.next()?, kinds.next()) {
        ("array", None) => Some(LIST),
        ("string", None) => Some("a text"),
        ("integer" | "number", None) => Some("a number"),
        ("boolean", None) => Some("true or false"),
        _ => None,
    }
}

/// How deep what a path leads to is compared with what a tool takes.
const COMPARED_DEPTH_MAX: usize = 8;

/// What a tool needs within an argument and the schema of its source does not have, or has of another type: the keys to
/// it, and what is wrong.
fn lacks(
    (has, has_root): (&Value, &Value),
    (takes, takes_root): (&Value, &Value),
    depth: usize,
) -> Option<(String, String)> {
    let (has, takes) = (resolve(has_root, has), resolve(takes_root, takes));
    if depth > 0
        && let (Some(found), Some(wanted)) = (types(has), types(takes))
        && !found.iter().any(|kind| wanted.contains(kind) || (kind == "integer" && wanted.contains("number")))
    {
        let list = |types: &BTreeSet<String>| types.iter().cloned().collect::<Vec<_>>().join(" or ");
        return Some((String::new(), format!("is of type {}, not {}", list(&found), list(&wanted))));
    }
    let composed = ["allOf", "anyOf", "oneOf"].iter().any(|word| has.get(word).is_some());
    if depth == COMPARED_DEPTH_MAX || composed {
        return None;
    }
    if let (Some(has), Some(takes)) = (has.get("items"), takes.get("items")) {
        let (keys, what) = lacks((has, has_root), (takes, takes_root), depth + 1)?;
        return Some((format!("0.{keys}").trim_end_matches('.').to_owned(), what));
    }
    let properties = has.get("properties")?.as_object()?;
    let required = takes.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for key in required {
        if !properties.contains_key(key) {
            return Some((key.to_owned(), "is not there".to_owned()));
        }
    }
    for (key, takes) in takes.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let Some(has) = properties.get(key) else { continue };
        if let Some((keys, what)) = lacks((has, has_root), (takes, takes_root), depth + 1) {
            return Some((format!("{key}.{keys}").trim_end_matches('.').to_owned(), what));
        }
    }
    None
}

/// The types that a schema says.
pub(super) fn types(schema: &Value) -> Option<BTreeSet<String>> {
    match schema.get("type")? {
        Value::String(one) => Some(BTreeSet::from([one.clone()])),
        Value::Array(many) => Some(many.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// Follows local references, a few.
pub(super) fn resolve<'v>(root: &'v Value, mut schema: &'v Value) -> &'v Value {
    for _ in 0..16 {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

//! Rule: a section is a part that its artefact's schema has, sections of one artefact do not overlap, and together with
//! whoever writes the whole they make all that the schema requires.
//!
//! A section is an artefact of its own, `report.pricing`, that is written and never read. Who reads or approves `report`
//! has it with all of its sections in their places. So that each of them can be examined by itself, the schema may say
//! nothing of the whole but which properties it has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::args::resolve;
use super::draft::{Draft, within};
use super::graph::Node;
use super::split::alone;
use crate::id::ArtefactName;
use crate::topology::fault::{At, Code, Fault};
use crate::topology::order::ORDER;
use crate::topology::plan::{Artefact, Section};
use crate::topology::raw::topology::Topology;
use crate::topology::raw::{Tree, rehearsal};

/// What the schema of an artefact with sections may say where it leads to them.
const OPEN: [&str; 13] = [
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "$comment",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "default",
    "examples",
];

/// Makes the sections known that members write, each an artefact with a part of the schema.
pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, artefacts: &mut BTreeMap<ArtefactName, Artefact>) {
    let mut found: Vec<(&At<String>, Section)> = vec![];
    for at in raw.team.iter().flat_map(|(_, member)| &member.writes) {
        let Some((of, key)) = split(raw, &at.value) else { continue };
        if found.iter().any(|(other, _)| other.value == at.value) {
            continue;
        }
        let section = of.parse::<ArtefactName>().ok().map(|of| Section { of, at: key.to_owned() });
        let section = section.filter(|section| is_one(draft, raw, at, section) && is_apart(draft, &found, at, section));
        match section {
            Some(section) => found.push((at, section)),
            None => {
                draft.damaged = true;
                draft.unsectioned.insert(of.to_owned());
            }
        }
    }
    for (at, section) in &found {
        declare(draft, artefacts, at, section);
    }
    let wholes: BTreeSet<&ArtefactName> = found.iter().map(|(_, section)| &section.of).collect();
    for whole in wholes {
        collected(draft, raw, whole);
        let of: Vec<_> = found.iter().filter(|(_, section)| section.of == *whole).collect();
        if let [(first, _), ..] = of[..] {
            made(draft, raw, whole, first);
        }
    }
}

/// The artefact that a name is a part of, and the keys that lead there.
fn split<'n>(raw: &Topology, name: &'n str) -> Option<(&'n str, &'n str)> {
    let artefacts = || raw.artefacts.iter().map(|(artefact, _)| artefact.value.as_str());
    if artefacts().any(|artefact| artefact == name) {
        return None;
    }
    let whole = within(name, artefacts())?.len();
    Some((&name[..whole], &name[whole + 1..]))
}

/// The artefact or section that a member writes.
pub(super) fn written(draft: &mut Draft<'_>, raw: &Topology, at: &At<String>) -> Option<ArtefactName> {
    if split(raw, &at.value).is_none() {
        return draft.artefact(raw, at);
    }
    // What is wrong with one that is none is told.
    draft.sections.contains_key(&at.value).then(|| at.value.parse().ok()).flatten()
}

/// What a line of a script writes: a section is one under its own name, and within a table of the whole, as TOML has
/// `writes.report.pricing`.
pub(super) fn of_line(draft: &Draft<'_>, line: &rehearsal::Line, own: &[String]) -> Vec<(At<String>, Tree)> {
    let mut written = vec![];
    for (name, value) in &line.writes {
        below(name, value, own, &mut written);
    }
    // What may be a section that is told to be none is no cause of its own.
    let is_told = |name: &str| {
        draft.unsectioned.iter().any(|of| name == of || within(name, std::iter::once(of.as_str())).is_some())
    };
    written.retain(|(name, _)| own.contains(&name.value) || !is_told(&name.value));
    written
}

fn below(name: &At<String>, value: &Tree, own: &[String], written: &mut Vec<(At<String>, Tree)>) {
    let begins = |own: &String| own.strip_prefix(&name.value).is_some_and(|rest| rest.starts_with('.'));
    if own.contains(&name.value) || !own.iter().any(begins) || value.parts.is_empty() {
        written.push((name.clone(), value.clone()));
        return;
    }
    for (key, part) in &value.parts {
        let name = At { value: format!("{}.{}", name.value, key.value), place: key.place.clone() };
        below(&name, part, own, written);
    }
}

/// Whether the schema has this part, and says nothing of what is around it that sections could break together.
fn is_one(draft: &mut Draft<'_>, raw: &Topology, at: &At<String>, section: &Section) -> bool {
    let whole = raw.artefacts.iter().find(|(name, _)| name.value == section.of.as_str());
    if whole.is_some_and(|(_, artefact)| artefact.of.is_some()) {
        let what = format!("`{}` is a list of what branches write: it is made where they meet", section.of);
        draft.fault(Code::Section, &at.place, what, "write the artefact that it is a list of");
        return false;
    }
    // What is wrong with the schema is told where that is.
    let Some(root) = draft.schema(&section.of) else { return false };
    let mut place = resolve(&root, &root);
    let mut passed = section.of.to_string();
    for key in section.at.split('.') {
        let properties = place.get("properties").and_then(Value::as_object);
        let Some(next) = properties.and_then(|properties| properties.get(key)) else {
            let known = || {
                properties.into_iter().flat_map(|known| known.keys()).map(String::as_str).filter(|key| *key != ORDER)
            };
            let instead = match known().next() {
                Some(_) => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
                None => format!("write \"{passed}\"; only what its schema lists under `properties` is a section"),
            };
            let what = format!("`{passed}` has no section `{key}` by its schema");
            draft.faults.push(Fault::new(Code::Section, &at.place, what, instead).meant(key, known()));
            return false;
        };
        let more = place
            .as_object()
            .and_then(|place| place.keys().find(|word| !OPEN.contains(&word.as_str()) && *word != ORDER));
        if let Some(word) = more {
            if draft.unsectioned.contains(section.of.as_str()) {
                return false;
            }
            let what = format!("the schema says `{word}` of `{passed}`, which sections could break together");
            let instead = format!("write `{passed}` whole, or take `{word}` out of schemas/");
            draft.fault(Code::Section, &at.place, what, instead);
            return false;
        }
        place = resolve(&root, next);
        passed = format!("{passed}.{key}");
    }
    if at.value.parse::<ArtefactName>().is_err() {
        let what = format!("{:?} is no name of a section", at.value);
        draft.fault(Code::Section, &at.place, what, "use lower-case letters, digits, '_' and '-', 63 bytes in all");
        return false;
    }
    true
}

/// Whether no section lies within this one, nor it within another.
fn is_apart(draft: &mut Draft<'_>, found: &[(&At<String>, Section)], at: &At<String>, section: &Section) -> bool {
    let is_in = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    let others = found.iter().filter(|(_, other)| other.of == section.of);
    let other =
        others.map(|(other, _)| other.value.as_str()).find(|other| is_in(other, &at.value) || is_in(&at.value, other));
    let Some(other) = other else { return true };
    let (inner, outer) = if is_in(&at.value, other) { (at.value.as_str(), other) } else { (other, at.value.as_str()) };
    let what = format!("the sections overlap: `{inner}` is a part of `{outer}`");
    draft.fault(Code::Section, &at.place, what, format!("write sections beside each other, or \"{outer}\" alone"));
    false
}

/// Puts a section among the artefacts: what is examined of the whole is examined of it.
fn declare(
    draft: &mut Draft<'_>,
    artefacts: &mut BTreeMap<ArtefactName, Artefact>,
    at: &At<String>,
    section: &Section,
) {
    let (Some(root), Ok(name)) = (draft.schema(&section.of), at.value.parse::<ArtefactName>()) else { return };
    let Some(whole) = artefacts.get(&section.of) else { return };
    let keys = section.at.split('.');
    let part = keys.fold(resolve(&root, &root), |place, key| resolve(&root, &place["properties"][key]));
    // No file has such a name.
    let schema = format!("{}#{}", whole.schema, section.at);
    draft.schemas.insert(schema.clone(), alone(&root, part));
    draft.kinds.insert(at.value.clone(), schema.clone());
    draft.sections.insert(at.value.clone(), section.clone());
    let field = |(field, other): (&String, &String)| {
        let below = field.strip_prefix(&section.at)?;
        let key = if below.is_empty() { Some("") } else { below.strip_prefix('.') };
        key.map(|key| (key.to_owned(), other.clone()))
    };
    let same = whole.same.iter().filter_map(field).collect();
    let artefact = Artefact { schema, checks: whole.checks.clone(), same, of: None, section: Some(section.clone()) };
    artefacts.insert(name, artefact);
}

/// Tells of a list of an artefact that is not written whole.
fn collected(draft: &mut Draft<'_>, raw: &Topology, whole: &ArtefactName) {
    let lists = raw.artefacts.iter().filter_map(|(_, artefact)| artefact.of.as_ref());
    let lists: Vec<&At<String>> = lists.filter(|of| of.value == whole.as_str()).collect();
    for of in lists {
        let what = format!("`{whole}` is written by sections, and a list is of what one member writes whole");
        draft.fault(Code::Collected, &of.place, what, format!("let a member of the branch write \"{whole}\""));
        draft.damaged = true;
    }
}

/// Tells of what the schema requires and nobody writes.
fn made(draft: &mut Draft<'_>, raw: &Topology, whole: &ArtefactName, first: &At<String>) {
    let is_whole = |at: &At<String>| at.value == whole.as_str();
    let has_writer = raw.team.iter().any(|(_, member)| member.writes.iter().any(is_whole));
    if has_writer || draft.damaged || draft.taken.contains(whole.as_str()) {
        return;
    }
    if let Some(missing) = missing(draft, whole) {
        let what = format!("nobody writes `{whole}.{missing}`, which the schema of `{whole}` requires");
        let instead = format!("let a member write \"{whole}.{missing}\", or one before it write \"{whole}\"");
        draft.fault(Code::Section, &first.place, what, instead);
        draft.damaged = true;
    }
}

/// What sections alone do not make of all that the schema requires.
fn missing(draft: &Draft<'_>, whole: &ArtefactName) -> Option<String> {
    let root = draft.schema(whole)?;
    let sections = draft.sections.values().filter(|section| section.of == *whole);
    let sections: Vec<&str> = sections.map(|section| section.at.as_str()).collect();
    lacking(&root, resolve(&root, &root), &sections)
}

fn lacking(root: &Value, place: &Value, sections: &[&str]) -> Option<String> {
    let required = place.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let begun = sections.iter().filter_map(|at| at.split('.').next());
    let keys: BTreeSet<&str> = required.chain(begun).collect();
    keys.into_iter().find_map(|key| {
        let below = |at: &&str| at.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')).map(str::len);
        let inner: Vec<&str> = sections.iter().filter_map(|at| Some(&at[at.len() - below(at)?..])).collect();
        if sections.contains(&key) {
            return None;
        }
        if inner.is_empty() {
            return Some(key.to_owned());
        }
        let next = resolve(root, &place["properties"][key]);
        lacking(root, next, &inner).map(|missing| format!("{key}.{missing}"))
    })
}

/// What members need, write and change, where there are sections. All sections are there when the whole is; the whole is
/// there when they all are, if they make it without anybody who writes it.
pub(super) fn on(draft: &Draft<'_>, mut nodes: Vec<Node>) -> Vec<Node> {
    let mut of: BTreeMap<&ArtefactName, Vec<ArtefactName>> = BTreeMap::new();
    for (name, section) in &draft.sections {
        of.entry(&section.of).or_default().extend(name.parse().ok());
    }
    let alone = |whole: &ArtefactName| !draft.taken.contains(whole.as_str()) && missing(draft, whole).is_none();
    for node in &mut nodes {
        for (whole, sections) in &of {
            let writes_section = sections.iter().any(|section| node.writes.contains(section));
            if node.writes.contains(*whole) {
                node.writes.extend(sections.iter().cloned());
            } else if writes_section {
                node.changes.insert((*whole).clone());
                // It sees the whole of what it writes a part of.
                node.reads.insert((*whole).clone());
            }
            if alone(whole)
                && let Some(at) = node.needs.iter().position(|(artefact, _)| artefact == *whole)
            {
                let (_, place) = node.needs.remove(at);
                node.needs.extend(sections.iter().map(|section| (section.clone(), place.clone())));
            }
        }
    }
    nodes
}

//! Rule: a split has branches, each of a member; a list that it is over is one, and says whose its items are.

use serde_json::Value;

use super::args::{lead, types};
use super::draft::Draft;
use super::names;
use super::recipient;
use super::seat::Seat;
use crate::id::{AgentName, ArtefactName};
use crate::topology::fault::{At, Code, Fault, Place, nearest};
use crate::topology::plan::{self, Over};
use crate::topology::raw::handoff::{self, Each, EachTo, Handoffs, Way};
use crate::topology::raw::topology::Topology;
use crate::topology::seen::rooted;

/// A split as far as the rules about paths need it.
#[derive(Debug, Clone)]
pub(super) struct Fan {
    /// The split as a plan has it, but for what it collects.
    pub(super) split: plan::Split,
    /// With whom its branches begin, by their places in the team.
    pub(super) begins: Vec<usize>,
    /// The artefact that its list is in, and where that is written.
    pub(super) list: Option<(ArtefactName, Place)>,
}

/// Makes the items of all splits known, before members are read that read them.
pub(super) fn items(draft: &mut Draft<'_>, raw: &Topology) {
    let ways = raw.handoffs.iter().flat_map(|(_, handoffs)| match handoffs {
        Handoffs::Only(way) => vec![way],
        Handoffs::By(ways) => ways.iter().map(|(_, way)| way).collect(),
    });
    for way in ways {
        if let Some(handoff::Over::Each(each)) = way.split.as_ref().map(|split| &split.over) {
            item(draft, raw, each);
        }
    }
}

/// Makes the item of one split known, with its schema: what the list's schema says of its items.
fn item(draft: &mut Draft<'_>, raw: &Topology, each: &Each) {
    let schema = list(draft, raw, &each.list);
    draft.damaged |= schema.is_none();
    let schema = schema.unwrap_or_else(|| serde_json::json!({}));
    if let EachTo::By(by, among, called) = &each.to {
        names_a_member(draft, &schema, &each.list, by, (among, called));
    }
    let name = &each.item;
    if names::parse_free::<ArtefactName>(draft, name).is_none() {
        draft.damaged = true;
    } else if raw.artefacts.iter().any(|(artefact, _)| artefact.value == name.value) {
        let what = format!("`{}` is an artefact, and an item of a split", name.value);
        draft.fault(Code::ItemName, &name.place, what, "give the item a name of its own: as = \"item\"");
        draft.damaged = true;
    } else {
        match draft.items.get(&name.value) {
            Some(other) if *other != schema => {
                let what = format!("`{}` is an item of another list too", name.value);
                draft.fault(Code::ItemName, &name.place, what, "give each item a name of its own: as = \"item\"");
                draft.damaged = true;
            }
            _ => drop(draft.items.insert(name.value.clone(), schema)),
        }
    }
}

/// What the items are of the list that a path leads to.
fn list(draft: &mut Draft<'_>, raw: &Topology, path: &At<String>) -> Option<Value> {
    let (root, keys) = draft.rooted(raw, &path.value);
    let at = At { value: root, place: path.place.clone() };
    let made = |draft: &Draft<'_>| draft.items.contains_key(&at.value);
    let collected = raw.artefacts.iter().any(|(name, of)| name.value == at.value && of.of.is_some());
    if collected || made(draft) {
        let what = format!("no member writes `{}`, so nobody can be asked for a shorter list", at.value);
        let instead = "split over a list in an artefact that a member writes";
        draft.fault(Code::SplitList, &path.place, what, instead);
        return None;
    }
    if draft.sections.values().any(|section| section.of.as_str() == at.value) {
        let what = format!("`{}` is written by sections, so a list in it may be nobody's", at.value);
        draft.fault(Code::SplitList, &path.place, what, "split over a list in an artefact that a member writes whole");
        return None;
    }
    let name = draft.artefact(raw, &at)?;
    // What is wrong with the schema is told where that is.
    let root = draft.schema(&name)?;
    let no_list = |what: String| {
        let instead = "lead `each` to a list: each = \"plan.channels\", where the schema says \"type\": \"array\"";
        Fault::new(Code::SplitList, &path.place, what, instead)
    };
    match lead(&root, &keys) {
        Err(lost) => {
            let what = format!("`{}` leads nowhere: there is no `{}`", path.value, lost.key);
            let fault = Fault::new(Code::SplitList, &path.place, what, lost.help("0."));
            draft.faults.push(fault.meant(&lost.key, lost.known.iter().map(String::as_str)));
            None
        }
        Ok(found) => {
            let found = found.filter(|found| types(found).is_some_and(|types| types.iter().eq(["array"])));
            let Some(found) = found else {
                draft.faults.push(no_list(format!("`{}` is no list by its schema", path.value)));
                return None;
            };
            Some(alone(&root, found.get("items").unwrap_or(&Value::Bool(true))))
        }
    }
}

/// A part of a schema as a schema of its own, with the definitions that it may refer to.
pub(super) fn alone(root: &Value, part: &Value) -> Value {
    let mut at = part;
    for _ in 0..16 {
        let target = at.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => at = next,
            None => break,
        }
    }
    let mut alone = at.clone();
    if let Some(map) = alone.as_object_mut() {
        for shared in ["definitions", "$defs"] {
            if let Some(known) = root.get(shared) {
                map.entry(shared).or_insert_with(|| known.clone());
            }
        }
    }
    alone
}

/// Tells of items that need not say whose branch they are.
fn names_a_member(
    draft: &mut Draft<'_>,
    item: &Value,
    list: &At<String>,
    by: &At<String>,
    (among, called): (&At<Vec<At<String>>>, &[String]),
) {
    let Some(properties) = item.get("properties").and_then(Value::as_object) else {
        // A list that is none is told, and says nothing of its items.
        if item.as_object().is_some_and(|item| !item.is_empty()) || item.is_boolean() {
            let what = format!("an item of `{}` has no `{}` by its schema", list.value, by.value);
            let instead = format!("let the schema of an item have \"{}\", and require it", by.value);
            draft.fault(Code::SplitBy, &by.place, what, instead);
        }
        return;
    };
    let required = item.get("required").and_then(Value::as_array).into_iter().flatten();
    let is_required = required.filter_map(Value::as_str).any(|key| key == by.value);
    let known = || properties.keys().map(String::as_str).filter(|key| *key != crate::topology::order::ORDER);
    let Some(named) = properties.get(&by.value) else {
        let what = format!("an item of `{}` has no `{}` by its schema", list.value, by.value);
        let instead = format!("there are: {}", known().collect::<Vec<_>>().join(", "));
        draft.faults.push(Fault::new(Code::SplitBy, &by.place, what, instead).meant(&by.value, known()));
        return;
    };
    if !is_required {
        let what = format!("an item of `{}` may lack `{}`, and then it is nobody's", list.value, by.value);
        let instead = format!("write \"required\": [\"{}\"] into the schema of an item", by.value);
        draft.fault(Code::SplitBy, &by.place, what, instead);
    }
    // Whom nobody is among, and who is misspelt there, is told.
    let members = || called.iter().map(String::as_str);
    let strange = |value: &&str| {
        !among.value.is_empty() && members().all(|member| member != *value) && nearest(value, members()).is_none()
    };
    let values = named.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if let Some(value) = values.into_iter().find(strange) {
        let what = format!("`{}` of an item may be \"{value}\", which is not among its members", by.value);
        draft.fault(Code::SplitBy, &among.place, what, format!("add \"{value}\", or take it out of the schema"));
    }
}

/// The split of a handoff; none if something is wrong with it, which is told.
pub(super) fn fan(draft: &mut Draft<'_>, seats: &[Seat], way: &Way) -> Option<Fan> {
    let written = way.split.as_ref()?;
    let fan = match &written.over {
        handoff::Over::All(members) => {
            let (begins, all) = several(draft, seats, members, "all")?;
            if begins.len() == 1 {
                let what = "one branch is no split";
                draft.fault(Code::SplitBranches, &members.place, what, "name two members or more, or hand on plainly");
            }
            (Over::All(all), begins, None)
        }
        handoff::Over::Times(times, to) => {
            let (begin, to) = one(draft, seats, to)?;
            (Over::Times { times: *times, to }, vec![begin], None)
        }
        handoff::Over::Each(each) => {
            let (to, begins) = match &each.to {
                EachTo::One(to) => {
                    let (begin, to) = one(draft, seats, to)?;
                    (plan::EachTo::One(to), vec![begin])
                }
                EachTo::By(by, among, called) => {
                    let (begins, among) = several(draft, seats, among, "among")?;
                    let is_same = among.iter().map(AgentName::as_str).eq(called.iter().map(String::as_str));
                    let called = if is_same || called.len() != among.len() { vec![] } else { called.clone() };
                    (plan::EachTo::By { by: by.value.clone(), among, called }, begins)
                }
            };
            let (artefact, keys) = rooted(&each.list.value, draft.kinds.keys().map(String::as_str));
            let artefact: ArtefactName = artefact.parse().ok()?;
            // What is misspelt is told.
            let is_known = draft.kinds.contains_key(artefact.as_str());
            let list = is_known.then(|| (artefact.clone(), each.list.place.clone()));
            let item = each.item.value.parse().ok()?;
            (Over::Each(plan::Each { artefact, keys, item, to, most: each.most }), begins, list)
        }
    };
    let (over, begins, list) = fan;
    let needs = written.needs.as_ref().map(|at| at.value);
    let split = plan::Split { over, needs, short: written.short.unwrap_or_default(), collects: vec![], ends: vec![] };
    if let Some(at) = written.needs.as_ref().filter(|at| at.value > split.most()) {
        let what = format!("the join needs {} branches, and there are {} at most", at.value, split.most());
        draft.fault(Code::SplitBranches, &at.place, what, format!("write needs = {} or less", split.most()));
    }
    Some(Fan { split, begins, list })
}

fn one(draft: &mut Draft<'_>, seats: &[Seat], at: &At<String>) -> Option<(usize, AgentName)> {
    if ["end", "failed"].contains(&at.value.as_str()) {
        let what = format!("a branch does not begin with `{}`", at.value);
        draft.fault(Code::SplitBranches, &at.place, what, "name a member");
        return None;
    }
    let index = recipient::member(draft, seats, at)?;
    Some((index, seats[index].name.clone()))
}

fn several(
    draft: &mut Draft<'_>,
    seats: &[Seat],
    list: &At<Vec<At<String>>>,
    key: &str,
) -> Option<(Vec<usize>, Vec<AgentName>)> {
    names::once(draft, &list.value);
    if list.value.is_empty() {
        let what = format!("`{key}` names no member");
        draft.fault(Code::SplitBranches, &list.place, what, format!("write {key} = [\"...\", \"...\"]"));
        return None;
    }
    let found: Vec<_> = list.value.iter().map(|at| one(draft, seats, at)).collect();
    found.into_iter().collect::<Option<Vec<_>>>().map(|found| found.into_iter().unzip())
}

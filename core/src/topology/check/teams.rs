//! Rule: a team that is a member of another one is sound by itself, gets what it takes, gives what it makes, and each of
//! its outcomes is handed on. It is inlined: from here on its members are on the team as `TEAM.MEMBER`, so that every other
//! rule walks one graph and knows of no teams.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::draft::Draft;
use super::handoffs;
use super::inlined::{Inner, Joined, inline};
use super::params::has_type;
use crate::id::{ArtefactName, Outcome};
use crate::topology::fault::{At, Code};
use crate::topology::plan::{Arg, Param, ParamKind, Plan, Recipient};
use crate::topology::raw::handoff::{Handoffs, Over, Way};
use crate::topology::raw::names::Named;
use crate::topology::raw::topology::{self, Nested, Topology};

/// Members that a team can have, those of teams within it included.
const MEMBERS_MAX: usize = 1_000;

/// The rules over a topology that could be read at all: its plan, and what it is with the teams within it inlined.
pub(super) type Check = fn(&mut Draft<'_>, Topology) -> Option<(Plan, Topology)>;

/// The topology with all teams within it inlined; none if something is wrong with one of them, which is told.
pub(super) fn flat(draft: &mut Draft<'_>, mut raw: Topology, check: Check) -> Option<Topology> {
    taken(draft, &mut raw);
    let nested: Vec<(At<String>, Nested)> =
        raw.team.iter().filter_map(|(name, member)| Some((name.clone(), member.team.clone()?))).collect();
    if nested.is_empty() {
        return Some(raw);
    }
    let before = draft.faults.len();
    own(draft, &mut raw, &nested);
    let mut known: BTreeMap<String, Option<Arc<Inner>>> = BTreeMap::new();
    let mut joined = vec![];
    for (name, nested) in &nested {
        let topology = &nested.topology;
        let inner =
            known.entry(topology.value.clone()).or_insert_with(|| inner(draft, name, topology, check).map(Arc::new));
        joined.extend(inner.clone().and_then(|inner| join(draft, &raw, name, nested, inner)));
    }
    if draft.faults.len() > before || draft.incomplete || joined.len() < nested.len() {
        return None;
    }
    raw.team.retain(|(_, member)| member.team.is_none());
    for joined in &joined {
        inline(draft, &mut raw, joined);
    }
    raw.names(&mut |named| {
        if let Named::Member(at) = named
            && let Some(first) = joined.iter().find(|joined| joined.name.value == at.value).and_then(Joined::first)
        {
            at.value = first;
        }
    });
    if raw.team.len() > MEMBERS_MAX {
        let what = format!("with the teams within it, this team has {} members", raw.team.len());
        draft.fault(Code::TeamItself, &raw.top, what, format!("{MEMBERS_MAX} are possible; take a team out"));
        return None;
    }
    (draft.faults.len() == before).then_some(raw)
}

/// Makes known what the team is brought as a member of others.
fn taken(draft: &mut Draft<'_>, raw: &mut Topology) {
    for (name, taken) in raw.takes.clone() {
        if raw.artefacts.iter().any(|(other, _)| other.value == name.value) {
            let what = format!("`{}` is taken, and an artefact of its own", name.value);
            draft.fault(Code::Name, &name.place, what, "keep it in one of [takes] and [artefacts]");
            continue;
        }
        draft.taken.insert(name.value.clone());
        match taken.schema {
            Some(schema) => {
                let artefact = topology::Artefact { schema: Some(schema), of: None, checks: vec![], same: vec![] };
                raw.artefacts.push((name, artefact));
            }
            None if super::names::parse_free::<ArtefactName>(draft, &name).is_some() => {
                draft.items.insert(name.value.clone(), serde_json::json!({}));
            }
            None => draft.damaged = true,
        }
    }
}

/// Tells of what is a team's own and named from outside.
fn own(draft: &mut Draft<'_>, raw: &mut Topology, nested: &[(At<String>, Nested)]) {
    let of = |value: &str| {
        nested.iter().find(|(name, _)| value.strip_prefix(&name.value).is_some_and(|rest| rest.starts_with('.')))
    };
    let mut told = vec![];
    raw.names(&mut |named| {
        let (at, instead) = match named {
            Named::Member(at) => (at, "hand on to the team, or name a member beside it"),
            Named::Artefact(at) | Named::Path(at) => (at, "let the team give it: gives = { ours = \"theirs\" }"),
        };
        if let Some((team, _)) = of(&at.value) {
            let what = format!("`{}` is the own of `{}`", at.value, team.value);
            told.push((at.place.clone(), what, instead));
        }
    });
    for (_, member) in &raw.team {
        for at in member.may_ask.iter().filter(|at| nested.iter().any(|(name, _)| name.value == at.value)) {
            let what = format!("`{}` is a team, and a team is asked nothing", at.value);
            told.push((at.place.clone(), what, "name models or persons, or hand on to the team"));
        }
    }
    for (place, what, instead) in told {
        draft.fault(Code::TeamOwn, &place, what, instead);
    }
}

/// The team of that topology, if it is sound by itself; what is wrong with it is told where it is.
fn inner(draft: &mut Draft<'_>, member: &At<String>, topology: &At<String>, check: Check) -> Option<Inner> {
    let name = &topology.value;
    if draft.name == name || draft.within.contains(name) {
        let around: Vec<&str> = draft.within.iter().map(String::as_str).chain([draft.name]).collect();
        let around = around.iter().skip_while(|outer| *outer != name).map(|outer| format!("`{outer}`"));
        let what =
            format!("`{}` is `{name}` within itself: {}", member.value, around.collect::<Vec<_>>().join(" has "));
        draft.fault(Code::TeamItself, &topology.place, what, "name another topology, or take this member out");
        return None;
    }
    draft.text(&format!("topologies/{name}.toml"), &topology.place)?;
    let mut inner = Draft::new(name, draft.files, draft.around);
    inner.within = draft.within.iter().cloned().chain([draft.name.to_owned()]).collect();
    let checked = inner.topology().and_then(|raw| check(&mut inner, raw));
    let faults = inner.finish();
    let sound = checked.filter(|_| faults.is_empty());
    draft.incomplete |= sound.is_none();
    draft.faults.join(faults);
    let (plan, raw) = sound?;
    Some(Inner { plan, raw, script: inner.script, steps: inner.team_steps })
}

/// What holds between a team and the one that it is a member of; none if something is wrong with it, which is told.
fn join(
    draft: &mut Draft<'_>,
    raw: &Topology,
    name: &At<String>,
    nested: &Nested,
    inner: Arc<Inner>,
) -> Option<Joined> {
    let before = draft.faults.len();
    for key in &nested.foreign {
        let (what, instead) = (format!("is a team: it has no `{}`", key.value), format!("take `{}` out", key.value));
        super::seat::unfit(draft, &key.place, &what, &instead);
    }
    let names = brought(draft, raw, name, nested, &inner);
    let params = params(draft, raw, name, nested, &inner);
    let ways = ways(draft, raw, name, &inner);
    (draft.faults.len() == before).then(|| Joined { name: name.clone(), inner, names, params, ways })
}

/// What it takes and gives: its name for each, ours, and where that is written.
fn brought(
    draft: &mut Draft<'_>,
    raw: &Topology,
    name: &At<String>,
    nested: &Nested,
    inner: &Inner,
) -> BTreeMap<String, At<String>> {
    let topology = &nested.topology.value;
    let mut names: BTreeMap<String, At<String>> = BTreeMap::new();
    let takes = &inner.raw.takes;
    for (theirs, ours) in &nested.takes {
        let Some((_, taken)) = takes.iter().find(|(taken, _)| taken.value == theirs.value) else {
            let known = takes.iter().map(|(taken, _)| taken.value.as_str());
            draft.unknown(Code::TeamBrings, theirs, &format!("artefact that `{topology}` takes"), known);
            continue;
        };
        let of = format!("what `{topology}` takes as `{}`", theirs.value);
        is_what(draft, raw, ours, &of, taken.schema.as_ref(), true);
        names.insert(theirs.value.clone(), ours.clone());
    }
    for (taken, _) in
        takes.iter().filter(|(taken, _)| !nested.takes.iter().any(|(theirs, _)| theirs.value == taken.value))
    {
        // One that is misspelt is told.
        let misspelt =
            nested.takes.iter().any(|(theirs, _)| takes.iter().all(|(taken, _)| taken.value != theirs.value));
        if !misspelt {
            let what = format!("`{topology}` takes `{}`, and `{}` is not brought it", taken.value, name.value);
            let instead = format!("write takes = {{ {} = \"...\" }} with one of our artefacts", taken.value);
            draft.fault(Code::TeamBrings, &name.place, what, instead);
        }
    }
    for (ours, theirs) in &nested.gives {
        let made = || inner.raw.artefacts.iter().filter(|(made, _)| !made.value.contains('.'));
        let Some((_, artefact)) = made().find(|(made, _)| made.value == theirs.value) else {
            let known = made().map(|(made, _)| made.value.as_str());
            draft.unknown(Code::TeamBrings, theirs, &format!("artefact that `{topology}` makes"), known);
            continue;
        };
        if artefact.of.is_some() {
            let what = format!("`{}` is a list of what branches of `{topology}` write", theirs.value);
            draft.fault(Code::TeamBrings, &theirs.place, what, "let a member of it write an artefact, and give that");
        }
        let of = format!("what `{topology}` gives as `{}`", theirs.value);
        is_what(draft, raw, ours, &of, artefact.schema.as_ref(), false);
        let other =
            names.get(&theirs.value).filter(|before| before.value != ours.value).map(|before| before.value.clone());
        if let Some(other) = other {
            let what = format!("`{}` of `{topology}` is `{other}` and `{}` here", theirs.value, ours.value);
            draft.fault(Code::TeamBrings, &ours.place, what, "let it be one artefact here");
        }
        names.entry(theirs.value.clone()).or_insert_with(|| ours.clone());
    }
    for (theirs, ours) in &names {
        if names.iter().any(|(other, same)| other < theirs && same.value == ours.value) {
            let what = format!("`{}` would have two names in `{topology}`", ours.value);
            draft.fault(Code::TeamBrings, &ours.place, what, "let it be one artefact there");
        }
    }
    names
}

/// Whether an artefact of ours is there, and of the schema that a team has of it; what is read alone can be an item, too.
fn is_what(
    draft: &mut Draft<'_>,
    raw: &Topology,
    ours: &At<String>,
    of: &str,
    schema: Option<&At<String>>,
    is_read: bool,
) {
    let items = items(raw);
    let artefact = raw.artefacts.iter().find(|(name, _)| name.value == ours.value).map(|(_, artefact)| artefact);
    let is_item = items.contains(&ours.value) || draft.items.contains_key(&ours.value);
    let collected = artefact.is_some_and(|artefact| artefact.of.is_some());
    if artefact.is_none() && !(is_item && is_read) {
        let known = raw.artefacts.iter().map(|(name, _)| name.value.clone());
        let known: Vec<String> = known.chain(items.into_iter().filter(|_| is_read)).collect();
        draft.unknown(Code::UnknownArtefact, ours, "artefact", known.iter().map(String::as_str));
        return;
    }
    if collected && !is_read {
        let what = format!("`{}` is a list of what branches write, and no team gives it", ours.value);
        draft.fault(Code::TeamBrings, &ours.place, what, "name an artefact with a schema");
        return;
    }
    let Some(schema) = schema else { return };
    let has = artefact.and_then(|artefact| artefact.schema.as_ref());
    if has.is_none_or(|has| has.value != schema.value) {
        let has = has.map_or_else(|| "no named schema".to_owned(), |has| format!("the schema `{}`", has.value));
        let what = format!("`{}` has {has}, and {of} has the schema `{}`", ours.value, schema.value);
        draft.fault(Code::TeamBrings, &ours.place, what, format!("name an artefact of the schema `{}`", schema.value));
    }
}

/// The items of splits.
fn items(raw: &Topology) -> Vec<String> {
    let mut items = vec![];
    let declared = |name: &str| raw.artefacts.iter().any(|(artefact, _)| artefact.value == name);
    for (_, handoffs) in &mut raw.clone().handoffs {
        let splits = handoffs.ways().filter_map(|way| way.split.as_ref());
        items.extend(splits.filter_map(|split| match &split.over {
            Over::Each(each) if !declared(&each.item.value) => Some(each.item.value.clone()),
            _ => None,
        }));
    }
    items.sort();
    items.dedup();
    items
}

/// The values of its parameters.
fn params(
    draft: &mut Draft<'_>,
    raw: &Topology,
    name: &At<String>,
    nested: &Nested,
    inner: &Inner,
) -> BTreeMap<String, (topology::Arg, Arg)> {
    let topology = &nested.topology.value;
    let known = &inner.plan.params;
    let mut values = BTreeMap::new();
    for (param, arg) in &nested.params {
        let Some(takes) = known.get(&param.value) else {
            draft.unknown(
                Code::TeamParam,
                param,
                &format!("parameter of `{topology}`"),
                known.keys().map(String::as_str),
            );
            continue;
        };
        let of = format!("`{}` of `{topology}`", param.value);
        let value = match arg {
            topology::Arg::Value(value) => {
                literal(draft, &of, takes, value);
                Arg::Value(value.value.clone())
            }
            topology::Arg::Path(path) => {
                let Some(ours) = ours(draft, raw, &of, takes, path) else { continue };
                Arg::Path { root: "params".to_owned(), keys: vec![ours] }
            }
        };
        values.insert(param.value.clone(), (arg.clone(), value));
    }
    for (param, takes) in known.iter().filter(|(param, _)| !nested.params.iter().any(|(name, _)| name.value == **param))
    {
        match &takes.default {
            Some(value) => {
                let at = At { value: value.clone(), place: nested.topology.place.clone() };
                values.insert(param.clone(), (topology::Arg::Value(at), Arg::Value(value.clone())));
            }
            None => {
                let what = format!("`{topology}` needs the parameter `{param}`");
                let instead = format!("write params = {{ {param} = \"params.{param}\" }}, or {{ value = ... }}");
                draft.fault(Code::TeamParam, &name.place, what, instead);
            }
        }
    }
    values
}

/// Whether a value is one that a parameter takes.
fn literal(draft: &mut Draft<'_>, of: &str, takes: &Param, value: &At<Value>) {
    if has_type(&value.value, takes.kind) && takes.bounds.take(&value.value) {
        return;
    }
    let within = takes.bounds.words().map_or_else(String::new, |words| format!(", {words}"));
    let what = format!("{of} is of type {}{within}, and this is {}", takes.kind.word(), value.value);
    let instead = format!("write a value of type {}{within}", takes.kind.word());
    draft.fault(Code::TeamParam, &value.place, what, instead);
}

/// The parameter of ours that a path names; whether a parameter takes what it can be is told.
fn ours(draft: &mut Draft<'_>, raw: &Topology, of: &str, takes: &Param, path: &At<String>) -> Option<String> {
    let ours = path.value.strip_prefix("params.").unwrap_or_default();
    let found = raw.params.iter().find(|(name, _)| name.value == ours).map(|(_, param)| param);
    let Some(found) = found else {
        let known: Vec<String> = raw.params.iter().map(|(name, _)| format!("params.{}", name.value)).collect();
        draft.unknown(Code::TeamParam, path, "parameter of ours", known.iter().map(String::as_str));
        return None;
    };
    let fits = |kind: ParamKind| kind == takes.kind || (kind, takes.kind) == (ParamKind::Integer, ParamKind::Number);
    if let Some(kind) = found.kind.filter(|kind| !fits(*kind)) {
        let what = format!("{of} is of type {}, and `{}` is of type {}", takes.kind.word(), path.value, kind.word());
        let instead = format!("name a parameter of type {}, or write {{ value = ... }}", takes.kind.word());
        draft.fault(Code::TeamParam, &path.place, what, instead);
    } else if !takes.bounds.is_open() && !super::params::same_bounds(found, &takes.bounds) {
        let words = takes.bounds.words().unwrap_or_default();
        let what = format!("{of} is {words}, and `{}` can be something else", path.value);
        draft.fault(Code::TeamParam, &path.place, what, format!("give `{}` the same bounds", path.value));
    }
    Some(ours.to_owned())
}

/// Where each of its outcomes leads; what is not handed on, or no outcome, is told.
fn ways(draft: &mut Draft<'_>, raw: &Topology, name: &At<String>, inner: &Inner) -> BTreeMap<Outcome, Way> {
    let outcomes = outcomes(&inner.plan);
    let mut ways = BTreeMap::new();
    let Some((from, handoffs)) = raw.handoffs.iter().find(|(from, _)| from.value == name.value) else {
        if !raw.damaged {
            handoffs::nowhere(draft, (&name.value, &name.place), &outcomes, "end", raw.start.as_ref());
        }
        return ways;
    };
    let written = match handoffs {
        Handoffs::Only(way) => {
            if outcomes.len() > 1 {
                handoffs::too_few(draft, &name.value, (&from.place, &way.place), &outcomes);
            }
            return outcomes.into_iter().map(|outcome| (outcome, way.clone())).collect();
        }
        Handoffs::By(written) => written,
    };
    let mut mistaken = raw.damaged;
    for (key, way) in written {
        match outcomes.iter().find(|outcome| outcome.as_str() == key.value) {
            Some(outcome) => drop(ways.insert(outcome.clone(), way.clone())),
            None => {
                let what = format!("outcome of `{}`", name.value);
                draft.unknown(Code::UnknownOutcome, key, &what, outcomes.iter().map(Outcome::as_str));
                mistaken = true;
            }
        }
    }
    let missing: Vec<Outcome> = outcomes.iter().filter(|outcome| !ways.contains_key(*outcome)).cloned().collect();
    if !missing.is_empty() && !mistaken {
        let last = written.last().map(|(_, way)| &way.place);
        handoffs::unhandled(draft, &name.value, (&from.place, last), &missing);
    }
    ways
}

/// The outcomes of a team: those with which its messages reach its end.
fn outcomes(plan: &Plan) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = vec![];
    for (outcome, handoff) in plan.handoffs.values().flatten() {
        let then = handoff.rounds.as_ref().map(|rounds| &rounds.then);
        let ends = handoff.to == Recipient::End || then == Some(&Recipient::End);
        if ends && !outcomes.contains(outcome) {
            outcomes.push(outcome.clone());
        }
    }
    outcomes
}

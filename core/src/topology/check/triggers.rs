//! Rule: a trigger says one thing that fires it, gives every parameter a value that it can take, and no topologies start each
//! other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::given::Files;
use super::names;
use super::params::has_type;
use crate::id::ArtefactName;
use crate::topology::fault::{At, Code, Fault, Faults, Place};
use crate::topology::plan::{Param, ParamKind};
use crate::topology::pointer;
use crate::topology::raw::topology::{self, Topology};
use crate::topology::raw::{trigger, walk};
use crate::topology::trigger::{Given, Trigger, When, cron};

/// The topologies of one project that `after` is followed through.
const FOLLOWED_MAX: usize = 1_000;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, params: &BTreeMap<String, Param>) -> Vec<Trigger> {
    // A team that is a member starts with the team around it; what it says of triggers is told in its own file.
    if !draft.within.is_empty() {
        return vec![];
    }
    let mut triggers = vec![];
    for (name, written) in &raw.triggers {
        let before = draft.faults.len();
        let parsed = names::parse::<ArtefactName>(draft, name);
        if let Some(taken) = raw.takes.first().filter(|_| !written.broken) {
            let what = format!("`{}` takes `{}` from a team that has it as a member", draft.name, taken.0.value);
            draft.fault(Code::TeamBrings, &name.place, what, "let the trigger start a topology that runs by itself");
            continue;
        }
        let when = when(draft, name, written);
        if let Some(when) = &when {
            given(draft, name, written, when, params);
        }
        let (Some(_), Some(when), false) = (parsed, when, written.broken) else { continue };
        if draft.faults.len() == before {
            let params = written.params.iter().map(|(name, at)| (name.value.clone(), at.value.clone())).collect();
            triggers.push(Trigger { name: name.value.clone(), when, overlap: written.overlap, params });
        }
    }
    circle(draft, raw);
    triggers
}

/// The triggers of one topology by themselves, whatever else is wrong with it, and the names of those of which something is
/// wrong.
pub(super) fn alone(draft: &mut Draft<'_>) -> (Vec<Trigger>, Vec<String>) {
    let Some(raw) = draft.topology() else { return Default::default() };
    let params = super::params::check(draft, &raw);
    draft.faults = Faults::default();
    let mut triggers = check(draft, &raw, &params);
    if draft.faults.iter().any(|fault| fault.code == Code::TriggerCircle) {
        triggers.retain(|trigger| !matches!(trigger.when, When::After(_)));
    }
    let is_sound = |name: &At<String>| triggers.iter().any(|trigger| trigger.name == name.value);
    let broken = raw.triggers.iter().filter(|(name, _)| !is_sound(name)).map(|(name, _)| name.value.clone()).collect();
    (triggers, broken)
}

/// What fires it.
fn when(draft: &mut Draft<'_>, name: &At<String>, written: &trigger::Trigger) -> Option<When> {
    let ways = [
        ("cron", written.cron.as_ref().map(|at| &at.place)),
        ("after", written.after.as_ref().map(|at| &at.place)),
        ("webhook", written.webhook.as_ref().map(|at| &at.place)),
    ];
    let said: Vec<(&str, &Place)> = ways.into_iter().filter_map(|(way, place)| Some((way, place?))).collect();
    match &said[..] {
        [] if written.broken => return None,
        [] => {
            let what = format!("nothing fires `{}`", name.value);
            let instead = "write one of cron = \"0 9 * * MON\", after = \"TOPOLOGY\" and webhook = true";
            draft.fault(Code::Trigger, &name.place, what, instead);
            return None;
        }
        [_] => {}
        [(first, _), (second, place), ..] => {
            let what = format!("`{}` has both `{first}` and `{second}`", name.value);
            draft.fault(Code::Trigger, place, what, "make two triggers of it, each with a name of its own");
            return None;
        }
    }
    for (key, place, of) in [
        ("missed", written.missed.as_ref().map(|at| &at.place), "cron"),
        ("key_env", written.key_env.as_ref().map(|at| &at.place), "webhook"),
    ] {
        if let Some(place) = place.filter(|_| said[0].0 != of) {
            let what = format!("only a trigger with `{of}` has `{key}`, and `{}` has `{}`", name.value, said[0].0);
            draft.fault(Code::Trigger, place, what, format!("take `{key}` out"));
        }
    }
    if let Some(at) = &written.cron {
        if let Err((what, instead)) = cron(&at.value) {
            draft.fault(Code::CronPattern, &at.place, what, instead);
            return None;
        }
        let missed = written.missed.as_ref().map(|at| at.value).unwrap_or_default();
        return Some(When::Cron { pattern: at.value.clone(), missed });
    }
    if let Some(at) = &written.after {
        return followed(draft, at).then(|| When::After(at.value.clone()));
    }
    match (&written.webhook, &written.key_env) {
        (Some(at), _) if !at.value => {
            let instead = "write webhook = true, or take the trigger out";
            draft.fault(Code::Trigger, &at.place, format!("nothing fires `{}`", name.value), instead);
            None
        }
        (_, Some(key)) => Some(When::Webhook { key_env: key.value.clone() }),
        (_, None) if written.broken => None,
        (at, None) => {
            let place = at.as_ref().map_or(&name.place, |at| &at.place);
            let what = format!("`{}` does not say where its key is", name.value);
            let variable = format!("{}_KEY", name.value.to_ascii_uppercase().replace('-', "_"));
            let instead = format!("name a variable that holds it: key_env = \"{variable}\"");
            draft.fault(Code::MissingKey, place, what, instead);
            None
        }
    }
}

/// Whether the topology that `after` names is there.
fn followed(draft: &mut Draft<'_>, at: &At<String>) -> bool {
    let files = draft.files.names("topologies");
    let known: Vec<&str> = files.iter().filter_map(|file| file.strip_suffix(".toml")).collect();
    if read(draft.files, &at.value).is_some() || known.contains(&at.value.as_str()) {
        return true;
    }
    let what = format!("no topology is named `{}`", at.value);
    let fault = Fault::new(Code::MissingFile, &at.place, what, format!("there are: {}", known.join(", ")));
    draft.faults.push(fault.meant(&at.value, known));
    false
}

/// Whether every parameter gets a value that it can take.
fn given(
    draft: &mut Draft<'_>,
    name: &At<String>,
    written: &trigger::Trigger,
    when: &When,
    params: &BTreeMap<String, Param>,
) {
    for (param, given) in &written.params {
        match params.get(&param.value) {
            None => drop(draft.unknown(Code::TriggerParam, param, "parameter", params.keys().map(String::as_str))),
            Some(of) => fits(draft, (&param.value, of), given, when),
        }
    }
    let has = |param: &str| written.params.iter().any(|(name, _)| name.value == *param);
    let lacking = params.iter().filter(|(param, of)| of.default.is_none() && !has(param));
    // What could not be read may be one that seems to be missing.
    let lacking: Vec<&str> = lacking.filter(|_| !written.broken).map(|(param, _)| param.as_str()).collect();
    let misspelt = written.params.iter().any(|(name, _)| !params.contains_key(&name.value));
    if let Some(first) = lacking.first().filter(|_| !misspelt) {
        let what = format!("`{}` does not say what `{first}` is, which has no default", name.value);
        let instead = format!("write params = {{ {first} = ... }}, or give `{first}` a default");
        draft.fault(Code::TriggerParam, &name.place, what, instead);
    }
}

/// Whether the value of a parameter is one, as far as that is known before it comes.
fn fits(draft: &mut Draft<'_>, (param, of): (&str, &Param), given: &At<Given>, when: &When) {
    let mut wrong = |what: String, instead: String| draft.fault(Code::TriggerParam, &given.place, what, instead);
    match &given.value {
        Given::Value(value) if !has_type(value, of.kind) => {
            let word = of.kind.word();
            wrong(format!("`{param}` is not of type {word} here"), format!("write a value of type {word}"));
        }
        Given::Value(value) if !of.bounds.take(value) => {
            let words = of.bounds.words().unwrap_or_default();
            wrong(format!("`{param}` is {value} here, and it is to be {words}"), format!("write one that is {words}"));
        }
        Given::Last(_) | Given::This(_) if of.kind != ParamKind::String => {
            let what = format!("`{param}` is of type {}, and a part of the calendar is a text", of.kind.word());
            wrong(what, format!("write a value of type {}", of.kind.word()));
        }
        Given::From(_) if matches!(when, When::Cron { .. }) => {
            let what = format!("`{param}` is read from what comes, and nothing comes with a time");
            wrong(what, "write a value, { last = \"quarter\" } or { this = \"day\" }".to_owned());
        }
        Given::From(pointer) => {
            if let When::After(topology) = when {
                found(draft, topology, pointer, &given.place);
            }
        }
        _ => {}
    }
}

/// Whether the run before can bring what a pointer names, as far as its file says.
fn found(draft: &mut Draft<'_>, topology: &str, pointer: &str, place: &Place) {
    // What is wrong with that file is told there.
    let Some(other) = read(draft.files, topology) else { return };
    let mut keys = pointer::keys(pointer);
    let (root, next) = (keys.next().unwrap_or_default(), keys.next());
    let names = |entries: Vec<&At<String>>| entries.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let artefacts = names(other.artefacts.iter().map(|(name, _)| name).collect());
    let (what, known, named) = match (root.as_str(), next) {
        ("message", Some(key)) => ("part of a message", vec!["outcome".to_owned(), "note".to_owned()], key),
        ("params", Some(key)) => ("parameter", names(other.params.iter().map(|(name, _)| name).collect()), key),
        ("message" | "params", None) => return,
        _ => ("artefact", artefacts, root),
    };
    // Of a file that could not be read whole nobody knows what it has.
    let is_unread = other.damaged && known.is_empty();
    if !known.contains(&named) && !is_unread {
        let told = format!("`{topology}` has no {what} named `{named}`");
        let instead = format!("there are: {}", known.join(", "));
        let fault = Fault::new(Code::TriggerParam, place, told, instead);
        draft.faults.push(fault.meant(&named, known.iter().map(String::as_str)));
    }
}

/// Tells of topologies that start each other in a circle, at one of them, so that it is told once.
fn circle(draft: &mut Draft<'_>, raw: &Topology) {
    let own = draft.name.to_owned();
    let mut ways: BTreeMap<String, Vec<At<String>>> = BTreeMap::from([(own.clone(), after(raw))]);
    let mut seen = BTreeSet::from([own.clone()]);
    let mut stack: Vec<Vec<String>> = vec![vec![own.clone()]];
    while let Some(path) = stack.pop() {
        let Some(last) = path.last().cloned() else { continue };
        if !ways.contains_key(&last) {
            ways.insert(last.clone(), read(draft.files, &last).map(|raw| after(&raw)).unwrap_or_default());
        }
        for next in ways.get(&last).into_iter().flatten() {
            if next.value == own {
                tell(draft, &path, &ways);
                return;
            }
            if seen.len() < FOLLOWED_MAX && seen.insert(next.value.clone()) {
                stack.push(path.iter().cloned().chain([next.value.clone()]).collect());
            }
        }
    }
}

/// Each of `path` follows the next one, and the last the first.
fn tell(draft: &mut Draft<'_>, path: &[String], ways: &BTreeMap<String, Vec<At<String>>>) {
    let first = path.iter().min().cloned().unwrap_or_default();
    let at = path.iter().position(|name| *name == first).unwrap_or_default();
    let turned: Vec<&String> = path[at..].iter().chain(&path[..at]).collect();
    let before = turned.get(1).copied().unwrap_or(&first);
    let place = ways.get(&first).and_then(|all| all.iter().find(|to| to.value == *before));
    let Some(place) = place.map(|at| at.place.clone()) else { return };
    // From what ends to what starts.
    let circle: Vec<String> = turned.iter().rev().map(|name| (*name).clone()).collect();
    let what = match &circle[..] {
        [one] => format!("`{one}` starts itself whenever it is done, without end"),
        _ => format!("{} start each other in a circle, without end", listed(&circle)),
    };
    draft.quote(&place.file.clone());
    let path = circle.iter().chain(circle.first()).cloned().collect();
    let fault = Fault::new(Code::TriggerCircle, &place, what, "take one of these triggers out, or let a time start it");
    draft.faults.push(if circle.len() > 1 { fault.on_path(path) } else { fault });
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn after(raw: &Topology) -> Vec<At<String>> {
    raw.triggers.iter().filter_map(|(_, trigger)| trigger.after.clone()).collect()
}

/// Another topology, as far as its file can be read.
fn read(files: &dyn Files, name: &str) -> Option<Topology> {
    let path = format!("topologies/{name}.toml");
    // A name that leads elsewhere is none.
    let is_name = !name.contains(['/', '\\', '.']);
    let text = walk::text(&path, is_name.then(|| files.read(&path).ok()).flatten()?).ok()?;
    topology::read(&path.as_str().into(), &text).value
}

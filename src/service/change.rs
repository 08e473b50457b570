//! What changed between two versions of an artefact, as data: which parts, from what, to what.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::story::Story;
use crate::actor::history::Bodies;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, Timestamp, as_iso_if_known};
use crate::run::desk::{Held, newest};
use crate::run::state::Approval;
use crate::run::view::Texts as _;
use crate::topology::plan::Role;

/// How an artefact differs from an earlier version of it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// Which.
    pub artefact: ArtefactName,
    /// The earlier version, counted from 1.
    pub from: usize,
    /// The later one.
    pub to: usize,
    /// The approval in which the earlier version was shown to the same member, if it was.
    pub shown_in: Option<ApprovalNo>,
    /// When whoever asks looked at the earlier version, if it is the last that they looked at.
    #[serde(serialize_with = "as_iso_if_known")]
    #[schemars(with = "Option<crate::id::Iso>")]
    pub looked_at: Option<Timestamp>,
    /// The parts that differ, in the order of their names.
    pub parts: Vec<Part>,
}

/// A part of an artefact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ChangedPart")]
pub struct Part {
    /// Where it stands: the keys that lead to it; the items of a list are counted from 1.
    pub path: Vec<String>,
    /// What stood there; none if nothing did.
    pub before: Option<String>,
    /// What stands there now.
    pub now: Option<String>,
}

/// How what approval `no` is about differs from what `viewer` last looked at; else from what the same member was shown before; or, for what it has not been shown
/// yet, from the version before.
pub(super) fn changes(story: &Story, no: ApprovalNo, approval: &Approval, viewer: &str) -> Vec<Change> {
    let (state, texts) = (story.state(), story.texts());
    let signs = match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.as_slice(),
        _ => &[],
    };
    let one = |(name, now): (ArtefactName, Digest)| {
        let name = &name;
        if let Some((shown_in, before, at)) =
            looked_before(story, no, name, viewer).filter(|(_, before, _)| *before != now)
        {
            let change = change(story, &texts, name, (before, now), Some(shown_in))?;
            return Some(Change { looked_at: Some(at), ..change });
        }
        let shown = shown_before(story, no, &approval.agent, name).filter(|(_, before)| *before != now);
        let (to, _) = story.view.nth(now)?;
        let (shown_in, before) = match shown {
            Some((shown_in, before)) => (Some(shown_in), before),
            None => (None, story.view.versions_of(name.as_str()).get(to.checked_sub(2)?)?.body.digest),
        };
        change(story, &texts, name, (before, now), shown_in)
    };
    let now = signs.iter().filter_map(|name| Some((name, approval.desk.get(name)?)));
    // Lists and items are no versions of their own.
    let now = now.filter(|(_, held)| matches!(held, Held::Version(_) | Held::Sections { .. }));
    now.flat_map(|(name, held)| held.named(name)).filter_map(one).collect()
}

/// How a version of an artefact differs from the one before it; nothing if it is the first.
pub fn since_before(story: &Story, name: &ArtefactName, now: Digest) -> Option<Change> {
    let (no, _) = story.view.nth(now)?;
    let before = story.view.versions_of(name.as_str()).get(no.checked_sub(2)?)?.body.digest;
    change(story, &story.texts(), name, (before, now), None)
}

/// The version of `name` that `viewer` looked at last before approval `no`, in which approval, and when.
fn looked_before(
    story: &Story,
    no: ApprovalNo,
    name: &ArtefactName,
    viewer: &str,
) -> Option<(ApprovalNo, Digest, Timestamp)> {
    story.state().approvals.range(..no).rev().find_map(|(no, of)| {
        let at = of.looked.iter().filter(|look| look.by == viewer).map(|look| look.at).max()?;
        Some((*no, newest(&story.state().plan, &of.desk, name)?, at))
    })
}

/// The version of `name` that `agent` was shown in the approval before `no`.
fn shown_before(story: &Story, no: ApprovalNo, agent: &AgentName, name: &ArtefactName) -> Option<(ApprovalNo, Digest)> {
    let earlier = story.state().approvals.range(..no).rev();
    let mut shown = earlier.filter(|(_, of)| of.agent == *agent);
    shown.find_map(|(no, of)| Some((*no, newest(&story.state().plan, &of.desk, name)?)))
}

/// What changed between an approval and the one that replaced it.
pub fn edited(story: &Story, old: ApprovalNo, new: ApprovalNo) -> Vec<Change> {
    let (approvals, texts) = (&story.state().approvals, story.texts());
    let (Some(before), Some(now)) = (approvals.get(&old), approvals.get(&new)) else { return Vec::new() };
    let both = now.desk.iter();
    let both = both.filter_map(|(name, now)| Some((name, before.desk.get(name)?.version()?, now.version()?)));
    let differ = both.filter(|(_, before, now)| before != now);
    differ.filter_map(|(name, before, now)| change(story, &texts, name, (before, now), Some(old))).collect()
}

fn change(
    story: &Story,
    texts: &Bodies,
    name: &ArtefactName,
    (before, now): (Digest, Digest),
    shown_in: Option<ApprovalNo>,
) -> Option<Change> {
    let ((from, _), (to, _)) = (story.view.nth(before)?, story.view.nth(now)?);
    // A text that was erased has nothing to be compared with.
    let (before, now) = (texts.value(before)?, texts.value(now)?);
    Some(Change { artefact: name.clone(), from, to, shown_in, looked_at: None, parts: parts(&before, &now) })
}

/// The parts in which two values differ.
pub fn parts(before: &Value, now: &Value) -> Vec<Part> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(before), Some(now), &mut found);
    found
}

fn compare(path: &mut Vec<String>, before: Option<&Value>, now: Option<&Value>, found: &mut Vec<Part>) {
    if before == now {
        return;
    }
    let inner = keys(before).union(&keys(now)).cloned().collect::<BTreeSet<_>>();
    if inner.is_empty() {
        found.push(Part { path: path.clone(), before: before.map(text), now: now.map(text) });
        return;
    }
    for key in inner {
        path.push(key.name());
        compare(path, before.and_then(|value| key.of(value)), now.and_then(|value| key.of(value)), found);
        path.pop();
    }
}

/// A way into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Item(usize),
    Field(String),
}

impl Key {
    fn name(&self) -> String {
        match self {
            Self::Item(place) => (place + 1).to_string(),
            Self::Field(name) => name.clone(),
        }
    }

    fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Item(place) => value.as_array()?.get(*place),
            Self::Field(name) => value.as_object()?.get(name),
        }
    }
}

fn keys(value: Option<&Value>) -> BTreeSet<Key> {
    match value {
        Some(Value::Object(map)) => map.keys().cloned().map(Key::Field).collect(),
        Some(Value::Array(list)) => (0..list.len()).map(Key::Item).collect(),
        _ => BTreeSet::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_parts_that_differ_are_found_where_they_stand() {
        let check = |before: Value, now: Value, wanted: &[(&str, Option<&str>, Option<&str>)]| {
            let found = parts(&before, &now);
            let found: Vec<_> =
                found.iter().map(|of| (of.path.join(" "), of.before.as_deref(), of.now.as_deref())).collect();
            let wanted: Vec<_> = wanted.iter().map(|(path, before, now)| ((*path).to_owned(), *before, *now)).collect();
            assert_eq!(found, wanted);
        };
        check(json!({ "a": 1 }), json!({ "a": 1 }), &[]);
        check(
            json!({ "mails": [{ "subject": "old", "day": 1 }, { "subject": "same" }] }),
            json!({ "mails": [{ "subject": "new", "day": 1 }, { "subject": "same" }] }),
            &[("mails 1 subject", Some("old"), Some("new"))],
        );
        check(
            json!({ "a": ["x"], "gone": true }),
            json!({ "a": ["x", "y"], "come": 2 }),
            &[("a 2", None, Some("y")), ("come", None, Some("2")), ("gone", Some("true"), None)],
        );
        check(json!({ "a": "x" }), json!({ "a": { "b": "y" } }), &[("a b", None, Some("y"))]);
        check(json!("x"), json!("y"), &[("", Some("x"), Some("y"))]);
    }
}

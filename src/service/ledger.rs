//! The claims of what a person approves, each with the record that it comes from: followed from artefact to artefact until a
//! call of a tool.

use std::collections::BTreeMap;

use serde::Serialize;

use super::edit::calls;
use super::story::Story;
use crate::actor::history::Bodies;
use crate::actor::ruled::in_order;
use crate::id::{AgentName, ArtefactName, Digest, Seq};
use crate::run::desk::{Desk, Held};
use crate::run::view::Texts as _;
use crate::tool::Sight;
use crate::tool::sources::{self, Claim, Entry, From};

/// How many artefacts a claim is followed through.
const DEEP: usize = 6;

/// A claim, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Cited {
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// JSON pointer into it.
    pub at: String,
    /// What it says.
    pub says: String,
    /// The number or the words that stand at its place.
    pub what: String,
    /// Where it points at, first the place that it names, then, if that is a claim itself, where that points at.
    pub from: Vec<Pointer>,
    /// The record of the call that it comes from; none if it ends at an artefact.
    pub record: Option<Seq>,
}

/// A place that a claim points at.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Pointer {
    /// Who wrote the claim.
    pub by: AgentName,
    /// The tool or the artefact.
    pub source: String,
    /// JSON pointer into it.
    pub at: String,
}

/// The claims of what lies on `desk`, the artefacts in their order.
pub(super) fn cited(story: &Story, desk: &Desk, of: &[ArtefactName], texts: &Bodies) -> Vec<Cited> {
    let mut cited = Vec::new();
    for (name, held) in desk.iter().filter(|(name, _)| of.contains(name)) {
        for (name, version) in &held.named(name) {
            for entry in entries(story, name, *version, texts) {
                let Ok(claim) = &entry.claim else { continue };
                let number = claim.number.as_ref().filter(|number| !number.is_null()).map(ToString::to_string);
                let words = claim.quote.as_ref().map(|quote| format!("\u{201c}{quote}\u{201d}"));
                let what: Vec<String> = number.into_iter().chain(words).collect();
                let (mut from, mut record) = (Vec::new(), None);
                follow(story, desk, (name, *version), claim, texts, &mut from, &mut record);
                let (artefact, at, says) = (name.clone(), entry.at.clone(), claim.says.clone());
                cited.push(Cited { artefact, at, says, what: what.join(", "), from, record });
            }
        }
    }
    cited
}

/// The claims of one version, if its artefact is held to name their sources.
fn entries(story: &Story, name: &ArtefactName, version: Digest, texts: &Bodies) -> Vec<Entry> {
    let plan = &story.state().plan;
    let is_held = plan.artefacts.get(name).is_some_and(|of| of.checks.iter().any(|check| check == sources::NAME));
    let settings = plan.checks.get(sources::NAME).cloned().unwrap_or_default();
    let body = texts.value(version).filter(|_| is_held);
    body.map(|body| sources::claims(&body, &settings)).unwrap_or_default()
}

/// Follows a claim of `version` to the call that it comes from.
fn follow(
    story: &Story,
    desk: &Desk,
    (name, version): (&ArtefactName, Digest),
    claim: &Claim,
    texts: &Bodies,
    from: &mut Vec<Pointer>,
    record: &mut Option<Seq>,
) {
    let Some(written) = story.state().versions.get(&version).filter(|_| from.len() < DEEP) else { return };
    let (by, source, at) = (written.writer.clone(), claim.source.clone(), claim.at.clone());
    from.push(Pointer { by, source, at });
    let calls = calls(story, Some(written.message));
    let none = BTreeMap::new();
    if let Ok(From::Call(place, _)) = sources::found(&claim.source, &Sight { desk: &none, calls: &calls }) {
        let id = in_order(&story.state().given).get(place).map(|given| given.id);
        *record = id.and_then(|id| story.given.get(&id).copied());
        return;
    }
    let Some((artefact, held)) =
        desk.iter().find(|(artefact, _)| artefact.as_str() == claim.source && *artefact != name)
    else {
        return;
    };
    let Some((version, rest)) = within(held, &claim.at) else { return };
    let inner = entries(story, &of_item(story, artefact), version, texts);
    let beneath = |at: &str| rest.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(Ok(claim)) = inner.into_iter().find(|entry| beneath(&entry.at)).map(|entry| entry.claim) {
        let artefact = of_item(story, artefact);
        follow(story, desk, (&artefact, version), &claim, texts, from, record);
    }
}

/// The artefact that a list is of, or it itself.
fn of_item(story: &Story, artefact: &ArtefactName) -> ArtefactName {
    let plan = &story.state().plan;
    plan.artefacts.get(artefact).and_then(|it| it.of.clone()).unwrap_or_else(|| artefact.clone())
}

/// The version that a pointer leads into, and the rest of the pointer.
fn within(held: &Held, pointer: &str) -> Option<(Digest, String)> {
    match held {
        Held::Version(version) => Some((*version, pointer.to_owned())),
        Held::All(_) => {
            let (index, rest) = pointer.strip_prefix('/')?.split_once('/')?;
            let version = held.versions().nth(index.parse().ok()?)?;
            Some((version, format!("/{rest}")))
        }
        Held::Sections { whole, sections } => {
            let of = |(keys, version): (&String, &Digest)| {
                let rest = pointer.strip_prefix(&format!("/{}", keys.replace('.', "/")))?;
                rest.starts_with('/').then(|| (*version, rest.to_owned()))
            };
            sections.iter().find_map(of).or_else(|| Some(((*whole)?, pointer.to_owned())))
        }
        Held::Item { .. } => None,
    }
}

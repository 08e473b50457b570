//! The claims of artefacts, each with the record that it comes from: followed from artefact to artefact, by the pointers that
//! their writers gave and a check looked up, until a call of a tool.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::story::Story;
use crate::actor::history::Bodies;
use crate::actor::ruled::in_order;
use crate::id::{AgentName, ArtefactName, Digest, MessageId, Seq};
use crate::run::desk::{Desk, Held};
use crate::run::state::Given;
use crate::run::view::Texts as _;
use crate::tool::sources::{self, Claim, Entry, From};
use crate::tool::{Read, Sight};

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

/// The claims of a run's artefacts. What a turn's tools gave is read once for all that the turn claimed.
pub struct Ledger<'s> {
    story: &'s Story,
    texts: Bodies,
    given: RefCell<BTreeMap<MessageId, Rc<Vec<Read>>>>,
}

impl<'s> Ledger<'s> {
    /// That of `story`, as far as it was read.
    pub fn new(story: &'s Story) -> Self {
        Self { story, texts: story.texts(), given: RefCell::default() }
    }

    /// The claims of one version, followed over what lay on the desk of whoever wrote it.
    pub fn of(&self, version: Digest) -> Vec<Cited> {
        let Some(written) = self.story.state().versions.get(&version) else { return Vec::new() };
        let Some(message) = self.story.view.message(written.message) else { return Vec::new() };
        self.cited(&message.desk, &written.artefact, version)
    }

    /// The claims of what lies on `desk`, the artefacts in their order.
    pub(super) fn on(&self, desk: &Desk, of: &[ArtefactName]) -> Vec<Cited> {
        let held = desk.iter().filter(|(name, _)| of.contains(name));
        let all = held.flat_map(|(name, held)| held.named(name));
        all.flat_map(|(name, version)| self.cited(desk, &name, version)).collect()
    }

    fn cited(&self, desk: &Desk, name: &ArtefactName, version: Digest) -> Vec<Cited> {
        let one = |entry: Entry| {
            let claim = entry.claim.ok()?;
            let number = claim.number.as_ref().filter(|number| !number.is_null()).map(ToString::to_string);
            let words = claim.quote.as_ref().map(|quote| format!("\u{201c}{quote}\u{201d}"));
            let what: Vec<String> = number.into_iter().chain(words).collect();
            let (mut from, mut record) = (Vec::new(), None);
            self.follow(desk, (name, version), &claim, &mut from, &mut record);
            let (artefact, at, says) = (name.clone(), entry.at, claim.says);
            Some(Cited { artefact, at, says, what: what.join(", "), from, record })
        };
        self.entries(name, version).into_iter().filter_map(one).collect()
    }

    /// The claims of one version, if its artefact is held to name their sources.
    fn entries(&self, name: &ArtefactName, version: Digest) -> Vec<Entry> {
        let plan = &self.story.state().plan;
        let is_held = plan.artefacts.get(name).is_some_and(|of| of.checks.iter().any(|check| check == sources::NAME));
        if !is_held {
            return Vec::new();
        }
        let settings = plan.checks.get(sources::NAME).cloned().unwrap_or_default();
        let body = self.texts.value(version);
        body.map(|body| sources::claims(&body, &settings)).unwrap_or_default()
    }

    /// Follows a claim of `version` to the call that it comes from.
    fn follow(
        &self,
        desk: &Desk,
        (name, version): (&ArtefactName, Digest),
        claim: &Claim,
        from: &mut Vec<Pointer>,
        record: &mut Option<Seq>,
    ) {
        let state = self.story.state();
        let Some(written) = state.versions.get(&version).filter(|_| from.len() < DEEP) else { return };
        let (by, source, at) = (written.writer.clone(), claim.source.clone(), claim.at.clone());
        from.push(Pointer { by, source, at });
        let (calls, none) = (self.given(written.message), BTreeMap::new());
        if let Ok(From::Call(place, _)) = sources::found(&claim.source, &Sight { desk: &none, calls: &calls }) {
            let id = in_order(&state.given).get(place).map(|given| given.id);
            *record = id.and_then(|id| self.story.view.returned(id));
            return;
        }
        let other = desk.iter().find(|(artefact, _)| artefact.as_str() == claim.source && *artefact != name);
        let Some((artefact, held)) = other else { return };
        let Some((version, rest)) = within(held, &claim.at) else { return };
        let inner = self.entries(&of_item(self.story, artefact), version);
        let beneath = |at: &str| rest.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(Ok(claim)) = inner.into_iter().find(|entry| beneath(&entry.at)).map(|entry| entry.claim) {
            let artefact = of_item(self.story, artefact);
            self.follow(desk, (&artefact, version), &claim, from, record);
        }
    }

    /// All that tools gave in the run, in order; what they gave in other turns than `own`, where no claim of it points, is
    /// left empty.
    fn given(&self, own: MessageId) -> Rc<Vec<Read>> {
        let read = |given: &Given| {
            let is_own = given.message == own;
            let result = is_own.then(|| self.texts.value(given.result)).flatten().unwrap_or_default();
            Read { tool: given.tool.clone(), result, is_own }
        };
        let all = || Rc::new(in_order(&self.story.state().given).into_iter().map(read).collect());
        Rc::clone(self.given.borrow_mut().entry(own).or_insert_with(all))
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

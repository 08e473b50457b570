//! A person's own version in place of a draft: what it begins from, whether it holds, and what came of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::act::wanted;
use super::error::Error;
use super::story::Story;
use crate::actor::examiner::Examiner;
use crate::actor::ruled::in_order;
use crate::app;
use crate::id::{ApprovalNo, ArtefactName, Digest, MessageId};
use crate::run::desk::Held;
use crate::run::input::Say;
use crate::run::state::{Approval, Given};
use crate::run::view::{Texts as _, error_text};
use crate::tool::{Read, Sight};
use crate::topology::plan::Role;

/// A draft that a person edits.
pub struct Edit {
    /// In which approval.
    pub no: ApprovalNo,
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// As it is.
    pub before: Value,
    /// The schema that it has to hold.
    pub schema: Value,
    /// What this person's side wrote before and could not be prepared, with what was wrong: it is not lost, and is where they
    /// go on.
    pub refused: Option<(Value, String)>,
    binds: Digest,
    others: BTreeMap<ArtefactName, Value>,
    calls: Vec<Read>,
    examiner: Examiner,
}

impl Edit {
    /// The draft of this name in an open approval; the first one that can be edited, if none is named.
    ///
    /// # Errors
    /// If the approval is not open, or is not about it.
    pub fn of(story: &Story, no: ApprovalNo, named: Option<&str>) -> Result<Self, Error> {
        let (state, texts) = (story.state(), story.texts());
        let binds = wanted(state, no, true)?;
        let approval = state.approvals.get(&no).ok_or(Error::NoApproval(no))?;
        let artefact = choose(story, approval, named)?;
        let read = |name: &ArtefactName| approval.desk.get(name).and_then(|held| texts.held(held));
        let refused = approval.refused.as_ref().filter(|refused| refused.artefact == artefact);
        let refused = refused.and_then(|of| Some((texts.value(of.version)?, error_text(&texts, of.problems))));
        let before = read(&artefact).ok_or_else(|| Error::Erased(artefact.clone()))?;
        let others = approval.desk.keys().filter(|name| **name != artefact);
        let others = others.filter_map(|name| Some((name.clone(), read(name)?))).collect();
        let version = approval.desk.get(&artefact).and_then(Held::version);
        let own = version.and_then(|version| state.versions.get(&version)).map(|version| version.message);
        let examiner = Examiner::new(&state.plan, &app::checks())?;
        let schema = state.plan.schema(artefact.as_str()).cloned().unwrap_or_default();
        Ok(Self { no, artefact, before, schema, refused, binds, others, calls: calls(story, own), examiner })
    }

    /// What it binds: the approval that the draft was shown in.
    pub fn binds(&self) -> Digest {
        self.binds
    }

    /// What is wrong with `body` in place of the draft, a sentence each.
    pub fn faults(&self, body: &Value) -> Vec<String> {
        let sight = Sight { desk: &self.others, calls: &self.calls };
        self.examiner.examine(&self.artefact, body, &sight).problems
    }

    /// What is posted to put `body` in its place.
    pub fn say(&self, body: Value) -> Say {
        Say::Edit { approval: self.no, binds: self.binds, artefact: self.artefact.clone(), body }
    }

    /// Why `body`, put in place of the draft, could not be prepared, if that is what came of it.
    pub fn came_back(&self, story: &Story, body: &Value) -> Option<String> {
        let texts = story.texts();
        let approval = story.state().approvals.get(&self.no).filter(|approval| approval.fate.is_none())?;
        let refused = approval.refused.as_ref()?;
        let is_it = texts.value(refused.version).as_ref() == Some(body);
        is_it.then(|| error_text(&texts, refused.problems))
    }
}

/// What tools gave in the run, for checks that look at it; `own` is the message of the turn that wrote what they look at. What was
/// erased is nothing.
pub(super) fn calls(story: &Story, own: Option<MessageId>) -> Vec<Read> {
    let texts = story.texts();
    let read = |given: &Given| {
        let (tool, is_own) = (given.tool.clone(), Some(given.message) == own);
        Read { tool, result: texts.value(given.result).unwrap_or_default(), is_own }
    };
    in_order(&story.state().given).into_iter().map(read).collect()
}

fn choose(story: &Story, approval: &Approval, named: Option<&str>) -> Result<ArtefactName, Error> {
    let member = story.state().member(&approval.agent);
    let Some(Role::Person(person)) = member.map(|member| &member.role) else { return Err(Error::NothingToEdit) };
    let found = match named {
        Some(named) => person.approves.iter().find(|name| name.as_str() == named),
        None => person.approves.first(),
    };
    let other = || Error::NotAbout { named: named.map(str::to_owned), approves: person.approves.clone() };
    found.cloned().ok_or_else(other)
}

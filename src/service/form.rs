//! A question that waits for a person: what is to be filled in, what is to be chosen among, and whether an answer holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::act::wanted;
use super::edit::calls;
use super::error::Error;
use super::story::Story;
use crate::actor::answered;
use crate::actor::examiner::Examiner;
use crate::app;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, Outcome};
use crate::run::input::Say;
use crate::run::state::{Approval, Wants};
use crate::run::view::Texts as _;
use crate::tool::{Read, Sight};
use crate::topology::plan::Plan;

/// What is wanted, as data.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Sheet {
    /// What is chosen among.
    pub outcomes: Vec<Outcome>,
    /// The artefacts that are written, each with its schema.
    pub writes: BTreeMap<ArtefactName, Value>,
    /// Whether a sentence is all that is wanted.
    pub is_sentence: bool,
}

/// What a person fills in.
pub struct Form {
    /// What is wanted.
    pub sheet: Sheet,
    no: ApprovalNo,
    binds: Digest,
    agent: AgentName,
    wants: Wants,
    desk: BTreeMap<ArtefactName, Value>,
    calls: Vec<Read>,
    plan: Arc<Plan>,
    examiner: Examiner,
}

impl Form {
    /// That of the question of this number.
    ///
    /// # Errors
    /// If it is not open, or a decision is wanted.
    pub fn of(story: &Story, no: ApprovalNo) -> Result<Self, Error> {
        let (state, texts) = (story.state(), story.texts());
        let binds = wanted(state, no, false)?;
        let asked = state.approvals.get(&no).ok_or(Error::NoApproval(no))?;
        let plan = Arc::clone(&state.plan);
        let desk = asked.desk.iter().filter_map(|(name, held)| Some((name.clone(), texts.held(held)?))).collect();
        Ok(Self {
            sheet: sheet(&plan, asked),
            no,
            binds,
            agent: asked.agent.clone(),
            wants: asked.wants,
            desk,
            calls: calls(story, Some(asked.message)),
            examiner: Examiner::new(&plan, &app::checks())?,
            plan,
        })
    }

    /// What is wrong with an answer, a sentence each.
    pub fn faults(&self, outcome: &Outcome, writes: &BTreeMap<ArtefactName, Value>) -> Vec<String> {
        let of = (&*self.plan, &self.examiner);
        let sight = Sight { desk: &self.desk, calls: &self.calls };
        answered::examine(of, (&self.agent, self.wants), outcome, writes, &sight).0
    }

    /// Whether an answer with this outcome has to write the artefacts.
    pub fn has_to_write(&self, outcome: &Outcome) -> bool {
        !self.plan.misfit(&self.agent, outcome, self.sheet.is_sentence, &[]).is_none()
    }

    /// What is posted to answer.
    pub fn say(&self, outcome: Outcome, writes: BTreeMap<ArtefactName, Value>, comment: String) -> Say {
        Say::Respond { approval: self.no, binds: self.binds, outcome, writes, comment }
    }
}

/// What is wanted where no decision is.
pub(super) fn sheet(plan: &Plan, asked: &Approval) -> Sheet {
    let is_sentence = asked.wants == Wants::Sentence;
    let member = plan.team.get(&asked.agent).filter(|_| !is_sentence);
    let writes = member.into_iter().flat_map(|member| &member.writes);
    let writes = writes.map(|name| (name.clone(), plan.schema(name.as_str()).cloned().unwrap_or_default())).collect();
    Sheet { outcomes: answered::outcomes(plan, &asked.agent, asked.wants), writes, is_sentence }
}

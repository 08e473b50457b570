//! The runs of a project, and what waits in them for a person, as data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::Error;
use super::project::Project;
use crate::actor::history;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, RunId, RunNo, Seq, Timestamp};
use crate::journal::{RunRow, Summary};
use crate::run::state::Approval;
use crate::run::view::models::models;
use crate::topology::plan::Mode;

/// A run in a list.
#[derive(Debug, Clone, Serialize)]
pub struct RunLine {
    /// Its number.
    pub run: RunNo,
    /// Its id.
    pub id: RunId,
    /// Of which topology.
    pub topology: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something last happened.
    pub updated_at: Timestamp,
    /// Its last record.
    pub records: Seq,
    /// Who drives it now.
    pub driven_by: Option<String>,
    /// True if it should be running and nobody drives it.
    pub interrupted: bool,
    /// What it is doing, and has spent.
    pub summary: Summary,
    /// Whether models run in it.
    pub mode: Mode,
    /// True if none does: its money is what they would have cost.
    pub would_have_cost: bool,
    /// The model that each member asks.
    pub models: BTreeMap<AgentName, String>,
}

/// The runs, newest first; only those that are not over, if `live`. No run is folded for it.
///
/// # Errors
/// If the journal cannot be read.
pub fn runs(project: &Project, live: bool, limit: usize) -> Result<Vec<RunLine>, Error> {
    let store = project.store()?;
    // Many runs have the same plan, and one is large.
    let mut known: BTreeMap<Digest, BTreeMap<AgentName, String>> = BTreeMap::new();
    let mut lines = Vec::new();
    for row in project.runs(live, limit)? {
        let (plan, mode) = history::started(store.as_ref(), row.id)?;
        let models = match known.get(&plan) {
            Some(models) => models.clone(),
            None => {
                let (_, _, pinned) = history::pinned_plan(store.as_ref(), row.id)?;
                let models = models(&pinned).into_iter().map(|(agent, model)| (agent.clone(), model.to_owned()));
                known.entry(plan).or_insert(models.collect()).clone()
            }
        };
        lines.push(RunLine {
            run: row.no,
            id: row.id,
            topology: row.topology,
            created_at: row.created_at,
            updated_at: row.updated_at,
            records: row.last,
            interrupted: row.summary.status == "running" && row.owner.is_none(),
            driven_by: row.owner.map(|owner| owner.label),
            summary: row.summary,
            mode,
            would_have_cost: mode != Mode::Live,
            models,
        });
    }
    Ok(lines)
}

/// What waits for a person.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Open {
    /// Something to be approved.
    Approval(Asked),
    /// Whether an act happened.
    Question {
        /// Its number.
        question: ApprovalNo,
        /// Of which run.
        run: RunNo,
        /// Of which topology.
        topology: String,
    },
}

/// An approval, as every account of it begins.
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalLine {
    /// Its number.
    pub approval: ApprovalNo,
    /// Of which run.
    pub run: RunNo,
    /// Of which topology.
    pub topology: String,
    /// The member that is asked.
    pub agent: AgentName,
    /// What exactly: a decision names it.
    pub binds: Digest,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

impl ApprovalLine {
    /// That of approval `no` of the run of `row`.
    pub(super) fn of(no: ApprovalNo, approval: &Approval, row: &RunRow) -> Self {
        Self {
            approval: no,
            run: row.no,
            topology: row.topology.clone(),
            agent: approval.agent.clone(),
            binds: approval.binds,
            asked_at: approval.asked_at,
            expires_at: approval.expires_at,
        }
    }
}

/// An approval that waits.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Which.
    #[serde(flatten)]
    pub line: ApprovalLine,
    /// The artefacts that it is about.
    pub about: Vec<ArtefactName>,
    /// How many items would leave, if any can.
    pub items: Option<usize>,
}

/// What waits for a person, oldest run first.
///
/// # Errors
/// If the journal or one of the runs cannot be read.
pub fn open(project: &Project) -> Result<Vec<Open>, Error> {
    let mut open = Vec::new();
    for row in project.runs(true, usize::MAX)?.iter().rev().filter(|row| !row.summary.approvals.is_empty()) {
        let state = project.state(row)?;
        open.extend(state.open_approvals().map(|(no, approval)| {
            let about = approval.manifest.as_ref().map_or(&approval.desk, |manifest| &manifest.desk);
            Open::Approval(Asked {
                line: ApprovalLine::of(no, approval, row),
                about: about.keys().cloned().collect(),
                items: approval.manifest.as_ref().map(|manifest| manifest.items.len()),
            })
        }));
        let question = |no: &ApprovalNo| Open::Question { question: *no, run: row.no, topology: row.topology.clone() };
        open.extend(state.questions.keys().map(question));
    }
    Ok(open)
}

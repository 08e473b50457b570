//! The runs of a project, and what waits in them for a person, as data.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::error::Error;
use super::project::Project;
use crate::actor::history::{self, Bodies};
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, RunId, RunNo, Seq, Timestamp, as_iso, as_iso_if_known};
use crate::journal::{RunRow, Summary};
use crate::run::event::Channel;
use crate::run::state::{Approval, Look, State, Wants};
use crate::run::view::Texts as _;
use crate::run::view::models::models;
use crate::topology::plan::{Mode, Plan};

/// A run's parameters, by name.
pub type Params = BTreeMap<String, Value>;

/// Which runs are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that are not over.
    pub live: bool,
    /// Only those in this state: one of [`STATES`].
    pub status: Option<String>,
    /// Only those of this topology.
    pub topology: Option<String>,
    /// So many at most.
    pub limit: usize,
}

/// The states of a run, a word each.
pub const STATES: [&str; 11] = [
    "running",
    "interrupted",
    "waiting",
    "paused",
    "stuck",
    "done",
    "rejected",
    "failed",
    "cancelled",
    "stopped",
    "bug",
];

/// A run in a list.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct RunLine {
    /// Its number.
    pub run: RunNo,
    /// Its id.
    pub id: RunId,
    /// Of which topology.
    pub topology: String,
    /// With which parameters; none if they were erased.
    pub params: Params,
    /// Those of them that are not the topology's defaults.
    pub given: Params,
    /// When it was made.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub created_at: Timestamp,
    /// When something last happened.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub updated_at: Timestamp,
    /// Its last record.
    pub records: Seq,
    /// Who drives it now.
    pub driven_by: Option<String>,
    /// True if it should be running and nobody drives it.
    pub interrupted: bool,
    /// What it is doing, and has spent.
    #[serde(serialize_with = "summary_as_told")]
    #[schemars(with = "Summary")]
    pub summary: Summary,
    /// Whether models run in it.
    pub mode: Mode,
    /// True if none does: its money is what they would have cost.
    pub would_have_cost: bool,
    /// The model that each member asks.
    pub models: BTreeMap<AgentName, String>,
}

impl Filter {
    /// Whether what is asked for can be there at all.
    fn is_known(&self, project: &Project, rows: &[RunRow]) -> Result<(), Error> {
        if let Some(status) = self.status.as_ref().filter(|status| !STATES.contains(&status.as_str())) {
            return Err(Error::unknown("state", status, STATES));
        }
        let Some(topology) = &self.topology else { return Ok(()) };
        let mut known: BTreeSet<String> = project.topologies().into_iter().collect();
        known.extend(rows.iter().map(|row| row.topology.clone()));
        if known.contains(topology) { Ok(()) } else { Err(Error::unknown("topology", topology, known)) }
    }

    fn takes(&self, row: &RunRow) -> bool {
        let is = if is_interrupted(row) { "interrupted" } else { row.summary.status.as_str() };
        self.status.as_ref().is_none_or(|status| status == is || *status == row.summary.status)
            && self.topology.as_ref().is_none_or(|topology| *topology == row.topology)
    }
}

/// Whether it should be running and nobody drives it.
pub(super) fn is_interrupted(row: &RunRow) -> bool {
    row.summary.status == "running" && row.owner.is_none()
}

/// The runs, newest first. No run is folded for it.
///
/// # Errors
/// If the journal cannot be read, or no run can be as it is asked for.
pub fn runs(project: &Project, filter: &Filter) -> Result<Vec<RunLine>, Error> {
    let store = project.store()?;
    let all = filter.status.is_none() && filter.topology.is_none();
    let rows = project.runs(filter.live, if all { filter.limit } else { usize::MAX })?;
    filter.is_known(project, &rows)?;
    // Many runs have the same plan, and one is large.
    let mut known: BTreeMap<Digest, Plan> = BTreeMap::new();
    let mut lines = Vec::new();
    for row in rows.into_iter().filter(|row| filter.takes(row)).take(filter.limit) {
        let history::Start { plan: digest, mode, brief } = history::started(store.as_ref(), row.id)?;
        let plan = match known.entry(digest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(history::pinned_plan(store.as_ref(), row.id)?.2),
        };
        let models = models(plan).into_iter().map(|(agent, model)| (agent.clone(), model.to_owned())).collect();
        let params = params(&Bodies::new(Arc::clone(&store), row.id), brief);
        lines.push(RunLine {
            run: row.no,
            id: row.id,
            interrupted: is_interrupted(&row),
            topology: row.topology,
            given: given(plan, &params),
            params,
            created_at: row.created_at,
            updated_at: row.updated_at,
            records: row.last,
            driven_by: row.owner.map(|owner| owner.label),
            summary: row.summary,
            mode,
            would_have_cost: mode != Mode::Live,
            models,
        });
    }
    Ok(lines)
}

/// Writes a summary for other programs: as the journal has it, with its time in UTC.
pub(super) fn summary_as_told<S: Serializer>(summary: &Summary, to: S) -> Result<S::Ok, S::Error> {
    let mut told = serde_json::to_value(summary).map_err(S::Error::custom)?;
    if let (Some(at), Some(told)) = (&summary.wake_at, told.as_object_mut()) {
        let at = as_iso(at, serde_json::value::Serializer).map_err(S::Error::custom)?;
        told.insert("wake_at".to_owned(), at);
    }
    told.serialize(to)
}

/// The parameters that are in the body `brief`.
pub(super) fn params(texts: &Bodies, brief: Digest) -> Params {
    texts.value(brief).and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

/// Those parameters that are not the defaults of the plan.
pub(super) fn given(plan: &Plan, params: &Params) -> Params {
    let default = |name: &String| plan.params.get(name)?.default.as_ref();
    let given = params.iter().filter(|(name, value)| default(name) != Some(value));
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What waits for a person.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
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
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
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
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub asked_at: Timestamp,
    /// Until when.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub expires_at: Timestamp,
    /// How many people have to approve.
    pub needed: u32,
    /// Who has approved so far.
    pub approved_by: Vec<String>,
    /// With which parameters the run was started, as far as they are not the topology's defaults.
    pub given: Params,
    /// Whether models run in it.
    pub mode: Mode,
    /// What is wanted of them.
    pub wants: Wants,
    /// How often they were reminded.
    pub reminded: u32,
    /// Who else was told, and may say something since.
    pub escalated_to: Option<String>,
    /// Who is on it, while it is open: a person, or a group.
    pub assigned_to: Option<String>,
    /// Who opened it to read it.
    pub looked: Vec<Looked>,
    /// When it was decided or answered, last by whom it took.
    #[serde(serialize_with = "as_iso_if_known")]
    #[schemars(with = "Option<crate::id::Iso>")]
    pub decided_at: Option<Timestamp>,
}

impl ApprovalLine {
    /// That of approval `no` of the run of `row`.
    pub(super) fn of(no: ApprovalNo, approval: &Approval, row: &RunRow, state: &State, texts: &Bodies) -> Self {
        Self {
            approval: no,
            run: row.no,
            topology: row.topology.clone(),
            agent: approval.agent.clone(),
            binds: approval.binds,
            asked_at: approval.asked_at,
            expires_at: approval.expires_at,
            needed: state.needed_for(approval),
            approved_by: approval.approved_by.iter().cloned().collect(),
            given: state.brief.map(|brief| given(&state.plan, &params(texts, brief.digest))).unwrap_or_default(),
            mode: state.plan.mode,
            wants: approval.wants,
            reminded: approval.reminded.0,
            escalated_to: approval.escalated_to.clone(),
            assigned_to: approval.assigned_to.clone().filter(|_| approval.fate.is_none()),
            looked: approval.looked.iter().map(Looked::of).collect(),
            decided_at: approval.decided_at,
        }
    }
}

/// That somebody opened an approval to read it, the first time over a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Looked {
    /// Who.
    pub by: String,
    /// How.
    pub via: Option<Channel>,
    /// When.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
}

impl Looked {
    fn of(look: &Look) -> Self {
        Self { by: look.by.clone(), via: look.via, at: look.at }
    }
}

/// An approval that waits.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Asked {
    /// Its number, its run, and what it binds.
    #[serde(flatten)]
    pub line: ApprovalLine,
    /// The artefacts that it is about; of a question, those that are to be written.
    pub about: Vec<ArtefactName>,
    /// Who may say something; anybody if it is empty.
    pub who: Vec<String>,
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
        let (state, texts) = (project.state(row)?, Bodies::new(project.store()?, row.id));
        open.extend(state.open_approvals().map(|(no, approval)| {
            let shown = approval.manifest.as_ref().map_or(&approval.desk, |manifest| &manifest.desk);
            let writes = || state.member(&approval.agent).map(|member| member.writes.clone()).unwrap_or_default();
            let about = match approval.wants {
                Wants::Decision => shown.keys().cloned().collect(),
                Wants::Form => writes(),
                Wants::Sentence => Vec::new(),
            };
            Open::Approval(Asked {
                line: ApprovalLine::of(no, approval, row, &state, &texts),
                about,
                who: state.person(&approval.agent).map(|person| person.who.clone()).unwrap_or_default(),
                items: approval.manifest.as_ref().map(|manifest| manifest.items.len()),
            })
        }));
        let question = |no: &ApprovalNo| Open::Question { question: *no, run: row.no, topology: row.topology.clone() };
        open.extend(state.questions.keys().map(question));
    }
    Ok(open)
}

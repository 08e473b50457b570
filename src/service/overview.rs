//! A run at a glance, as data: state, spending against limits, agents, turns, artefacts, what waits, what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::attached::{Attached, attached};
use super::error::Error;
use super::letter::{Letter, letters};
use super::list::{ApprovalLine, Params, given, params, summary_as_told};
use super::note::{Note, notes};
use super::project::Project;
use super::story::Story;
use crate::id::{
    AgentName, ApprovalNo, ArtefactName, Digest, Epoch, MessageId, Outcome, RunId, RunNo, Seq, Timestamp, as_iso,
};
use crate::journal::Summary;
use crate::run::desk::Held;
use crate::run::event::{Amount, Limit, Origin, Version, Who};
use crate::run::later::Later;
use crate::run::state::State;
use crate::run::view::models::models;
use crate::run::view::why::paused_text;
use crate::run::view::work::Work;
use crate::run::view::{Entry, Texts as _};
use crate::topology::plan::{Mode, Recipient};

/// A run at a glance.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Overview {
    /// Its number.
    pub run: RunNo,
    /// Its id.
    pub id: RunId,
    /// Of which topology.
    pub topology: String,
    /// Its last record.
    pub records: Seq,
    /// Its ownership.
    pub epoch: Epoch,
    /// As lists have it.
    #[serde(serialize_with = "summary_as_told")]
    #[schemars(with = "Summary")]
    pub summary: Summary,
    /// The pinned plan's digest.
    pub plan: Digest,
    /// Whether models run in it.
    pub mode: Mode,
    /// True if none does: its money is what they would have cost.
    pub would_have_cost: bool,
    /// The model that each member asks.
    pub models: BTreeMap<AgentName, String>,
    /// What it is doing, in a word.
    pub status: &'static str,
    /// With which parameters; none if they were erased.
    pub params: Params,
    /// Those of them that are not the topology's defaults.
    pub given: Params,
    /// When it was made.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub created_at: Timestamp,
    /// Who started it.
    pub started_by: Option<Who>,
    /// Who drives it now.
    pub driven_by: Option<String>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// What is spent and reserved, against which limits.
    pub budget: Vec<Budget>,
    /// Of money set aside or reported: what nobody knows for sure, a sentence each.
    pub calls: UnsureCalls,
    /// Its members.
    pub agents: Vec<Agent>,
    /// Its turns so far, by the message that each handles.
    pub turns: Vec<Turn>,
    /// The versions that can still be named.
    pub versions: Vec<Written>,
    /// The newest version of each artefact.
    pub desk: BTreeMap<String, Held>,
    /// Who did what for each approval.
    pub work: BTreeMap<String, Vec<Work>>,
    /// Approvals that wait, and the member that each asks.
    pub approvals: BTreeMap<ApprovalNo, AgentName>,
    /// The same with all that every account of an approval begins with.
    pub waiting: Vec<ApprovalLine>,
    /// Questions that wait.
    pub questions: Vec<ApprovalNo>,
    /// What was approved and waits for its day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Leaving>,
    /// What people said to members while it went on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What people attached that came of it, the last one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<Attached>,
    /// Who is told how it ends.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub followers: BTreeSet<String>,
    /// What could not be handled.
    pub dead_letters: Vec<Letter>,
    /// Items that did not leave just as they were approved, or not where they were to be: a sentence each.
    pub left: Vec<String>,
    /// What reached `end`.
    pub results: Vec<Entry>,
    /// The run's own folder, if it has written one.
    pub folder: Option<PathBuf>,
}

/// A limit, and what is used of it; money in billionths of a dollar, time in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, schemars::JsonSchema)]
pub struct Budget {
    /// Of what.
    pub what: Limit,
    /// In which unit its numbers are.
    pub unit: &'static str,
    /// Settled.
    pub spent: u64,
    /// For effects under way.
    pub reserved: u64,
    /// The most; none is unlimited.
    pub limit: Option<u64>,
}

/// Calls of models whose price is not known for sure, a sentence for each kind.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct UnsureCalls {
    /// Nobody heard what they came to.
    pub in_doubt: Option<String>,
    /// Their providers report nothing.
    pub assumed: Option<String>,
    /// Their providers report more than was allowed.
    pub over_reported: Option<String>,
}

/// A member.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Agent {
    /// Its name.
    pub agent: AgentName,
    /// What it does.
    pub does: String,
    /// Its turns so far.
    pub turns: u32,
    /// What it has spent.
    #[serde(serialize_with = "with_units")]
    #[schemars(with = "Spent")]
    pub spent: Amount,
    /// How often it was started again.
    pub restarts: u32,
}

/// A turn.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Turn {
    /// The message that it handles.
    pub message: MessageId,
    /// The member that handles it.
    pub agent: AgentName,
    /// With which outcome the message was sent.
    pub on: Outcome,
    /// By whom; none for the first message.
    pub from: Option<AgentName>,
    /// In which round of its handoff, from 1.
    pub round: u32,
    /// What it has spent.
    #[serde(serialize_with = "with_units")]
    #[schemars(with = "Spent")]
    pub spent: Amount,
}

/// A version of an artefact.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Written {
    /// Of which.
    pub artefact: ArtefactName,
    /// Which one it is of its artefact, from 1.
    pub no: usize,
    /// When it was written.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub written_at: Timestamp,
    /// Its digest.
    pub version: Digest,
    /// Who wrote it: a member, or a person.
    pub by: String,
    /// In which turn.
    pub message: MessageId,
    /// Where its words come from.
    pub origin: Origin,
    /// Its size.
    pub bytes: u32,
    /// True if a check remarked something.
    pub remarked: bool,
}

/// The run of `story` at a glance.
pub fn overview(project: &Project, story: &Story) -> Overview {
    let (state, texts, row) = (story.state(), story.texts(), &story.row);
    let mode = state.plan.mode;
    let params = state.brief.map(|brief| params(&texts, brief.digest)).unwrap_or_default();
    let work = state.approvals.iter().map(|(no, of)| (no.to_string(), story.view.work(of.message, &texts)));
    Overview {
        run: row.no,
        id: row.id,
        topology: row.topology.clone(),
        records: story.seq(),
        epoch: state.epoch,
        summary: row.summary.clone(),
        plan: story.plan,
        mode,
        would_have_cost: mode != Mode::Live,
        models: models(&state.plan).into_iter().map(|(agent, model)| (agent.clone(), model.to_owned())).collect(),
        status: state.status().word(),
        given: given(&state.plan, &params),
        params,
        created_at: row.created_at,
        started_by: state.starter.clone(),
        driven_by: row.owner.as_ref().map(|owner| owner.label.clone()),
        paused: paused_text(state, &texts),
        budget: budget(state),
        calls: UnsureCalls {
            in_doubt: story.view.lost_calls(),
            assumed: story.view.assumed_calls(),
            over_reported: story.view.over_reported_calls(),
        },
        agents: agents(state),
        turns: turns(story),
        versions: versions(story),
        desk: latest(state),
        work: work.collect(),
        approvals: state.open_approvals().map(|(no, approval)| (no, approval.agent.clone())).collect(),
        waiting: state.open_approvals().map(|(no, of)| ApprovalLine::of(no, of, row, state, &texts)).collect(),
        questions: state.questions.keys().copied().collect(),
        later: state.later().into_iter().map(Leaving::from).collect(),
        notes: notes(story),
        attached: attached(story),
        followers: story.state().followers.clone(),
        dead_letters: letters(story),
        left: story.view.told().to_vec(),
        results: story.results.clone(),
        folder: project.folder(row),
    }
}

/// Approved items that leave together, later.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Leaving {
    /// When, at the earliest.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
    /// By which member.
    pub agent: AgentName,
    /// Under which approval.
    pub approval: ApprovalNo,
    /// How many items.
    pub items: u32,
    /// How many people they reach, each counted for each item.
    pub recipients: u64,
}

impl From<Later> for Leaving {
    fn from(Later { at, agent, approval, items, recipients }: Later) -> Self {
        Self { at, agent, approval, items, recipients }
    }
}

fn budget(state: &State) -> Vec<Budget> {
    let (spent, reserved) = (state.ledger.spent, state.ledger.reserved);
    let of = |what: Limit| Budget {
        what,
        unit: unit(what),
        spent: spent.of(what),
        reserved: reserved.of(what),
        limit: state.limit(what),
    };
    let time = Budget { spent: state.active_ms(state.now), ..of(Limit::ActiveTime) };
    vec![of(Limit::Steps), of(Limit::Tokens), of(Limit::Cost), time, of(Limit::Recipients)]
}

/// The unit in which a limit and what is used of it are counted.
fn unit(what: Limit) -> &'static str {
    match what {
        Limit::Steps | Limit::StepsPerTurn => "steps",
        Limit::Tokens => "tokens",
        Limit::Cost => "nano_usd",
        Limit::ActiveTime => "ms",
        Limit::Recipients => "people",
        Limit::Turns => "turns",
    }
}

/// An amount for programs: money says its unit.
#[derive(Serialize, schemars::JsonSchema)]
struct Spent {
    /// Calls of models and tools.
    steps: u64,
    /// Tokens in and out.
    tokens: u64,
    /// Billionths of a dollar.
    cost_nano_usd: u64,
    /// People reached.
    recipients: u64,
}

fn with_units<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    let Amount { steps, tokens, cost, recipients } = *amount;
    Spent { steps, tokens, cost_nano_usd: cost.0, recipients }.serialize(serializer)
}

fn agents(state: &State) -> Vec<Agent> {
    let agent = |(name, does): (&AgentName, &String)| {
        let known = state.agents.get(name);
        Agent {
            agent: name.clone(),
            does: does.clone(),
            turns: known.map_or(0, |agent| agent.turns_total),
            spent: state.ledger.by_agent.get(name).copied().unwrap_or_default().spent,
            restarts: known.map_or(0, |agent| agent.restarts_total),
        }
    };
    state.plan.team.iter().map(|(name, member)| agent((name, &member.does))).collect()
}

fn turns(story: &Story) -> Vec<Turn> {
    let turns = story.view.spent().iter().filter_map(|(id, spent)| {
        let message = story.view.message(*id)?;
        let Recipient::Member(agent) = &message.to else { return None };
        Some(Turn {
            message: *id,
            agent: agent.clone(),
            on: message.outcome.clone(),
            from: message.from.clone(),
            round: message.round,
            spent: *spent,
        })
    });
    turns.collect()
}

fn versions(story: &Story) -> Vec<Written> {
    story.view.versions().filter_map(|version| written(story, version)).collect()
}

fn written(story: &Story, version: &Version) -> Option<Written> {
    let (no, written_at) = story.view.nth(version.body.digest)?;
    Some(Written {
        artefact: version.artefact.clone(),
        no,
        written_at,
        version: version.body.digest,
        by: version.person.as_ref().map_or_else(|| version.writer.to_string(), |person| person.name.clone()),
        message: version.message,
        origin: version.origin,
        bytes: version.body.bytes,
        remarked: version.findings.is_some(),
    })
}

/// The newest version of each artefact.
fn latest(state: &State) -> BTreeMap<String, Held> {
    let desks = state.turns.values().map(|turn| &turn.desk).chain(state.results.iter().map(|message| &message.desk));
    let desks = desks.chain(state.approvals.values().map(|approval| &approval.desk));
    desks.flatten().map(|(name, held)| (name.to_string(), held.clone())).collect()
}

/// The version of an artefact with sections that was written last.
fn last_section<'s>(story: &'s Story, held: &Held) -> Option<&'s Version> {
    let on: Vec<Digest> = held.versions().collect();
    let versions = story.view.versions().filter(|version| on.contains(&version.body.digest));
    versions.max_by_key(|version| story.view.nth(version.body.digest).map(|(_, at)| at))
}

/// A version of an artefact: the one of this number, or the newest that somebody was handed. Its text is none if it was
/// erased.
///
/// # Errors
/// If the run has no artefact of this name, or no such version of it.
pub fn artefact(story: &Story, name: &str, no: Option<usize>) -> Result<(Written, Option<Value>), Error> {
    let latest = latest(story.state());
    let versions = story.view.versions_of(name);
    let last = versions.len();
    let found = match no {
        Some(no) => versions.get(no.wrapping_sub(1)),
        None => match (latest.get(name), name.rsplit_once('.')) {
            (Some(Held::Sections { .. }), _) => last_section(story, &latest[name]),
            (Some(held), _) => {
                held.versions().last().and_then(|newest| versions.iter().find(|of| of.body.digest == newest))
            }
            // A section is on no desk by itself.
            (None, Some(_)) => versions.last(),
            (None, None) => None,
        },
    };
    let written = found.and_then(|version| written(story, version));
    match (written, no) {
        (Some(written), _) => {
            let body = match latest.get(name).filter(|_| no.is_none()) {
                Some(held) => story.texts().held(held),
                None => story.texts().value(written.version),
            };
            Ok((written, body))
        }
        (None, Some(version)) if last > 0 => Err(Error::NoVersion { artefact: name.to_owned(), version, last }),
        (None, _) => Err(Error::NoArtefact { named: name.to_owned(), known: latest.keys().cloned().collect() }),
    }
}

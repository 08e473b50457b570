//! An approval as whoever decides it sees it, as data: what exactly would leave, to whom, and on what it rests. Items are
//! shown from their final bytes by the tool that performs them; no model's words about them are among it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::attend::may_take;
use super::change::{Change, changes};
use super::comment::on_approval;
use super::error::Error;
use super::form::{Sheet, sheet};
use super::ledger::{Cited, Ledger};
use super::list::ApprovalLine;
use super::project::Project;
use super::story::Story;
use super::thread::Comment;
use crate::actor::history::Bodies;
use crate::app;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, EffectId, Outcome, RunNo, Timestamp, as_iso_if_known};
use crate::run::body::{Applied, Listed, Listing};
use crate::run::desk::{Desk, Held};
use crate::run::event::{Decision, ItemHead, Manifest, Message, Origin, Who};
use crate::run::later::is_at_once;
use crate::run::state::{Approval, Fate, Permit, State, Wants};
use crate::run::view::why::reason_text;
use crate::run::view::work::Work;
use crate::run::view::{Entry, Texts as _, note, read};
use crate::tool::part::shown::{self, Shown};
use crate::tool::{self, Tool};
use crate::topology::plan::Role;
use crate::topology::quiet::Quiet;
use crate::topology::spec::Labels;
use crate::topology::spec::ToolSpec;
use crate::topology::wall::Hour;

/// An approval.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Review {
    /// Its number, its run, and what it binds.
    #[serde(flatten)]
    pub line: ApprovalLine,
    /// Whether it waits.
    pub open: bool,
    /// What it came to, if it does not.
    pub came_to: Option<Came>,
    /// To whom it can be handed.
    pub may_take: Vec<String>,
    /// The versions that it was made from.
    pub desk: Desk,
    /// The tool by which items would leave.
    pub tool: Option<String>,
    /// What would leave; none if nothing leaves after it.
    pub items: Option<Vec<Item>>,
    /// On which days they leave, if not all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When nothing leaves, whatever its day.
    #[serde(skip)]
    #[schemars(skip)]
    pub quiet: Option<Arc<Quiet>>,
    /// The time of the day at which what leaves on a later day does so.
    #[serde(skip)]
    #[schemars(skip)]
    pub hour: Option<Arc<Hour>>,
    /// The versions on the desk; of an approval of items, those that are not among what leaves.
    pub versions: Vec<Version>,
    /// How what it is about differs from what was shown before, or from the version before.
    pub changes: Vec<Change>,
    /// What people remarked on what it rests on.
    pub comments: Vec<Comment>,
    /// What checks remarked.
    pub remarks: Vec<Remark>,
    /// The claims of what is approved, each with the record that it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Cited>,
    /// What declared rules came to over what is approved, each with its version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Applied>,
    /// Those among them that whoever approves has to accept by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub gates: BTreeSet<String>,
    /// The calls of tools so far.
    pub calls: Vec<Entry>,
    /// The latest words of whoever handed it on; none if they came from nobody.
    pub said: Option<Said>,
    /// What the same member asked to be changed when they were asked before; none if they never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// Who did what for it.
    pub work: Vec<Work>,
    /// How it is answered, if it is open and an answer is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Sheet>,
}

/// What an approval came to.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Came {
    /// Somebody decided it.
    Decided { by: Who, decision: Decision },
    /// Somebody answered, with this outcome.
    Answered { by: Who, outcome: Outcome },
    /// Its content was edited: another approval binds the new one, once that is prepared.
    Replaced { by: Option<ApprovalNo> },
    /// Nobody decided in time, or the run ended.
    Lapsed,
}

/// An item that would leave.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Item {
    /// Over its final bytes.
    pub digest: Digest,
    /// How many people or places it reaches.
    pub recipients: u64,
    /// Unique among the items, such as a file name.
    pub key: String,
    /// One line on what it is.
    pub title: String,
    /// Who or what gets it.
    pub recipient: String,
    /// What the bytes are, such as `message/rfc822`.
    pub media_type: String,
    /// How long after the approval it leaves; left out if it leaves at once.
    #[serde(skip_serializing_if = "is_at_once")]
    pub after_ms: u64,
    /// What is asked once more when it leaves, so that whoever withdrew meanwhile is left out.
    pub again: Option<Value>,
    /// All that its bytes show; none if they were erased.
    pub parts: Option<Vec<Shown>>,
}

impl Item {
    /// One of a list that was erased.
    fn erased(head: &ItemHead) -> Self {
        let (key, title, recipient, media_type) = Default::default();
        Self {
            digest: head.digest,
            recipients: head.recipients,
            key,
            title,
            recipient,
            media_type,
            after_ms: head.after_ms,
            again: None,
            parts: None,
        }
    }
}

/// Items that leave on one day.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Day {
    /// How long after the approval.
    pub after_ms: u64,
    /// How many items.
    pub items: usize,
    /// When, once that is known: the approval has been given.
    #[serde(serialize_with = "as_iso_if_known")]
    #[schemars(with = "Option<crate::id::Iso>")]
    pub leaves_at: Option<Timestamp>,
}

/// The days of `items`, if they do not all leave at once; as their permit has them, if it was given.
fn days(items: &[Item], permit: Option<&Permit>) -> Vec<Day> {
    let mut days: BTreeMap<u64, usize> = BTreeMap::new();
    items.iter().for_each(|item| *days.entry(item.after_ms).or_default() += 1);
    if days.keys().all(|after_ms| *after_ms == 0) {
        return Vec::new();
    }
    let leaves_at = |after_ms| permit.map(|permit| permit.leaves_after(after_ms));
    days.into_iter().map(|(after_ms, items)| Day { after_ms, items, leaves_at: leaves_at(after_ms) }).collect()
}

/// The items, those together that follow each other and are the same thing to one recipient each, such as a mail.
pub fn alike(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    items.chunk_by(|one, next| one.title == next.title && one.recipients == 1 && next.recipients == 1)
}

/// A version on the desk.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ShownVersion")]
pub struct Version {
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// Over salt and body: the name of the version.
    pub digest: Digest,
    /// Which one it is of its artefact, from 1; none if that is not known any more.
    pub no: Option<usize>,
    /// When it was written.
    #[serde(serialize_with = "as_iso_if_known")]
    #[schemars(with = "Option<crate::id::Iso>")]
    pub written_at: Option<Timestamp>,
    /// What it may carry: what others wrote, what is private.
    #[serde(skip_serializing_if = "Labels::is_none")]
    pub labels: Labels,
    /// Who wrote it, and where its words come from.
    pub by: Option<(AgentName, Origin)>,
    /// Its text; none if it was erased.
    pub body: Option<Value>,
    /// The schema that it holds: what people see of it is in that order.
    #[serde(skip)]
    pub schema: Value,
}

/// What a check remarked.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CheckRemark")]
pub struct Remark {
    /// On which artefact.
    pub artefact: ArtefactName,
    /// In a sentence of the check.
    pub what: String,
}

/// What somebody said when they handed it on.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Said {
    /// Who; none if it is the run's own first message.
    pub from: Option<AgentName>,
    /// With which outcome.
    pub outcome: Outcome,
    /// How often that outcome may lead where it first leads, if it did so often, and the work came here instead.
    pub rounds_used_up: Option<u32>,
    /// In words.
    pub text: String,
}

/// What somebody asked to be changed.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Wanted {
    /// In which approval.
    pub approval: ApprovalNo,
    /// Who.
    pub by: String,
    /// In their words.
    pub text: String,
}

/// A question whether an act happened.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Question {
    /// Its number.
    pub question: ApprovalNo,
    /// Of which run.
    pub run: RunNo,
    /// Which act.
    pub effect: EffectId,
    /// Why that could not be looked up, if that was tried.
    pub why: Option<String>,
}

/// The question of this number, if it is one that waits.
pub fn question(story: &Story, no: ApprovalNo) -> Option<Question> {
    let state = story.state();
    let effect = state.questions.get(&no)?;
    let why =
        state.effects.get(effect).and_then(|effect| effect.why).map(|why| reason_text(state, &story.texts(), why));
    Some(Question { question: no, run: story.row.no, effect: *effect, why })
}

/// The approval of this number, as `viewer` sees it: what changed since they last looked.
///
/// # Errors
/// If the run has none.
pub fn review(project: &Project, story: &Story, no: ApprovalNo, viewer: &Who) -> Result<Review, Error> {
    let (state, texts) = (story.state(), story.texts());
    let approval = state.approvals.get(&no).ok_or(Error::UnknownApproval(no))?;
    let manifest = approval.manifest.as_ref();
    let (tool, items) = match manifest {
        Some(manifest) => items(project, manifest, &texts),
        None => (None, None),
    };
    let message = story.view.message(approval.message);
    let said = message.map(|message| said(state, message, &texts));
    let days = days(items.as_deref().unwrap_or_default(), state.permits.get(&no));
    Ok(Review {
        line: ApprovalLine::of(no, approval, &story.row, state, &texts),
        open: approval.fate.is_none(),
        came_to: approval.fate.as_ref().map(|fate| match fate {
            Fate::Decided(by, decision) => Came::Decided { by: by.clone(), decision: *decision },
            Fate::Answered(by, outcome) => Came::Answered { by: by.clone(), outcome: outcome.clone() },
            Fate::Edited(by) => Came::Replaced { by: *by },
            Fate::Lapsed => Came::Lapsed,
        }),
        may_take: may_take(project, state, approval),
        desk: approval.desk.clone(),
        quiet: bounds(state, tool.as_deref()).and_then(|spec| spec.quiet.clone()),
        hour: bounds(state, tool.as_deref()).and_then(|spec| spec.hour.clone()).filter(|_| !days.is_empty()),
        days,
        tool,
        items,
        versions: versions(story, approval, &texts),
        changes: changes(story, no, approval, &viewer.name),
        comments: on_approval(story, approval),
        remarks: remarks(state, approval, &texts),
        claims: Ledger::new(story).on(&approval.desk, &approved(state, approval)),
        rules: approval.rules.as_ref().and_then(|ruling| read(&texts, ruling.body)).unwrap_or_default(),
        gates: approval.gates().cloned().collect(),
        calls: story.view.calls(&texts),
        said,
        wanted: wanted(story, no, approval, &texts),
        work: story.view.work(approval.message, &texts),
        form: (approval.fate.is_none() && approval.wants != Wants::Decision).then(|| sheet(&state.plan, approval)),
    })
}

/// What says when anything leaves by this tool, where something would leave at all.
fn bounds<'s>(state: &'s State, tool: Option<&str>) -> Option<&'s ToolSpec> {
    state.plan.tools.get(tool?).filter(|_| !state.plan.mode.drafts())
}

/// What a person approves.
fn approved(state: &State, approval: &Approval) -> Vec<ArtefactName> {
    match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.clone(),
        _ => Vec::new(),
    }
}

/// The latest words with which the same member sent the work back before approval `no`.
fn wanted(story: &Story, no: ApprovalNo, approval: &Approval, texts: &Bodies) -> Option<Wanted> {
    let branch = |of: &Approval| story.view.message(of.message).map(|message| message.branch.clone());
    let earlier = story.state().approvals.range(..no).rev();
    let same = earlier.filter(|(_, of)| of.agent == approval.agent && branch(of) == branch(approval));
    let mut sent_back = same.filter_map(|(no, of)| match &of.fate {
        Some(Fate::Decided(by, Decision::RequestChanges)) => Some((*no, by, of.message)),
        _ => None,
    });
    let (approval, by, turn) = sent_back.next()?;
    let message = story.view.messages().find(|message| message.cause == Some(turn))?;
    Some(Wanted { approval, by: by.name.clone(), text: note(texts, message.note) })
}

fn said(state: &State, message: &Message, texts: &Bodies) -> Said {
    let handoff = message.from.as_ref().and_then(|from| state.handoff(from, &message.outcome));
    let rounds = handoff.and_then(|handoff| handoff.rounds.as_ref());
    Said {
        from: message.from.clone(),
        outcome: message.outcome.clone(),
        rounds_used_up: rounds.filter(|_| message.exhausted).map(|rounds| rounds.max),
        text: note(texts, message.note),
    }
}

/// The tool of `manifest`, and each item as that tool shows it.
fn items(project: &Project, manifest: &Manifest, texts: &Bodies) -> (Option<String>, Option<Vec<Item>>) {
    let list = read::<Listing>(texts, manifest.body);
    let tool = list.as_ref().map(|list| list.tool.to_string()).unwrap_or_default();
    // A tool that is there no longer leaves what its bytes say by themselves.
    let known = app::tools(&project.settings).unwrap_or_default();
    let known = list.as_ref().and_then(|list| known.get(&list.tool));
    let shown = |item: &tool::Item| match known {
        Some(Tool::Outward(tool)) => tool.shown(item),
        _ => shown::parts(item),
    };
    let item = |listed: Listed| {
        let parts = texts.bytes(listed.digest).map(|bytes| shown(&tool::Item::listed(&listed, bytes)));
        let Listed { key, recipient, recipients, title, media_type, digest, after_ms, again, .. } = listed;
        Item { digest, recipients, key, title, recipient, media_type, after_ms, again, parts }
    };
    let items = match list {
        Some(list) => list.items.into_iter().map(item).collect(),
        None => manifest.items.iter().map(Item::erased).collect(),
    };
    (Some(tool), Some(items))
}

/// What whoever decides reads beside the items; where nothing leaves, what they approve.
fn versions(story: &Story, approval: &Approval, texts: &Bodies) -> Vec<Version> {
    let state = story.state();
    let outward = approval.manifest.as_ref().map(|manifest| &manifest.desk);
    let beside = approval.desk.iter().filter(|(name, _)| outward.is_none_or(|of| !of.contains_key(*name)));
    let versions =
        beside.flat_map(|(name, held)| held.named(name).into_iter().map(move |(of, version)| (of, held, version)));
    let version = |(name, held, digest): (ArtefactName, &Held, Digest)| {
        let nth = story.view.nth(digest);
        Version {
            schema: state.plan.schema(name.as_str()).cloned().unwrap_or_default(),
            artefact: name,
            digest,
            no: nth.map(|(no, _)| no),
            written_at: nth.map(|(_, at)| at),
            labels: state.versions.get(&digest).map(|version| version.labels).unwrap_or_default(),
            by: state.versions.get(&digest).map(|version| (version.writer.clone(), version.origin)),
            body: match held {
                Held::Item { .. } => texts.held(held),
                Held::Version(_) | Held::All(_) | Held::Sections { .. } => texts.value(digest),
            },
        }
    };
    versions.map(version).collect()
}

fn remarks(state: &State, approval: &Approval, texts: &Bodies) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (name, version) in approval.desk.iter().flat_map(|(name, held)| held.named(name)) {
        let findings = state.versions.get(&version).and_then(|version| version.findings);
        let findings = findings.and_then(|found| texts.value(found.digest)).and_then(|list| list.as_array().cloned());
        remarks.extend(findings.unwrap_or_default().iter().map(|finding| Remark {
            artefact: name.clone(),
            what: finding.get("what").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }));
    }
    remarks
}

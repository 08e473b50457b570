//! The same for programs: JSON in the shapes that the command line prints with `--json`. A program carries its person's token as
//! `Authorization: Bearer`; a page of ours its session and its key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::act::{along, assigned, begin, decision, post};
use super::comments::{self, Version, Wanted};
use super::fail::{Fail, Plain};
use super::person::Person;
use super::review::looks;
use super::sent::{Asked, Named, Sent};
use super::site::{Site, nothing_yet};

use crate::id::{ApprovalNo, CommentNo, Digest, RunNo, Seq};
use crate::run::input::Say;
use crate::service::attached::{Attached, attached, from_bytes};
use crate::service::comment;
use crate::service::error::Error;
use crate::service::list::{self, Filter, Open, RunLine};
use crate::service::note;
use crate::service::overview::{Overview, overview};
use crate::service::review::{Question, Review, question, review};
use crate::service::start::texts;
use crate::service::story::{News, Story};
use crate::service::thread::Comment;

/// Runs or records that one answer has at most.
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Narrowed {
    /// Only runs in this state.
    status: Option<String>,
    /// Only runs of this topology.
    topology: Option<String>,
    /// Only runs that are not over.
    #[serde(default)]
    live: bool,
    /// So many runs at most: 100 unless it is written, 1000 at most.
    limit: Option<usize>,
}

pub(super) async fn runs(
    State(site): State<Arc<Site>>,
    Asked(asked): Asked<Narrowed>,
) -> Result<Json<Vec<RunLine>>, Plain> {
    let limit = asked.limit.unwrap_or(100).min(LIMIT_MAX);
    let filter = Filter { live: asked.live, status: asked.status, topology: asked.topology, limit };
    Ok(site.look(move |site| Ok(Json(nothing_yet(list::runs(&site.project, &filter))?))).await?)
}

pub(super) async fn run(State(site): State<Arc<Site>>, Named(no): Named<u64>) -> Result<Json<Overview>, Plain> {
    let read = site.look(move |site| {
        let project = &site.project;
        site.readings.look(RunNo(no), |run| Json(overview(project, &run.story)))
    });
    Ok(read.await?)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct After {
    /// Only records after this one.
    #[serde(default)]
    after: u64,
    /// So many records at most, 1000 at most.
    limit: Option<usize>,
}

pub(super) async fn records(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    Asked(After { after, limit }): Asked<After>,
) -> Result<Json<Vec<Arc<News>>>, Plain> {
    let limit = limit.unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    let read = site.look(move |site| site.readings.look(RunNo(no), |run| Json(run.after(Seq(after), limit))));
    Ok(read.await?)
}

pub(super) async fn approvals(State(site): State<Arc<Site>>) -> Result<Json<Vec<Open>>, Plain> {
    Ok(site.look(move |site| Ok(Json(nothing_yet(list::open(&site.project))?))).await?)
}

/// One that waits, or waited, by its number.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Numbered {
    /// Whether an act happened.
    Question(Question),
    /// What is decided, or answered.
    Review(Box<Review>),
}

pub(super) async fn approval(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Named(no): Named<u64>,
) -> Result<Json<Numbered>, Plain> {
    let viewer = person.who.clone();
    let read = site.look(move |site| {
        let no = ApprovalNo(no);
        let row = site.project.run_of_approval(no)?;
        site.readings.look(row.no, |run| match question(&run.story, no) {
            Some(question) => Ok(Json(Numbered::Question(question))),
            None => Ok::<_, Error>(Json(Numbered::Review(Box::new(review(&site.project, &run.story, no, &viewer)?)))),
        })?
    });
    let read = read.await?;
    looks(&site, ApprovalNo(no), person.who).await?;
    Ok(read)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Started {
    /// Of which topology.
    topology: String,
    /// Its parameters; those that are left out are the topology's defaults.
    #[serde(default)]
    params: BTreeMap<String, Value>,
    /// Without models, whatever the project names.
    #[serde(default)]
    rehearse: bool,
}

/// A run.
#[derive(Serialize, JsonSchema)]
pub(super) struct New {
    /// Its number.
    run: RunNo,
}

/// A run after it has heard something.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stands {
    /// Its number.
    run: RunNo,
    /// What it is doing, in a word.
    status: &'static str,
}

impl Stands {
    fn of(story: &Story) -> Json<Self> {
        Json(Self { run: story.row.no, status: story.state().status().word() })
    }
}

pub(super) async fn start(State(site): State<Arc<Site>>, sent: Sent<Started>) -> Result<Json<New>, Plain> {
    let Started { topology, params, rehearse } = sent.said;
    let no = begin(&site, topology, texts(params), rehearse, sent.person.who).await?;
    Ok(Json(New { run: no }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    /// `approve`, `request_changes` or `reject`.
    decision: String,
    /// What exactly is decided, as the approval has it.
    binds: Digest,
    /// Why; whoever reads it next is told.
    #[serde(default)]
    comment: String,
    /// Rules that do not hold and are accepted.
    #[serde(default)]
    accepts: BTreeSet<String>,
    /// Comments that are sent along, as the person's words.
    #[serde(default)]
    send: Vec<CommentNo>,
}

pub(super) async fn decide(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Decided>,
) -> Result<Json<Stands>, Plain> {
    let Decided { decision: word, binds, comment, accepts, send } = sent.said;
    let comment = along(&site, ApprovalNo(no), comment, send).await?;
    let say = decision(ApprovalNo(no), &word, binds, accepts, comment)?;
    let story = post(&site, ApprovalNo(no), sent.person.who, say).await?;
    Ok(Stands::of(&story))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Assigned {
    /// A person, or `group:NAME`; nobody gives it back.
    to: Option<String>,
    /// Why.
    #[serde(default)]
    text: String,
}

pub(super) async fn assign(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Assigned>,
) -> Result<Json<Stands>, Plain> {
    let Assigned { to, text } = sent.said;
    let say = assigned(ApprovalNo(no), &sent.person.who, to, text)?;
    let story = post(&site, ApprovalNo(no), sent.person.who, say).await?;
    Ok(Stands::of(&story))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Noted {
    /// The member: one that is a model.
    to: String,
    /// In words.
    text: String,
}

pub(super) async fn note(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Noted>,
) -> Result<Json<Stands>, Plain> {
    let Noted { to, text } = sent.said;
    let read = site.look(move |site| {
        let story = site.project.read(site.project.run(Some(RunNo(no)))?)?;
        let say = note::to(&story, &to, text)?;
        Ok((story, say))
    });
    let (mut story, say) = read.await?;
    site.driver.say(&mut story, sent.person.who, say).await.map_err(Fail::from)?;
    Ok(Stands::of(&story))
}

/// Whether somebody follows a run.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(super) struct Follows {
    /// Whether they are told how it ends.
    on: bool,
}

pub(super) async fn follow(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Follows>,
) -> Result<Json<Stands>, Plain> {
    let on = sent.said.on;
    let read = site.look(move |site| site.project.read(site.project.run(Some(RunNo(no)))?));
    let mut story = read.await?;
    site.driver.say(&mut story, sent.person.who, Say::Follow { on }).await.map_err(Fail::from)?;
    Ok(Stands::of(&story))
}

/// What came of a run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Attachment {
    /// The name of the file; one that ends in `.json` is read as a list of objects, any other as CSV.
    file: String,
    /// What is in it.
    text: String,
}

pub(super) async fn attach(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Attachment>,
) -> Result<Json<Vec<Attached>>, Plain> {
    let Attachment { file, text } = sent.said;
    let read = site.look(move |site| {
        let story = site.project.read(site.project.run(Some(RunNo(no)))?)?;
        let read = from_bytes(&file, &file, text.into_bytes())?;
        Ok((story, read.table))
    });
    let (mut story, table) = read.await?;
    site.driver.say(&mut story, sent.person.who, Say::Results { table }).await.map_err(Fail::from)?;
    story.news().map_err(Fail::from)?;
    Ok(Json(attached(&story)))
}

pub(super) async fn comments(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
) -> Result<Json<Vec<Comment>>, Plain> {
    let read = site.look(move |site| site.readings.look(RunNo(no), |run| Json(comment::comments(&run.story))));
    Ok(read.await?)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Remarked {
    /// On which artefact.
    artefact: String,
    /// On which version, from 1; the newest if it is left out.
    version: Option<usize>,
    /// On which part, as a JSON pointer; empty for all of it.
    #[serde(default)]
    at: String,
    /// In words.
    text: String,
    /// Whether it stops approvals until it is resolved.
    #[serde(default)]
    blocks: bool,
}

pub(super) async fn remark(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    sent: Sent<Remarked>,
) -> Result<Json<Vec<Comment>>, Plain> {
    let Remarked { artefact, version, at, text, blocks } = sent.said;
    let wanted = Wanted { artefact, version: Version::No(version), at, text, blocks };
    let say = move |site: &Site| wanted.say(site, RunNo(no));
    Ok(Json(comments::post(&site, RunNo(no), sent.person.who, say).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    /// In words.
    #[serde(default)]
    text: String,
}

pub(super) async fn reply(
    State(site): State<Arc<Site>>,
    Named((no, comment)): Named<(u64, String)>,
    sent: Sent<Answered>,
) -> Result<Json<Vec<Comment>>, Plain> {
    answered(&site, no, &comment, "reply", sent).await
}

pub(super) async fn resolve(
    State(site): State<Arc<Site>>,
    Named((no, comment)): Named<(u64, String)>,
    sent: Sent<Answered>,
) -> Result<Json<Vec<Comment>>, Plain> {
    answered(&site, no, &comment, "resolve", sent).await
}

async fn answered(
    site: &Arc<Site>,
    no: u64,
    comment: &str,
    what: &str,
    sent: Sent<Answered>,
) -> Result<Json<Vec<Comment>>, Plain> {
    let say = comments::said(comment, what, sent.said.text)?;
    Ok(Json(comments::post(site, RunNo(no), sent.person.who, |_| Ok(say)).await?))
}

//! What people do, as forms post it. Each form carries its session's key, and what it decides names what it binds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};

use super::fail::Fail;
use super::person::Filled;
use super::site::Site;

use super::forms;
use crate::id::{ApprovalNo, CommentNo, Digest, MessageId, NanoUsd, RunNo};
use crate::run::event::{DeadLetterAnswer, Decision, Limit, Raise, Who};
use crate::run::input::Say;
use crate::service::act::{enough, wanted};
use crate::service::attached::from_bytes;
use crate::service::comment::{number, sent_along};
use crate::service::edit::Edit;
use crate::service::form::Form as Asked;
use crate::service::note::to;
use crate::service::start::{Start, Voice};
use crate::service::story::Story;

/// Starts a run.
pub(super) async fn start(
    State(site): State<Arc<Site>>,
    Path(topology): Path<String>,
    filled: Filled,
) -> Result<Redirect, Fail> {
    let named = filled.fields.iter().filter_map(|(name, value)| Some((name.strip_prefix("param.")?, value)));
    let params = named.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value.clone()));
    let params: BTreeMap<String, String> = params.collect();
    let is_rehearsal = filled.field("rehearse") == "yes";
    let no = begin(&site, topology, params, is_rehearsal, filled.person.who).await?;
    Ok(Redirect::to(&format!("/runs/{no}")))
}

/// Starts a run, by whomever it is asked for.
pub(super) async fn begin(
    site: &Arc<Site>,
    topology: String,
    params: BTreeMap<String, String>,
    is_rehearsal: bool,
    who: Who,
) -> Result<RunNo, Fail> {
    let voice = if is_rehearsal { Voice::Script } else { Voice::Named };
    let start = site.look(move |site| Start::of(&site.project, &topology, &voice, &params, who)).await?;
    let (_, story) = site.driver.start(&start).await?;
    Ok(story.row.no)
}

/// Says something to a run as a whole.
pub(super) async fn say(State(site): State<Arc<Site>>, Path(no): Path<u64>, filled: Filled) -> Result<Redirect, Fail> {
    let mut story = site.look(move |site| site.project.read(site.project.run(Some(RunNo(no)))?)).await?;
    let answer = |answer| -> Result<Say, Fail> {
        let named = filled.field("message");
        let number = named.strip_prefix('m').unwrap_or(named).parse();
        let message = number.map(MessageId).map_err(|_| Fail::input("this is no message of the run"))?;
        Ok(Say::DeadLetter { message, answer })
    };
    let what = match filled.field("what") {
        "note" => to(&story, filled.field("to"), filled.field("text").to_owned())?,
        "results" => {
            let file = filled.field("file");
            Say::Results { table: from_bytes(file, file, filled.field("text").as_bytes().to_vec())?.table }
        }
        "pause" => Say::Pause,
        "resume" => Say::Resume,
        "cancel" => Say::Cancel,
        "follow" => Say::Follow { on: true },
        "unfollow" => Say::Follow { on: false },
        "raise" => match enough(story.state()) {
            Some((limit, most)) => Say::Raise(raise(limit, most)),
            None => Say::Resume,
        },
        "retry" => answer(DeadLetterAnswer::Retry)?,
        "discard" => answer(DeadLetterAnswer::Discard)?,
        "stop" => answer(DeadLetterAnswer::Stop)?,
        other => return Err(Fail::input(format!("a run does not understand `{other}`"))),
    };
    // What nobody drives goes on by being taken up.
    if what == Say::Resume && story.state().paused.is_none() {
        site.driver.take_up(&mut story).await?;
    } else {
        site.driver.say(&mut story, filled.person.who.clone(), what).await?;
    }
    Ok(Redirect::to(&format!("/runs/{no}")))
}

fn raise(limit: Limit, most: u64) -> Raise {
    let none = Raise::default();
    let few = || Some(u32::try_from(most).unwrap_or(u32::MAX));
    match limit {
        Limit::Steps => Raise { steps: Some(most), ..none },
        Limit::Tokens => Raise { tokens: Some(most), ..none },
        Limit::Cost => Raise { cost: Some(NanoUsd(most)), ..none },
        Limit::ActiveTime => Raise { active_ms: Some(most), ..none },
        Limit::Recipients => Raise { recipients: Some(most), ..none },
        Limit::Turns => Raise { turns: few(), ..none },
        Limit::StepsPerTurn => Raise { steps_per_turn: few(), ..none },
    }
}

/// Decides an approval, or says whether an act happened.
pub(super) async fn decide(
    State(site): State<Arc<Site>>,
    Path(no): Path<u64>,
    filled: Filled,
) -> Result<Redirect, Fail> {
    let (no, comment) = (ApprovalNo(no), filled.field("comment").to_owned());
    let word = filled.field("decision");
    let say = match word {
        "happened" | "did_not" => Say::Answer { question: no, happened: word == "happened" },
        _ => {
            let comment = along(&site, no, comment, sent(&filled)?).await?;
            let accepted = filled.fields.keys().filter_map(|field| field.strip_prefix("accept."));
            decision(no, word, filled.binds()?, accepted.map(str::to_owned).collect(), comment)?
        }
    };
    let story = post(&site, no, filled.person.who.clone(), say).await?;
    Ok(Redirect::to(&format!("/runs/{}", story.row.no)))
}

/// Takes an approval on, hands it on, or gives it back.
pub(super) async fn assign(
    State(site): State<Arc<Site>>,
    Path(no): Path<u64>,
    filled: Filled,
) -> Result<Redirect, Fail> {
    let (to, text) = (filled.field("to").to_owned(), filled.field("text").to_owned());
    let say = assigned(ApprovalNo(no), &filled.person.who, Some(to).filter(|to| !to.is_empty()), text)?;
    post(&site, ApprovalNo(no), filled.person.who.clone(), say).await?;
    Ok(Redirect::to(&format!("/approvals/{no}")))
}

/// That somebody is on it. Whoever hands it to somebody else has to say why.
pub(super) fn assigned(approval: ApprovalNo, who: &Who, to: Option<String>, text: String) -> Result<Say, Fail> {
    if to.as_ref().is_some_and(|to| *to != who.name) && text.trim().is_empty() {
        return Err(Fail::input("say why you hand it on"));
    }
    Ok(Say::Assign { approval, to, text })
}

/// The comments that a form sends along.
fn sent(filled: &Filled) -> Result<Vec<CommentNo>, Fail> {
    let named = filled.fields.keys().filter_map(|name| name.strip_prefix("send."));
    named.map(|named| number(named).map_err(Fail::from)).collect()
}

/// What somebody says with their decision, and the comments that they send along with it.
pub(super) async fn along(
    site: &Arc<Site>,
    no: ApprovalNo,
    words: String,
    sent: Vec<CommentNo>,
) -> Result<String, Fail> {
    if sent.is_empty() {
        return Ok(words);
    }
    site.look(move |site| {
        let row = site.project.run_of_approval(no)?;
        site.readings.look(row.no, |run| sent_along(&run.story, no, &words, &sent))?
    })
    .await
}

/// A decision in its word, with the rules that are accepted though they do not hold. Whoever does not approve has to say why.
pub(super) fn decision(
    no: ApprovalNo,
    word: &str,
    binds: Digest,
    rules: BTreeSet<String>,
    comment: String,
) -> Result<Say, Fail> {
    let all = [Decision::Approve, Decision::RequestChanges, Decision::Reject];
    let decision = all.into_iter().find(|decision| decision.word() == word);
    let decision = decision.ok_or_else(|| {
        let known = all.map(Decision::word).join(", ");
        Fail::input(format!("`{word}` is no decision; there are: {known}"))
    })?;
    if decision != Decision::Approve && comment.trim().is_empty() {
        return Err(Fail::input("say why: the agents read it"));
    }
    match decision == Decision::Approve && !rules.is_empty() {
        true => Ok(Say::Accept { approval: no, binds, rules, comment }),
        false => Ok(Say::Decide { approval: no, binds, decision, comment }),
    }
}

/// Posts to the run of an approval, and waits for its answer.
pub(super) async fn post(site: &Arc<Site>, no: ApprovalNo, who: Who, say: Say) -> Result<Story, Fail> {
    let is_decision = matches!(say, Say::Decide { .. } | Say::Accept { .. });
    let read = site.look(move |site| {
        let story = site.project.read(site.project.run_of_approval(no)?)?;
        // Who was faster is told, also once the run is over.
        if is_decision {
            wanted(story.state(), no, true)?;
        }
        Ok(story)
    });
    let mut story = read.await?;
    site.driver.say(&mut story, who, say).await?;
    Ok(story)
}

/// Puts a person's own version in the place of a draft: shown first with what it changes, posted then.
pub(super) async fn edit(State(site): State<Arc<Site>>, Path(no): Path<u64>, filled: Filled) -> Result<Response, Fail> {
    let no = ApprovalNo(no);
    let artefact = filled.field("artefact").to_owned();
    let edited = site.look(move |site| {
        let story = site.project.read(site.project.run_of_approval(no)?)?;
        Edit::of(&story, no, Some(&artefact))
    });
    let edit = edited.await?;
    let body = forms::changed(&edit, &filled.fields);
    let faults = edit.faults(&body);
    if filled.field("step") != "save" || !faults.is_empty() {
        let person = filled.person.clone();
        let page: Html<String> =
            site.look(move |site| forms::edit_page(site, &person, &edit, &body, Some(&faults))).await?;
        return Ok(page.into_response());
    }
    // What the form was made of, not what is there by now.
    let Say::Edit { approval, artefact, body, .. } = edit.say(body) else { return Err(Fail::broken("no edit")) };
    let say = Say::Edit { approval, binds: filled.binds()?, artefact, body };
    let story = post(&site, no, filled.person.who.clone(), say).await?;
    let next = story.state().open_approvals().map(|(no, _)| no).next();
    let next = next.map_or_else(|| format!("/runs/{}", story.row.no), |no| format!("/approvals/{no}"));
    Ok(Redirect::to(&next).into_response())
}

/// Answers what is asked of a person.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    Path(no): Path<u64>,
    filled: Filled,
) -> Result<Redirect, Fail> {
    let no = ApprovalNo(no);
    let (who, fields) = (filled.person.who.clone(), filled.fields.clone());
    let said = site.look(move |site| {
        let story = site.project.read(site.project.run_of_approval(no)?)?;
        let form = Asked::of(&story, no)?;
        Ok(forms::answered(&form, &fields))
    });
    let say = said.await?.map_err(Fail::input)?;
    let story = post(&site, no, who, say).await?;
    Ok(Redirect::to(&format!("/runs/{}", story.row.no)))
}

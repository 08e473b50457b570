//! Comments on a page: what was said of which part, with forms that answer, settle and add; and what those forms do.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use serde_json::Value;

use super::fail::Fail;
use super::parts::{address, state, text};
use super::person::{Filled, Person};
use super::site::Site;
use crate::id::{ApprovalNo, Digest, RunNo};
use crate::run::event::Who;
use crate::run::input::Say;
use crate::service::comment::{comments, is_said, number, on, places};
use crate::service::error::Error;
use crate::service::thread::Comment;
use crate::words::thread as words;
use crate::words::time::date_time;

/// Where a form stands: it leads back there.
#[derive(Clone, Copy)]
pub(super) enum Stands {
    /// On the page of an approval.
    Approval(ApprovalNo),
    /// Beside the drafts of a run.
    Drafts,
}

/// What a form of comments is of.
pub(super) struct Talk<'t> {
    pub(super) person: &'t Person,
    pub(super) run: RunNo,
    pub(super) stands: Stands,
    pub(super) zone: &'t str,
}

impl Talk<'_> {
    /// A comment with what was answered; who may answer and settle it finds the forms below.
    pub(super) fn thread(&self, of: &Comment, is_live: bool) -> Markup {
        let tone = match (of.open, of.blocks) {
            (true, true) => "waiting",
            (true, false) => "idle",
            (false, _) => "done",
        };
        html! {
            article.thread id=(format!("comment-{}", of.comment)) {
                p.small { b { (of.comment) } " on " code { (text(&words::place(of))) } " " (state(tone, &words::state(of))) }
                @for remark in &of.said {
                    p.small {
                        b { (text(&remark.by)) } " "
                        a href=(address(self.run.0, remark.seq)) { time { (date_time(remark.at, self.zone)) } }
                        @if !remark.mentions.is_empty() { " to " (text(&remark.mentions.join(", "))) }
                    }
                    p.prose-text { (text(remark.text.as_deref().unwrap_or("resolved without a word"))) }
                }
                @if of.open && is_live {
                    details.confirm {
                        summary.link { "Reply or resolve" }
                        form method="post" action=(format!("/runs/{}/comments/{}", self.run, of.comment)) {
                            (self.person.key()) (self.back())
                            label.field {
                                span { "What you say" }
                                textarea name="text" rows="2" {}
                            }
                            div.actions {
                                button.button name="what" value="reply" { "Reply" }
                                button.button name="what" value="resolve" { "Resolve" }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A form that comments on a version, or on a part of it.
    pub(super) fn form(&self, artefact: &str, version: Digest, body: &Value) -> Markup {
        html! {
            details.confirm.remark {
                summary.button.small { "Comment on " (artefact) }
                form method="post" action=(format!("/runs/{}/comments", self.run)) {
                    (self.person.key()) (self.back())
                    input type="hidden" name="artefact" value=(artefact);
                    input type="hidden" name="version" value=(version.to_string());
                    label.field {
                        span { "On which part" }
                        select name="at" {
                            option value="" { "all of it" }
                            @for place in places(body) {
                                option value=(place.at) { (place.at) "  " (text(&place.begins)) }
                            }
                        }
                    }
                    label.field {
                        span { "What you say" }
                        small { "@name names somebody. No agent reads it, unless somebody sends it with Request changes." }
                        textarea name="text" rows="3" required {}
                    }
                    label.tick { input type="checkbox" name="blocks" value="yes"; "It blocks approval until it is resolved" }
                    button.button { "Comment" }
                }
            }
        }
    }

    fn back(&self) -> Markup {
        html! {
            @if let Stands::Approval(no) = self.stands { input type="hidden" name="approval" value=(no); }
        }
    }
}

/// Comments on a version.
pub(super) async fn make(State(site): State<Arc<Site>>, Path(no): Path<u64>, filled: Filled) -> Result<Redirect, Fail> {
    let version: Digest =
        filled.field("version").parse().map_err(|_| Fail::input("the form does not say which version it is on"))?;
    let wanted = Wanted {
        artefact: filled.field("artefact").to_owned(),
        version: Version::Digest(version),
        at: filled.field("at").to_owned(),
        text: filled.field("text").to_owned(),
        blocks: filled.field("blocks") == "yes",
    };
    post(&site, RunNo(no), filled.person.who.clone(), move |site| wanted.say(site, RunNo(no))).await?;
    Ok(back(RunNo(no), &filled))
}

/// Answers or settles one.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    Path((no, comment)): Path<(u64, String)>,
    filled: Filled,
) -> Result<Redirect, Fail> {
    let text = filled.field("text").to_owned();
    let what = filled.field("what").to_owned();
    let say = said(&comment, &what, text)?;
    post(&site, RunNo(no), filled.person.who.clone(), |_| Ok(say)).await?;
    Ok(back(RunNo(no), &filled))
}

/// An answer to a comment, or its end.
pub(super) fn said(comment: &str, what: &str, text: String) -> Result<Say, Fail> {
    let comment = number(comment)?;
    match what {
        "reply" => Ok(Say::Reply { comment, text }),
        "resolve" => Ok(Say::Resolve { comment, text }),
        other => Err(Fail::input(format!("a comment is answered or resolved, and not `{other}`"))),
    }
}

/// A remark that somebody wants to make.
pub(super) struct Wanted {
    pub(super) artefact: String,
    pub(super) version: Version,
    pub(super) at: String,
    pub(super) text: String,
    pub(super) blocks: bool,
}

/// Which version a remark is on.
pub(super) enum Version {
    /// The one that the page showed.
    Digest(Digest),
    /// The one of this number, or the newest.
    No(Option<usize>),
}

impl Wanted {
    /// What is posted, once it is known that there is such a part.
    pub(super) fn say(self, site: &Site, no: RunNo) -> Result<Say, Error> {
        site.readings.look(no, |run| {
            let versions = run.story.view.versions_of(&self.artefact);
            let nth = |digest: Digest| versions.iter().position(|of| of.body.digest == digest).map(|at| at + 1);
            let version = match self.version {
                // One that there is none of has no number that there is either.
                Version::Digest(digest) => Some(nth(digest).unwrap_or(0)),
                Version::No(no) => no,
            };
            on(&run.story, (&self.artefact, version), &self.at, self.text, self.blocks)
        })?
    }
}

/// Posts what is said to a run, once however often it is clicked, and waits for its answer. The comments that there are then.
pub(super) async fn post(
    site: &Arc<Site>,
    no: RunNo,
    who: Who,
    say: impl FnOnce(&Site) -> Result<Say, Error> + Send + 'static,
) -> Result<Vec<Comment>, Fail> {
    let _alone = site.remarks.lock().await;
    let by = who.clone();
    let read = site.look(move |site| {
        let say = say(site)?;
        let story = site.project.read(site.project.run(Some(no))?)?;
        let say = Some(say).filter(|say| !is_said(&story, &by, say));
        Ok((story, say))
    });
    let (mut story, say) = read.await?;
    if let Some(say) = say {
        site.driver.say(&mut story, who, say).await?;
    }
    Ok(comments(&story))
}

fn back(no: RunNo, filled: &Filled) -> Redirect {
    match filled.field("approval").parse::<u64>() {
        Ok(approval) => Redirect::to(&format!("/approvals/{approval}#comments")),
        Err(_) => Redirect::to(&format!("/runs/{no}/drafts")),
    }
}

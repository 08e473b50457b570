//! A run: its head on every view, and the views: graph, story, messages, drafts, budget, supervision.

mod look;
mod messages;
mod results;
mod sequence;
mod views;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::fail::Fail;
use super::frame::{Area, Page};
use super::graph;
use super::person::Person;
use super::site::Site;

use super::parts::{meter, state, text};
use crate::id::{RunNo, Seq};
use crate::run::event::Limit;
use crate::run::state::Status;
use crate::run::view::{amount, count};
use crate::service::act::enough;
use crate::service::overview::overview;
use crate::topology::plan::Mode;
use crate::words;
use crate::words::time::date_time;
use look::{Asked, Look, limit_word};

/// The views of a run: their addresses below the run's own, and their names.
const VIEWS: [(&str, &str); 7] = [
    ("", "Graph"),
    ("/story", "Story"),
    ("/sequence", "Sequence"),
    ("/messages", "Messages"),
    ("/drafts", "Drafts"),
    ("/budget", "Budget"),
    ("/supervision", "Supervision"),
];

pub(super) async fn graph(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "", drawn).await
}

pub(super) async fn story(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/story", views::story).await
}

pub(super) async fn sequence(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/sequence", sequence::sequence).await
}

pub(super) async fn messages(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/messages", messages::messages).await
}

pub(super) async fn drafts(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/drafts", views::drafts).await
}

pub(super) async fn budget(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/budget", views::budget).await
}

pub(super) async fn supervision(
    site: State<Arc<Site>>,
    person: Extension<Person>,
    no: Path<u64>,
    asked: Query<Asked>,
) -> Result<Html<String>, Fail> {
    view(site, person, no, asked, "/supervision", views::supervision).await
}

/// A page of run `no` with the view `here` on it.
async fn view(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Path(no): Path<u64>,
    Query(asked): Query<Asked>,
    here: &'static str,
    draw: fn(&Look<'_>) -> Markup,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let page = site.readings.look(RunNo(no), |run| {
            let at_a_glance = overview(&site.project, &run.story);
            let look = Look { site, person: &person, run, at_a_glance: &at_a_glance, asked: &asked };
            let name = VIEWS.iter().find(|(address, _)| *address == here).map_or("Run", |(_, name)| name);
            let body = html! { (head(&look)) (tabs(no, here)) div.view { (draw(&look)) } };
            let live = format!("/runs/{no}/events?after={}", run.story.seq());
            let title = format!("{name} of {} run {no}", at_a_glance.topology);
            Page { title, area: Area::Runs, live: Some(live), body }
        })?;
        page.framed(site, &person)
    })
    .await
}

fn tabs(no: u64, here: &str) -> Markup {
    html! {
        nav.tabs aria-label="Views of this run" {
            @for (address, name) in VIEWS {
                a href=(format!("/runs/{no}{address}")) aria-current=[(address == here).then_some("page")] {
                    (name)
                }
            }
        }
    }
}

/// What is so, in words; what is used of the limits; what can be done.
fn head(look: &Look<'_>) -> Markup {
    let (run, zone) = (look.at_a_glance, look.site.zone());
    html! {
        div.page-head {
            div.crumb-row {
                p.crumbs {
                    a href="/runs" { "Runs" }
                    " / " a href=(format!("/campaigns/{}", run.topology)) { (run.topology) }
                }
                (strip(run.mode))
            }
            div.title-row {
                div.title-main {
                    h1 { (run.topology) " " span.no { "run " (run.run) } }
                    (state(run.status, run.status))
                    @for (name, value) in &run.given {
                        @let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        span.param title=(name) { i { (name) } " " (text(&value)) }
                    }
                }
                (buttons(look))
            }
            p.sentence { (sentence(look)) }
            dl.stats {
                @for budget in &run.budget {
                    @if budget.limit.is_some() && budget.what != Limit::Recipients {
                        div.stat {
                            dt { (limit_word(budget.what, run.would_have_cost)) }
                            dd {
                                span.value {
                                    b.n { (amount(budget.what, budget.spent)) }
                                    " " @if let Some(limit) = budget.limit {
                                        span.of { "of " (amount(budget.what, limit)) }
                                    }
                                }
                                (meter(budget.spent, budget.reserved, budget.limit))
                            }
                        }
                    }
                }
                div.stat.who {
                    dt { "Started" }
                    dd {
                        span.value {
                            @if let Some(by) = &run.started_by { (text(&by.name)) ", " }
                            (date_time(run.created_at, zone))
                        }
                    }
                }
            }
        }
    }
}

/// That no model runs, where none does.
pub(super) fn strip(mode: Mode) -> Markup {
    html! {
        @match mode {
            Mode::Live => "",
            Mode::Rehearsal => p.strip { "Rehearsal: no model runs, tools are real, nothing is sent" },
            Mode::Replay => p.strip { "Replay: no model runs, tools are real, nothing is sent" },
        }
    }
}

/// Who waits for whom, since when, and what ends it.
fn sentence(look: &Look<'_>) -> Markup {
    let (run, zone) = (look.at_a_glance, look.site.zone());
    html! {
        @for line in &run.waiting {
            "Approval " (line.approval) " waits for " b {
                (line.agent)
            } " since " (date_time(line.asked_at, zone)) ", until "
            (date_time(line.expires_at, zone)) ". "
        }
        @for question in &run.questions { "Question " (question) ": nobody knows whether an act happened. " }
        @if let Some((first, others)) = run.dead_letters.split_first() {
            b { (text(&first.to)) } " could not handle message " (first.message) ": " (text(&first.reason))
            @if !others.is_empty() { ", and " (count(others.len(), "other message")) " could not be handled either" }
            ". "
        }
        @if let Some(why) = &run.paused { "Paused: " (text(why)) ". " }
        @for result in &run.results {
            b { (text(&result.from)) }
            " ended it with " code { (text(&result.word)) }
            ": " (text(&result.text)) " "
        }
        @for no in look.run.story.state().permits.iter().filter(|(_, permit)| !permit.used.is_empty()).map(|(no, _)| no) {
            a href=(format!("/approvals/{no}")) { "See what approval " (no) " let leave" } ". "
        }
        @if run.status == "running" {
            @if run.driven_by.is_none() { "Nobody drives it. " } @else { "The team is at work. " }
        }
        @for of in &run.later { (text(&words::later(of.at, of.items, of.agent.as_str(), zone))) ". " }
        @for left in &run.left { (text(left)) ". " }
    }
}

fn buttons(look: &Look<'_>) -> Markup {
    let (run, status) = (look.at_a_glance, look.run.story.state().status());
    let raise = enough(look.run.story.state());
    let raised = |what, enough| format!("Raise {} to {} and go on", words::limit(what, false), amount(what, enough));
    html! {
        div.actions {
            @if !run.dead_letters.is_empty() {
                a.button.primary href=(format!("/runs/{}/supervision", run.run)) { "Decide what becomes of it" }
            }
            @for line in &run.waiting {
                a.button.primary href=(format!("/approvals/{}", line.approval)) {
                    "Review approval " (line.approval)
                }
            }
            @for no in &run.questions {
                a.button.primary href=(format!("/approvals/{no}")) { "Answer question " (no) }
            }
            @match status {
                Status::Ended(_) => "",
                Status::Paused => @match raise {
                    Some((what, enough)) => (look.button("raise", None, &raised(what, enough), "primary")),
                    None => (look.button("resume", None, "Go on", "primary")),
                },
                _ => {
                    @if run.driven_by.is_none() && run.status == "running" {
                        (look.button("resume", None, "Go on", "primary"))
                    } @else { (look.button("pause", None, "Pause", "")) }
                }
            }
            @if !matches!(status, Status::Ended(_)) {
                @if run.followers.contains(&look.person.who.name) {
                    (look.button("unfollow", None, "Stop following", ""))
                } @else { (look.button("follow", None, "Follow", "")) }
                details.confirm {
                    summary.button { "Cancel" }
                    div.sheet {
                        p { "The run ends for good. What has left has left; everything is kept to read." }
                        (look.button("cancel", None, "Cancel this run", "danger"))
                    }
                }
            }
        }
    }
}

fn drawn(look: &Look<'_>) -> Markup {
    let (run, last) = (look.run, look.run.story.seq().0);
    let at = look.asked.get("at").and_then(|at| at.parse().ok()).filter(|at| *at > 0 && *at < last);
    let then = at.and_then(|at| run.at(Seq(at)));
    let no = look.at_a_glance.run;
    let view = then.as_ref().unwrap_or(&run.story.view);
    let upto = at.unwrap_or(last);
    let entries: Vec<_> = run.entries().rev().filter(|entry| entry.seq.0 <= upto).take(40).collect();
    html! {
        @if let Some(at) = at {
            p.callout.changed.graph-note {
                "The graph as it was after record " (at) " of " (last) "; the figures above are of now."
            }
        }
        (graph::graph(&run.story.state().plan, Some(view), Some(&format!("/runs/{no}/messages?from="))))
        form.replay method="get" data-replay {
            label.sr for="at" { "Record" }
            input type="range" id="at" name="at" min="1" max=(last) value=(upto) aria-valuetext=(format!("record {upto} of {last}"));
            output { "record " (upto) " of " (last) }
            button.button.small { "Show" }
            @if at.is_some() { a.button.small href=(format!("/runs/{no}")) { "Now" } }
        }
        (results::results(look))
        h2.section { "What happened" span.muted { "newest first" } }
        (messages::rows(&entries, no.0, look.site.zone(), None))
    }
}

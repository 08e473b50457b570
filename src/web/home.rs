//! Home: what waits for somebody, what is at work, what is stuck; and the approvals alone.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::fail::Fail;
use super::frame::{Area, Page};
use super::parts::{state, text};
use super::person::Person;
use super::runs::{said, table};
use super::site::{Site, nothing_yet};
use super::triggers::next;
use crate::id::{AgentName, ArtefactName, thousands};
use crate::run::state::Wants;
use crate::run::view::count;
use crate::service::error::Error;
use crate::service::list::{self, Asked, Filter, Open, RunLine};
use crate::words;
use crate::words::time::date_time;

/// Runs that home shows at most of those that are over.
const RECENT: usize = 8;

pub(super) async fn home(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let (open, lines, next) = (waiting(site)?, lines(site)?, next(site)?);
        let is_stuck = |line: &&RunLine| line.interrupted || matches!(line.summary.status.as_str(), "stuck" | "paused");
        let (over, live): (Vec<&RunLine>, Vec<&RunLine>) = lines.iter().partition(|line| line.summary.over);
        let (stuck, live): (Vec<&RunLine>, Vec<&RunLine>) = live.into_iter().partition(is_stuck);
        let at_work: Vec<&RunLine> = live.into_iter().filter(|line| line.summary.status == "running").collect();
        let title = match open.len() {
            0 => "Nothing waits for you".to_owned(),
            1 => "1 thing waits for a person".to_owned(),
            waits => format!("{waits} things wait for a person"),
        };
        let body = html! {
            div.page-head.home-head {
                h1 { (title) }
                p.sentence {
                    (count(at_work.len(), "run")) " at work, " (stuck.len()) " stuck or paused. "
                    a href="/campaigns" { "Start a campaign" }
                }
            }
            @if lines.is_empty() { (empty()) }
            @if !open.is_empty() {
                h2.section { "Waiting for a person" span.muted { "oldest first" } }
                (items(site, &open))
            }
            @if !at_work.is_empty() { h2.section { "At work" } (briefly(site, &at_work)) }
            @if !stuck.is_empty() { h2.section { "Stuck or paused" } (briefly(site, &stuck)) }
            (next)
            @if !over.is_empty() {
                h2.section { "Finished" a.link href="/runs" { "all runs" } }
                (table(&over[..over.len().min(RECENT)], site.zone()))
            }
        };
        Page { title: "Home".to_owned(), area: Area::Home, live: Some("/events".to_owned()), body }
            .framed(site, &person)
    })
    .await
}

pub(super) async fn approvals(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let open = waiting(site)?;
        let body = html! {
            div.page-head {
                h1 { "Approvals" }
                p.sentence {
                    "What waits for a person, oldest first. Nothing of it leaves before somebody approves exactly that."
                }
            }
            @if open.is_empty() {
                div.empty.panel {
                    strong { "Nothing waits for anybody" } "What an agent hands to a person appears here."
                }
            }
            @else { (items(site, &open)) }
        };
        let live = Some("/events".to_owned());
        Page { title: "Approvals".to_owned(), area: Area::Approvals, live, body }.framed(site, &person)
    })
    .await
}

/// What waits; nothing where nothing has run yet.
fn waiting(site: &Site) -> Result<Vec<Open>, Error> {
    nothing_yet(list::open(&site.project))
}

fn lines(site: &Site) -> Result<Vec<RunLine>, Error> {
    nothing_yet(list::runs(&site.project, &Filter { limit: 100, ..Filter::default() }))
}

fn empty() -> Markup {
    html! {
        div.empty.panel {
            strong { "Nothing has run here yet" }
            "A rehearsal shows what a campaign does. It needs no key, and sends nothing."
            a.button.primary.big href="/campaigns" { "Choose a campaign" }
        }
    }
}

fn items(site: &Site, open: &[Open]) -> Markup {
    html! {
        ul.list.panel {
            @for one in open {
                li.item {
                    @match one {
                        Open::Approval(asked) => (approval(site, asked)),
                        Open::Question {
                            question, run, topology
                        } => a href=(format!("/approvals/{question}")) {
                            span.item-main {
                                strong { "Did it happen?" }
                                span.item-sub {
                                    "An act of " (topology) " began, and nobody knows how it ended."
                                }
                                span.item-meta { "question " (question) ", run " (run) }
                            }
                            span.item-side { span.button { "Answer" } }
                        },
                    }
                }
            }
        }
    }
}

fn approval(site: &Site, asked: &Asked) -> Markup {
    let line = &asked.line;
    let given = words::params(&line.given);
    html! {
        a href=(format!("/approvals/{}", line.approval)) {
            span.item-main {
                strong { (title(asked)) }
                span.item-sub {
                    b { (line.topology) } " asks its " (line.agent)
                    @if !given.is_empty() { ", " (text(&given)) }
                    @if let Some(progress) = words::progress(line.needed, &line.approved_by) {
                        "; " (text(&progress))
                    }
                    @if let Some(on_it) = words::approval::on_it(line) { "; " b { (text(&on_it)) } }
                }
                span.item-meta {
                    "approval " (line.approval) ", " (words::run(line.run, line.mode, &list::Params::new())) ", since "
                    (date_time(line.asked_at, site.zone()))
                }
            }
            span.item-side {
                span.due { "until " (date_time(line.expires_at, site.zone())) } span.button { "Review" }
            }
        }
    }
}

/// What a person is asked for, in a line.
pub(super) fn title(asked: &Asked) -> String {
    let names: Vec<&str> = asked.about.iter().map(ArtefactName::as_str).collect();
    let about = names.join(", ");
    match (asked.line.wants, asked.items) {
        (Wants::Decision, Some(items)) => format!("{} to deliver: {about}", count(items, "item")),
        (Wants::Decision, None) => format!("To sign off: {about}"),
        (Wants::Form, _) if about.is_empty() => format!("To choose, as {}", AgentName::as_str(&asked.line.agent)),
        (Wants::Form, _) => format!("To fill in: {about}"),
        (Wants::Sentence, _) => "A question to answer".to_owned(),
    }
}

fn briefly(site: &Site, lines: &[&RunLine]) -> Markup {
    html! {
        ul.list.panel {
            @for line in lines {
                li.item {
                    a href=(format!("/runs/{}", line.run)) {
                        span.item-main {
                            strong { (line.topology) " " span.no { "run " (line.run) } }
                            span.item-sub { (said(line)) }
                            span.item-meta {
                                (line.mode.word()) ", " (thousands(line.summary.steps)) " steps, "
                                (words::money(line.summary.nano_usd)) ", since " (date_time(line.created_at, site.zone()))
                            }
                        }
                        span.item-side {
                            (state(if line.interrupted { "interrupted" } else { &line.summary.status }, if line.interrupted { "interrupted" } else { &line.summary.status }))
                        }
                    }
                }
            }
        }
    }
}

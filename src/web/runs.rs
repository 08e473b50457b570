//! The runs, as a list that can be narrowed; and the audit of all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::fail::Fail;
use super::frame::{Area, Page};
use super::person::Person;
use super::site::{Site, nothing_yet};

use super::parts::{address, state, text};
use crate::id::{RunNo, thousands};
use crate::run::view::count;
use crate::service::audit;
use crate::service::list::{self, Filter, RunLine, STATES};
use crate::words;
use crate::words::error::Told;
use crate::words::time::date_time;

const RUNS_MAX: usize = 200;

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let wanted = |name: &str| asked.get(name).filter(|value| !value.is_empty()).cloned();
        let filter =
            Filter { status: wanted("status"), topology: wanted("topology"), limit: RUNS_MAX, ..Filter::default() };
        let lines = nothing_yet(list::runs(&site.project, &filter))?;
        let body = html! {
            div.page-head { h1 { "Runs" } }
            form.filters method="get" {
                (choice("status", "State", &STATES, filter.status.as_deref()))
                (choice("topology", "Campaign", &site.project.topologies(), filter.topology.as_deref()))
                button.button { "Show" }
            }
            @if lines.is_empty() { div.empty.panel { strong { "No run is as you ask for" } } }
            @else { (table(&lines.iter().collect::<Vec<_>>(), site.zone())) }
        };
        Page { title: "Runs".to_owned(), area: Area::Runs, live: Some("/events".to_owned()), body }
            .framed(site, &person)
    })
    .await
}

fn choice(name: &str, label: &str, all: &[impl AsRef<str>], chosen: Option<&str>) -> Markup {
    html! {
        label.select {
            (label)
            select name=(name) {
                option value="" { "any" }
                @for one in all {
                    option value=(one.as_ref()) selected[chosen == Some(one.as_ref())] { (one.as_ref()) }
                }
            }
        }
    }
}

/// Runs as a table; on a narrow screen each row stands as a block.
pub(super) fn table(lines: &[&RunLine], zone: &str) -> Markup {
    html! {
        div.panel.scroll tabindex="0" role="region" aria-label="runs" {
            table.data.wide.runs-table {
                thead {
                    tr {
                        th scope="col" { "Run" }
                        th scope="col" { "Campaign" }
                        th scope="col" { "State" }
                        th scope="col" { "Mode" }
                        th.n scope="col" { "Steps" }
                        th.n scope="col" { "Cost" }
                        th scope="col" { "Started" }
                    }
                }
                tbody {
                    @for line in lines {
                        tr {
                            td.n { a href=(format!("/runs/{}", line.run)) { (line.run) } }
                            td {
                                a href=(format!("/runs/{}", line.run)) { b { (line.topology) } }
                                " " span.muted { (text(&words::params(&line.given))) }
                            }
                            td {
                                (state(shown_state(line), shown_state(line))) " "
                                span.muted.small { (said(line)) }
                            }
                            td { (line.mode.word()) }
                            td.n data-unit="steps" { (thousands(line.summary.steps)) }
                            td.n { (cost(line)) }
                            td { (date_time(line.created_at, zone)) }
                        }
                    }
                }
            }
        }
    }
}

fn shown_state(line: &RunLine) -> &str {
    if line.interrupted { "interrupted" } else { &line.summary.status }
}

fn cost(line: &RunLine) -> String {
    let cost = words::money(line.summary.nano_usd);
    if line.would_have_cost { format!("would be {cost}") } else { cost }
}

/// Whom or what a run waits for, in a few words.
pub(super) fn said(line: &RunLine) -> Markup {
    let summary = &line.summary;
    html! {
        @match (&summary.waiting_for, summary.approvals.first()) {
            (Some(who), _) => { "waits for " (text(who)) },
            (None, Some(_)) => "somebody has to say whether it happened",
            _ if line.interrupted => "nobody drives it; open it to go on",
            _ if summary.status == "stuck" => "a message could not be handled",
            _ if summary.status == "waiting" => "what is approved leaves on a later day",
            _ => "",
        }
    }
}

pub(super) async fn audit(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let verified = audit::verify(&site.project, None, &[]);
        let run = asked.get("run").and_then(|no| no.parse().ok()).map(RunNo);
        let acts = match audit::acts(&site.project, run) {
            Err(crate::service::error::Error::NothingYet) => None,
            acts => Some(acts?),
        };
        let body = html! {
            div.page-head {
                h1 { "Audit" }
                p.sentence {
                    "Every record is hashed over the one before it. This page has just read them all."
                }
            }
            @match verified {
                Ok(audit) => div.callout.done {
                    div {
                        strong { "The journal is what was written." }
                        p {
                            (count(audit.chain.heads.len(), "run")) ", " (thousands(audit.evidence.manifests)) " manifests and "
                            (thousands(audit.evidence.files)) " delivered files were compared."
                        }
                        @for differing in &audit.evidence.differing {
                            p { (text(&differing.place)) " was " (differing.what) }
                        }
                    }
                },
                Err(crate::service::error::Error::NothingYet) => div.empty.panel {
                    strong { "Nothing has run here yet" }
                },
                Err(error) => div.callout.failed {
                    div {
                        strong { "Something does not hold." } p.prose-text { (text(&Told::from(error).text)) }
                    }
                },
            }
            p.muted {
                "Whoever owns the disk can rewrite all of it. A checkpoint that is kept elsewhere finds that: "
                code { "callsheet audit checkpoint" }
            }
        };
        let body = html! { (body) @if let Some((no, acts)) = &acts { (people(*no, acts, site.zone())) } };
        Page { title: "Audit".to_owned(), area: Area::Audit, live: None, body }.framed(site, &person)
    })
    .await
}

/// Who looked at what, said what and decided what in a run.
fn people(no: RunNo, acts: &[audit::Act], zone: &str) -> Markup {
    html! {
        h2.section { "Who did what in run " (no) }
        form.filters method="get" {
            label.select { "Run " input type="number" name="run" min="1" value=(no); }
            button.button { "Show" }
        }
        div.panel.scroll tabindex="0" role="region" aria-label="who did what" {
            table.data.wide {
                thead {
                    tr {
                        th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "Channel" } th scope="col" { "What" }
                    }
                }
                tbody { @for act in acts { tr {
                    th scope="row" { a href=(address(no.0, act.seq)) { (date_time(act.at, zone)) } }
                    td { (text(&act.by.name)) " " span.muted { "(" (text(&act.by.how)) ")" } }
                    td { (act.by.via.map(words::approval::channel).unwrap_or_default()) }
                    td { (text(&act.text)) }
                } } }
            }
        }
    }
}

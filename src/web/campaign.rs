//! The campaigns: what each is for, its team as a drawing, what is proved of it, and a form that starts a run.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;

use super::fail::Fail;
use super::frame::{Area, Page};
use super::graph::graph;
use super::person::Person;
use super::site::Site;

use super::parts::text;
use crate::run::view::count;
use crate::service::error::Error;
use crate::topology::bill::Bill;
use crate::topology::check::Checked;
use crate::topology::plan::{Mode, Param, ParamKind, Plan};

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let mode = site.project.settings.mode();
        let body = html! {
            div.page-head {
                h1 { "Campaigns" }
                p.sentence {
                    "Each is a file in " code { "topologies/" } ": a team, its handoffs and its limits."
                }
            }
            ul.list.panel {
                @for (name, checked) in site.project.check_all(mode) {
                    li.item { a href=(format!("/campaigns/{name}")) {
                        span.item-main {
                            strong { (name) }
                            @match &checked {
                                Ok(checked) => span.item-sub { (text(&checked.plan.description)) },
                                Err(faults) => span.item-sub.tone-failed {
                                    (count(faults.len(), "fault")) ": it does not start"
                                },
                            }
                        }
                        span.item-side { span.button { "Open" } }
                    } }
                }
            }
        };
        Page { title: "Campaigns".to_owned(), area: Area::Campaigns, live: None, body }.framed(site, &person)
    })
    .await
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Path(name): Path<String>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let known = site.project.topologies();
        if !known.contains(&name) {
            return Err(Error::unknown("campaign", &name, known));
        }
        let body = match site.project.check(&name, site.project.settings.mode()) {
            Ok(checked) => page(site, &person, &checked),
            Err(faults) => html! {
                div.page-head {
                    p.crumbs { a href="/campaigns" { "Campaigns" } }
                    h1 { (name) }
                    p.sentence {
                        "It has " (count(faults.len(), "fault")) ", and does not start before they are mended."
                    }
                }
                pre.raw tabindex="0" role="region" aria-label="text" { (text(&faults.render(false))) }
            },
        };
        Page { title: name, area: Area::Campaigns, live: None, body }.framed(site, &person)
    })
    .await
}

fn page(site: &Site, person: &Person, checked: &Checked) -> Markup {
    let plan = &checked.plan;
    html! {
        div.page-head {
            p.crumbs { a href="/campaigns" { "Campaigns" } }
            div.title-row { div.title-main { h1 { (plan.name) } } }
            p.sentence { (text(&plan.description)) }
        }
        (graph(plan, None, None))
        div.campaign-below {
            section.panel.pad {
                h2 { "What is proved of it" }
                @let bill = Bill::of(plan).to_string();
                @let proof = checked.proof.to_string();
                ul.plain { @for line in proof.lines().chain(bill.lines()) { li { (text(line)) } } }
                h2 { "Who does what" }
                dl.fields { @for (name, member) in &plan.team { dt { (name) } dd { (text(&member.does)) } } }
            }
            section.panel.pad { h2 { "Start it" } (start(site, person, plan)) }
        }
    }
}

fn start(site: &Site, person: &Person, plan: &Plan) -> Markup {
    let is_live = site.project.settings.mode() == Mode::Live;
    html! {
        form method="post" action=(format!("/campaigns/{}/start", plan.name)) {
            (person.key())
            @for (name, param) in &plan.params { (field(name, param)) }
            @if is_live {
                fieldset.choices {
                    legend { "Who speaks" }
                    label {
                        input type="radio" name="rehearse" value="yes" checked;
                        "the script: a rehearsal, which costs nothing and sends nothing"
                    }
                    label {
                        input type="radio" name="rehearse" value="no";
                        "the models: it costs what the limits allow"
                    }
                }
            } @else { p.small.muted {
                "No model is named in this project, so this is a rehearsal: no model runs, tools are real, nothing is sent."
            } }
            button.button.primary.big { "Start" }
        }
    }
}

fn field(name: &str, param: &Param) -> Markup {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let default = param.default.as_ref().map(shown).unwrap_or_default();
    let is_needed = param.default.is_none();
    let input = format!("param.{name}");
    html! {
        label.field {
            span { (name) @if let Some(bounds) = param.bounds.words() { small { (bounds) } } }
            @match param.kind {
                ParamKind::String if default.len() > 60 => textarea name=(input) rows="4" required[is_needed] {
                    "\n" (default)
                },
                ParamKind::String => input type="text" name=(input) value=(default) required[is_needed];,
                ParamKind::Integer => input type="number" step="1" name=(input) value=(default) required[is_needed];,
                ParamKind::Number => input type="number" step="any" name=(input) value=(default) required[is_needed];,
                ParamKind::Boolean => select name=(input) {
                    @for word in ["true", "false"] { option selected[default == word] { (word) } }
                },
            }
            @if !param.description.is_empty() { small { (text(&param.description)) } }
        }
    }
}

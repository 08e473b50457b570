//! The forms that people fill in: a draft to edit, a question to answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::fail::Fail;
use super::fields::{Fields, inputs, written};
use super::frame::{Area, Page};
use super::parts::{difference, text};
use super::person::Person;
use super::site::Site;
use crate::id::{ApprovalNo, Outcome};
use crate::run::input::Say;
use crate::service::change::parts;
use crate::service::edit::Edit;
use crate::service::error::Error;
use crate::service::form::{Form, Sheet};
use crate::service::review::Review;
use crate::words;
use crate::words::described::Described;
use crate::words::difference::lines;

/// How a question is answered: an outcome, and what is to be written.
pub(super) fn answer_form(person: &Person, review: &Review, sheet: &Sheet) -> Markup {
    html! {
        form method="post" action=(format!("/approvals/{}/answer", review.line.approval)) {
            (person.key())
            @if sheet.outcomes.len() > 1 {
                fieldset.choices {
                    legend { "Choose" }
                    @for (nth, outcome) in sheet.outcomes.iter().enumerate() {
                        label { input type="radio" name="outcome" value=(outcome) checked[nth == 0]; (outcome) }
                    }
                }
            } @else if let Some(outcome) = sheet.outcomes.first() { input type="hidden" name="outcome" value=(outcome); }
            @for (artefact, schema) in &sheet.writes {
                h4 { code { (artefact) } }
                (inputs(artefact.as_str(), &json!({}), "", Described::by(Some(schema))))
            }
            label.field {
                span { (if sheet.is_sentence { "Your answer" } else { "Comment, if you like" }) }
                textarea name="comment" rows="3" required[sheet.is_sentence] {}
            }
            button.button.primary.big { "Answer" }
        }
    }
}

/// What is posted to answer, made of a form's fields; or what is wrong with them.
pub(super) fn answered(form: &Form, fields: &Fields) -> Result<Say, String> {
    let outcome = fields.get("outcome").map_or("", String::as_str);
    let outcome: Outcome = outcome.parse().map_err(|_| "choose one of the outcomes".to_owned())?;
    let mut writes = BTreeMap::new();
    for (artefact, schema) in form.sheet.writes.iter().filter(|_| form.has_to_write(&outcome)) {
        let body = written(artefact.as_str(), &json!({}), fields, Described::by(Some(schema)));
        writes.insert(artefact.clone(), body);
    }
    let faults = form.faults(&outcome, &writes);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    Ok(form.say(outcome, writes, fields.get("comment").cloned().unwrap_or_default()))
}

pub(super) async fn edit(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Path(no): Path<u64>,
    Query(asked): Query<Fields>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let no = ApprovalNo(no);
        let story = site.project.read(site.project.run_of_approval(no)?)?;
        let edit = Edit::of(&story, no, asked.get("artefact").map(String::as_str))?;
        let body = edit.refused.as_ref().map_or_else(|| edit.before.clone(), |(body, _)| body.clone());
        edit_page(site, &person, &edit, &body, None)
    })
    .await
}

/// The draft as somebody has it before them, with what they changed in the form.
pub(super) fn changed(edit: &Edit, fields: &Fields) -> Value {
    let shown = fields.get("body").and_then(|body| serde_json::from_str(body).ok());
    written("at", shown.as_ref().unwrap_or(&edit.before), fields, Described::by(Some(&edit.schema)))
}

/// A draft as a form; with what the changed one says and what is wrong with it, once somebody has changed it.
pub(super) fn edit_page(
    site: &Site,
    person: &Person,
    edit: &Edit,
    body: &Value,
    faults: Option<&[String]>,
) -> Result<Html<String>, Error> {
    let (no, artefact) = (edit.no, &edit.artefact);
    let changes = parts(&edit.before, body);
    let is_ready = faults.is_some_and(<[String]>::is_empty) && !changes.is_empty();
    let page = html! {
        div.page-head {
            p.crumbs {
                a href="/approvals" { "Approvals" }
                " / " a href=(format!("/approvals/{no}")) { "approval " (no) }
            }
            h1 { "Edit " code { (artefact) } }
            p.sentence {
                "What you write is checked like what an agent writes, and is approved anew: nothing leaves by editing."
            }
            @if let (Some((_, why)), None) = (&edit.refused, faults) {
                p.callout.failed.prose-text { "Your last version could not be prepared: " (text(why)) }
            }
            @for fault in faults.into_iter().flatten() { p.callout.failed.prose-text { (text(fault)) } }
        }
        form.edit method="post" action=(format!("/approvals/{no}/edit")) {
            (person.key())
            input type="hidden" name="artefact" value=(artefact);
            input type="hidden" name="binds" value=(edit.binds().to_string());
            input type="hidden" name="body" value=(body.to_string());
            // The first button of a form is the one that the Enter key presses.
            button.sr name="step" value="look" tabindex="-1" aria-hidden="true" {}
            div.edit-cols {
                div.panel.pad { (inputs("at", body, "", Described::by(Some(&edit.schema)))) }
                aside {
                    div.panel.pad {
                        h2 { "What you change" }
                        @if changes.is_empty() { p.muted { "Nothing yet." } }
                        @for part in &changes { h4 { (text(&words::part(part))) } (difference(&lines(part))) }
                        div.actions {
                            button class=(if is_ready { "button" } else { "button primary" }) name="step" value="look" {
                                "Check and compare"
                            }
                            @if is_ready {
                                button.button.primary name="step" value="save" { "Put it in the draft's place" }
                            }
                        }
                    }
                }
            }
        }
    };
    let title = format!("Edit {artefact}");
    Page { title, area: Area::Approvals, live: None, body: page }.framed(site, person)
}

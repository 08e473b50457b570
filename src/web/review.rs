//! An approval as whoever decides it needs it: what exactly would leave, to whom, what changed, on what it rests, and what each
//! button does. And the forms: a draft to edit, a question to answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;

use super::fail::Fail;
use super::frame::{Area, Page};
use super::person::Person;
use super::site::Site;

use super::parts::{address, difference, digests, item, origin, state, text, thousands, value};
use super::run::strip;
use crate::id::{ApprovalNo, ArtefactName, Outcome};
use crate::run::input::Say;
use crate::run::state::Wants;
use crate::run::view::count;
use crate::run::view::work::sentences;
use crate::service::change::{Change, parts};
use crate::service::edit::Edit;
use crate::service::error::Error;
use crate::service::form::{Form, Sheet};
use crate::service::review::{Question, Review, question, review as read};
use crate::topology::plan::Mode;
use crate::words;
use crate::words::approval::{came, handed_on};
use crate::words::difference::lines;
use crate::words::time::date_time;

type Fields = BTreeMap<String, String>;

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Path(no): Path<u64>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let no = ApprovalNo(no);
        let row = site.project.run_of_approval(no)?;
        let body = site.readings.look(row.no, |run| match question(&run.story, no) {
            Some(question) => Ok::<_, Error>(asked(&question, &person)),
            None => Ok(page(site, &person, &read(&site.project, &run.story, no)?)),
        });
        let title = format!("Approval {no}");
        let live = Some(format!("/runs/{}/events?after={}", row.no, row.last));
        Page { title, area: Area::Approvals, live, body: body?? }.framed(site, &person)
    })
    .await
}

fn key(person: &Person) -> Markup {
    html! { input type="hidden" name="key" value=(person.form); }
}

/// Whether something happened that nobody is sure of.
fn asked(question: &Question, person: &Person) -> Markup {
    let no = question.question;
    html! {
        div.page-head {
            p.crumbs {
                a href="/approvals" { "Approvals" }
                " / " a href=(format!("/runs/{}", question.run)) { "run " (question.run) }
            }
            h1 { "Did it happen? " span.no { "question " (no) } }
            p.sentence {
                "Effect " code { (question.effect.0.short()) }
                " began, and nobody knows whether it happened. Look at the place where it would have arrived; then say what you saw."
            }
            @if let Some(why) = &question.why { p.prose-text { (text(why)) } }
        }
        form.actions method="post" action=(format!("/approvals/{no}/decide")) {
            (key(person))
            button.button name="decision" value="happened" { "It happened" }
            button.button name="decision" value="did_not" { "It did not: do it now" }
        }
    }
}

fn page(site: &Site, person: &Person, review: &Review) -> Markup {
    let (line, zone) = (&review.line, site.zone());
    let is_decision = line.wants == Wants::Decision;
    html! {
        div.page-head {
            div.crumb-row {
                p.crumbs {
                    a href="/approvals" { "Approvals" }
                    " / " a href=(format!("/runs/{}", line.run)) { (line.topology) " run " (line.run) }
                }
                (strip(line.mode))
            }
            div.title-row { div.title-main {
                h1 {
                    (what(review)) " " span.no {
                        (if is_decision { "approval" } else { "question" }) " " (line.approval)
                    }
                }
                (state(if review.open { "waiting" } else { "done" }, &came(review, zone)))
            } }
            @if let Some(said) = &review.said { p.sentence { (text(&handed_on(said))) } }
            @let given = words::params(&line.given);
            @if !given.is_empty() { p.small.muted { (text(&given)) } }
        }
        div.approval-cols {
            div {
                @for change in &review.changes { (changed(change)) }
                @match &review.items {
                    Some(items) => @for one in items {
                        article.panel.leaves {
                            header.pad {
                                h2 { (text(&one.title)) }
                                p.small {
                                    "to " b { (digests(&one.recipient)) }
                                    @if one.recipients > 0 { ", " (thousands(one.recipients)) " recipients" }
                                    " " code.digest { (one.digest.short()) }
                                    " " (text(&one.key))
                                }
                                @if one.again.is_some() {
                                    p.small.muted {
                                        "When it leaves, its list is read once more, and whoever is no longer on it is left out."
                                    }
                                }
                            }
                            @match &one.parts { Some(parts) => (item(parts)), None => p.pad.muted { "erased" } }
                        }
                    },
                    None => @for version in &review.versions { (version_of(version, zone, true)) },
                }
                h2.section { "What it rests on" }
                div.panel.pad {
                    ul.plain { @for told in sentences(&review.work) { li { (text(&told)) } } }
                    @for remark in &review.remarks {
                        p.callout.waiting { "Remark on " (remark.artefact) ": " (text(&remark.what)) }
                    }
                    @if !review.calls.is_empty() {
                        details { summary { (count(review.calls.len(), "call")) " of tools" }
                            ul.plain {
                                @for call in &review.calls {
                                    li {
                                        a href=(address(line.run.0, call.seq)) {
                                            (text(&call.from)) " " code { (text(&call.word)) }
                                        }
                                        " " (text(&call.text))
                                    }
                                }
                            }
                        }
                    }
                }
                @if review.items.is_some() {
                    @for version in &review.versions { (version_of(version, zone, false)) }
                }
            }
            aside.decide id="decide" { (decide(person, review, zone)) }
        }
        @if review.open {
            div.thumb-bar {
                a.button href="#decide" { "More" }
                a.button.primary href=(if is_decision { "#approve" } else { "#decide" }) {
                    (if is_decision { "Approve\u{2026}" } else { "Answer" })
                }
            }
        }
    }
}

/// What is asked, in a line.
fn what(review: &Review) -> String {
    match (&review.items, review.line.wants) {
        (Some(items), _) => {
            let most = items.iter().map(|item| item.recipients).max().unwrap_or(0);
            let each = if items.len() > 1 { " each" } else { "" };
            let reach = if most > 0 { format!(", to {} people at most{each}", thousands(most)) } else { String::new() };
            format!("{}{reach}", count(items.len(), "item"))
        }
        (None, Wants::Decision) => {
            let names: Vec<&str> = review.versions.iter().map(|version| version.artefact.as_str()).collect();
            format!("Sign off {}", names.join(", "))
        }
        (None, Wants::Form) => format!("{} asks you", review.line.agent),
        (None, Wants::Sentence) => "A teammate asks you".to_owned(),
    }
}

fn changed(change: &Change) -> Markup {
    html! {
        @if !change.parts.is_empty() {
            details.callout.changed open {
                summary { (text(&words::change(change))) }
                @for part in &change.parts { h4 { (text(&words::part(part))) } (difference(&lines(part))) }
            }
        }
    }
}

fn version_of(version: &crate::service::review::Version, zone: &str, is_open: bool) -> Markup {
    let name = match (version.no, version.written_at) {
        (Some(no), Some(at)) => words::version(version.artefact.as_str(), no, at, zone),
        _ => version.artefact.to_string(),
    };
    html! {
        details.panel.pad.draft open[is_open] {
            summary {
                (name) @if let Some((by, of)) = &version.by { ", by " (by) " " (origin(Some(*of))) }
                " " code.digest { (version.digest.short()) }
            }
            @match &version.body { Some(body) => (value(body)), None => p.muted { "erased" } }
        }
    }
}

/// What it binds, who may decide, and the buttons.
fn decide(person: &Person, review: &Review, zone: &str) -> Markup {
    let line = &review.line;
    let no = line.approval;
    html! {
        div.panel.pad.decide-panel {
            h2 { (if line.wants == Wants::Decision { "Your decision" } else { "Your answer" }) }
            dl.fields {
                dt { "binds" } dd { code { (line.binds.short()) } }
                @if let Some(items) = &review.items {
                    dt { "leaves" }
                    dd {
                        (count(items.len(), "item")) " by " code {
                            (review.tool.as_deref().unwrap_or_default())
                        }
                    }
                }
                @let reached: u64 = review.items.iter().flatten().map(|item| item.recipients).sum();
                @if reached > 0 {
                    dt { "reaches" } dd { (thousands(reached)) " recipients, counted for each item" }
                }
                dt { "open until" } dd { (date_time(line.expires_at, zone)) }
                dt { "you are" } dd { (text(&person.who.name)) }
                @if let Some(progress) = words::progress(line.needed, &line.approved_by) {
                    dt { "so far" } dd { (text(&progress)) }
                }
                @if line.reminded > 0 { dt { "reminded" } dd { (count(line.reminded as usize, "time")) } }
                @if let Some(to) = &line.escalated_to { dt { "escalated to" } dd { (text(to)) } }
            }
            @if !review.open { p.callout.done { (text(&came(review, zone))) } }
            @else if let Some(sheet) = &review.form { (answer_form(person, review, sheet)) }
            @else { (buttons(person, review, no)) }
        }
    }
}

fn buttons(person: &Person, review: &Review, no: ApprovalNo) -> Markup {
    let line = &review.line;
    let binds = line.binds.to_string();
    let post = |class: &str, decision: &str, label: &str, does: &str, why: bool| {
        html! {
            form method="post" action=(format!("/approvals/{no}/decide")) {
                (key(person))
                input type="hidden" name="binds" value=(binds);
                input type="hidden" name="decision" value=(decision);
                p.small { (does) }
                label.field {
                    span { @if why { "Why" } @else { "Comment, if you like" } }
                    textarea name="comment" rows="3" required[why] {}
                }
                button class=(format!("button {class}")) { (label) }
            }
        }
    };
    let approve = format!("Approve {} ({})", what(review), line.binds.short());
    let then = match (&review.items, line.mode) {
        (Some(_), Mode::Live) => "Exactly this leaves, once, to exactly these people.",
        (Some(_), _) => "Exactly these bytes are written to the run's folder. No model ran, and nothing is sent.",
        (None, _) => "Exactly these versions are signed off, and the team goes on.",
    };
    html! {
        div.decide-buttons {
            details.confirm id="approve" {
                summary.button.primary.big { "Approve\u{2026}" }
                div.sheet { (post("primary big", "approve", &approve, then, false)) }
            }
            details.confirm {
                summary.button { "Request changes" }
                div.sheet {
                    (post("primary", "request_changes", "Send it back", "The agents read what you say, and draft again.", true))
                }
            }
            a.button href=(format!("/approvals/{no}/edit")) { "Edit" }
            details.confirm {
                summary.button.danger { "Reject" }
                div.sheet {
                    (post("danger", "reject", "Reject it", "Nothing leaves, and the run ends as rejected where its handoffs say so.", true))
                }
            }
        }
    }
}

/// How a question is answered: an outcome, and what is to be written.
fn answer_form(person: &Person, review: &Review, sheet: &Sheet) -> Markup {
    html! {
        form method="post" action=(format!("/approvals/{}/answer", review.line.approval)) {
            (key(person))
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
                @for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    (blank(artefact, name, field))
                }
            }
            label.field {
                span { (if sheet.is_sentence { "Your answer" } else { "Comment, if you like" }) }
                textarea name="comment" rows="3" required[sheet.is_sentence] {}
            }
            button.button.primary.big { "Answer" }
        }
    }
}

/// An empty field of a schema.
fn blank(artefact: &ArtefactName, name: &str, schema: &Value) -> Markup {
    let field = format!("{artefact}/{name}");
    let says = schema.get("description").and_then(Value::as_str).unwrap_or(name);
    html! {
        label.field {
            span { (text(name)) }
            @if says != name { small { (text(says)) } }
            @match (schema.get("enum").and_then(Value::as_array), schema.get("type").and_then(Value::as_str)) {
                (Some(all), _) => select name=(field) {
                    @for one in all.iter().filter_map(Value::as_str) { option { (one) } }
                },
                (None, Some("string")) => textarea name=(field) rows="2" {},
                (None, Some("integer")) => input type="number" step="1" name=(field);,
                (None, Some("number")) => input type="number" step="any" name=(field);,
                (None, Some("boolean")) => select name=(field) { option { "true" } option { "false" } },
                (None, _) => textarea name=(field) rows="3" placeholder="as JSON" {},
            }
        }
    }
}

/// What is posted to answer, made of a form's fields; or what is wrong with them.
pub(super) fn answered(form: &Form, fields: &Fields) -> Result<Say, String> {
    let outcome = fields.get("outcome").map_or("", String::as_str);
    let outcome: Outcome = outcome.parse().map_err(|_| "choose one of the outcomes".to_owned())?;
    let mut writes = BTreeMap::new();
    for (artefact, schema) in form.sheet.writes.iter().filter(|_| form.has_to_write(&outcome)) {
        let mut body = serde_json::Map::new();
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let given = fields.get(&format!("{artefact}/{name}")).map_or("", String::as_str);
            // What is left empty is not there; whether it has to be is the schema's to say.
            if !given.is_empty() {
                body.insert(name.clone(), typed(given, field.get("type").and_then(Value::as_str))?);
            }
        }
        writes.insert(artefact.clone(), Value::Object(body));
    }
    let faults = form.faults(&outcome, &writes);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    Ok(form.say(outcome, writes, fields.get("comment").cloned().unwrap_or_default()))
}

fn typed(given: &str, kind: Option<&str>) -> Result<Value, String> {
    match kind {
        Some("string") => Ok(Value::from(given.replace("\r\n", "\n"))),
        _ => serde_json::from_str(given).map_err(|_| format!("`{given}` is not a value of this field")),
    }
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
            (key(person))
            input type="hidden" name="artefact" value=(artefact);
            input type="hidden" name="binds" value=(edit.binds().to_string());
            div.edit-cols {
                div.panel.pad { (inputs(body, "")) }
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

/// A field for each part of a value, named by its JSON pointer.
fn inputs(of: &Value, pointer: &str) -> Markup {
    let below = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let name = format!("at{pointer}");
    html! {
        @match of {
            Value::Object(fields) => @for (key, field) in fields {
                @if field.is_object() || field.is_array() {
                    fieldset.nested { legend { (text(key)) } (inputs(field, &below(key))) }
                } @else {
                    label.field { span { (text(key)) } (inputs(field, &below(key))) }
                }
            },
            Value::Array(items) => @for (nth, item) in items.iter().enumerate() {
                @if item.is_object() || item.is_array() {
                    fieldset.nested { legend { (nth + 1) } (inputs(item, &below(&nth.to_string()))) }
                } @else {
                    label.field { span { (nth + 1) } (inputs(item, &below(&nth.to_string()))) }
                }
            },
            Value::String(words) => textarea name=(name) rows=(rows(words)) { "\n" (words) },
            Value::Number(number) => input type="number" step="any" name=(name) value=(number.to_string());,
            Value::Bool(is) => select name=(name) {
                option selected[*is] { "true" } option selected[!*is] { "false" }
            },
            Value::Null => input type="text" name=(name) placeholder="none";,
        }
    }
}

fn rows(words: &str) -> usize {
    let lines = words.lines().map(|line| line.chars().count() / 60 + 1).sum::<usize>();
    lines.clamp(1, 18)
}

/// The draft with what the fields of a form say in its parts.
pub(super) fn written(before: &Value, fields: &Fields) -> Result<Value, String> {
    let mut body = before.clone();
    for (name, given) in fields {
        let Some(pointer) = name.strip_prefix("at") else { continue };
        let Some(part) = body.pointer_mut(pointer) else { continue };
        let given = given.replace("\r\n", "\n");
        *part = match part {
            Value::String(_) => Value::from(given),
            Value::Null if given.is_empty() => Value::Null,
            Value::Null => Value::from(given),
            _ => serde_json::from_str(&given).map_err(|_| format!("{pointer}: `{given}` is no such value"))?,
        };
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_changes_the_parts_that_it_names() {
        let before = json!({ "mails": [{ "subject": "old", "day": 0 }], "live": true, "note": null });
        let check = |fields: &[(&str, &str)], wanted: Result<Value, &str>| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(written(&before, &fields), wanted.map_err(str::to_owned));
        };
        check(&[], Ok(before.clone()));
        check(
            &[("at/mails/0/subject", "new\r\nline"), ("at/mails/0/day", "4"), ("at/live", "false"), ("key", "k")],
            Ok(json!({ "mails": [{ "subject": "new\nline", "day": 4 }], "live": false, "note": null })),
        );
        check(
            &[("at/note", "so"), ("at/none", "x")],
            Ok(json!({ "mails": [{ "subject": "old", "day": 0 }], "live": true, "note": "so" })),
        );
        check(&[("at/mails/0/day", "four")], Err("/mails/0/day: `four` is no such value"));
    }
}

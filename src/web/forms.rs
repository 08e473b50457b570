//! The forms that people fill in: a draft to edit, a question to answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;

use super::fail::Fail;
use super::frame::{Area, Page};
use super::parts::{difference, text};
use super::person::Person;
use super::site::Site;
use crate::id::{ApprovalNo, ArtefactName, Outcome};
use crate::run::input::Say;
use crate::service::change::parts;
use crate::service::edit::Edit;
use crate::service::error::Error;
use crate::service::form::{Form, Sheet};
use crate::service::review::Review;
use crate::topology::pointer::below;
use crate::words;
use crate::words::difference::lines;

type Fields = BTreeMap<String, String>;

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
            (person.key())
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
    let below = |key: &str| below(pointer, key);
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

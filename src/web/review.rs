//! An approval as whoever decides it needs it: what exactly would leave, to whom, what changed, on what it rests, and what each
//! button does.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Html;
use maud::{Markup, html};

use super::comments::{Stands, Talk};
use super::fail::Fail;
use super::forms::answer_form;
use super::frame::{Area, Page};
use super::person::Person;
use super::site::Site;

use super::parts::{
    address, claims, difference, digests, item, marked_up, origin, preview, sentence, state, text, value,
};
use super::run::strip;
use crate::id::{ApprovalNo, thousands};
use crate::run::event::Who;
use crate::run::state::Wants;
use crate::run::view::work::sentences;
use crate::run::view::{after_words, count};
use crate::service::attend::look;
use crate::service::change::Change;
use crate::service::comment::{Shown, rests_on};
use crate::service::error::Error;
use crate::service::review::{Item, Question, Review, Version, alike, question, review as read};
use crate::service::thread::Comment;
use crate::tool;
use crate::topology::plan::Mode;
use crate::words;
use crate::words::approval::{came, handed_on, hour, leaves_on, looked, on_it, quiet};
use crate::words::described::Described;
use crate::words::difference::lines;
use crate::words::rule;
use crate::words::time::date_time;

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
    Path(no): Path<u64>,
    method: Method,
    headers: HeaderMap,
) -> Result<Html<String>, Fail> {
    // What a browser fetches in advance nobody looks at.
    let is_looked_at = method == Method::GET && !headers.contains_key("sec-purpose");
    let viewer = person.who.clone();
    let page = site.look(move |site| {
        let no = ApprovalNo(no);
        let row = site.project.run_of_approval(no)?;
        let body = site.readings.look(row.no, |run| match question(&run.story, no) {
            Some(question) => Ok::<_, Error>(asked(&question, &person)),
            None => {
                let on = rests_on(&run.story, no);
                Ok(page(site, &person, &read(&site.project, &run.story, no, &person.who)?, &on))
            }
        });
        let title = format!("Approval {no}");
        let live = Some(format!("/runs/{}/events?after={}", row.no, row.last));
        Page { title, area: Area::Approvals, live, body: body?? }.framed(site, &person)
    });
    let page = page.await?;
    if is_looked_at {
        looks(&site, ApprovalNo(no), viewer).await?;
    }
    Ok(page)
}

/// Notes who looked at an approval: that decides nothing, and nobody waits for it.
pub(super) async fn looks(site: &Arc<Site>, no: ApprovalNo, who: Who) -> Result<(), Fail> {
    let looked = site.look(move |site| {
        let row = site.project.run_of_approval(no)?;
        site.readings.look(row.no, |run| look(&site.project, &run.story, no, &who).map(|post| (row.id, post)))
    });
    if let Some((run, post)) = looked.await? {
        let site = Arc::clone(site);
        tokio::spawn(async move {
            if let Err(error) = site.driver.note(run, &post).await {
                tracing::warn!(%error, "that an approval was looked at cannot be noted");
            }
        });
    }
    Ok(())
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
            (person.key())
            button.button name="decision" value="happened" { "It happened" }
            button.button name="decision" value="did_not" { "It did not: do it now" }
        }
    }
}

fn page(site: &Site, person: &Person, review: &Review, on: &[Shown]) -> Markup {
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
            @if let Some(said) = &review.said { p.sentence { (sentence(&handed_on(said))) } }
            @if let Some(wanted) = &review.wanted { p.sentence { (text(&words::approval::wanted(wanted))) } }
            @let given = words::params(&line.given);
            @if !given.is_empty() { p.small.muted { (text(&given)) } }
        }
        div.approval-cols {
            div {
                @for change in &review.changes { (changed(change)) }
                (claimed(review))
                @match &review.items {
                    Some(items) => @for group in alike(items) {
                        (leaves(&group[0]))
                        @let more = &group[1..];
                        @if !more.is_empty() {
                            details {
                                summary { (more.len()) " more like it, with each recipient's own words filled in" }
                                @for one in more { (leaves(one)) }
                            }
                        }
                    },
                    None => @for version in &review.versions { (version_of(version, zone, true)) },
                }
                (rules(review))
                (remarks(site, person, review, on))
                (evidence(review))
                @if review.items.is_some() {
                    @for version in &review.versions { (version_of(version, zone, false)) }
                }
            }
            aside.decide id="decide" { (decide(person, review, zone)) }
        }
        @if review.open {
            div.thumb-bar {
                a.button href="#decide" { "All answers" }
                @let (to, does) = match (is_decision, stops(review).next().is_some()) {
                    (true, true) => ("#comments", "Comments block it"),
                    (true, false) => ("#approve", "Approve\u{2026}"),
                    (false, _) => ("#decide", "Answer"),
                };
                a.button.primary href=(to) { (does) }
            }
        }
    }
}

/// An item, from its final bytes.
fn leaves(one: &Item) -> Markup {
    html! {
        article.panel.leaves {
            header.pad {
                h2 { (text(&one.title)) }
                p.small {
                    "to " b { (digests(&one.recipient)) }
                    @if one.recipients > 1 { ", " (thousands(one.recipients)) " recipients" }
                    " " code.digest { (one.digest.short()) }
                    " " (text(&one.key))
                }
                @if one.after_ms > 0 { p.small { "leaves " (after_words(one.after_ms)) } }
                @if one.again.is_some() {
                    p.small.muted {
                        "When it is sent, its list is read once more, and whoever is no longer on it is left out."
                    }
                }
            }
            @match &one.parts { Some(parts) => (item(parts)), None => p.pad.muted { "erased" } }
            @if one.media_type == "text/markdown" {
                @for part in one.parts.iter().flatten() {
                    @if let tool::part::shown::Shown::Text { text, .. } = part { (preview("", text)) }
                }
            }
        }
    }
}

/// The claims of what is approved.
fn claimed(review: &Review) -> Markup {
    html! {
        @if !review.claims.is_empty() {
            h2.section { (count(review.claims.len(), "claim")) }
            div.panel.pad { (claims(&review.claims, review.line.run.0)) }
        }
    }
}

/// Which rules were applied to it, in which version, and what they came to.
fn rules(review: &Review) -> Markup {
    html! {
        @if !review.rules.is_empty() {
            h2.section { "Rules" }
            div.panel.pad {
                ul.plain { @for told in rule::lines(&review.rules) { li { (text(&told)) } } }
            }
        }
    }
}

/// What people remarked on what it rests on, and forms that say more.
fn remarks(site: &Site, person: &Person, review: &Review, on: &[Shown]) -> Markup {
    let (no, run) = (review.line.approval, review.line.run);
    let talk = Talk { person, run, stands: Stands::Approval(no), zone: site.zone() };
    let stops: Vec<&Comment> = stops(review).collect();
    html! {
        @if review.open || !review.comments.is_empty() {
            h2.section id="comments" { "Comments" }
            div.panel.pad {
                @if !stops.is_empty() {
                    p.callout.waiting {
                        (count(stops.len(), "open comment")) (if stops.len() == 1 { " blocks" } else { " block" })
                        " approval; " (text(&words::thread::who_settles(&stops))) "."
                    }
                }
                @for comment in &review.comments { (talk.thread(comment, review.open)) }
                @if review.open {
                    div.actions { @for of in on { (talk.form(of.artefact.as_str(), of.version, &of.body)) } }
                }
            }
        }
    }
}

/// The comments that stop it.
fn stops(review: &Review) -> impl Iterator<Item = &Comment> {
    review.comments.iter().filter(|comment| comment.stops.contains(&review.line.approval))
}

/// Who did what for it, and what checks remarked.
fn evidence(review: &Review) -> Markup {
    let line = &review.line;
    html! {
        h2.section { "What it rests on" }
        div.panel.pad {
            ul.plain { @for told in sentences(&review.work) { li { (sentence(&told)) } } }
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
    }
}

/// What is asked, in a line.
fn what(review: &Review) -> String {
    match (&review.items, review.line.wants) {
        (Some(items), _) => {
            let most = items.iter().map(|item| item.recipients).max().unwrap_or(0);
            let reach = match (most, items.as_slice()) {
                (0, _) => String::new(),
                (1, [item]) if item.recipient.is_empty() => ", to one recipient".to_owned(),
                (1, [item]) => format!(", to {}", item.recipient),
                (1, _) => ", each to one recipient".to_owned(),
                (_, [_]) => format!(", to {} recipients at most", thousands(most)),
                _ => format!(", each to {} recipients at most", thousands(most)),
            };
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

/// How many are reached in all, over all items.
fn recipients(reached: u64) -> String {
    match reached {
        1 => "1 recipient".to_owned(),
        _ => format!("{} recipients in all", thousands(reached)),
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

fn version_of(version: &Version, zone: &str, is_open: bool) -> Markup {
    let name = match (version.no, version.written_at) {
        (Some(no), Some(at)) => words::version(version.artefact.as_str(), no, at, zone),
        _ => version.artefact.to_string(),
    };
    html! {
        details.panel.pad.draft open[is_open] {
            summary {
                (name) @if let Some((by, of)) = &version.by { ", by " (by) " " (origin(Some(*of))) }
                " " code.digest { (version.digest.short()) } (version.labels.told())
            }
            @match &version.body { Some(body) => (value(body, Described::by(Some(&version.schema)))), None => p.muted { "erased" } }
            @for (at, words) in version.body.iter().flat_map(|body| marked_up(body, "")) { (preview(&at, words)) }
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
                    dt { "delivers" }
                    dd {
                        (count(items.len(), "item")) " by " code {
                            (review.tool.as_deref().unwrap_or_default())
                        }
                    }
                }
                @for day in &review.days {
                    dt { "on its day" } dd { (text(&leaves_on(day, line.mode, zone))) }
                }
                @if let Some(of) = &review.hour { dt { "at" } dd { (text(&hour(of))) } }
                @if let Some(of) = &review.quiet { dt { "quiet" } dd { (text(&quiet(of))) } }
                @let reached: u64 = review.items.iter().flatten().map(|item| item.recipients).sum();
                @if reached > 0 {
                    dt { "reaches" } dd { (recipients(reached)) }
                }
                dt { "open until" } dd { (date_time(line.expires_at, zone)) }
                dt { "you are" } dd { (text(&person.who.name)) }
                @if let Some(progress) = words::progress(line.needed, &line.approved_by) {
                    dt { "so far" } dd { (text(&progress)) }
                }
                @if line.reminded > 0 { dt { "reminded" } dd { (count(line.reminded as usize, "time")) } }
                @if let Some(to) = &line.escalated_to { dt { "escalated to" } dd { (text(to)) } }
                @if let Some(on_it) = on_it(line) { dt { "now" } dd { b { (text(&on_it)) } } }
            }
            @if let Some(looked) = looked(line, zone) { p.small.muted { (text(&looked)) } }
            @if review.open { (attend(person, review)) }
            @if !review.open { p.callout.done { (text(&came(review, zone))) } }
            @else if let Some(sheet) = &review.form { (answer_form(person, review, sheet)) }
            @else { (buttons(person, review, no)) }
        }
    }
}

/// Who is on it, for others to see; whoever may decide still may.
fn attend(person: &Person, review: &Review) -> Markup {
    let (line, me) = (&review.line, &person.who.name);
    let is_mine = line.assigned_to.as_ref() == Some(me);
    let action = format!("/approvals/{}/assign", line.approval);
    let others: Vec<&String> = review.may_take.iter().filter(|name| *name != me).collect();
    html! {
        div.actions.attend {
            form method="post" action=(action) {
                (person.key())
                input type="hidden" name="to" value=(if is_mine { "" } else { me });
                button.button.small { (if is_mine { "Give it back" } else { "I am on it" }) }
            }
            @if !others.is_empty() {
                details.confirm {
                    summary.button.small { "Delegate" }
                    form method="post" action=(action) {
                        (person.key())
                        label.field { span { "To whom" } select name="to" { @for name in &others { option { (text(name)) } } } }
                        label.field { span { "Why" } textarea name="text" rows="2" required {} }
                        button.button { "Hand it on" }
                    }
                }
            }
        }
    }
}

/// The open comments, for whoever sends some along when they request changes.
fn along(person: &Person, review: &Review) -> Markup {
    let open: Vec<&Comment> = review.comments.iter().filter(|comment| comment.open).collect();
    html! {
                @if !open.is_empty() {
                    fieldset.choices {
                        legend { "Send along, as your words" }
                        @for comment in &open {
                            @let said = comment.said.first().and_then(|remark| remark.text.as_deref()).unwrap_or_default();
                            label.tick {
                                input type="checkbox" name=(format!("send.{}", comment.comment)) value="yes" checked[words::thread::author(comment) == person.who.name];
                                span { (comment.comment) " " (text(said)) }
                            }
                        }
                    }
                }
    }
}

fn buttons(person: &Person, review: &Review, no: ApprovalNo) -> Markup {
    let line = &review.line;
    let binds = line.binds.to_string();
    let gates = |decision: &str| {
        html! {
            @if decision == "approve" {
                @for rule in &review.gates {
                    label.field {
                        span { input type="checkbox" name=(format!("accept.{rule}")) value="yes" required; " I accept that " code { (rule) } " does not hold" }
                    }
                }
            }
        }
    };
    let stopped = count(stops(review).count(), "open comment");
    let is_stopped = stops(review).next().is_some();
    let post = |class: &str, decision: &str, label: &str, does: &str, why: bool| {
        html! {
            form method="post" action=(format!("/approvals/{no}/decide")) {
                (person.key())
                input type="hidden" name="binds" value=(binds);
                input type="hidden" name="decision" value=(decision);
                p.small { (does) }
                (gates(decision))
                label.field {
                    span { @if why { "Why" } @else { "Comment, if you like" } }
                    textarea name="comment" rows="3" required[why] {}
                }
                @if decision == "request_changes" { (along(person, review)) }
                button class=(format!("button {class}")) { (label) }
            }
        }
    };
    let approve = format!("Approve {} ({})", what(review), line.binds.short());
    let then = match (&review.items, line.mode) {
        (Some(_), Mode::Live) if review.days.is_empty() => {
            "Exactly this is delivered, once, to exactly these recipients."
        }
        (Some(_), Mode::Live) => "Exactly this is delivered, once, to exactly these recipients, each item on its day.",
        (Some(_), _) => "Exactly these bytes are written to the run's folder. No model ran, and nothing is sent.",
        (None, _) => "Exactly these versions are signed off, and the team goes on.",
    };
    html! {
        div.decide-buttons {
            @if is_stopped {
                p.callout.waiting id="approve" {
                    (stopped) " to resolve before anybody approves: " a href="#comments" { "comments" }
                }
            } @else {
                details.confirm id="approve" {
                    summary.button.primary.big { "Approve\u{2026}" }
                    div.sheet { (post("primary big", "approve", &approve, then, false)) }
                }
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

//! What was said and done, record by record, and one record in full: what it is, among what it was chosen, on what evidence,
//! what led to it and what it led to.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::super::parts::{Linked, address, origin, sources, text, word};
use super::look::Look;
use crate::id::{MessageId, Seq};
use crate::run::event::{Event, Settled};
use crate::run::view::choice::Choice;
use crate::run::view::{Entry, Kind, Texts as _};
use crate::service::ledger::Ledger;
use crate::service::note::readers;
use crate::service::story::News;
use crate::words::described::Described;
use crate::words::time::clock_time;

/// Records that are shown at once; the address says which page.
const PAGE: usize = 200;

const KINDS: [(&str, Kind); 7] = [
    ("message", Kind::Message),
    ("call", Kind::Call),
    ("version", Kind::Version),
    ("item", Kind::Item),
    ("person", Kind::Person),
    ("trouble", Kind::Trouble),
    ("life", Kind::Life),
];

pub(super) fn messages(look: &Look<'_>) -> Markup {
    let wanted = |name: &str| look.asked.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let (from, kind) = (wanted("from"), wanted("kind").and_then(|kind| KINDS.iter().find(|(word, _)| *word == kind)));
    let fits = |entry: &&Entry| {
        from.is_none_or(|from| entry.from == from || entry.to.as_deref() == Some(from))
            && kind.is_none_or(|(_, kind)| entry.kind == *kind)
    };
    let all: Vec<&Entry> = look.run.entries().filter(fits).collect();
    let record = wanted("record").and_then(|seq| seq.parse().ok()).map(Seq);
    let page = wanted("page").and_then(|page| page.parse().ok()).unwrap_or(0_usize);
    // The page that the record is on, if one is asked for; else the newest.
    let pages = all.len().div_ceil(PAGE).max(1);
    let of_record = record.and_then(|seq| all.iter().position(|entry| entry.seq == seq)).map(|place| place / PAGE);
    let here = if page > 0 { page.min(pages) - 1 } else { of_record.unwrap_or(pages - 1) };
    let shown = &all[(here * PAGE).min(all.len())..((here + 1) * PAGE).min(all.len())];
    let found = record.and_then(|seq| look.run.news.iter().find(|news| news.record.seq == seq));
    let no = look.at_a_glance.run.0;
    let agents = look.run.story.state().plan.team.keys();
    html! {
        form.filters method="get" {
            label.select {
                "Of" select name="from" {
                    option value="" { "everybody" }
                    @for name in agents { option selected[from == Some(name.as_str())] { (name) } }
                }
            }
            label.select {
                "Kind" select name="kind" {
                    option value="" { "all" }
                    @for (word, _) in KINDS {
                        option selected[kind.is_some_and(|(known, _)| *known == word)] { (word) }
                    }
                }
            }
            button.button.small { "Show" }
            @if let Some(trouble) = all.iter().rev().find(|entry| entry.kind == Kind::Trouble) {
                a.button.small.danger href=(address(no, trouble.seq)) { "Latest trouble" }
            }
        }
        (note_form(look))
        div.split.messages {
            section {
                @if pages > 1 {
                    p.small {
                        @for one in 1..=pages {
                            a href=(format!("/runs/{no}/messages?page={one}")) aria-current=[(one == here + 1).then_some("page")] {
                                "page " (one)
                            }
                            " "
                        }
                    }
                }
                (rows(shown, no, look.site.zone(), record))
            }
            aside { @match found {
                Some(news) => (inspector(look, news)),
                None => div.panel.pad.muted { "Choose a record to see all of it." },
            } }
        }
    }
}

/// A form that says something to a member, while the run goes on.
fn note_form(look: &Look<'_>) -> Markup {
    let no = look.at_a_glance.run;
    html! {
        @if !look.at_a_glance.summary.over {
            details.confirm {
                summary.button.small { "Leave a note for an agent" }
                form method="post" action=(format!("/runs/{no}/say")) {
                    (look.person.key())
                    input type="hidden" name="what" value="note";
                    label.field {
                        span { "To" }
                        select name="to" { @for name in readers(&look.run.story) { option { (name) } } }
                    }
                    label.field {
                        span { "What you say" }
                        small { "Its next turn is shown it, as yours. It approves nothing." }
                        textarea name="text" rows="2" required {}
                    }
                    button.button { "Leave it" }
                }
            }
        }
    }
}

/// Entries one below the other, each leading to its record.
pub(super) fn rows(entries: &[&Entry], no: u64, zone: &str, here: Option<Seq>) -> Markup {
    html! {
        ol.rows.panel {
            @for entry in entries {
                li class=(if entry.kind == Kind::Trouble { "trouble" } else { "" }) {
                    a.row href=(address(no, entry.seq)) aria-current=[(here == Some(entry.seq)).then_some("true")] {
                        time { (clock_time(entry.at, zone)) }
                        span.who {
                            b { (text(&entry.from)) }
                            @if let Some(to) = &entry.to {
                                span aria-label="to" { " \u{2192} " } b { (text(to)) }
                            }
                            @if let Some(branch) = &entry.branch { " " span.muted { (branch) } }
                        }
                        (word(&entry.word))
                        span.said { (text(first_line(&entry.text))) " " (origin(entry.origin)) }
                    }
                }
            }
            @if entries.is_empty() { li.empty { "nothing" } }
        }
    }
}

fn first_line(of: &str) -> &str {
    of.lines().next().unwrap_or_default()
}

/// All of one record.
fn inspector(look: &Look<'_>, news: &News) -> Markup {
    let (no, seq) = (look.at_a_glance.run.0, news.record.seq);
    let head: Value = serde_json::from_slice(&news.record.head.json).unwrap_or(Value::Null);
    html! {
        article.panel.pad.inspector id="record" {
            p.small.muted {
                "record " (seq) ", " code { (news.record.head.kind) } ", ownership " (news.record.epoch)
            }
            @if let Some(entry) = &news.entry {
                h2 {
                    (text(&entry.from)) @if let Some(to) = &entry.to { " \u{2192} " (text(to)) }
                    " " (word(&entry.word))
                }
                p.prose-text { (text(&entry.text)) } (origin(entry.origin))
                @if let Some(choice) = &entry.choice { (chosen(choice, no)) }
            }
            (carried(look, &news.fact.is))
            (around(look, news))
            details { summary { "The record as it is in the journal" } pre.raw tabindex="0" role="region" aria-label="text" { (text(&pretty(&head))) } }
        }
    }
}

fn pretty(of: &Value) -> String {
    serde_json::to_string_pretty(of).unwrap_or_default()
}

/// Among what a model chose, and on what evidence.
fn chosen(choice: &Choice, no: u64) -> Markup {
    html! {
        h4 { "It chose " code { (text(&choice.chose)) } " among" }
        ul.plain {
            @for (outcome, to) in &choice.outcomes { li { code { (text(outcome)) } " to " (text(to)) } }
        }
        @if !choice.tools.is_empty() || !choice.may_ask.is_empty() {
            h4 { "It was offered" }
            ul.plain {
                @for tool in &choice.tools { li { code { (tool) } } }
                @for asked in &choice.may_ask { li { "to ask " (asked) } }
            }
        }
        h4 { "On this evidence" }
        ul.plain {
            @for (name, held) in &choice.read {
                li { (name) @for version in held.versions() { " " code.digest { (version.short()) } } }
            }
            @for call in &choice.calls {
                li {
                    a href=(address(no, call.seq)) { "record " (call.seq) }
                    " " @match &call.by { Some(by) => { "the answer of " (by) }, None => code { (call.tool) } }
                    " " (origin(Some(call.origin)))
                }
            }
            @if choice.read.is_empty() && choice.calls.is_empty() { li { "the brief and the message alone" } }
        }
    }
}

/// What the record carries: a message's desk, a version's text, a call's result.
fn carried(look: &Look<'_>, event: &Event) -> Markup {
    let texts = look.run.story.texts();
    let no = look.at_a_glance.run;
    let mut lead = BTreeMap::new();
    let body = if let Event::VersionWritten(version) = event {
        lead = sources(&Ledger::new(&look.run.story).of(version.body.digest), no.0);
        Some((version.artefact.to_string(), texts.value(version.body.digest)))
    } else if let Event::EffectSettled { result: Settled::Returned { body, .. }, .. } = event {
        Some(("The result".to_owned(), texts.value(body.digest)))
    } else {
        None
    };
    html! {
        @if let Event::MessageSent(message) = event {
            @if !message.desk.is_empty() {
                h4 { "On its desk" }
                ul.plain {
                    @for (name, held) in &message.desk {
                        li {
                            a href=(format!("/runs/{no}/drafts?artefact={name}")) { (name) }
                            @for version in held.versions() { " " code.digest { (version.short()) } }
                        }
                    }
                }
            }
        }
        @if let Some((name, body)) = body {
            h4 { (name) }
            @let described = Described::artefact(&look.run.story.state().plan, &name);
            @match body { Some(body) => (Linked { to: &lead, described }.value(&body, "")), None => p.muted { "erased" } }
        }
        @if let Event::EffectAsked {
            id, ..
        } | Event::EffectSettled { id, .. } | Event::EffectFailed { id, .. } = event {
            p.small.muted { "effect " code { (id.0.short()) } }
        }
    }
}

/// What led to a message, and what it led to.
fn around(look: &Look<'_>, news: &News) -> Markup {
    let Event::MessageSent(message) = &news.fact.is else { return html! {} };
    let no = look.at_a_glance.run.0;
    let sent = |wanted: &dyn Fn(MessageId, Option<MessageId>) -> bool| {
        let sent = look.run.news.iter().filter_map(|news| {
            let Event::MessageSent(message) = &news.fact.is else { return None };
            wanted(message.id, message.cause).then_some((news.record.seq, message))
        });
        sent.collect::<Vec<_>>()
    };
    let (before, after) = (sent(&|id, _| Some(id) == message.cause), sent(&|_, cause| cause == Some(message.id)));
    let list = |title: &str, all: Vec<(Seq, &crate::run::event::Message)>| {
        html! {
            @if !all.is_empty() {
                h4 { (title) }
                ul.plain {
                    @for (seq, message) in all {
                        li {
                            a href=(address(no, seq)) { (message.id) }
                            " " @if let Some(from) = &message.from { (from) " " }
                            code { (message.outcome) }
                        }
                    }
                }
            }
        }
    };
    html! { (list("It came of", before)) (list("It led to", after)) }
}

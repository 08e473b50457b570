//! The views of a run that are read rather than searched: its story, its drafts, its budget, its supervision.

use maud::{Markup, html};

use super::super::comments::{Stands, Talk};
use super::super::parts::{Linked, address, claims, difference, meter, origin, sources, state, text, word};
use super::look::{Look, limit_word};
use super::messages::rows;
use crate::id::{ArtefactName, thousands};
use crate::run::event::{Amount, Event, Limit};
use crate::run::view::{Entry, Kind, Texts as _, amount, count};
use crate::service::change::since_before;
use crate::service::comment::comments;
use crate::service::ledger::{Cited, Ledger};
use crate::words;
use crate::words::described::Described;
use crate::words::difference::lines;

/// Something that is told of a run, and what it rests on.
struct Chapter<'n> {
    entry: &'n Entry,
    /// The calls that were made for it.
    calls: Vec<&'n Entry>,
    /// What was claimed in what was written for it.
    claims: Vec<Cited>,
}

/// What is told of a run: the calls and the claims since the last thing that somebody said are what it rests on.
fn chapters<'n>(look: &Look<'n>) -> Vec<Chapter<'n>> {
    let ledger = Ledger::new(&look.run.story);
    let mut chapters: Vec<Chapter<'n>> = Vec::new();
    let mut calls: Vec<&'n Entry> = Vec::new();
    let mut written: Vec<(&'n Entry, Vec<Cited>)> = Vec::new();
    for news in &look.run.news {
        let Some(entry) = &news.entry else { continue };
        match entry.kind {
            Kind::Call => calls.push(entry),
            Kind::Version => {
                if let Event::VersionWritten(version) = &news.fact.is {
                    written.push((entry, ledger.of(version.body.digest)));
                }
            }
            Kind::Message | Kind::Item | Kind::Person | Kind::Trouble | Kind::Life => {
                let own = |other: &Entry| other.from == entry.from && other.branch == entry.branch;
                let (mine, others) = calls.into_iter().partition(|call| own(call));
                let (said, left) = written.into_iter().partition::<Vec<_>, _>(|(version, _)| own(version));
                (calls, written) = (others, left);
                let claims = said.into_iter().flat_map(|(_, claims)| claims).collect();
                chapters.push(Chapter { entry, calls: mine, claims });
            }
        }
    }
    chapters
}

/// What happened, as sentences: each with the calls that its figures come from, and each figure whose call was recorded
/// leading to it.
pub(super) fn story(look: &Look<'_>) -> Markup {
    let no = look.at_a_glance.run.0;
    let chapters = chapters(look);
    let (mut day, zone) = (String::new(), look.site.zone());
    html! {
        ol.story {
            @for Chapter { entry, calls, claims: claimed } in &chapters {
                @let at = words::time::date_time(entry.at, zone);
                @let date = at.split(' ').next().unwrap_or_default().to_owned();
                @if std::mem::replace(&mut day, date.clone()) != date { li.day { (date) } }
                li class=(format!("chapter kind-{}", kind(entry.kind))) {
                    time { (words::time::clock_time(entry.at, zone)) }
                    div {
                        p.lead {
                            b { (text(&entry.from)) }
                            @if let Some(to) = &entry.to { " to " b { (text(to)) } }
                            " " (word(&entry.word)) " "
                            @if let Some(branch) = &entry.branch { span.chip { (branch) } " " }
                            (origin(entry.origin))
                        }
                        @if !entry.text.is_empty() { p.prose-text { (text(&entry.text)) } }
                        @if !claimed.is_empty() { (claims(claimed, no)) }
                        p.small {
                            a href=(address(no, entry.seq)) { "record " (entry.seq) }
                            @if !calls.is_empty() {
                                ", on " @for (nth, call) in calls.iter().enumerate() {
                                    @if nth > 0 {
                                        ", "
                                    } a href=(address(no, call.seq)) title=(call.text) { (text(&call.word)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Message => "message",
        Kind::Call => "call",
        Kind::Version => "version",
        Kind::Item => "item",
        Kind::Person => "person",
        Kind::Trouble => "trouble",
        Kind::Life => "life",
    }
}

/// Every version of each artefact, newest first, with what changed in it.
pub(super) fn drafts(look: &Look<'_>) -> Markup {
    let (run, story) = (look.at_a_glance, &look.run.story);
    let wanted = look.asked.get("artefact");
    let mut names: Vec<&ArtefactName> = run.versions.iter().map(|version| &version.artefact).collect();
    names.sort();
    names.dedup();
    let (texts, said, state) = (story.texts(), comments(story), story.state());
    let ledger = Ledger::new(story);
    let is_live = state.ended.is_none();
    let talk = Talk { person: look.person, run: run.run, stands: Stands::Drafts, zone: look.site.zone() };
    html! {
        @if names.is_empty() { div.empty.panel { strong { "Nothing is written yet" } } }
        nav.filters aria-label="Artefacts" {
            @if wanted.is_some() { a.button.small href=(format!("/runs/{}/drafts", run.run)) { "all" } }
            @for name in &names {
                a.button.small href=(format!("/runs/{}/drafts?artefact={name}", run.run)) aria-current=[(wanted.is_some_and(|of| of == name.as_str())).then_some("true")] {
                    (name)
                }
            }
        }
        @for name in names.iter().filter(|name| wanted.is_none_or(|of| of == name.as_str())) {
            h2.section { code { (name) } }
            @for version in run.versions.iter().rev().filter(|version| version.artefact == **name) {
                article.panel.pad.draft {
                    p.small {
                        b {
                            (words::version(name.as_str(), version.no, version.written_at, look.site.zone()))
                        } ", by " (text(&version.by)) ", in turn " (version.message) " "
                        (origin(Some(version.origin))) " " code.digest { (version.version.short()) }
                        @if version.remarked { " " span.chip.failed { "remarks of a check" } }
                    }
                    @if let Some(change) = since_before(story, name, version.version) {
                        @if !change.parts.is_empty() {
                            details open {
                                summary {
                                    (count(change.parts.len(), "part")) " changed since version " (change.from)
                                }
                                @for part in &change.parts {
                                    h4 { (text(&words::part(part))) } (difference(&lines(part)))
                                }
                            }
                        }
                    }
                    @let body = texts.value(version.version);
                    details open[version.no == 1] {
                        summary { "All of it" }
                        @match &body {
                            Some(body) => {
                                @let described = Described::artefact(&story.state().plan, name.as_str());
                                (Linked { to: &sources(&ledger.of(version.version), run.run.0), described }.value(body, ""))
                            },
                            None => p.muted { "erased" },
                        }
                    }
                    @for comment in said.iter().filter(|comment| comment.version == version.version) {
                        (talk.thread(comment, is_live))
                    }
                    @if let Some(body) = body.filter(|_| is_live && state.is_current(name, version.version)) {
                        div.actions { (talk.form(name.as_str(), version.version, &body)) }
                    }
                }
            }
        }
    }
}

pub(super) fn budget(look: &Look<'_>) -> Markup {
    let run = look.at_a_glance;
    html! {
        div.panel.scroll tabindex="0" role="region" aria-label="limits" {
            table.data.wide {
                thead {
                    tr {
                        th scope="col" { "Limit" }
                        th.n scope="col" { "Spent" }
                        th.n scope="col" { "Set aside" }
                        th.n scope="col" { "At most" }
                        th scope="col" { "" }
                    }
                }
                tbody { @for of in &run.budget { tr {
                    th scope="row" { (limit_word(of.what, run.would_have_cost)) }
                    td.n { (amount(of.what, of.spent)) } td.n { (amount(of.what, of.reserved)) }
                    td.n { @match of.limit { Some(limit) => (amount(of.what, limit)), None => "unlimited" } }
                    td.bar-col { (meter(of.spent, of.reserved, of.limit)) }
                } } }
            }
        }
        @for unsure in [&run.calls.in_doubt, &run.calls.assumed, &run.calls.over_reported].into_iter().flatten() {
            p.callout.waiting { (text(unsure)) }
        }
        h2.section { "By agent" }
        (spent("agent", run.agents.iter().map(|agent| (html! { (agent.agent) }, count(agent.turns as usize, "turn"), agent.spent)), run.would_have_cost))
        h2.section { "By turn" }
        (spent("turn", run.turns.iter().map(|turn| {
            let round = if turn.round > 1 { format!(", round {}", turn.round) } else { String::new() };
            (html! { (turn.agent) }, format!("{} {}{round}", turn.message, turn.on), turn.spent)
        }), run.would_have_cost))
    }
}

fn spent(what: &str, rows: impl Iterator<Item = (Markup, String, Amount)>, would_cost: bool) -> Markup {
    html! {
        div.panel.scroll tabindex="0" role="region" aria-label=(what) {
            table.data.wide {
                thead {
                    tr {
                        th scope="col" { "Agent" }
                        th scope="col" { "" }
                        th.n scope="col" { "Steps" }
                        th.n scope="col" { "Tokens" }
                        th.n scope="col" { (limit_word(Limit::Cost, would_cost)) }
                    }
                }
                tbody { @for (name, said, spent) in rows { tr {
                    th scope="row" { (name) } td.muted { (said) }
                    td.n {
                        (thousands(spent.steps))
                    } td.n { (thousands(spent.tokens)) } td.n { (spent.cost.to_string()) }
                } } }
            }
        }
    }
}

/// Who was started again and why, and what could not be handled.
pub(super) fn supervision(look: &Look<'_>) -> Markup {
    let run = look.at_a_glance;
    let trouble: Vec<&Entry> = look.run.entries().rev().filter(|entry| entry.kind == Kind::Trouble).collect();
    html! {
        @for letter in &run.dead_letters {
            div.callout.failed {
                div {
                    strong {
                        "Message " (letter.message) " to " (text(&letter.to)) " could not be handled: " (letter.class.word())
                    }
                    p.prose-text { (text(&letter.reason)) }
                    div.actions {
                        (look.button("retry", Some(letter.message), "Try it again", "primary"))
                        (look.button("discard", Some(letter.message), "Discard it", "danger"))
                    }
                }
            }
        }
        div.panel.scroll tabindex="0" role="region" aria-label="agents" {
            table.data.wide {
                thead {
                    tr {
                        th scope="col" { "Agent" }
                        th scope="col" { "Does" }
                        th.n scope="col" { "Turns" }
                        th.n scope="col" { "Restarts" }
                    }
                }
                tbody { @for agent in &run.agents { tr {
                    th scope="row" { (agent.agent) } td { (text(&agent.does)) } td.n { (agent.turns) }
                    td.n {
                        @if agent.restarts > 0 { (state("failed", &agent.restarts.to_string())) } @else { "0" }
                    }
                } } }
            }
        }
        p.muted {
            @match &run.driven_by {
                Some(by) => { "Driven by " (text(by)) ", ownership " (run.epoch) "." },
                None => { "Nobody drives it now; ownership " (run.epoch) "." }
            }
        }
        h2.section { "What went wrong" span.muted { "newest first" } }
        (rows(&trouble, run.run.0, look.site.zone(), None))
    }
}

//! What starts runs by itself: when each fires, and what its last firing came to.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::fail::Fail;
use super::frame::{Area, Page};
use super::parts::{state, text};
use super::person::Person;
use super::site::Site;
use crate::clock::{Clock as _, Machine};
use crate::service::error::Error;
use crate::service::trigger::list::{self, Line};
use crate::words::time::date_time;
use crate::words::trigger::{fires, last, manner, unset, wrong};

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let lines = list::triggers(&site.project, Machine.now())?;
        let body = html! {
            div.page-head {
                h1 { "Triggers" }
                p.sentence { "What starts runs by itself while this server runs. What they do needs the same approvals." }
            }
            @if lines.is_empty() {
                div.empty.panel {
                    strong { "No campaign has a trigger" }
                    "Its file can have one: [triggers.weekly] with cron = \"0 9 * * MON\" starts a run every Monday at nine."
                }
            }
            @else { ul.list.panel { @for line in &lines { (item(line, site.zone())) } } }
        };
        let live = Some("/events".to_owned());
        Page { title: "Triggers".to_owned(), area: Area::Triggers, live, body }.framed(site, &person)
    })
    .await
}

fn item(line: &Line, zone: &str) -> Markup {
    html! {
        li.item.pad {
            span.item-main {
                strong { (text(&line.trigger)) }
                span.item-sub {
                    "fires " (text(&fires(line)))
                    @if let Some(at) = line.next_at { "; next on " (date_time(at, zone)) }
                    @if let Some(manner) = manner(line) { "; " (manner) }
                }
                @if let Some(firing) = &line.last {
                    span.item-sub {
                        @match firing.run {
                            Some(no) => { a href={ "/runs/" (no) } { (text(&last(firing, zone))) } }
                            None => { (text(&last(firing, zone))) }
                        }
                    }
                }
                @if let Some(unset) = unset(line) { span.item-sub { (state("failed", &unset)) } }
            }
        }
    }
}

/// What starts next by itself, and what does not although it should, for home.
pub(super) fn next(site: &Site) -> Result<Markup, Error> {
    let lines = list::triggers(&site.project, Machine.now())?;
    let zone = site.zone();
    let first = lines.iter().filter_map(|line| Some((line.next_at?, line))).min_by_key(|(at, _)| *at);
    let wrongs: Vec<(&Line, String)> = lines.iter().filter_map(|line| Some((line, wrong(line, zone)?))).collect();
    Ok(html! {
        @if first.is_some() || !wrongs.is_empty() {
            h2.section { "Next by itself" a.link href="/triggers" { "all triggers" } }
            ul.list.panel {
                @if let Some((at, line)) = first {
                    li.item { a href="/triggers" { span.item-main {
                        strong { (text(&line.trigger)) } span.item-sub { (date_time(at, zone)) }
                    } } }
                }
                @for (line, wrong) in &wrongs {
                    li.item { a href="/triggers" { span.item-main {
                        strong { (text(&line.trigger)) } span.item-sub { (text(wrong)) }
                    } } }
                }
            }
        }
    })
}

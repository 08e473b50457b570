//! What a project is made of, beside its campaigns: the members of its teams, and what they reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::fail::Fail;
use super::frame::{Area, Page};
use super::graph::kind;
use super::parts::text;
use super::person::{Filled, Person};
use super::site::Site;
use crate::app;
use crate::run::view::count;
use crate::service::error::Error;
use crate::service::tools::{self, Found, Members, Users};
use crate::topology::plan::{Member, Role};
use crate::topology::spec::Reach;
use crate::words::tool::{labels, reach, repeat};

/// Where a narrow screen finds what has no place in its bar.
pub(super) async fn more(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    const PLACES: [(&str, &str, &str); 4] = [
        ("/triggers", "Triggers", "What starts runs by itself, and when that is next."),
        ("/agents", "Agents", "Who is on the teams, and what each may do."),
        ("/connections", "Connections", "What the teams reach: data, servers, models."),
        ("/audit", "Audit", "Whether what happened is still as it was written down."),
    ];
    site.look(move |site| {
        let body = html! {
            div.page-head { h1 { "More" } }
            ul.list.panel {
                @for (address, name, what) in PLACES {
                    li.item { a href=(address) { span.item-main { strong { (name) } span.item-sub { (what) } } } }
                }
            }
        };
        Page { title: "More".to_owned(), area: Area::More, live: None, body }.framed(site, &person)
    })
    .await
}

/// A member as it stands in one or more teams.
struct Known<'m> {
    name: &'m str,
    is: &'m Member,
    topologies: Vec<&'m str>,
}

pub(super) async fn agents(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| {
        let members = tools::members(&site.project);
        let body = html! {
            div.page-head {
                h1 { "Agents" }
                p.sentence { "Who is on the teams. An agent does what its file says, with the tools that stand there, and nothing else." }
            }
            (faulty(&members.faulty))
            div.cards { @for known in known(&members) { (agent(&known)) } }
        };
        Page { title: "Agents".to_owned(), area: Area::Agents, live: None, body }.framed(site, &person)
    })
    .await
}

/// Members of one name that are the same wherever they are; one that is another in another team stands by itself.
fn known(members: &Members) -> Vec<Known<'_>> {
    let mut known: Vec<Known<'_>> = Vec::new();
    for (topology, name, is) in &members.all {
        match known.iter_mut().find(|known| known.name == name && known.is.does == is.does && known.is.role == is.role)
        {
            Some(known) => known.topologies.push(topology),
            None => known.push(Known { name, is, topologies: vec![topology] }),
        }
    }
    known.sort_by_key(|known| (rank(&known.is.role), known.name));
    known
}

/// Models first: they are what has to be looked after.
fn rank(role: &Role) -> u8 {
    match role {
        Role::Model { .. } => 0,
        Role::Person(_) => 1,
        Role::Rule(_) => 2,
        Role::Tool { .. } => 3,
    }
}

fn agent(known: &Known<'_>) -> Markup {
    let Member { does, reads, writes, limits, may_ask, role, .. } = known.is;
    let reads: Vec<String> = reads.iter().map(|read| read.artefact.to_string()).collect();
    let joined = |names: &[String]| names.join(", ");
    let names = |all: &mut dyn Iterator<Item = String>| joined(&all.collect::<Vec<_>>());
    let row = |what: &str, said: String| html! { @if !said.is_empty() { dt { (what) } dd { (said) } } };
    html! {
        section.panel.pad id=(known.name) {
            h2 { (known.name) " " span.chip { (kind(role)) } }
            p.small { (text(does)) }
            dl.fields {
                dt { "in" }
                dd {
                    @for (nth, topology) in known.topologies.iter().enumerate() {
                        @if nth > 0 { ", " } a href=(format!("/campaigns/{topology}")) { (topology) }
                    }
                }
                @match role {
                    Role::Model { outcomes, model, .. } => {
                        (row("model", model.clone()))
                        (row("ends with", names(&mut outcomes.iter().map(ToString::to_string))))
                    },
                    Role::Person(person) => (row("who", if person.who.is_empty() { "anyone".to_owned() } else { joined(&person.who) })),
                    Role::Tool { .. } | Role::Rule(_) => {},
                }
                (row("reads", joined(&reads)))
                (row("writes", names(&mut writes.iter().map(ToString::to_string))))
                @let used = tools::used(role);
                @if !used.is_empty() {
                    dt { "tools" }
                    dd {
                        @for (nth, tool) in used.iter().enumerate() {
                            @if nth > 0 { ", " } a href=(format!("/connections#{tool}")) { code { (tool) } }
                        }
                    }
                }
                (row("may ask", names(&mut may_ask.iter().map(ToString::to_string))))
                (row("at most", count(limits.turns as usize, "turn")))
            }
        }
    }
}

fn faulty(topologies: &[String]) -> Markup {
    html! {
        @if !topologies.is_empty() {
            p.callout.failed {
                "Nothing is said here of "
                @for (nth, topology) in topologies.iter().enumerate() {
                    @if nth > 0 { ", " } a href=(format!("/campaigns/{topology}")) { (topology) }
                }
                ": its file has faults."
            }
        }
    }
}

/// What opening a connection came to, by the tool that tells of it.
type Tried = BTreeMap<String, Result<String, String>>;

pub(super) async fn connections(
    State(site): State<Arc<Site>>,
    Extension(person): Extension<Person>,
) -> Result<Html<String>, Fail> {
    site.look(move |site| shown(site, &person, None)).await
}

/// Opens every connection, and shows what came of it.
pub(super) async fn try_connections(State(site): State<Arc<Site>>, filled: Filled) -> Result<Html<String>, Fail> {
    let project = Arc::clone(&site.project);
    let tools = site.look(move |_| tools::tools(&project).map_err(Error::Faulty)).await?;
    let mut tried: Tried = tools::tried(&tools)
        .await
        .into_iter()
        .map(|(name, came)| (name.to_string(), came.map(crate::tool::Opened::whole)))
        .collect();
    for (model, came) in app::try_models(&site.project.settings).await {
        tried.insert(format!("model {model}"), came.map(|tried| tried.text));
    }
    site.look(move |site| shown(site, &filled.person, Some(&tried))).await
}

fn shown(site: &Site, person: &Person, tried: Option<&Tried>) -> Result<Html<String>, Error> {
    let tools = tools::tools(&site.project).map_err(Error::Faulty)?;
    let users = tools::users(&site.project);
    let mut connections: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for found in tools::found(&tools) {
        let name = found.spec.name.as_str();
        let connection = name.split_once('.').map_or(name, |(connection, _)| connection).to_owned();
        connections.entry(connection).or_default().push(found);
    }
    let is_used = |found: &Found| !found.faults.is_empty() || !users.has_none(&found.spec.name);
    let (used, unused): (BTreeMap<_, _>, BTreeMap<_, _>) =
        connections.into_iter().partition(|(_, found)| tried.is_some() || found.iter().any(is_used));
    let models = site.project.settings.models.live();
    let body = html! {
        div.page-head {
            div.title-row {
                div.title-main { h1 { "Connections" } }
                form method="post" action="/connections" { (person.key()) button.button { "Open each once" } }
            }
            p.sentence {
                "What the teams reach. Tools stand in " code { "callsheet.toml" } "; a secret is named there, and its value is shown nowhere."
            }
        }
        (faulty(&users.faulty))
        h2.section { "Models" }
        @if models.is_empty() {
            p.muted { "No model is named in this project: its runs are rehearsals, in which the script speaks." }
        } @else {
            ul.list.panel {
                @for model in models {
                    li.pad {
                        b { (model) } " "
                        @match site.project.settings.endpoint(&model) {
                            Ok(_) => span.muted { "its provider is known, and its key is there" },
                            Err(why) => span.chip.failed { (text(&why.to_string())) },
                        }
                        (came(tried, &format!("model {model}")))
                    }
                }
            }
        }
        @for (connection, found) in &used {
            h2.section { (connection) }
            (tools_of(found, &users, tried))
        }
        @if !unused.is_empty() {
            details.unused {
                summary { (count(unused.values().map(Vec::len).sum(), "tool")) " that no team uses" }
                @for (connection, found) in &unused {
                    h2.section { (connection) }
                    (tools_of(found, &users, tried))
                }
            }
        }
    };
    Page { title: "Connections".to_owned(), area: Area::Connections, live: None, body }.framed(site, person)
}

fn tools_of(found: &[Found], users: &Users, tried: Option<&Tried>) -> Markup {
    html! {
        ul.list.panel { @for found in found { li.pad id=(found.spec.name) { (tool(found, users, tried)) } } }
    }
}

fn tool(found: &Found, users: &Users, tried: Option<&Tried>) -> Markup {
    let spec = &found.spec;
    let name = spec.name.as_str();
    let used: Vec<String> =
        users.of.get(name).into_iter().flatten().map(|(member, topology)| format!("{member} of {topology}")).collect();
    html! {
        p { code { b { (name) } } " " @if spec.reach == Reach::ActsOut { span.chip { "acts outside" } } }
        p.small { (text(&spec.description)) }
        dl.fields {
            dt { "reach" } dd { (reach(spec)) }
            dt { "after a crash" } dd { (repeat(spec)) }
            dt { "results" } dd { (labels(spec)) }
            dt { "used by" } dd { @if used.is_empty() { "nobody yet" } @else { (used.join(", ")) } }
            @if !found.reads.is_empty() { dt { "reads" } dd { (text(&found.reads.join("; "))) } }
        }
        @for fault in &found.faults { p.callout.failed { (text(fault)) } }
        (came(tried, name))
    }
}

/// What opening it came to, if it was opened.
fn came(tried: Option<&Tried>, name: &str) -> Markup {
    html! {
        @match tried.and_then(|tried| tried.get(name)) {
            Some(Ok(said)) => p.callout.done { (text(said)) },
            Some(Err(why)) => p.callout.failed { (text(why)) },
            None => {},
        }
    }
}

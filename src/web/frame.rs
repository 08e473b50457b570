//! What stands around every page: where one is, what waits, who one is; and the files that a page loads.

use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::fail::Fail;
use super::parts::text;
use super::person::Person;
use super::shell::whole;
use super::site::Site;
use crate::service::error::Error;

/// The files that pages load, by name: no other host is asked for anything.
const ASSETS: [(&str, &str, &str); 4] = [
    ("page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    ("graph.js", "text/javascript; charset=utf-8", include_str!("assets/graph.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Where one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Home,
    Approvals,
    Runs,
    Campaigns,
    Triggers,
    Agents,
    Connections,
    Audit,
    /// The way to the last four, where a screen is too narrow for all.
    More,
}

/// Those that are wanted every day come first: a narrow screen has no more than these at hand.
const DAILY: [(Area, &str, &str); 4] = [
    (Area::Home, "/", "Home"),
    (Area::Approvals, "/approvals", "Approvals"),
    (Area::Runs, "/runs", "Runs"),
    (Area::Campaigns, "/campaigns", "Campaigns"),
];
const OTHERS: [(Area, &str, &str); 4] = [
    (Area::Triggers, "/triggers", "Triggers"),
    (Area::Agents, "/agents", "Agents"),
    (Area::Connections, "/connections", "Connections"),
    (Area::Audit, "/audit", "Audit"),
];

/// A page: its title, where it stands, and from where it hears that there is news.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) area: Area,
    /// The address of events after which it is drawn again; none if it never is.
    pub(super) live: Option<String>,
    pub(super) body: Markup,
}

impl Page {
    /// Around it what every page has.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) fn framed(self, site: &Site, person: &Person) -> Result<Html<String>, Error> {
        let waits = match site.project.runs(true, usize::MAX) {
            Ok(rows) => rows.iter().map(|row| row.summary.approvals.len()).sum(),
            Err(Error::NothingYet) => 0,
            Err(error) => return Err(error),
        };
        let root = &site.project.settings.root;
        let project = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let page = html! {
            a.skip href="#main" { "To the content" }
            div.shell {
                header.side {
                    a.brand href="/" { (sign()) span { "Callsheet" small { (text(&project)) } } }
                    (links("nav", "Areas", &OTHERS, self.area, waits))
                    div.side-foot {
                        p.live {
                            i aria-hidden="true" {}
                            span.live-word { "Live" }
                            button.link type="button" id="pause" hidden { "Freeze page" }
                        }
                        button.link.theme type="button" id="theme" hidden { "Light or dark" }
                        (out(person))
                    }
                }
                main id="main" tabindex="-1" { (self.body) }
            }
            (links("tabbar", "Areas, at hand", &[(Area::More, "/more", "More")], self.area.at_hand(), waits))
        };
        Ok(Html(whole(&self.title, self.live.as_deref(), &page).into_string()))
    }
}

/// The clapperboard, in the colours of the theme.
fn sign() -> Markup {
    html! {
        svg.sign viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            path.board d="M3 9h18v9a3 3 0 0 1-3 3H6a3 3 0 0 1-3-3z" {}
            path.clap d="M2.6 6.8 20 2.5l.9 3.4L3.5 10.2z" {}
        }
    }
}

fn links(class: &str, label: &str, others: &[(Area, &str, &str)], here: Area, waits: usize) -> Markup {
    html! {
        nav class=(class) aria-label=(label) {
            @for (area, address, name) in DAILY.iter().chain(others) {
                a href=(address) aria-current=[(*area == here).then_some("page")] {
                    (name)
                    @if *area == Area::Approvals && waits > 0 { span.count { (waits) } }
                }
            }
        }
    }
}

impl Area {
    /// Where it is found on a narrow screen.
    fn at_hand(self) -> Self {
        if OTHERS.iter().any(|(area, ..)| *area == self) { Self::More } else { self }
    }
}

/// One of the files that pages load.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Fail> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or_else(|| Fail::missing("there is no such file"))?;
    Ok(([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *text).into_response())
}

/// Who is here, with the way out.
fn out(person: &Person) -> Markup {
    html! {
        form.me method="post" action="/leave" {
            (person.key())
            span { (person.who.name) }
            button.link { "Sign out" }
        }
    }
}

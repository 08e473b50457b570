//! What stands around every page: where one is, what waits, who one is; and the files that a page loads.

use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::Site;
use super::enter::out;
use super::fail::Fail;
use super::guard::Person;
use super::parts::text;
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
    Audit,
}

const AREAS: [(Area, &str, &str); 5] = [
    (Area::Home, "/", "Home"),
    (Area::Approvals, "/approvals", "Approvals"),
    (Area::Runs, "/runs", "Runs"),
    (Area::Campaigns, "/campaigns", "Campaigns"),
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
                    a.brand href="/" { img src="/assets/icon.svg" width="24" height="24" alt=""; span { "Callsheet" small { (text(&project)) } } }
                    (links("nav", self.area, waits))
                    div.side-foot {
                        p.live { i aria-hidden="true" {} span.live-word { "Live" } button.link type="button" id="pause" hidden { "Pause" } }
                        button.link.theme type="button" id="theme" hidden { "Light or dark" }
                        (out(person))
                    }
                }
                main id="main" tabindex="-1" { (self.body) }
            }
            (links("tabbar", self.area, waits))
        };
        Ok(Html(whole(&self.title, self.live.as_deref(), &page).into_string()))
    }
}

fn links(class: &str, here: Area, waits: usize) -> Markup {
    html! {
        nav class=(class) aria-label=(if class == "nav" { "Areas" } else { "Areas, at hand" }) {
            @for (area, address, name) in AREAS {
                a href=(address) aria-current=[(area == here).then_some("page")] {
                    (name)
                    @if area == Area::Approvals && waits > 0 { span.count { (waits) } }
                }
            }
        }
    }
}

/// A page of somebody who has not entered.
pub(super) fn bare(title: &str, body: Markup) -> Markup {
    whole(title, None, &html! { main.bare id="main" tabindex="-1" { (body) } })
}

fn whole(title: &str, live: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " \u{2013} Callsheet" }
                link rel="stylesheet" href="/assets/page.css";
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                script type="module" src="/assets/page.js" {}
            }
            body data-live=[live] { (body) }
        }
    }
}

/// One of the files that pages load.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Fail> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or_else(|| Fail::missing("there is no such file"))?;
    Ok(([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *text).into_response())
}

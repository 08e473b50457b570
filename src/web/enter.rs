//! The door: a link's token is exchanged for a session, by POST, so that whoever only opens a link has done nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;

use super::fail::Fail;
use super::guesses::Peer;
use super::person::Filled;
use super::shell::bare;
use super::site::Site;
use crate::clock::{Clock as _, Machine};

type Pairs = BTreeMap<String, String>;

/// Asks for the token, which the link's fragment carries: no server and no log sees it there.
pub(super) async fn show(Query(asked): Query<Pairs>) -> Html<String> {
    let next = asked.get("next").map_or("/", String::as_str);
    let page = bare(
        "Enter",
        html! {
            h1 { "Enter Callsheet" }
            p { "Open the link that " code { "callsheet serve" } " printed, or paste the token at its end." }
            form.enter method="post" action="/enter" {
                input type="hidden" name="next" value=(next);
                label.field { span { "Token" } input type="password" name="token" required autocomplete="off"; }
                button.button.primary.big { "Enter" }
            }
        },
    );
    Html(page.into_string())
}

pub(super) async fn enter(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Form(given): Form<Pairs>,
) -> Result<Response, Fail> {
    let people = site.project.people();
    let token = given.get("token").map_or("", |token| token.trim());
    let whose = site.keys.whose(token, people.iter().map(String::as_str));
    let Some(name) = site.guesses.look(peer, token, whose).map_err(|_| Fail::many_wrong())? else {
        let why = "this is nobody's token; `callsheet serve --link NAME` prints the link of a person";
        return Err(Fail::forbidden(why));
    };
    let session = site.keys.session(name, Machine.now());
    let next = given.get("next").map_or("/", |next| local(next));
    Ok(with_cookie(&site, &format!("{session}; Max-Age=604800"), next))
}

pub(super) async fn leave(State(site): State<Arc<Site>>, filled: Filled) -> Response {
    drop(filled);
    with_cookie(&site, "; Max-Age=0", "/enter")
}

fn with_cookie(site: &Site, value: &str, next: &str) -> Response {
    let cookie = format!("{}={value}; HttpOnly; SameSite=Strict; Path=/", site.cookie);
    ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
}

/// `next`, if it is an address of ours. A browser drops tabs and breaks of lines, and reads what stands around them as one.
fn local(next: &str) -> &str {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_ours = is_plain && next.starts_with('/') && !next.starts_with("//");
    if is_ours { next } else { "/" }
}

/// Where whoever asks for `uri` enters.
pub(super) fn address(uri: &Uri) -> String {
    let next: String = asked(uri).bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/enter?next={next}")
}

fn asked(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |asked| asked.as_str())
}

/// A page with one link to itself: followed from here, the browser brings its session.
pub(super) fn continue_page(uri: &Uri) -> Html<String> {
    let page = bare(
        "Callsheet",
        html! {
            h1 { "You followed a link to Callsheet" }
            p { "Nothing was done by following it." }
            p { a.button.primary.big href=(local(asked(uri))) { "Go on" } }
        },
    );
    Html(page.into_string())
}

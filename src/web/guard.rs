//! What every request passes: the names under which the server is called, where a request comes from, who sent it; and what every
//! answer tells the browser. Nothing behind it has to think of these.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::enter::continue_page;
use super::fail::Fail;
use super::guesses::Peer;
use super::person::Person;
use super::site::Site;
use crate::clock::{Clock as _, Machine};
use crate::run::event::{Channel, Who};

/// How long an answer may take, and so how slowly a request may come.
const ANSWER_SECONDS_MAX: u64 = 30;

/// Lets a request through to whoever it is for, or answers it.
pub(super) async fn guard(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_program = is_program(&path);
    let refused = |fail: Fail| secured(if is_program { fail.json() } else { fail.into_response() });
    if let Err(fail) = comes_from_here(&site, &request) {
        return refused(fail);
    }
    let person = match person(&site, &request) {
        Ok(person) => person,
        Err(fail) => return refused(fail),
    };
    let is_open = path == "/enter" || path.starts_with("/assets/") || is_hook(&path);
    if person.is_none() && !is_open {
        let is_page = request.method() == Method::GET && !is_program && !path.ends_with("/events");
        if !is_page {
            return refused(Fail::new(
                StatusCode::UNAUTHORIZED,
                if is_program {
                    "say who you are: send the token at the end of your link as Authorization: Bearer TOKEN"
                } else {
                    "enter first: open the link that `callsheet serve` prints"
                },
            ));
        }
        // A browser that follows a link from elsewhere keeps its session to itself until it has been here.
        if site_of(request.headers()) == Some("cross-site") {
            return secured(continue_page(request.uri()).into_response());
        }
        return secured(Redirect::to(&super::enter::address(request.uri())).into_response());
    }
    if let Some(person) = person {
        request.extensions_mut().insert(person);
    }
    // Events go on for as long as somebody looks.
    if path.ends_with("/events") {
        return secured(next.run(request).await);
    }
    match tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), next.run(request)).await {
        Ok(answer) => secured(answer),
        Err(_) => refused(Fail::new(
            StatusCode::REQUEST_TIMEOUT,
            "the request took too long; nothing of it is certain, look again",
        )),
    }
}

/// Whether programs ask there, and are answered in JSON.
pub(super) fn is_program(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics" || is_hook(path)
}

/// Whether requests that fire triggers come there: their signature says who sent them, and they need be nobody's page.
fn is_hook(path: &str) -> bool {
    path.starts_with("/hooks/")
}

/// Whether the server is called by a name of its own, and by a page of its own if anything is to be done.
fn comes_from_here(site: &Site, request: &Request) -> Result<(), Fail> {
    let (method, headers) = (request.method(), request.headers());
    let is_own = |host: &str| site.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    let is_one = |name: &HeaderName| headers.get_all(name).iter().count() <= 1;
    // An address that names a host of its own is for a proxy, and this is none.
    let is_called = request.uri().authority().is_none() && text(headers, &header::HOST).is_some_and(is_own);
    if !is_called || !is_one(&header::HOST) {
        let why =
            "this server is not called so: open the link that `callsheet serve` prints, or start it with --host NAME";
        return Err(Fail::new(StatusCode::MISDIRECTED_REQUEST, why));
    }
    let elsewhere = || Fail::forbidden("this request comes from another site; nothing was done");
    let origin = text(headers, &header::ORIGIN);
    let host_of =
        |origin: &'_ str| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).map(str::to_owned);
    let is_ours = origin.map(|origin| host_of(origin).is_some_and(|host| is_own(&host)));
    let is_said = headers.contains_key(header::ORIGIN);
    if is_ours == Some(false) || (is_said && origin.is_none()) || !is_one(&header::ORIGIN) {
        return Err(elsewhere());
    }
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if is_read {
        return match site_of(headers) {
            // A link may lead here from anywhere; another site's page may load nothing of it.
            Some("cross-site" | "same-site")
                if text(headers, &HeaderName::from_static("sec-fetch-mode")) != Some("navigate") =>
            {
                Err(elsewhere())
            }
            _ => Ok(()),
        };
    }
    if !matches!(*method, Method::POST) {
        return Err(Fail::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are answered here"));
    }
    let is_same_origin = site_of(headers) == Some("same-origin") || is_ours == Some(true);
    let is_other_site = site_of(headers).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_shown = is_same_origin || bearer(headers).is_some() || is_hook(request.uri().path());
    if is_other_site || !is_shown { Err(elsewhere()) } else { Ok(()) }
}

fn site_of(headers: &HeaderMap) -> Option<&str> {
    text(headers, &HeaderName::from_static("sec-fetch-site"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, &header::AUTHORIZATION)?.strip_prefix("Bearer ")
}

/// Who sent it: a program with its person's token, or a browser with a session.
fn person(site: &Site, request: &Request) -> Result<Option<Person>, Fail> {
    let (people, headers) = (site.project.people(), request.headers());
    if let Some(token) = bearer(headers) {
        let name = site.keys.whose(token, people.iter().map(String::as_str));
        let peer = request.extensions().get::<Peer>().copied();
        let peer = peer.ok_or_else(|| Fail::broken("nobody knows where this request comes from"))?;
        let name = site.guesses.look(peer, token, name).map_err(|_| Fail::many_wrong())?;
        let known = |name| Person { who: who(name, "token", Channel::Api), form: String::new(), session: None };
        return Ok(name.map(known));
    }
    Ok(browser(site, headers, &people))
}

/// A browser with a session of somebody whom the file still declares.
fn browser(site: &Site, headers: &HeaderMap, people: &[String]) -> Option<Person> {
    let session = session(site, headers)?;
    let name = site.keys.person(session, Machine.now())?;
    let name = people.iter().find(|known| **known == name)?;
    Some(Person {
        who: who(name, "session", Channel::Page),
        form: site.keys.form(session),
        session: Some(session.to_owned()),
    })
}

fn who(name: &str, how: &str, via: Channel) -> Who {
    Who { name: name.to_owned(), how: how.to_owned(), groups: Vec::new(), undeclared: false, via: Some(via) }
}

fn session<'h>(site: &Site, headers: &'h HeaderMap) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == site.cookie).map(|(_, value)| value)
}

/// With what every answer tells a browser: load and run nothing but ours, keep nothing, let nobody frame it.
fn secured(mut answer: Response) -> Response {
    const HEADERS: [(&str, &str); 8] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("cache-control", "no-store"),
    ];
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        headers.entry(HeaderName::from_static(name)).or_insert(value);
    }
    answer
}

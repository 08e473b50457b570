//! One question to a web server: redirects are followed by hand and looked at as the first address was; every byte and every
//! word of the answer is bounded.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use crate::failure::{Class, Failure};
use crate::net;
use crate::tool::part::address::{Guard, Refused};
use crate::tool::part::args::{invalid, permanent, quoted};
use crate::tool::part::hidden::Hidden;

/// Most redirects of one question.
const REDIRECTS_MAX: usize = 5;
/// To a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer that is no result is told.
const SAID_BYTES_MAX: usize = 300;

/// What may be asked.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) allow_http: bool,
    /// Hosts, `*.example.com` for those below one, `*` for every public one.
    pub(super) hosts: Vec<String>,
    pub(super) body_bytes_max: usize,
}

/// Asks web servers within bounds.
pub(super) struct Fetcher {
    client: Client,
    pub(super) guard: Guard,
    bounds: Bounds,
}

/// An answer.
pub(super) struct Answer {
    /// What was asked in the end.
    pub(super) url: Url,
    pub(super) media_type: String,
    pub(super) body: Vec<u8>,
}

impl Bounds {
    /// Whether this URL may be asked, by its text alone.
    ///
    /// # Errors
    /// [`Class::Policy`], with what may.
    pub(super) fn allow(&self, url: &Url) -> Result<(), Failure> {
        let refuse = |why: String| Err(Failure::new(Class::Policy, why));
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return refuse("http is not asked: everybody in between reads it; ask https".to_owned()),
            other => return refuse(format!("{other} is not asked, only https")),
        }
        if host.is_empty() || !url.username().is_empty() || url.password().is_some() {
            return refuse("an address has a host, and no name or password before it".to_owned());
        }
        if !self.hosts.iter().any(|pattern| is_of(pattern, host)) {
            let hosts = self.hosts.join(", ");
            return refuse(format!("the host {} is none of those that may be asked: {hosts}", quoted(host)));
        }
        Ok(())
    }
}

/// Whether `host` is what `pattern` names.
fn is_of(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(below) => host.strip_suffix(below).is_some_and(|label| !label.is_empty()) && below.starts_with('.'),
        None => pattern == host,
    }
}

impl Fetcher {
    /// A client that connects to what `guard` lets through.
    pub(super) fn new(guard: Guard, bounds: Bounds) -> Result<Self, String> {
        let client =
            net::client(CONNECT_TIMEOUT)?.dns_resolver(guard.clone()).build().map_err(|why| why.to_string())?;
        Ok(Self { client, guard, bounds })
    }

    /// Largest answer that is read.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.bounds.body_bytes_max
    }

    /// Gets `url`. The headers, which may hold secrets, go to its own host over the same scheme and nowhere else.
    pub(super) async fn get(
        &self,
        url: Url,
        headers: &HeaderMap,
        accept: &'static str,
        hidden: &Hidden,
    ) -> Result<Answer, Failure> {
        let own = (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        let mut at = url;
        for _ in 0..=REDIRECTS_MAX {
            self.bounds.allow(&at)?;
            self.guard.literal(&at).map_err(refused)?;
            let same = own == (at.scheme().to_owned(), at.host_str().map(str::to_owned), at.port_or_known_default());
            let asked = self.client.get(at.clone()).header(ACCEPT, accept);
            let asked = if same { asked.headers(headers.clone()) } else { asked };
            let response = asked.send().await.map_err(|why| unreached(&at, &why))?;
            let status = response.status();
            if status.is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
                let next = location.and_then(|location| at.join(location).ok());
                at = next.ok_or_else(|| {
                    permanent(format!("{} redirects to no address (HTTP {})", shown(&at), status.as_u16()))
                })?;
                continue;
            }
            return self.answer(at, response, hidden).await;
        }
        Err(permanent(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    /// Connects to the host of `url`, and asks nothing.
    pub(super) async fn reached(&self, url: &Url) -> Result<String, Failure> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        match self.guard.connects(url, CONNECT_TIMEOUT).await.map_err(refused)? {
            true => Ok(host.to_owned()),
            false => Err(Failure::new(Class::Transient, format!("{host} takes no connection at port {port}"))),
        }
    }

    async fn answer(&self, url: Url, mut response: reqwest::Response, hidden: &Hidden) -> Result<Answer, Failure> {
        let status = response.status();
        let text = |name| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (encoding, retry_after) = (text(CONTENT_ENCODING), text(RETRY_AFTER));
        let media_type = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !["", "identity"].contains(&encoding.as_str()) {
            return Err(permanent(format!("{} answers compressed, though it was asked not to", shown(&url))));
        }
        let most = if status.is_success() { self.bounds.body_bytes_max } else { SAID_BYTES_MAX };
        // What a server says of its answer's length is its word: room is made for what is read anyway, and for no more.
        let said = response.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let mut body = Vec::with_capacity(said.min(most));
        while let Some(piece) = response.chunk().await.map_err(|why| unreached(&url, &why))? {
            body.extend_from_slice(&piece);
            if body.len() > most {
                break;
            }
        }
        if !status.is_success() {
            body.truncate(most);
            return Err(told(&url, status, &retry_after, &hidden.of(&String::from_utf8_lossy(&body))));
        }
        if body.len() > most {
            return Err(invalid(format!("{} answers more than {most} bytes (body_bytes_max)", shown(&url))));
        }
        Ok(Answer { url, media_type, body })
    }
}

/// An address without what a call has put into it.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), quoted(url.path()).trim_matches('"'))
}

fn refused(why: Refused) -> Failure {
    let class = if matches!(why, Refused::Private(_)) { Class::Policy } else { Class::Transient };
    Failure::new(class, why.to_string())
}

/// A question that came to no answer: refused by our own guard, or lost on the way.
fn unreached(url: &Url, why: &reqwest::Error) -> Failure {
    if let Some(why) = Refused::within(why) {
        return refused(why.clone());
    }
    let first: &(dyn std::error::Error + 'static) = why;
    let last = std::iter::successors(Some(first), |error| error.source()).last().unwrap_or(first);
    Failure::new(Class::Transient, format!("{} cannot be reached: {last}", shown(url)))
}

/// A status that is no success.
fn told(url: &Url, status: StatusCode, retry_after: &str, said: &str) -> Failure {
    let (url, code) = (shown(url), status.as_u16());
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    match code {
        429 | 503 => {
            let seconds = retry_after.trim().parse::<u64>().ok();
            let failure = Failure::new(Class::Throttled, format!("{url} asks to wait (HTTP {code}){said}"));
            Failure { retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)), ..failure }
        }
        401 | 403 | 407 => permanent(format!("{url} refuses whoever asks (HTTP {code}){said}")),
        408 | 425 | 500.. => Failure::new(Class::Transient, format!("{url} fails (HTTP {code}){said}")),
        _ => invalid(format!("{url} has no answer to that (HTTP {code}){said}")),
    }
}

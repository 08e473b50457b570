//! One notice to one address, once: as JSON that is signed, as a chat takes it, or as a mail. Over HTTP no redirect is
//! followed, nothing of the answer but its status is read, and an address that is not public is asked only where the
//! project names its host.

use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::json;

use super::mail::Mail;
use super::notice::Told;
use crate::net;
use crate::tool::part::address::{Guard, system};
use crate::tool::part::hook::{for_channel, signature};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where notices go.
#[derive(Debug)]
pub(super) enum Sender {
    Hook(Hook),
    Mail(Mail),
}

impl Sender {
    /// Whether many notices at once are told as one: people read them.
    pub(super) fn is_read_by_people(&self) -> bool {
        match self {
            Self::Hook(hook) => matches!(hook.form, Form::Slack),
            Self::Mail(_) => true,
        }
    }

    /// Sends it once; why it was not taken, for people.
    pub(super) async fn send(&self, told: &Told) -> Result<(), String> {
        match self {
            Self::Hook(hook) => hook.send(told).await,
            Self::Mail(mail) => mail.send(told).await,
        }
    }
}

/// An address that takes notices over HTTP.
pub(super) struct Hook {
    client: Client,
    guard: Guard,
    url: Url,
    form: Form,
}

/// How a notice is written there.
pub(super) enum Form {
    /// JSON, with a signature over its bytes if there is a key.
    Webhook(Option<String>),
    /// A text.
    Slack,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a chat's address is its key.
        f.debug_tuple("Hook").field(&self.place()).finish()
    }
}

impl Hook {
    /// One to `url`: https, or http to a host that is `private`.
    ///
    /// # Errors
    /// What is wrong with the address, without the address.
    pub(super) fn new(url: &str, form: Form, private: &[String]) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|_| "it is no address; one is https://hooks.example.com/in".to_owned())?;
        let is_own = url.host_str().is_some_and(|host| private.iter().any(|own| own == host));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_own) {
            return Err("only https is spoken, and http to hosts that notify.private_hosts names".to_owned());
        }
        let guard = Guard::new(system(), private.iter().cloned());
        let client = net::client(CONNECT_TIMEOUT)?.timeout(TIMEOUT).dns_resolver(guard.clone()).build();
        Ok(Self { client: client.map_err(|error| error.to_string())?, guard, url, form })
    }

    /// Where it is, without what stands around its host.
    pub(super) fn place(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    async fn send(&self, told: &Told) -> Result<(), String> {
        self.guard.literal(&self.url).map_err(|refused| refused.to_string())?;
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let body = match &self.form {
            Form::Webhook(key) => {
                let body = told.whole.to_string();
                if let Some(key) = key {
                    request = request.header("x-callsheet-signature", signature(key, &[body.as_bytes()]));
                }
                body
            }
            Form::Slack => json!({ "text": format!("{}: {}", for_channel(&told.text), told.link) }).to_string(),
        };
        let answer = request.body(body).send().await.map_err(|error| self.unheard(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = if status.is_redirection() { "leads elsewhere, and is not followed" } else { "does not take it" };
        Err(format!("{} {why} ({})", self.place(), status.as_u16()))
    }

    /// The library's own words name the whole address, which is a secret.
    fn unheard(&self, error: &reqwest::Error) -> String {
        let innermost = std::iter::successors(std::error::Error::source(error), |error| error.source()).last();
        let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        match innermost {
            Some(why) => format!("{} {what}: {why}", self.place()),
            None => format!("{} {what}", self.place()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_may_be_asked_are_taken() {
        let own = ["127.0.0.1".to_owned(), "hooks.internal".to_owned()];
        let is_taken = |url: &str| Hook::new(url, Form::Slack, &own).is_ok();
        for url in
            ["https://hooks.example.com/in", "https://10.0.0.1/in", "http://127.0.0.1:9/in", "http://hooks.internal/in"]
        {
            assert!(is_taken(url), "{url}");
        }
        for url in ["http://hooks.example.com/in", "ftp://127.0.0.1/in", "http://127.0.0.1.example.com/in", "hooks", ""]
        {
            assert!(!is_taken(url), "{url}");
        }
    }
}

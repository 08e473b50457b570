//! The `http` kind: reading endpoints of web servers, and, where the file allows hosts, any address there. It gets and never
//! sends; what it may reach is looked at at every step (`../part/address.rs`).

mod endpoint;
mod fetch;
mod page;
mod paging;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::endpoint::Endpoint;
pub use self::endpoint::Given;
use self::fetch::{Bounds, Fetcher};
use self::page::Page;
pub use self::paging::Paging;
use self::template::Template;
use super::Tool;
use super::open::{Ground, Open};
use super::part::address::{self, Finder, Guard};
use super::part::duration::Milliseconds;
use super::part::{Error, tool_name};
use crate::topology::spec::{Labels, Reach, ToolSpec};

/// What `[tools.NAME]` says for `kind = "http"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What can be asked, each by its name here.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Given>,
    /// Hosts of which any address may be asked with `NAME.get`: `example.com`, `*.example.com` for those below it, `*` for
    /// every public one.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Hosts, as names or addresses, that may lie in your own network.
    #[serde(default)]
    pub private_hosts: Vec<String>,
    /// Whether what is asked, and a token, may travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// The variable of the token that endpoints are asked with.
    pub token_env: Option<String>,
    /// Headers that endpoints are asked with, each with the variable of its value.
    #[serde(default)]
    pub headers_env: BTreeMap<String, String>,
    /// What the results are; `untrusted` unless it says otherwise.
    #[serde(default = "untrusted")]
    pub labels: Labels,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
    /// Largest answer that is read.
    #[serde(default = "body_bytes_max")]
    pub body_bytes_max: u32,
}

fn untrusted() -> Labels {
    Labels { untrusted: true, private: false }
}

fn call_timeout() -> Milliseconds {
    Milliseconds(30_000)
}

fn body_bytes_max() -> u32 {
    1 << 20
}

impl Open for Config {
    const KIND: &'static str = "http";

    /// Nobody is asked.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        self.open_finding(name, ground, address::system())
    }
}

impl Config {
    /// As [`Open::open`], where `finder` finds the addresses of names.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub fn open_finding(self, name: &str, ground: &Ground<'_>, finder: Finder) -> Result<Vec<Tool>, Error> {
        if self.endpoints.is_empty() && self.hosts.is_empty() {
            let what =
                "nothing can be asked: write [tools.NAME.endpoints.VERB] with a url, or hosts = [\"example.com\"]";
            return Err(Error::new(name, what));
        }
        if let Some(host) = self.hosts.iter().find(|host| !is_host(host)) {
            let what = format!("{host:?} is no host: write example.com, *.example.com, or * for every public one");
            return Err(Error::new(name, what).of("hosts"));
        }
        let guard = Guard::new(finder, self.private_hosts.iter().cloned());
        let mut tools = Vec::new();
        for (verb, given) in &self.endpoints {
            tools.push(self.endpoint(name, verb, given, ground, &guard)?);
        }
        if !self.hosts.is_empty() {
            let fetcher = self.fetcher(name, self.hosts.clone(), &guard)?;
            let spec = page::spec(tool_name(name, "get")?, &self.hosts);
            tools.push(Tool::callable(Page { spec: self.bounded(spec), fetcher }));
        }
        Ok(tools)
    }

    fn endpoint(
        &self,
        name: &str,
        verb: &str,
        given: &Given,
        ground: &Ground<'_>,
        guard: &Guard,
    ) -> Result<Tool, Error> {
        let wrong = |what: String| Error::new(name, format!("endpoints.{verb}: {what}")).of("endpoints");
        let template = Template::read(&given.url).map_err(wrong)?;
        if verb == "get" && !self.hosts.is_empty() {
            return Err(wrong("NAME.get gets what hosts allow; call the endpoint otherwise".to_owned()));
        }
        if let Some(other) = given.args.keys().find(|arg| !template.names.contains(arg)) {
            return Err(wrong(format!("there is no {{{other}}} in the url")));
        }
        if let Some(pointer) = given.result.as_ref().filter(|pointer| !pointer.starts_with('/')) {
            return Err(wrong(format!("result = {pointer:?} is no JSON pointer: write \"/{pointer}\"")));
        }
        if let Some(fault) = given.paging.as_ref().and_then(Paging::fault) {
            return Err(wrong(fault));
        }
        let url = template.sample().map_err(|why| wrong(format!("url is no address: {why}")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let bounds = self.bounds(vec![host]);
        bounds.allow(&url).map_err(|why| wrong(why.reason))?;
        guard.literal(&url).map_err(|why| wrong(why.to_string()))?;
        let spec = endpoint::spec(tool_name(name, verb)?, given, &template);
        let keys = endpoint::Keys {
            token_env: self.token_env.clone(),
            headers_env: self.headers_env.clone(),
            secrets: ground.secrets.clone(),
        };
        let fetcher = Fetcher::new(guard.clone(), bounds).map_err(wrong)?;
        let (spec, result, paging) = (self.bounded(spec), given.result.clone(), given.paging.clone());
        Ok(Tool::callable(Endpoint { spec, template, result, paging, keys, fetcher }))
    }

    fn fetcher(&self, name: &str, hosts: Vec<String>, guard: &Guard) -> Result<Arc<Fetcher>, Error> {
        Fetcher::new(guard.clone(), self.bounds(hosts)).map(Arc::new).map_err(|why| Error::new(name, why))
    }

    fn bounds(&self, hosts: Vec<String>) -> Bounds {
        let body_bytes_max = usize::try_from(self.body_bytes_max).unwrap_or(usize::MAX);
        Bounds { allow_http: self.allow_http, hosts, body_bytes_max }
    }

    /// The declaration with what the table says of all of its tools.
    fn bounded(&self, spec: ToolSpec) -> ToolSpec {
        ToolSpec { labels: self.labels, call_timeout_ms: self.call_timeout.0, reach: Reach::ReadsOut, ..spec }
    }
}

/// A host, or those below one, or all.
fn is_host(pattern: &str) -> bool {
    let name = pattern.strip_prefix("*.").unwrap_or(pattern);
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']');
    pattern == "*" || (!name.is_empty() && name.chars().all(fits))
}

//! What `[tools.NAME]` says of a server, and where that is.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::place::{Place, Way};
use crate::net;
use crate::tool::open::Ground;
use crate::tool::part::Error;
use crate::tool::part::duration::Milliseconds;
use crate::topology::spec::{Labels, Reach, Repeat};

/// What stands after `kind =`.
pub(super) const KIND: &str = "mcp";

/// What `[tools.NAME]` says for `kind = "mcp"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program that is started, and its arguments; it starts in the project's folder.
    pub command: Option<Vec<String>>,
    /// Names of the variables that it gets; it gets no other.
    #[serde(default)]
    pub env: Vec<String>,
    /// Where it is asked over HTTP, instead of a command.
    pub url: Option<String>,
    /// The variable of the token that it is asked with.
    pub token_env: Option<String>,
    /// Headers that it is asked with, each with the variable of its value.
    #[serde(default)]
    pub headers_env: BTreeMap<String, String>,
    /// Whether what it is asked, and the token, may travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// What its results are, unless a tool says otherwise; `untrusted` unless it says so itself.
    #[serde(default = "untrusted")]
    pub labels: Labels,
    /// How long it may take to start and list its tools.
    #[serde(default = "start_timeout")]
    pub start_timeout: Milliseconds,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
    /// Largest result.
    #[serde(default = "result_bytes_max")]
    pub result_bytes_max: u32,
    /// The tools that agents may have, each by the name that it has here.
    #[serde(default)]
    pub tools: BTreeMap<String, Given>,
    /// What agents may read there, with `NAME.resources` and `NAME.resource`.
    pub resources: Option<Resources>,
}

/// What `[tools.NAME.resources]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// The addresses that agents may read: each whole, or the beginning of some with a `*` behind it.
    pub uris: Vec<String>,
    /// How far reading one reaches: `inside`, if the server stays on this machine and asks nobody; else `reads_out`.
    pub reach: Reach,
    /// What the resources are.
    pub labels: Option<Labels>,
    /// Largest resource that is read.
    #[serde(default = "resource_bytes_max")]
    pub bytes_max: u32,
}

/// What `[tools.NAME.tools.TOOL]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What the server calls it, if that is no name here.
    pub name: Option<String>,
    /// How far it reaches. What acts on the world is asked only for what a person approved.
    pub reach: Reach,
    /// Whether somebody has looked and it changes nothing, although its server says that it does.
    #[serde(default)]
    pub only_reads: bool,
    /// What a second execution does, of one that acts: `once` unless it says otherwise.
    pub repeat: Option<Repeat>,
    /// What its results are.
    pub labels: Option<Labels>,
}

impl Given {
    /// What the server calls the tool that is `verb` here.
    pub fn name_at_server<'n>(&'n self, verb: &'n str) -> &'n str {
        self.name.as_deref().unwrap_or(verb)
    }
}

fn untrusted() -> Labels {
    Labels { untrusted: true, private: false }
}

fn start_timeout() -> Milliseconds {
    Milliseconds(20_000)
}

fn call_timeout() -> Milliseconds {
    Milliseconds(30_000)
}

fn result_bytes_max() -> u32 {
    256 << 10
}

fn resource_bytes_max() -> u32 {
    4 << 20
}

impl Config {
    /// Where its server is.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub(super) fn place(&self, name: &str, ground: &Ground<'_>) -> Result<Place, Error> {
        let wrong = |key, what: &str| Err(Error::new(name, what).of(key));
        let way = match (&self.command, &self.url) {
            (Some(command), None) if command.iter().all(String::is_empty) => {
                return wrong("command", "command names no program: write command = [\"PROGRAM\", \"ARGUMENT\"]");
            }
            (Some(command), None) => Way::Command { command: command.clone(), env: self.env.clone() },
            (None, Some(url)) => {
                if let Some(what) = unusable(url, self.allow_http) {
                    return wrong("url", &what);
                }
                let (token_env, headers_env) = (self.token_env.clone(), self.headers_env.clone());
                Way::Url { url: url.clone(), token_env, headers_env }
            }
            (Some(_), Some(_)) => {
                return wrong("url", "a server is started by command or asked at url: write one of them");
            }
            (None, None) => {
                let what = "it has no server: write command = [\"PROGRAM\", \"ARGUMENT\"], or url = \"https://...\"";
                return Err(Error::new(name, what));
            }
        };
        Ok(Place {
            name: name.to_owned(),
            way,
            root: ground.root.to_owned(),
            secrets: ground.secrets.clone(),
            start_timeout: Duration::from_millis(self.start_timeout.0),
            result_bytes_max: usize::try_from(self.result_bytes_max).unwrap_or(usize::MAX),
            resource_bytes_max: self.resources.as_ref().map_or(0, |given| given.bytes_max as usize),
        })
    }
}

/// Why no server can be asked at `url`.
fn unusable(url: &str, allow_http: bool) -> Option<String> {
    let url = match reqwest::Url::parse(url) {
        Ok(url) => url,
        Err(why) => return Some(format!("url is no address: {why}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("url holds a name or a password: name the variable of a token with token_env".to_owned());
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => None,
        ("http", Some(host)) if allow_http || net::is_local(host) => None,
        ("http", Some(_)) => Some(
            "url is http, and everybody in between reads what is asked: write https, or allow_http = true".to_owned(),
        ),
        _ => Some("url is neither https nor http".to_owned()),
    }
}

//! Where a server is, and what it is given: by name in the file, by value only in the moment in which it is opened.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};

use crate::tool::open::Secrets;
use crate::tool::part::hidden::Hidden;

/// A server, as the file says.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The connection's name.
    pub(super) name: String,
    pub(super) way: Way,
    /// The project's folder, in which a child starts.
    pub(super) root: PathBuf,
    pub(super) secrets: Secrets,
    pub(super) start_timeout: Duration,
    pub(super) result_bytes_max: usize,
    /// Most bytes of one resource; zero where agents have none.
    pub(super) resource_bytes_max: usize,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// It is started.
    Command {
        command: Vec<String>,
        /// Names of the variables that it gets.
        env: Vec<String>,
    },
    /// It is asked over HTTP.
    Url {
        url: String,
        /// The variable of its token.
        token_env: Option<String>,
        /// Headers, each with the variable of its value.
        headers_env: BTreeMap<String, String>,
    },
}

impl Place {
    /// The most that is taken at once, and the setting that says so.
    pub(super) fn longest(&self) -> (usize, &'static str) {
        if self.resource_bytes_max > self.result_bytes_max {
            (self.resource_bytes_max, "resources.bytes_max")
        } else {
            (self.result_bytes_max, "result_bytes_max")
        }
    }

    /// What tells this server from another: what is accepted was accepted of it.
    pub(super) fn from(&self) -> String {
        match &self.way {
            Way::Command { command, .. } => command.join(" "),
            Way::Url { url, .. } => url.clone(),
        }
    }

    /// The key of the table that says so.
    pub(super) fn key(&self) -> &'static str {
        match &self.way {
            Way::Command { .. } => "command",
            Way::Url { .. } => "url",
        }
    }

    /// The variables of a child, by name. One that is not set is left out: what a server needs it says itself.
    pub(super) fn variables(&self, names: &[String]) -> BTreeMap<String, String> {
        names.iter().filter_map(|name| Some((name.clone(), self.secrets.get(name)?))).collect()
    }

    /// The value of a variable that a request cannot do without.
    pub(super) fn secret(&self, variable: &str) -> Result<String, String> {
        self.secrets.needed(variable).map_err(|why| why.reason)
    }

    /// The variables without which no request can be made and that are not set.
    pub(super) fn unset(&self) -> Vec<String> {
        match &self.way {
            Way::Command { .. } => Vec::new(),
            Way::Url { token_env, headers_env, .. } => self.secrets.unset(token_env.iter().chain(headers_env.values())),
        }
    }

    /// The headers of requests.
    pub(super) fn headers(
        &self,
        by_name: &BTreeMap<String, String>,
    ) -> Result<HashMap<HeaderName, HeaderValue>, String> {
        let mut headers = HashMap::new();
        for (name, variable) in by_name {
            let header: HeaderName = name.parse().map_err(|_| format!("{name:?} is no name of a header"))?;
            let value = HeaderValue::from_str(&self.secret(variable)?);
            headers.insert(header, value.map_err(|_| format!("{variable} holds what no header can carry"))?);
        }
        Ok(headers)
    }

    /// All that it was given and nobody is shown.
    pub(super) fn hidden(&self) -> Hidden {
        let names: Vec<&String> = match &self.way {
            Way::Command { env, .. } => env.iter().collect(),
            Way::Url { token_env, headers_env, .. } => token_env.iter().chain(headers_env.values()).collect(),
        };
        Hidden::new(names.into_iter().filter_map(|name| self.secrets.get(name)))
    }
}

//! The shape of `[notify]`, and of a mail server, which tools that send mails name too.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Who is told, outside of this program, of what waits for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Where the page is, as links to it begin, such as `https://callsheet.example.com`.
    pub link: Option<String>,
    /// Hosts that may be in a network of your own, and may be spoken to by http.
    #[serde(default)]
    pub private_hosts: Vec<String>,
    /// Who is told, by name.
    #[serde(default)]
    pub channels: BTreeMap<String, Channel>,
}

/// A way to tell people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Channel {
    /// A program of yours, which takes JSON.
    Webhook {
        /// The environment variable that holds its address.
        url_env: String,
        /// The environment variable that holds the key with which its notices are signed.
        key_env: Option<String>,
        /// Only what waits for these people and groups, as "ana" or "group:legal", and what waits for anyone.
        #[serde(default, rename = "for")]
        whom: Vec<String>,
    },
    /// A chat that takes what Slack takes.
    Slack {
        /// The environment variable that holds its address.
        url_env: String,
        /// Only what waits for these people and groups, as "ana" or "group:legal", and what waits for anyone.
        #[serde(default, rename = "for")]
        whom: Vec<String>,
    },
    /// Mails: to one address, or to whoever is asked.
    Email {
        /// The sender, such as `Callsheet <callsheet@example.com>`.
        from: String,
        /// The one address that gets all of it, such as "legal@example.com". Without it, whoever is asked gets a mail
        /// of their own, at the `email` that they have in `[people]`.
        to: Option<String>,
        /// The mail server that sends them.
        smtp: MailServer,
        /// Only what waits for these people and groups, as "ana" or "group:legal", and what waits for anyone.
        #[serde(default, rename = "for")]
        whom: Vec<String>,
    },
}

impl Channel {
    /// Of whom it hears: names, and groups as `group:NAME`; of all if there are none.
    pub fn whom(&self) -> &[String] {
        match self {
            Self::Webhook { whom, .. } | Self::Slack { whom, .. } | Self::Email { whom, .. } => whom,
        }
    }
}

/// A mail server, and who signs in there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// The mail server.
    pub host: String,
    /// Its port; 587 with `required`, 465 with `implicit`, 25 with `none`, unless it says otherwise.
    pub port: Option<u16>,
    /// How the connection is kept private.
    #[serde(default)]
    pub tls: Tls,
    /// The variable of the name to sign in with.
    pub user_env: Option<String>,
    /// The variable of the password.
    pub password_env: Option<String>,
    /// Whether the server may lie in your own network.
    #[serde(default)]
    pub private_host: bool,
}

/// How a connection is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It begins in the clear and goes on under TLS before anything is said; a server without TLS is told nothing.
    #[default]
    Required,
    /// It is under TLS from its first byte.
    Implicit,
    /// Not at all: only for a server on this machine, such as one that shows mails while you write them.
    None,
}

//! Where a provider is, with which key, and who can read what goes there.

use std::collections::BTreeSet;
use std::fmt;

use reqwest::Url;

use super::extra::Extra;
use crate::net;
use crate::topology::manner::{Calls, Manner};
use crate::topology::plan::Dialect;

/// Where a provider is.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Such as `https://api.openai.com/v1`, `https://api.anthropic.com/v1`,
    /// `https://generativelanguage.googleapis.com/v1beta`.
    pub base_url: String,
    /// None for a server that asks for none.
    pub key: Option<Key>,
    /// What it is not sent, since its table says so.
    pub omits: BTreeSet<Extra>,
    /// What is particular to requests to it.
    pub manner: Manner,
}

impl Endpoint {
    /// A server that asks for no key, and is asked as any other.
    pub fn new(dialect: Dialect, base_url: impl Into<String>) -> Self {
        let (omits, manner) = (BTreeSet::new(), Manner::default());
        Self { dialect, base_url: base_url.into(), key: None, omits, manner }
    }

    /// How its models say what they do; Anthropic's dialect has no form of an answer.
    pub fn calls(&self) -> Calls {
        if self.dialect == Dialect::Anthropic { Calls::Tools } else { self.manner.calls }
    }
}

/// A provider's key. It is never shown: no reason, no `Debug`, no record holds it.
#[derive(Clone)]
pub struct Key(pub(super) String);

impl Key {
    /// The key, without the white space around it that files and shells add.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Who can read what goes to a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nobody: it is this machine.
    Local,
    /// The server.
    Tls,
    /// Whoever is in between.
    Clear,
}

/// Who can read what goes to `base_url`, by the parser that the request goes by.
///
/// # Errors
/// A sentence: it is no such URL, or it holds a name or a password.
pub fn way(base_url: &str) -> Result<Way, String> {
    let base = base(base_url)?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err("it holds a name or a password; a key is named with key_env or key_file".to_owned());
    }
    let local = net::is_local(base.host_str().unwrap_or_default());
    Ok(match base.scheme() {
        _ if local => Way::Local,
        "https" => Way::Tls,
        _ => Way::Clear,
    })
}

/// The base URL, if a request can go there.
pub(super) fn base(base_url: &str) -> Result<Url, String> {
    let base = Url::parse(base_url).map_err(|error| error.to_string())?;
    let usable = matches!(base.scheme(), "http" | "https") && base.host_str().is_some();
    if usable { Ok(base) } else { Err("it is neither http nor https".to_owned()) }
}

/// `base` with `segments` after its path; what is odd in them is escaped.
pub(super) fn below(mut base: Url, segments: &[&str]) -> Url {
    if let Ok(mut path) = base.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    base
}

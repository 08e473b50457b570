//! The URL of an endpoint with the places that a call fills: a host that stands there as it is, and arguments in segments of
//! the path and in values of the query only.

use std::collections::BTreeSet;

use reqwest::Url;
use serde_json::{Map, Value};

/// A URL with places.
#[derive(Debug, Clone)]
pub(super) struct Template {
    text: String,
    /// The arguments, as they first stand there.
    pub(super) names: Vec<String>,
}

/// Longest value of one argument.
const VALUE_BYTES_MAX: usize = 2_000;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A clause, for people.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let path = text
            .split_once("://")
            .and_then(|(_, rest)| rest.find(['/', '?', '#']).map(|at| text.len() - rest.len() + at));
        let (before, after) = text.split_at(path.unwrap_or(text.len()));
        if before.contains(['{', '}']) {
            return Err("the host stands in the url as it is: arguments are for its path and its query".to_owned());
        }
        let mut names = Vec::new();
        let (way, query) = after.split_once('?').map_or((after, ""), |(way, query)| (way, query));
        if after.contains('#') {
            return Err("a url that is asked has no '#'".to_owned());
        }
        let segments = way.split('/').map(|segment| (segment, "a whole segment of the path, as in /prices/{sku}"));
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let values = values.map(|value| (value, "a whole value of the query, as in ?page={page}"));
        for (part, is) in segments.chain(values) {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                if part.contains(['{', '}']) {
                    return Err(format!("{part:?}: an argument is {is}"));
                }
                continue;
            };
            let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !fits {
                return Err(format!("{name:?}: an argument is named with lower-case letters, digits and '_'"));
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        if query.split('&').any(|pair| pair.split_once('=').map_or(pair, |(key, _)| key).contains(['{', '}'])) {
            return Err("the names in a query stand there as they are: arguments are their values".to_owned());
        }
        Ok(Self { text: text.to_owned(), names })
    }

    /// The URL with an argument in each place, to look at what does not change.
    ///
    /// # Errors
    /// Why it is no URL.
    pub(super) fn sample(&self) -> Result<Url, String> {
        self.filled(&self.names.iter().map(|name| (name.clone(), Value::from("x"))).collect())
    }

    /// The URL with these arguments; a value is one segment or one value, whatever is in it.
    ///
    /// # Errors
    /// A clause, for whoever gave the arguments.
    pub(super) fn filled(&self, args: &Map<String, Value>) -> Result<Url, String> {
        let known: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        if let Some(other) = args.keys().find(|name| !known.contains(name.as_str())) {
            return Err(format!("there is no argument {other:?}"));
        }
        let mut text = self.text.clone();
        for name in &self.names {
            let value = match args.get(name) {
                Some(Value::String(value)) => value.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => return Err(format!("{name} is missing, or no text and no number")),
            };
            // Of a path these mean another place.
            if value.is_empty() || value == "." || value == ".." || value.len() > VALUE_BYTES_MAX {
                return Err(format!("{name} is empty, too long, or no name"));
            }
            text = text.replace(&format!("{{{name}}}"), &escaped(&value));
        }
        Url::parse(&text).map_err(|why| why.to_string())
    }
}

/// A value in which nothing ends a segment or a value.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

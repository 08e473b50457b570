//! An answer in pages: where an answer says what comes after it, and how that is asked.

use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::tool::part::args::permanent;

/// What `paging` of an endpoint says: `next`, or `cursor` and `as`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// Where in an answer the address of the next page is, as a JSON pointer.
    pub next: Option<String>,
    /// Where in an answer the value is with which the next page is asked, as a JSON pointer.
    pub cursor: Option<String>,
    /// The name of that value in the query.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Pages of one call.
    #[serde(default = "pages_max")]
    pub pages_max: u32,
}

fn pages_max() -> u32 {
    10
}

impl Paging {
    /// What contradicts itself in it.
    pub(super) fn fault(&self) -> Option<String> {
        let pointer = match (&self.next, &self.cursor, &self.name) {
            (Some(next), None, None) => next,
            (None, Some(cursor), Some(_)) => cursor,
            _ => {
                return Some(
                    "paging is { next = \"/links/next\" } or { cursor = \"/next\", as = \"cursor\" }".to_owned(),
                );
            }
        };
        if !pointer.starts_with('/') {
            return Some(format!("{pointer:?} in paging is no JSON pointer: write \"/{pointer}\""));
        }
        (self.pages_max == 0).then(|| "pages_max is 1 or more".to_owned())
    }

    /// The address of the page after `answer`, which was found at `at`; none if it was the last. It stays where the first
    /// page was: whatever an answer says, nobody else is asked, and nobody else gets a token.
    pub(super) fn after(&self, answer: &Value, at: &Url) -> Result<Option<Url>, Failure> {
        let said = self.next.as_ref().or(self.cursor.as_ref()).and_then(|pointer| answer.pointer(pointer));
        let value = match said {
            Some(Value::String(value)) if !value.is_empty() => value.clone(),
            Some(Value::Number(value)) => value.to_string(),
            _ => return Ok(None),
        };
        let next = match &self.name {
            Some(name) => {
                let mut next = at.clone();
                let others: Vec<(String, String)> = at
                    .query_pairs()
                    .filter(|(key, _)| key != name)
                    .map(|(key, value)| (key.into(), value.into()))
                    .collect();
                next.query_pairs_mut().clear().extend_pairs(others).append_pair(name, &value);
                next
            }
            None => at.join(&value).map_err(|why| permanent(format!("the address of the next page is none: {why}")))?,
        };
        if next.origin() != at.origin() {
            return Err(permanent("the next page is said to be at another server, which is not asked"));
        }
        Ok((next != *at).then_some(next))
    }
}

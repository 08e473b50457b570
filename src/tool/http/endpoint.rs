//! A named endpoint: its URL with the arguments of a call, its answer as JSON or text, and of JSON the part that is meant,
//! page by page where it says so.

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fetch::Fetcher;
use super::paging::Paging;
use super::template::Template;
use crate::failure::{Failure, Work};
use crate::id::ToolName;
use crate::tool::open::Secrets;
use crate::tool::part::args::{invalid, permanent, read};
use crate::tool::part::hidden::Hidden;
use crate::tool::{Call, Callable, Declared, Opened};
use crate::topology::spec::ToolSpec;

/// What `[tools.NAME.endpoints.VERB]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What is asked, with a host that stands there as it is and arguments such as `{sku}`.
    pub url: String,
    /// What it gives, for a model and for people.
    pub does: String,
    /// What the arguments are, a sentence each.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Where in the answer the result is, as a JSON pointer; the whole of it, if nothing is said.
    pub result: Option<String>,
    /// How an answer that is a list goes on: its pages are read one after the other, and given as one list.
    pub paging: Option<Paging>,
}

pub(super) struct Endpoint {
    pub(super) spec: ToolSpec,
    pub(super) template: Template,
    /// A JSON pointer to the result.
    pub(super) result: Option<String>,
    pub(super) paging: Option<Paging>,
    pub(super) keys: Keys,
    pub(super) fetcher: Fetcher,
}

/// What it is asked with, by name.
pub(super) struct Keys {
    pub(super) token_env: Option<String>,
    pub(super) headers_env: BTreeMap<String, String>,
    pub(super) secrets: Secrets,
}

/// What it takes, and what it gives.
pub(super) fn spec(name: ToolName, given: &Given, template: &Template) -> ToolSpec {
    let argument = |name: &String| {
        let described = given.args.get(name).map(|text| json!({ "type": ["string", "number"], "description": text }));
        (name.clone(), described.unwrap_or_else(|| json!({ "type": ["string", "number"] })))
    };
    let properties: Map<String, Value> = template.names.iter().map(argument).collect();
    let takes = json!({
        "type": "object", "properties": properties, "required": template.names, "additionalProperties": false,
    });
    let of_one = json!({
        "data": { "description": "of an answer that is JSON" },
        "text": { "type": "string", "description": "of any other answer" },
    });
    let of_many = json!({
        "data": { "type": "array", "description": "what stands on its pages, one after the other" },
        "more": { "type": "boolean", "description": "whether there are pages that were not read" },
    });
    let properties_given = if given.paging.is_some() { of_many } else { of_one };
    let result = json!({ "type": "object", "properties": properties_given, "additionalProperties": false });
    let names: Vec<&str> = template.names.iter().map(String::as_str).collect();
    ToolSpec::callable(name, &given.does, takes).accepting_all(&names).giving(result)
}

impl Keys {
    /// The headers, and what must not be seen of them.
    fn headers(&self) -> Result<(HeaderMap, Hidden), Failure> {
        let (mut headers, mut values) = (HeaderMap::new(), Vec::new());
        let token = self.token_env.iter().map(|variable| (AUTHORIZATION.as_str(), variable, "Bearer "));
        let others = self.headers_env.iter().map(|(name, variable)| (name.as_str(), variable, ""));
        for (name, variable, before) in token.chain(others) {
            let value = self.secrets.needed(variable)?;
            let header: HeaderName = name.parse().map_err(|_| permanent(format!("{name:?} is no name of a header")))?;
            let carried = HeaderValue::from_str(&format!("{before}{value}"));
            let mut carried = carried.map_err(|_| permanent(format!("{variable} holds what no header can carry")))?;
            carried.set_sensitive(true);
            headers.insert(header, carried);
            values.push(value);
        }
        Ok((headers, Hidden::new(values)))
    }
}

impl Declared for Endpoint {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn unset(&self) -> Vec<String> {
        self.keys.secrets.unset(self.keys.token_env.iter().chain(self.keys.headers_env.values()))
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        Some(Box::pin(async move {
            let url = self.template.sample().map_err(permanent)?;
            let host = self.fetcher.reached(&url).await?;
            self.keys.headers()?;
            Ok(Opened::from(format!("{host} takes connections")))
        }))
    }
}

/// An answer.
enum Said {
    Text(String),
    Json(Value),
}

impl Endpoint {
    /// What stands at `url`, and how many bytes that were.
    async fn ask(&self, url: Url, headers: &HeaderMap, hidden: &Hidden) -> Result<(Said, usize), Failure> {
        let answer = self.fetcher.get(url, headers, "application/json, text/*;q=0.9", hidden).await?;
        let text =
            String::from_utf8(answer.body).map_err(|_| permanent("the answer is neither JSON nor UTF-8 text"))?;
        if hidden.is_in(&text) {
            return Err(permanent("the answer holds a secret that it was asked with, and is not taken"));
        }
        let bytes = text.len();
        let is_json = answer.media_type == "application/json" || answer.media_type.ends_with("+json");
        if !is_json && self.result.is_none() && self.paging.is_none() {
            return Ok((Said::Text(text), bytes));
        }
        let data = serde_json::from_str(&text).map_err(|why| permanent(format!("the answer is no JSON: {why}")))?;
        Ok((Said::Json(data), bytes))
    }

    /// The part of an answer that is meant, taken out of it.
    fn meant(&self, mut data: Value) -> Result<Value, Failure> {
        let Some(pointer) = &self.result else { return Ok(data) };
        let part = data.pointer_mut(pointer).map(Value::take);
        part.ok_or_else(|| permanent(format!("the answer has no {pointer}")))
    }

    /// What stands on all pages together, within what one answer may have.
    async fn pages(&self, first: Url, paging: &Paging) -> Result<Value, Failure> {
        let (headers, hidden) = self.keys.headers()?;
        let (mut all, mut bytes, mut next) = (Vec::new(), 0, Some(first));
        for _ in 0..paging.pages_max {
            let Some(url) = next else { break };
            let (said, more) = self.ask(url.clone(), &headers, &hidden).await?;
            let Said::Json(data) = said else { return Err(permanent("the answer is no JSON")) };
            bytes += more;
            if bytes > self.fetcher.body_bytes_max() {
                return Err(invalid("its pages have more bytes together than body_bytes_max".to_owned()));
            }
            next = paging.after(&data, &url)?;
            let Value::Array(items) = self.meant(data)? else {
                return Err(permanent("what is read in pages is a list, and this answer has none there"));
            };
            all.extend(items);
        }
        let more = Value::Bool(next.is_some());
        Ok(Map::from_iter([("data".to_owned(), Value::Array(all)), ("more".to_owned(), more)]).into())
    }
}

impl Callable for Endpoint {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let args: Map<String, Value> = read(self.spec.name.as_str(), call.args)?;
            let url = self.template.filled(&args).map_err(invalid)?;
            if let Some(paging) = &self.paging {
                return self.pages(url, paging).await;
            }
            let (headers, hidden) = self.keys.headers()?;
            match self.ask(url, &headers, &hidden).await?.0 {
                // Moved, where json! would copy all of it.
                Said::Text(text) => Ok(Map::from_iter([("text".to_owned(), Value::String(text))]).into()),
                Said::Json(data) => Ok(Map::from_iter([("data".to_owned(), self.meant(data)?)]).into()),
            }
        })
    }
}

//! A named endpoint: its URL with the arguments of a call, its answer as JSON or text, and of JSON the part that is meant.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::fetch::Fetcher;
use super::template::Template;
use crate::failure::{Failure, Work};
use crate::id::ToolName;
use crate::tool::open::Secrets;
use crate::tool::part::args::{invalid, permanent, read};
use crate::tool::part::hidden::Hidden;
use crate::tool::{Call, Callable, Declared, Opened};
use crate::topology::spec::ToolSpec;

pub(super) struct Endpoint {
    pub(super) spec: ToolSpec,
    pub(super) template: Template,
    /// A JSON pointer to the result.
    pub(super) result: Option<String>,
    pub(super) keys: Keys,
    pub(super) fetcher: Fetcher,
}

/// What it is asked with, by name.
pub(super) struct Keys {
    pub(super) token_env: Option<String>,
    pub(super) headers_env: BTreeMap<String, String>,
    pub(super) secrets: Secrets,
}

/// What it gives is said by `does`, and what its arguments are by `args`.
pub(super) fn spec(name: ToolName, does: &str, args: &BTreeMap<String, String>, template: &Template) -> ToolSpec {
    let argument = |name: &String| {
        let described = args.get(name).map(|text| json!({ "type": ["string", "number"], "description": text }));
        (name.clone(), described.unwrap_or_else(|| json!({ "type": ["string", "number"] })))
    };
    let properties: Map<String, Value> = template.names.iter().map(argument).collect();
    let takes = json!({
        "type": "object", "properties": properties, "required": template.names, "additionalProperties": false,
    });
    let result = json!({
        "type": "object",
        "properties": {
            "data": { "description": "of an answer that is JSON" },
            "text": { "type": "string", "description": "of any other answer" },
        },
        "additionalProperties": false,
    });
    let names: Vec<&str> = template.names.iter().map(String::as_str).collect();
    ToolSpec::callable(name, does, takes).accepting_all(&names).giving(result)
}

impl Keys {
    fn secret(&self, variable: &str) -> Result<String, Failure> {
        let value = self.secrets.get(variable).map(|value| value.trim().to_owned());
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| permanent(format!("it needs {variable}: set that variable")))
    }

    /// The headers, and what must not be seen of them.
    fn headers(&self) -> Result<(HeaderMap, Hidden), Failure> {
        let (mut headers, mut values) = (HeaderMap::new(), Vec::new());
        let token = self.token_env.iter().map(|variable| (AUTHORIZATION.as_str(), variable, "Bearer "));
        let others = self.headers_env.iter().map(|(name, variable)| (name.as_str(), variable, ""));
        for (name, variable, before) in token.chain(others) {
            let value = self.secret(variable)?;
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

    fn open(&self) -> Option<Work<'_, Opened>> {
        Some(Box::pin(async move {
            let url = self.template.sample().map_err(permanent)?;
            let host = self.fetcher.reached(&url).await?;
            self.keys.headers()?;
            Ok(Opened::from(format!("{host} takes connections")))
        }))
    }
}

impl Callable for Endpoint {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let args: Map<String, Value> = read(self.spec.name.as_str(), call.args)?;
            let url = self.template.filled(&args).map_err(invalid)?;
            let (headers, hidden) = self.keys.headers()?;
            let answer = self.fetcher.get(url, &headers, "application/json, text/*;q=0.9", &hidden).await?;
            let text =
                String::from_utf8(answer.body).map_err(|_| permanent("the answer is neither JSON nor UTF-8 text"))?;
            if hidden.is_in(&text) {
                return Err(permanent("the answer holds a secret that it was asked with, and is not taken"));
            }
            let is_json = answer.media_type == "application/json" || answer.media_type.ends_with("+json");
            if !is_json && self.result.is_none() {
                return Ok(json!({ "text": text }));
            }
            let data: Value =
                serde_json::from_str(&text).map_err(|why| permanent(format!("the answer is no JSON: {why}")))?;
            let data = match &self.result {
                Some(pointer) => {
                    data.pointer(pointer).cloned().ok_or_else(|| permanent(format!("the answer has no {pointer}")))?
                }
                None => data,
            };
            Ok(json!({ "data": data }))
        })
    }
}

//! Any address of the hosts that the file allows: its text, as far as it is text.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fetch::Fetcher;
use crate::failure::Work;
use crate::id::ToolName;
use crate::tool::part::args::{invalid, read};
use crate::tool::part::hidden::Hidden;
use crate::tool::part::page::plain;
use crate::tool::{Call, Callable, Declared};
use crate::topology::spec::ToolSpec;

pub(super) struct Page {
    pub(super) spec: ToolSpec,
    pub(super) fetcher: Arc<Fetcher>,
}

/// Longest address.
const URL_BYTES_MAX: usize = 2_000;

pub(super) fn spec(name: ToolName, hosts: &[String]) -> ToolSpec {
    let hosts = hosts.join(", ");
    let args = json!({
        "type": "object",
        "properties": { "url": { "type": "string", "description": format!("an https address at one of: {hosts}") } },
        "required": ["url"], "additionalProperties": false,
    });
    let spec = ToolSpec::callable(name, "Gets the text of one web page or file.", args);
    spec.giving(json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "description": "where it was found in the end" },
            "media_type": { "type": "string" },
            "text": { "type": "string", "description": "of a page of the web, what its readers see" },
        },
        "required": ["url", "media_type", "text"], "additionalProperties": false,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    url: String,
}

impl Declared for Page {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn example(&self) -> Option<Value> {
        let described = self.spec.args.pointer("/properties/url/description")?.as_str()?;
        let host = described.rsplit(": ").next()?.split(", ").next()?;
        Some(json!({ "url": format!("https://{host}/") }))
    }
}

impl Callable for Page {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let which: Which = read(self.spec.name.as_str(), call.args)?;
            if which.url.len() > URL_BYTES_MAX {
                return Err(invalid(format!("an address has {URL_BYTES_MAX} bytes at most")));
            }
            let url = Url::parse(&which.url).map_err(|why| invalid(format!("that is no address: {why}")))?;
            let answer =
                self.fetcher.get(url, &HeaderMap::new(), "text/*, application/json;q=0.9", &Hidden::default()).await?;
            let is_text = |kind: &str| kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml");
            if !is_text(&answer.media_type) {
                return Err(invalid(format!("it is no text but {:?}", answer.media_type)));
            }
            let text = String::from_utf8(answer.body).map_err(|_| invalid("it is not UTF-8"))?;
            let is_page = ["text/html", "application/xhtml+xml"].contains(&answer.media_type.as_str());
            let text = if is_page { plain(&text) } else { text };
            Ok(json!({ "url": answer.url.as_str(), "media_type": answer.media_type, "text": text }))
        })
    }
}

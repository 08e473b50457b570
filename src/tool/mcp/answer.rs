//! What a call gave, as a caller sees it: text and data. What is neither is named and left out.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use super::place::Place;
use crate::failure::{Class, Failure};
use crate::tool::part::args::{invalid, permanent};

/// What a result is like: `text`, or `data` if the server gives some, whose form the server may say.
pub(super) fn schema(output: Option<&Value>) -> Value {
    // What it refers to lies at its own root, and here it is a part of another schema.
    let output = output.filter(|schema| !schema.to_string().contains("\"$ref\""));
    let data = output.cloned().unwrap_or_else(|| json!({ "description": "only of a server that gives some" }));
    json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "only of a server that gives no data" },
            "data": data,
            "left_out": {
                "type": "array", "description": "only if something was: images, sounds, links and files",
                "items": {
                    "type": "object",
                    "properties": { "kind": { "type": "string" }, "what": { "type": "string" } },
                    "required": ["kind", "what"], "additionalProperties": false,
                },
            },
        },
        "additionalProperties": false,
    })
}

/// The result, if it is one.
///
/// # Errors
/// What the server says is wrong with the call, or that the result cannot be taken.
pub(super) fn read(result: CallToolResult, place: &Place) -> Result<Value, Failure> {
    let is_error = result.is_error == Some(true);
    let value = value(result);
    let text = value.to_string();
    if text.len() > place.result_bytes_max {
        let most = place.result_bytes_max;
        return Err(invalid(format!(
            "the result has {} bytes, and {most} are taken (result_bytes_max): ask for less",
            text.len()
        )));
    }
    if place.hidden().is_in(&text) {
        return Err(permanent("the result holds a secret that its server was given, and is not taken"));
    }
    if is_error {
        let said = value["text"].as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Err(Failure::new(Class::Invalid, format!("its server says: {said}")));
    }
    Ok(value)
}

fn value(result: CallToolResult) -> Value {
    let (mut texts, mut left_out) = (Vec::new(), Vec::new());
    for block in result.content {
        let (kind, what) = match block {
            ContentBlock::Text(text) => {
                texts.push(text.text);
                continue;
            }
            ContentBlock::Resource(resource) => match resource.resource {
                ResourceContents::TextResourceContents { text, .. } => {
                    texts.push(text);
                    continue;
                }
                ResourceContents::BlobResourceContents { uri, .. } => ("file", uri),
                _ => ("file", String::new()),
            },
            ContentBlock::Image(image) => ("image", image.mime_type),
            ContentBlock::Audio(sound) => ("sound", sound.mime_type),
            ContentBlock::ResourceLink(link) => ("link", link.uri),
            _ => ("other", String::new()),
        };
        left_out.push(json!({ "kind": kind, "what": what }));
    }
    // A server that gives data repeats it as text for those who cannot read it.
    let mut value = match result.structured_content.filter(|data| !data.is_null()) {
        Some(data) => json!({ "data": data }),
        None => json!({ "text": texts.join("\n\n") }),
    };
    if !left_out.is_empty() {
        value["left_out"] = left_out.into();
    }
    value
}

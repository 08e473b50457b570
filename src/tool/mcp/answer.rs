//! What a call gave, as a caller sees it: text, data, and the text of resources. What is none of these is described and
//! left out.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::content::{Body, Content, digest, listed, said};
use super::place::Place;
use crate::failure::{Class, Failure};
use crate::tool::part::args::{invalid, permanent};

/// What a result is like: `text`, or `data` if the server gives some, whose form the server may say.
pub(super) fn schema(output: Option<&Value>) -> Value {
    // What it refers to lies at its own root, and here it is a part of another schema.
    let output = output.filter(|schema| !schema.to_string().contains("\"$ref\""));
    let data = output.cloned().unwrap_or_else(|| json!({ "description": "only of a server that gives some" }));
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "only of a server that gives no data" },
            "data": data,
            "resources": {
                "type": "array", "description": "only of a server that gives the text of some with its answer",
                "items": {
                    "type": "object",
                    "properties": {
                        "uri": text, "media_type": { "type": ["string", "null"] },
                        "digest": { "type": "string", "description": "SHA-256 of the text" }, "text": text,
                    },
                    "required": ["uri", "media_type", "digest", "text"], "additionalProperties": false,
                },
            },
            "left_out": {
                "type": "array", "description": "only if something was: images, sounds, links and files, which are described",
                "items": {
                    "type": "object",
                    "properties": {
                        "kind": text, "what": { "type": "string", "description": "its address, or its media type" },
                        "name": text, "title": text, "description": text, "media_type": text,
                        "bytes": { "type": "integer" }, "digest": text, "why": text,
                    },
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
    let value = fitting(value(result), place)?;
    if is_error {
        let said = value["text"].as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Err(Failure::new(Class::Invalid, format!("its server says: {said}")));
    }
    Ok(value)
}

/// `value`, if it is no larger than it may be and tells nothing that its server was given.
pub(super) fn fitting(value: Value, place: &Place) -> Result<Value, Failure> {
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
    Ok(value)
}

fn value(result: CallToolResult) -> Value {
    let (mut texts, mut resources, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for block in result.content {
        match block {
            ContentBlock::Text(text) => texts.push(text.text),
            ContentBlock::Resource(resource) => {
                let content = Content::read(resource.resource);
                let uri = said(&content.uri);
                let media_type = content.media_type.as_deref().map(said);
                match content.body {
                    Body::Text(text) => resources.push(json!({
                        "uri": uri, "media_type": media_type, "digest": digest(text.as_bytes()), "text": text,
                    })),
                    other => left_out.push(described("file", uri, media_type, &other)),
                }
            }
            ContentBlock::Image(image) => {
                left_out.push(described("image", said(&image.mime_type), None, &Body::decoded(&image.data)));
            }
            ContentBlock::Audio(sound) => {
                left_out.push(described("sound", said(&sound.mime_type), None, &Body::decoded(&sound.data)));
            }
            ContentBlock::ResourceLink(link) => {
                let mut about = listed(&link);
                about.extend([("kind".to_owned(), json!("link")), ("what".to_owned(), json!(said(&link.uri)))]);
                about.remove("uri");
                left_out.push(Value::Object(about));
            }
            _ => left_out.push(json!({ "kind": "other", "what": "" })),
        }
    }
    // A server that gives data repeats it as text for those who cannot read it.
    let mut value = match result.structured_content.filter(|data| !data.is_null()) {
        Some(data) => json!({ "data": data }),
        None => json!({ "text": texts.join("\n\n") }),
    };
    if !resources.is_empty() {
        value["resources"] = resources.into();
    }
    if !left_out.is_empty() {
        value["left_out"] = left_out.into();
    }
    value
}

/// What is not given, as it is told of.
fn described(kind: &str, what: String, media_type: Option<String>, body: &Body) -> Value {
    let mut about = Map::from_iter([("kind".to_owned(), json!(kind)), ("what".to_owned(), json!(what))]);
    about.extend(media_type.map(|kind| ("media_type".to_owned(), json!(kind))));
    body.told(&mut about);
    Value::Object(about)
}

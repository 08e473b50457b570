//! Fields that a project puts into each request: its temperature, and what Callsheet knows nothing of. None takes the place of
//! one that is written here.

use serde_json::{Map, Value, json};

use super::json::Json;
use crate::topology::manner::Manner;
use crate::topology::plan::Dialect;

/// What is written here of a request, or read back of its answer, in each dialect.
fn own(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAi => &[
            "model",
            "messages",
            "tools",
            "tool_choice",
            "functions",
            "function_call",
            "response_format",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "n",
        ],
        Dialect::Anthropic => {
            &["model", "messages", "system", "tools", "tool_choice", "stream", "max_tokens", "temperature"]
        }
        Dialect::Gemini => &[
            "contents",
            "systemInstruction",
            "system_instruction",
            "tools",
            "toolConfig",
            "tool_config",
            "generation_config",
            "generationConfig.maxOutputTokens",
            "generationConfig.temperature",
            "generationConfig.candidateCount",
            "generationConfig.responseMimeType",
            "generationConfig.responseSchema",
            "generationConfig.responseJsonSchema",
        ],
    }
}

/// The first field in `extra` that is none of the project's.
pub fn own_field(dialect: Dialect, extra: &Map<String, Value>) -> Option<&'static str> {
    own(dialect).iter().copied().find(|path| match path.split_once('.') {
        None => extra.contains_key(*path),
        // What is to hold a field of ours has to be an object.
        Some((outer, inner)) => extra.get(outer).is_some_and(|outer| !outer.is_object() || outer.get(inner).is_some()),
    })
}

/// Puts what is set into a request. What is there stays.
pub(super) fn add<'a>(body: &mut Json<'a>, dialect: Dialect, manner: &'a Manner) {
    if let Some(temperature) = &manner.temperature {
        let is_inside = dialect == Dialect::Gemini;
        let of = if is_inside { body.field("generationConfig") } else { Some(&mut *body) };
        of.into_iter().for_each(|of| of.put("temperature", json!(temperature)));
    }
    merge(body, &manner.extra);
}

fn merge<'a>(body: &mut Json<'a>, extra: &'a Map<String, Value>) {
    for (key, value) in extra {
        match (body.field(key), value) {
            (None, value) => body.put(key, value),
            (Some(inner), Value::Object(more)) => merge(inner, more),
            (Some(_), _) => {}
        }
    }
}

//! Tests of the wire to model providers: bytes of a server in, a reply or a typed failure out; and what we send.

mod limits;
mod replies;
pub(crate) mod requests;
mod secrets;
pub(crate) mod server;

use callsheet::failure::Failure;
use callsheet::model::prompt::{Offer, Prompt, Said};
use callsheet::model::wire::{Endpoint, Heard, Key, Limits, Wire};
use callsheet::topology::plan::Dialect;
use serde_json::json;

/// Stands in for a provider's key.
pub(crate) const CANARY: &str = "sk-canary-5d41402abc4b2a76";

pub(crate) const DIALECTS: [(&str, Dialect); 3] =
    [("openai", Dialect::OpenAi), ("anthropic", Dialect::Anthropic), ("gemini", Dialect::Gemini)];

/// Limits that are small enough to be reached.
pub(crate) fn limits() -> Limits {
    Limits {
        first_byte_ms_max: 20_000,
        idle_ms_max: 20_000,
        body_bytes_max: 256 << 10,
        reply_bytes_max: 64 << 10,
        event_bytes_max: 16 << 10,
        error_bytes_max: 8 << 10,
        calls_max: 8,
        ..Limits::default()
    }
}

pub(crate) fn endpoint(dialect: Dialect, base_url: String) -> Endpoint {
    Endpoint { key: Some(Key::new(CANARY)), ..Endpoint::new(dialect, base_url) }
}

/// The smallest prompt.
pub(crate) fn prompt() -> Prompt {
    let schema = json!({ "type": "object", "properties": {} });
    let offer = Offer { name: "done".to_owned(), description: "Ends the turn.".to_owned(), schema: schema.into() };
    Prompt {
        system: "You are on a team.".to_owned(),
        tools: Vec::from([offer]),
        said: Vec::from([Said::User("Begin.".to_owned())]),
        output_tokens_max: 1_000,
    }
}

pub(crate) async fn say(wire: &Wire, endpoint: &Endpoint) -> Result<Heard, Failure> {
    wire.say(endpoint, "model-1", &prompt(), &|_| {}).await
}

//! One cheap call that says whether a model can do what every turn needs: call a tool that it is offered.

use std::time::Duration;

use serde_json::json;

use super::prompt::{Offer, Prompt, Said};
use super::wire::{Endpoint, Wire};
use crate::failure::{Class, Failure};
use crate::topology::plan::provider_and_name;

/// The tool that it has to call.
const READY: &str = "ready";

/// What the reply may have; models that reason first need some.
const OUTPUT_TOKENS_MAX: u64 = 1_024;

/// The longest wait for the whole reply.
const WAIT: Duration = Duration::from_secs(60);

/// Asks `model` once.
///
/// # Errors
/// A sentence: what is wrong and what to do.
pub async fn trial(wire: &Wire, endpoint: &Endpoint, model: &str) -> Result<String, String> {
    let name = provider_and_name(model).map_or(model, |(_, name)| name);
    let prompt = Prompt {
        system: format!("Call the tool `{READY}` once. Say nothing else."),
        tools: vec![Offer {
            name: READY.to_owned(),
            description: "Says that you are ready.".to_owned(),
            schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        }],
        said: vec![Said::User("Are you ready?".to_owned())],
        output_tokens_max: OUTPUT_TOKENS_MAX,
    };
    let silent = || Failure::new(Class::Transient, format!("no whole reply within {} s", WAIT.as_secs()));
    let heard = tokio::time::timeout(WAIT, wire.say(endpoint, name, &prompt, &|_| {})).await;
    let heard = heard.unwrap_or_else(|_| Err(silent())).map_err(|failure| told(&failure))?;
    if heard.spoken.calls.iter().all(|call| call.name != READY) {
        return Err(
            "it answers, and does not call the tool that it is offered: agents need a model that calls tools; \
                    name another one"
                .to_owned(),
        );
    }
    let used = heard.usage.map_or_else(
        || "and does not say what it used: each call settles at its maximum".to_owned(),
        |usage| format!("and says what it used ({} tokens in, {} out)", usage.input_tokens, usage.output_tokens),
    );
    Ok(format!("it answers, calls the tool that it is offered, {used}"))
}

fn told(failure: &Failure) -> String {
    let instead = match failure.class {
        Class::Permanent => "check the model's name, its provider's base_url and its key",
        Class::Throttled => "wait, or ask the provider for a higher limit",
        Class::Truncated => "it answers; give the agents that use it more output_tokens",
        Class::Invalid => "check that base_url is that of an API in this dialect",
        Class::Refused => "ask the provider why, or name another model",
        _ => "is its server running, and reachable from here?",
    };
    format!("{}; {instead}", failure.reason)
}

//! A trial of what every turn needs: a call of a tool that is offered, with a choice and an object in it; its result; and
//! the end of the turn. Two cheap calls of a model, a third if it goes round in circles: what would fail in a run fails here.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompt::{Offer, Prompt, Said, Spoken, SpokenCall};
use super::reading;
use super::wire::{Endpoint, Heard, Wire};
use crate::failure::{Class, Failure, Usage};
use crate::topology::plan::provider_and_name;

/// The tool that it has to call first.
const COUNT: &str = "count_things";

/// What it has to call then.
const FINISH: &str = "finish";

/// What a reply may have; models that reason first need some.
const OUTPUT_TOKENS_MAX: u64 = 1_024;

/// The longest wait for a whole reply.
const WAIT: Duration = Duration::from_secs(60);

/// What went well, and how.
#[derive(Default)]
struct Seen {
    input_tokens: u64,
    output_tokens: u64,
    /// A reply did not say what it used.
    is_unknown: bool,
    /// A call came as text.
    is_text: bool,
    /// It made the same call again.
    is_circular: bool,
}

/// Tries `model`.
///
/// # Errors
/// A sentence: what is wrong and what to do.
pub async fn trial(wire: &Wire, endpoint: &Endpoint, model: &str) -> Result<String, String> {
    let name = provider_and_name(model).map_or(model, |(_, name)| name);
    let mut seen = Seen::default();
    let mut prompt = prompt();
    let first = step(wire, endpoint, name, &prompt, &mut seen).await?;
    fits(&first, COUNT)?;
    answer(&mut prompt, &first, "{\"things\":3}");
    let in_second =
        |why: String| format!("its first call works, and what follows the result of that call does not: {why}");
    let mut second = step(wire, endpoint, name, &prompt, &mut seen).await.map_err(in_second)?;
    if second.calls.first().is_some_and(|call| call.name == COUNT) {
        seen.is_circular = true;
        answer(&mut prompt, &second, "{\"same_as_before\":\"its result stands above\"}");
        prompt.tools.retain(|offer| offer.name == FINISH);
        second = step(wire, endpoint, name, &prompt, &mut seen).await.map_err(in_second)?;
    }
    fits(&second, FINISH).map_err(in_second)?;
    Ok(seen.told())
}

fn prompt() -> Prompt {
    let count = json!({
        "type": "object", "additionalProperties": false, "required": ["kind", "where"],
        "properties": {
            "kind": { "type": "string", "enum": ["apples", "pears"], "description": "what to count" },
            "where": {
                "type": "object", "additionalProperties": false, "required": ["room"],
                "properties": { "room": { "type": "string", "description": "in which room" } },
            },
        },
    });
    let finish = json!({
        "type": "object", "additionalProperties": false, "required": ["note", "outcome"],
        "properties": {
            "note": { "type": "string", "description": "one sentence: how many there are" },
            "outcome": { "type": "string", "enum": ["counted", "failed"] },
        },
    });
    let offer = |name: &str, description: &str, schema: Value| Offer {
        name: name.to_owned(),
        description: description.to_owned(),
        schema,
    };
    Prompt {
        system: "You count things. You know nothing yourself: you call the tools.".to_owned(),
        tools: vec![
            offer(COUNT, "Counts things of one kind in a room.", count),
            offer(FINISH, "Ends your work, once you know how many there are.", finish),
        ],
        said: vec![Said::User(format!(
            "How many apples are in the kitchen? Call `{COUNT}` once, then end with one call of `{FINISH}`: its outcome is \
             `counted`, and its note says how many there are."
        ))],
        output_tokens_max: OUTPUT_TOKENS_MAX,
    }
}

/// One reply, with at least one call in it.
async fn step(
    wire: &Wire,
    endpoint: &Endpoint,
    name: &str,
    prompt: &Prompt,
    seen: &mut Seen,
) -> Result<Spoken, String> {
    let silent = || Failure::new(Class::Transient, format!("no whole reply within {} s", WAIT.as_secs()));
    let heard = tokio::time::timeout(WAIT, wire.say(endpoint, name, prompt, &|_| {})).await;
    let Heard { mut spoken, usage } = heard.unwrap_or_else(|_| Err(silent())).map_err(|failure| told(&failure))?;
    seen.add(usage);
    let is_offered = |name: &str| prompt.tools.iter().any(|offer| offer.name == name);
    if spoken.calls.is_empty()
        && let Some((call, _)) = reading::written(&spoken.text, &is_offered)
    {
        seen.is_text = true;
        spoken.calls.push(call);
    }
    if spoken.calls.is_empty() {
        let why = "it answers, and does not call the tool that it is offered: agents need a model that calls tools, behind a \
                   server that offers them to it; name another one, or start its server with tool calls (llama.cpp: --jinja)";
        return Err(why.to_owned());
    }
    Ok(spoken)
}

/// Puts a reply and the result of its calls into the conversation.
fn answer(prompt: &mut Prompt, spoken: &Spoken, result: &str) {
    let results = spoken.calls.iter().map(|call| (call.id.clone(), result.to_owned())).collect();
    prompt.said.push(Said::Model(spoken.clone()));
    prompt.said.push(Said::Results(results));
}

/// Whether the first call is one of `wanted`, with arguments that fit.
fn fits(spoken: &Spoken, wanted: &str) -> Result<(), String> {
    let Some(SpokenCall { name, args, .. }) = spoken.calls.first() else { return Ok(()) };
    let is_text = |at: &str| args.as_ref().is_ok_and(|args| args.pointer(at).is_some_and(Value::is_string));
    let is_among = |at: &str, words: [&str; 2]| {
        let word = args.as_ref().ok().and_then(|args| args.pointer(at)).and_then(Value::as_str);
        word.is_some_and(|word| words.contains(&word))
    };
    let fit = match wanted {
        COUNT => is_among("/kind", ["apples", "pears"]) && is_text("/where/room"),
        _ => is_text("/note") && is_among("/outcome", ["counted", "failed"]),
    };
    if name != wanted {
        return Err(format!(
            "it calls {name:?} where only {wanted:?} makes sense: agents of several steps need a larger model"
        ));
    }
    if !fit {
        return Err(format!(
            "it calls {wanted}, with arguments that are not as its form says: name a larger model, or a server that forces \
             the form of a call"
        ));
    }
    Ok(())
}

impl Seen {
    fn add(&mut self, usage: Option<Usage>) {
        self.is_unknown |= usage.is_none();
        let usage = usage.unwrap_or_default();
        self.input_tokens += usage.input_tokens;
        self.output_tokens += usage.output_tokens;
    }

    fn told(&self) -> String {
        let used = match self.is_unknown {
            true => "and does not say what it used: each call settles at its maximum".to_owned(),
            false => format!("and says what it used ({} tokens in, {} out)", self.input_tokens, self.output_tokens),
        };
        let text = if self.is_text {
            "; it writes its calls as text, of which one a reply is read: a server that makes calls of them is safer"
        } else {
            ""
        };
        let circle = if self.is_circular {
            "; it made the same call twice, and ended when it was offered no other way"
        } else {
            ""
        };
        format!("it answers, calls the tool that it is offered, ends after its result, {used}{text}{circle}")
    }
}

/// What is wrong, and what to do about that.
fn told(failure: &Failure) -> String {
    let says = |words: &[&str]| words.iter().any(|word| failure.reason.contains(word));
    let instead = match failure.class {
        Class::Permanent if says(&["a page (HTML)", "neither a stream of events nor JSON"]) => {
            "check that base_url is that of an API in this dialect"
        }
        Class::Permanent if says(&["key"]) => "check the key of its provider: key_env or key_file in callsheet.toml",
        Class::Permanent if says(&["no such model"]) => "check the model's name, and its provider's base_url",
        Class::Permanent if says(&["credit or quota"]) => "look at the account: nothing is wrong here",
        Class::Permanent if says(&["TLS"]) => "check the certificate of its server, and those that this machine trusts",
        Class::Permanent if says(&["too long"]) => {
            "start its server with a larger context: agents show it far more than this"
        }
        Class::Permanent => "check the model's name, its provider's base_url and its key",
        Class::Throttled => "wait, or ask the provider for a higher limit",
        Class::Truncated => "it answers; give the agents that use it more output_tokens",
        Class::Invalid if says(&["could not read the model's call"]) => {
            "name a larger model: it does not write calls well"
        }
        Class::Invalid => "check that base_url is that of an API in this dialect",
        Class::Refused => "ask the provider why, or name another model",
        _ if says(&["no whole reply"]) => {
            "it is too slow for this trial: give the agents that use it a longer call_timeout"
        }
        _ => "is its server running, and reachable from here?",
    };
    format!("{}; {instead}", failure.reason)
}

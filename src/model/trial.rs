//! A trial of what every turn needs: a call of a tool that is offered, with a choice and an object in it; its result; and
//! the end of the turn. Two cheap calls of a model, a third if it goes round in circles: what would fail in a run fails here.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompt::{Offer, Prompt, Said, Spoken, SpokenCall};
use super::reading;
use super::wire::{Endpoint, Heard, Wire};
use crate::failure::{Class, Failure, Usage};
use crate::topology::manner::{Calls, Manner, time_words};
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
    /// How long it took, in milliseconds.
    ms: u64,
    /// What to write so that its server forces the form of its calls.
    advice: Option<String>,
}

/// What is well of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What works, in words.
    pub text: String,
    /// How fast it was, if that could be measured.
    pub speed: Option<Speed>,
}

/// How fast a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// So many tokens.
    pub tokens: u64,
    /// In so many milliseconds.
    pub ms: u64,
}

/// Tells the machine's uptime in milliseconds.
pub type Uptime<'a> = &'a (dyn Fn() -> u64 + Send + Sync);

/// What is wrong, and what to do about it.
struct Wrong {
    why: String,
    /// True if a server that forces the form of the answer may be all that it takes.
    is_form: bool,
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self { why, is_form: false }
    }
}

/// Tries `model`; if all that is missing is the form of its calls, it is tried once more with answers in a form.
///
/// # Errors
/// A sentence: what is wrong and what to do.
pub async fn trial(wire: &Wire, endpoint: &Endpoint, model: &str, uptime: Uptime<'_>) -> Result<Tried, String> {
    let (provider, name) = provider_and_name(model).unwrap_or(("NAME", model));
    let came = attempt(wire, endpoint, name, uptime).await;
    let is_form = match &came {
        Ok(seen) => seen.is_text,
        Err(wrong) => wrong.is_form,
    };
    let forced =
        Endpoint { manner: Manner { calls: Calls::JsonSchema, ..endpoint.manner.clone() }, ..endpoint.clone() };
    let can_force = endpoint.calls() == Calls::Tools && forced.calls() == Calls::JsonSchema;
    let helps = is_form && can_force && attempt(wire, &forced, name, uptime).await.is_ok_and(|seen| !seen.is_text);
    let advice = format!("calls = \"json_schema\" under [models.providers.{provider}] in callsheet.toml");
    match came {
        Ok(mut seen) => {
            seen.advice = helps.then_some(advice);
            Ok(Tried { text: seen.told(), speed: seen.speed() })
        }
        Err(Wrong { why, .. }) if helps => Err(format!("{why}; with {advice} it works: write that")),
        Err(Wrong { why, is_form: true }) => Err(format!("{why}; {}", if can_force { NO_WAY } else { OTHER })),
        Err(Wrong { why, .. }) => Err(why),
    }
}

/// What is left to do about a model whose calls have no form.
const OTHER: &str = "agents need a model that calls tools, behind a server that offers them to it: name another one or a larger \
                     model, or start its server with tool calls (llama.cpp: --jinja)";

/// The same, where answers in a form were tried too.
const NO_WAY: &str = "it cannot make calls as answers in a form either (calls = \"json_schema\"): name another one or a larger \
                      model, or start its server with tool calls (llama.cpp: --jinja)";

/// A call, its result and an end, in the manner of `endpoint`.
async fn attempt(wire: &Wire, endpoint: &Endpoint, name: &str, uptime: Uptime<'_>) -> Result<Seen, Wrong> {
    let mut seen = Seen::default();
    let mut prompt = prompt();
    let first = step(wire, endpoint, name, &prompt, &mut seen, uptime).await?;
    fits(&first, COUNT)?;
    answer(&mut prompt, &first, "{\"things\":3}");
    let in_second = |wrong: Wrong| Wrong {
        why: format!("its first call works, and what follows the result of that call does not: {}", wrong.why),
        ..wrong
    };
    let mut second = step(wire, endpoint, name, &prompt, &mut seen, uptime).await.map_err(in_second)?;
    if second.calls.first().is_some_and(|call| call.name == COUNT) {
        seen.is_circular = true;
        answer(&mut prompt, &second, "{\"same_as_before\":\"its result stands above\"}");
        prompt.tools.retain(|offer| offer.name == FINISH);
        second = step(wire, endpoint, name, &prompt, &mut seen, uptime).await.map_err(in_second)?;
    }
    fits(&second, FINISH).map_err(in_second)?;
    Ok(seen)
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
        schema: schema.into(),
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
    uptime: Uptime<'_>,
) -> Result<Spoken, Wrong> {
    let began_ms = uptime();
    let silent = || Failure::new(Class::Transient, format!("no whole reply within {} s", WAIT.as_secs()));
    let heard = tokio::time::timeout(WAIT, wire.say(endpoint, name, prompt, &|_| {})).await;
    let Heard { mut spoken, usage } = heard.unwrap_or_else(|_| Err(silent())).map_err(|failure| told(&failure))?;
    seen.add(usage);
    seen.ms += uptime().saturating_sub(began_ms);
    let is_offered = |name: &str| prompt.tools.iter().any(|offer| offer.name == name);
    if spoken.calls.is_empty()
        && let Some((call, _)) = reading::written(&spoken.text, &is_offered)
    {
        seen.is_text = true;
        spoken.calls.push(call);
    }
    if spoken.calls.is_empty() {
        let why = "it answers, and does not call the tool that it is offered".to_owned();
        return Err(Wrong { why, is_form: true });
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
fn fits(spoken: &Spoken, wanted: &str) -> Result<(), Wrong> {
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
        let why =
            format!("it calls {name:?} where only {wanted:?} makes sense: agents of several steps need a larger model");
        return Err(why.into());
    }
    if !fit {
        let why = format!("it calls {wanted}, with arguments that are not as its form says");
        return Err(Wrong { why, is_form: true });
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

    /// How fast it was; unknown if it does not say how much it said.
    fn speed(&self) -> Option<Speed> {
        let speed = Speed { tokens: self.output_tokens, ms: self.ms.max(1) };
        (!self.is_unknown && speed.tokens > 0).then_some(speed)
    }

    fn told(&self) -> String {
        let used = match self.is_unknown {
            true => "and does not say what it used: each call settles at its maximum".to_owned(),
            false => format!("and says what it used ({} tokens in, {} out)", self.input_tokens, self.output_tokens),
        };
        let text = match &self.advice {
            Some(advice) => format!("; it writes its calls as text, of which one a reply is read: {advice} is safer"),
            None if self.is_text => {
                "; it writes its calls as text, of which one a reply is read: a server that makes calls of them is safer"
                    .to_owned()
            }
            None => String::new(),
        };
        let circle = if self.is_circular {
            "; it made the same call twice, and ended when it was offered no other way"
        } else {
            ""
        };
        let speed = self.speed().map_or_else(String::new, |speed| format!(", at about {}", speed.words()));
        format!("it answers, calls the tool that it is offered, ends after its result, {used}{speed}{text}{circle}")
    }
}

impl Speed {
    /// In words.
    pub fn words(self) -> String {
        let tenths = self.tokens.saturating_mul(10_000) / self.ms.max(1);
        let number = if tenths < 100 { format!("{}.{}", tenths / 10, tenths % 10) } else { (tenths / 10).to_string() };
        format!("{number} tokens a second")
    }

    /// Why a reply of so many tokens may not come in time, and what to do; none if it does.
    pub fn too_slow(self, agent: &str, output_tokens: u64, call_ms: u64, provider: &str) -> Option<String> {
        let needed_ms = output_tokens.saturating_mul(self.ms) / self.tokens.max(1);
        let fit = call_ms.saturating_mul(self.tokens) / self.ms.max(1);
        let minutes = (needed_ms + needed_ms / 2).div_ceil(60_000);
        (needed_ms > call_ms).then(|| {
            format!(
                "a reply of `{agent}` may have {output_tokens} tokens, which takes {} s at {}, and a call may take {}: write \
                 call_timeout = \"{minutes}m\" under [models.providers.{provider}] in callsheet.toml, or give it no more than \
                 {fit} output_tokens",
                needed_ms / 1_000,
                self.words(),
                time_words(call_ms)
            )
        })
    }
}

/// What is wrong, and what to do about that.
fn told(failure: &Failure) -> String {
    let says = |words: &[&str]| words.iter().any(|word| failure.reason.contains(word));
    let instead = match failure.class {
        Class::Permanent if says(&["a page (HTML)", "neither a stream of events nor JSON"]) => {
            "check that base_url is that of an API in this dialect"
        }
        Class::Permanent if says(&["no such model"]) => "check the model's name, and its provider's base_url",
        Class::Permanent if says(&["key"]) => "check the key of its provider: key_env or key_file in callsheet.toml",
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

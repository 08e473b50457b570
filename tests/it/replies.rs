//! Replies in OpenAI's dialect, for servers of the tests' own.

use serde_json::{Value, json};

use crate::wire::server::{Asked, Framing, Played, framed};

/// What a server says that a call used: tokens in and out.
pub(crate) type Used = Option<(u64, u64)>;

/// The stream of a reply with these calls of tools.
pub(crate) fn stream(calls: &[(&str, Value)], used: Used) -> String {
    let call = |(index, (name, args)): (usize, &(&str, Value))| {
        let function = json!({ "name": name, "arguments": args.to_string() });
        json!({ "index": index, "id": format!("call_{index}"), "type": "function", "function": function })
    };
    let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
    let delta = json!({ "role": "assistant", "tool_calls": calls });
    let mut events = vec![
        json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
    ];
    if let Some((input, output)) = used {
        let usage = json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output) });
        events.push(json!({ "choices": [], "usage": usage }));
    }
    let events = events.iter().map(|event| format!("data: {event}\n\n"));
    events.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

/// The reply as it goes over the wire.
pub(crate) fn played(calls: &[(&str, Value)], used: Used) -> Played {
    let head = ["200 OK".to_owned(), "content-type: text/event-stream".to_owned()];
    framed(&head, stream(calls, used).as_bytes(), Framing::Length)
}

/// The end of a turn.
pub(crate) fn end(outcome: &str, writes: &Value) -> (&'static str, Value) {
    let mut answer = json!({ "outcome": outcome, "note": format!("It is {outcome}.") });
    if !writes.is_null() {
        answer["writes"] = writes.clone();
    }
    ("end_turn", answer)
}

/// A request of ours, as a server reads it.
pub(crate) struct Read {
    pub(crate) agent: String,
    pub(crate) is_question: bool,
    /// Results of tools that it shows.
    pub(crate) results: usize,
    pub(crate) output_tokens_max: u64,
}

/// Whom the instructions of a request address.
pub(crate) fn agent_of(system: &str) -> &str {
    let (_, after) = system.split_once("In it you are `").unwrap();
    after.split_once('`').unwrap().0
}

impl Read {
    pub(crate) fn of(asked: &Asked) -> Self {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let system = messages[0]["content"].as_str().unwrap();
        let agent = agent_of(system).to_owned();
        let results = messages.iter().filter(|message| message["role"] == "tool").count();
        let last = messages.iter().rfind(|message| message["role"] == "user").unwrap();
        let is_question = last["content"].as_str().unwrap().contains("A teammate asks you this.");
        Self { agent, is_question, results, output_tokens_max: body["max_tokens"].as_u64().unwrap() }
    }
}

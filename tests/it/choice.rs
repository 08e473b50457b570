//! Answers in a form: with `calls = "json_schema"` whole campaigns come to what their rehearsals come to, over a server that
//! knows no calls of tools, and every odd answer has its meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use callsheet::clock::{Clock as _, Machine};
use callsheet::failure::{Class, Failure};
use callsheet::model::live::Live;
use callsheet::model::prompt::{Offer, Prompt, Said, Spoken};
use callsheet::model::wire::{Endpoint, Limits, Wire};
use callsheet::run::event::Ending;
use callsheet::run::state::Status;
use callsheet::topology::manner::{Calls, Manner};
use callsheet::topology::plan::Dialect;
use serde_json::{Value, json};

use crate::providers::{came, fixtures, live};
use crate::replies::agent_of;
use crate::support::{Driven, Rig, brief, shipped, who};
use crate::wire::server::{Asked, Framing, Played, framed, serve};

const CAMPAIGNS: [&str; 3] = ["re-engagement", "content-repurposing", "investigate"];

/// Where answers are in a form.
fn endpoint(dialect: Dialect, base_url: String) -> Endpoint {
    Endpoint { manner: Manner { calls: Calls::JsonSchema, ..Manner::default() }, ..Endpoint::new(dialect, base_url) }
}

/// What each agent says to each message, reply by reply.
type Lines = BTreeMap<(String, String), Vec<Value>>;

/// The same lines as calls in the form of an answer.
fn lines(fixtures: &[Value]) -> Lines {
    let mut lines = Lines::new();
    for fixture in fixtures {
        let text = |key: &str| fixture["match"][key].as_str().unwrap().to_owned();
        let agent = text("systemMessage").split('`').nth(1).unwrap().to_owned();
        for call in fixture["response"]["toolCalls"].as_array().unwrap() {
            let mut args: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            if args["writes"] == json!({}) {
                args.as_object_mut().unwrap().remove("writes");
            }
            let answer = json!({ "call": { "name": call["name"], "arguments": args } });
            lines.entry((agent.clone(), text("userMessage"))).or_default().push(answer);
        }
    }
    lines
}

/// A request as a server of either dialect reads it: the system's words, the others with whose they are, and the form.
fn read(body: &Value) -> (String, Vec<(bool, String)>, Value) {
    let parts = |content: &Value| {
        content["parts"].as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect()
    };
    if let Some(contents) = body["contents"].as_array() {
        let said = contents.iter().map(|one| (one["role"] == "model", parts(one))).collect();
        return (parts(&body["systemInstruction"]), said, body["generationConfig"]["responseJsonSchema"].clone());
    }
    let messages = body["messages"].as_array().unwrap();
    let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
    let said = messages[1..].iter().map(|message| (message["role"] == "assistant", text(message))).collect();
    assert_eq!(body["response_format"]["type"], "json_schema");
    (text(&messages[0]), said, body["response_format"]["json_schema"]["schema"].clone())
}

/// The document in the words of the dialect.
fn answer(dialect: Dialect, text: &str) -> Played {
    let body = match dialect {
        Dialect::Gemini => json!({
            "candidates": [{ "content": { "role": "model", "parts": [{ "text": text }] }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 900, "candidatesTokenCount": 90, "totalTokenCount": 990 },
        }),
        _ => json!({
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990 },
        }),
    };
    let head = ["200 OK".to_owned(), "content-type: application/json".to_owned()];
    match dialect {
        Dialect::Gemini => {
            let head = [head[0].clone(), "content-type: text/event-stream".to_owned()];
            framed(&head, format!("data: {body}\n\n").as_bytes(), Framing::Length)
        }
        _ => framed(&head, body.to_string().as_bytes(), Framing::Length),
    }
}

/// Says what the rehearsal said, if that is in the form that is asked for.
fn says(lines: &Lines, dialect: Dialect, asked: &Asked) -> Played {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let foreign = ["tools", "tool_choice", "toolConfig"].into_iter().find(|key| body.get(key).is_some());
    assert_eq!(foreign, None, "a server without calls is offered none");
    assert!(
        asked.body.contains(r#""properties":{"name":{"#),
        "what is called is said before with what: {}",
        asked.body
    );
    let (system, said, form) = read(&body);
    assert!(said.windows(2).all(|two| two[0].0 != two[1].0), "roles take turns: {said:?}");
    let agent = agent_of(&system);
    let begin = said.iter().rposition(|(is_model, text)| !is_model && text.contains("<message>")).unwrap();
    let nth = said[begin..].iter().filter(|(is_model, _)| *is_model).count();
    let mine = lines.iter().find(|((of, message), _)| of == agent && said[begin].1.contains(message));
    let document = &mine.unwrap_or_else(|| panic!("{agent} has no lines for {}", said[begin].1)).1[nth];
    let form = jsonschema::draft7::new(&form).unwrap();
    assert!(form.is_valid(document), "{agent}: {document} is not in the form");
    answer(dialect, &document.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn campaigns_come_to_the_same_with_answers_in_a_form() {
    for campaign in CAMPAIGNS {
        let plan = shipped(campaign);
        let rehearsed = Rig::new();
        let rehearsal = rehearsed.run(&plan).await;
        assert_eq!(rehearsal.approve_all().await, Status::Ended(Ending::Done), "{campaign}");
        for (dialect, path) in [(Dialect::OpenAi, "/v1"), (Dialect::Gemini, "/v1beta")] {
            let lines = lines(&fixtures(&rehearsal));
            let base = serve(move |asked| says(&lines, dialect, asked));
            let endpoint = move |_: &str| Ok(endpoint(dialect, format!("{base}{path}")));
            let mut rig = Rig::new();
            rig.live = Some(Arc::new(Live::new(Box::new(|| Machine.now()), Box::new(endpoint))));
            let plan = live(&plan, "model");
            let system = rig.system().await;
            let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
            let run = Driven::of(&rig, system, handle);
            let status = run.approve_all().await;
            assert_eq!(status, Status::Ended(Ending::Done), "{campaign}, {dialect:?}: {:?}", run.reasons());
            assert_eq!(came(&run), came(&rehearsal), "{campaign}, {dialect:?}");
            run.system.stop().await;
        }
        rehearsal.system.stop().await;
    }
}

fn prompt() -> Prompt {
    let offer = |name: &str| Offer {
        name: name.to_owned(),
        description: format!("Does {name}."),
        schema: json!({ "type": "object", "properties": { "of": { "type": "string" } }, "required": ["of"] }).into(),
    };
    Prompt {
        system: "You count.".to_owned(),
        tools: Vec::from([offer("count"), offer("finish")]),
        said: Vec::from([Said::User("How many?".to_owned())]),
        output_tokens_max: 100,
    }
}

async fn heard(text: &'static str) -> Result<Spoken, Failure> {
    let base = serve(move |_| answer(Dialect::OpenAi, text));
    let wire = Wire::new(Limits::default()).unwrap();
    let heard = wire.say(&endpoint(Dialect::OpenAi, format!("{base}/v1")), "m", &prompt(), &|_| {}).await;
    heard.map(|heard| heard.spoken)
}

/// An answer's words, and the call that they are.
const ANSWERS: [(&str, Option<(&str, &str)>); 9] = [
    (r#"{"call":{"name":"count","arguments":{"of":"pears"}}}"#, Some(("count", r#"{"of":"pears"}"#))),
    (" \n{\"call\": {\"name\": \"count\", \"arguments\": {\"of\": \"x\"}}}\n", Some(("count", r#"{"of":"x"}"#))),
    (r#"{"name":"count","arguments":{"of":"pears"}}"#, Some(("count", r#"{"of":"pears"}"#))),
    ("<think>{\"call\"</think>{\"call\":{\"name\":\"count\",\"arguments\":{}}}", Some(("count", "{}"))),
    ("```json\n{\"call\":{\"name\":\"count\",\"arguments\":{}}}\n```", Some(("count", "{}"))),
    (r#"{"call":{"name":"count"}}"#, Some(("count", "{}"))),
    (r#"{"call":{"name":"sing","arguments":{}}}"#, Some(("sing", "{}"))),
    (r#"{"answer":3}"#, None),
    ("There are three.", None),
];

#[tokio::test]
async fn an_answer_in_a_form_is_read_as_the_call_that_it_makes() {
    for (text, wanted) in ANSWERS {
        let spoken = heard(text).await.unwrap();
        let call = spoken.calls.first().map(|call| (call.name.clone(), call.args.clone().unwrap()));
        let wanted = wanted.map(|(name, args)| (name.to_owned(), serde_json::from_str::<Value>(args).unwrap()));
        assert_eq!(call, wanted, "{text}");
        assert_eq!(spoken.text.is_empty(), wanted.is_some(), "other words stay words: {text}");
    }
    let cut = heard(r#"{"call":{"name":"count","arguments":{"of":"pea"#).await.unwrap_err();
    assert_eq!(cut.class, Class::Truncated, "{}", cut.reason);
    assert_eq!(cut.usage.map(|usage| usage.output_tokens), Some(90), "what it used is known");
}

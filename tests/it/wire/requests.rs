//! What is sent, as a server sees it: headers without the key, and the body.

use std::sync::{Arc, Mutex};

use callsheet::model::prompt::{Offer, Prompt, Said, Spoken, SpokenCall};
use callsheet::model::wire::{Endpoint, Wire};
use callsheet::topology::manner::{Calls, Manner};
use callsheet::topology::plan::Dialect;
use serde_json::{Number, Value, json};

use super::server::{Asked, Played, Then, serve};
use super::{CANARY, endpoint, limits};

fn call(id: &str, name: &str, args: Result<Value, &str>) -> SpokenCall {
    SpokenCall { id: id.to_owned(), name: name.to_owned(), args: args.map_err(str::to_owned) }
}

/// A turn in which everything has happened: two calls with one odd id, arguments that were no JSON, an id for the second time,
/// a reply without a word.
fn rich() -> Prompt {
    let offer = |name: &str, schema: Value| Offer {
        name: name.to_owned(),
        description: format!("Does {name}."),
        schema: schema.into(),
    };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": { "segment": { "type": ["string", "null"], "maxLength": 80 } },
        "required": ["segment"],
        "additionalProperties": false,
    });
    let said = |text: &str, calls: Vec<SpokenCall>, signature: Option<&str>| {
        let reasoning = None;
        Said::Model(Spoken { text: text.to_owned(), calls, signature: signature.map(str::to_owned), reasoning })
    };
    let result = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let first = Vec::from([
        call("call_a", "count", Ok(json!({ "segment": "lapsed" }))),
        call("odd id!", "count", Err("{\"segment\": ")),
    ]);
    let second = Vec::from([call("call_a", "count", Ok(json!([1]))), call("call_b", "unknown", Ok(json!({})))]);
    Prompt {
        system: "You are the analyst.\nBe brief.".to_owned(),
        tools: Vec::from([offer("count", schema), offer("done", json!({ "type": "object", "properties": {} }))]),
        said: Vec::from([
            Said::User("The brief: \"win back\" customers, 5 %.".to_owned()),
            said("I count.", first, Some("c2lnbmF0dXJl")),
            Said::Results(Vec::from([result("call_a", "{\"rows\":3}"), result("odd id!", "{\"error\":\"no JSON\"}")])),
            said("", second, None),
            Said::Results(Vec::from([result("call_a", "7"), result("call_b", "{\"error\":\"no such tool\"}")])),
            Said::User("Your answer was not taken: call a tool.".to_owned()),
            said(" ", Vec::new(), None),
            Said::User("Again.".to_owned()),
        ]),
        output_tokens_max: 4_096,
    }
}

/// The request that `prompt` becomes.
pub(crate) async fn asked(dialect: Dialect, path: &str, model: &str, prompt: &Prompt) -> Asked {
    asked_so(dialect, path, model, prompt, Manner::default()).await
}

async fn asked_so(dialect: Dialect, path: &str, model: &str, prompt: &Prompt, manner: Manner) -> Asked {
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let base = serve(move |asked| {
        *kept.lock().unwrap() = Some(asked.clone());
        Played { bytes: b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec(), then: Then::Close }
    });
    let wire = Wire::new(limits()).unwrap();
    let endpoint = Endpoint { manner, ..endpoint(dialect, format!("{base}{path}")) };
    wire.say(&endpoint, model, prompt, &|_| {}).await.unwrap_err();
    seen.lock().unwrap().take().unwrap()
}

/// It as a text that is the same every time.
async fn shown(dialect: Dialect, path: &str, model: &str) -> String {
    let asked = asked(dialect, path, model, &rich()).await;
    let mut lines: Vec<_> = asked.head.lines().skip(1).filter(|line| !line.starts_with("host: ")).collect();
    lines.retain(|line| !line.starts_with("content-length: "));
    lines.sort_unstable();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let first = asked.head.lines().next().unwrap();
    let version = concat!("callsheet/", env!("CARGO_PKG_VERSION"));
    let text = format!("{first}\n{}\n\n{body:#}\n", lines.join("\n"));
    text.replace(CANARY, "[key]").replace(version, "callsheet/[version]")
}

#[tokio::test]
async fn requests_are_as_each_dialect_wants_them() {
    insta::assert_snapshot!("wire_openai", shown(Dialect::OpenAi, "/v1", "gpt-4o").await);
    insta::assert_snapshot!("wire_anthropic", shown(Dialect::Anthropic, "/v1/", "claude-sonnet-4-5").await);
    insta::assert_snapshot!("wire_gemini", shown(Dialect::Gemini, "/v1beta", "models/gemini-3-pro").await);
}

#[tokio::test]
async fn answers_in_a_form_are_asked_for_without_calls() {
    let body = async |dialect, path, model| {
        let manner = Manner { calls: Calls::JsonSchema, ..Manner::default() };
        let body: Value = serde_json::from_str(&asked_so(dialect, path, model, &rich(), manner).await.body).unwrap();
        format!("{body:#}\n")
    };
    insta::assert_snapshot!("wire_openai_form", body(Dialect::OpenAi, "/v1", "gpt-4o").await);
    insta::assert_snapshot!("wire_gemini_form", body(Dialect::Gemini, "/v1beta", "gemini-3-pro").await);
}

/// What is set is in the request; what is written there stays.
#[tokio::test]
async fn what_is_set_is_sent_and_takes_the_place_of_nothing() {
    let extra = json!({ "top_k": 40, "stream": false, "model": "other", "generationConfig": { "topK": 4, "maxOutputTokens": 1 } });
    let Value::Object(extra) = extra else { unreachable!("it is one") };
    let manner = Manner { temperature: Number::from_f64(0.2), extra, ..Manner::default() };
    for (dialect, path, wanted) in [
        (Dialect::OpenAi, "/v1", json!({ "top_k": 40, "temperature": 0.2, "stream": true, "model": "m" })),
        (Dialect::Anthropic, "/v1", json!({ "top_k": 40, "temperature": 0.2, "stream": true, "model": "m" })),
        (
            Dialect::Gemini,
            "/v1beta",
            json!({ "top_k": 40, "generationConfig": { "maxOutputTokens": 4096, "temperature": 0.2, "topK": 4 } }),
        ),
    ] {
        let body = asked_so(dialect, path, "m", &rich(), manner.clone()).await.body;
        let body: Value = serde_json::from_str(&body).unwrap();
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(body[key], *value, "{dialect:?} {key}");
        }
    }
}

#[tokio::test]
async fn the_cap_has_the_name_that_the_model_knows() {
    let newer = ["gpt-5", "gpt-5.1-mini", "openai/gpt-5-nano", "o1", "o3-mini", "openai/o4-mini"];
    let older = ["gpt-4o", "gpt-oss-20b", "qwen3", "orca-mini", "o", "olmo2", "mistral/codestral", "llama-3.1"];
    for (models, name) in [(&newer[..], "max_completion_tokens"), (&older[..], "max_tokens")] {
        for model in models {
            let body: Value = serde_json::from_str(&asked(Dialect::OpenAi, "/v1", model, &rich()).await.body).unwrap();
            let caps = body.as_object().unwrap().keys().filter(|key| key.starts_with("max_")).collect::<Vec<_>>();
            assert_eq!(caps, [name], "{model}");
        }
    }
}

#[tokio::test]
async fn a_call_that_gemini_did_not_make_is_signed_for_the_models_that_want_it() {
    let mut foreign = rich();
    foreign.said.retain(|said| !matches!(said, Said::Model(spoken) if spoken.signature.is_some()));
    for (model, signed) in [("gemini-3-pro", true), ("gemini-3.1-flash-lite", true), ("gemini-2.5-pro", false)] {
        let body = asked(Dialect::Gemini, "/v1beta", model, &foreign).await.body;
        assert_eq!(body.contains("skip_thought_signature_validator"), signed, "{model}: {body}");
    }
}

#[tokio::test]
async fn a_model_and_a_base_url_cannot_leave_their_place() {
    let cases = [
        (Dialect::Gemini, "/v1beta", "../x?y#z", "/v1beta/models/..%2Fx%3Fy%23z:streamGenerateContent?alt=sse"),
        (Dialect::Gemini, "/v1beta/", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
        (Dialect::OpenAi, "", "m", "/chat/completions"),
        (Dialect::OpenAi, "/api/v1/?api-version=2", "m", "/api/v1/chat/completions?api-version=2"),
        (Dialect::Anthropic, "/v1", "m", "/v1/messages"),
    ];
    for (dialect, path, model, expected) in cases {
        assert_eq!(asked(dialect, path, model, &rich()).await.path(), expected);
    }
}

//! Servers that behave as model servers were reported to behave: ids of their own length, reasoning that has to come back,
//! parts of a request that they refuse, streams that are odd. A whole run of one analyst against each, to its end.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use callsheet::app;
use callsheet::clock::{Clock as _, Machine};
use callsheet::failure::Class;
use callsheet::id::NanoUsd;
use callsheet::model::live::Live;
use callsheet::model::wire::Endpoint;
use callsheet::run::event::{Ending, Event, Settled};
use callsheet::run::state::Status;
use callsheet::topology::check::check;
use callsheet::topology::plan::{Dialect, Mode, Plan};
use serde_json::{Value, json};

use crate::support::{Driven, Rig, brief, settings, who};
use crate::wire::server::{Asked, Framing, Played, Then, framed, read, serve, serve_at};

/// What a situation says to a request, the n-th of its run from 0.
pub(crate) type Says = fn(&Value, usize) -> Played;

/// Bytes that a reason may have, with the words around it.
const REASON_BYTES_MAX: usize = 600;

fn query() -> (&'static str, Value) {
    ("perf_query", json!({ "sql": "SELECT * FROM sends" }))
}

fn end() -> (&'static str, Value) {
    let text = "North 9.0 % against south 4.0 %.";
    let post =
        json!({ "versions": [{ "channel": "short_post", "title": "North clicks more \u{1F33F}", "text": text }] });
    ("end_turn", json!({ "outcome": "drafted", "note": "Done.", "writes": { "post": post } }))
}

fn called(body: &Value) -> bool {
    messages(body).any(|message| message["role"] == "assistant" && message["tool_calls"].is_array())
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().unwrap().iter()
}

fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

fn part(id: &str, name: &str, args: &str) -> Value {
    let function = json!({ "name": name, "arguments": args });
    chunk(json!({ "tool_calls": [{ "index": 0, "id": id, "type": "function", "function": function }] }), None)
}

/// The events of a reply with one call.
fn reply((name, args): (&str, Value), id: &str) -> Vec<Value> {
    let usage = json!({ "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100 });
    vec![
        part(id, name, &args.to_string()),
        chunk(json!({}), Some("tool_calls")),
        json!({ "choices": [], "usage": usage }),
    ]
}

/// One query, then the end of the turn.
pub(crate) fn two_steps(body: &Value, ids: [&str; 2]) -> Vec<Value> {
    if called(body) { reply(end(), ids[1]) } else { reply(query(), ids[0]) }
}

pub(crate) const IDS: [&str; 2] = ["call_a", "call_b"];

pub(crate) fn stream(events: &[Value]) -> Played {
    raw(&events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>())
}

fn raw(events: &str) -> Played {
    let head = ["200 OK".to_owned(), "content-type: text/event-stream".to_owned()];
    framed(&head, format!("{events}data: [DONE]\n\n").as_bytes(), Framing::Length)
}

fn refused(status: &str, body: &Value) -> Played {
    let head = [status.to_owned(), "content-type: application/json".to_owned()];
    framed(&head, body.to_string().as_bytes(), Framing::Length)
}

fn wrong(message: &str) -> Played {
    refused("400 Bad Request", &json!({ "error": { "message": message, "type": "invalid_request_error" } }))
}

/// Nine letters and digits, and no other ids.
fn nine_letter_ids(body: &Value, _: usize) -> Played {
    let ids = messages(body).flat_map(|message| {
        let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| &call["id"]);
        calls.chain((message["role"] == "tool").then_some(&message["tool_call_id"])).collect::<Vec<_>>()
    });
    let is_nine = |id: &&str| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric());
    match ids.map(|id| id.as_str().unwrap()).find(|id| !is_nine(id)) {
        Some(id) => wrong(&format!("the tool call id {id} is not nine of a-z, A-Z, 0-9")),
        None => stream(&two_steps(body, ["D681PevKs", "D681PevK2"])),
    }
}

fn reasoning_back(body: &Value, _: usize) -> Played {
    let lacks = |message: &Value| message["tool_calls"].is_array() && message["reasoning_content"] != "The data first.";
    if messages(body).any(lacks) {
        return wrong("a message of the assistant lacks its reasoning_content");
    }
    let thought = ["The data", " first."].map(|text| chunk(json!({ "reasoning_content": text }), None));
    stream(&[thought.to_vec(), two_steps(body, IDS)].concat())
}

fn no_required_choice(body: &Value, _: usize) -> Played {
    if body.get("tool_choice").is_some() {
        return wrong("thinking mode does not support this tool_choice");
    }
    stream(&two_steps(body, IDS))
}

/// The same of every other part that can be left out, one after the other.
fn nothing_extra(body: &Value, _: usize) -> Played {
    let extra = ["tool_choice", "stream_options", "max_tokens"].into_iter().find(|key| body.get(key).is_some());
    match extra {
        Some(key) => wrong(&format!("Unsupported parameter: '{key}' is not supported with this model.")),
        None => stream(&two_steps(body, IDS)),
    }
}

/// An answer that the server could not read itself.
fn failed_generation(body: &Value, n: usize) -> Played {
    if n % 3 == 1 {
        let said = "<function=end_turn{\"outcome\": \"drafted\"}</function>";
        let error =
            json!({ "message": "failed to call a function", "code": "tool_use_failed", "failed_generation": said });
        return refused("400 Bad Request", &json!({ "error": error }));
    }
    stream(&two_steps(body, IDS))
}

fn empty_finish(body: &Value, _: usize) -> Played {
    let (name, args) = if called(body) { end() } else { query() };
    let text = args.to_string();
    let (first, second) = text.split_at(text.len() / 2);
    let more = json!({ "tool_calls": [{ "index": 0, "function": { "arguments": second } }] });
    let mut events =
        vec![chunk(json!({ "content": "" }), Some("")), part("call_a", name, first), chunk(more, Some(""))];
    events.extend(reply(query(), "").split_off(1));
    stream(&events)
}

fn two_finishes(body: &Value, _: usize) -> Played {
    let mut events = two_steps(body, IDS);
    events.insert(2, chunk(json!({}), Some("stop")));
    stream(&events)
}

fn functions_prefix(body: &Value, _: usize) -> Played {
    let (name, args) = if called(body) { end() } else { query() };
    stream(&reply((&format!("functions.{name}"), args), &format!("functions.{name}:0")))
}

fn text_for_object(body: &Value, _: usize) -> Played {
    let (name, mut args) = end();
    args["writes"] = args["writes"].to_string().into();
    stream(&if called(body) { reply((name, args), "call_b") } else { reply(query(), "call_a") })
}

/// The leaf in two pieces, each with half of it.
fn halved_emoji(body: &Value, _: usize) -> Played {
    let half = |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let steps: String = two_steps(body, IDS).iter().map(|event| format!("data: {event}\n\n")).collect();
    raw(&format!("{}{}{steps}", half("Good \\ud83c"), half("\\udf3f news")))
}

fn cache_hits(_: &Value, _: usize) -> Played {
    let mut events = reply(end(), "call_b");
    events[2]["usage"] = json!({
        "prompt_tokens": 2000, "completion_tokens": 100, "prompt_cache_hit_tokens": 1800, "prompt_cache_miss_tokens": 200,
    });
    stream(&events)
}

/// A quota of a minute, in words that also fit an account without credit.
fn minute_quota(body: &Value, n: usize) -> Played {
    if !n.is_multiple_of(3) {
        return stream(&two_steps(body, IDS));
    }
    let violations = json!([{ "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "10" }]);
    let details = json!([
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.01s" },
    ]);
    let message = "current quota exceeded, check plan and billing; retry in 0.01s";
    let error = json!({ "code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details });
    refused("429 Too Many Requests", &json!([{ "error": error }]))
}

fn long_invalid(_: &Value, _: usize) -> Played {
    let (name, mut args) = end();
    args["writes"]["post"]["versions"][0]["text"] = "word ".repeat(5_000).into();
    stream(&reply((name, args), "call_b"))
}

/// A read beside the end: the read is done, the end is refused as the call that it is.
fn end_beside_a_read(body: &Value, _: usize) -> Played {
    if called(body) {
        return stream(&reply(end(), "call_c"));
    }
    let mut second = part("call_b", end().0, &end().1.to_string());
    second["choices"][0]["delta"]["tool_calls"][0]["index"] = 1.into();
    let mut events = reply(query(), "call_a");
    events.insert(1, second);
    stream(&events)
}

fn unknown_tool(body: &Value, _: usize) -> Played {
    stream(&if called(body) { reply(end(), "call_b") } else { reply(("search-the.web", json!({})), "call_a") })
}

fn end_that_is_no_json(body: &Value, _: usize) -> Played {
    let broken = vec![part("call_a", "end_turn", "{\"outcome\": drafted}"), chunk(json!({}), Some("stop"))];
    stream(&if called(body) { reply(end(), "call_b") } else { broken })
}

fn call_as_text(body: &Value, _: usize) -> Played {
    let (name, args) = if called(body) { end() } else { query() };
    let call = json!({ "name": name, "arguments": args });
    let text = format!("I begin.\n<tool_call>\n{call}\n</tool_call>");
    stream(&[chunk(json!({ "content": text }), None), chunk(json!({}), Some("stop"))])
}

/// The same between fences, and as nothing but its JSON.
fn call_in_fences(body: &Value, _: usize) -> Played {
    let (name, args) = if called(body) { end() } else { query() };
    let call = json!({ "name": name, "arguments": args });
    let text = if called(body) { call.to_string() } else { format!("I begin.\n```json\n{call}\n```") };
    stream(&[chunk(json!({ "content": text }), None), chunk(json!({}), Some("stop"))])
}

/// A server that loads its model at first, whose one slot is then taken, and that dies once within a reply.
fn comes_up(body: &Value, n: usize) -> Played {
    let away = |message: &str| json!({ "error": { "code": 503, "message": message, "type": "unavailable_error" } });
    match n {
        0 => refused("503 Service Unavailable", &away("Loading model")),
        1 => refused("503 Service Unavailable", &away("no slot available")),
        2 => Played { then: Then::Close, ..framed(&events_head(), b"data: {\"choices\":[", Framing::Broken) },
        _ => stream(&two_steps(body, IDS)),
    }
}

fn events_head() -> [String; 2] {
    ["200 OK", "content-type: text/event-stream"].map(str::to_owned)
}

const SITUATIONS: [(&str, Says); 19] = [
    ("nine_letter_ids", nine_letter_ids),
    ("reasoning_back", reasoning_back),
    ("no_required_choice", no_required_choice),
    ("nothing_extra", nothing_extra),
    ("failed_generation", failed_generation),
    ("empty_finish", empty_finish),
    ("two_finishes", two_finishes),
    ("functions_prefix", functions_prefix),
    ("text_for_object", text_for_object),
    ("halved_emoji", halved_emoji),
    ("cache_hits", cache_hits),
    ("minute_quota", minute_quota),
    ("long_invalid", long_invalid),
    ("end_beside_a_read", end_beside_a_read),
    ("unknown_tool", unknown_tool),
    ("end_that_is_no_json", end_that_is_no_json),
    ("call_as_text", call_as_text),
    ("call_in_fences", call_in_fences),
    ("comes_up", comes_up),
];

/// The analyst, with a model that costs.
pub(crate) fn plan() -> Plan {
    let settings = settings(&root());
    let around = app::surroundings(&settings, Mode::Rehearsal).unwrap();
    let mut plan = Plan { mode: Mode::Live, script: None, ..check("ask", &settings.folder(), &around).unwrap().plan };
    (plan.supervisor.backoff_initial_ms, plan.supervisor.backoff_max_ms) = (1, 1);
    for spec in plan.models.values_mut() {
        spec.model = "local/m1".to_owned();
        spec.input_per_million = NanoUsd(1_000_000_000);
        spec.output_per_million = NanoUsd(2_000_000_000);
        spec.cached_per_million = Some(NanoUsd(100_000_000));
    }
    plan
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/quirks")
}

/// What came of a run.
struct Came<'r, 'a> {
    name: &'static str,
    run: &'r Driven<'a>,
    requests: Vec<Value>,
}

impl Came<'_, '_> {
    fn replies(&self) -> Vec<Value> {
        let replied = |event| match event {
            Event::EffectSettled { result: Settled::Replied(replied), .. } => Some(self.run.body(replied.body.digest)),
            _ => None,
        };
        self.run.facts().into_iter().filter_map(|fact| replied(fact.is)).collect()
    }

    fn failures(&self) -> Vec<Class> {
        let failed = |event| match event {
            Event::EffectFailed { class, .. } => Some(class),
            _ => None,
        };
        self.run.facts().into_iter().filter_map(|fact| failed(fact.is)).collect()
    }

    /// What the last request shows of the results of calls.
    fn results(&self) -> Vec<String> {
        let last = self.requests.last().unwrap();
        let results = messages(last).filter(|message| message["role"] == "tool");
        results.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }

    fn noted(&self) -> Vec<String> {
        self.replies().iter().filter_map(|reply| reply.get("noted")).map(Value::to_string).collect()
    }

    /// What is particular to the situation.
    fn holds(&self) {
        let (name, results) = (self.name, self.results());
        let sent = |key: &str| self.requests.iter().filter(|body| body.get(key).is_some()).count();
        match name {
            "no_required_choice" => assert_eq!(sent("tool_choice"), 1, "the refusal is remembered"),
            "nothing_extra" => {
                assert_eq!((sent("tool_choice"), sent("stream_options"), sent("max_tokens")), (1, 2, 3));
                assert_eq!(self.requests.last().unwrap()["max_completion_tokens"], 2_000);
            }
            "failed_generation" => assert_eq!(self.failures(), [Class::Invalid]),
            "minute_quota" => assert_eq!(self.failures(), [Class::Throttled]),
            "text_for_object" => assert!(self.noted()[0].contains("writes came as a text"), "{:?}", self.noted()),
            "comes_up" => {
                assert_eq!(self.failures(), [Class::Transient; 3]);
                let told = self.run.facts().into_iter().filter_map(|fact| match fact.is {
                    Event::EffectFailed { reason, .. } => {
                        Some(self.run.body(reason.told().unwrap().digest).to_string())
                    }
                    _ => None,
                });
                let words = ["Loading model", "no slot available", "the connection broke within the reply"];
                told.zip(words).for_each(|(told, words)| assert!(told.contains(words), "{told}"));
            }
            "call_as_text" | "call_in_fences" => assert_eq!(self.noted().len(), 2, "{:?}", self.noted()),
            // 200 new at 1 dollar a million, 1,800 cached at 10 cents, 100 out at 2 dollars.
            "cache_hits" => assert_eq!(self.run.state().ledger.spent.cost, NanoUsd(200_000 + 180_000 + 200_000)),
            "end_beside_a_read" => {
                assert!(results[0].contains("north") && results[1].contains("call it alone"), "{results:?}");
            }
            "unknown_tool" => {
                let call = messages(self.requests.last().unwrap()).find_map(|message| message.get("tool_calls"));
                assert_eq!(call.unwrap()[0]["function"]["name"], "search_the_web", "as near as providers take it");
                assert!(results[0].contains("there are: perf_query, stats_compare, end_turn"), "{results:?}");
            }
            "end_that_is_no_json" => assert!(results[0].contains("not JSON"), "{results:?}"),
            _ => {}
        }
        let words = self.requests.iter().map(Value::to_string);
        words.for_each(|words| assert!(!words.contains("{\\\"Ok\\\"") && !words.contains("Err("), "{name}: {words}"));
    }

    /// A value that is much too long is before its writer once a request, and not in the reason.
    fn is_short(&self) {
        assert_eq!(self.run.state().status(), Status::Stuck, "{:?}", self.run.reasons());
        for (nth, body) in self.requests.iter().enumerate() {
            assert_eq!(body.to_string().matches("word word word").count() / 1_666, nth, "once for each answer");
        }
        let results = self.results();
        assert!(!results.is_empty() && results.iter().all(|text| text.len() < REASON_BYTES_MAX), "{results:?}");
    }
}

/// A rig whose models are at a server that says this, and what it was asked.
pub(crate) fn rig(says: Says) -> (Rig, Arc<Mutex<Vec<Value>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let base = serve(move |asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let mut seen = seen.lock().unwrap();
        seen.push(body.clone());
        says(&body, seen.len() - 1)
    });
    (rig_at(base), requests)
}

/// A rig whose models are at the server there.
fn rig_at(base: String) -> Rig {
    let endpoint = move |_: &str| Ok(Endpoint::new(Dialect::OpenAi, format!("{base}/v1")));
    let mut rig = Rig::new();
    rig.tools = app::tools(&settings(&root())).unwrap();
    rig.live = Some(Arc::new(Live::new(Box::new(|| Machine.now()), Box::new(endpoint))));
    rig
}

/// It answers one request and is gone; when the next one has failed, it is there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_between_two_calls_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let says = |asked: &Asked| stream(&two_steps(&serde_json::from_str(&asked.body).unwrap(), IDS));
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        drop(listener);
        let asked = read(&mut connection).unwrap();
        connection.write_all(&says(&asked).bytes).unwrap();
    });
    let rig = rig_at(format!("http://{address}"));
    let mut plan = plan();
    // Long enough that it is back before all attempts are made.
    (plan.supervisor.backoff_initial_ms, plan.supervisor.backoff_max_ms) = (500, 500);
    let system = rig.system().await;
    let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    run.until("a second attempt", |state| state.effects.values().any(|effect| effect.attempt > 1)).await;
    serve_at(TcpListener::bind(address).unwrap(), says);
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    run.system.stop().await;
}

/// Whoever is cut off once their request is there whole may have been worked for: that counts as spent, and not as often as others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_answers_counts_as_spent_and_is_made_four_times_at_most() {
    let (rig, requests) = rig(|_, _| Played { bytes: Vec::new(), then: Then::Close });
    let mut plan = plan();
    (plan.supervisor.backoff_initial_ms, plan.supervisor.backoff_max_ms) = (1, 1);
    let system = rig.system().await;
    let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    assert_eq!(run.settled().await, Status::Stuck, "{:?}", run.reasons());
    let failed = run.facts().into_iter().filter_map(|fact| match fact.is {
        Event::EffectFailed { class, spent, .. } => Some((class, spent.tokens > 0)),
        _ => None,
    });
    assert_eq!(failed.collect::<Vec<_>>(), [(Class::Transient, true); 4]);
    assert_eq!(requests.lock().unwrap().len(), 4);
    assert!(run.reasons()[0].contains("the connection broke before an answer"), "{:?}", run.reasons());
    run.system.stop().await;
}

async fn play(name: &'static str, says: Says) {
    let (rig, requests) = rig(says);
    let plan = plan();
    let system = rig.system().await;
    let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    let status = run.settled().await;
    let requests = requests.lock().unwrap().clone();
    let came = Came { name, run: &run, requests };
    if name == "long_invalid" {
        return came.is_short();
    }
    assert_eq!(status, Status::Ended(Ending::Done), "{name}: {:?}", run.reasons());
    came.holds();
    run.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_quirks_come_to_an_end() {
    for (name, says) in SITUATIONS {
        play(name, says).await;
    }
}

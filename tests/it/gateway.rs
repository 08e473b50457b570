//! A gateway between Callsheet and its models: LiteLLM, from its package, speaks to the scripted server in its own way and to us
//! in two dialects. The shipped campaigns come to what their rehearsals come to, and what it makes of a failing server is typed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use callsheet::failure::{Class, Failure, Usage};
use callsheet::model::prompt::Said;
use callsheet::model::wire::{Endpoint, Heard, Key, Limits, Wire};
use callsheet::topology::plan::Dialect;
use serde_json::{Value, json};

use crate::providers::{CAMPAIGNS, Mock, compare, fixtures, live, rehearsed, run};
use crate::replies;
use crate::support::{Rig, shipped};
use crate::tools::is_there;
use crate::wire::prompt;
use crate::wire::server::{Asked, Framing, Played, framed, serve};

/// The gateway's key; it does not begin without one.
const KEY: &str = "sk-gateway-of-the-tests";

const DIALECTS: [Dialect; 2] = [Dialect::OpenAi, Dialect::Anthropic];

/// What it does not do: count itself, fetch prices, fetch tokenizers.
const OFFLINE: [(&str, &str); 5] = [
    ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    ("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True"),
    ("LITELLM_TELEMETRY", "False"),
    ("HF_HUB_OFFLINE", "1"),
    ("DISABLE_ADMIN_UI", "True"),
];

/// The gateway, as long as the test runs.
struct Gateway {
    child: Child,
    base: String,
    _config: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// A gateway to the models of these names, each with its server.
    fn start(models: &[(&str, String)]) -> Self {
        let model = |(name, base): &(&str, String)| {
            let params =
                json!({ "model": format!("openai/{name}"), "api_base": format!("{base}/v1"), "api_key": "none" });
            json!({ "model_name": name, "litellm_params": params })
        };
        let config = json!({
            "model_list": models.iter().map(model).collect::<Vec<_>>(),
            // One request of ours is one of its own, so that a server is asked what we asked it.
            "router_settings": { "num_retries": 0, "disable_cooldowns": true },
            "litellm_settings": { "telemetry": false, "use_chat_completions_url_for_anthropic_messages": true },
            "general_settings": { "master_key": KEY },
        });
        let folder = tempfile::tempdir().unwrap();
        // YAML, as which JSON can be read.
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut child = Command::new(python())
            .current_dir(folder.path())
            .args(["-m", "uvicorn", "litellm.proxy.proxy_server:app", "--host", "127.0.0.1", "--port", "0"])
            .env("CONFIG_FILE_PATH", &file)
            .envs(OFFLINE)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let listening = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let base = line.split_once("running on ").and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned);
            said.push(line);
            base
        });
        // What it says goes on being read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let base = listening.unwrap_or_else(|| panic!("the gateway did not begin:\n{}", said.join("\n")));
        Self { child, base, _config: folder }
    }

    fn endpoint(&self, dialect: Dialect) -> Endpoint {
        Endpoint { key: Some(Key::new(KEY)), ..Endpoint::new(dialect, format!("{}/v1", self.base)) }
    }
}

fn python() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/providers/gateway/bin/python")
}

/// What the server behind the gateway says, and what must come of it in each dialect.
struct Behind {
    name: &'static str,
    says: fn(&Asked) -> Played,
    class: Option<Class>,
    words: &'static [&'static str],
}

/// A reply with a call, of which some words are replaced.
fn but(from: &str, to: &str) -> Played {
    let text = replies::stream(&[("done", json!({}))], Some((50, 7))).replace(from, to);
    framed(&["200 OK".to_owned(), "content-type: text/event-stream".to_owned()], text.as_bytes(), Framing::Length)
}

fn refused(status: &str, message: &str, code: &str) -> Played {
    let body = json!({ "error": { "message": message, "type": code, "code": code } }).to_string();
    let wait = if code == "rate_limit_exceeded" { "retry-after: 7" } else { "x-wait: none" };
    let head = [status, "content-type: application/json", wait].map(str::to_owned);
    framed(&head, body.as_bytes(), Framing::Length)
}

const BEHIND: [Behind; 11] = [
    Behind { name: "a call", says: |_| but("", ""), class: None, words: &[] },
    Behind { name: "no usage", says: |_| replies::played(&[("done", json!({}))], None), class: None, words: &[] },
    Behind {
        name: "no choice of tools",
        says: |asked| match asked.body.contains("tool_choice") {
            true => refused("400 Bad Request", "tool_choice is not supported by this model", "invalid_request_error"),
            false => but("", ""),
        },
        class: None,
        words: &[],
    },
    Behind {
        name: "a reply at its cap",
        says: |_| but("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"length\""),
        class: Some(Class::Truncated),
        words: &["its cap"],
    },
    Behind {
        name: "a filter",
        says: |_| but("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"content_filter\""),
        class: Some(Class::Refused),
        words: &["refused"],
    },
    Behind {
        name: "a throttling",
        says: |_| refused("429 Too Many Requests", "slow down", "rate_limit_exceeded"),
        class: Some(Class::Throttled),
        words: &["asked to wait", "slow down"],
    },
    Behind {
        name: "a spent account",
        says: |_| {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            refused("429 Too Many Requests", message, "insufficient_quota")
        },
        class: Some(Class::Permanent),
        words: &["credit or quota is spent"],
    },
    Behind {
        name: "a model that loads",
        says: |_| refused("503 Service Unavailable", "Loading model", "unavailable_error"),
        class: Some(Class::Transient),
        words: &["HTTP 503", "Loading model"],
    },
    Behind {
        name: "a context that is too small",
        says: |_| {
            refused("400 Bad Request", "the request exceeds the available context size", "exceed_context_size_error")
        },
        class: Some(Class::Permanent),
        words: &["too long for the model"],
    },
    Behind {
        name: "a wrong key behind it",
        says: |_| refused("401 Unauthorized", "Incorrect API key provided", "invalid_api_key"),
        class: Some(Class::Permanent),
        words: &["refuses its key", "Incorrect API key"],
    },
    Behind {
        name: "a server that dies within its reply",
        says: |_| {
            but(
                "data: {\"choices\":[{\"delta\":{},\"finish",
                "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\ndata: {\"choices\":[{\"delta\":{},\"finish",
            )
        },
        class: Some(Class::Transient),
        words: &["out of memory"],
    },
];

/// The server of all these cases: the case's name stands in the request.
fn behind() -> String {
    serve(|asked| {
        let case = BEHIND.iter().find(|case| asked.body.contains(&format!("Case: {}.", case.name)));
        (case.unwrap_or_else(|| panic!("no case in {}", asked.body)).says)(asked)
    })
}

async fn say(endpoint: &Endpoint, model: &str, name: &str) -> Result<Heard, Failure> {
    let mut prompt = prompt();
    prompt.said = Vec::from([Said::User(format!("Case: {name}."))]);
    Wire::new(Limits::default()).unwrap().say(endpoint, model, &prompt, &|_| {}).await
}

async fn check(endpoint: &Endpoint, case: &Behind) {
    let came = say(endpoint, "behind", case.name).await;
    let told = format!("{}, {:?}: {came:?}", case.name, endpoint.dialect);
    println!("{told}");
    let failure = match (came, case.class) {
        (Ok(heard), None) => {
            assert_eq!(heard.spoken.calls.len(), 1, "{told}");
            // Where the server counts nothing, the gateway makes a count up, and nobody can tell.
            let usage = heard.usage.unwrap_or_else(|| panic!("{told}"));
            assert!(case.name == "no usage" || (usage.input_tokens, usage.output_tokens) == (50, 7), "{told}");
            return;
        }
        (Err(failure), Some(class)) if failure.class == class => failure,
        _ => panic!("{told}"),
    };
    case.words.iter().for_each(|words| assert!(failure.reason.contains(words), "{told}"));
    assert_eq!(failure.too_long, case.name.contains("context"), "{told}");
    let has_begun = ["a reply at its cap", "a filter", "a server that dies within its reply"].contains(&case.name);
    assert_eq!(failure.usage == Some(Usage::NOTHING), !has_begun, "{told}");
    if case.name == "a throttling" && endpoint.dialect == Dialect::OpenAi {
        assert_eq!(failure.retry_after_ms, Some(7_000), "its server said how long: {told}");
    }
}

/// What the gateway itself refuses.
async fn refuses(endpoint: &Endpoint) {
    let unknown = say(endpoint, "other", "none").await.unwrap_err();
    assert!(unknown.reason.contains("no such model"), "{}", unknown.reason);
    let foreign = Endpoint { key: Some(Key::new("sk-of-somebody-else")), ..endpoint.clone() };
    let keyless = Endpoint { key: None, ..endpoint.clone() };
    for (endpoint, words) in [(foreign, "refuses its key"), (keyless, "asks for a key")] {
        let failure = say(&endpoint, "behind", "none").await.unwrap_err();
        assert_eq!((failure.class, failure.usage), (Class::Permanent, Some(Usage::NOTHING)), "{}", failure.reason);
        assert!(failure.reason.contains(words), "{}", failure.reason);
    }
}

/// One test, since the gateway takes half a minute of a processor to begin.
#[test]
fn campaigns_come_to_the_same_through_a_gateway_and_its_failures_are_typed() {
    if !is_there(&python(), "the campaigns through a gateway need LiteLLM") {
        return;
    }
    run(async {
        let rigs = CAMPAIGNS.map(|campaign| (campaign, Rig::new(), shipped(campaign)));
        let (mut rehearsals, mut mocks) = (Vec::new(), Vec::new());
        for (campaign, rig, plan) in &rigs {
            let rehearsal = rehearsed(rig, plan).await;
            let said: Vec<Value> = fixtures(&rehearsal);
            let Some(mock) = Mock::start(&said, None) else { return };
            rehearsals.push((campaign, live(plan, campaign), rehearsal));
            mocks.push((*campaign, mock));
        }
        let servers = mocks.iter().map(|(campaign, mock)| (*campaign, mock.base.clone()));
        let servers: Vec<_> = servers.chain([("behind", behind())]).collect();
        let gateway = Gateway::start(&servers);
        for endpoint in DIALECTS.map(|dialect| gateway.endpoint(dialect)) {
            for case in &BEHIND {
                check(&endpoint, case).await;
            }
            refuses(&endpoint).await;
            for (campaign, plan, rehearsal) in &rehearsals {
                let name = format!("{campaign} through a gateway, {:?}", endpoint.dialect);
                compare(plan, rehearsal, endpoint.clone(), &name).await;
            }
        }
    });
}

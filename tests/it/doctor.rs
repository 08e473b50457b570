//! `callsheet doctor` tries each model that live runs would ask, once, and says what works of it or what to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::cli::Project;
use super::wire::server::{Asked, Framing, Played, framed, listening, self_signed, serve};

fn answer(status: &str, kind: &str, body: &str) -> Played {
    framed(&[status.to_owned(), format!("content-type: {kind}")], body.as_bytes(), Framing::Length)
}

pub(crate) fn document(message: &str) -> Played {
    let usage = r#"{"prompt_tokens":41,"completion_tokens":7}"#;
    let body = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}],"usage":{usage}}}"#);
    answer("200 OK", "application/json", &body)
}

fn calls(name: &str, args: &str) -> String {
    let function = serde_json::json!({ "name": name, "arguments": args });
    let call = serde_json::json!({ "id": "c", "type": "function", "function": function });
    serde_json::json!({ "role": "assistant", "tool_calls": [call] }).to_string()
}

const COUNTS: (&str, &str) = ("count_things", r#"{"kind":"apples","where":{"room":"kitchen"}}"#);
const ENDS: (&str, &str) = ("finish", r#"{"note":"Three.","outcome":"counted"}"#);

/// A model that does what it is asked for: a call, and the end after its result.
pub(crate) fn works(asked: &Asked) -> Played {
    let (name, args) = if asked.body.contains("\"tool\"") { ENDS } else { COUNTS };
    document(&calls(name, args))
}

/// One that makes the same call as long as it can.
pub(crate) fn circles(asked: &Asked) -> Played {
    let (name, args) = if asked.body.contains("Counts things") { COUNTS } else { ENDS };
    document(&calls(name, args))
}

pub(crate) fn writes(asked: &Asked) -> Played {
    let (name, args) = if asked.body.contains("\"tool\"") { ENDS } else { COUNTS };
    let text = format!("<tool_call>{{\"name\":\"{name}\",\"arguments\":{args}}}</tool_call>");
    document(&serde_json::json!({ "role": "assistant", "content": text }).to_string())
}

/// A server that knows calls and no results of them.
fn forgets(asked: &Asked) -> Played {
    if asked.body.contains("\"tool\"") {
        return answer("400 Bad Request", "application/json", r#"{"error":{"message":"role tool is not known here"}}"#);
    }
    document(&calls(COUNTS.0, COUNTS.1))
}

/// A server that knows no calls: the answer is words, or has the form that is asked for.
pub(crate) fn forms(asked: &Asked) -> Played {
    let is_second = asked.body.contains("Result of `count_things`");
    let (name, args) = if is_second { ENDS } else { COUNTS };
    let text = match asked.body.contains("json_schema") {
        true => format!(r#"{{"call":{{"name":"{name}","arguments":{args}}}}}"#),
        false => "I would count them.".to_owned(),
    };
    document(&serde_json::json!({ "role": "assistant", "content": text }).to_string())
}

/// The same of one that writes its calls as text where no form is asked for.
fn forms_or_writes(asked: &Asked) -> Played {
    if asked.body.contains("json_schema") { forms(asked) } else { writes(asked) }
}

/// The same of one whose calls do not have their form.
fn forms_or_misfits(asked: &Asked) -> Played {
    match asked.body.contains("json_schema") {
        true => forms(asked),
        false => document(&calls(COUNTS.0, r#"{"where":"kitchen"}"#)),
    }
}

type Says = fn(&Asked) -> Played;

/// What a server says, what doctor says of that, and how often the server was asked.
const CASES: [(&str, Says, &[&str], u32); 15] = [
    (
        "it works",
        works,
        &["ok model local/m", "calls the tool", "ends after its result", "82 tokens in, 14 out", "tokens a second"],
        2,
    ),
    ("it works in a circle", circles, &["ok model local/m", "made the same call twice"], 3),
    ("it works as text", writes, &["ok model local/m", "writes its calls as text", "makes calls of them is safer"], 5),
    (
        "it works as text, or in a form",
        forms_or_writes,
        &["ok model local/m", "writes its calls as text", "json_schema\" under [models.providers.local]"],
        4,
    ),
    (
        "only in a form",
        forms,
        &["not ok model local/m", "does not call the tool", "json_schema\" under [models.providers.local]", "it works"],
        3,
    ),
    (
        "a misfit, but in a form",
        forms_or_misfits,
        &["not ok model local/m", "not as its form says", "json_schema\" under [models.providers.local]"],
        3,
    ),
    ("no second step", forgets, &["not ok model local/m", "its first call works", "role tool is not known"], 2),
    (
        "a misfit",
        |_| document(&calls(COUNTS.0, r#"{"kind":"plums","where":"kitchen"}"#)),
        &["not ok model local/m", "not as its form says", "larger model"],
        2,
    ),
    (
        "too little room",
        |_| {
            answer(
                "400 Bad Request",
                "application/json",
                r#"{"error":{"message":"exceeds the available context size"}}"#,
            )
        },
        &["not ok model local/m", "too long", "larger context"],
        1,
    ),
    (
        "no tools",
        |_| document(r#"{"role":"assistant","content":"I am ready!"}"#),
        &["not ok model local/m", "does not call the tool", "it cannot", "name another one", "--jinja"],
        2,
    ),
    (
        "tools refused",
        |_| answer("400 Bad Request", "application/json", r#"{"error":{"message":"m does not support tools"}}"#),
        &["not ok model local/m", "does not support tools", "check the model's name"],
        1,
    ),
    (
        "a page",
        |_| answer("200 OK", "text/html", "<!doctype html><html>Welcome</html>"),
        &["not ok model local/m", "a page (HTML)", "check that base_url is that of an API"],
        1,
    ),
    (
        "a wrong key",
        |_| answer("401 Unauthorized", "application/json", r#"{"error":{"message":"Incorrect API key"}}"#),
        &["not ok model local/m", "refuses its key", "key_env or key_file"],
        1,
    ),
    (
        "an unknown model",
        |_| answer("404 Not Found", "application/json", r#"{"error":{"message":"no model m"}}"#),
        &["not ok model local/m", "no such model", "check the model's name"],
        1,
    ),
    (
        "a failing server",
        |_| answer("503 Service Unavailable", "text/plain", "starting"),
        &["not ok model local/m", "HTTP 503", "is its server running"],
        1,
    ),
];

/// The shipped project with a provider `local` at `base`.
fn project(base: &str) -> Project {
    let project = Project::new();
    let table = format!(
        "[models.providers.local]\ndialect = \"openai\"\nbase_url = \"{base}/v1\"\nkey_env = \"LOCAL_KEY\"\n\n\
         [models.prices.\"anthropic/"
    );
    project.replace("callsheet.toml", "[models.prices.\"anthropic/", &table);
    project
}

fn doctor(project: &Project, key: Option<&str>, line: &[&str]) -> (i32, String) {
    let mut command = project.command();
    command.args(line).env_remove("LOCAL_KEY");
    command.envs(key.map(|key| ("LOCAL_KEY", key)));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn says(name: &str, (code, text): &(i32, String), exit: i32, needles: &[&str]) {
    assert_eq!(*code, exit, "{name}: {text}");
    needles.iter().for_each(|needle| assert!(text.contains(needle), "{name} does not say {needle:?}:\n{text}"));
    assert!(!text.contains("hunter22hunter22"), "{name}: {text}");
}

const LIVE: [&str; 3] = ["doctor", "--model", "local/m"];
const KEY: Option<&str> = Some("hunter22hunter22");

#[test]
fn each_model_is_tried_once_and_what_is_wrong_comes_with_what_to_do() {
    for (name, answer, needles, steps) in CASES {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let base = serve(move |request| {
            count.fetch_add(1, Ordering::SeqCst);
            answer(request)
        });
        let came = doctor(&project(&base), KEY, &LIVE);
        let is_well = name.starts_with("it works");
        says(name, &came, i32::from(!is_well), needles);
        // The default and the alias `judge` are the same model: once each step.
        assert_eq!(asked.load(Ordering::SeqCst), steps, "{name}");
    }
}

#[test]
fn who_cannot_be_reached_is_told_and_nobody_is_called_who_need_not_be() {
    let https = self_signed().replace("http://", "https://");
    let came = doctor(&project(&https), KEY, &LIVE);
    says("a certificate", &came, 1, &["not ok model local/m", "no trusted connection (TLS)"]);
    let nobody = project("http://127.0.0.1:1");
    says("nobody there", &doctor(&nobody, KEY, &LIVE), 1, &["no connection", "is its server running"]);
    says("no key", &doctor(&nobody, None, &LIVE), 1, &["needs a key: set LOCAL_KEY"]);
    let run = ["run", "re-engagement", "--model", "local/m"];
    let unpriced = doctor(&nobody, None, &run);
    says("a run without a price", &unpriced, 2, &["has no price", "[models.prices.\"local/m\"]"]);
    let of = |model: &str| doctor(&nobody, None, &["run", "re-engagement", "--model", model]);
    says(
        "a provider nowhere",
        &of("nosuch/m"),
        2,
        &["E016", "there is no provider \"nosuch\"", "[models.providers.nosuch]"],
    );
    says("a name alone", &of("gpt-5"), 2, &["E016", "\"gpt-5\" is not PROVIDER/MODEL", "openrouter"]);
    assert!(!of("nosuch/m").1.contains("E043") && of("nosuch/m").1.contains("1 fault"), "the true fault alone");
    nobody.replace("callsheet.toml", "[models]\n", "[models]\ndefault = \"nosuch/m\"\n");
    let written = doctor(&nobody, None, &["run", "re-engagement"]);
    says("where it is written", &written, 2, &["E016", "--> callsheet.toml:", "default = \"nosuch/m\""]);
    nobody.replace("callsheet.toml", "[models]\ndefault = \"nosuch/m\"\n", "[models]\n");
    nobody.replace("callsheet.toml", "[models]\n", "[models]\nfree = [\"local/m\"]\n");
    let keyless = doctor(&nobody, None, &run);
    says("a run without a key", &keyless, 2, &["needs a key: set LOCAL_KEY"]);
    assert!(!keyless.1.contains("run 1"), "{}", keyless.1);
    let live = doctor(&nobody, KEY, &run);
    says("a run that reaches nobody", &live, 1, &["no connection", "callsheet dead-letters 1", "callsheet doctor"]);
    assert!(live.1.contains("live: local/m (analyst, critic, drafter, planner)"), "{}", live.1);
    let letters = doctor(&nobody, KEY, &["dead-letters", "--json"]);
    says("what failed, as data", &letters, 0, &["\"failed\":{\"model\":\"local/m\"}"]);
    let shown = doctor(&nobody, KEY, &["show"]);
    assert!(shown.1.contains("live: local/m (analyst, critic, drafter, planner)"), "{}", shown.1);
    let models = "\"models\":{\"analyst\":\"local/m\",\"critic\":\"local/m\"";
    for command in [["show", "--json"], ["runs", "--json"]] {
        says("the models, as data", &doctor(&nobody, KEY, &command), 0, &[models]);
    }
    says("offline", &doctor(&nobody, KEY, &["doctor", "--offline", "--model", "local/m"]), 0, &["its key is there"]);
    says("a rehearsal", &doctor(&nobody, KEY, &["doctor"]), 0, &["no model is named: runs are rehearsals"]);
}

#[test]
fn who_is_waited_for_how_long_is_told_and_who_may_be_too_slow() {
    let project = project(&serve(works));
    let offline = ["doctor", "--offline", "--model", "local/m"];
    let by_agents = "a call may take 60 s (requester), 90 s (advocate, analyst, archivist, chair, critic, editor, investigator, judge, opponent, planner, qa.critic, researcher, sceptic, setter, watcher, writer), 120 s \
                     (author, drafter, editor) by the limits of agents; a reply may be silent for 120 s by the limits of agents";
    says("by agents", &doctor(&project, KEY, &offline), 0, &[by_agents]);
    project.replace("callsheet.toml", "dialect = \"openai\"", "dialect = \"openai\"\ncall_timeout = \"1ms\"");
    let wins = "a call may take 1 ms (call_timeout of local/m in callsheet.toml wins); a reply may be silent for 120 s";
    says("by the provider", &doctor(&project, KEY, &offline), 0, &[wins, "models.providers.local.call_timeout"]);
    let slow =
        ["but model local/m", "a reply of `drafter` may have 4000 tokens", "call_timeout = \"1m\"", "output_tokens"];
    says("too slow", &doctor(&project, KEY, &LIVE), 0, &slow);
}

/// A gateway that gives back whatever it got, as an error and as a reply.
fn echoes(asked: &Asked) -> Played {
    static NTH: AtomicU32 = AtomicU32::new(0);
    let text = serde_json::json!(asked.head).to_string();
    match NTH.fetch_add(1, Ordering::SeqCst) {
        0 => answer("500 Oh", "application/json", &format!(r#"{{"error":{{"message":{text}}}}}"#)),
        1 => document(&format!(r#"{{"role":"assistant","content":{text}}}"#)),
        _ => answer("401 Unauthorized", "application/json", &format!(r#"{{"error":{{"message":{text}}}}}"#)),
    }
}

/// Every file below `folder` whose bytes hold `needle`.
fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.map(|path| {
        let held = path.is_file() && std::fs::read(&path).unwrap().windows(needle.len()).any(|part| part == needle);
        if path.is_dir() { holding(&path, needle) } else { held.then_some(path).into_iter().collect() }
    });
    found.flatten().collect()
}

#[test]
fn no_file_and_no_line_of_a_live_run_holds_the_key() {
    let project = project(&serve(echoes));
    project.replace("callsheet.toml", "[models]\n", "[models]\nfree = [\"local/m\"]\n");
    let mut command = project.command();
    command.args(["run", "re-engagement", "--model", "local/m", "--record", "said.toml"]);
    let output = command.env("LOCAL_KEY", "hunter22hunter22").env("CALLSHEET_LOG", "trace").output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("refuses its key") && told.contains("[key]") && told.contains("TRACE"), "{told}");
    assert!(!told.contains("hunter22hunter22"), "{told}");
    let telling = holding(&project.path(""), b"[key]");
    let is_told = |by: &str| telling.iter().any(|path| path.to_string_lossy().contains(by));
    assert!(is_told("journal") && is_told("said.toml"), "the journal and the recording tell of it: {telling:?}");
    assert_eq!(holding(&project.path(""), b"hunter22hunter22"), Vec::<PathBuf>::new());
}

/// The key of a request goes to its server and to nobody whom the environment names.
#[test]
fn a_proxy_in_the_environment_is_never_connected_to() {
    let connected = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&connected);
    let proxy = listening(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    for base in [serve(works), self_signed().replace("http://", "https://")] {
        let is_plain = base.starts_with("http://");
        let project = project(&base);
        let mut command = project.command();
        command.args(LIVE).env("LOCAL_KEY", "hunter22hunter22").env_remove("NO_PROXY").env_remove("no_proxy");
        let output = command.envs(names.map(|name| (name, &proxy))).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(i32::from(!is_plain)), "{base}: {told}");
        assert!(told.contains(if is_plain { "ok model local/m" } else { "(TLS)" }), "{base}: {told}");
    }
    assert_eq!(connected.load(Ordering::SeqCst), 0);
}

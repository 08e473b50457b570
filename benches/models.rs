//! Model calls over real HTTP beside a bare reqwest loop that sends the same requests to the same server, a process of its
//! own that answers at once or after 50 ms: `cargo bench --bench models`. Both take turns in one process.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callsheet::actor::system::System;
use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::run::event::{Ending, Who};
use callsheet::run::input::Brief;
use callsheet::run::state::Status;
use callsheet::topology::check::check;
use callsheet::topology::plan::{Mode, Plan};
use reqwest::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Model calls of a run: a line of so many agents with one reply each.
const CALLS: usize = 5;

/// Runs at once.
const RUNS: usize = 1_000;

/// Answers come at once, or after so long.
const LATENCIES_MS: [u64; 2] = [0, 50];

/// Turns taken by both sides of a comparison, of which the median counts.
const TURNS: usize = 31;

fn main() {
    if let Some(latency) = std::env::args().skip_while(|arg| arg != "serve").nth(1) {
        return Runtime::new().unwrap().block_on(serve(Duration::from_millis(latency.parse().unwrap())));
    }
    for latency_ms in LATENCIES_MS {
        let bench = Bench::new(latency_ms);
        bench.one_by_one();
        if latency_ms > 0 {
            bench.at_once();
        }
    }
}

/// A project, a server for its models, and the requests that one run makes.
struct Bench {
    runtime: Runtime,
    latency_ms: u64,
    settings: Settings,
    plan: Plan,
    base: String,
    client: Client,
    server: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bench {
    fn new(latency_ms: u64) -> Self {
        let mut server = Command::new(std::env::current_exe().unwrap());
        let mut server = server.args(["serve", &latency_ms.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let base = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = project(folder.path(), &base);
        let around = app::surroundings(&settings, Mode::Live).unwrap();
        let checked = check("line", &settings.folder(), &around);
        let plan = checked.unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan;
        let runtime = Runtime::new().unwrap();
        Self { runtime, latency_ms, settings, plan, base, client: client(), server, _folder: folder }
    }

    /// Runs one after the other, beside their requests one after the other.
    fn one_by_one(&self) {
        let running = self.runtime.block_on(app::start(&self.settings)).unwrap();
        let ours = || timed(|| self.runtime.block_on(run(&running.system, &self.plan)));
        ours();
        let requests = self.requests();
        let bare = || timed(|| self.runtime.block_on(bare(&self.client, &self.base, &requests)));
        bare();
        let mut turns: Vec<(Duration, Duration)> = (0..TURNS).map(|_| (ours(), bare())).collect();
        turns.sort_by_key(|(ours, bare)| ours.as_nanos() * 10_000 / bare.as_nanos());
        let each = |time: Duration| time.as_secs_f64() * 1_000.0 / CALLS as f64;
        let mut above: Vec<f64> = turns.iter().map(|(ours, bare)| each(*ours) - each(*bare)).collect();
        above.sort_by(f64::total_cmp);
        let (ours, bare) = turns[TURNS / 2];
        println!(
            "{} ms: {:.2} ms a model call through callsheet, {:.2} bare: {:.2} times; {:.2} ms above it (medians of {TURNS} turns)",
            self.latency_ms,
            each(ours),
            each(bare),
            ours.as_secs_f64() / bare.as_secs_f64(),
            above[TURNS / 2]
        );
        self.runtime.block_on(running.stop());
    }

    /// All runs at once, beside their requests all at once.
    fn at_once(&self) {
        let requests = self.requests();
        let running = self.runtime.block_on(app::start(&self.settings)).unwrap();
        let before = status_mib("VmRSS:");
        let ours = timed(|| {
            let (system, plan) = (&running.system, &Arc::new(self.plan.clone()));
            self.runtime.block_on(all(|| {
                let (system, plan) = (system.clone(), Arc::clone(plan));
                async move { run(&system, &plan).await }
            }));
        });
        let peak = status_mib("VmHWM:");
        self.runtime.block_on(running.stop());
        let requests = Arc::new(requests);
        let bare = timed(|| {
            self.runtime.block_on(all(|| {
                let (client, base, requests) = (self.client.clone(), self.base.clone(), Arc::clone(&requests));
                async move { bare(&client, &base, &requests).await }
            }));
        });
        let ideal = Duration::from_millis(self.latency_ms * CALLS as u64);
        println!(
            "{RUNS} runs of {CALLS} calls at {} ms at once: {ours:.2?} through callsheet, {bare:.2?} bare, {ideal:.2?} ideal: {:.1} \
             and {:.1} times it; peak {peak:.0} MiB, {before:.0} before",
            self.latency_ms,
            ours.as_secs_f64() / ideal.as_secs_f64(),
            bare.as_secs_f64() / ideal.as_secs_f64(),
        );
    }

    /// What the server was last asked by each agent.
    fn requests(&self) -> Vec<String> {
        let heard = self.runtime.block_on(async {
            let answer = self.client.get(&self.base).send().await.unwrap();
            answer.text().await.unwrap()
        });
        let requests: Vec<String> = serde_json::from_str(&heard).unwrap();
        assert_eq!(requests.len(), CALLS);
        requests
    }
}

/// Starts `one` as often as there are runs, and waits for all.
async fn all<F: Future<Output = ()> + Send + 'static>(one: impl Fn() -> F) {
    let tasks: Vec<_> = (0..RUNS).map(|_| tokio::spawn(one())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn timed<T>(what: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    what();
    begun.elapsed()
}

async fn run(system: &System, plan: &Plan) {
    let by = Who { name: "bench".to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false };
    let handle = system.run(plan, &Brief::new(), by).await.unwrap();
    let mut progress = handle.progress();
    let ended = progress.wait_for(|now| now.status != Status::Running).await.unwrap().status;
    assert_eq!(ended, Status::Ended(Ending::Done));
}

/// The same requests, one after the other, each read to its end.
async fn bare(client: &Client, base: &str, requests: &[String]) {
    for request in requests {
        let sent = client.post(format!("{base}/chat/completions")).header("content-type", "application/json");
        let answer = sent.body(request.clone()).send().await.unwrap();
        assert!(answer.text().await.unwrap().ends_with("[DONE]\n\n"));
    }
}

/// As `model::wire` has it.
fn client() -> Client {
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).http1_only().no_proxy().build().unwrap()
}

/// A number of kibibytes of this process, as mebibytes.
fn status_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

/// A project whose topology `line` is a line of agents with models at `base`.
fn project(folder: &Path, base: &str) -> Settings {
    for name in ["agents", "topologies", "schemas"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let models = format!(
        "[models]\ndefault = \"local/model\"\nfree = [\"local/model\"]\n\n[models.providers.local]\ndialect = \"openai\"\n\
         base_url = {base:?}\n"
    );
    write("callsheet.toml", &format!("schema_version = 1\ntimezone = \"UTC\"\n\n{models}"));
    let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] });
    write("schemas/note.json", &schema.to_string());
    write(
        "agents/writer.toml",
        "schema_version = 1\nkind = \"model\"\ndoes = \"Writes a note.\"\noutcomes = [\"written\"]\ninstructions = \"Write a note.\"\n",
    );
    let (mut artefacts, mut team, mut handoffs) = (String::new(), String::new(), "start = \"a0\"\n".to_owned());
    for n in 0..CALLS {
        writeln!(artefacts, "note{n} = {{ schema = \"note\" }}").unwrap();
        writeln!(team, "a{n} = {{ file = \"agents/writer.toml\", writes = [\"note{n}\"] }}").unwrap();
        let to = if n + 1 < CALLS { format!("a{}", n + 1) } else { "end".to_owned() };
        writeln!(handoffs, "a{n} = {to:?}").unwrap();
    }
    let budget = "steps = 1000\ntokens = 10_000_000\ncost_usd = 5.00\nactive_time = \"2h\"\n";
    let topology = format!(
        "schema_version = 1\ndescription = \"A line.\"\n\n[artefacts]\n{artefacts}\n[team]\n{team}\n[handoffs]\n{handoffs}\n\
         [budget]\n{budget}"
    );
    write("topologies/line.toml", &topology);
    let flags = Flags { project: Some(folder.to_owned()), ..Flags::default() };
    Settings::read(&flags, folder, BTreeMap::new()).unwrap()
}

/// What the server was last asked, by agent.
type Heard = Arc<Mutex<BTreeMap<String, String>>>;

/// The server: says where it is, and serves until it is ended.
async fn serve(latency: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(stream, latency, Arc::clone(&heard)));
    }
}

async fn connection(mut stream: TcpStream, latency: Duration, heard: Heard) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    while let Some((head, body)) = request(&mut stream, &mut bytes).await {
        let answer = if head.starts_with("GET") {
            json!(heard.lock().unwrap().values().collect::<Vec<_>>()).to_string()
        } else {
            tokio::time::sleep(latency).await;
            let agent = body.split("You are `").nth(1).unwrap().split('`').next().unwrap();
            let answer = reply(&agent[1..]);
            heard.lock().unwrap().insert(agent.to_owned(), body.clone());
            answer
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request of a connection, with its body; `bytes` is what came of the one after it.
async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let body_end = end + 4 + length.unwrap_or(0);
            if bytes.len() >= body_end {
                let body = String::from_utf8(bytes[end + 4..body_end].to_vec()).unwrap();
                bytes.drain(..body_end);
                return Some((head, body));
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The stream of the reply of agent `a{n}`.
fn reply(n: &str) -> String {
    let writes = BTreeMap::from([(format!("note{n}"), json!({ "text": "Some words about it." }))]);
    let answer = json!({ "outcome": "written", "note": "Written.", "writes": writes }).to_string();
    let call = json!({ "index": 0, "id": "call", "type": "function", "function": { "name": "end_turn", "arguments": answer } });
    let events = [
        json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
        json!({ "choices": [], "usage": { "prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440 } }),
    ];
    events.iter().map(|event| format!("data: {event}\n\n")).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

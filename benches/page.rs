//! The page under load, over HTTP, of a server in a process of its own: how long from a durable record until a browser hears of it while a
//! thousand rehearsals run, requests a second, what 200 browsers cost, and how a run of 100,000 records opens. `cargo bench --bench page`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Rehearsals that run at once, and how slow each is.
const RUNS: usize = 1_000;
const PACE: &str = "300ms";
/// Browsers.
const BROWSERS: usize = 200;
/// Messages to and fro in the long run: about 100,000 records.
const ROUNDS: usize = 8_400;

struct Server {
    child: Child,
    base: String,
    client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(folder: &Path, pace: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.current_dir(folder).env("CALLSHEET_PERSON", "ana").args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(pace.into_iter().flat_map(|pace| ["--pace", pace]));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let link = { lines }.find(|line| line.contains("/enter#")).unwrap();
        let (base, token) = link.trim().split_once("/enter#").unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        let headers = [(reqwest::header::AUTHORIZATION, bearer)].into_iter().collect();
        let client = callsheet::net::client(Duration::from_secs(5)).unwrap().default_headers(headers).build().unwrap();
        Self { child, base: base.to_owned(), client }
    }

    async fn get(&self, path: &str) -> Response {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await.bytes().await.unwrap()).unwrap()
    }

    async fn begins(&self, topology: &str) -> u64 {
        let request = self.client.post(format!("{}/api/runs", self.base));
        let body = json!({ "topology": topology, "rehearse": true }).to_string();
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["run"].as_u64().unwrap_or_else(|| panic!("{topology} does not start: {answer}"))
    }

    /// Until the run does not run any more.
    async fn rests(&self, run: u64) {
        while self.json(&format!("/api/runs/{run}")).await["status"] == "running" {}
    }

    /// Its memory now, in MiB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

/// Two members that hand a note to and fro, so many times.
fn project(folder: &Path) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("callsheet.toml", "schema_version = 1\ntimezone = \"UTC\"\n");
    let agent = |outcome: &str| {
        format!(
            "schema_version = 1\nkind = \"model\"\ndoes = \"It speaks.\"\noutcomes = [\"{outcome}\"]\ninstructions = \"Speak.\"\nlimits = {{ turns = 100000 }}\n"
        )
    };
    write("agents/ping.toml", &agent("said"));
    write("agents/pong.toml", &agent("again"));
    for (name, rounds) in [("short", 20), ("long", ROUNDS)] {
        write(
            &format!("topologies/{name}.toml"),
            &format!(
                "schema_version = 1\ndescription = \"To and fro.\"\nbudget = {{ steps = 1000000, tokens = 900000000, cost_usd = 900.00, active_time = \"600m\" }}\n\
                 [team]\nping = {{}}\npong = {{}}\n[handoffs]\nstart = \"ping\"\nping = \"pong\"\n\
                 pong = {{ again = {{ to = \"ping\", rounds = {rounds}, then = \"end\" }} }}\n"
            ),
        );
        let script = "schema_version = 1\n[[ping]]\nnote = \"Ping.\"\n[[pong]]\nnote = \"Pong.\"\n";
        write(&format!("rehearsals/{name}.toml"), script);
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// How late each record of `run` is heard, in milliseconds, of those that were written after somebody listened.
async fn hears(client: Client, base: String, run: u64) -> Vec<i64> {
    let mut answer = client.get(format!("{base}/api/runs/{run}/events")).send().await.unwrap();
    let listens = now_ms();
    let (mut late, mut text) = (Vec::new(), String::new());
    while let Ok(Some(bytes)) = answer.chunk().await {
        text.push_str(&String::from_utf8_lossy(&bytes));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let record: Value = serde_json::from_str(data).unwrap();
            late.extend(record["fact"]["at"].as_i64().filter(|at| *at > listens).map(|at| now_ms() - at));
            if record["fact"]["is"].get("ended").is_some() {
                return late;
            }
        }
    }
    late
}

fn told(what: &str, mut all: Vec<i64>) {
    all.sort_unstable();
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    println!("{what}: median {} ms, p99 {} ms, most {} ms ({} records)", at(0.5), at(0.99), at(1.0), all.len());
}

async fn events(folder: &Path) {
    let server = Server::start(folder, Some(PACE));
    let idle = server.memory();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(server.begins("short").await);
    }
    let busy = server.memory();
    let mut listening = JoinSet::new();
    for run in runs.iter().rev().take(BROWSERS) {
        listening.spawn(hears(server.client.clone(), server.base.clone(), *run));
    }
    let late: Vec<Vec<i64>> = listening.join_all().await;
    told(
        &format!("a record until one of {BROWSERS} browsers hears it, {RUNS} rehearsals at work"),
        late.into_iter().flatten().collect(),
    );
    println!(
        "memory: {idle:.0} MiB idle, {busy:.0} with {RUNS} runs at work, {:.0} after {BROWSERS} browsers",
        server.memory()
    );
}

async fn requests(folder: &Path) {
    let server = Server::start(folder, None);
    let run = server.begins("short").await;
    server.rests(run).await;
    for path in [format!("/api/runs/{run}"), format!("/runs/{run}"), "/".to_owned(), "/api/runs".to_owned()] {
        let (began, mut asking) = (Instant::now(), JoinSet::new());
        for _ in 0..8 {
            let (client, address) = (server.client.clone(), format!("{}{path}", server.base));
            asking.spawn(async move {
                for _ in 0..100 {
                    client.get(&address).send().await.unwrap().bytes().await.unwrap();
                }
            });
        }
        asking.join_all().await;
        println!("GET {path}: {:.0} a second over 8 connections", 800.0 / began.elapsed().as_secs_f64());
    }
}

async fn large(folder: &Path) {
    let run = {
        let server = Server::start(folder, None);
        let (began, run) = (Instant::now(), server.begins("long").await);
        let mut overview = server.json(&format!("/api/runs/{run}")).await;
        while overview["status"] == "running" {
            tokio::time::sleep(Duration::from_secs(1)).await;
            overview = server.json(&format!("/api/runs/{run}")).await;
        }
        println!("a run of {} records takes {:.1} s", overview["records"], began.elapsed().as_secs_f64());
        run
    };
    let server = Server::start(folder, None);
    for what in ["opened first", "opened again"] {
        let began = Instant::now();
        let page = server.get(&format!("/runs/{run}")).await.bytes().await.unwrap();
        println!("{what}: {:.2} s, {} kB", began.elapsed().as_secs_f64(), page.len() / 1024);
    }
    println!("memory with it: {:.0} MiB", server.memory());
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    if is_wanted("events") {
        events(folder.path()).await;
    }
    if is_wanted("requests") {
        requests(folder.path()).await;
    }
    if is_wanted("large") {
        large(folder.path()).await;
    }
}

//! The campaign workload with model calls over real HTTP, beside a bare loop that sends the same requests to the same
//! server and beside that loop with each step kept in raw SQLite: `cargo bench --bench models`. All sides take turns in one
//! process, so that what counts is the ratio; `benches/README.md` says what each figure is.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]

#[path = "side/project.rs"]
mod project;
#[path = "side/server.rs"]
mod server;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callsheet::actor::history;
use callsheet::actor::system::{self, Handle, System};
use callsheet::app::{self, Running};
use callsheet::run::event::{Decision, Ending, Who};
use callsheet::run::input::{Brief, Post, Say};
use callsheet::run::state::Status;
use callsheet::topology::plan::Plan;
use project::Project;
use reqwest::Client;
use rustix::time::{ClockId, clock_gettime};
use server::Server;
use tokio::runtime::Runtime;

// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns taken by all sides of a comparison, of which the median counts.
const TURNS: usize = 9;

/// Measures one thing, and says what came of it.
type Comparison = fn(&Runtime);

/// What is compared, in this order; names after `--` choose among them.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("one", |runtime| compare(runtime, "one by one", Load { runs: 100, at_once: 1, latency_ms: 0 })),
    ("64", |runtime| compare(runtime, "64 at once", Load { runs: 640, at_once: 64, latency_ms: 0 })),
    ("1000", |runtime| {
        compare(runtime, "1,000 at once at 50 ms", Load { runs: 1_000, at_once: 1_000, latency_ms: 50 })
    }),
    ("long", long_run),
    ("approval", approvals),
    ("launch", launch),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = Runtime::new().unwrap();
    if let [mode, latency_ms] = args.as_slice()
        && mode == "serve"
    {
        return runtime.block_on(server::serve(Duration::from_millis(latency_ms.parse().unwrap())));
    }
    let chosen: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    for (name, compare) in COMPARISONS {
        if chosen.is_empty() || chosen.iter().any(|chosen| *chosen == name) {
            compare(&runtime);
        }
    }
}

/// How many campaigns, and how many of them at a time.
#[derive(Clone, Copy)]
struct Load {
    runs: usize,
    at_once: usize,
    latency_ms: u64,
}

/// Somebody who can go through a campaign's calls.
#[derive(Clone)]
enum Side {
    Ours(System, Arc<Plan>),
    Bare(Arc<Calls>),
    /// Each step is a row of its own, synced before the next call: a run that goes on after a crash needs no less.
    Kept(Arc<Calls>, Arc<Mutex<rusqlite::Connection>>),
}

/// The requests of one campaign, as the server was sent them.
struct Calls {
    client: Client,
    base: String,
    requests: Vec<String>,
}

impl Side {
    async fn campaign(&self) {
        match self {
            Self::Ours(system, plan) => {
                let ended = ended(&started(system, plan).await).await;
                assert_eq!(ended, Status::Ended(Ending::Done));
            }
            Self::Bare(calls) => {
                for request in &calls.requests {
                    calls.ask(request).await;
                }
            }
            Self::Kept(calls, connection) => {
                keep(connection, "started".to_owned()).await;
                for request in &calls.requests {
                    let answer = calls.ask(request).await;
                    keep(connection, answer).await;
                }
                keep(connection, "ended".to_owned()).await;
            }
        }
    }
}

impl Calls {
    async fn new(base: &str) -> Self {
        let client = client();
        let heard = client.get(base).send().await.unwrap().text().await.unwrap();
        let requests: Vec<String> = serde_json::from_str(&heard).unwrap();
        assert_eq!(requests.len(), 5, "the calls of one campaign");
        Self { client, base: base.to_owned(), requests }
    }

    /// One request, read to its end.
    async fn ask(&self, request: &str) -> String {
        let sent =
            self.client.post(format!("{}/chat/completions", self.base)).header("content-type", "application/json");
        let answer = sent.body(request.to_owned()).send().await.unwrap().text().await.unwrap();
        assert!(answer.ends_with("[DONE]\n\n"));
        answer
    }
}

async fn keep(connection: &Arc<Mutex<rusqlite::Connection>>, text: String) {
    let connection = Arc::clone(connection);
    let kept = tokio::task::spawn_blocking(move || {
        let connection = connection.lock().unwrap();
        connection.prepare_cached("INSERT INTO steps (text) VALUES (?1)").unwrap().execute([text]).unwrap()
    });
    kept.await.unwrap();
}

fn raw(path: &Path) -> Arc<Mutex<rusqlite::Connection>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
    connection.execute_batch("CREATE TABLE steps (no INTEGER PRIMARY KEY, text TEXT NOT NULL)").unwrap();
    Arc::new(Mutex::new(connection))
}

/// What something took.
#[derive(Clone, Copy)]
struct Took {
    wall_ms: f64,
    cpu_ms: f64,
}

/// This process's time on all cores, the server's not counted.
fn cpu_ms() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1_000.0 + spent.tv_nsec as f64 / 1_000_000.0
}

fn took(what: impl FnOnce()) -> Took {
    let (begun, before) = (Instant::now(), cpu_ms());
    what();
    Took { wall_ms: begun.elapsed().as_secs_f64() * 1_000.0, cpu_ms: cpu_ms() - before }
}

async fn all(side: &Side, load: Load) {
    let left = Arc::new(AtomicUsize::new(load.runs));
    let workers: Vec<_> = (0..load.at_once)
        .map(|_| {
            let (side, left) = (side.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    side.campaign().await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

fn compare(runtime: &Runtime, name: &str, load: Load) {
    let server = Server::new(load.latency_ms);
    let Project { settings, plan, folder } = project::campaign(&server.base);
    let running = runtime.block_on(app::start(&settings)).unwrap();
    let ours = Side::Ours(running.system.clone(), Arc::new(plan));
    runtime.block_on(ours.campaign());
    let calls = Arc::new(runtime.block_on(Calls::new(&server.base)));
    let kept = Side::Kept(Arc::clone(&calls), raw(&folder.path().join("raw.db")));
    let sides = [ours, Side::Bare(calls), kept];
    let warm = Load { runs: load.at_once.min(64), ..load };
    sides.iter().for_each(|side| runtime.block_on(all(side, warm)));
    let (commits, before) = (running.system.ports().writer.commits(), memory_mib("VmRSS:"));
    // Ours first, and the peak begun anew, so that it is its own.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let first = took(|| runtime.block_on(all(&sides[0], load)));
    let (commits, peak) = (running.system.ports().writer.commits() - commits, memory_mib("VmHWM:"));
    let mut turns: Vec<[Took; 3]> = Vec::new();
    while turns.len() < TURNS {
        let of = |side| took(|| runtime.block_on(all(side, load)));
        let ours = if turns.is_empty() { first } else { of(&sides[0]) };
        turns.push([ours, of(&sides[1]), of(&sides[2])]);
    }
    println!("{name}: {TURNS} turns of {} campaigns, medians", load.runs);
    for (side, name) in ["callsheet", "bare loop", "loop and raw SQLite"].iter().enumerate() {
        let wall = middle(turns.iter().map(|turn| turn[side].wall_ms));
        let cpu = middle(turns.iter().map(|turn| turn[side].cpu_ms))[1] / load.runs as f64;
        let a_second = load.runs as f64 * 1_000.0 / wall[1];
        println!("  {name:<20} {:>9.2} ms in all, {a_second:>7.0} a second, {cpu:>6.2} ms of CPU each", wall[1]);
    }
    for (side, name) in [(1, "the bare loop"), (2, "the loop and raw SQLite")] {
        let [least, wall, most] = middle(turns.iter().map(|turn| turn[0].wall_ms / turn[side].wall_ms));
        let cpu = middle(turns.iter().map(|turn| turn[0].cpu_ms / turn[side].cpu_ms))[1];
        println!("  callsheet takes {wall:.2} times {name} ({least:.2} to {most:.2}), {cpu:.2} times its CPU");
    }
    let syncs = commits as f64 / load.runs as f64;
    println!("  {syncs:.2} syncs a campaign; {peak:.0} MiB at most, {before:.0} before");
    drop(sides);
    runtime.block_on(running.stop());
}

/// Messages of the long run, those over which its cost is taken at either end, and the records of one.
const MESSAGES: u64 = 10_000;
const STRETCH: u64 = 500;
const RECORDS: u64 = 6;

/// What a message costs late in a run, against early.
fn long_run(runtime: &Runtime) {
    let server = Server::new(0);
    let Project { settings, plan, folder: _folder } = project::rally(&server.base, MESSAGES);
    let running = runtime.block_on(app::start(&settings)).unwrap();
    let marks = runtime.block_on(async {
        let mut progress = started(&running.system, &plan).await.progress();
        let mut marks = Vec::new();
        // By records, which are known without a fold that would cost what is measured.
        for message in [100, 100 + STRETCH, MESSAGES - 100 - STRETCH, MESSAGES - 100] {
            let come = |now: &system::Progress| now.seq.0 >= message * RECORDS;
            let seq = progress.wait_for(come).await.unwrap().seq;
            marks.push((seq.0, Instant::now(), cpu_ms()));
        }
        let ended = progress.wait_for(|now| now.status != Status::Running).await.unwrap().clone();
        assert_eq!(ended.status, Status::Ended(Ending::Done));
        assert_eq!(ended.seq.0 / MESSAGES, RECORDS, "a message has another number of records");
        marks
    });
    runtime.block_on(running.stop());
    let cost = |from: usize| {
        let ((first, begun, before), (last, ended, after)) = (marks[from], marks[from + 1]);
        let messages = (last - first) as f64 / RECORDS as f64;
        ((ended - begun).as_secs_f64() * 1_000.0 / messages, (after - before) / messages)
    };
    let ((early, early_cpu), (late, late_cpu)) = (cost(0), cost(2));
    println!("one run of {MESSAGES} messages: {early:.2} ms a message near its beginning, {late:.2} near its end");
    println!(
        "  {:.2} times, {:.2} times the CPU ({early_cpu:.2} and {late_cpu:.2} ms)",
        late / early,
        late_cpu / early_cpu
    );
}

/// Items of the approvals, the smallest first.
const ITEMS: [usize; 3] = [100, 1_600, 10_000];

/// What an approval costs from the decision to the end, by items.
fn approvals(runtime: &Runtime) {
    let spent = ITEMS.map(|items| {
        let Project { settings, plan, folder: _folder } = project::approval(items);
        let running = runtime.block_on(app::start(&settings)).unwrap();
        let handle = runtime.block_on(started(&running.system, &plan));
        runtime.block_on(async {
            handle.progress().wait_for(|now| now.status == Status::Waiting).await.unwrap();
        });
        let spent = took(|| runtime.block_on(approve(&running, &handle)));
        runtime.block_on(running.stop());
        println!("an approval of {items} items: {:.0} ms, {:.0} of CPU", spent.wall_ms, spent.cpu_ms);
        spent
    });
    for (items, large) in ITEMS.iter().zip(spent).skip(1) {
        let (times, cpu) = (*items as f64 / ITEMS[0] as f64, large.cpu_ms / spent[0].cpu_ms);
        println!("  {times:.0} times the items: {cpu:.1} times the CPU");
    }
}

async fn approve(running: &Running, handle: &Handle) {
    let ports = running.system.ports();
    let state = history::load(ports.store.as_ref(), handle.run).unwrap().state;
    let (approval, binds) = state.open_approvals().map(|(no, open)| (no, open.binds)).next().unwrap();
    let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
    let post = Post { by: who("ada"), say };
    running.system.post(handle.run, ports.clock.id(), &post).await.unwrap();
    assert_eq!(ended(handle).await, Status::Ended(Ending::Done));
}

/// What a call of the launch takes, and the calls that follow on each other whatever happens side by side: the plan, a post
/// with its review, the one post that is written and reviewed again, the edition, a page.
const CALL_MS: u64 = 300;
const CRITICAL: u64 = 1 + 2 + 2 + 1 + 1;

/// The shipped `launch` with eight channels, until a person is asked about each of them: all channels at once, and each
/// member with one message after the other.
fn launch(runtime: &Runtime) {
    let server = Server::new(CALL_MS);
    let critical_ms = (CRITICAL * CALL_MS) as f64;
    println!(
        "launch, {} channels, {CALL_MS} ms a call: its longest way has {CRITICAL} calls, {critical_ms} ms",
        server::CHANNELS
    );
    for (name, parallel) in [("as it is shipped", None), ("one after the other", Some(1))] {
        let Project { settings, plan, folder: _folder } = project::launch(&server.base, parallel);
        let running = runtime.block_on(app::start(&settings)).unwrap();
        let brief =
            plan.params.iter().filter_map(|(name, param)| Some((name.clone(), param.default.clone()?))).collect();
        let mut walls: Vec<f64> = Vec::new();
        while walls.len() < TURNS.min(5) {
            let took = took(|| {
                runtime.block_on(async {
                    let handle = running.system.run(&plan, &brief, who("bench")).await.unwrap();
                    let asked = handle.progress().wait_for(|now| now.status != Status::Running).await.unwrap().status;
                    assert_eq!(asked, Status::Waiting);
                });
            });
            walls.push(took.wall_ms);
        }
        runtime.block_on(running.stop());
        let [least, wall, most] = middle(walls.into_iter());
        println!(
            "  {name:<20} {wall:>6.0} ms ({least:.0} to {most:.0}), {:.2} times the longest way",
            wall / critical_ms
        );
    }
}

async fn started(system: &System, plan: &Plan) -> Handle {
    system.run(plan, &Brief::new(), who("bench")).await.unwrap()
}

async fn ended(handle: &Handle) -> Status {
    let mut progress = handle.progress();
    progress.wait_for(|now| matches!(now.status, Status::Ended(_) | Status::Stuck)).await.unwrap().status
}

fn who(name: &str) -> Who {
    Who { name: name.to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

/// The least, the median and the most.
fn middle(figures: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]]
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
fn memory_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

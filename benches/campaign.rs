//! Whole campaigns: fold rate, rehearsed campaigns a second with their syncs, memory of live and parked runs, `check` on
//! a large topology, process start to first step: `cargo bench --bench campaign`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]
#![allow(missing_docs, reason = "the macros of criterion make public functions")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet::actor::history;
use callsheet::actor::system::System;
use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::journal::Store;
use callsheet::run::event::{Fact, Who};
use callsheet::run::input::Brief;
use callsheet::run::state::{State, Status};
use callsheet::topology::check::check;
use callsheet::topology::plan::{Mode, Plan};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, fold, campaigns, memory, checking, start);
criterion_main!(benches);

/// Model calls of the benched campaign: a pipeline of so many agents with one reply each.
const CALLS: usize = 5;

/// A project whose topology `line` is a pipeline of `agents`, ending at `end` or at a person.
fn project(folder: &Path, agents: usize, person: bool) -> Settings {
    for name in ["agents", "topologies", "schemas", "rehearsals"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("callsheet.toml", "schema_version = 1\ntimezone = \"UTC\"\n");
    write(
        "schemas/note.json",
        r#"{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}"#,
    );
    write(
        "agents/writer.toml",
        "schema_version = 1\nkind = \"model\"\ndoes = \"Writes a note.\"\noutcomes = [\"written\"]\ninstructions = \"Write a note.\"\n",
    );
    write(
        "agents/signer.toml",
        "schema_version = 1\nkind = \"person\"\ndoes = \"Signs.\"\nexpires = { after = \"7d\", then = \"reject\" }\n",
    );
    let mut topology = String::from("schema_version = 1\ndescription = \"A line.\"\n\n[artefacts]\n");
    let mut rehearsal = String::from("schema_version = 1\n");
    (0..agents).for_each(|n| writeln!(topology, "note{n} = {{ schema = \"note\" }}").unwrap());
    topology.push_str("\n[team]\n");
    for n in 0..agents {
        writeln!(topology, "a{n} = {{ file = \"agents/writer.toml\", writes = [\"note{n}\"] }}").unwrap();
        writeln!(rehearsal, "[[a{n}]]\nnote = \"Written.\"\nwrites.note{n} = {{ text = \"Some words about it.\" }}")
            .unwrap();
    }
    if person {
        topology.push_str("signer = { approves = [\"note0\"] }\n");
    }
    topology.push_str("\n[handoffs]\nstart = \"a0\"\n");
    let last = if person { "signer" } else { "end" };
    for n in 0..agents {
        let to = if n + 1 < agents { format!("a{}", n + 1) } else { last.to_owned() };
        writeln!(topology, "a{n} = \"{to}\"").unwrap();
    }
    if person {
        topology.push_str(
            "signer = { approve = \"end\", request_changes = \"end\", reject = \"end\", expired = \"end\" }\n",
        );
    }
    topology.push_str("\n[budget]\nsteps = 1000\ntokens = 10_000_000\ncost_usd = 5.00\nactive_time = \"2h\"\n");
    write("topologies/line.toml", &topology);
    write("rehearsals/line.toml", &rehearsal);
    let flags = Flags { project: Some(folder.to_owned()), ..Flags::default() };
    Settings::read(&flags, folder, BTreeMap::new()).unwrap()
}

fn plan(settings: &Settings) -> Plan {
    let around = app::surroundings(settings, Mode::Rehearsal).unwrap();
    check("line", &settings.folder(), &around).unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan
}

fn who() -> Who {
    Who { name: "bench".to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

async fn campaign(system: &System, plan: &Plan) -> (Status, callsheet::id::RunId) {
    let handle = system.run(plan, &Brief::new(), who()).await.unwrap();
    let mut progress = handle.progress();
    let ended = progress.wait_for(|now| now.status != Status::Running).await.unwrap().status;
    (ended, handle.run)
}

/// Runs `count` campaigns, `side_by_side` at a time.
async fn many(system: &System, plan: &Arc<Plan>, count: u64, side_by_side: u64) {
    let left = Arc::new(std::sync::atomic::AtomicU64::new(count));
    let workers = (0..side_by_side).map(|_| {
        let (system, plan, left) = (system.clone(), Arc::clone(plan), Arc::clone(&left));
        tokio::spawn(async move {
            use std::sync::atomic::Ordering::Relaxed;
            while left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok() {
                campaign(&system, &plan).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

fn fold(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = project(folder.path(), CALLS, true);
    let runtime = Runtime::new().unwrap();
    let (facts, plan, run) = runtime.block_on(async {
        let running = app::start(&settings).await.unwrap();
        let (_, run) = campaign(&running.system, &plan(&settings)).await;
        let store: &dyn Store = running.system.ports().store.as_ref();
        let records = store.records(run, callsheet::id::Seq(0), 10_000).unwrap();
        let facts: Vec<Fact> = records.iter().map(|record| history::read_fact(&record.head.json).unwrap()).collect();
        let plan = Arc::new(history::pinned_plan(store, run).unwrap().2);
        running.stop().await;
        (facts, plan, run)
    });
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(facts.len() as u64));
    group.bench_function("a campaign's events", |bencher| {
        bencher.iter(|| {
            let mut state = State::new(run, Arc::clone(&plan));
            facts.iter().for_each(|fact| state.apply(fact).unwrap());
            state
        });
    });
}

fn campaigns(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for side_by_side in [1, 64] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = project(folder.path(), CALLS, false);
        let plan = Arc::new(plan(&settings));
        let running = runtime.block_on(app::start(&settings)).unwrap();
        let writer = running.system.ports().writer.clone();
        let (before, count) = (writer.commits(), 128);
        let begun = Instant::now();
        runtime.block_on(many(&running.system, &plan, count, side_by_side));
        let each = (writer.commits() - before) as f64 / count as f64;
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        println!("{side_by_side} side by side: {rate:.0} campaigns/s of {CALLS} model calls, {each:.1} syncs each");
        let mut group = criterion.benchmark_group("campaigns");
        group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(5));
        group.bench_function(format!("{side_by_side} side by side"), |bencher| {
            bencher.iter_custom(|rounds| {
                let begun = Instant::now();
                runtime.block_on(many(&running.system, &plan, rounds, side_by_side));
                begun.elapsed()
            });
        });
        group.finish();
        runtime.block_on(running.stop());
    }
}

/// Resident kilobytes of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn memory(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (name, count, park) in [("live", 1_000_u64, false), ("parked", 10_000, true)] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = project(folder.path(), 2, true);
        let plan = Arc::new(plan(&settings));
        let running = runtime.block_on(app::start_serving(&settings, park)).unwrap();
        runtime.block_on(many(&running.system, &plan, 64, 64));
        let before = resident_kib();
        runtime.block_on(many(&running.system, &plan, count, 64));
        let after = resident_kib();
        let each = after.saturating_sub(before) as f64 / count as f64;
        println!("{count} {name} runs waiting for a person: {each:.1} KiB each");
        runtime.block_on(running.stop());
    }
}

fn checking(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let settings = project(folder.path(), 100, true);
    let around = app::surroundings(&settings, Mode::Rehearsal).unwrap();
    criterion.bench_function("check a topology of 100 agents", |bencher| {
        bencher.iter(|| check("line", &settings.folder(), &around).unwrap());
    });
}

/// From the start of the process to the first step in the journal, and to the end of a run of one step.
fn start(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    project(folder.path(), 1, false);
    let mut group = criterion.benchmark_group("process");
    group.sample_size(20);
    let run = |args: &[&str]| {
        let status =
            Command::new(env!("CARGO_BIN_EXE_callsheet")).args(args).current_dir(folder.path()).output().unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    };
    group.bench_function("start, one step, end", |bencher| bencher.iter(|| run(&["run", "line"])));
    group.bench_function("start alone", |bencher| bencher.iter(|| run(&["--version"])));
    group.finish();
}

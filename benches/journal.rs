//! Appends through the writer beside bare rusqlite that writes the same bytes into the same tables with one sync for
//! all runs: `cargo bench --bench journal`. The ratio comes from turns taken in one process, since disks differ by hour.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]
#![allow(missing_docs, reason = "the macros of criterion make public functions")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet::id::{ApprovalNo, Epoch, RunId, Seq, Timestamp};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::writer::Writer;
use callsheet::journal::{Batch, Body, Head, NewRun, Op, OwnerId, Summary};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rusqlite::{Connection, TransactionBehavior, params};
use uuid::Uuid;

const RUNS: [u64; 3] = [1, 16, 64];
const HEADS: u64 = 3;
const HEAD_BYTES: usize = 300;
const BODY_BYTES: usize = 500;
const TURNS: usize = 15;

criterion_group!(benches, journal);
criterion_main!(benches);

fn journal(criterion: &mut Criterion) {
    for runs in RUNS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut ours = Ours::new(&folder.path().join("ours.db"), runs);
        let mut bare = Bare::new(folder.path().join("bare.db"), runs);
        compare(&mut ours, &mut bare, runs);
        let mut group = criterion.benchmark_group(format!("{runs} runs"));
        group.throughput(Throughput::Elements(runs)).sample_size(10);
        group.bench_function("writer", |bencher| bencher.iter_custom(|rounds| ours.rounds(rounds)));
        group.bench_function("bare rusqlite", |bencher| bencher.iter_custom(|rounds| bare.rounds(rounds)));
        group.finish();
    }
}

fn compare(ours: &mut Ours, bare: &mut Bare, runs: u64) {
    let rounds = 2_000 / (runs + 20);
    ours.rounds(rounds);
    bare.rounds(rounds);
    let before = ours.writer.commits();
    let mut turns: Vec<_> = (0..TURNS).map(|_| (ours.rounds(rounds), bare.rounds(rounds))).collect();
    let syncs = (ours.writer.commits() - before) as f64 / (TURNS as u64 * rounds) as f64;
    turns.sort_by_key(|(ours, bare)| bare.as_nanos() * 10_000 / ours.as_nanos());
    let (mine, theirs) = turns[TURNS / 2];
    let per_second = |time: Duration| (runs * rounds) as f64 / time.as_secs_f64();
    println!(
        "{runs} runs: {:.0} appends/s through the writer ({syncs:.2} syncs for each {runs}), {:.0} bare (1 sync): {:.0} %",
        per_second(mine),
        per_second(theirs),
        100.0 * per_second(mine) / per_second(theirs)
    );
}

fn run_id(run: u64) -> RunId {
    RunId(Uuid::from_u128(u128::from(run)))
}

fn head() -> Head {
    let json = format!("{{\"note\":\"{}\"}}", "n".repeat(HEAD_BYTES - 11)).into_bytes();
    Head { kind: "message_sent".to_owned(), version: 1, json }
}

fn body(run: u64, round: u64) -> Body {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&run.to_le_bytes());
    salt[8..].copy_from_slice(&round.to_le_bytes());
    Body::new(salt, vec![b'b'; BODY_BYTES])
}

fn summary() -> Summary {
    let (status, waiting_for) = ("waiting".to_owned(), Some("a person".to_owned()));
    Summary { status, waiting_for, approvals: vec![ApprovalNo(7)], steps: 12, tokens: 90_000, ..Summary::default() }
}

fn batch(run: u64, after: u64) -> Batch {
    Batch {
        run: run_id(run),
        after: Seq(after),
        epoch: Epoch(1),
        heads: (0..HEADS).map(|_| head()).collect(),
        bodies: vec![body(run, after)],
        summary: summary(),
        at: Timestamp(0),
        release: false,
    }
}

fn begun(path: &Path, runs: u64) -> Sqlite {
    let store = Sqlite::open(path, Open::ReadWrite).unwrap();
    let owner = OwnerId(Uuid::nil());
    let new = |run| NewRun { id: run_id(run), topology: "bench".to_owned(), at: Timestamp(0), owner, blobs: vec![] };
    let ops: Vec<_> = (1..=runs).map(|run| Op::Create(new(run), batch(run, 0))).collect();
    use callsheet::journal::Store as _;
    assert!(store.commit(&ops).iter().all(Result::is_ok));
    store
}

/// Every run a task of its own, which appends, waits for the sync, and appends again.
struct Ours {
    runtime: tokio::runtime::Runtime,
    writer: Writer,
    runs: u64,
    after: u64,
}

impl Ours {
    fn new(path: &Path, runs: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let writer = Writer::new(Arc::new(begun(path, runs))).unwrap();
        Self { runtime, writer, runs, after: HEADS }
    }

    fn rounds(&mut self, rounds: u64) -> Duration {
        let begin = Instant::now();
        let tasks: Vec<_> = (1..=self.runs)
            .map(|run| {
                let (writer, first) = (self.writer.clone(), self.after);
                self.runtime.spawn(async move {
                    for round in 0..rounds {
                        writer.commit(Op::Append(batch(run, first + round * HEADS))).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            self.runtime.block_on(task).unwrap();
        }
        self.after += rounds * HEADS;
        begin.elapsed()
    }
}

/// The same rows in one transaction a round, digests and JSON made beforehand.
struct Bare {
    connection: Connection,
    runs: u64,
    after: u64,
    digests: u64,
}

impl Bare {
    fn new(path: PathBuf, runs: u64) -> Self {
        drop(begun(&path, runs));
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
        Self { connection, runs, after: HEADS, digests: 0 }
    }

    fn rounds(&mut self, rounds: u64) -> Duration {
        let (head, body, json) = (head(), body(0, 0), serde_json::to_string(&summary()).unwrap());
        let begin = Instant::now();
        for _ in 0..rounds {
            let group = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
            for run in 1..=self.runs {
                let run = i64::try_from(run).unwrap();
                let mut record =
                    group.prepare_cached("INSERT INTO records VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)").unwrap();
                for n in 1..=HEADS {
                    let seq = i64::try_from(self.after + n).unwrap();
                    let values = params![run, seq, head.kind, head.version, head.json, body.digest.0];
                    record.execute(values).unwrap();
                }
                self.digests += 1;
                // As scattered as real digests are, at next to no cost.
                let mut digest = [0_u8; 32];
                digest[..8].copy_from_slice(&self.digests.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
                let mut stored = group.prepare_cached("INSERT INTO bodies VALUES (?1, ?2, ?3, ?4)").unwrap();
                stored.execute(params![run, digest, body.salt, body.bytes]).unwrap();
                let sql = "UPDATE runs SET last = ?2, chain = ?3, updated_at = ?4, summary = ?5 WHERE no = ?1";
                let last = i64::try_from(self.after + HEADS).unwrap();
                group.prepare_cached(sql).unwrap().execute(params![run, last, digest, last, json]).unwrap();
            }
            group.commit().unwrap();
            self.after += HEADS;
        }
        begin.elapsed()
    }
}

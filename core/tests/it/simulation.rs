//! Deterministic simulation: the real core in a faulty world, thousands of times; a seed says all about a run.
//!
//! `CALLSHEET_SEED=n` plays one seed and prints its trace, `CALLSHEET_SEEDS=a..b` plays another range than the usual.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use scene::{Outcome, play, play_old};
use sometimes::Sometimes;

mod attempt;
mod bill;
mod crew;
mod journal;
mod oracle;
mod owner;
mod people;
mod scene;
mod see;
mod sink;
mod sometimes;
mod spread;
mod swarm;
mod team;

/// Seeds of the test command.
const SEEDS: Range<u64> = 0..20_000;

/// Threads of the test command.
const THREADS: u64 = 2;

/// What a range of seeds came to.
#[derive(Default)]
struct Found {
    seen: Sometimes,
    facts: usize,
    /// What broke, by kind: the first seed, its words, and how many seeds.
    broken: BTreeMap<String, (u64, String, u64)>,
}

impl Found {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seen.add(&outcome.seen);
        self.facts += outcome.facts;
        if let Some(broken) = outcome.broken {
            let what = broken.to_string();
            // Numbers and digests differ from seed to seed; the rest tells one kind from another.
            let kind = what.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect::<Vec<_>>();
            let kind = format!("{} {}", broken.invariant, kind.join(" "));
            self.broken.entry(kind).or_insert((seed, what, 0)).2 += 1;
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.seen.add(&other.seen);
        self.facts += other.facts;
        for (kind, (seed, what, count)) in other.broken {
            let known = self.broken.entry(kind).or_insert((seed, what.clone(), 0));
            known.2 += count;
            if seed < known.0 {
                (known.0, known.1) = (seed, what);
            }
        }
        self
    }
}

/// Plays `seeds` on a few threads.
fn search(seeds: &Range<u64>) -> Found {
    let part = |offset: u64| {
        let mut found = Found::default();
        for seed in (seeds.start + offset..seeds.end).step_by(usize::try_from(THREADS).unwrap()) {
            found.add(seed, play(seed, false));
        }
        found
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|offset| scope.spawn(move || part(offset))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Found::default(), Found::join)
    })
}

/// The range to play: `CALLSHEET_SEEDS=a..b`, or the usual one.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("CALLSHEET_SEEDS") else { return SEEDS };
    let (start, end) = text.split_once("..").expect("CALLSHEET_SEEDS is like 20000..40000");
    start.parse().unwrap()..end.parse().unwrap()
}

/// Plays `CALLSHEET_SEED` with its trace; fails if it breaks something.
fn replay(seed: u64) {
    let outcome = play(seed, true);
    println!("{}", outcome.trace.join("\n"));
    assert_eq!(outcome.broken, None, "seed {seed}");
}

#[test]
fn simulation() {
    if let Ok(seed) = std::env::var("CALLSHEET_SEED") {
        return replay(seed.parse().unwrap());
    }
    let seeds = seeds();
    let began = std::time::Instant::now();
    let Found { seen, facts, broken } = search(&seeds);
    println!("{} seeds, {facts} facts, {:.1?}\n{}", seeds.end - seeds.start, began.elapsed(), seen.table());
    let mut list: Vec<_> = broken.into_values().collect();
    list.sort();
    if let Some((seed, ..)) = list.first() {
        println!("{}\n", play(*seed, true).trace.join("\n"));
        let lines: String =
            list.iter().map(|(seed, what, count)| format!("  seed {seed} (and {count} in all): {what}\n")).collect();
        panic!(
            "broken:\n{lines}The trace above is of seed {seed}; again with\n  \
             CALLSHEET_SEED={seed} cargo test -p callsheet-core --test it -- --exact simulation::simulation --nocapture"
        );
    }
    if seeds == SEEDS {
        assert_eq!(seen.never(), [], "rare paths that no seed visited");
    }
}

/// What longer searches found stays found.
#[test]
fn seeds_that_broke_once_hold() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/simulation/found.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let mut held = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (is_old, seeds) = line.strip_prefix("old: ").map_or((false, line), |seeds| (true, seeds));
        for seed in seeds.split_whitespace().map(|seed| seed.parse().unwrap()) {
            let outcome = if is_old { play_old(seed) } else { play(seed, false) };
            assert_eq!(outcome.broken, None, "seed {seed}");
            held += 1;
        }
    }
    assert!(held >= 31);
}

/// A seed gives the same trace on every machine and in every profile. Every change of what the core decides or the
/// simulation draws changes the digest too; if that was meant, write the new one, which the failure tells, into the file.
#[test]
fn seeds_give_the_committed_traces() {
    let mut traces = Sha256::new();
    for seed in SEEDS.step_by(100) {
        let trace = play(seed, true).trace;
        assert!(!trace.is_empty());
        trace.iter().for_each(|line| traces.update(format!("{line}\n")));
    }
    let found: String = traces.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/simulation/traces.sha256");
    let committed = std::fs::read_to_string(&file).unwrap();
    assert_eq!(committed.trim(), found, "the traces are not those of {}", file.display());
}

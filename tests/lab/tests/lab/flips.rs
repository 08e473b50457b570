//! Flipped bits anywhere in a journal's files: the same events, or a typed error.
//! What is not verified by itself is left out: the columns of lists (summary, topology, times, a run's epoch).

use std::path::Path;
use std::time::Instant;

use callsheet::id::{RunId, Seq};
use callsheet::journal::audit::{self, Checkpoint};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Body, Error, Posted, Record, Store};
use callsheet_lab::image::{self, Files};
use callsheet_lab::random::Random;
use callsheet_lab::workload::{State, Workload, digest_of};

/// What runs are made of, by ids and digests that their reader knows.
type Events = Vec<(Vec<Record>, Vec<Posted>, Vec<Option<Body>>)>;

fn events(store: &dyn Store, workload: &Workload, known: &State) -> Result<Events, Error> {
    for digest in &workload.blobs {
        // Verified by whoever reads it, who knows its domain.
        let whole = store.blob(*digest)?.is_some_and(|bytes| digest_of(&bytes) == *digest);
        if !whole {
            return Err(Error::Damaged(format!("blob {digest}")));
        }
    }
    let run = |held: &callsheet_lab::workload::Held| {
        let id: RunId = held.row.id;
        let bodies = held.bodies.iter().flatten().map(|body| store.body(id, body.digest)).collect::<Result<_, _>>()?;
        Ok((store.records(id, Seq(0), 10_000)?, store.inbox(id, 0)?, bodies))
    };
    known.runs.iter().map(run).collect()
}

fn expected(state: &State) -> Events {
    state.runs.iter().map(|held| (held.records.clone(), held.inbox.clone(), held.bodies.clone())).collect()
}

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    refused: usize,
    shortened: usize,
}

/// A journal that is finished and one that is still open, as their files are.
fn journals(workload: &Workload) -> (Files, Files) {
    let folder = callsheet_lab::folder().unwrap();
    let path = folder.path().join("journal.db");
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    workload.go_on(&store, 0).unwrap();
    let content = |name: &str| (name.into(), std::fs::read(folder.path().join(name)).unwrap());
    let open = Files::from([content("journal.db"), content("journal.db-wal")]);
    drop(store);
    (Files::from([content("journal.db")]), open)
}

/// Flips bits of `name` and holds what is read to what was written; `shorter` tells which earlier ends may be seen.
fn flip(workload: &Workload, whole: &Files, name: &str, flips: usize) -> Counts {
    let known = workload.states.last().unwrap();
    let kept: Vec<Checkpoint> = known
        .runs
        .iter()
        .map(|held| held.records.last().unwrap())
        .zip(&known.runs)
        .map(|(last, held)| Checkpoint { run: held.row.id, seq: last.seq, chain: last.chain })
        .collect();
    let folder = callsheet_lab::folder().unwrap();
    let mut random = Random::new(flips as u64);
    let mut counts = Counts::default();
    for number in 0..flips {
        let mut files = whole.clone();
        let bytes = files.get_mut(name).unwrap();
        let width = if number % 10 == 9 { 1 + random.below(8) } else { 1 };
        let at = random.below(bytes.len() - width);
        for byte in &mut bytes[at..at + width] {
            *byte ^= if width == 1 { 1 << random.below(8) } else { random.number() as u8 };
        }
        image::lay_out(&files, folder.path()).unwrap();
        let how = if number % 2 == 0 { Open::ReadWrite } else { Open::ReadOnly };
        let text = format!("{name}, flip {number} at {at}, {width} bytes");
        see(workload, known, &kept, &folder.path().join("journal.db"), how, &text, &mut counts);
    }
    println!("flips of {name}: {counts:?}");
    counts
}

fn see(
    workload: &Workload,
    known: &State,
    kept: &[Checkpoint],
    path: &Path,
    how: Open,
    text: &str,
    counts: &mut Counts,
) {
    let store = Sqlite::open(path, how);
    let seen = store.as_ref().map_err(Error::clone).and_then(|store| events(store, workload, known));
    let audited = store.as_ref().map_err(Error::clone).and_then(|store| audit::verify_all(store, kept));
    match seen {
        Ok(seen) if seen == expected(known) => counts.same += 1,
        // The log ends at its first bad frame, as after a power loss; only what was kept elsewhere tells the two apart.
        Ok(seen) => {
            let mut earlier = workload.states.iter();
            assert!(text.starts_with("journal.db-wal"), "{text}: silently different");
            assert!(earlier.any(|state| expected(state) == seen), "{text}: was never so");
            let records = |events: &Events| events.iter().map(|run| run.0.len()).sum::<usize>();
            let is_found = audited.is_err() || records(&seen) == records(&expected(known));
            assert!(is_found, "{text}: the audit misses it");
            counts.shortened += 1;
        }
        Err(error) => {
            let is_typed = matches!(
                error,
                Error::Damaged(_) | Error::UnknownRun | Error::Unreadable(_) | Error::Newer { .. } | Error::Broken(_)
            );
            assert!(is_typed, "{text}: {error:?}");
            counts.refused += 1;
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing() {
    let begun = Instant::now();
    let workload = Workload::new(5, 20);
    let (finished, open) = journals(&workload);
    std::thread::scope(|scope| {
        let file = scope.spawn(|| flip(&workload, &finished, "journal.db", 12_000));
        let log = scope.spawn(|| flip(&workload, &open, "journal.db-wal", 8_000));
        let (file, log) = (file.join().unwrap(), log.join().unwrap());
        assert!(file.refused > 1_000 && file.shortened == 0, "{file:?}");
        assert!(log.same + log.refused + log.shortened == 8_000, "{log:?}");
    });
    println!("flips: 20000 in {:?}", begun.elapsed());
}

//! Flipped bits anywhere in a journal's files: the same events, or a typed error. One thing is neither: a log that is
//! damaged ends before the damage, as it does after a power loss, and only what was kept elsewhere tells the two apart.

use std::path::Path;
use std::time::Instant;

use callsheet::id::Seq;
use callsheet::journal::audit::{self, Checkpoint};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Body, Cause, Error, Posted, Record, Store, Subject};
use callsheet_lab::image::{self, Files};
use callsheet_lab::random::Random;
use callsheet_lab::workload::{Held, State, Workload, digest_of};

/// What runs are made of, by ids and digests that their reader knows. What is not verified by itself is left out: the
/// columns of lists (summary, topology, times, a run's epoch).
type Events = Vec<(Vec<Record>, Vec<Posted>, Vec<Option<Body>>)>;

fn events(store: &dyn Store, workload: &Workload, known: &State) -> Result<Events, Error> {
    for digest in &workload.blobs {
        // Verified by whoever reads it, who knows its domain.
        let whole = store.blob(*digest)?.is_some_and(|bytes| digest_of(&bytes) == *digest);
        if !whole {
            return Err(Error::Damaged(Cause::new(Subject::Journal, format!("has another blob {digest}"))));
        }
    }
    let run = |held: &Held| {
        let id = held.row.id;
        let bodies = held.bodies.iter().flatten().map(|body| store.body(id, body.digest)).collect::<Result<_, _>>()?;
        Ok((store.records(id, Seq(0), 10_000)?, store.inbox(id, 0)?, bodies))
    };
    known.runs.iter().map(run).collect()
}

fn expected(state: &State) -> Events {
    state.runs.iter().map(|held| (held.records.clone(), held.inbox.clone(), held.bodies.clone())).collect()
}

fn records(state: &State) -> usize {
    state.runs.iter().map(|held| held.records.len()).sum()
}

#[derive(Debug, Default)]
struct Counts {
    /// Nothing changed.
    same: usize,
    /// A typed error.
    refused: usize,
    /// An earlier state, whole; a checkpoint that was kept elsewhere tells.
    told_by_checkpoint: usize,
    /// An earlier state with the same records: posts, numbers or ownerships are gone, which no checkpoint counts.
    untold: usize,
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

/// Flips bits of `name` so many times, one at a time or a few bytes, and shows each to `see`.
fn flip(whole: &Files, name: &str, flips: usize, mut see: impl FnMut(&Path, Open, &str)) {
    let folder = callsheet_lab::folder().unwrap();
    let mut random = Random::new(flips as u64);
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
        see(&folder.path().join("journal.db"), how, &format!("{name}, flip {number} at {at}, {width} bytes"));
    }
}

fn flip_file(workload: &Workload, whole: &Files, flips: usize) -> Counts {
    let known = workload.states.last().unwrap();
    let mut counts = Counts::default();
    flip(whole, "journal.db", flips, |path, how, text| {
        match Sqlite::open(path, how).and_then(|store| events(&store, workload, known)) {
            Ok(seen) => {
                assert!(seen == expected(known), "{text}: silently different");
                counts.same += 1;
            }
            Err(error) => {
                assert!(is_typed(&error), "{text}: {error:?}");
                counts.refused += 1;
            }
        }
    });
    counts
}

fn flip_log(workload: &Workload, whole: &Files, flips: usize) -> Counts {
    let known = workload.states.last().unwrap();
    let kept = known.runs.iter().map(|held| {
        let last = held.records.last().unwrap();
        Checkpoint { run: held.row.id, seq: last.seq, chain: last.chain }
    });
    let kept: Vec<Checkpoint> = kept.collect();
    let mut counts = Counts::default();
    flip(whole, "journal.db-wal", flips, |path, how, text| {
        let opened = Sqlite::open(path, how);
        let seen = opened.as_ref().map_err(Error::clone).and_then(|store| State::of(store, &workload.blobs));
        match (seen, opened) {
            (Ok(seen), _) if seen == *known => counts.same += 1,
            (Ok(seen), Ok(store)) => {
                assert!(workload.states.contains(&seen), "{text}: was never so");
                assert!(audit::verify_all(&store, &[]).is_ok(), "{text}: what is there is whole");
                let is_told = audit::verify_all(&store, &kept).is_err();
                assert_eq!(is_told, records(&seen) < records(known), "{text}: the checkpoint");
                if is_told { counts.told_by_checkpoint += 1 } else { counts.untold += 1 }
            }
            (Err(error), _) | (_, Err(error)) => {
                assert!(is_typed(&error), "{text}: {error:?}");
                counts.refused += 1;
            }
        }
    });
    counts
}

fn is_typed(error: &Error) -> bool {
    use Error::{Broken, Damaged, Newer, UnknownRun, Unreadable};
    matches!(error, Damaged(_) | UnknownRun | Unreadable(_) | Newer { .. } | Broken(_))
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing_or_ends_the_log() {
    let begun = Instant::now();
    let workload = Workload::new(5, 20);
    let (finished, open) = journals(&workload);
    let (file, log) = std::thread::scope(|scope| {
        let file = scope.spawn(|| flip_file(&workload, &finished, 12_000));
        let log = scope.spawn(|| flip_log(&workload, &open, 8_000));
        (file.join().unwrap(), log.join().unwrap())
    });
    println!("flips of the file: {file:?}; of the log: {log:?}; 20000 in {:?}", begun.elapsed());
    assert!(file.refused > 1_000 && file.told_by_checkpoint + file.untold == 0, "{file:?}");
    assert!(log.told_by_checkpoint > 1_000, "{log:?}");
}

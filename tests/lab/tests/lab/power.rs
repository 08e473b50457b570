//! Power loss at every point of a workload: what was acknowledged is there, and nothing that was not written.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Store as _, audit};
use callsheet_lab::disk::{Event, Mounted};
use callsheet_lab::image::{self, Course, Files, Keep};
use callsheet_lab::workload::{State, Workload};

/// What the tests' own claim is about.
const IMAGES_MIN: usize = 20_000;

/// A workload as it went over a disk.
struct Take {
    workload: Workload,
    base: Files,
    log: Vec<Event>,
}

/// Records the workload of `seed`; with `lies` no sync does anything.
fn record(seed: u64, groups: usize, lies: bool) -> Take {
    let folder = callsheet_lab::folder().unwrap();
    let disk = Mounted::at(folder.path());
    let path = folder.path().join("journal.db");
    let workload = Workload::new(seed, groups);
    drop(Sqlite::open(&path, Open::ReadWrite).unwrap());
    is_made_safely(&disk.take());
    let base = BTreeMap::from([("journal.db".into(), std::fs::read(&path).unwrap())]);
    if lies {
        disk.lie();
    }
    let mut store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    for (number, group) in workload.groups.iter().enumerate() {
        assert_eq!(store.commit(group), workload.answers[number], "group {number}");
        disk.acknowledge(number + 1);
        if number % 17 == 16 {
            drop(store);
            store = Sqlite::open(&path, Open::ReadWrite).unwrap();
        }
    }
    assert_eq!(State::of(&store, &workload.blobs).as_ref(), Ok(&workload.states[groups]));
    drop(store);
    Take { workload, base, log: disk.take() }
}

/// A new journal is written under another name; it is whole on the disk before it gets its own.
fn is_made_safely(log: &[Event]) {
    let mut course = Course::new(Files::new());
    log.iter().for_each(|event| course.step(event));
    assert!(log.iter().any(|event| matches!(event, Event::Sync(file) if file.ends_with(".new"))));
    let draft = |files: Files| files.into_iter().find(|(name, _)| name.ends_with(".new"));
    assert_eq!(draft(course.image(Keep::None)), draft(course.image(Keep::All)), "the draft is synced");
}

/// Opens what `files` say and holds it to the workload.
fn check(workload: &Workload, files: &Files, folder: &Path, acknowledged: usize, go_on: bool) -> Result<(), String> {
    image::lay_out(files, folder).unwrap();
    let store = Sqlite::open(&folder.join("journal.db"), Open::ReadWrite).map_err(|error| error.to_string())?;
    let state = State::of(&store, &workload.blobs).map_err(|error| error.to_string())?;
    let groups = workload.holds(&state, acknowledged)?;
    audit::verify_all(&store, &[]).map_err(|error| error.to_string())?;
    if go_on {
        workload.go_on(&store, groups)?;
        let end = State::of(&store, &workload.blobs).map_err(|error| error.to_string())?;
        workload.holds(&end, workload.groups.len())?;
    }
    Ok(())
}

fn keeps(course: &Course, point: usize, seeds: u64) -> Vec<Keep> {
    if course.undecided() == 0 {
        return vec![Keep::All];
    }
    let fixed = [Keep::None, Keep::All, Keep::LastTorn, Keep::AllButLast];
    fixed.into_iter().chain((0..seeds).map(|seed| Keep::Seed(((point as u64) << 16) + seed))).collect()
}

/// Every crash point of a take, with so many seeded images beside the fixed ones; how many different ones there were,
/// or the first that is wrong.
fn sweep(take: &Take, seeds: u64) -> Result<usize, String> {
    let seen = Mutex::new(HashSet::new());
    let threads = callsheet_lab::threads();
    let part = |part: usize| -> Result<(), String> {
        let folder = callsheet_lab::folder().unwrap();
        let mut course = Course::new(take.base.clone());
        for (point, event) in take.log.iter().enumerate() {
            course.step(event);
            if point % threads != part {
                continue;
            }
            for keep in keeps(&course, point, seeds) {
                let files = course.image(keep);
                let is_new = seen.lock().unwrap().insert((image::fingerprint(&files), course.acknowledged()));
                if is_new {
                    let go_on = matches!(keep, Keep::All | Keep::Seed(_)) && point % 32 == 0;
                    check(&take.workload, &files, folder.path(), course.acknowledged(), go_on)
                        .map_err(|text| format!("event {point}, {keep:?}: {text}"))?;
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|number| scope.spawn(move || part(number))).collect();
        parts.into_iter().try_for_each(|part| part.join().unwrap())
    })?;
    Ok(seen.into_inner().unwrap().len())
}

#[test]
fn what_was_acknowledged_survives_every_power_loss() {
    let begun = Instant::now();
    let (mut images, mut points) = (0, 0);
    for seed in 1.. {
        let take = record(seed, 24, false);
        points += take.log.len();
        images += sweep(&take, 24).unwrap_or_else(|text| panic!("seed {seed}, {text}"));
        if images >= IMAGES_MIN {
            println!("power loss: {images} images at {points} points of {seed} workloads in {:?}", begun.elapsed());
            return;
        }
    }
}

#[test]
fn a_disk_that_only_says_it_syncs_is_found_out() {
    let take = record(1, 12, true);
    let red = sweep(&take, 2);
    assert!(red.is_err(), "the sweep of a disk that lies: {red:?}");
    // And the plainest image says of every group that it was acknowledged and is not there.
    let folder = callsheet_lab::folder().unwrap();
    let mut course = Course::new(take.base.clone());
    let mut found = 0;
    for event in &take.log {
        course.step(event);
        if let Event::Acknowledged(groups) = event {
            let told = check(&take.workload, &course.image(Keep::None), folder.path(), *groups, false);
            assert_eq!(told, Err(format!("{groups} groups were acknowledged and 0 are there")));
            found += 1;
        }
    }
    println!("a disk that lies about syncs: {found} of {} groups are missed", take.workload.groups.len());
    assert_eq!(found, take.workload.groups.len());
}

/// The syncs of one file at `places` are left out: whether an image up to its next sync shows it.
fn are_needed(take: &Take, places: &[usize], folder: &Path) -> bool {
    let Some((last, Event::Sync(file))) = places.last().map(|last| (*last, &take.log[*last])) else { return false };
    let mut course = Course::new(take.base.clone());
    let kept = |place: &usize| !places.contains(place);
    (0..last).filter(kept).for_each(|place| course.step(&take.log[place]));
    for (point, event) in take.log.iter().enumerate().skip(last + 1) {
        if matches!(event, Event::Sync(other) if other == file) {
            return false;
        }
        course.step(event);
        let wrong = |keep| check(&take.workload, &course.image(keep), folder, course.acknowledged(), false).is_err();
        if keeps(&course, point, 2).into_iter().any(wrong) {
            return true;
        }
    }
    false
}

/// A commit that goes on to move the log syncs it twice; either would do, so they are left out together.
#[test]
fn the_sync_of_every_commit_and_of_every_move_of_the_log_is_needed() {
    // A workload in which each of them carries a record: that a release alone is lost cannot be seen, and costs nothing.
    let take = record(1, 14, false);
    let folder = callsheet_lab::folder().unwrap();
    let (mut commits, mut moves, mut of_log) = ((0, 0), (0, 0), Vec::new());
    for (place, event) in take.log.iter().enumerate() {
        match event {
            Event::Sync(file) if &**file == "journal.db" => {
                moves.0 += 1;
                moves.1 += usize::from(are_needed(&take, &[place], folder.path()));
            }
            Event::Sync(_) => of_log.push(place),
            Event::Acknowledged(_) if !of_log.is_empty() => {
                commits.0 += 1;
                commits.1 += usize::from(are_needed(&take, &of_log, folder.path()));
                of_log.clear();
            }
            _ => {}
        }
    }
    println!("syncs, and of them missed when left out: commits {commits:?}, moves of the log {moves:?}");
    assert!(commits.0 >= 10 && commits.0 == commits.1, "{commits:?}");
    assert!(moves.0 >= 4 && moves.0 == moves.1, "{moves:?}");
}

//! A fault at every operation of a workload: no panic, no false claim, no write after it, and all is there when the
//! journal is opened again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use callsheet::journal::Store as _;
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet_lab::disk::{Fault, How, Kind, Mounted};
use callsheet_lab::image::{self, Course, Files, Keep};
use callsheet_lab::workload::{State, Workload};

const KINDS: &[(Kind, How)] = &[
    (Kind::Write, How::Error),
    (Kind::Write, How::Full),
    (Kind::Write, How::ShortError),
    (Kind::Write, How::ShortFull),
    (Kind::Sync, How::Error),
    (Kind::Truncate, How::Error),
    (Kind::Delete, How::Error),
    (Kind::Open, How::Error),
    (Kind::Read, How::Error),
    (Kind::Size, How::Error),
    (Kind::Lock, How::Error),
    (Kind::Share, How::Error),
];

/// Commits every group while the disk may fail; how many were acknowledged. After the first failure all are refused.
fn drive(workload: &Workload, disk: &Mounted, path: &Path) -> Result<usize, String> {
    let Ok(store) = Sqlite::open(path, Open::ReadWrite) else { return Ok(0) };
    let (mut acknowledged, mut failed) = (0, false);
    for (number, group) in workload.groups.iter().enumerate() {
        let answers = store.commit(group);
        if answers.iter().all(Result::is_err) && answers != workload.answers[number] {
            failed = true;
        } else if failed {
            return Err(format!("group {number} was written after a failure: {answers:?}"));
        } else if answers != workload.answers[number] {
            return Err(format!("group {number} was answered {answers:?}"));
        } else {
            acknowledged = number + 1;
            disk.acknowledge(acknowledged);
        }
    }
    Ok(acknowledged)
}

/// What is in the file is what was acknowledged, or one group more; the workload can go on from there.
fn reopen(workload: &Workload, path: &Path, acknowledged: usize) -> Result<(), String> {
    let store = Sqlite::open(path, Open::ReadWrite).map_err(|error| format!("reopened: {error}"))?;
    let state = |store| State::of(store, &workload.blobs).map_err(|error| format!("read: {error}"));
    let groups = workload.holds(&state(&store)?, acknowledged)?;
    workload.go_on(&store, groups)?;
    workload.holds(&state(&store)?, workload.groups.len()).map(drop)
}

/// One fault, over `base` or over a journal that is yet to be made; whether there was an operation for it.
fn strike(workload: &Workload, base: &Files, fault: Fault) -> Result<bool, String> {
    let folder = callsheet_lab::folder().unwrap();
    let path = folder.path().join("journal.db");
    image::lay_out(base, folder.path()).unwrap();
    let disk = Mounted::at(folder.path());
    disk.plan(Some(fault));
    let acknowledged = drive(workload, &disk, &path)?;
    let struck = disk.has_struck();
    disk.plan(None);
    let mut course = Course::new(base.clone());
    disk.take().iter().for_each(|event| course.step(event));
    reopen(workload, &path, acknowledged)?;
    if base.is_empty() {
        // The journal gets its name by a link, which the disk does not see: there is no image to lay out.
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left = names.filter(|name| name != "journal.db").count();
        return if left == 0 { Ok(struck) } else { Err(format!("{left} files are left beside it")) };
    }
    // And if the power goes after it.
    for keep in [Keep::None, Keep::All, Keep::Seed(fault.nth as u64)] {
        let files = course.image(keep);
        image::lay_out(&files, folder.path()).unwrap();
        reopen(workload, &path, acknowledged).map_err(|text| format!("{text}, {keep:?}"))?;
    }
    Ok(struck)
}

/// Every plan at every operation, until a plan has none left; how many there were.
fn sweep(what: &str, plans: &[(Kind, How)], strike: impl Fn(Fault) -> Result<bool, String> + Sync) -> usize {
    let begun = Instant::now();
    let plans: Vec<_> = plans.iter().flat_map(|plan| [(*plan, false), (*plan, true)]).collect();
    let (next, points) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(((kind, how), stays)) = plans.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            for nth in 0.. {
                let fault = Fault { kind, nth, how, stays };
                match strike(fault) {
                    Ok(true) => points.fetch_add(1, Ordering::Relaxed),
                    Ok(false) => break,
                    Err(text) => panic!("{what}: {fault:?}: {text}"),
                };
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callsheet_lab::threads()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let points = points.into_inner();
    println!("faults, {what}: {points} points in {:?}", begun.elapsed());
    points
}

/// The file of a journal with so many groups in it.
fn journal(workload: &Workload, groups: usize) -> Files {
    let folder = callsheet_lab::folder().unwrap();
    let path = folder.path().join("journal.db");
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    workload.groups[..groups].iter().for_each(|group| drop(store.commit(group)));
    drop(store);
    BTreeMap::from([("journal.db".into(), std::fs::read(&path).unwrap())])
}

#[test]
fn no_fault_at_any_operation_loses_or_invents_anything() {
    let workload = Workload::new(3, 9);
    let base = journal(&workload, 0);
    let points = sweep("while it is written", KINDS, |fault| strike(&workload, &base, fault));
    assert!(points > 500, "{points}");
}

#[test]
fn no_fault_while_a_journal_is_made_leaves_half_of_one() {
    let workload = Workload::new(3, 1);
    let points = sweep("while it is made", KINDS, |fault| strike(&workload, &Files::new(), fault));
    assert!(points > 200, "{points}");
}

/// One fault under a reader: what it sees is all there is or an error, and the next look sees all.
fn strike_reader(workload: &Workload, base: &Files, how: Open, fault: Fault) -> Result<bool, String> {
    let folder = callsheet_lab::folder().unwrap();
    image::lay_out(base, folder.path()).unwrap();
    let disk = Mounted::at(folder.path());
    disk.plan(Some(fault));
    let whole = workload.states.last().unwrap();
    let look = |store: &Sqlite| State::of(store, &workload.blobs);
    let opened = Sqlite::open(&folder.path().join("journal.db"), how);
    let seen = opened.as_ref().map_err(Clone::clone).and_then(look);
    let struck = disk.has_struck();
    disk.plan(None);
    match (seen, opened.as_ref().map_err(Clone::clone).and_then(look)) {
        (Ok(seen), _) if seen != *whole => Err("it saw something else".to_owned()),
        (_, Ok(later)) if later != *whole => Err("it saw something else later".to_owned()),
        // The same fault for ever, or one that kept it closed.
        (Err(_), Err(_)) if opened.is_err() => Ok(struck),
        (_, Err(error)) => Err(format!("the fault is over, and it says {error}")),
        (_, Ok(_)) => Ok(struck),
    }
}

#[test]
fn no_fault_under_a_reader_shows_anything_else() {
    let workload = Workload::new(4, 20);
    let base = journal(&workload, 20);
    let kinds = [Kind::Open, Kind::Read, Kind::Size, Kind::Lock, Kind::Share].map(|kind| (kind, How::Error));
    for how in [Open::ReadOnly, Open::ReadWrite] {
        let what = format!("while it is read, {how:?}");
        let points = sweep(&what, &kinds, |fault| strike_reader(&workload, &base, how, fault));
        assert!(points > 50, "{points}");
    }
}

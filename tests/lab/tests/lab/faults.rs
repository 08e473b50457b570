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

/// One fault; whether there was an operation for it.
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
    // And if the power goes after it.
    for keep in [Keep::None, Keep::All, Keep::Seed(fault.nth as u64)] {
        let files = course.image(keep);
        image::lay_out(&files, folder.path()).unwrap();
        reopen(workload, &path, acknowledged).map_err(|text| format!("{text}, {keep:?}"))?;
    }
    Ok(struck)
}

#[test]
fn no_fault_at_any_operation_loses_or_invents_anything() {
    let begun = Instant::now();
    let workload = Workload::new(3, 9);
    let folder = callsheet_lab::folder().unwrap();
    let path = folder.path().join("journal.db");
    drop(Sqlite::open(&path, Open::ReadWrite).unwrap());
    let base = BTreeMap::from([("journal.db".into(), std::fs::read(&path).unwrap())]);
    let plans: Vec<_> = KINDS.iter().flat_map(|plan| [(*plan, false), (*plan, true)]).collect();
    let (next, points) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(((kind, how), stays)) = plans.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            for nth in 0.. {
                let fault = Fault { kind, nth, how, stays };
                match strike(&workload, &base, fault) {
                    Ok(true) => points.fetch_add(1, Ordering::Relaxed),
                    Ok(false) => break,
                    Err(text) => panic!("{fault:?}: {text}"),
                };
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callsheet_lab::threads()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let points = points.into_inner();
    println!("faults: {points} points in {:?}", begun.elapsed());
    assert!(points > 500, "{points}");
}

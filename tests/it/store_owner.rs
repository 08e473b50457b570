//! An owner lives as long as its process, stopped or not, and no longer.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use callsheet::clock::{Clock as _, Machine};
use callsheet::id::Epoch;
use callsheet::journal::owner::is_alive;
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Claiming, Done, Error, Holder, Lease, Op, OwnerId, Store as _};
use rustix::process::{Pid, Signal, kill_process};

use crate::store::{NOBODY, append, create, one, run_id};

const FOLDER: &str = "CALLSHEET_TEST_OWNER_FOLDER";

/// No test but what the child below runs: makes an owner and a run, says so, and waits to be killed.
#[test]
fn child_that_owns() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let store = Sqlite::open(&folder.join("journal.db"), Open::ReadWrite).unwrap();
    let owner = lease(&store);
    one(&store, create(run_id(1), owner.id(), &["a"])).unwrap();
    println!("\nowner {}", owner.id().0);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

fn lease(store: &Sqlite) -> Lease {
    store.lease(Holder { id: OwnerId(Machine.id()), label: label(std::process::id()) }).unwrap()
}

fn label(pid: u32) -> String {
    format!("process {pid}")
}

fn child(folder: &Path) -> (Child, OwnerId) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store_owner::child_that_owns", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = lines.map(Result::unwrap).find_map(|line| Some(line.strip_prefix("owner ")?.parse().unwrap())).unwrap();
    (child, OwnerId(id))
}

#[test]
fn a_killed_process_frees_its_runs_at_once_and_a_stopped_one_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, owner) = child(folder.path());
    let by = label(child.id());
    let store = Sqlite::open(&folder.path().join("journal.db"), Open::ReadWrite).unwrap();
    let me = lease(&store);
    let claim = |how| one(&store, Op::Claim { run: run_id(1), owner: me.id(), how });
    assert_eq!(is_alive(folder.path(), owner), Ok(Some(Holder { id: owner, label: by.clone() })));
    assert_eq!(claim(Claiming::IfFree), Err(Error::Owned { by: by.clone() }));
    kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
    assert_eq!(claim(Claiming::IfFree), Err(Error::Owned { by }), "stopped is alive");
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(claim(Claiming::IfFree), Ok(Done::Claimed(Epoch(2))));
    assert!(!folder.path().join("owners").join(owner.0.to_string()).exists(), "swept up");
    assert!(matches!(one(&store, append(run_id(1), 1, 1, &["x"])), Err(Error::Conflict(_))));
}

#[test]
fn an_owner_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("journal.db"), Open::ReadWrite).unwrap();
    let (one, other) = (lease(&store), lease(&store));
    assert_ne!(one.id(), other.id());
    let id = one.id();
    assert_eq!(is_alive(folder.path(), id), Ok(Some(Holder { id, label: label(std::process::id()) })));
    drop(one);
    // Before anybody asks: whoever does sweeps up.
    assert!(!folder.path().join("owners").join(id.0.to_string()).exists(), "it sweeps up itself");
    assert_eq!(is_alive(folder.path(), id), Ok(None));
    assert_eq!(is_alive(folder.path(), NOBODY), Ok(None));
    assert_eq!(std::fs::read_dir(folder.path().join("owners")).unwrap().count(), 1);
}

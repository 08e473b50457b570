//! A run is read once for a command, however long it is: what a command shows, decides on, takes up and follows is one
//! reading that goes on. Counted at the store, by the records that the real commands read.

use std::process::{Command, Output, Stdio};

use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Query, Store as _};

use crate::cli::{Project, words};

/// Records that are read beside: the first one, which names the plan.
const BESIDE: usize = 4;

/// Records of all runs of the project.
fn records(project: &Project) -> usize {
    let Ok(store) = Sqlite::open(&project.path(".callsheet/journal.db"), Open::ReadOnly) else { return 0 };
    let rows = store.runs(&Query::default()).unwrap();
    rows.iter().map(|row| usize::try_from(row.last.0).unwrap()).sum()
}

/// The command `line`, telling what it reads.
fn command(project: &Project, line: &str) -> Command {
    let mut command = project.command();
    command.args(words(line)).env("CALLSHEET_LOG", "callsheet::journal=trace");
    command
}

/// The records that a command read.
fn read(output: &Output) -> usize {
    let text = String::from_utf8_lossy(&output.stderr);
    let said = text.lines().filter_map(|line| line.split_once("records read=")?.1.split(' ').next());
    said.map(|number| number.parse::<usize>().unwrap()).sum()
}

/// Types `line`, in which every record is read so many times.
fn check(project: &Project, line: &str, exit: i32, times: usize) {
    let before = records(project);
    let output = command(project, line).output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "callsheet {line}: {}", String::from_utf8_lossy(&output.stderr));
    let (read, least, most) = (read(&output), times * before, times * records(project) + BESIDE);
    assert!((least..=most).contains(&read), "callsheet {line}: {read} records are read, and not {least} to {most}");
}

#[test]
fn a_run_is_read_once_for_a_command() {
    let project = Project::new();
    // Those of a run that waits, which comes to the next one's by what is done to it.
    let steps: [(&str, i32, usize); 24] = [
        ("run re-engagement", 3, 1),
        ("runs", 0, 0),
        ("runs --json", 0, 0),
        ("approvals", 0, 1),
        ("approvals --json", 0, 1),
        ("show 1", 0, 1),
        ("show 1 --json", 0, 1),
        ("show 1 --artefact sequence", 0, 1),
        ("messages 1", 0, 1),
        ("messages 1 --json", 0, 1),
        ("trace 1", 0, 1),
        ("review 1", 0, 1),
        ("review 1 --json", 0, 1),
        ("dead-letters 1", 0, 1),
        ("dead-letters 1 --retry m1", 2, 1),
        ("resume 1", 3, 1),
        ("pause 1", 0, 1),
        ("resume 1", 3, 1),
        ("resume 1 --steps 900", 3, 1),
        ("settle 1 --happened", 2, 1),
        ("request-changes 1 -m 'Warmer, please.'", 3, 1),
        ("approve 2", 0, 1),
        ("resume 1 --record said.toml", 0, 2),
        // The chain, and what the run rests on beside it.
        ("audit verify", 0, 2),
    ];
    for (line, exit, times) in steps {
        check(&project, line, exit, times);
    }
}

#[test]
fn a_version_of_a_persons_own_takes_one_reading_too() {
    let project = Project::new();
    assert_eq!(project.types("run re-engagement").0, 3);
    let sequence = project.types("show 1 --artefact sequence --json").1;
    let mut sequence: serde_json::Value = serde_json::from_str(sequence.lines().next().unwrap()).unwrap();
    sequence["mails"][0]["subject"] = "We saved your place".into();
    std::fs::write(project.path("mine.toml"), toml::to_string(&sequence).unwrap()).unwrap();
    check(&project, "edit 1 --file mine.toml", 3, 1);
}

#[test]
fn a_followed_run_is_read_once_and_left_when_it_is_over() {
    let project = Project::new();
    assert_eq!(project.types("run re-engagement").0, 3);
    let mut follower = command(&project, "messages 1 --follow");
    let follower = follower.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(project.types("approve 1").0, 0);
    let output = follower.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), project.types("messages 1").1);
    assert!(read(&output) <= records(&project) + BESIDE);
}

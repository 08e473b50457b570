//! `callsheet test` over projects with people: nothing hangs, a time that passes is not waited for, and one bad test says
//! nothing of the others.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sweep::copy;

const EXPIRES: &str = "\n[[test]]\nname = \"nobody signs\"\ndecisions = [\"expire\"]\nstatus = \"rejected\"\n";
const LATE: &str =
    "\n[[test]]\nname = \"somebody signs late\"\ndecisions = [\"expire\", \"approve\"]\nstatus = \"done\"\n";
const BAD: &str = "\n[[test]]\nname = \"a wrong end\"\nstatus = \"rejected\"\n";
const AFTER: &str = "\n[[test]]\nname = \"the one after it\"\ndecisions = [\"reject\"]\nstatus = \"rejected\"\n";

/// Appends to the rehearsal, edits the approver, runs the tests, and expects the exit code and what is said.
fn check(name: &str, tests: &[&str], edits: &[(&str, &str, &str)], exit: i32, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/check/base"), folder.path());
    let edit = |file: &str, change: &dyn Fn(String) -> String| {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, change(text)).unwrap();
    };
    edit("rehearsals/newsletter.toml", &|text| text + &tests.concat());
    for (file, find, replace) in edits {
        edit(file, &|text| text.replacen(find, replace, 1));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.arg("test").current_dir(folder.path()).env("HOME", folder.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{name}:\n{text}");
    for say in says {
        assert!(text.contains(say), "{name} does not say {say:?}:\n{text}");
    }
}

#[test]
fn tests_of_a_project_with_people_end() {
    const APPROVER: &str = "agents/approver.toml";
    const TOPOLOGY: &str = "topologies/newsletter.toml";
    let two = (APPROVER, "needed = 1", "needed = 2");
    let not_the_starter = (APPROVER, "starter_may_approve = true", "starter_may_approve = false");
    let hold = [(APPROVER, "then = \"reject\"", "then = \"hold\""), (TOPOLOGY, ", expired = \"end\"", "")];
    let good = "pass newsletter: the best of a week is told";
    check("people are declared", &[], &[], 0, &[good, "1 passed, 0 failed"]);
    check("two sign", &[], &[two], 0, &[good]);
    check("the starter may not sign", &[], &[not_the_starter], 0, &[good]);
    check("a time that passes", &[EXPIRES], &[], 0, &["pass newsletter: nobody signs"]);
    check("a time that passes, and it waits on", &[LATE], &hold, 0, &["pass newsletter: somebody signs late"]);
    let all =
        ["FAIL newsletter: a wrong end", "it ended as done, not as rejected", "pass newsletter: the one after it"];
    check("a bad test", &[BAD, AFTER], &[], 1, &all);
    let unread = [(TOPOLOGY, "default = \"2026-W40\", ", "")];
    let gives = ["FAIL newsletter: the one after it", "it gives no `week`", good];
    check("a test without a parameter", &[AFTER], &unread, 1, &gives);
    let other = [("topologies/another.toml", "", "schema_version = 1\n")];
    check("a topology with faults", &[], &other, 2, &[good, "not ok another:", "1 passed, 0 failed"]);
}

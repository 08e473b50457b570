//! `callsheet rehearse` as people type it: every way of the shipped topologies, a handoff that is never taken, and the
//! kill sweep over a tiny project.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::sweep::copy;

/// A project whose sender notes items in a record that can be asked.
const TINY: [(&str, &str); 6] = [
    ("callsheet.toml", "schema_version = 1\n[tools.notes]\nkind = \"sink\"\nrepeat = { class = \"queryable\" }\n"),
    (
        "topologies/notice.toml",
        r#"schema_version = 1
description = "Write a notice, get it approved, put it up once."
[artefacts]
notice = { schema = "notice" }
[team]
writer = { writes = ["notice"] }
approver = { approves = ["notice"] }
sender = { tool = "notes.deliver", args = { items = "notice.items" } }
[handoffs]
start = "writer"
writer = "approver"
approver = { approve = "sender", request_changes = { to = "writer", rounds = 2, then = "end" }, reject = "end", expired = "end" }
sender = "end"
[budget]
steps = 20
tokens = 100_000
cost_usd = 1.00
active_time = "10m"
when_spent = "pause"
[supervisor]
max_restarts = 3
within = "5m"
backoff = { initial = "10ms", max = "100ms" }
poison_after = 3
"#,
    ),
    (
        "agents/writer.toml",
        r#"schema_version = 1
kind = "model"
does = "Writes a notice."
outcomes = ["written"]
instructions = "Write a notice."
limits = { output_tokens = 500, call_timeout = "30s" }
"#,
    ),
    (
        "agents/approver.toml",
        r#"schema_version = 1
kind = "person"
does = "Decides whether it goes up."
expires = { after = "7d", then = "reject" }
"#,
    ),
    (
        "schemas/notice.json",
        r#"{ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
"required": ["items"], "properties": { "items": { "type": "array", "minItems": 1, "items": { "type": "object",
"additionalProperties": false, "required": ["title"], "properties": { "title": { "type": "string" } } } } } }"#,
    ),
    (
        "rehearsals/notice.toml",
        r#"schema_version = 1
[[writer]]
outcome = "written"
note = "A notice."
writes.notice = { items = [{ title = "The sale begins on Monday." }] }
"#,
    ),
];

fn tiny() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in TINY {
        write(&folder.path().join(name), text);
    }
    folder
}

fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["agents", "topologies", "schemas", "rehearsals", "data"] {
        copy(&from.join(name), &folder.path().join(name));
    }
    fs::copy(from.join("callsheet.toml"), folder.path().join("callsheet.toml")).unwrap();
    folder
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Types `callsheet rehearse` and `line` in `project`, expects the code, and gives what is on stdout and on stderr.
fn check(project: &Path, line: &str, code: i32) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.arg("rehearse").args(line.split(' ')).current_dir(project).stdin(Stdio::null());
    command.env_remove("CALLSHEET_JOURNAL").env_remove("CALLSHEET_CRASH").env("CALLSHEET_PERSON", "ana");
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{err}");
    (out, err)
}

fn check_json(project: &Path, line: &str, code: i32) -> Value {
    serde_json::from_str(&check(project, line, code).0).unwrap()
}

#[test]
fn every_way_of_the_shipped_topologies_is_gone_and_every_handoff_taken() {
    let project = shipped();
    for topology in ["re-engagement", "content-repurposing"] {
        let seen = check_json(project.path(), &format!("{topology} --all --json"), 0);
        assert_eq!(seen["bounded"], false, "{seen}");
        assert_eq!(seen["broken"], serde_json::json!([]));
        let handoffs = seen["handoffs"].as_array().unwrap();
        assert!(handoffs.len() >= 9 && handoffs.iter().all(|of| of["taken"] == true), "{seen:#}");
        assert!(handoffs.iter().all(|of| of["then_taken"] != false), "{seen:#}");
        for ending in ["done", "rejected", "stuck on a dead letter"] {
            assert!(seen["endings"][ending].is_string(), "{topology} never ends {ending}: {}", seen["endings"]);
        }
        let stuck = seen["stuck"].as_array().unwrap();
        let first = stuck.iter().find(|of| of["message"].as_str().unwrap().starts_with("start -> ")).unwrap();
        let last = first["way"].as_array().unwrap().last().unwrap().as_str().unwrap();
        assert_eq!(last, format!("({})", first["why"].as_str().unwrap()), "the way ends with what went wrong");
        // Three rounds of revision before each of six approvals, and the two sides of each round.
        assert!(seen["strangest"]["exhausted"].as_u64().unwrap() >= 6, "{:#}", seen["strangest"]);
        assert!(seen["longest"]["handoffs"].as_u64() >= seen["strangest"]["handoffs"].as_u64());
        assert!(seen["dearest"]["steps"].as_u64() >= seen["longest"]["steps"].as_u64());
    }
    assert!(!project.path().join(".callsheet").exists(), "nothing ran");
}

/// The person's decision in between resets the rounds, so they are never used up: well formed, and never taken.
#[test]
fn a_handoff_that_is_never_taken_is_named() {
    let project = tiny();
    let path = |name: &str| project.path().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let handoffs = "writer = \"checker\"\npolisher = \"approver\"\n\
                    checker = { good = \"approver\", poor = { to = \"approver\", rounds = 2, then = \"polisher\" } }\n";
    let team =
        "checker = { reads = [\"notice\"] }\npolisher = { reads = [\"notice\"], writes = [\"notice\"] }\n[handoffs]\n";
    let topology = read("topologies/notice.toml").replace("writer = \"approver\"\n", handoffs);
    write(&path("topologies/notice.toml"), &topology.replace("[handoffs]\n", team));
    write(&path("agents/polisher.toml"), &read("agents/writer.toml"));
    write(&path("agents/checker.toml"), &read("agents/writer.toml").replace("\"written\"", "\"good\", \"poor\""));
    let lines = "[[checker]]\noutcome = \"good\"\nnote = \"Good.\"\n[[polisher]]\noutcome = \"written\"\nnote = \"Mended.\"\n\
                 writes.notice = { items = [{ title = \"The sale begins.\" }] }\n";
    write(&path("rehearsals/notice.toml"), &(read("rehearsals/notice.toml") + lines));
    let (out, err) = check(project.path(), "notice --all", 1);
    let never: Vec<&str> = out.lines().filter(|line| line.ends_with("NEVER")).map(str::trim_start).collect();
    assert_eq!(never.len(), 2, "{out}");
    assert!(never[0].starts_with("checker.poor after 2 rounds -> polisher"), "{out}");
    assert!(never[1].starts_with("polisher.written -> approver"), "{out}");
    assert!(err.contains("8 of 9 handoffs taken"), "{err}");
}

#[test]
fn a_bound_that_is_hit_is_said_loudly() {
    let (out, err) = check(shipped().path(), "re-engagement --all --paths 20", 1);
    assert!(out.contains("20 branches") && err.contains("BOUND HIT"), "{out}\n{err}");
}

#[test]
fn killed_at_every_boundary_a_tiny_campaign_comes_to_the_same() {
    let project = tiny();
    let report = check_json(project.path(), "notice --crash --json", 0);
    let boundaries = report["boundaries"].as_array().unwrap();
    assert_eq!(boundaries.len(), 8, "two commands, four boundaries each: {report:#}");
    for boundary in boundaries {
        assert!(boundary["kills"].as_u64().unwrap() > 0, "nothing was killed there: {boundary}");
        assert_eq!(boundary["kills"], boundary["equal"], "{boundary}");
    }
    for left in [".callsheet", "out", "sink.jsonl"] {
        assert!(!project.path().join(left).exists(), "{left} is of the scratch copy and not of the project");
    }
}

#[test]
fn without_a_flag_it_is_a_rehearsed_run() {
    let (out, err) = check(tiny().path(), "notice", 3);
    assert!(out.contains("written") && err.contains("rehearsal: no model runs"), "{out}\n{err}");
}

//! What leaves, as people see it: whoever withdrew is left out, an older journal acts no more, a folder is one run's, the
//! whole need is told at once, and what a tool agent writes is examined.

use std::fs;
use std::path::Path;

use crate::cli::{Project, check, untouched};
use crate::store_file::raw;
use crate::sweep::copy;

#[test]
fn whoever_withdrew_between_approval_and_delivery_is_left_out_and_named() {
    let project = check("consent", untouched, &[("run re-engagement", 3, &[])]);
    // Vera leaves the list, Mira is suppressed, and Aino agrees, which comes too late for this list.
    project.replace("data/contacts.csv", "Vera,north,lapsed_eu,1,0", "Vera,north,lapsed_eu,0,0");
    project.replace("data/contacts.csv", "Mira,north,lapsed_eu,1,0", "Mira,north,lapsed_eu,1,1");
    project.replace("data/contacts.csv", "Aino,north,lapsed_eu,0,0", "Aino,north,lapsed_eu,1,0");
    let left_out =
        "left out, since they withdrew after the approval: 2: vera.01806@example.org, mira.01807@example.com";
    for (line, says) in
        [("approve 1", left_out), ("show 1", left_out), ("messages 1", left_out), ("audit verify", "4 delivered")]
    {
        let (code, text) = project.types(line);
        assert!(code == 0 && text.contains(says), "{line}: {code} {text}");
    }
    let list = fs::read_to_string(project.path("out/1-re-engagement/audience.csv")).unwrap();
    assert_eq!(list.lines().count(), 721 - 2 + 1);
    assert!(["vera.01806", "mira.01807", "aino.01808"].iter().all(|name| !list.contains(name)), "nobody is added");
}

#[test]
fn a_list_that_is_not_what_was_approved_does_not_leave() {
    let project = check("tampered", untouched, &[("run re-engagement", 3, &[])]);
    let sql =
        "UPDATE bodies SET bytes = CAST(CAST(bytes AS TEXT) || 'eve@example.org,Eve,c99999,north' || char(10) AS BLOB)
               WHERE CAST(bytes AS TEXT) LIKE 'email,first_name%'";
    raw(&project.path(".callsheet/journal.db")).execute_batch(sql).unwrap();
    let (code, text) = project.types("approve 1");
    assert!(code != 0 && text.contains("damaged"), "{code} {text}");
    assert!(!project.path("out/1-re-engagement/audience.csv").exists(), "{text}");
}

#[test]
fn an_older_journal_that_is_put_back_does_not_act_again() {
    let project = check("older", untouched, &[("run content-repurposing", 3, &[])]);
    let kept = tempfile::tempdir().unwrap();
    copy(&project.path(".callsheet"), kept.path());
    let first = project.types("approve 1");
    assert_eq!(first.0, 0, "{}", first.1);
    let record = fs::read(project.path("out/1-content-repurposing/.effects")).unwrap();
    fs::remove_dir_all(project.path(".callsheet")).unwrap();
    copy(kept.path(), &project.path(".callsheet"));
    let (code, text) = project.types("approve 1");
    assert!(code == 0 && text.matches("it was there already, and nothing was done").count() >= 3, "{code} {text}");
    assert_eq!(fs::read(project.path("out/1-content-repurposing/.effects")).unwrap(), record);
    assert!(!project.path("out/1-content-repurposing-2").exists());
}

#[test]
fn another_journals_folder_is_left_alone() {
    let lines: [(&str, i32, &[&str]); 2] = [("run content-repurposing", 3, &[]), ("approve 1", 0, &[])];
    let project = check("another", untouched, &lines);
    let before = names(&project.path("out/1-content-repurposing"));
    fs::remove_dir_all(project.path(".callsheet")).unwrap();
    let second = "out/1-content-repurposing-2";
    for (line, exit, says) in [
        ("run content-repurposing", 3, ""),
        ("approve 1", 0, "the folder 1-content-repurposing is not this run's"),
        ("show 1", 0, "files: out/1-content-repurposing-2"),
        ("audit verify", 0, "3 delivered files"),
    ] {
        let (code, text) = project.types(line);
        assert!(code == exit && text.contains(says), "{line}: {code} {text}");
    }
    assert_eq!(names(&project.path("out/1-content-repurposing")), before);
    assert_eq!(names(&project.path(second)), before);
}

#[test]
fn the_need_of_all_mails_is_told_at_once_and_one_raise_suffices() {
    let arrange = |project: &Project| {
        project.replace("topologies/re-engagement.toml", "steps = 80", "steps = 80\nrecipients = 1_000");
    };
    let need = 3 * 721;
    let raise = format!("resume 1 --recipients {need}");
    let says = format!("--recipients {need}");
    let project = check("recipients", arrange, &[("run re-engagement", 3, &[]), ("approve 1", 4, &[&says])]);
    let (code, text) = project.types(&raise);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_tool_agent_writes_an_artefact_that_is_examined() {
    // What its schema asks for, and what comes of it.
    let cases = [
        (r#"{"type":"object","required":["path","text"],"properties":{"text":{"type":"string"}}}"#, 0, "Come along"),
        (r#"{"type":"object","required":["author"]}"#, 3, "author"),
    ];
    for (schema, exit, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in READS {
            crate::tools::write(dir.path(), name, text);
        }
        crate::tools::write(dir.path(), "schemas/article.json", schema);
        let types = |line: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callsheet"));
            command.current_dir(dir.path()).args(line.split(' ')).env_clear().env("CALLSHEET_PERSON", "ana");
            let output = command.stdin(std::process::Stdio::null()).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8_lossy(&text).into_owned())
        };
        let (code, text) = types("run reading");
        assert_eq!(code, Some(exit), "{text}");
        let seen = if exit == 0 { types("show 1 --artefact article").1 } else { types("dead-letters 1").1 };
        assert!(seen.contains(says), "{seen}\n{text}");
    }
}

/// A tool reads an article, and that is the whole run.
const READS: [(&str, &str); 3] = [
    ("callsheet.toml", "schema_version = 1\n[tools.articles]\nkind = \"files\"\nroot = \"articles\"\n"),
    ("articles/one.md", "Come along.\n"),
    (
        "topologies/reading.toml",
        r#"schema_version = 1
description = "Read an article."
artefacts = { article = { schema = "article" } }
team = { reader = { tool = "articles.read", args = { path = { value = "one.md" } }, writes = ["article"] } }
budget = { steps = 20, tokens = 1_000, cost_usd = 0.10, active_time = "1m" }
[handoffs]
start = "reader"
reader = "end"
"#,
    ),
];

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

//! `--record` and `--replay`: what models said, written down and played again, exactly or not at all.

use std::fs;

use super::cli::{Project, check, untouched, words};

const RECORD: &str = "run re-engagement --record said.toml";

/// A recorded run: its first part, another draft, and the approval.
const RECORDED: [(&str, i32, &[&str]); 3] = [
    (RECORD, 3, &["recorded: 9 calls of models in said.toml"]),
    ("request-changes 1 -m 'Warmer, please.' --record said.toml", 3, &["recorded: 11 calls of models in said.toml"]),
    ("approve 2 --record said.toml", 0, &["recorded: 11 calls of models in said.toml"]),
];

#[test]
fn a_recording_plays_again_without_script_or_model() {
    let project = check("recorded", untouched, &RECORDED);
    fs::remove_file(project.path("rehearsals/re-engagement.toml")).unwrap();
    let steps: [(&str, i32, &[&str]); 4] = [
        ("run re-engagement --replay said.toml", 3, &["replay: no model runs", "lapsed_eu clicked 5.86 %"]),
        ("request-changes 3 -m 'Warmer, please.'", 3, &["this is a replay: no model ran"]),
        ("approve 4", 0, &["audience.csv", "nothing is sent"]),
        ("show 2", 0, &["replay: no model runs", "done"]),
    ];
    for (line, exit, needles) in steps {
        let (code, text) = project.types(line);
        assert_eq!(code, exit, "{line}\n{text}");
        needles.iter().for_each(|needle| assert!(text.contains(needle), "{line} does not say {needle:?}:\n{text}"));
    }
    let mails = |run: &str| {
        let read = |name: &str| fs::read_to_string(project.path(&format!("out/{run}-re-engagement/{name}"))).unwrap();
        let mail = read("01-we-noticed.eml");
        let kept = mail.lines().filter(|line| !line.starts_with("Date: ") && !line.contains("Message-ID"));
        (kept.map(str::to_owned).collect::<Vec<_>>(), read("audience.csv"))
    };
    assert_eq!(mails("2").1, mails("1").1);
    let told = |no: &str| project.types(&format!("show {no} --artefact sequence --json")).1;
    assert_eq!(told("2"), told("1"));
}

#[test]
fn a_recording_is_the_same_however_often_its_run_was_killed() {
    let undisturbed = Project::new();
    assert_eq!(undisturbed.types(RECORD).0, 3);
    let wanted = fs::read_to_string(undisturbed.path("said.toml")).unwrap();
    for crash in ["committed:2", "performed:3", "started:9", "decided:12", "committed:13"] {
        let project = Project::new();
        let killed = project.command().args(words(RECORD)).env("CALLSHEET_CRASH", crash).output().unwrap();
        assert!(killed.status.code().is_none(), "{crash}: {killed:?}");
        assert!(!project.path("said.toml").exists());
        let (code, text) = project.types("resume 1 --record said.toml");
        assert_eq!(code, 3, "{crash}: {text}");
        assert_eq!(fs::read_to_string(project.path("said.toml")).unwrap(), wanted, "{crash}");
    }
}

#[test]
fn what_differs_is_told_and_not_answered() {
    type Change = fn(&Project);
    let cases: [(&str, Change, &str, &[&str]); 5] = [
        (
            "instructions",
            |project| project.replace("agents/planner.md", "You are", "You will be"),
            "run re-engagement --replay said.toml",
            &["drift: what is asked differs", "planner, turn 1, call 1", "- You are the planner", "+ You will be the"],
        ),
        (
            "data",
            |project| {
                let path = project.path("data/sends.csv");
                let text = fs::read_to_string(&path).unwrap();
                let (first, rest) = text.split_once('\n').unwrap();
                let fewer: Vec<&str> = rest.lines().filter(|line| !line.contains("lapsed_eu")).collect();
                fs::write(path, format!("{first}\n{}\n", fewer.join("\n"))).unwrap();
            },
            "run re-engagement --replay said.toml",
            &["drift: what is asked differs", "analyst, turn 1, call 2", "-       \"clicks\": 40"],
        ),
        (
            "a parameter",
            |_| {},
            "run re-engagement --replay said.toml -p quarter=2026-Q1",
            &["drift: what is asked differs", "analyst, turn 1, call 1", "2026-Q1"],
        ),
        (
            "another way",
            |project| {
                assert_eq!(project.types("run re-engagement --replay said.toml").0, 3);
                assert_eq!(project.types("reject 2 -m 'Not this quarter.'").0, 5);
            },
            "show 2",
            &["rejected"],
        ),
        (
            "what was not recorded",
            |project| {
                let path = project.path("said.toml");
                let text = fs::read_to_string(&path).unwrap();
                let last = text.rfind("[[call]]").unwrap();
                fs::write(path, &text[..last]).unwrap();
            },
            "run re-engagement --replay said.toml",
            &["drift: this run asks what was not asked when it was recorded: critic, turn 2, call 1, attempt 1"],
        ),
    ];
    for (name, change, line, needles) in cases {
        let project = check(name, untouched, &RECORDED[..1]);
        change(&project);
        let (code, text) = project.types(line);
        let fails = !line.starts_with("show");
        assert_eq!(code, i32::from(fails), "{name}: {text}");
        needles.iter().for_each(|needle| assert!(text.contains(needle), "{name} does not say {needle:?}:\n{text}"));
        if fails {
            let (code, text) = project.types("dead-letters 2");
            assert!(code == 3 && text.contains("drift"), "{name}: {text}");
        }
    }
}

#[test]
fn a_recording_that_cannot_be_played_is_refused_before_anything_starts() {
    let cases: [(&str, &str, &str, &[&str]); 8] = [
        ("no TOML", "schema_version = 1", "schema_version = ", &["cannot be replayed", "line 3"]),
        ("another version", "schema_version = 1", "schema_version = 2", &["schema_version 2", "reads 1"]),
        ("an unknown key", "schema_version = 1", "schema_version = 1\nversion = 1", &["unknown field", "version"]),
        ("another topology", "re-engagement", "content-repurposing", &["is a recording of content-repurposing"]),
        ("a call twice", "agent = \"planner\"", "agent = \"analyst\"", &["two calls of analyst, turn 1, call 1"]),
        ("no name", "agent = \"planner\"", "agent = \"no name\"", &["cannot be replayed"]),
        ("a reply that is none", "\"act\"", "\"deed\"", &["analyst, turn 1, call 1, attempt 1", "cannot be read"]),
        ("neither", "reply = ", "failure = 'x'\nreply = ", &["either a reply or a failure"]),
    ];
    let recorded = check("recorded", untouched, &RECORDED[..1]);
    let before = recorded.types("runs").1;
    let text = fs::read_to_string(recorded.path("said.toml")).unwrap();
    for (name, find, with, needles) in cases {
        assert!(text.contains(find), "{name}");
        fs::write(recorded.path("said.toml"), text.replacen(find, with, 1)).unwrap();
        let (code, told) = recorded.types("run re-engagement --replay said.toml");
        assert_eq!(code, 2, "{name}: {told}");
        needles.iter().for_each(|needle| assert!(told.contains(needle), "{name} does not say {needle:?}:\n{told}"));
    }
    let (code, told) = recorded.types("run re-engagement --replay nothing.toml");
    assert!(code == 2 && told.contains("nothing.toml"), "{told}");
    assert_eq!(recorded.types("runs").1, before);
}

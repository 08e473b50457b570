//! The commands as people type them: the shipped campaigns from the first command to the files, and every kind of bad
//! input with its exit code, its sentence, and nothing lost. Each case is data through one `check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use callsheet::clock::{Clock as _, Machine};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Claiming, Holder, Op, OwnerId, Query, Store as _};

use crate::sweep::copy;

/// What the analyst did before the first approval, as data.
const WORK: &str = r#"{"agent":"analyst","called":{"performance.query":{"failed":0,"times":2,"typed":0},"stats.rank":{"failed":0,"times":1,"typed":0}},"offered":["performance.query","stats.rank"],"turns":1}"#;

/// A copy of the shipped project in a folder of its own.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["agents", "topologies", "schemas", "rehearsals", "data"] {
            copy(&from.join(name), &folder.path().join(name));
        }
        fs::copy(from.join("callsheet.toml"), folder.path().join("callsheet.toml")).unwrap();
        Self { folder }
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["CALLSHEET_JOURNAL", "CALLSHEET_CRASH", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            command.env_remove(name);
        }
        command.env("CALLSHEET_PERSON", "ana");
        command
    }

    /// Types `line` and gives the exit code with all that was printed.
    pub(crate) fn types(&self, line: &str) -> (i32, String) {
        let output = self.command().args(words(line)).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn replace(&self, file: &str, find: &str, with: &str) {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(find), "{file} has no {find:?}");
        fs::write(path, text.replacen(find, with, 1)).unwrap();
    }
}

/// Words as a shell splits them, with single quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let split = quoted.flat_map(|(nth, part)| match nth % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    split.collect()
}

/// Arranges a project, types the lines, and expects each one's exit code and words.
pub(crate) fn check(name: &str, arrange: impl FnOnce(&Project), lines: &[(&str, i32, &[&str])]) -> Project {
    let project = Project::new();
    arrange(&project);
    for (line, exit, needles) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *exit, "{name}: callsheet {line}\n{text}");
        for needle in *needles {
            assert!(text.contains(needle), "{name}: callsheet {line} does not say {needle:?}:\n{text}");
        }
        assert!(!text.contains("panicked"), "{name}: {text}");
        assert!(!text.contains('\u{1b}'), "{name}: an escape reached the terminal:\n{text}");
    }
    project
}

pub(crate) fn untouched(_: &Project) {}

#[test]
fn the_first_story_ends_in_files_and_its_numbers_are_those_of_the_data() {
    let told =
        ["rehearsal: no model runs", "lapsed_eu clicked 5.86 % against 8.53 %", "(n = 1400,", "revise", "approval 1"];
    let project = check(
        "re-engagement",
        untouched,
        &[
            ("run re-engagement", 3, &told),
            ("review 1", 0, &["01-we-noticed.eml", "721 people", "Subject: 15 % off", "delivered: 1400", "clicks: 82"]),
            (
                "review 1",
                0,
                &["`analyst` called `performance.query` 2 times, `stats.rank` once", "`planner` have no tools"],
            ),
            ("review 1 --json", 0, &[WORK, "\"open\":true", "\"called\":{},\"offered\":[],\"turns\":2"]),
            ("show 1 --json", 0, &[WORK, "\"work\":{\"1\":[", "\"models\":{}"]),
            ("approvals", 0, &["re-engagement", "approver"]),
            ("approve 1", 0, &["ana", "single-person project", "audience.csv", "out/1-re-engagement"]),
            ("approve 1", 2, &["ana decided before: approve"]),
            ("resume 1", 0, &["is over: done"]),
            (
                "show 1",
                0,
                &["done", "sequence", "2,163", "4 items delivered", "revise from critic", "drafted from drafter"],
            ),
            ("trace 1", 0, &["analyst", "revise"]),
            ("trace 1 --format mermaid", 0, &["sequenceDiagram"]),
            ("messages 1 --json", 0, &["\"message_sent\""]),
            ("messages 1 --from critic", 0, &["critic -> drafter"]),
            ("audit verify", 0, &["the chain holds"]),
            ("runs --json", 0, &["\"status\":\"done\""]),
            ("doctor", 0, &["ok journal", "ok performance.query", "ok topology re-engagement"]),
        ],
    );
    let people = fs::read_to_string(project.path("out/1-re-engagement/audience.csv")).unwrap();
    assert_eq!(people.lines().count(), 722, "a line for each of the 721 people, and the heading");
    assert_eq!(
        fs::read_dir(project.path("out/1-re-engagement"))
            .unwrap()
            .filter(|entry| {
                entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|of| of == "eml"))
            })
            .count(),
        3
    );
}

#[test]
fn messages_say_what_was_offered_what_was_chosen_and_on_what_evidence() {
    let offered = "offered: cannot_tell (to end), check_data (to archivist), report_ready (to approver), \
                   second_opinion (to sceptic); performance.query, stats.compare, stats.rank; to ask archivist";
    let project = check(
        "investigate",
        untouched,
        &[
            (
                "run investigate",
                3,
                &["archivist -> investigator answer", "lapsed_eu fell by 3.86 points", "approval 1"],
            ),
            ("review 1", 0, &["question: Why did fewer readers click", "claim: Of 5970 mails", "name: one week"]),
            ("approve 1", 0, &["approve", "callsheet show 1 --artefact report"]),
            ("messages 1 --detail", 0, &[offered, "chose doubts on: report ", "(the answer of archivist)"]),
            ("show 1 --artefact report", 0, &["answer: In 2026-Q3 lapsed_eu clicked 5.86 %"]),
        ],
    );
    let (_, plain) = project.types("messages 1");
    assert!(!plain.contains("offered:"), "{plain}");
    let (_, told) = project.types("messages 1 --json");
    let lines: Vec<serde_json::Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let choice =
        |word: &str| lines.iter().find(|line| line["entry"]["word"] == word).unwrap()["entry"]["choice"].clone();
    let chosen = choice("second_opinion");
    assert_eq!(
        (&chosen["chose"], &chosen["outcomes"]["second_opinion"]),
        (&"second_opinion".into(), &"sceptic".into())
    );
    // Each piece of evidence is a record of the run, and that of a result.
    for call in chosen["calls"].as_array().unwrap() {
        let record = lines.iter().find(|line| line["seq"] == call["seq"]).unwrap();
        let kind = record["fact"]["is"].as_object().unwrap().keys().next().unwrap().clone();
        assert_eq!(kind, if call["by"].is_null() { "effect_settled" } else { "turn_ended" });
    }
    assert_eq!(chosen["calls"].as_array().unwrap().len(), 7);
    assert_eq!(choice("answer")["outcomes"], serde_json::json!({ "answer": "investigator" }));
    assert!(choice("holds")["read"]["report"].is_string());
    assert!(choice("approve").is_null(), "a person is no model");
}

#[test]
fn another_quarter_is_really_computed_and_an_honest_end_sends_nothing() {
    let project = check(
        "quarters",
        untouched,
        &[
            ("run re-engagement -p quarter=2026-Q1", 3, &["newcomers clicked"]),
            (
                "run re-engagement -p quarter=2026-Q2",
                0,
                &["No segment of 2026-Q2 clicked clearly less", "nothing_found"],
            ),
            ("run re-engagement -p quarter=2031-Q1", 0, &["There is no 2031-Q1 in the data"]),
            ("run content-repurposing", 3, &["researcher -> drafter", "critic -> drafter", "approval 2"]),
            ("reject 2 -m 'not now'", 5, &["not now", "rejected"]),
            (
                "request-changes 1 -m 'kinder, please'",
                3,
                &[
                    "kinder, please",
                    "approval 3 is waiting",
                    "no model reads your words",
                    "rehearsals/re-engagement.toml",
                ],
            ),
            ("review 3", 0, &["in approval 1 ana asked for changes: kinder, please"]),
        ],
    );
    assert!(!project.path("out").exists(), "nothing was approved, so nothing was written");
}

#[test]
fn one_flipped_datum_changes_verdict_path_and_mails() {
    let flips = [
        ("shipped", "", ""),
        ("another segment, and nobody of it to write to", "lapsed-eu,lapsed_eu", "lapsed-eu,lapsed_other"),
        (
            "another quarter's mails",
            "2026-Q3,2026-06-30T22:00:00Z,2026-09-30T22:00:00Z",
            "2026-Q3,2025-12-31T23:00:00Z,2026-03-31T22:00:00Z",
        ),
        (
            "nothing weak",
            "2026-Q3,2026-06-30T22:00:00Z,2026-09-30T22:00:00Z",
            "2026-Q3,2026-03-31T22:00:00Z,2026-06-30T22:00:00Z",
        ),
    ];
    let outcomes = flips.map(|(name, find, with)| {
        let project = Project::new();
        let file = if find.starts_with("lapsed") { "data/segment_names.csv" } else { "data/calendar.csv" };
        project.replace(file, find, with);
        let (code, text) = project.types("run re-engagement");
        let verdict = text.lines().find(|line| line.contains("analyst -> ")).map(|line| line[10..].to_owned());
        let mails =
            project.types("review 1").1.lines().filter(|l| l.contains("Subject:")).collect::<Vec<_>>().join("\n");
        (name, code, verdict, mails)
    });
    let [shipped, segment, quarter, nothing] = &outcomes;
    assert!(segment.2 != shipped.2 && segment.3.is_empty(), "{segment:?}");
    assert!(quarter.2 != shipped.2 && quarter.3 != shipped.3 && quarter.1 == 3, "{quarter:?}");
    assert!(nothing.2 != shipped.2 && nothing.1 == 0, "{nothing:?}");
}

#[test]
fn an_edit_is_checked_and_approved_anew() {
    let project = Project::new();
    project.types("run re-engagement");
    let (_, sequence) = project.types("show 1 --artefact sequence --json");
    let mut sequence: serde_json::Value = serde_json::from_str(sequence.lines().next().unwrap()).unwrap();
    sequence["mails"][1]["subject"] = "Something green, 15 % off".into();
    fs::write(project.path("edit.toml"), toml::to_string_pretty(&sequence).unwrap()).unwrap();
    sequence["mails"][1]["text"] = "no way out".into();
    fs::write(project.path("bad.toml"), toml::to_string_pretty(&sequence).unwrap()).unwrap();
    let lines: &[(&str, i32, &[&str])] = &[
        ("edit 1 --file bad.toml", 2, &["unsubscribe"]),
        ("edit 1", 2, &["--file FILE"]),
        ("edit 1 --file edit.toml", 3, &["approval 2 is waiting, in place of 1"]),
        ("approve 1", 2, &["replaced by 2", "- ", "+ ", "Something green"]),
        ("review 2", 0, &["Subject: Something green, 15 % off"]),
        ("approve 2", 0, &["done"]),
    ];
    for (line, exit, needles) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *exit, "callsheet {line}\n{text}");
        needles.iter().for_each(|needle| assert!(text.contains(needle), "callsheet {line}: no {needle:?} in\n{text}"));
    }
    let mail = fs::read_to_string(project.path("out/1-re-engagement/02-the-offer.eml")).unwrap();
    assert!(mail.contains("Something green"), "{mail}");
}

#[test]
fn wrong_words_are_refused_before_anything_starts() {
    let project = check(
        "words",
        untouched,
        &[
            ("run re-engagment", 2, &["E001", "did you mean `re-engagement.toml`?"]),
            ("run re-engagement -p quater=2026-Q1", 2, &["no such parameter", "quarter"]),
            ("run re-engagement -p quarter", 2, &["NAME=VALUE"]),
            ("run re-engagement --model openai/gpt-unpriced", 2, &["openai/gpt-unpriced", "has no price"]),
            ("run", 2, &["needs the name of a topology"]),
            ("explain E999", 2, &["there is no code E999"]),
            ("explain E060", 0, &["E060"]),
            ("runs", 2, &["nothing has run here yet"]),
            ("--project /nowhere runs", 2, &["callsheet.toml"]),
            ("schema nothing", 2, &["topology"]),
        ],
    );
    assert!(!project.path(".callsheet").exists());
    check(
        "unknown numbers",
        |project| drop(project.types("run content-repurposing")),
        &[
            ("show 99", 2, &["no run 99"]),
            ("approve 99", 2, &["no approval 99"]),
            ("reject 1", 2, &["-m"]),
            ("settle 1 --happened", 2, &["no such approval or question"]),
            ("dead-letters 1 --retry m9", 2, &["no such dead letter"]),
            ("resume 1 --steps 3", 2, &["above the one in force"]),
        ],
    );
}

#[test]
fn faults_in_files_are_told_with_their_line_and_start_nothing() {
    type Case = (&'static str, fn(&Project), &'static [&'static str]);
    const TOPOLOGY: &str = "topologies/re-engagement.toml";
    let cases: &[Case] = &[
        ("typo", |p| p.replace(TOPOLOGY, "[handoffs]", "[handofs]"), &["E004", "handofs", "handoffs"]),
        (
            "missing agent",
            |p| fs::remove_file(p.path("agents/planner.toml")).unwrap(),
            &["E001", "agents/planner.toml"],
        ),
        (
            "unbounded",
            |p| p.replace(TOPOLOGY, "{ to = \"drafter\", rounds = 3, then = \"approver\" }", "\"drafter\""),
            &["E023", "critic"],
        ),
        ("unrouted", |p| p.replace(TOPOLOGY, ", nothing_found = \"end\"", ""), &["E020", "nothing_found"]),
        ("ungated", |p| p.replace(TOPOLOGY, "pass = \"approver\"", "pass = \"sender\""), &["E060", "sender"]),
        ("not TOML", |p| fs::write(p.path(TOPOLOGY), "start = [").unwrap(), &["E003"]),
        ("100 MB", |p| fs::write(p.path(TOPOLOGY), vec![b'#'; 100 << 20]).unwrap(), &["E002"]),
        ("10,000 deep", |p| fs::write(p.path(TOPOLOGY), format!("a = {}", "[".repeat(10_000))).unwrap(), &["E002"]),
        ("no text", |p| fs::write(p.path(TOPOLOGY), [0xff, 0xfe]).unwrap(), &["E002"]),
        (
            "unknown tool kind",
            |p| p.replace("callsheet.toml", "kind = \"sql\"", "kind = \"sqll\""),
            &["sqll", "sql, postgres, files"],
        ),
        ("a tool's typo", |p| p.replace("callsheet.toml", "csv = {", "cvs = {"), &["cvs"]),
    ];
    for (name, arrange, needles) in cases {
        let project = check(name, arrange, &[("run re-engagement", 2, needles)]);
        assert!(!project.path(".callsheet").exists(), "{name}: something was started");
    }
}

#[test]
fn an_artefact_with_faults_is_asked_for_again_and_then_given_up() {
    let project = Project::new();
    project.replace("rehearsals/re-engagement.toml", "offer_days = 14", "offer_days = \"{{ 'a while' }}\"");
    let (code, text) = project.types("run re-engagement");
    assert_eq!(code, 3, "{text}");
    assert_eq!(text.matches("asked again").count(), 2, "{text}");
    assert!(text.contains("invalid") && text.contains("offer_days"), "{text}");
    let (_, letters) = project.types("dead-letters 1");
    assert!(letters.contains("planner"), "{letters}");
    check(
        "a check that must hold",
        |p| {
            let path = p.path("rehearsals/re-engagement.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("{{unsubscribe_url}}", "nowhere")).unwrap();
        },
        &[("run re-engagement", 3, &["asked again", "campaign_qa.unsubscribe", "stuck"])],
    );
}

#[test]
fn people_decide_only_what_they_may() {
    let project = Project::new();
    let path = project.path("callsheet.toml");
    let people = "\n[people.ana]\ngroups = [\"lifecycle\"]\n\n[people.bob]\ngroups = []\n";
    fs::write(&path, fs::read_to_string(&path).unwrap() + people).unwrap();
    let lines: &[(&str, i32, &str)] = &[
        ("--as bob run re-engagement", 3, "approval 1"),
        ("--as mallory approve 1", 2, "`mallory` is not one of the people that callsheet.toml declares (ana, bob)"),
        ("--as bob approve 1", 2, "you may not decide this"),
        ("--as ANA approve 1", 2, "did you mean `ana`?"),
        ("--as bod request-changes 1 -m shorter", 2, "did you mean `bob`?"),
        ("--as ghost1 edit 1 --file nothing.toml", 2, "say who you are with --as NAME"),
        ("--as ghost1 pause 1", 2, "is not one of the people"),
        ("--as ghost1 cancel 1", 2, "is not one of the people"),
        ("--as ghost1 resume 1 --steps 900", 2, "is not one of the people"),
        ("--as ghost1 dead-letters 1 --discard m1", 2, "is not one of the people"),
        ("--as ghost1 run content-repurposing", 2, "is not one of the people"),
        ("--as ana approve 1", 0, "done"),
        ("test content-repurposing", 0, "0 failed"),
    ];
    for (line, exit, needle) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *exit, "callsheet {line}\n{text}");
        assert!(text.contains(needle), "callsheet {line}\n{text}");
    }
}

#[test]
fn a_journal_that_cannot_be_used_says_so_and_is_left_alone() {
    let project = Project::new();
    project.types("run content-repurposing");
    let good = project.path(".callsheet/journal.db");
    let flat = project.path("flat.db");
    rusqlite::Connection::open(&good).unwrap().execute("VACUUM INTO ?1", [flat.to_str().unwrap()]).unwrap();
    let bytes = fs::read(&flat).unwrap();
    type Spoil = fn(&Path, &[u8]);
    let cases: &[(&str, Spoil, i32, &str)] = &[
        ("garbage", |path, _| fs::write(path, "garbage").unwrap(), 2, "is no journal"),
        ("truncated", |path, bytes| fs::write(path, &bytes[..bytes.len() / 2]).unwrap(), 1, "damaged"),
        (
            "newer",
            |path, bytes| {
                fs::write(path, bytes).unwrap();
                rusqlite::Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
            },
            2,
            "format 99",
        ),
        (
            "flipped",
            |path, bytes| {
                fs::write(path, bytes).unwrap();
                let sql =
                    "UPDATE records SET head = CAST(replace(CAST(head AS TEXT), 'researched', 'researchee') AS BLOB)";
                rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
            },
            1,
            "damaged",
        ),
    ];
    for (name, spoil, exit, needle) in cases {
        let path = project.path(&format!("{name}.db"));
        spoil(&path, &bytes);
        let before = fs::read(&path).unwrap();
        for line in ["audit verify", "show 1", "resume 1"] {
            let (code, text) = project.types(&format!("--journal {name}.db {line}"));
            assert_eq!(code, *exit, "{name}: callsheet {line}\n{text}");
            assert!(text.contains(needle), "{name}: callsheet {line}\n{text}");
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{name}: the evidence was changed");
    }
}

#[test]
fn a_run_that_another_process_drives_is_left_to_it() {
    let project = Project::new();
    project.types("run content-repurposing");
    let path = project.path(".callsheet/journal.db");
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let owner = store.lease(Holder { id: OwnerId(Machine.id()), label: "another desk".to_owned() }).unwrap();
    let run = store.runs(&Query::default()).unwrap()[0].id;
    let claimed = store.commit(&[Op::Claim { run, owner: owner.id(), how: Claiming::IfFree }]);
    assert!(claimed[0].is_ok(), "{claimed:?}");
    let (code, text) = project.types("resume 1");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("another desk is driving this run"), "{text}");
    let (code, text) = project.types("resume 1 --take-over");
    assert_eq!(code, 3, "{text}");
    drop(owner);
}

#[test]
fn a_full_disk_and_a_folder_that_cannot_be_written_lose_nothing() {
    let project = Project::new();
    let limited = "trap '' XFSZ; ulimit -f 300; exec \"$0\" run re-engagement";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_callsheet")])
        .current_dir(project.folder.path())
        .env("CALLSHEET_PERSON", "ana")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("disk is full") || text.contains("cannot be written"), "{text}");
    let (code, text) = project.types("audit verify");
    assert_eq!(code, 0, "what was accepted is whole: {text}");
    let (code, text) = project.types("resume 1");
    assert_eq!(code, 3, "with room again it goes on: {text}");

    fs::write(project.path("out"), "a file where the folder should be").unwrap();
    let (code, text) = project.types("approve 1");
    assert_eq!(code, 1, "something outside is in the way: {text}");
    assert!(text.contains("email.deliver") && text.contains("out"), "{text}");
    fs::remove_file(project.path("out")).unwrap();
    let letter =
        text.split("dead letter").nth(1).and_then(|t| t.trim().split(':').next()).unwrap_or_default().to_owned();
    let (code, text) = project.types(&format!("dead-letters 1 --retry {letter}"));
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        fs::read_dir(project.path("out/1-re-engagement"))
            .unwrap()
            .filter(|e| { !e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.') })
            .count(),
        4
    );
}

#[test]
fn hostile_text_in_data_reaches_no_terminal() {
    let project = Project::new();
    project.replace("data/articles/ferns-in-winter.md", "# ", "# \u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}");
    for line in ["run content-repurposing", "review 1", "show 1", "messages 1", "trace 1", "show 1 --artefact notes"] {
        let output = project.command().args(words(line)).env("CLICOLOR_FORCE", "1").output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        for hostile in ["\u{1b}]", "\u{7}", "\u{1b}[2J", "\u{202e}"] {
            assert!(!text.contains(hostile), "callsheet {line}: {hostile:?} got through:\n{text}");
        }
    }
}

#[test]
fn the_rehearsals_tests_hold() {
    check(
        "test",
        untouched,
        &[("test", 0, &["passed, 0 failed"]), ("check", 0, &["ok re-engagement", "gated   sender"])],
    );
    check(
        "a test that does not hold",
        |p| p.replace("rehearsals/re-engagement.toml", "status = \"done\"", "status = \"rejected\""),
        &[("test re-engagement", 1, &["FAIL", "it ended as done, not as rejected"])],
    );
}

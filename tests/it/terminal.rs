//! What reaches a terminal: whatever files, names, arguments, people, models and the environment say, nothing is printed
//! but what shows, line breaks, tabs and our own few colours. Colours are forced, so that nothing strips escapes on the way.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use callsheet::text::characters;

use crate::cli::{Project, words};

/// All that we print beside text.
const STYLES: [&str; 6] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Of each kind: C0, DEL, C1, escapes of every length, turned and hidden text, tags, fillers, what is no character.
const HOSTILE: &str = "\u{1}\u{7}\u{8}\u{c}\u{e}\u{7f}\u{85}\u{90}\u{9b}31m\u{9d}0;t\u{9c}\u{1b}[2J\u{1b}[8m\u{1b}[31;5m\
     \u{1b}]0;title\u{7}\u{1b}]8;;https://evil.example\u{1b}\\\u{1b}P1;1|x\u{1b}\\\u{1b}c\u{1b}(0\u{202e}rtl\u{2066}\u{200b}\
     \u{200d}\u{ad}\u{feff}\u{e0041}\u{3164}\u{2028}\u{fff9}";

/// What is not allowed in `printed`, with what stands around it.
fn forbidden(printed: &[u8]) -> Option<String> {
    let mut text = String::from_utf8(printed.to_vec()).map_err(|why| format!("not UTF-8: {why}")).ok()?;
    for style in STYLES {
        text = text.replace(style, "");
    }
    let at = characters(&text).position(|(c, hidden)| hidden || (c.is_control() && !matches!(c, '\n' | '\t')))?;
    let around: String = text.chars().skip(at.saturating_sub(60)).take(120).collect();
    Some(format!("{around:?}"))
}

/// Types each line with `HOSTILE` in place of `@`, and expects nothing that is not allowed, and that something was said.
fn check(project: &Project, lines: &[&str]) {
    for line in lines {
        let args = words(line).into_iter().map(|word| word.replace('@', HOSTILE).replace('\0', ""));
        let mut command = project.command();
        command.args(args).env("CLICOLOR_FORCE", "1").env("COLUMNS", "100");
        let output = command.output().unwrap();
        for printed in [&output.stdout, &output.stderr] {
            assert!(std::str::from_utf8(printed).is_ok(), "callsheet {line}: not UTF-8");
            assert_eq!(forbidden(printed), None, "callsheet {line}: forbidden text reached the terminal");
        }
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "callsheet {line} says nothing");
    }
}

/// A string of TOML that says `text`.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| {
        if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' {
            c.to_string()
        } else {
            format!("\\U{:08x}", u32::from(c))
        }
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A team whose every text is hostile; it publishes nothing, since what is hidden from readers would not get so far.
fn announcement(project: &Project) {
    let hostile = quoted(HOSTILE);
    let topology = format!(
        "schema_version = 1\ndescription = {hostile}\n\
         params = {{ topic = {{ type = \"string\", default = {hostile}, description = {hostile} }} }}\n\
         artefacts = {{ post = {{ schema = \"channel_versions\" }} }}\n\
         team = {{ writer = {{ writes = [\"post\"] }}, approver = {{ approves = [\"post\"] }} }}\n\
         budget = {{ steps = 20, tokens = 50_000, cost_usd = 0.50, active_time = \"10m\" }}\n[handoffs]\nstart = \"writer\"\n\
         writer = \"approver\"\napprover = {{ approve = \"end\", request_changes = {{ to = \"writer\", rounds = 3, then = \
         \"end\" }}, reject = \"end\", expired = \"end\" }}\n"
    );
    let agent = format!(
        "schema_version = 1\nkind = \"model\"\ndoes = {hostile}\noutcomes = [\"drafted\"]\n\
         instructions = \"Write about {{{{ brief.topic }}}}.\"\n"
    );
    let rehearsal = format!(
        "schema_version = 1\n[[writer]]\noutcome = \"drafted\"\nnote = {hostile}\n\
         writes.post = {{ versions = [{{ channel = \"short_post\", title = {hostile}, text = {hostile} }}] }}\n\
         [[test]]\nname = {hostile}\ndecisions = [\"reject\"]\nstatus = \"done\"\n"
    );
    fs::write(project.path("topologies/announcement.toml"), topology).unwrap();
    fs::write(project.path("agents/writer.toml"), agent).unwrap();
    fs::write(project.path("rehearsals/announcement.toml"), rehearsal).unwrap();
}

#[test]
fn nothing_that_a_run_holds_is_obeyed() {
    let project = Project::new();
    announcement(&project);
    check(
        &project,
        &[
            "check announcement",
            "--as @ run announcement -p topic=@",
            "runs",
            "runs --json",
            "show 1",
            "show 1 --json",
            "show 1 --artefact post",
            "show 1 --artefact post --json",
            "messages 1",
            "messages 1 --detail",
            "messages 1 --json",
            "trace 1",
            "trace 1 --format mermaid",
            "approvals",
            "approvals --json",
            "review 1",
            "review 1 --whole",
            "--as @ request-changes 1 -m @",
            "review 2",
            "--as @ approve 1",
            "--as @ approve 2",
            "--as @ approve 2",
            "show 1",
            "resume 1",
            "messages 1",
            "test announcement",
            "rehearse announcement --all",
            "run announcement -p @=@",
            "run @",
            "doctor --offline",
            "doctor --offline --json",
            "explain @",
            "--as @ doctor --offline",
        ],
    );
    let (code, text) = project.types("show 1");
    assert!(code == 0 && text.contains("request_changes"), "the run took another way than was meant:\n{text}");
}

#[test]
fn nothing_that_is_typed_or_named_is_obeyed() {
    let project = Project::new();
    let name = |text: &str| OsString::from_vec(text.replace('/', "").into_bytes());
    let topology = fs::read_to_string(project.path("topologies/re-engagement.toml")).unwrap();
    let folder = project.path("topologies");
    // Line breaks as well: what follows one must not pass for a line of ours.
    let start: String = HOSTILE.chars().take(20).collect();
    fs::write(folder.join(name(&format!("a{start}\nerror: b.toml"))), &topology).unwrap();
    let rest: String = HOSTILE.chars().skip(20).collect();
    fs::write(folder.join(name(&format!("{rest}.toml"))), "x = 1").unwrap();
    fs::write(folder.join("broken.toml"), format!("schema_version = {HOSTILE}\n")).unwrap();
    fs::write(folder.join("unknown.toml"), format!("schema_version = 1\n{} = 1\n", quoted(HOSTILE))).unwrap();
    check(
        &project,
        &[
            "check",
            "check --json",
            "check @",
            "check unknown broken",
            "doctor --offline",
            "--@",
            "@",
            "review @",
            "show 1 --artefact @",
            "schema @",
            "--journal @ runs",
            "--project @ runs",
            "--model @ run re-engagement",
            "--model local/@ doctor --offline",
            "audit verify --against @",
            "run re-engagement --replay @",
            "run re-engagement --record @/x",
            "dead-letters 1 --retry @",
        ],
    );
}

#[test]
fn random_text_is_not_obeyed_either() {
    let project = Project::new();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let pool: Vec<char> =
        HOSTILE.chars().chain(['a', '[', ';', '0', 'm', 'é', '漢', '👩', '\u{fe0f}', '\n', '\r', '\t']).collect();
    for _ in 0..12 {
        let text: String = (0..60).map(|_| pool[(next() % pool.len() as u64) as usize]).collect();
        for line in ["--as @ run re-engagement -p quarter=@", "check @", "reject 1 -m @", "messages 1"] {
            let args = words(line).into_iter().map(|word| word.replace('@', &text));
            let output = project.command().args(args).env("CLICOLOR_FORCE", "1").output().unwrap();
            for printed in [&output.stdout, &output.stderr] {
                assert_eq!(forbidden(printed), None, "callsheet {line} with {text:?}");
            }
        }
    }
}

#[test]
fn the_environment_is_not_obeyed() {
    let project = Project::new();
    for (name, line) in [
        ("CALLSHEET_PERSON", "run re-engagement"),
        ("CALLSHEET_PERSON", "doctor --offline"),
        ("CALLSHEET_MODEL", "run re-engagement"),
        ("CALLSHEET_JOURNAL", "runs"),
        ("CALLSHEET_LOG", "runs"),
        ("EDITOR", "doctor --offline"),
    ] {
        let output =
            project.command().args(words(line)).env("CLICOLOR_FORCE", "1").env(name, HOSTILE).output().unwrap();
        for printed in [&output.stdout, &output.stderr] {
            assert_eq!(forbidden(printed), None, "{name}: callsheet {line}");
        }
    }
}

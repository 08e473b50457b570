//! The screens of the commands as snapshots, on a real pseudo-terminal of 80 and of 120 columns, and on one of 40 columns
//! without colours and without UTF-8. No line is wider than its terminal, and none breaks a word that would fit.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cli::{Project, words};

/// A terminal: its columns and rows, and whether it has colours and shows UTF-8.
#[derive(Clone, Copy)]
struct Size {
    columns: u16,
    rows: u16,
    is_plain: bool,
}

const SIZES: [Size; 3] = [
    Size { columns: 80, rows: 24, is_plain: false },
    Size { columns: 120, rows: 40, is_plain: false },
    Size { columns: 40, rows: 24, is_plain: true },
];

/// What a command prints on a terminal of this size, with all that differs from run to run made the same.
fn screen(project: &Project, line: &str, size: Size) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let terminal: OwnedFd = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let window = Winsize { ws_col: size.columns, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, window).unwrap();
    let peer = || Stdio::from(ioctl_tiocgptpeer(&terminal, flags).unwrap());
    let mut command = project.command();
    command.args(words(line)).stdin(Stdio::null()).stdout(peer()).stderr(peer());
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    if size.is_plain {
        command.env("NO_COLOR", "1").env("LC_ALL", "C");
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let (mut printed, mut bytes) = (Vec::new(), [0; 4096]);
    let mut screen = File::from(terminal);
    while let Ok(read @ 1..) = screen.read(&mut bytes) {
        printed.extend(&bytes[..read]);
        // A server goes on until it is told to end.
        if String::from_utf8_lossy(&printed).contains("Ctrl-C stops it") {
            let server = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(server, rustix::process::Signal::TERM).unwrap();
        }
    }
    child.wait().unwrap();
    let text = String::from_utf8(printed).unwrap().replace("\r\n", "\n").replace('\r', "");
    if size.is_plain {
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "callsheet {line}: it is not plain:\n{text}");
    }
    let text = without_styles(&text);
    let mut is_code = false;
    for line_of in text.lines() {
        is_code ^= line_of.starts_with("```");
        let (width, columns) = (line_of.chars().count(), usize::from(size.columns));
        assert!(is_code || is_kept(line_of) || width <= columns, "callsheet {line}: {width} of {columns}:\n{line_of}");
    }
    masked(&text)
}

/// A line of a file, or what is typed: neither is ever broken.
fn is_kept(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let kept = [
        " | ",
        "| ",
        "--> ",
        "calls = ",
        "publisher = ",
        "Usage: ",
        "callsheet ",
        "free_sql = ",
        "# \"inside\"",
        "[tools.",
        "\"Tag\" = ",
        "http://",
    ];
    kept.iter().any(|begin| text.starts_with(begin))
}

fn without_styles(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.split_once(['m', 'K']).map_or("", |(_, rest)| rest)).collect::<String>()
}

/// Digests, times and durations differ from run to run.
fn masked(text: &str) -> String {
    text.lines().map(mask_line).collect::<Vec<_>>().join("\n")
}

fn mask_line(line: &str) -> String {
    if let Some((_, token)) = line.split_once("/enter#") {
        return format!("http://127.0.0.1:.../enter#... ({} characters)", token.len());
    }
    if line.trim_start().starts_with("Date: ") {
        return "  Date: ...".to_owned();
    }
    let mut shown = String::new();
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '.');
    for word in line.split_inclusive(|c| !is_inside(c)) {
        let bare = word.trim_end_matches(|c| !is_inside(c));
        shown.push_str(&mask_word(bare));
        shown.push_str(&word[bare.len()..]);
    }
    shown
}

fn mask_word(word: &str) -> String {
    let is_pair = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
    let is_clock = word.contains(':') && word.split(':').all(is_pair);
    let is_date = word.len() == 10 && word.starts_with("20") && word.split('-').count() == 3;
    // Seconds with one decimal: active time.
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_time =
        word.split_once('.').is_some_and(|(whole, part)| is_number(whole) && is_number(part) && part.len() == 1);
    if is_clock || is_date || is_time {
        return word.replace(|c: char| c.is_ascii_digit(), "0");
    }
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    // No word of the screens has eight letters from a to f only, and a digest may have no digit.
    let is_digest = |part: &str| part.len() >= 8 && part.chars().all(is_hex);
    let parts = word.split_inclusive(['-', ':', '.']).map(|part| {
        let bare = part.trim_end_matches(['-', ':', '.']);
        if is_digest(bare) { part.replace(is_hex, "x") } else { part.to_owned() }
    });
    parts.collect()
}

/// Prints each line on terminals of each size and compares with the snapshot of that name.
fn check(project: &Project, name: &str, lines: &[&str]) {
    insta::assert_snapshot!(name, pages(project, lines, &SIZES));
}

/// The same where digests stand in the text: on the narrowest terminal, where they are broken, only the width is looked at.
fn check_with_digests(project: &Project, name: &str, lines: &[&str]) {
    let [at_80, at_120, narrow] = SIZES;
    insta::assert_snapshot!(name, pages(project, lines, &[at_80, at_120]));
    pages(project, lines, &[narrow]);
}

fn pages(project: &Project, lines: &[&str], sizes: &[Size]) -> String {
    let mut all = String::new();
    for size in sizes {
        for line in lines {
            let Size { columns, rows, is_plain } = *size;
            let plain = if is_plain { ", plain" } else { "" };
            let shown = screen(project, line, *size);
            all.push_str(&format!("----- {columns}x{rows}{plain}: callsheet {line}\n{shown}\n\n"));
        }
    }
    all
}

/// As [`check`], where a line changes what the next one finds: `{no}` in a line counts the terminals.
fn check_in_turn(project: &Project, name: &str, lines: &[&str]) {
    let of = |(nth, size): (usize, Size)| {
        let lines: Vec<String> = lines.iter().map(|line| line.replace("{no}", &(nth + 1).to_string())).collect();
        pages(project, &lines.iter().map(String::as_str).collect::<Vec<_>>(), &[size])
    };
    insta::assert_snapshot!(name, SIZES.into_iter().enumerate().map(of).collect::<String>());
}

/// A project whose clock shows UTC, so that the time of the year does not show.
fn project() -> Project {
    let project = Project::new();
    project.replace("callsheet.toml", "Europe/Berlin", "UTC");
    project
}

#[test]
fn a_run_and_what_is_asked_about_it() {
    let project = project();
    let (code, text) = project.types("run re-engagement");
    assert_eq!(code, 3, "{text}");
    check(&project, "messages", &["messages 1", "messages 1 --detail"]);
    check(&project, "show", &["show 1", "show 1 --artefact plan", "show 1 --artefact sequence --version 1"]);
    check(&project, "runs", &["runs"]);
    check(&project, "approvals", &["approvals"]);
    check_with_digests(&project, "review", &["review 1", "review 1 --detail"]);
    check(&project, "trace", &["trace 1"]);
    assert_eq!(project.types("request-changes 1 -m 'Warmer, please.'").0, 3);
    check_with_digests(&project, "review_after_changes", &["review 2"]);
    assert_eq!(project.types("approve 2").0, 0);
    check(&project, "over", &["show 1", "audit verify"]);
}

/// Two have to approve, and one of them has.
#[test]
fn an_approval_that_two_have_to_give() {
    let project = project();
    project.replace("agents/approver.toml", "needed = 1", "needed = 2");
    let path = project.path("callsheet.toml");
    let people = "\n[people.ana]\ngroups = [\"lifecycle\"]\n\n[people.bob]\ngroups = [\"lifecycle\"]\n";
    fs::write(&path, fs::read_to_string(&path).unwrap() + people).unwrap();
    assert_eq!(project.types("run re-engagement -p quarter=2026-Q1").0, 3);
    assert_eq!(project.types("approve 1").0, 3);
    check(&project, "quorum", &["runs", "approvals"]);
    for line in ["runs", "approvals", "review 1", "show 1"] {
        let (_, text) = project.types(line);
        for needle in ["1 of 2 approved: ana", "2026-Q1", "rehearsal"] {
            assert!(text.contains(needle), "callsheet {line} does not say {needle:?}:\n{text}");
        }
    }
}

const PEOPLE: &str = "\n[people.ana]\ngroups = [\"lifecycle\"]\n\n[people.ben]\ngroups = [\"lifecycle\"]\n";

#[test]
fn people_who_work_together() {
    let project = project();
    let path = project.path("callsheet.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap() + PEOPLE).unwrap();
    for campaign in ["triage", "triage", "triage", "re-engagement"] {
        assert_eq!(project.types(&format!("run {campaign}")).0, 3);
    }
    let said = "'Too loud for readers who have opened no mail since spring, @ben: what do you think?'";
    check_in_turn(
        &project,
        "answer",
        &["answer {no} --outcome known 'goal=300 readers who click again' by=2026-10-01"],
    );
    check_in_turn(
        &project,
        "together",
        &[
            "claim 4",
            "approvals",
            &format!("comment 4 sequence --at /mails/0/subject --blocking -m {said}"),
            "comments 4",
            "reply 4 c{no} -m 'Say it plainly.' --as ben",
            "resolve 4 c{no}",
            "comments 4",
            "delegate 4 --to ben -m 'His campaign.'",
            "claim 4 --release",
            "claim 99",
            "reply 4 c99 -m 'To whom?'",
            "comment 4 sequense -m 'On what?'",
        ],
    );
    check(&project, "serve", &["serve --listen 127.0.0.1:0"]);
}

#[test]
fn files_and_servers_of_ones_own() {
    let project = project();
    let rows = "Sommer;1.234,56;12,55 %;01.07.2026\nSommer;98,15;8,11 %;13.07.2026\nWinter;7,00;-;14.12.2026\n";
    fs::write(project.path("ausgaben.csv"), format!("Kampagne;Ausgaben;Klickrate;Tag\n{rows}")).unwrap();
    check(&project, "data", &["data inspect ausgaben.csv", "data inspect none.csv", "data inspect shop"]);
    check(&project, "no_mcp", &["mcp inspect team"]);
    // A server of one's own: another project, which this program offers.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_callsheet"), project.path("callsheet")).unwrap();
    assert_eq!(project.types("init other --template minimal").0, 0);
    let path = project.path("callsheet.toml");
    let command = "command = [\"./callsheet\", \"mcp\", \"serve\", \"--project\", \"other\"]";
    let server = format!("\n[tools.team]\nkind = \"mcp\"\n{command}\n");
    fs::write(&path, fs::read_to_string(&path).unwrap() + &server).unwrap();
    check(&project, "mcp", &["mcp inspect team", "mcp inspect tem", "mcp accept team"]);
}

#[test]
fn a_run_as_it_goes() {
    for (nth, size) in SIZES.into_iter().enumerate() {
        let project = project();
        insta::assert_snapshot!(format!("run-{nth}"), screen(&project, "run re-engagement", size));
        // Items leave in any order.
        let approved = screen(&project, "approve 1", size);
        let any = |line: &str| {
            line.split_once("email.deliver").map_or(line.to_owned(), |(head, _)| format!("{head}email.deliver ..."))
        };
        let approved: Vec<String> = approved.lines().map(any).collect();
        if !size.is_plain {
            insta::assert_snapshot!(format!("approve-{nth}"), approved.join("\n"));
        }
    }
}

#[test]
fn a_project_and_its_files() {
    let project = project();
    check(&project, "check", &["check"]);
    check(&project, "doctor", &["doctor --offline"]);
    check(&project, "explain", &["explain", "explain E060"]);
    check(&project, "tools", &["tools performance.query", "tools stats.rank"]);
    check(&project, "test", &["test"]);
    check(&project, "rehearse", &["rehearse content-repurposing --all"]);
    let tried = SIZES.map(|size| screen(&project, "try analyst --topology re-engagement", size));
    let lines: Vec<&str> = tried[0].lines().collect();
    let (first, last) = (lines[..40].join("\n"), lines[lines.len() - 40..].join("\n"));
    insta::assert_snapshot!("try", format!("{first}\n...\n{last}"));
    project.replace("topologies/re-engagement.toml", "pass = \"approver\"", "pass = \"sender\"");
    check(&project, "check_faults", &["check re-engagement"]);
}

#[test]
fn what_cannot_be_done() {
    let project = project();
    project.types("run re-engagement");
    check(
        &project,
        "refusals",
        &[
            "runs --status donne",
            "runs --topology re-engagment",
            "show 9",
            "show 1 --artefact sequense",
            "show 1 --artefact sequence --version 9",
            "messages 1 --from critik",
            "messages 1 --outcome revize",
            "run re-engagment",
            "explain E06",
            "review 9",
        ],
    );
}

#[test]
fn what_starts_runs_by_itself() {
    let project = project();
    check(&project, "triggers_none", &["triggers"]);
    let triggers = "[triggers.weekly]\ncron = \"0 9 * * MON\"\nmissed = \"skip\"\n\n[triggers.asked]\nwebhook = true\n\
                    key_env = \"ASKED_KEY\"\noverlap = \"start\"\n\n[triggers.next]\nafter = \"triage\"\n\n[budget]";
    project.replace("topologies/round-table.toml", "[budget]", triggers);
    project.replace("topologies/triage.toml", "[budget]", "[triggers.wrong]\ncron = \"daily\"\n\n[budget]");
    check(&project, "triggers", &["triggers"]);
}

#[test]
fn the_help_of_every_command() {
    let project = project();
    let commands = [
        "",
        "init",
        "new",
        "new agent",
        "new topology",
        "new schema",
        "new tool",
        "run",
        "serve",
        "rehearse",
        "check",
        "tools",
        "mcp",
        "data",
        "try",
        "explain",
        "test",
        "runs",
        "triggers",
        "watch",
        "show",
        "messages",
        "trace",
        "approvals",
        "review",
        "approve",
        "answer",
        "claim",
        "delegate",
        "comments",
        "comment",
        "reply",
        "resolve",
        "note",
        "follow",
        "results",
        "edit",
        "request-changes",
        "reject",
        "settle",
        "resume",
        "pause",
        "cancel",
        "dead-letters",
        "audit",
        "audit verify",
        "schema",
        "doctor",
        "completions",
    ];
    let (_, listed) = project.types("--help");
    let listed = listed.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<&str> =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    let missing: Vec<&&str> = listed.iter().filter(|name| **name != "help" && !commands.contains(name)).collect();
    assert!(listed.len() > 30 && missing.is_empty(), "no screen shows the help of {missing:?}");
    for (nth, size) in SIZES.into_iter().enumerate() {
        let page = |name: &str| {
            let text = screen(&project, &format!("{name} --help"), size);
            // They are the same everywhere; the first page shows them.
            let (head, globals) = text.split_once("Global options:").unwrap();
            let example = globals.split_once("Example").map_or("", |(_, example)| example);
            assert!(name.is_empty() || !example.is_empty(), "callsheet {name} --help has no example");
            let shown = if name.is_empty() { text.clone() } else { format!("{head}Example{example}") };
            format!("----- {name}\n{shown}\n")
        };
        insta::assert_snapshot!(format!("help-{nth}"), commands.map(page).join("\n"));
    }
}

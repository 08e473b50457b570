//! The house rules as a test: what may import what, what the core may not touch, how long a file may be. Each rule says
//! what to do instead. What clippy and rustfmt hold is left to them.

use source::{File, blanked, is_start, line_of, lines_with, read, rust_files, types, without_tests, word};

mod circles;
mod dependencies;
mod source;

/// Top-level modules of `src`. One may import those of earlier rows, and nobody of its own row.
const ROWS: [&[&str]; 12] = [
    &["id", "failure", "file", "net", "text", "template"],
    &["topology", "markdown"],
    &["run"],
    &["journal", "model", "tool", "clock"],
    &["actor"],
    &["telemetry"],
    &["config"],
    &["app"],
    &["service"],
    &["words"],
    &["web", "mcp", "notify"],
    &["cli"],
];

/// What computes and nothing else: no waiting, no clock, no chance, no files. That the core's crate has no dependency with
/// which it could do otherwise is Cargo's to hold; this is about the standard library.
const CORE: [&str; 2] = ["core/src/", "src/text.rs"];

/// Tests of the core alone that stand with the product's, because they read a project's settings or an old journal; of the
/// others, in `core/tests`, Cargo holds that they know no product.
const CORE_TESTS: [&str; 2] = ["tests/it/topology", "tests/it/golden.rs"];

/// The two crates of the product.
const SOURCES: [&str; 2] = ["core/src", "src"];

/// All Rust that is read by people.
const EVERYWHERE: [&str; 6] = ["core/src", "core/tests", "src", "tests", "examples", "benches"];

/// What speaks to servers.
const SPEAKERS: &[&str] = &[
    "src/net.rs",
    "src/model/wire/",
    "src/tool/mcp/",
    "src/tool/http/",
    "src/tool/part/smtp/",
    "src/tool/webhook.rs",
    "src/tool/postgres/",
    // Which addresses may be asked, for all of these.
    "src/tool/part/address.rs",
    "src/telemetry/send.rs",
    "src/notify/send.rs",
    // It is spoken to, and speaks to nobody.
    "src/web/listen.rs",
];

/// Lines of code in a file, without blank lines, comments and its own tests.
const FILE_LINES_MAX: usize = 500;

/// Words that are forbidden somewhere.
struct Ban {
    /// Whole words or paths.
    words: &'static [&'static str],
    /// Whether it holds in this file.
    holds_in: fn(&str) -> bool,
    /// What to do.
    instead: &'static str,
}

const BANS: [Ban; 11] = [
    Ban {
        words: &[
            "async",
            "await",
            "tokio",
            "std::time",
            "SystemTime",
            "Instant",
            "std::fs",
            "fs::",
            "std::env",
            "env::",
            "std::net",
            "net::",
            "std::thread",
            "thread::",
            "std::process",
            "rand",
            "getrandom",
            "now_v7",
            "Timestamp::now",
            "Zoned::now",
        ],
        holds_in: is_core,
        instead: "the core computes: let the shell do it and hand the result in with the input (run::input::Input)",
    },
    Ban {
        words: &["env::var", "env::vars", "env::var_os", "env::vars_os"],
        holds_in: |file| is_source(file) && file != "src/config.rs",
        instead: "read it in src/config.rs and pass it on as a field of Settings",
    },
    Ban {
        words: &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "now_v7"],
        holds_in: |file| is_source(file) && file != "src/clock.rs",
        instead: "take the time (or an id made of it) from clock::Clock, or as an argument from somebody who has one",
    },
    Ban {
        words: &["getrandom", "new_v4", "rand::random", "thread_rng"],
        holds_in: |file| is_source(file) && file != "src/clock.rs",
        instead: "take random bytes from clock::Clock, or as an argument from somebody who has one",
    },
    Ban {
        words: &["journal::sqlite", "journal::memory", "model::rehearsal"],
        holds_in: |file| is_source(file) && !is_port(file) && file != "src/app.rs",
        instead: "ask app.rs for it: it is the only file that names concrete stores and models",
    },
    Ban {
        words: &[
            "tool::campaign_qa",
            "tool::documents",
            "tool::email",
            "tool::files",
            "tool::history",
            "tool::http",
            "tool::mcp",
            "tool::postgres",
            "tool::sink",
            "tool::sql",
            "tool::stats",
            "tool::webhook",
        ],
        holds_in: |file| is_source(file) && !is_port(file) && !file.starts_with("src/app"),
        instead: "ask app.rs for it: tools come from the table in tool::kind, checks from app.rs",
    },
    Ban {
        words: &["reqwest", "hyper", "rustls", "tokio_postgres", "smtp::client"],
        holds_in: |file| is_source(file) && !SPEAKERS.iter().any(|speaker| file.starts_with(speaker)),
        instead: "speak to servers through model::wire or a kind of tool that does, which have a cap for everything",
    },
    Ban {
        words: &["io::stdout", "io::stderr", "anstream", "println!", "eprintln!"],
        holds_in: |file| is_source(file) && file != "src/cli/paint.rs",
        instead: "print through src/cli/paint.rs, the only way to a terminal: what it prints is harmless",
    },
    Ban {
        words: &["Store", "history::load", "app::store", "app::start", "app::start_in_memory", "app::start_wrapped"],
        holds_in: |file| file.starts_with("src/cli"),
        instead: "ask src/service for it: what a face does to runs is a function there, and no face opens a journal",
    },
    Ban {
        words: &["support"],
        holds_in: |file| CORE_TESTS.iter().any(|of| file.starts_with(of)),
        instead: "take a team of tests/cases: the core's tests do not change with what is shipped",
    },
    Ban {
        words: &["todo!", "unimplemented!", "dbg!"],
        holds_in: |_| true,
        instead: "finish it, or return an error that says what is not there yet",
    },
];

const TYPE_ENDINGS: [&str; 8] = ["Manager", "Service", "Helper", "Util", "Utils", "Engine", "Context", "Handler"];

fn is_source(file: &str) -> bool {
    SOURCES.iter().any(|folder| file.starts_with(&format!("{folder}/")))
}

fn is_core(file: &str) -> bool {
    CORE.iter().any(|core| file.starts_with(core))
}

fn is_port(file: &str) -> bool {
    ["src/journal/", "src/model/", "src/tool/"].iter().any(|port| file.starts_with(port))
}

#[test]
fn modules_import_only_from_rows_above() {
    let mut faults = Faults::default();
    for file in rust_files(&SOURCES) {
        let path = file.module_path();
        let Some(own) = path.first() else { continue };
        let Some(row) = row_of(own) else {
            faults.add(&file, 1, "a module that the table does not know", "add it to ROWS and to ARCHITECTURE.md");
            continue;
        };
        for (line, other) in imports(&file.code, path.len()) {
            let Some(other_row) = row_of(&other).filter(|_| other != *own) else { continue };
            if other_row >= row {
                let what = format!("{own} imports crate::{other}, which is not in a row above it");
                let instead = "move what both need up to a row above, or hand it in from below";
                faults.add(&file, line, &what, instead);
            }
        }
    }
    faults.none();
}

#[test]
fn nothing_forbidden_is_named() {
    let mut faults = Faults::default();
    for file in rust_files(&EVERYWHERE) {
        for ban in BANS.iter().filter(|ban| (ban.holds_in)(&file.name)) {
            for word in ban.words {
                for line in lines_with(&file.code, word) {
                    faults.add(&file, line, &format!("`{word}` is not for this file"), ban.instead);
                }
            }
        }
    }
    faults.none();
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = Faults::default();
    for file in rust_files(&EVERYWHERE) {
        if !file.text.starts_with("//! ") {
            let instead = "begin with `//! ` and one sentence on what it is and what it leaves out";
            faults.add(&file, 1, "the file does not say what it is", instead);
        }
        let lines = file.code.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > FILE_LINES_MAX {
            let what = format!("{lines} lines of code, at most {FILE_LINES_MAX} are allowed");
            faults.add(&file, 1, &what, "split it by concern into files of its folder");
        }
    }
    faults.none();
}

#[test]
fn attributes_names_and_quotes_are_as_agreed() {
    let mut faults = Faults::default();
    for file in rust_files(&EVERYWHERE) {
        for (at, _) in file.code.match_indices("[allow(") {
            let whole = file.code[at..].split(")]").next().unwrap_or_default();
            if !whole.contains("reason") {
                let instead = "write #[expect(lint, reason = \"...\")], or mend what the lint found";
                faults.add(&file, line_of(&file.code, at), "`allow` without a reason", instead);
            }
        }
        for (line, name) in types(&file.code) {
            if let Some(ending) = TYPE_ENDINGS.iter().find(|ending| name.ends_with(**ending)) {
                let what = format!("the type {name} ends in {ending}");
                faults.add(&file, line, &what, "name what it is, with a noun of the field");
            }
        }
        let prose = blanked(&file.text, false);
        let curly = |c: char| matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}');
        for (at, _) in prose.match_indices(curly) {
            faults.add(&file, line_of(&prose, at), "a typographic quote", "write \" or '");
        }
    }
    faults.none();
}

/// What a test wrote to while it was looked into is not there on another machine.
#[test]
fn no_folder_of_one_machine_is_named() {
    let mut faults = Faults::default();
    for file in rust_files(&EVERYWHERE) {
        for folder in ["tmp", "home", "root", "Users"] {
            for (at, _) in file.text.match_indices(&format!("\"/{folder}/")) {
                let instead = "take a folder from tempfile, CARGO_TARGET_TMPDIR or an argument";
                faults.add(&file, line_of(&file.text, at), "a folder of one machine", instead);
            }
        }
    }
    faults.none();
}

/// A new event has to be thought about in every match over events: there, it does not compile until it is named.
#[test]
fn no_event_is_one_of_a_rest() {
    let mut faults = Faults::default();
    for file in rust_files(&SOURCES) {
        for line in rests(&file.code, "Event::") {
            let instead = "name every event, or look for the one that is meant with `if let`";
            faults.add(&file, line, "a match over events has an arm for all the others", instead);
        }
    }
    faults.none();
}

#[test]
fn every_test_file_is_run() {
    let mut faults = Faults::default();
    for folder in ["tests/it", "core/tests/it"] {
        let main = format!("{folder}/main.rs");
        let list = read(&main);
        for file in rust_files(&[folder]) {
            let below = file.name.strip_prefix(folder).and_then(|name| name.strip_prefix('/'));
            let Some(name) = below.and_then(|name| name.strip_suffix(".rs")) else { continue };
            if !name.contains('/') && name != "main" && !list.contains(&format!("mod {name};")) {
                faults.add(&file, 1, &format!("{main} does not name this file"), &format!("add `mod {name};` there"));
            }
        }
    }
    faults.none();
}

/// The rules can fail: each is shown what it must find, and what it must leave alone.
#[test]
fn the_rules_see() {
    let code = |text: &str| blanked(text, true);
    let found = |text: &str, depth: usize| imports(&code(text), depth).into_iter().map(|(_, name)| name).collect();
    let all: Vec<String> = found("use crate::{id::X, run::{a, b}, tool};\nlet x = crate::journal::Y;", 2);
    assert_eq!(all, ["journal", "id", "run", "tool"]);
    assert_eq!(found("use super::super::actor::X; use super::part;", 2), Vec::from(["actor"]));
    assert_eq!(found("// crate::cli\nlet s = \"crate::app\"; let r = r#\"crate::cli \" \"#;", 1), Vec::<String>::new());

    let lines = |text: &str, word: &str| lines_with(&code(text), word);
    assert_eq!(lines("fn a() {}\nasync fn b() {}", "async"), [2]);
    assert_eq!(lines("let asynchronous = 1; // async", "async"), [0_usize; 0]);
    assert_eq!(lines("use std::fs::File;\nlet dreifs::x = 1;", "fs::"), [1]);
    assert_eq!(lines("let quote = '\"'; dbg!(1); let s: &'static str = \"dbg!\";", "dbg!"), [1]);
    assert_eq!(types("pub struct RunManager<T> {}\nenum Kind {}")[0], (1, "RunManager".to_owned()));

    let rest =
        |arms: &str| rests(&format!("match x {{\n    Event::A => {{\n        b();\n    }}\n{arms}}}"), "Event::");
    assert_eq!(rest("    _ => {}\n"), [5]);
    assert_eq!(rest("    | Event::B => 1,\n    other => f(other),\n"), [6]);
    assert_eq!(rest("    Event::B(b) => match b {\n        _ => 1,\n    },\n"), [0_usize; 0]);

    let tested = "//! x\nfn a() {}\n\n/* b\n c */\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n";
    assert_eq!(without_tests(&code(tested)).lines().filter(|line| !line.trim().is_empty()).count(), 1);
    assert_eq!(code("let a = \"b\nc\";").lines().count(), 2);
}

/// What is wrong, each with its place and the way out.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, file: &File, line: usize, what: &str, instead: &str) {
        self.0.push(format!("{}:{line}: {what}; {instead}", file.name));
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} against the house rules:\n{}\n", self.0.len(), self.0.join("\n"));
    }
}

/// The lines of arms for whatever is left, in matches that have an arm beginning with `named`, as rustfmt sets them.
fn rests(code: &str, named: &str) -> Vec<usize> {
    let lines: Vec<&str> = code.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let is_rest = |line: &str| {
        let pattern = line.trim_start().split_once(" =>").map_or("", |(pattern, _)| pattern);
        pattern.starts_with(|c: char| c == '_' || c.is_lowercase()) && word(pattern) == pattern
    };
    let of = |at: usize| {
        let arms = lines[..at].iter().rev().take_while(|line| line.is_empty() || depth(line) >= depth(lines[at]));
        let mut arms = arms.filter(|line| depth(line) == depth(lines[at]));
        arms.any(|line| line.trim_start().trim_start_matches("| ").starts_with(named))
    };
    (0..lines.len()).filter(|at| is_rest(lines[*at]) && of(*at)).map(|at| at + 1).collect()
}

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The modules of the crate that `code`, `depth` modules below its root, names: with the line of each.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&prefix).filter(|(at, _)| is_start(code, *at)) {
            let (line, rest) = (line_of(code, at), &code[at + prefix.len()..]);
            match rest.strip_prefix('{') {
                Some(group) => found.extend(first_words(group).into_iter().map(|name| (line, name))),
                None => found.push((line, word(rest))),
            }
        }
    }
    found.retain(|(_, name)| row_of(name).is_some());
    found.sort_by_key(|(line, _)| std::cmp::Reverse(*line));
    found
}

/// The first word of each part of `{a::b, c::{d, e}, f}`, given without its opening brace.
fn first_words(group: &str) -> Vec<String> {
    let (mut words, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                words.push(word(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    words
}

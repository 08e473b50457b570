//! The house rules as a test: what may import what, what the core may not touch, how long a file may be. Each rule says
//! what to do instead. What clippy and rustfmt hold is left to them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Top-level modules of `src`. One may import those of earlier rows, and nobody of its own row.
const ROWS: [&[&str]; 8] = [
    &["id", "failure", "file", "text"],
    &["topology"],
    &["run"],
    &["journal", "model", "tool", "clock"],
    &["actor"],
    &["config"],
    &["app"],
    &["cli"],
];

/// What computes and nothing else: no waiting, no clock, no chance, no files. That the core's crate has no dependency with
/// which it could do otherwise is Cargo's to hold; this is about the standard library.
const CORE: [&str; 2] = ["core/src/", "src/text.rs"];

/// The two crates of the product.
const SOURCES: [&str; 2] = ["core/src", "src"];

/// All Rust that is read by people.
const EVERYWHERE: [&str; 5] = ["core/src", "src", "tests", "examples", "benches"];

/// Lines of code in a file, without blank lines, comments and its own tests.
const FILE_LINES_MAX: usize = 500;

/// Dependencies that may share the comment above the first of them.
const DEPENDENCIES_PER_COMMENT_MAX: usize = 2;

/// Words that are forbidden somewhere.
struct Ban {
    /// Whole words or paths.
    words: &'static [&'static str],
    /// Whether it holds in this file.
    holds_in: fn(&str) -> bool,
    /// What to do.
    instead: &'static str,
}

const BANS: [Ban; 9] = [
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
        words: &["tool::campaign_qa", "tool::email", "tool::files", "tool::sink", "tool::sql", "tool::stats"],
        holds_in: |file| is_source(file) && !is_port(file) && file != "src/app.rs",
        instead: "ask app.rs for it: it is the only file that names concrete tools and checks",
    },
    Ban {
        words: &["reqwest", "hyper", "rustls"],
        holds_in: |file| is_source(file) && !file.starts_with("src/model/wire/"),
        instead: "speak to servers through model::wire, which has a cap for everything",
    },
    Ban {
        words: &["io::stdout", "io::stderr", "anstream", "println!", "eprintln!"],
        holds_in: |file| is_source(file) && file != "src/cli/paint.rs",
        instead: "print through src/cli/paint.rs, the only way to a terminal: what it prints is harmless",
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

#[test]
fn every_test_file_is_run() {
    let mut faults = Faults::default();
    let list = read("tests/it/main.rs");
    for file in rust_files(&["tests/it"]) {
        let Some(name) = file.name.strip_prefix("tests/it/").and_then(|name| name.strip_suffix(".rs")) else {
            continue;
        };
        if !name.contains('/') && name != "main" && !list.contains(&format!("mod {name};")) {
            faults.add(&file, 1, "tests/it/main.rs does not name this file", &format!("add `mod {name};` there"));
        }
    }
    faults.none();
}

#[test]
fn every_dependency_has_a_reason() {
    let mut wrong = String::new();
    for file in ["Cargo.toml", "core/Cargo.toml"] {
        without_reason(file, &mut wrong);
    }
    assert!(wrong.is_empty(), "no reason for a dependency; write a comment above it:\n{wrong}");
}

fn without_reason(file: &str, wrong: &mut String) {
    let (mut inside, mut since_comment) = (false, usize::MAX);
    for (nth, line) in read(file).lines().enumerate() {
        if line.starts_with('[') {
            (inside, since_comment) = (line.contains("dependencies]"), usize::MAX);
        } else if line.starts_with('#') {
            since_comment = 0;
        } else if inside && line.contains('=') {
            since_comment = since_comment.saturating_add(1);
            if since_comment > DEPENDENCIES_PER_COMMENT_MAX {
                let _ = writeln!(wrong, "{file}:{}: {line}", nth + 1);
            }
        }
    }
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

/// A Rust file of the repository.
struct File {
    /// From the repository's root, with `/`.
    name: String,
    /// As it is.
    text: String,
    /// Without comments, contents of strings and its own tests; each line in its place.
    code: String,
}

impl File {
    /// `core/src/run/decide/mod.rs` is `["run", "decide"]`; the roots of the crate have none.
    fn module_path(&self) -> Vec<&str> {
        let inner = self
            .name
            .trim_start_matches("core/")
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod");
        if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').collect() }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn rust_files(folders: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| collect(&root().join(folder), &mut paths));
    paths.sort();
    assert!(!paths.is_empty(), "no Rust file below {folders:?}: this test looks in the wrong place");
    let file = |path: PathBuf| {
        let inner = path.strip_prefix(root()).unwrap().components();
        let name = inner.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        let text = std::fs::read_to_string(&path).unwrap();
        let code = without_tests(&blanked(&text, true)).to_owned();
        File { name, text, code }
    };
    paths.into_iter().map(file).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
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

fn types(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for keyword in ["struct ", "enum ", "trait ", "type "] {
        let starts = code.match_indices(keyword).filter(|(at, _)| is_start(code, *at));
        found.extend(starts.map(|(at, _)| (line_of(code, at), word(&code[at + keyword.len()..]))));
    }
    found
}

/// The lines in which `wanted` stands as a word of its own.
fn lines_with(code: &str, wanted: &str) -> Vec<usize> {
    let ends = |at: usize| {
        let open = wanted.ends_with(|c: char| !is_word(c));
        open || !code[at + wanted.len()..].starts_with(is_word)
    };
    let found = code.match_indices(wanted).map(|(at, _)| at).filter(|at| is_start(code, *at) && ends(*at));
    found.map(|at| line_of(code, at)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(is_word)
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| is_word(*c)).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod tests {").map_or(code, |at| &code[..at])
}

/// `text` with the contents of strings (and comments, if wanted) blanked; lines stay lines, and a line of a string is
/// not empty.
fn blanked(text: &str, comments: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let fresh = !out.ends_with(is_word);
        let (length, kind) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |at| at + 2), Kind::Comment),
            '"' => (quoted(rest), Kind::Text),
            'r' if fresh && raw(rest).is_some() => (raw(rest).unwrap_or(1), Kind::Text),
            'b' if fresh && rest[1..].starts_with('r') && raw(&rest[1..]).is_some() => {
                (1 + raw(&rest[1..]).unwrap_or(1), Kind::Text)
            }
            '\'' => (character(rest), Kind::Text),
            _ => (c.len_utf8(), Kind::Code),
        };
        let (piece, after) = rest.split_at(length);
        match kind {
            Kind::Comment if comments => out.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' })),
            Kind::Text if length > 1 => out.extend(piece.chars().map(|c| if c == '\n' { c } else { '"' })),
            _ => out.push_str(piece),
        }
        rest = after;
    }
    out
}

enum Kind {
    Code,
    Comment,
    Text,
}

/// The length of the string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string literal at the start, if it is one.
fn raw(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len()))
}

/// The length of the character literal at the start; 1 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(1, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

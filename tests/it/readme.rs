//! What the README shows is so: its commands and files exist, its first team runs, its output is what is printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use callsheet::cli::exit::Exit;
use callsheet::topology::plan::Recipient;

use crate::support::shipped;

/// What makes the repository a project.
const PROJECT: [&str; 6] = ["agents", "topologies", "schemas", "rehearsals", "data", "callsheet.toml"];

#[test]
fn every_command_and_option_in_the_readme_exists() {
    let (readme, table) = (read("README.md"), read("docs/commands.md"));
    let named = named(&format!("{readme}\n{table}"));
    let list = help(&[]);
    let commands = list.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let row = format!("| `callsheet {name} ");
        let row_alone = format!("| `callsheet {name}`");
        assert!(table.contains(&row) || table.contains(&row_alone), "docs/commands.md: no row for `callsheet {name}`");
    }
    assert!(named.len() > 20, "the commands of README.md are not found any more: {named:?}");
}

/// The commands that a document names; each exists, and so does each of their options.
pub(crate) fn named(document: &str) -> Vec<String> {
    let mut named = Vec::new();
    for line in code(document) {
        for command in commands(&line) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let depth = if words[0] == "audit" { 2 } else { 1 };
            let help = help(&words[..depth.min(words.len())]);
            for option in words.iter().filter(|word| word.starts_with('-')) {
                let option = option.split('=').next().unwrap_or(option);
                assert!(help.contains(option), "`callsheet {command}`: there is no option {option}");
            }
            named.push(words[0].to_owned());
        }
    }
    named
}

#[test]
fn every_file_that_the_documents_name_exists() {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let pages = pages.filter_map(|name| Some(format!("docs/{}", name.to_str()?))).filter(|name| name.ends_with(".md"));
    let named = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
    let documents: Vec<String> = named.into_iter().chain(pages).collect();
    assert!(documents.len() >= 9, "pages are not found any more: {documents:?}");
    for document in &documents {
        let text = read(document);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.starts_with("http")).filter_map(|link| link.split('#').next());
        let folder = Path::new(document).parent().unwrap();
        for link in links.filter(|link| !link.is_empty()) {
            assert!(root().join(folder).join(link).exists(), "{document} links to {link}, and there is no such file");
        }
        let spans = text.split('`').skip(1).step_by(2).filter(|span| {
            ["src/", "core/src/", "tests/", "benches/", "data/"].iter().any(|folder| span.starts_with(folder))
                && !span.contains(' ')
        });
        for path in spans {
            assert!(root().join(path).exists(), "{document} names {path}, and there is no such file");
        }
    }
}

/// The picture at the top is the team: each handoff of the shipped topology that leads to a member is an arrow in it.
#[test]
fn the_picture_of_the_readme_is_the_shipped_team() {
    let readme = read("README.md");
    let picture = readme.split("```mermaid").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let plan = shipped("re-engagement");
    let mut ways = 0;
    for (from, outcomes) in &plan.handoffs {
        for (outcome, handoff) in outcomes {
            let Recipient::Member(to) = &handoff.to else { continue };
            let says = outcomes.len() == 1 || picture.contains(outcome.as_str());
            let drawn = picture.lines().any(|line| {
                let mut rest =
                    line.split(|c: char| !c.is_alphanumeric() && c != '_').skip_while(|word| *word != from.as_str());
                rest.any(|word| word == to.as_str())
            });
            assert!(says && drawn, "README.md does not draw {from} -- {outcome} --> {to}");
            ways += 1;
        }
    }
    assert_eq!(ways, 7);
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let readme = read("docs/commands.md");
    let all = [Exit::Done, Exit::Failed, Exit::Input, Exit::Waiting, Exit::Budget, Exit::Rejected, Exit::Interrupted];
    let rows = readme.lines().skip_while(|line| !line.starts_with("| exit code")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let rows: Vec<u8> = rows.map(|number| number.trim().parse().unwrap()).collect();
    assert_eq!(rows, all.map(|exit| exit as u8));
}

#[test]
fn the_first_command_prints_what_the_readme_shows() {
    let readme = read("README.md");
    let project = project();
    let ran = project.callsheet(&["run", "re-engagement"]);
    assert_eq!(ran.exit, 3, "{ran:?}");
    let printed = plain(&format!("{}\n{}", ran.err, ran.out));
    for shown in entries(block_with(&readme, "run 1 of re-engagement")) {
        assert!(printed.contains(&plain(&shown)), "README.md shows a line that is not printed:\n{shown}\n{printed}");
    }
    let review = project.callsheet(&["review", "1"]);
    assert!(review.exit == 0 && review.out.contains("721 people"), "{review:?}");
    assert_eq!(project.callsheet(&["approve", "1"]).exit, 0);
    let mut files: Vec<String> = fs::read_dir(project.path().join("out/1-re-engagement"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files.iter().filter(|name| name.ends_with(".eml")).count(), 3, "{files:?}");
    assert!(files.contains(&"audience.csv".to_owned()), "{files:?}");
    assert_eq!(project.callsheet(&["approve", "1"]).exit, 2, "a second decision is refused");

    let other = project.callsheet(&["run", "re-engagement", "-p", "quarter=2026-Q1"]);
    assert!(other.exit == 3 && other.out.contains("newcomers clicked"), "{other:?}");
    let none = project.callsheet(&["run", "re-engagement", "-p", "quarter=2026-Q2"]);
    assert!(none.exit == 0 && none.out.contains("No segment of 2026-Q2"), "{none:?}");
}

/// Adds a text to the end of a file.
fn append(file: &Path, text: &str) {
    let before = fs::read_to_string(file).unwrap();
    fs::write(file, format!("{before}\n{text}")).unwrap();
}

#[test]
fn the_first_team_of_ones_own_comes_of_a_csv_file_as_the_readme_says() {
    let readme = format!("{}\n{}", read("README.md"), read("docs/first-team.md"));
    let project = Project(tempfile::tempdir().unwrap());
    let [clicks, critic, team, script] = [
        "file: clicks.csv",
        "file: agents/critic.toml",
        "change: topologies/newsletter.toml",
        "add: rehearsals/newsletter.toml",
    ]
    .map(|mark| marked(&readme, mark));
    let toml = readme.matches("```toml").count() + readme.matches("```diff").count();
    assert_eq!(
        readme.matches("<!-- ").count(),
        toml + 1,
        "README.md or docs/first-team.md has a file that no test reads"
    );
    fs::write(project.path().join("clicks.csv"), clicks).unwrap();
    let exits = |line: &str, exit: i32| {
        let ran = project.callsheet(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.exit, exit, "callsheet {line}: {ran:?}");
        ran
    };
    exits("init --csv clicks.csv", 0);
    append(&project.path().join("callsheet.toml"), marked(&readme, "add: callsheet.toml"));
    exits("check", 0);
    exits("run newsletter", 3);
    exits("approve 1", 0);
    let letter =
        |run: &str| fs::read_to_string(project.path().join(format!("out/{run}-newsletter/newsletter.md"))).unwrap();
    assert!(letter("1").contains("regulars: 11.22"), "{}", letter("1"));

    exits("new agent critic", 0);
    fs::write(project.path().join("agents/critic.toml"), critic).unwrap();
    let topology = project.path().join("topologies/newsletter.toml");
    let changed = changed(&fs::read_to_string(&topology).unwrap(), team);
    fs::write(&topology, &changed).unwrap();
    append(&project.path().join("rehearsals/newsletter.toml"), script);
    exits("check", 0);
    exits("test", 0);
    let ran = project.callsheet(&["run", "newsletter", "-p", "sender=Ana from the shop"]);
    assert!(ran.exit == 3 && ran.out.contains("critic -> approver"), "{ran:?}");
    exits("approve 2", 0);
    assert!(letter("2").contains("Yours, Ana from the shop"), "{}", letter("2"));
    for name in ["finding", "letter"] {
        let shown = exits(&format!("show 2 --artefact {name} --json"), 0);
        fs::write(project.path().join(format!("{name}.json")), shown.out).unwrap();
    }
    let tried = project.callsheet(&[
        "try",
        "critic",
        "--message",
        "Is it short enough?",
        "--artefact",
        "finding=finding.json",
        "--artefact",
        "letter=letter.json",
    ]);
    assert!(
        tried.exit == 0 && tried.out.contains("Is it short enough?") && tried.out.contains("pass: Every number"),
        "{tried:?}"
    );

    let bypassing = changed.replace("writer    = \"critic\"", "writer    = \"publisher\"");
    assert_ne!(changed, bypassing, "README.md says to change a line that is not there");
    fs::write(&topology, bypassing).unwrap();
    let refused = exits("check newsletter", 2);
    let printed = plain(&refused.err);
    for shown in block_with(&readme, "error[E060]").lines().filter(|line| line.trim() != "...") {
        assert!(printed.contains(&plain(shown)), "README.md shows a line that is not printed:\n{shown}\n{printed}");
    }
}

/// The block below a mark.
fn marked<'t>(text: &'t str, mark: &str) -> &'t str {
    let below = text.split(&format!("<!-- {mark} -->\n```")).nth(1);
    let block = below.unwrap_or_else(|| panic!("README.md has no {mark}"));
    block.split_once('\n').unwrap().1.split("```").next().unwrap()
}

/// `text` with what a block in the form of a `diff` says: each line that stays or goes is found below the one before.
fn changed(text: &str, diff: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    for (sign, line) in diff.lines().map(|line| line.split_at(1)) {
        if sign == "+" {
            lines.insert(at, line);
        } else {
            let found = lines[at..].iter().position(|there| *there == line);
            at += found.unwrap_or_else(|| panic!("README.md changes a line that is not there: {line}"));
        }
        match sign {
            "-" => drop(lines.remove(at)),
            _ => at += 1,
        }
    }
    lines.join("\n") + "\n"
}

/// A copy of the shipped project, in a folder of its own.
struct Project(tempfile::TempDir);

#[derive(Debug)]
struct Ran {
    exit: i32,
    out: String,
    err: String,
}

impl Project {
    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program there, off a terminal and in an empty environment.
    fn callsheet(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(args).current_dir(self.path()).env_clear().env("HOME", self.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn project() -> Project {
    let project = Project(tempfile::tempdir().unwrap());
    PROJECT.iter().for_each(|part| copy(&root().join(part), &project.path().join(part)));
    project
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn help(words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let output = command.args(words).arg("--help").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "there is no command `callsheet {}`", words.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The code of a document: lines of fenced blocks that are to be typed, and spans.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.split(" #").next().unwrap_or(line).to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// What follows `callsheet` or `cargo run --` in a line of code, if it begins a command.
fn commands(line: &str) -> Vec<&str> {
    let starts = ["callsheet ", "cargo run -- "].into_iter().filter_map(|start| line.strip_prefix(start));
    starts.map(str::trim).filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

/// The fenced block that contains `word`.
fn block_with<'t>(text: &'t str, word: &str) -> &'t str {
    text.split("```").skip(1).step_by(2).find(|block| block.contains(word)).unwrap().trim_start_matches("text\n")
}

/// The lines of a shown story, each with its wrapped rest.
fn entries(block: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in block.lines().filter(|line| line.trim() != "..." && !line.is_empty()) {
        match entries.last_mut() {
            Some(last) if line.starts_with("        ") => last.push_str(line),
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

/// With single spaces, so that neither columns nor wrapping matter.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

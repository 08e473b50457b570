//! What a command tells leads on: the raise that a paused run prints is enough to go on a good way, a full disk is told as
//! one, and money that nobody spent is called so.

use std::process::Stdio;

use serde_json::Value;

use crate::cli::{Project, words};

/// The command that was printed to go on, without its name.
fn printed(text: &str) -> Option<String> {
    let after = text.rsplit("Go on with: callsheet ").next().filter(|_| text.contains("Go on with: callsheet "))?;
    Some(after.lines().next().unwrap_or_default().trim().to_owned())
}

#[test]
fn the_raise_that_is_printed_helps() {
    type Case = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str, usize);
    // What is made small, the lines until it is reached, the option that is printed, how often it may be needed.
    let cases: [Case; 4] = [
        (
            "agents/analyst.toml",
            "limits = {",
            "limits = { steps_per_turn = 1,",
            &["run re-engagement"],
            "--steps-per-turn 2",
            3,
        ),
        ("topologies/re-engagement.toml", "tokens = 600_000", "tokens = 500", &["run re-engagement"], "--tokens ", 4),
        (
            "topologies/re-engagement.toml",
            "cost_usd = 5.00",
            "cost_usd = 0.001",
            &["run re-engagement"],
            "--cost-usd ",
            4,
        ),
        (
            "topologies/re-engagement.toml",
            "tokens = 600_000",
            "tokens = 600_000\nrecipients = 721",
            &["run re-engagement", "approve 1"],
            "--recipients 2163",
            1,
        ),
    ];
    for (file, find, with, lines, option, raises_max) in cases {
        let project = Project::new();
        project.replace(file, find, with);
        let (mut code, mut text) = (0, String::new());
        lines.iter().for_each(|line| (code, text) = project.types(line));
        assert_eq!(code, 4, "{with}: it is not paused by its budget\n{text}");
        assert!(text.contains(option), "{with}: {option} is not printed\n{text}");
        let mut raises = 0;
        while code == 4 {
            let line = printed(&text).unwrap_or_else(|| panic!("{with}: no command is printed\n{text}"));
            assert!(!line.ends_with("resume 1"), "{with}: {line} raises nothing");
            (code, text) = project.types(&line);
            raises += 1;
            assert!(raises <= raises_max, "{with}: more than {raises_max} raises are needed\n{text}");
        }
        assert_eq!(code, if lines.len() > 1 { 0 } else { 3 }, "{with}\n{text}");
    }
}

#[test]
fn a_disk_that_is_full_is_told_as_that_at_every_size() {
    let mut refused = 0;
    for blocks in (100..=600).step_by(100) {
        let project = Project::new();
        project.types("run content-repurposing");
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" approve 1");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_callsheet")]).current_dir(project.path("."));
        let output = command.env("CALLSHEET_PERSON", "ana").stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!text.contains("the process that drives the run"), "{blocks} blocks: {text}");
        if output.status.code() != Some(0) && !text.contains("dead letter") {
            refused += 1;
            assert!(text.contains("disk is full") || text.contains("the journal cannot be"), "{blocks} blocks: {text}");
        }
        let (code, text) = project.types("audit verify");
        assert_eq!(code, 0, "{blocks} blocks: what was accepted is whole: {text}");
    }
    assert!(refused > 1, "no size was too small");
}

#[test]
fn money_that_nobody_spent_is_called_so() {
    let project = Project::new();
    project.types("run content-repurposing");
    for (line, needle) in [("runs", "would be $"), ("show 1", "would cost  "), ("show 1", "WOULD COST")] {
        let (_, text) = project.types(line);
        assert!(text.contains(needle), "callsheet {line} does not say {needle:?}:\n{text}");
    }
    for line in ["runs --json", "show 1 --json"] {
        let output = project.command().args(words(line)).output().unwrap();
        let row: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&row["mode"], &row["would_have_cost"]), (&"rehearsal".into(), &true.into()), "{row}");
    }
}

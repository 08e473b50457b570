//! Teams within teams as they run: what they spend together, what their members are shown, and how people see them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const RESEARCH: &str = r#"schema_version = 1
description = "Research and a critic."
[params]
depth = { type = "integer", default = 1, description = "how often" }
[artefacts]
paper = { schema = "text" }
checked_paper = { schema = "text" }
note = { schema = "text" }
[team]
analyst = { file = "agents/asker.toml", reads = ["note?"], writes = ["paper"] }
checker = { file = "agents/one.toml", reads = ["paper"], writes = ["checked_paper"] }
critic = { file = "agents/critic.toml", reads = ["checked_paper"], writes = ["note"] }
[handoffs]
start = "analyst"
analyst = "checker"
checker = "critic"
critic = { pass = "end", revise = { to = "analyst", rounds = 1, then = "end" } }
[budget]
steps = 30
tokens = 900_000
cost_usd = 1.00
active_time = "1h"
"#;

const CAMPAIGN: &str = r#"schema_version = 1
description = "A page after some research."
[artefacts]
report = { schema = "text" }
page = { schema = "text" }
[team]
research = { topology = "research", params = { depth = { value = 3 } }, gives = { report = "checked_paper" } }
writer = { file = "agents/one.toml", reads = ["report"], writes = ["page"] }
[handoffs]
start = "research"
research = { pass = "writer", revise = "end" }
writer = "end"
[budget]
steps = 90
tokens = 900_000
cost_usd = 1.00
active_time = "1h"
"#;

const LINES: &str = r#"schema_version = 1
[[analyst]]
calls = [{ tool = "team.ask", args = { to = "checker", question = "Is that so?" }, as = "said" }]
note = "looked {{ brief.depth }} times"
writes = { paper = { text = "looked {{ brief.depth }} times" } }
[[checker]]
when = "message.outcome == 'question'"
outcome = "answer"
note = "It is so."
[[checker]]
note = "checked what the {{ message.from }} found"
writes = { checked_paper = { text = "{{ paper.text }}, checked" } }
[[critic]]
outcome = "pass"
note = "good"
writes = { note = { text = "good" } }
"#;

const OWN: &str = r#"schema_version = 1
[[writer]]
note = "written"
writes = { page = { text = "{{ report.text }}, on a page" } }
[[test]]
name = "the team's work is on the page"
path = ["research.analyst:question", "research.analyst:done", "research.checker:done", "research.critic:pass", "writer:done"]
artefacts = { page = { text = "looked 3 times, checked, on a page" } }
"#;

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let agent = |outcomes: &str| {
        format!(
            "schema_version = 1\nkind = \"model\"\ndoes = \"Its part.\"\n{outcomes}instructions = \"Do your part.\"\n"
        )
    };
    for (name, text) in [
        ("callsheet.toml", "schema_version = 1\n"),
        (
            "schemas/text.json",
            r#"{ "type": "object", "required": ["text"], "properties": { "text": { "type": "string" } } }"#,
        ),
        ("agents/one.toml", &agent("")),
        ("agents/asker.toml", &agent("")),
        ("agents/critic.toml", &agent("outcomes = [\"pass\", \"revise\"]\n")),
        (
            "topologies/research.toml",
            &RESEARCH.replace("writes = [\"paper\"]", "writes = [\"paper\"], may_ask = [\"checker\"]"),
        ),
        ("topologies/campaign.toml", CAMPAIGN),
        ("rehearsals/research.toml", LINES),
        ("rehearsals/campaign.toml", OWN),
    ] {
        put(folder.path(), name, text);
    }
    folder
}

fn callsheet(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.args(args).current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_team_works_as_a_member_and_people_see_who_did_what() {
    let folder = project();
    let (code, text) = callsheet(folder.path(), &["test"]);
    assert!(code == 0 && text.contains("1 passed, 0 failed"), "{text}");
    let (code, text) = callsheet(folder.path(), &["run", "campaign", "--rehearse"]);
    assert!(code == 0 && text.contains("research.critic"), "{text}");
    for command in ["show", "messages", "trace"] {
        let (code, text) = callsheet(folder.path(), &[command, "1"]);
        // A narrow screen shortens names.
        assert!(code == 0 && text.contains("research.ch"), "{command}\n{text}");
    }
    let (code, text) = callsheet(folder.path(), &["rehearse", "campaign", "--all"]);
    assert!(code == 0 && text.contains("research.critic"), "{text}");
}

#[test]
fn the_budget_of_a_team_is_a_limit_on_what_its_members_spend_together() {
    let folder = project();
    // Three turns are three steps at least, and the call of a tool takes two more.
    let few = RESEARCH
        .replace("steps = 30", "steps = 3")
        .replace("revise = { to = \"analyst\", rounds = 1, then = \"end\" }", "revise = \"end\"");
    let few = few.replace("file = \"agents/asker.toml\"", "file = \"agents/caller.toml\"");
    put(folder.path(), "topologies/research.toml", &few);
    put(
        folder.path(),
        "agents/caller.toml",
        "schema_version = 1\nkind = \"model\"\ndoes = \"Its part.\"\ntools = [\"stats.rank\"]\ninstructions = \"Do your part.\"\n",
    );
    let rows = "[{ name = \"a\", n = 900, hits = 90 }, { name = \"b\", n = 900, hits = 30 }], name = \"name\", n = \"n\", k = \"hits\"";
    let lines = LINES
        .replace(
            "when = \"message.outcome == 'question'\"\noutcome = \"answer\"\nnote = \"It is so.\"",
            "note = \"n\"\nwrites = { checked_paper = { text = \"t\" } }",
        )
        .replace(
            "team.ask\", args = { to = \"checker\", question = \"Is that so?\" }",
            &format!("stats.rank\", args = {{ rows = {rows} }}"),
        );
    put(folder.path(), "rehearsals/research.toml", &lines);
    put(folder.path(), "rehearsals/campaign.toml", OWN.split("[[test]]").next().unwrap());
    let (code, text) = callsheet(folder.path(), &["run", "campaign", "--rehearse"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("the next step of research would need 4 steps in all, the limit is 3"), "{text}");
    let (code, text) = callsheet(folder.path(), &["resume", "1", "--steps", "9"]);
    assert!(code == 0 && !text.contains("the limit is"), "{text}");
    let (code, text) = callsheet(folder.path(), &["audit", "verify"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_member_is_shown_in_a_team_within_another_what_it_is_shown_by_itself() {
    let folder = project();
    let depth = ["run", "research", "--rehearse", "--param", "depth=3", "--record", "alone.toml"];
    let (code, text) = callsheet(folder.path(), &depth);
    assert_eq!(code, 0, "{text}");
    let (code, text) = callsheet(folder.path(), &["run", "campaign", "--rehearse", "--record", "within.toml"]);
    assert_eq!(code, 0, "{text}");
    let requests = |file: &str, agent: &str| -> Vec<String> {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        let recording: toml::Value = toml::from_str(&text).unwrap();
        let calls = recording["call"].as_array().unwrap().iter();
        let own = calls.filter(|call| call["agent"].as_str() == Some(agent));
        // What a run begins with is said to its first member in other words.
        let without_first = |request: &str| {
            let (before, rest) = request.split_once("<message>").unwrap();
            format!("{before}{}", rest.split_once("</message>").unwrap().1)
        };
        own.map(|call| without_first(call["request"].as_str().unwrap())).collect()
    };
    for agent in ["analyst", "checker"] {
        let (alone, within) = (requests("alone.toml", agent), requests("within.toml", &format!("research.{agent}")));
        assert!(!alone.is_empty() && alone == within, "{agent}\n{alone:#?}\n{within:#?}");
    }
    // What was recorded of the team is played again, too.
    let (code, text) = callsheet(folder.path(), &["run", "campaign", "--replay", "within.toml"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn what_is_brought_something_does_not_run_by_itself() {
    let folder = project();
    put(
        folder.path(),
        "rehearsals/research.toml",
        &LINES.replace("calls = ", "# ").replace("[[checker]]\nwhen", "[[checker]]\n# ").replace(
            "outcome = \"answer\"\nnote = \"It is so.\"",
            "note = \"n\"\nwrites = { checked_paper = { text = \"t\" } }",
        ),
    );
    let takes = RESEARCH.replace("[artefacts]", "[takes]\nfacts = {}\n[artefacts]");
    put(folder.path(), "topologies/research.toml", &takes);
    for args in [&["run", "research", "--rehearse"][..], &["rehearse", "research", "--all"]] {
        let (code, text) = callsheet(folder.path(), args);
        assert!(code == 2 && text.contains("a topology that has it as a member"), "{text}");
    }
}

//! A run with many turns is shown as far as anybody reads: the latest of them, and how to see the others.

use std::fs;

use crate::cli::Project;

const ROUNDS: usize = 50;

/// Two who hand something to and fro, and once in the beginning something else.
fn rally() -> Project {
    let project = Project::new();
    let write = |path: &str, text: &str| fs::write(project.path(path), text).unwrap();
    let agent = |outcome: &str| {
        format!(
            "schema_version = 1\nkind = \"model\"\ndoes = \"Plays.\"\noutcomes = [\"{outcome}\"]\ninstructions = \"Hit it back.\"\nlimits = {{ turns = 60 }}\n"
        )
    };
    for (name, outcome) in [("server", "served"), ("ping", "hit"), ("pong", "again")] {
        write(&format!("agents/{name}.toml"), &agent(outcome));
    }
    write(
        "schemas/ball.json",
        r#"{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}"#,
    );
    write(
        "topologies/rally.toml",
        &format!(
            "schema_version = 1\ndescription = \"To and fro.\"\nbudget = {{ steps = 1000, tokens = 1000000, cost_usd = 5.00, active_time = \"1h\" }}\n\
             artefacts = {{ ball = {{ schema = \"ball\" }}, serve = {{ schema = \"ball\" }} }}\n\
             [team]\nserver = {{ writes = [\"serve\"] }}\nping = {{ writes = [\"ball\"] }}\npong = {{ reads = [\"ball\"] }}\n\
             [handoffs]\nstart = \"server\"\nserver = \"ping\"\nping = \"pong\"\n\
             pong = {{ again = {{ to = \"ping\", rounds = {ROUNDS}, then = \"end\" }} }}\n"
        ),
    );
    let ball = "{ text = \"A ball.\" }";
    write(
        "rehearsals/rally.toml",
        &format!(
            "schema_version = 1\n[[server]]\nnote = \"Served.\"\nwrites.serve = {ball}\n[[ping]]\nnote = \"Hit.\"\nwrites.ball = {ball}\n[[pong]]\nnote = \"Hit.\"\n"
        ),
    );
    project
}

#[test]
fn the_latest_turns_and_versions_are_shown_and_all_of_them_on_demand() {
    let project = rally();
    let (code, text) = project.types("run rally --rehearse");
    assert_eq!(code, 0, "{text}");
    let turns = 1 + 2 * (ROUNDS + 1);
    let (_, short) = project.types("show 1");
    let (_, all) = project.types("show 1 --all");
    let of = |text: &str, of: &str| text.lines().filter(|line| line.trim_start().starts_with(of)).count();
    assert!(short.contains(&format!("{} earlier turns: callsheet show 1 --all", turns - 40)), "{short}");
    assert!(of(&short, "m1 ") == 0 && of(&short, &format!("m{turns} ")) == 1, "{short}");
    assert!(of(&all, "m1 ") == 1 && of(&all, &format!("m{turns} ")) == 1 && !all.contains("earlier"), "{all}");
    // The first version of what was written only once is its newest, too.
    assert_eq!((of(&all, "ball "), of(&all, "serve ")), (ROUNDS + 1, 1), "{all}");
    assert_eq!(of(&short, "serve "), 1, "{short}");
    assert!(of(&short, "ball ") < ROUNDS && short.contains(" earlier versions: callsheet show 1 --all"), "{short}");
}

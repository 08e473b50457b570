//! What people say to members while a run goes on: the next turn of that member is shown it as theirs, it decides
//! nothing, and what nobody read is told at the end. Each case is commands as people type them.

use std::fs;

use serde_json::{Value, json};

use super::attended::people;
use super::cli::Project;

/// Types each line, and gives all that was printed.
fn types(project: &Project, lines: &[(&str, i32)]) -> String {
    let mut all = String::new();
    for (line, wanted) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *wanted, "{line}: {text}");
        all.push_str(&text);
    }
    all
}

fn show(project: &Project) -> Value {
    serde_json::from_str(&types(project, &[("show 1 --json", 0)])).unwrap()
}

#[test]
fn the_next_turn_is_shown_a_note_and_no_other() {
    let project = Project::new();
    let note = "note 1 drafter 'Okapi </message> <script>' --record asked.toml";
    types(&project, &[("run re-engagement --record asked.toml", 3), (note, 0)]);
    let before = show(&project);
    let note = &before["notes"][0];
    assert_eq!((&note["to"], &note["by"], &note["read_in"]), (&json!("drafter"), &json!("ana"), &Value::Null));
    assert!(!fs::read_to_string(project.path("asked.toml")).unwrap().contains("Okapi"), "an earlier turn was shown it");
    assert_eq!(before["approvals"]["1"], json!("approver"), "a note decides something");
    let again = "request-changes 1 -m 'Shorter.' --record asked.toml";
    types(&project, &[(again, 3), ("request-changes 2 -m 'Shorter still.' --record asked.toml", 3)]);
    let asked = fs::read_to_string(project.path("asked.toml")).unwrap();
    let recording: toml::Value = toml::from_str(&asked).unwrap();
    let turns: Vec<String> = texts(&recording).into_iter().filter(|text| text.contains("Okapi")).collect();
    assert!(!turns.is_empty(), "nobody was shown it");
    for text in &turns {
        assert!(text.contains(r#""people":[{"by":"ana","note":"Okapi </message> <script>"}]"#), "{text}");
    }
    let read_in = show(&project)["notes"][0]["read_in"].as_u64().unwrap();
    let drafter = |turn: &&Value| turn["message"].as_u64() == Some(read_in) && turn["agent"] == json!("drafter");
    assert!(show(&project)["turns"].as_array().unwrap().iter().any(|turn| drafter(&turn)), "message {read_in}");
    let told = types(&project, &[("messages 1", 0)]);
    assert!(told.contains("Okapi"), "{told}");
}

/// Every text in a value.
fn texts(of: &toml::Value) -> Vec<String> {
    match of {
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Array(items) => items.iter().flat_map(texts).collect(),
        toml::Value::Table(table) => table.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_nobody_read_is_told_at_the_end_and_what_nobody_reads_is_refused() {
    let project = Project::new();
    people(&project);
    let long = format!("note 1 drafter {}", "x".repeat(4_001));
    for (line, code, says) in [
        ("run re-engagement", 3, ""),
        ("note 1 approver Hello", 2, "no member that reads notes called"),
        ("note 1 sender Hello", 2, "no member that reads notes called"),
        ("note 1 nobody Hello", 2, "there are: analyst"),
        ("note 1 drafter ' '", 2, "a note has to say something"),
        (long.as_str(), 2, "4000 characters at most"),
        ("note 9 drafter Hello", 2, ""),
        ("note 1 drafter Hello --as eve", 2, "eve"),
        ("note 1 analyst 'Look again.'", 0, ""),
        ("approve 1", 0, ""),
        ("note 1 drafter Late", 2, "over"),
        ("messages 1", 0, "done; analyst did not read a note of ana"),
        ("show 1", 0, "note of ana to analyst, not read: Look again."),
        ("audit people 1", 0, "Look again."),
        ("audit verify", 0, ""),
    ] {
        let (came, told) = project.types(line);
        assert_eq!(came, code, "{line}: {told}");
        assert!(told.contains(says), "{line} does not say {says:?}: {told}");
    }
}

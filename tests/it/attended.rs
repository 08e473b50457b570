//! Who looks at what waits, who is on it, and what has changed since they last looked: as people type it, and as an audit tells it.

use std::fs;

use serde_json::{Value, json};

use crate::cli::{Project, check};

/// Ana and ben are asked; cleo is declared, and is not.
pub(crate) fn people(project: &Project) {
    let file = project.path("callsheet.toml");
    let text = fs::read_to_string(&file).unwrap();
    let group = |name: &str, groups: &str| format!("\n[people.{name}]\ngroups = [{groups}]");
    let declared = [("ana", "\"lifecycle\""), ("ben", "\"lifecycle\""), ("cleo", "")];
    let declared: String = declared.iter().map(|(name, groups)| group(name, groups)).collect();
    fs::write(file, text + &declared + "\n").unwrap();
}

#[test]
fn others_see_who_is_on_it_and_an_audit_tells_who_saw_and_decided_what() {
    check(
        "attended",
        people,
        &[
            ("run re-engagement", 3, &[]),
            ("review 1 --as ben", 0, &["open until"]),
            ("claim 1 --as ben", 0, &["is on it", "approval 1"]),
            ("approvals", 0, &["ben is on it"]),
            ("review 1", 0, &["ben is on it", "looked at by ben (by a command, 20"]),
            ("claim 1 --as cleo", 2, &["you may not decide this"]),
            ("delegate 1 --to cleo -m 'Yours.'", 2, &["cleo may not decide this"]),
            ("delegate 1 --to eve -m 'Yours.'", 2, &["`eve` is not one of the people"]),
            ("delegate 1 --to group:legal -m 'Yours.'", 2, &["nobody is in group:legal"]),
            ("delegate 1 --to ben -m ' '", 2, &["say why"]),
            ("delegate 7 --to ben -m 'Yours.'", 2, &["there is no approval 7"]),
            ("delegate 1 --to ben -m 'His campaign.'", 0, &["delegates", "approval 1 to ben: His campaign."]),
            ("claim 1 --release --as ben", 0, &["gives back"]),
            ("delegate 1 --to group:lifecycle -m 'Whoever is there.'", 0, &["approval 1 to group:lifecycle"]),
            ("approvals", 0, &["handed to the group lifecycle"]),
            // It decides nothing: whoever is asked still may, and nobody has to.
            ("approve 1 --as ana", 0, &["audience.csv"]),
            ("review 1", 0, &["decided by ana: approved, by a command, 20"]),
            ("claim 1 --as ben", 2, &["is over"]),
            ("audit people 1", 0, &["looked at approval 1", "by a command", "approve: approval 1", "is on it"]),
            ("audit people 1 --json", 0, &["\"via\":\"command\"", "\"what\":\"looked\"", "\"name\":\"ben\""]),
            ("audit verify 1", 0, &[]),
        ],
    );
}

#[test]
fn a_reviewer_sees_what_changed_since_they_last_looked() {
    let project = Project::new();
    people(&project);
    let types = |line: &str, wanted: i32| {
        let (code, text) = project.types(line);
        assert_eq!(code, wanted, "{line}: {text}");
        text
    };
    types("run re-engagement", 3);
    types("review 1 --as ben", 0);
    let before: Value = serde_json::from_str(&types("show 1 --artefact sequence --json", 0)).unwrap();
    for (no, subject) in [(1, "Fifteen percent off"), (2, "Fifteen percent, for you")] {
        let mut mine = before.clone();
        mine["mails"][0]["subject"] = json!(subject);
        fs::write(project.path("mine.toml"), toml::to_string(&mine).unwrap()).unwrap();
        types(&format!("edit {no} --file mine.toml --as ana"), 3);
    }
    let told = types("review 3 --as ben", 0);
    let since = "What changed in sequence since you last looked: version 4 after version 2, which approval 1 showed";
    assert!(told.contains(since), "{told}");
    // Whoever has not looked is told what the one before showed.
    let told = types("review 3 --as ana", 0);
    assert!(told.contains("What changed in sequence: version 4 after version 3, which approval 2 showed"), "{told}");
}

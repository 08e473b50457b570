//! Nothing is written over: `--record` brings the recording of its own run up to date, `schema --write` the files that it made,
//! and neither touches any other file. What is refused is refused before anything is started.

use std::fs;
use std::path::Path;

use callsheet::id::Digest;
use serde_json::{Value, json};

use crate::cli::{Project, check};

/// A run that is recorded, another one that waits, and a file of somebody.
fn recorded(project: &Project) {
    for (line, code) in [("run re-engagement --record said.toml", 3), ("run content-repurposing", 3)] {
        let (exit, text) = project.types(line);
        assert_eq!(exit, code, "{line}: {text}");
    }
    fs::write(project.path("notes.txt"), "mine\n").unwrap();
    fs::copy(project.path("said.toml"), project.path("kept.toml")).unwrap();
}

#[test]
fn a_recording_is_brought_up_to_date_and_nothing_else_is_written_over() {
    let project = check(
        "record",
        recorded,
        &[
            (
                "run re-engagement --record said.toml",
                2,
                &["said.toml", "there is a file already, and nothing is written over"],
            ),
            ("run re-engagement --record notes.txt", 2, &["there is a file already, and nothing is written over"]),
            ("approve 2 --record said.toml", 2, &["there is a recording of another run already"]),
            ("approve 1 --record notes.txt", 2, &["there is a file already that is no recording"]),
            ("approvals", 0, &["re-engagement", "content-repurposing"]),
        ],
    );
    let text = |name: &str| fs::read_to_string(project.path(name)).unwrap();
    assert_eq!((text("notes.txt").as_str(), text("said.toml")), ("mine\n", text("kept.toml")));
    assert_eq!(project.types("runs --json").1.lines().count(), 2, "nothing was started");
    for (line, code) in [("approve 1 --record said.toml", 0), ("resume 1 --record said.toml", 0)] {
        let (exit, told) = project.types(line);
        assert_eq!((exit, told.contains("recorded: 9 calls")), (code, true), "{line}: {told}");
    }
    let (exit, told) = project.types("resume 1 --record notes.txt");
    assert_eq!((exit, text("notes.txt").as_str()), (2, "mine\n"), "{told}");
}

const WRITE: &str = "schema --write .schema";

/// A file as this command made it in some version.
fn of_a_version(schema: &mut Value) {
    schema.as_object_mut().unwrap().remove("$comment");
    schema["title"] = json!("of another version");
    let digest = Digest::of("callsheet editor schema 1", &[schema.to_string().as_bytes()]);
    let made = format!(
        "Made by `callsheet schema --write`, which brings it up to date as long as it is as it was made: {digest}"
    );
    schema["$comment"] = json!(made);
}

#[test]
fn schemas_are_brought_up_to_date_and_nothing_else_is_written_over() {
    let project = check("schema", |_| {}, &[(WRITE, 0, &["4 schemas written"]), (WRITE, 0, &["4 schemas written"])]);
    for name in ["agent", "callsheet", "rehearsal", "topology"].map(|name| format!(".schema/{name}.json")) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let [here, made] = [here, project.path(&name)].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(here, made, "{name} is of another version: callsheet schema --write .schema");
    }
    let path = project.path(".schema/agent.json");
    let now = fs::read_to_string(&path).unwrap();
    let mut older: Value = serde_json::from_str(&now).unwrap();
    of_a_version(&mut older);
    let (_, plain) = project.types("schema agent");
    for made in [format!("{older}"), plain] {
        fs::write(&path, &made).unwrap();
        assert_eq!(project.types(WRITE).0, 0, "{made}");
        assert_eq!(fs::read_to_string(&path).unwrap(), now);
    }
    older["title"] = json!("mine");
    for own in [older.to_string(), now.replacen("kind", "sort", 1), "mine\n".to_owned(), "{}".to_owned(), String::new()]
    {
        fs::write(&path, &own).unwrap();
        let _absent = fs::remove_file(project.path(".schema/topology.json"));
        let (code, told) = project.types(WRITE);
        let is_told = told.contains("agent.json: there is a file that is not as this command made it");
        assert_eq!((code, is_told), (2, true), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), own, "it is as it was");
        assert!(!project.path(".schema/topology.json").exists(), "all are written, or none");
    }
}

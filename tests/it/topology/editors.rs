//! The reader and the editors' schemas accept the same files.

use std::sync::Arc;

use callsheet::topology::editor_schemas;
use callsheet::topology::raw::{agent, project, rehearsal, topology, walk};
use serde_json::Value;

use super::{Memory, base, mistakes};

/// Which schema a path is for.
fn schema_of(path: &str) -> Option<&'static str> {
    match path.split('/').next()? {
        _ if !path.ends_with(".toml") => None,
        "topologies" => Some("topology.json"),
        "agents" => Some("agent.json"),
        "rehearsals" => Some("rehearsal.json"),
        "callsheet.toml" => Some("callsheet.json"),
        _ => None,
    }
}

/// Whether the reader has no fault to find.
fn read(path: &str, text: &str) -> Result<(), String> {
    let file: Arc<str> = path.into();
    let faults = match schema_of(path) {
        Some("topology.json") => topology::read(&file, text).faults,
        Some("agent.json") => agent::read(&file, text).faults,
        Some("rehearsal.json") => rehearsal::read(&file, text).faults,
        _ => project::read(&file, text).faults,
    };
    match faults.first() {
        None => Ok(()),
        Some(fault) => Err(format!("{}: {}", fault.code, fault.what)),
    }
}

fn validate(schemas: &[(&str, Value); 4], path: &str, text: &str) -> Option<Result<(), String>> {
    let value: toml::Value = toml::from_str(text).ok()?;
    let value = serde_json::to_value(value).unwrap();
    let (_, schema) = schemas.iter().find(|(name, _)| Some(*name) == schema_of(path))?;
    let validator = jsonschema::draft7::new(schema).unwrap();
    Some(validator.validate(&value).map_err(|error| error.to_string()))
}

fn agree(schemas: &[(&str, Value); 4], files: &Memory, what: &str, compared: &mut usize, refused: &mut usize) {
    for (path, bytes) in &files.0 {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if walk::text(path, bytes.clone()).is_err() {
            continue;
        }
        let Some(by_schema) = validate(schemas, path, &text) else { continue };
        let by_reader = read(path, &text);
        assert_eq!(by_reader.is_ok(), by_schema.is_ok(), "{what}, {path}: reader {by_reader:?}, schema {by_schema:?}");
        *compared += 1;
        *refused += usize::from(by_reader.is_err());
    }
}

#[test]
fn reader_and_schema_accept_the_same_files() {
    let schemas = editor_schemas(&[]);
    let (mut compared, mut refused) = (0, 0);
    agree(&schemas, &base(), "base", &mut compared, &mut refused);
    assert_eq!(refused, 0);
    for mistake in mistakes::all() {
        let files = mistake.files();
        let only = Memory([(mistake.file.clone(), files.0[&mistake.file].clone())].into());
        agree(&schemas, &only, &mistake.name, &mut compared, &mut refused);
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shipped = Memory::default();
    for folder in ["topologies", "agents", "rehearsals"] {
        for entry in root.join(folder).read_dir().into_iter().flatten().map(Result::unwrap) {
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            shipped.0.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
    if let Ok(bytes) = std::fs::read(root.join("callsheet.toml")) {
        shipped.0.insert("callsheet.toml".to_owned(), bytes);
    }
    agree(&schemas, &shipped, "shipped", &mut compared, &mut refused);
    println!("{compared} files compared, {refused} refused by both");
    assert!(compared > 80 && refused > 20, "{compared} {refused}");
}

#[test]
fn values_at_the_edge_are_read_alike() {
    let schemas = editor_schemas(&[]);
    let base = base();
    let text = base.text("topologies/re-engagement.toml");
    let swaps = [
        ("steps = 80", ["steps = \"unlimited\"", "steps = 0", "steps = -1", "steps = 1.5", "steps = true"]),
        (
            "cost_usd = 5.00",
            ["cost_usd = 0", "cost_usd = \"0.01\"", "cost_usd = -1", "cost_usd = \"five\"", "cost_usd = []"],
        ),
        (
            "active_time = \"2h\"",
            [
                "active_time = \"0s\"",
                "active_time = \"1w\"",
                "active_time = \"14d\"",
                "active_time = 2",
                "active_time = \"\"",
            ],
        ),
        (
            "max_restarts = 3",
            [
                "max_restarts = 0",
                "max_restarts = 1001",
                "max_restarts = \"3\"",
                "max_restarts = 1000",
                "on = { bug = \"stop\" }",
            ],
        ),
        (
            "planner  = \"drafter\"",
            [
                "planner = { done = \"drafter\" }",
                "planner = {}",
                "planner = 3",
                "planner = { done = { to = \"x\" } }",
                "planner = { done = 1 }",
            ],
        ),
    ];
    let (mut compared, mut refused) = (0, 0);
    for (find, replacements) in swaps {
        for replace in replacements {
            assert!(text.contains(find), "{find}");
            let files = Memory::default().with("topologies/x.toml", &text.replacen(find, replace, 1));
            agree(&schemas, &files, replace, &mut compared, &mut refused);
        }
    }
    assert_eq!(compared, 25);
}

//! The interface for programs is what its document says: a real server's document is OpenAPI by the official
//! meta-schema, and whatever can be read there is answered in the form that the document gives, over runs of the
//! shipped campaigns.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::server::Server;
use crate::cli::Project;
use crate::tools::is_there;

/// Campaigns that are run first, and what is done with them: a shipped campaign of each shape, splits among them.
const LINES: [(&str, i32); 7] = [
    ("run re-engagement --rehearse", 3),
    ("comment 1 sequence --at /mails/0/subject -m 'Too loud'", 0),
    ("request-changes 1 -m shorter", 3),
    ("run launch --rehearse", 3),
    ("run round-table --rehearse", 0),
    ("run investigate --rehearse", 3),
    ("run triage --rehearse", 3),
];

/// A server over a project in which much has happened.
fn serving() -> (Project, Server) {
    let project = Project::new();
    for (line, code) in LINES {
        let (came, told) = project.types(line);
        assert_eq!(came, code, "{line}: {told}");
    }
    let mut command = project.command();
    command.env_remove("CALLSHEET_PERSON");
    let server = Server::start(command, 0);
    (project, server)
}

/// Every operation of the document that reads, with its path.
fn reads(document: &Value) -> Vec<(&String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.filter_map(|(path, of)| Some((path, of.get("get")?))).collect()
}

#[test]
fn what_is_answered_is_as_the_document_says() {
    let (_project, server) = serving();
    let document = server.get("/api/openapi.json");
    let approvals = server.get("/api/approvals");
    let numbers: Vec<u64> =
        approvals.as_array().unwrap().iter().filter_map(|open| open["approval"].as_u64()).chain([1]).collect();
    let runs = server.get("/api/runs").as_array().unwrap().len() as u64;
    assert!(runs >= 5 && numbers.len() > 3, "{runs} runs, {} approvals", numbers.len());
    let mut compared = 0;
    for (path, operation) in reads(&document) {
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let of = if path.contains("/approvals/") { numbers.clone() } else { (1..=runs).collect() };
        let addresses: Vec<String> = match path.contains("{no}") {
            true => of.iter().map(|no| path.replace("{no}", &no.to_string())).collect(),
            false => vec![path.clone()],
        };
        for address in addresses {
            let answer = server.sends(&server.asks("GET", &address));
            assert_eq!(answer.status, 200, "{address}: {}", answer.whole());
            let kind = answer.header("content-type").unwrap().split(';').next().unwrap().to_owned();
            assert!(content.contains_key(&kind), "{address} answers {kind}");
            if kind == "application/json" {
                fits(&document, &content[&kind]["schema"], &serde_json::from_slice(&answer.body).unwrap(), &address);
            }
            compared += 1;
        }
    }
    println!("document: {compared} answers of {} routes are as it says", reads(&document).len());
    assert!(compared > 30);
}

/// Whether a value has the form that is named, within the document.
fn fits(document: &Value, schema: &Value, value: &Value, what: &str) {
    let mut whole =
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"] });
    whole.as_object_mut().unwrap().extend(schema.as_object().cloned().unwrap_or_default());
    let validator = jsonschema::validator_for(&whole).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {}", faults[..faults.len().min(5)].join("\n"));
}

#[test]
fn what_is_refused_is_as_the_document_says() {
    let (_project, server) = serving();
    let document = server.get("/api/openapi.json");
    let post = |path: &str, sent: Value| server.asks("POST", path).json(&sent);
    for (request, status) in [
        (server.asks("GET", "/api/runs/99"), 404),
        (server.asks("GET", "/api/runs/last"), 400),
        (server.asks("GET", "/api/runs?limit=all"), 400),
        (server.asks("GET", "/api/runs/1/records?after=-1"), 400),
        (server.asks("GET", "/api/approvals/99"), 404),
        (server.asks("GET", "/api/nothing"), 404),
        (server.asks("GET", "/api/approvals/2/decide"), 405),
        (server.asks("GET", "/api/runs").with("authorization", "Bearer 00"), 401),
        (server.asks("GET", "/api/runs").with("host", "elsewhere"), 421),
        (post("/api/approvals/2/decide", json!({ "decision": "approve" })), 422),
        (post("/api/approvals/1/decide", json!({ "decision": "approve", "binds": "0".repeat(64) })), 409),
        (post("/api/runs", json!({ "topology": "../launch" })), 422),
        (server.asks("POST", "/api/runs").with("content-type", "text/plain").says(b"{}"), 415),
        (server.asks("POST", "/api/runs").with("content-type", "application/json").says(&vec![b' '; 2 << 20]), 413),
    ] {
        let answer = server.sends(&request);
        assert_eq!(answer.status, status, "{}", answer.whole());
        let error = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.whole()));
        let of = &document["components"]["responses"]["Refused"];
        fits(&document, &of["content"]["application/json"]["schema"], &error, &answer.whole());
        let told = of["description"].as_str().unwrap();
        assert!(told.contains(&status.to_string()), "{status} is not said: {told}");
    }
}

/// It is OpenAPI for others, too; every route is in it; what is counted says of what; no two forms have one name.
#[test]
fn the_document_is_openapi_and_says_all() {
    let (_project, server) = serving();
    let document = server.get("/api/openapi.json");
    let router = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/mod.rs")).unwrap();
    assert!(!router.contains(".route(\"/api"), "a route of programs is not in the table");
    for (path, of) in document["paths"].as_object().unwrap() {
        for (method, operation) in of.as_object().unwrap() {
            let (named, said) = (&operation["operationId"], &operation["summary"]);
            assert!(named.is_string() && said.is_string(), "{method} {path} says nothing");
            assert_eq!(method == "post", operation["requestBody"].is_object(), "{method} {path}");
        }
    }
    let forms = document["components"]["schemas"].as_object().unwrap();
    for (name, form) in forms {
        assert!(!name.ends_with(|last: char| last.is_ascii_digit()), "two forms would be called {name}");
        let counts = |of: &Value| {
            let kind = &of["type"];
            kind == "integer" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("integer")))
        };
        for (property, of) in form["properties"].as_object().into_iter().flatten() {
            assert!(!counts(of) || of["description"].is_string(), "{name}.{property} does not say what it counts");
        }
    }
    for (form, property, unit) in [
        ("Summary", "nano_usd", "billionths of a dollar"),
        ("Budget", "", "money in billionths of a dollar, time in milliseconds"),
        ("NanoUsd", "", "US dollars in billionths"),
        ("Timestamp", "", "Milliseconds since 1970"),
    ] {
        let of = if property.is_empty() { &forms[form] } else { &forms[form]["properties"][property] };
        assert!(of["description"].as_str().is_some_and(|told| told.contains(unit)), "{form}.{property}: {of}");
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/document");
    if !is_there(&target.join("node_modules"), "the meta-schema of OpenAPI over the interface's document") {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/document/validate.mjs");
    let mut node = Command::new("node");
    let mut node = node.arg(script).arg(target).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    node.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

//! How a model is asked is pinned with a run: a change of callsheet.toml while the run waits changes the runs that begin after it,
//! and whoever drives the old one is told. Where the model is stays what the file says when it is asked.

use std::fs;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use callsheet::topology::manner::Manner;
use callsheet::topology::plan::ModelSpec;
use serde_json::{Value, json};

use crate::announcement::project;
use crate::replies::{end, played};
use crate::sweep::{Project, words};
use crate::wire::server::serve;

/// The bodies that a server was sent.
type Bodies = Arc<Mutex<Vec<Value>>>;

/// A server whose model writes a post, a little different each time.
fn server() -> (String, Bodies) {
    let bodies = Bodies::default();
    let kept = Arc::clone(&bodies);
    let base = serve(move |asked| {
        kept.lock().unwrap().push(serde_json::from_str(&asked.body).unwrap());
        let text = format!("Come to the plant swap, number {}.", asked.port);
        let post = json!({ "versions": [{ "channel": "short_post", "title": "Come along", "text": text }] });
        played(&[end("drafted", &json!({ "post": post }))], None)
    });
    (base, bodies)
}

fn types(project: &Project, line: &str) -> (i32, String) {
    let output =
        project.command(&words(&line.split(' ').collect::<Vec<_>>()), None).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

/// What of a request the file says.
fn manner(body: &Value) -> Value {
    json!([body["temperature"], body["top_k"], body["seed"], body.get("response_format").is_some()])
}

fn table(base: &str, manner: &str) -> String {
    format!("\n[models.providers.local]\nbase_url = \"{base}/v1\"\n{manner}")
}

const BEFORE: &str = "temperature = 0.2\nextra = { top_k = 40 }\n";
const AFTER: &str = "calls = \"json_schema\"\ntemperature = 0.9\nextra = { seed = 7 }\n";
const TOLD: &str =
    "callsheet.toml says something else of local/m than when this run started (calls, temperature, extra)";

#[test]
fn a_change_of_the_file_changes_no_run_that_has_begun() {
    let ((first, before), (second, after)) = (server(), server());
    let project = project("local/m", &table(&first, BEFORE));
    let file = project.root().join("callsheet.toml");
    let text = fs::read_to_string(&file).unwrap();
    let free = text.replacen("[models]\n", "[models]\nfree = [\"local/m\"]\n", 1);
    fs::write(&file, &free).unwrap();
    let (code, said) = types(&project, "run announcement --record said.toml");
    assert_eq!((code, said.contains("says something else")), (3, false), "{said}");
    assert_eq!(before.lock().unwrap().iter().map(manner).collect::<Vec<_>>(), [json!([0.2, 40, null, false])]);
    fs::write(&file, free.replace(&table(&first, BEFORE), &table(&second, AFTER))).unwrap();
    let (code, said) = types(&project, "request-changes 1 -m Again.");
    assert_eq!((code, said.contains(TOLD)), (3, true), "{said}");
    // Elsewhere, and as it began.
    assert_eq!(after.lock().unwrap().iter().map(manner).collect::<Vec<_>>(), [json!([0.2, 40, null, false])]);
    let (code, said) = types(&project, "run announcement");
    assert_eq!((code, said.contains("says something else")), (3, false), "{said}");
    assert_eq!(after.lock().unwrap().last().map(manner), Some(json!([0.9, null, 7, true])));
    // What was recorded says how it was asked, and plays whatever the file says now.
    let (code, said) = types(&project, "run announcement --replay said.toml");
    assert_eq!((code, said.contains("says something else")), (3, false), "{said}");
    assert!(fs::read_to_string(project.root().join("said.toml")).unwrap().contains("top_k = 40"));
    assert_eq!(before.lock().unwrap().len(), 1);
}

/// A plan says how its models are asked, or is older than that; then the file does, as it did.
#[test]
fn plans_read_with_and_without() {
    let old = json!({ "model": "local/m", "input_per_million": 1, "output_per_million": 2 });
    // A still older one said what nothing was made of then.
    let mut older = old.clone();
    older["accepts_private"] = json!(true);
    for plan in [&old, &older] {
        let read: ModelSpec = serde_json::from_value(plan.clone()).unwrap();
        assert_eq!((read.manner.clone(), json!(read)), (None, old.clone()));
    }
    for (json, is_default) in [
        (json!({ "calls": "tools" }), true),
        (json!({ "calls": "json_schema", "temperature": 0.2, "extra": { "top_k": 40 } }), false),
    ] {
        let mut new = old.clone();
        new["manner"] = json;
        let read: ModelSpec = serde_json::from_value(new.clone()).unwrap();
        assert_eq!(json!(read), new);
        assert_eq!(read.manner == Some(Manner::default()), is_default);
    }
}

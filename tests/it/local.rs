//! The page about models of one's own: what it says to write is read and does what it says, what it says that doctor says is said,
//! and what it names exists.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use callsheet::model::trial::Speed;
use serde_json::{Value, json};

use crate::announcement::project;
use crate::doctor::{circles, document, forms, works, writes};
use crate::readme::named;
use crate::sweep::{Owned, words};
use crate::wire::server::{Asked, Played, serve};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/local-models.md")).unwrap()
}

/// The block behind a mark.
fn block(page: &str, mark: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("<!-- {mark} -->\n```toml\n")).unwrap_or_else(|| panic!("no block {mark}"));
    rest.split("```").next().unwrap().to_owned()
}

/// The project of the page, with its server at `base`; `change` is what a reader may leave out.
fn written(base: &str, change: fn(String) -> String) -> Owned {
    let page = page();
    assert_eq!(page.matches("```toml").count(), 2, "the page has TOML that no test reads");
    let tables =
        change(block(&page, "end of callsheet.toml")).replace("http://127.0.0.1:8080/v1", &format!("{base}/v1"));
    let project = project("openai/gpt-5", "");
    let shipped = fs::read_to_string(root().join("callsheet.toml")).unwrap();
    let named = shipped.replacen("[models]\n", &format!("[models]\n{}", block(&page, "under [models]")), 1);
    fs::write(project.root().join("callsheet.toml"), format!("{named}\n{tables}")).unwrap();
    project
}

fn types(project: &Owned, line: &str) -> (i32, String) {
    let output =
        project.command(&words(&line.split(' ').collect::<Vec<_>>()), None).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

/// A server that forces forms: it counts for doctor, and writes the first team's post.
fn server(kept: Arc<Mutex<Vec<Value>>>) -> String {
    serve(move |asked| {
        if asked.body.contains("count_things") {
            return forms(asked);
        }
        kept.lock().unwrap().push(serde_json::from_str(&asked.body).unwrap());
        let post = json!({ "versions": [{ "channel": "short_post", "title": "Come along", "text": "Come to it." }] });
        let end = json!({ "outcome": "drafted", "note": "A post.", "writes": { "post": post } });
        let text = json!({ "call": { "name": "end_turn", "arguments": end } }).to_string();
        document(&json!({ "role": "assistant", "content": text }).to_string())
    })
}

#[test]
fn what_the_page_says_to_write_does_what_it_says() {
    let kept = Arc::default();
    let project = written(&server(Arc::clone(&kept)), |tables| tables);
    assert_eq!(types(&project, "check announcement").0, 0);
    let (code, told) = types(&project, "doctor --model local/qwen3");
    assert_eq!(code, 0, "{told}");
    for says in [
        "ok model local/qwen3",
        "a call may take 600 s (call_timeout of local/qwen3 in callsheet.toml wins)",
        "a reply may be silent for 300 s",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
    let (code, told) = types(&project, "run announcement --model local/qwen3");
    assert_eq!(code, 3, "{told}");
    let bodies: Vec<Value> = std::mem::take(&mut *kept.lock().unwrap());
    for body in &bodies {
        assert_eq!((&body["temperature"], &body["top_k"]), (&json!(0.2), &json!(40)), "{body}");
        assert_eq!(body["response_format"]["type"], "json_schema", "{body}");
    }
    assert_eq!(bodies.len(), 1);
    let (code, told) = types(&project, "approve 1");
    assert_eq!((code, told.contains("out/1-announcement")), (0, true), "{told}");
    // The alias of the shipped critic is another model's, unless the model is named for all.
    let (code, told) = types(&project, "check re-engagement --model local/qwen3");
    assert_eq!(code, 0, "{told}");
}

/// What doctor says of a server, where the page's form is not asked for yet.
fn says(answer: fn(&Asked) -> Played) -> String {
    let project = written(&serve(answer), |tables| tables.replace("calls = \"json_schema\"", "#"));
    types(&project, "doctor --model local/qwen3").1
}

/// The same as a model that works, of which its server counts nothing.
fn uncounted(asked: &Asked) -> Played {
    let Played { bytes, then } = works(asked);
    let text = String::from_utf8(bytes).unwrap().replace("\"usage\"", "\"usual\"");
    Played { bytes: text.into_bytes(), then }
}

#[test]
fn what_the_page_says_that_doctor_says_is_said() {
    let slow = Speed { tokens: 30, ms: 4_000 }.too_slow("drafter", 4_000, 120_000, "local").unwrap();
    let told = [says(works), says(uncounted), says(writes), says(forms), says(circles), slow].join("\n");
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with("| it says")).skip(2);
    let rows: Vec<&str> =
        rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(rows.len(), 7, "{rows:?}");
    for row in rows {
        row.split("...").for_each(|part| assert!(told.contains(part.trim()), "nothing says {part:?}:\n{told}"));
    }
}

#[test]
fn what_the_page_names_exists() {
    let page = page();
    assert!(named(&page).len() > 5);
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with('#')) {
        assert!(root().join("docs").join(link).exists(), "there is no {link}");
    }
    let endpoint = fs::read_to_string(root().join("tests/it/endpoint.rs")).unwrap();
    let variables = page.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|w| w.starts_with("CALLSHEET_"));
    for variable in variables {
        assert!(endpoint.contains(variable), "tests/it/endpoint.rs does not know {variable}");
    }
}

//! What came of a run, attached by a program and by a form, over a run that is over.

use serde_json::{Value, json};

use super::Browser;
use super::server::{Server, project};
use crate::attached::with_letters;

#[test]
fn a_program_and_a_form_attach_results_and_the_page_shows_them() {
    let project = project();
    with_letters(&project);
    for (line, wanted) in [("run letter --model ollama/none", 3), ("run letter", 3), ("cancel 1", 0)] {
        let (code, text) = project.types(line);
        assert_eq!(code, wanted, "{line}: {text}");
    }
    let server = Server::start(project.command(), 0);
    let page = |path: &str| server.sends(&server.asks("GET", path)).text();
    assert!(page("/runs/1").contains("Nobody has attached results yet"));
    assert!(!page("/runs/2").contains("What came of it"), "of a rehearsal nothing can come");
    let attaches = |run: u64, file: &str, text: &str| {
        server.posts(&format!("/api/runs/{run}/results"), &json!({ "file": file, "text": text }))
    };
    let answer = attaches(1, "week.csv", "mail,opens\n<b>a</b>,7\n");
    assert_eq!(answer.status, 200, "{}", answer.whole());
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told[0]["table"]["rows"], json!([["<b>a</b>", 7]]));
    for (run, file, text) in [(2, "week.csv", "mail\na\n"), (1, "week.csv", "mail,opens\na\n"), (1, "week.json", "{}")]
    {
        let answer = attaches(run, file, text);
        assert!((400..500).contains(&answer.status), "{file} of {run}: {}", answer.whole());
    }
    let ana = Browser::enters(&server, &server.token);
    let fields = [("what", "results"), ("file", "later.csv"), ("text", "mail;opens\n1;1,5\n2;2,5\n")];
    let form = ana.posts(&server, "/runs/1/say", &fields);
    assert_eq!(server.sends(&form).status, 303);
    let shown = page("/runs/1");
    for says in ["Version 2, by ana", "later.csv", "2.5", "1 earlier version", "&lt;b&gt;a&lt;/b&gt;"] {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    assert_eq!(server.get("/api/runs/1")["attached"].as_array().map(Vec::len), Some(2));
}

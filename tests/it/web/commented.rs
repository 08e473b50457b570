//! Comments by forms and by programs: the requests that are refused, as data; then a talk of two people over an approval, with a
//! double click in each form of it.

use serde_json::json;

use super::cases::{Case, within};
use super::{Browser, Stage};

/// What is refused, and does nothing.
pub(super) fn all(stage: &Stage) -> Vec<Case> {
    let version = version(stage);
    let form = |fields: &[(&str, &str)]| stage.form("/runs/1/comments", fields);
    let on = [("artefact", "letter"), ("version", version.as_str())];
    let with = |more: &[(&str, &str)]| form(&[on.as_slice(), more].concat());
    let (zeros, long) = ("0".repeat(64), "x".repeat(4_001));
    vec![
        within("a comment that says nothing", with(&[("text", " ")]), 422, "has to say something"),
        within("a comment without end", with(&[("text", &long)]), 422, "4000 characters at most"),
        within("a comment on no part", with(&[("text", "x"), ("at", "/nothing/0")]), 422, "there is no"),
        within("a comment on a path", with(&[("text", "x"), ("at", "../letter")]), 422, "there is no"),
        within("a comment on no version", form(&[("artefact", "letter"), ("text", "x")]), 422, "which version"),
        within(
            "a comment on another version",
            form(&[("artefact", "letter"), ("version", &zeros), ("text", "x")]),
            404,
            "no version",
        ),
        within(
            "a comment on no artefact",
            form(&[("artefact", "../letter"), ("version", &version), ("text", "x")]),
            404,
            "no artefact",
        ),
        within(
            "a comment on no run",
            stage.form("/runs/99/comments", &[("artefact", "x"), ("version", &version)]),
            404,
            "",
        ),
    ]
}

/// The same about comments that are not there, and of programs.
pub(super) fn others(stage: &Stage) -> Vec<Case> {
    let answers = |path: &str, fields: &[(&str, &str)]| stage.form(path, fields);
    let program = |path: &str, value: serde_json::Value| stage.server.asks("POST", path).json(&value);
    vec![
        within(
            "an answer to no comment",
            answers("/runs/1/comments/c9", &[("what", "reply"), ("text", "x")]),
            409,
            "no such",
        ),
        within("an end of no comment", answers("/runs/1/comments/c0", &[("what", "resolve")]), 409, "no such comment"),
        within("an answer to a word", answers("/runs/1/comments/last", &[("what", "reply")]), 409, "no such comment"),
        within("another word", answers("/runs/1/comments/c1", &[("what", "erase")]), 422, "not `erase`"),
        within(
            "a comment sent along that is not there",
            stage.form(
                "/approvals/1/decide",
                &[("decision", "request_changes"), ("binds", &stage.binds), ("comment", "x"), ("send.c7", "yes")],
            ),
            409,
            "no such comment",
        ),
        within(
            "a program's comment on no part",
            program("/api/runs/1/comments", json!({ "artefact": "letter", "at": "/x", "text": "x" })),
            422,
            "",
        ),
        within(
            "a program's comment on nothing",
            program("/api/runs/1/comments", json!({ "text": "x" })),
            422,
            "missing field",
        ),
        within(
            "a program's comment of somebody else",
            program("/api/runs/1/comments", json!({ "artefact": "letter", "text": "x", "by": "ben" })),
            422,
            "unknown field",
        ),
        within(
            "a program's answer to nothing",
            program("/api/runs/1/comments/c9/reply", json!({ "text": "x" })),
            409,
            "",
        ),
        within("a program's end of nothing", program("/api/runs/1/comments/c9/resolve", json!({})), 409, ""),
        within("comments of no run", stage.server.asks("GET", "/api/runs/99/comments"), 404, ""),
    ]
}

/// The version of the letter that waits for a decision.
fn version(stage: &Stage) -> String {
    let shown = stage.server.get("/api/approvals/1");
    shown["desk"]["letter"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned()
}

#[test]
fn two_people_talk_over_an_approval_and_nobody_approves_what_one_of_them_blocks() {
    let stage = Stage::new();
    let version = version(&stage);
    let posts = |browser: &Browser, path: &str, fields: &[(&str, &str)]| {
        let request = browser.posts(&stage.server, path, fields);
        // Each by a double click.
        let answers = std::thread::scope(|scope| {
            let clicks = [(); 2].map(|()| scope.spawn(|| stage.server.sends(&request)));
            clicks.map(|click| click.join().unwrap())
        });
        answers.map(|answer| (answer.status, answer.header("location").map(str::to_owned), answer.whole()))
    };
    let both = |told: [(u16, Option<String>, String); 2], location: &str| {
        for (status, to, whole) in told {
            assert_eq!((status, to.as_deref()), (303, Some(location)), "{whole}");
        }
    };
    let here = ("approval", "1");
    let remark = [("artefact", "letter"), ("version", &version), ("text", "Too loud, @ana."), ("blocks", "yes"), here];
    both(posts(&stage.ben, "/runs/1/comments", &remark), "/approvals/1#comments");
    both(
        posts(&stage.ana, "/runs/1/comments/c1", &[("what", "reply"), ("text", "Is it?"), here]),
        "/approvals/1#comments",
    );
    let page = stage.server.sends(&stage.page("/approvals/1")).text();
    assert!(page.contains("Too loud, @ana.") && page.contains("1 open comment blocks approval"), "{page}");
    assert!(!page.contains("value=\"approve\""), "a button approves what is blocked");
    let approves = json!({ "decision": "approve", "binds": stage.binds });
    let refused = stage.server.posts("/api/approvals/1/decide", &approves);
    assert_eq!(refused.status, 409, "{}", refused.whole());
    assert!(refused.text().contains("c1 of ben on version 1 of letter: Too loud, @ana."), "{}", refused.text());
    // A program settles what is not its person's only with a word.
    let settles = |text: &str| stage.server.posts("/api/runs/1/comments/c1/resolve", &json!({ "text": text }));
    assert_eq!(settles("").status, 409);
    both(posts(&stage.ben, "/runs/1/comments/c1", &[("what", "resolve")]), "/runs/1/drafts");
    let said = stage.server.get("/api/runs/1/comments");
    let texts: Vec<&str> = said[0]["said"].as_array().unwrap().iter().filter_map(|one| one["text"].as_str()).collect();
    assert_eq!((said.as_array().map(Vec::len), texts), (Some(1), vec!["Too loud, @ana.", "Is it?"]), "{said}");
    assert_eq!((&said[0]["resolved_by"], &said[0]["said"][0]["mentions"]), (&json!("ben"), &json!(["ana"])), "{said}");
    assert_eq!(stage.server.posts("/api/approvals/1/decide", &approves).status, 200);
    let late = json!({ "artefact": "letter", "text": "Too late." });
    stage.server.listens(1, 0).until("\"ended\"");
    assert_eq!(stage.server.posts("/api/runs/1/comments", &late).status, 409);
}

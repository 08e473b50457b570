//! Who looks at an approval and who is on it, by pages and by programs: what is refused, as data; and what is noted, once.

use serde_json::{Value, json};

use super::Stage;
use super::cases::{Case, within};

/// What is refused, and does nothing.
pub(super) fn all(stage: &Stage) -> Vec<Case> {
    let form = |no: &str, fields: &[(&str, &str)]| stage.form(&format!("/approvals/{no}/assign"), fields);
    let program = |value: Value| stage.server.asks("POST", "/api/approvals/1/assign").json(&value);
    vec![
        within("handed on without a word", form("1", &[("to", "ben")]), 422, "say why"),
        within("handed to nobody known", form("1", &[("to", "eve"), ("text", "x")]), 409, "not one of the people"),
        within("handed to an empty group", form("1", &[("to", "group:legal"), ("text", "x")]), 409, "nobody is in"),
        within("handed to markup", form("1", &[("to", "<b>ben</b>"), ("text", "x")]), 409, "not one of the people"),
        within("taken on what is not there", form("99", &[("to", "ana")]), 404, "no approval 99"),
        within("a program hands on without a word", program(json!({ "to": "ben" })), 422, "say why"),
        within("a program hands on for somebody", program(json!({ "to": "ana", "by": "ben" })), 422, "unknown field"),
        within("a program hands on to a number", program(json!({ "to": 7 })), 422, ""),
    ]
}

#[test]
fn whoever_opens_an_approval_is_noted_once_for_each_channel() {
    let stage = Stage::new();
    // The list is no look at one of them.
    let looked = || {
        let open = stage.server.get("/api/approvals");
        let all = open[0]["looked"].as_array().unwrap().iter();
        all.map(|look| format!("{} {}", look["by"], look["via"]).replace('"', "")).collect::<Vec<_>>()
    };
    let mut changes = stage.server.changes();
    changes.until("the program's look", || looked() == ["ana api"]);
    // What a browser fetches in advance, and what only asks for the head, nobody looks at.
    for request in
        [stage.page("/approvals/1").with("sec-purpose", "prefetch"), stage.page("/approvals/1").method("HEAD")]
    {
        assert_eq!(stage.server.sends(&request).status, 200);
    }
    assert_eq!(stage.server.sends(&stage.ben.asks(&stage.server, "GET", "/approvals/1")).status, 200);
    changes.until("ben's look", || looked() == ["ana api", "ben page"]);
    for _ in 0..3 {
        assert_eq!(stage.server.sends(&stage.page("/approvals/1")).status, 200);
    }
    changes.until("ana's look", || looked() == ["ana api", "ben page", "ana page"]);
    // Others see who is on it.
    let takes = stage.ben.posts(&stage.server, "/approvals/1/assign", &[("to", "ben")]);
    let answer = stage.server.sends(&takes);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/approvals/1")), "{}", answer.whole());
    for path in ["/approvals", "/approvals/1", "/"] {
        let page = stage.server.sends(&stage.page(path)).text();
        assert!(page.contains("ben is on it"), "{path}: {page}");
    }
    let hands = json!({ "to": "ben", "text": "Yours, after all." });
    assert_eq!(stage.server.posts("/api/approvals/1/assign", &hands).status, 200);
    let approves = json!({ "decision": "approve", "binds": stage.binds });
    assert_eq!(stage.server.posts("/api/approvals/1/decide", &approves).status, 200);
    let page = stage.server.sends(&stage.page("/approvals/1")).text();
    assert!(page.contains("decided by ana: approved, by a program, 20") && !page.contains("is on it"), "{page}");
    let audit = stage.server.sends(&stage.page("/audit?run=1")).text();
    assert!(audit.contains("looked at approval 1") && audit.contains("on the page"), "{audit}");
}

#[test]
fn what_is_signed_says_who_gets_it_and_stays_to_be_read() {
    let stage = Stage::new();
    let page = |path: &str| stage.server.sends(&stage.page(path)).text();
    let says = |path: &str, wanted: &[&str]| {
        let page = page(path);
        wanted.iter().for_each(|wanted| assert!(page.contains(wanted), "{path} does not say {wanted:?}: {page}"));
    };
    says("/approvals/1", &["<h1>1 item, to newsletter", "<dt>reaches</dt><dd>1 recipient</dd>"]);
    says("/", &["1 item to deliver"]);
    let approves = json!({ "decision": "approve", "binds": stage.binds });
    assert_eq!(stage.server.posts("/api/approvals/1/decide", &approves).status, 200);
    stage.server.changes().until("it is delivered", || page("/runs/1").contains("1 item delivered"));
    says("/runs/1", &["href=\"/approvals/1\">See what approval 1 let leave"]);
}

//! The requests of whoever got through the door, as data: what they say is wrong, too much, or about what is not there.

use serde_json::json;

use super::Stage;
use super::cases::{Case, case, within};

/// All of them.
pub(super) fn all(stage: &Stage) -> Vec<Case> {
    let groups = [bodies, sent, next, unknown, decided];
    groups.iter().flat_map(|group| group(stage)).collect()
}

/// Forms that are none, too large, or in another coding.
fn bodies(stage: &Stage) -> Vec<Case> {
    let decides = |fields: &[(&str, &str)]| stage.form("/approvals/1/decide", fields);
    let (large, huge) = ("x".repeat((1 << 20) + 1), "x".repeat(10 << 20));
    let coded = |kind: &str| stage.decides().with("content-type", kind);
    let raw = |body: &[u8]| stage.decides().says(body);
    let key = stage.ana.key.as_str();
    let binds = stage.binds.as_str();
    let mut cases = vec![
        within("a body of a megabyte and more", raw(large.as_bytes()), 413, ""),
        Case { wanted: vec![413, 0], ..within("a body of ten megabytes", raw(huge.as_bytes()), 413, "") },
        within("a form as JSON", coded("application/json"), 415, ""),
        within("a form as text", coded("text/plain"), 415, ""),
        within("a form in parts", coded("multipart/form-data; boundary=x"), 415, ""),
        within("a form of no kind", stage.decides().without("content-type"), 415, ""),
        within("an empty form", raw(b""), 403, "not from a page of yours"),
        within("bytes that are no text", raw(b"\xff\xfe\x00&=%zz%"), 403, "not from a page of yours"),
        within(
            "compressed",
            stage.decides().with("content-encoding", "gzip").says(b"\x1f\x8b\x08\x00"),
            403,
            "not from",
        ),
        within("no decision", decides(&[("binds", binds)]), 422, "is no decision"),
        within("another decision", decides(&[("binds", binds), ("decision", "APPROVE")]), 422, "is no decision"),
        within(
            "broken text as a decision",
            raw(format!("key={key}&binds={binds}&decision=%ff").as_bytes()),
            422,
            "is no decision",
        ),
        within("no digest", decides(&[("decision", "approve")]), 422, "what it binds"),
        within("half a digest", decides(&[("decision", "approve"), ("binds", &binds[..40])]), 422, "what it binds"),
        within("no reason", stage.decides(), 422, "say why"),
        within(
            "a blank as a reason",
            decides(&[("decision", "reject"), ("binds", binds), ("comment", " \t\n ")]),
            422,
            "say why",
        ),
    ];
    let pieces = stage.decides().without("content-length").with("transfer-encoding", "chunked");
    for (what, body) in
        [("no piece", "zz\r\n"), ("a huge piece", "ffffffffffffffffff\r\n"), ("a cut piece", "ff\r\nkey=")]
    {
        let mut broken = pieces.clone();
        broken.body = body.as_bytes().to_vec();
        // The server may wait for the rest of a piece that never comes; this client goes.
        if what != "a cut piece" {
            cases.push(Case { wanted: vec![400, 0], ..within(what, broken, 400, "") });
        }
    }
    let smuggled = stage.decides().with("transfer-encoding", "chunked");
    cases.push(Case { wanted: vec![400, 403, 0], ..within("two lengths", smuggled, 400, "") });
    cases
}

/// What programs send.
fn sent(stage: &Stage) -> Vec<Case> {
    let run = |value: serde_json::Value| stage.server.asks("POST", "/api/runs").json(&value);
    let raw = |body: &[u8]| run(json!({})).says(body);
    let decides = |value: serde_json::Value| stage.server.asks("POST", "/api/approvals/1/decide").json(&value);
    let binds = &stage.binds;
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    vec![
        within("an unknown field", run(json!({ "topology": "announcement", "mode": "live" })), 422, "unknown field"),
        within(
            "another field of a decision",
            decides(json!({ "decision": "approve", "binds": binds, "by": "ben" })),
            422,
            "unknown field",
        ),
        within("a field of another type", run(json!({ "topology": 7 })), 422, ""),
        within("no field", run(json!({})), 422, "missing field"),
        within("no object", run(json!([])), 422, ""),
        within("no JSON", raw(b"topology=announcement"), 400, ""),
        within("a cut JSON", raw(b"{\"topology\":"), 400, ""),
        within("bytes that are no text", raw(b"{\"topology\":\"\xff\"}"), 400, ""),
        within("half a character", raw(b"{\"topology\":\"\\ud800\"}"), 400, ""),
        within(
            "a field twice",
            raw(b"{\"topology\":\"announcement\",\"topology\":\"announcement\"}"),
            422,
            "duplicate field",
        ),
        within("a hundred thousand brackets", raw(&deep), 422, ""),
        within("a form", run(json!({})).form(&[("topology", "announcement")]), 415, ""),
        within("no campaign of this name", run(json!({ "topology": "newsletters" })), 422, ""),
        within("a path as a campaign", run(json!({ "topology": "../topologies/announcement" })), 422, ""),
        within(
            "an unknown parameter",
            run(json!({ "topology": "announcement", "params": { "quarter": "Q1" } })),
            422,
            "",
        ),
        within("a decision of no kind", decides(json!({ "decision": "", "binds": binds })), 422, "is no decision"),
        within("a digest that is none", decides(json!({ "decision": "approve", "binds": "sha256" })), 422, ""),
        within("another digest", decides(json!({ "decision": "approve", "binds": "0".repeat(64) })), 409, ""),
        within(
            "more than there is",
            stage.server.asks("GET", "/api/runs/1/records?after=18446744073709551615"),
            200,
            "[]",
        ),
        within("less than nothing", stage.server.asks("GET", "/api/runs/1/records?after=-1"), 400, ""),
        within("no number", stage.server.asks("GET", "/api/runs?limit=many"), 400, ""),
        within("no state", stage.server.asks("GET", "/api/runs?status=happy"), 422, ""),
    ]
}

/// Where whoever entered is led: to no other site.
fn next(stage: &Stage) -> Vec<Case> {
    let enters = |next: &str| stage.form("/enter", &[("token", &stage.server.token), ("next", next)]).without("cookie");
    let elsewhere = [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nset-cookie: x=1",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u{0}/evil.example",
        "/\u{a0}//evil.example",
        "/\u{7f}/evil.example",
        "",
    ];
    let mut cases: Vec<Case> = elsewhere
        .iter()
        .map(|next| Case { knows: true, ..case(format!("to {next:?}"), enters(next), 303, "location: /\r") })
        .collect();
    for own in ["/approvals/1", "/runs/1/messages?record=3", "/runs/1#now", "/"] {
        let says = format!("location: {own}\r");
        cases.push(case(format!("to {own:?}"), enters(own), 303, &says));
    }
    let door = stage.page("/enter?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").without("cookie");
    cases.push(case("a script in the door", door, 200, "value=\"&quot;&gt;&lt;script&gt;alert(1)"));
    cases
}

/// What is not there, and what is not to be had.
fn unknown(stage: &Stage) -> Vec<Case> {
    let paths = [
        ("/runs/99", 404),
        ("/runs/0", 404),
        ("/runs/-1", 400),
        ("/runs/18446744073709551616", 400),
        ("/runs/one", 400),
        ("/runs/1%00", 400),
        ("/runs/99/events", 404),
        ("/runs/99/story", 404),
        ("/runs/1/nothing", 404),
        ("/approvals/99", 404),
        ("/approvals/0", 404),
        ("/approvals/x", 400),
        ("/approvals/99/edit", 404),
        ("/campaigns/newsletters", 404),
        ("/campaigns/..%2f..%2fcallsheet", 404),
        ("/campaigns/%00", 404),
        ("/campaigns/%ff", 400),
        ("/nothing", 404),
        ("//", 404),
        ("/enter/", 404),
        ("/.callsheet/serve.key", 404),
        ("/callsheet.toml", 404),
        ("/%2e%2e/callsheet.toml", 404),
        ("/assets/../callsheet.toml", 404),
        ("/assets/..%2fcallsheet.toml", 404),
        ("/assets/..%2f..%2f.callsheet%2fserve.key", 404),
        ("/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/assets/..%5c..%5cserve.key", 404),
        ("/assets/%2fetc%2fpasswd", 404),
        ("/assets//etc/passwd", 404),
        ("/assets/page.css%00.js", 404),
        ("/assets/page.css/", 404),
        ("/assets/PAGE.CSS", 404),
        ("/assets/", 404),
        ("/assets/page%2ecss%3f", 404),
    ];
    let mut cases: Vec<Case> =
        paths.iter().map(|(path, status)| within(*path, stage.page(path), *status, "")).collect();
    for path in ["/api/runs/99", "/api/runs/99/records", "/api/runs/99/events", "/api/approvals/99", "/api/nothing"] {
        cases.push(within(path, stage.server.asks("GET", path), 404, ""));
    }
    let told = stage.page("/runs/1/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    cases.push(within("a script as an address", told, 404, "nothing at this address"));
    cases
}

/// What is posted about what is not there.
fn decided(stage: &Stage) -> Vec<Case> {
    let binds = ("binds", stage.binds.as_str());
    let post = |path: &str, fields: &[(&str, &str)]| stage.form(path, fields);
    let forged = "0".repeat(64);
    vec![
        within(
            "an approval that is not there",
            post("/approvals/99/decide", &[("decision", "approve"), binds]),
            404,
            "",
        ),
        within("another digest", post("/approvals/1/decide", &[("decision", "approve"), ("binds", &forged)]), 409, ""),
        within("an answer to what is no question", post("/approvals/1/decide", &[("decision", "happened")]), 409, ""),
        within("an answer to an approval", post("/approvals/1/answer", &[("outcome", "approve")]), 409, ""),
        within(
            "an edit of nothing",
            post("/approvals/1/edit", &[("artefact", "nothing"), ("step", "save"), binds]),
            422,
            "",
        ),
        within(
            "a path as what is edited",
            post("/approvals/1/edit", &[("artefact", "../letter"), ("step", "save"), binds]),
            422,
            "",
        ),
        within("a campaign that is not there", post("/campaigns/newsletters/start", &[]), 422, ""),
        within(
            "a word that a run does not know",
            post("/runs/1/say", &[("what", "explode")]),
            422,
            "does not understand",
        ),
        within("a message that is not there", post("/runs/1/say", &[("what", "retry"), ("message", "m99")]), 409, ""),
        within(
            "a message that is none",
            post("/runs/1/say", &[("what", "retry"), ("message", "x")]),
            422,
            "no message",
        ),
        within("a run that is not there", post("/runs/99/say", &[("what", "pause")]), 404, ""),
    ]
}

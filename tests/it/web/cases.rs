//! The requests, as data: each is one that is answered, with one thing changed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::Stage;
use super::server::Request;

/// A request and what it is answered.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) request: Request,
    /// Any of these; 0 is a connection that is closed without a word.
    pub(super) wanted: Vec<u16>,
    /// Words of the answer.
    pub(super) says: String,
    /// Whoever asks has entered, and may be told of the project.
    pub(super) knows: bool,
}

pub(super) fn case(what: impl Into<String>, request: Request, wanted: u16, says: &str) -> Case {
    Case { what: what.into(), request, wanted: vec![wanted], says: says.to_owned(), knows: false }
}

/// Of somebody who entered.
pub(super) fn within(what: impl Into<String>, request: Request, wanted: u16, says: &str) -> Case {
    Case { knows: true, ..case(what, request, wanted, says) }
}

/// Those of the door, but for wrong tokens, which make the door close.
pub(super) fn all(stage: &Stage) -> Vec<Case> {
    let groups = [hosts, origins, fetched, methods, keys, cookies];
    groups.iter().flat_map(|group| group(stage)).collect()
}

/// Requests of every kind, by what they are.
fn kinds(stage: &Stage) -> Vec<(&'static str, Request)> {
    vec![
        ("a page", stage.page("/runs/1")),
        ("events", stage.page("/runs/1/events")),
        ("a file", stage.page("/assets/page.css")),
        ("the door", stage.page("/enter").without("cookie")),
        ("a program", stage.server.asks("GET", "/api/runs")),
        ("a decision", stage.decides()),
    ]
}

/// Names under which nobody calls this server, the tricks of rebinding among them.
fn hosts(stage: &Stage) -> Vec<Case> {
    let own = format!("127.0.0.1:{}", stage.server.port);
    let port = stage.server.port;
    let wrong = [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:0PORT",
        "127.0.0.1:PORT1",
        "127.0.0.1:PORT.evil.example",
        "127.0.0.1.evil.example:PORT",
        "127.0.0.1.nip.io:PORT",
        "localhost.evil.example:PORT",
        "localhost",
        "localhost:80",
        "localhost.:PORT",
        "127.0.0.1.:PORT",
        "[::1]:PORT",
        "[::ffff:127.0.0.1]:PORT",
        "0.0.0.0:PORT",
        "127.1:PORT",
        "127.0.0.2:PORT",
        "2130706433:PORT",
        "0x7f.0.0.1:PORT",
        "user@127.0.0.1:PORT",
        "127.0.0.1:PORT@evil.example",
        "127.0.0.1:PORT, evil.example",
        "http://127.0.0.1:PORT",
        "127.0.0.1:PORT/",
        "",
        "\u{ff}",
    ]
    .map(|name| name.replace("PORT", &port.to_string()));
    let mut cases = Vec::new();
    for (kind, request) in kinds(stage) {
        for name in &wrong {
            cases.push(case(
                format!("{kind} of host {name:?}"),
                request.clone().with("host", name),
                421,
                "not called so",
            ));
        }
        cases.push(case(format!("{kind} of no host"), request.clone().without("host"), 421, "not called so"));
        for second in [&own, "evil.example"] {
            let twice = request.clone().and("host", second);
            cases.push(case(format!("{kind} of two hosts, {second} the second"), twice, 421, "not called so"));
        }
        let absolute = request.clone().path(&format!("http://evil.example{}", "/runs/1"));
        cases.push(case(format!("{kind} of an address elsewhere"), absolute, 421, "not called so"));
    }
    for name in [format!("localhost:{port}"), format!("LOCALHOST:{port}"), format!("LocalHost:{port}")] {
        cases.push(within(format!("host {name}"), stage.page("/runs/1").with("host", &name), 200, "run 1"));
    }
    let told = stage.page("/runs/1").with("x-forwarded-host", "evil.example").with("forwarded", "host=evil.example");
    cases.push(within("a proxy's word for another host", told, 200, "run 1"));
    cases
}

/// Where a request says that it comes from.
fn origins(stage: &Stage) -> Vec<Case> {
    let port = stage.server.port.to_string();
    let wrong = [
        "http://evil.example",
        "http://evil.example:PORT",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "null",
        "http://127.0.0.1:PORT.evil.example",
        "http://127.0.0.1.evil.example:PORT",
        "http://127.0.0.1:PORT/",
        "http://localhost",
        "http://user@127.0.0.1:PORT",
        "http://localhost.:PORT",
        "http://[::1]:PORT",
        "file://",
        "chrome-extension://callsheet",
        "",
        "http://127.0.0.1:PORT http://evil.example",
        "127.0.0.1:PORT",
        "\u{ff}",
    ]
    .map(|name| name.replace("PORT", &port));
    let mut cases = Vec::new();
    for (kind, request) in kinds(stage) {
        for origin in &wrong {
            let from = request.clone().with("origin", origin);
            cases.push(case(format!("{kind} from {origin:?}"), from, 403, "comes from another site"));
        }
        let own = format!("http://127.0.0.1:{port}");
        let twice = request.clone().with("origin", &own).and("origin", "http://evil.example");
        cases.push(case(format!("{kind} from two places"), twice, 403, "comes from another site"));
    }
    let said = stage.decides();
    let silent = said.clone().without("origin").without("sec-fetch-site");
    cases.push(case("a decision that does not say where it comes from", silent, 403, "comes from another site"));
    let page = stage.page("/runs/1").with("origin", &format!("http://localhost:{port}"));
    cases.push(within("a page from a page of ours", page, 200, "run 1"));
    cases
}

/// What a browser says of a request: who asked for it, and to show it or to use it.
fn fetched(stage: &Stage) -> Vec<Case> {
    let of = |request: &Request, site: &str, mode: &str| {
        let request = request.clone().with("sec-fetch-site", site);
        if mode.is_empty() { request } else { request.with("sec-fetch-mode", mode) }
    };
    let mut cases = Vec::new();
    for (kind, request) in kinds(stage) {
        let is_post = kind == "a decision";
        for site in ["cross-site", "same-site"] {
            for mode in ["cors", "no-cors", "websocket", "same-origin", "nested-navigate", ""] {
                let what = format!("{kind}, {site} in mode {mode:?}");
                cases.push(case(what, of(&request, site, mode), 403, "comes from another site"));
            }
            if is_post {
                let what = format!("{kind}, {site} as a link");
                cases.push(case(what, of(&request, site, "navigate"), 403, "comes from another site"));
            }
        }
        if is_post {
            for site in ["unheard-of", "SAME-ORIGIN", "none, same-origin"] {
                cases.push(case(format!("{kind}, {site}"), of(&request, site, "navigate"), 403, "another site"));
            }
        }
    }
    // A link from a mail: the page, for a browser that sends its session; a page with one link, for one that keeps it back.
    cases.push(within("a link from elsewhere", of(&stage.page("/runs/1"), "cross-site", "navigate"), 200, "run 1"));
    let without = of(&stage.page("/runs/1").without("cookie"), "cross-site", "navigate");
    cases.push(case("a link from elsewhere, without its session", without, 200, "Nothing was done by following it"));
    cases.push(within("an address that was typed", of(&stage.page("/runs/1"), "none", "navigate"), 200, "run 1"));
    cases
}

/// Nothing but GET and POST, and each at its own addresses: no GET does anything.
fn methods(stage: &Stage) -> Vec<Case> {
    let mut cases = Vec::new();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "post"] {
        for (kind, request) in [("a page", stage.page("/runs/1")), ("a decision", stage.decides())] {
            cases.push(case(format!("{kind} by {method}"), request.method(method), 405, "only GET and POST"));
        }
    }
    let fields = format!("?key={}&decision=approve&binds={}&what=cancel", stage.ana.key, stage.binds);
    for path in [
        "/approvals/1/decide",
        "/approvals/1/answer",
        "/campaigns/announcement/start",
        "/runs/1/say",
        "/runs/1/comments",
        "/approvals/1/assign",
        "/leave",
    ] {
        cases.push(case(format!("GET {path}"), stage.page(&format!("{path}{fields}")), 405, ""));
        let looked = stage.page(&format!("{path}{fields}")).method("HEAD");
        cases.push(case(format!("HEAD {path}"), looked, 405, ""));
    }
    cases.push(case("GET a program's decision", stage.server.asks("GET", "/api/approvals/1/decide"), 405, ""));
    for path in ["/", "/runs", "/runs/1", "/approvals", "/approvals/1", "/audit", "/assets/page.js", "/runs/1/events"] {
        cases.push(case(format!("POST {path}"), stage.form(path, &[]), 405, ""));
    }
    cases
}

/// The key of a session's forms.
fn keys(stage: &Stage) -> Vec<Case> {
    let key = &stage.ana.key;
    let changed = format!("{}{}", if key.starts_with('0') { "1" } else { "0" }, &key[1..]);
    let wrong = ["", "0", "undefined", &stage.ben.key, &changed, &key[..62], &format!("{key}00"), &stage.server.token];
    let posts = [
        ("/approvals/1/decide", vec![("decision", "approve"), ("binds", stage.binds.as_str())]),
        ("/approvals/1/edit", vec![("artefact", "letter"), ("step", "save"), ("binds", stage.binds.as_str())]),
        ("/approvals/1/answer", vec![("outcome", "approve")]),
        ("/campaigns/announcement/start", vec![("rehearse", "yes")]),
        ("/runs/1/say", vec![("what", "cancel")]),
        ("/approvals/1/assign", vec![("to", "ana")]),
        ("/runs/1/comments", vec![("artefact", "letter"), ("text", "x")]),
        ("/runs/1/comments/c1", vec![("what", "resolve")]),
        ("/leave", vec![]),
    ];
    let mut cases = Vec::new();
    for (path, fields) in posts {
        let post = stage.form(path, &fields);
        for key in wrong {
            let fields: Vec<(&str, &str)> = [("key", key)].into_iter().chain(fields.iter().copied()).collect();
            let forged = post.clone().form(&fields);
            cases.push(case(format!("POST {path} with key {key:?}"), forged, 403, "not from a page of yours"));
        }
        cases.push(case(format!("POST {path} without key"), post.form(&fields), 403, "not from a page of yours"));
    }
    // A page's script, which has a session and no token.
    let sent = json!({ "decision": "approve", "binds": stage.binds });
    let script = stage.form("/api/approvals/1/decide", &[]).json(&sent);
    for key in ["", "0", &stage.ben.key, &changed] {
        let forged = script.clone().with("x-callsheet-key", key);
        cases.push(case(format!("a script with key {key:?}"), forged, 403, "not from a page of yours"));
    }
    cases.push(case("a script without key", script, 403, "not from a page of yours"));
    cases
}

/// A session as the server makes it, but with this name, this end and this secret.
fn session(secret: &[u8], name: &str, until: i64) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (until, salt) = (until.to_string(), "00".repeat(16));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    for part in ["session", name, &until, &salt] {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    format!("{}.{until}.{salt}.{}", hex(name.as_bytes()), hex(&mac.finalize().into_bytes()))
}

/// Sessions of nobody.
fn cookies(stage: &Stage) -> Vec<Case> {
    let (name, own) = stage.ana.cookie.split_once('=').unwrap();
    let secret = std::fs::read(stage.project.path(".callsheet/serve.key")).unwrap();
    const LATER: i64 = 4_000_000_000_000;
    let mut parts: Vec<&str> = own.split('.').collect();
    let later = LATER.to_string();
    let ends = std::mem::replace(&mut parts[1], &later);
    let longer = parts.join(".");
    (parts[0], parts[1]) = ("62656e", ends);
    let renamed = parts.join(".");
    let wrong = [
        ("none", String::new()),
        ("an empty one", format!("{name}=")),
        ("one that is no session", format!("{name}=ana")),
        ("one that was cut", format!("{name}={}", &own[..own.len() - 2])),
        ("one that goes on", format!("{name}={own}.00")),
        ("one that ends later", format!("{name}={longer}")),
        ("another's name on one", format!("{name}={renamed}")),
        ("another secret's", format!("{name}={}", session(&[7; 32], "ana", LATER))),
        ("one that has ended", format!("{name}={}", session(&secret, "ana", 1))),
        ("one of somebody who left the project", format!("{name}={}", session(&secret, "eve", LATER))),
        ("another port's", format!("callsheet_1={own}")),
        ("another server's", format!("session={own}")),
        ("quotes around one", format!("{name}=\"{own}\"")),
        ("a forged one before a right one", format!("{name}=0; {name}={own}")),
        ("a token", format!("{name}={}", stage.server.token)),
    ];
    let mut cases = Vec::new();
    for (what, cookie) in wrong {
        let page = stage.page("/runs/1").with("cookie", &cookie);
        cases.push(case(format!("a page with {what}"), page, 303, "location: /enter?next=%2F%72%75%6E%73%2F%31"));
        for path in ["/runs/1/events", "/events", "/api/runs", "/api/runs/1/events"] {
            let stream = stage.page(path).with("cookie", &cookie);
            let says = if path.starts_with("/api/") { "say who you are" } else { "enter first" };
            cases.push(case(format!("{path} with {what}"), stream, 401, says));
        }
        let post = stage.decides().with("cookie", &cookie);
        cases.push(case(format!("a decision with {what}"), post, 401, "enter first"));
    }
    // The forger above can forge: a session that holds is let in.
    let right = stage.page("/runs/1").with("cookie", &format!("{name}={}", session(&secret, "ana", LATER)));
    cases.push(within("a session that holds", right, 200, "run 1"));
    cases
}

/// Tokens that are nobody's: of programs, and at the door.
pub(super) fn tokens(stage: &Stage) -> Vec<Case> {
    let own = &stage.server.token;
    let changed = format!("{}{}", if own.starts_with('0') { "1" } else { "0" }, &own[1..]);
    let wrong = ["", "0", "ana", &own[..62], &own[2..], &format!("{own}00"), &changed, &stage.ana.key, "\u{ff}"];
    let mut cases = Vec::new();
    for token in wrong {
        let program = stage.server.asks("GET", "/api/runs").with("authorization", &format!("Bearer {token}"));
        cases.push(case(format!("a program with token {token:?}"), program, 401, "say who you are"));
        let door = stage.form("/enter", &[("token", token)]).without("cookie");
        cases.push(case(format!("the door with token {token:?}"), door, 403, "nobody's token"));
    }
    for (what, said) in
        [("another scheme", format!("Basic {own}")), ("no scheme", own.clone()), ("a colon", format!("Bearer: {own}"))]
    {
        let program = stage.server.asks("GET", "/api/runs").with("authorization", &said);
        cases.push(case(format!("a program with {what}"), program, 401, "say who you are"));
    }
    let open = stage.server.asks("GET", &format!("/api/runs?token={own}")).without("authorization");
    cases.push(case("a token in an address", open, 401, "say who you are"));
    let posts = stage.server.asks("POST", "/api/approvals/1/decide").with("authorization", "Bearer 0");
    let sent = json!({ "decision": "approve", "binds": stage.binds });
    cases.push(case("a program's decision with a wrong token", posts.json(&sent), 401, "say who you are"));
    cases
}

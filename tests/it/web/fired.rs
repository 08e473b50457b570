//! Requests that fire triggers, over the wire: they need no token, and nothing but a right signature starts anything.

use callsheet::clock::{Clock as _, Machine};
use callsheet::tool::part::hook::signature;
use serde_json::Value;

use super::server::{Request, Server, project};

const KEY: &str = "a key of thirty letters or more";

/// A request that is signed with `key` now.
fn signed(server: &Server, key: &str, id: &str, body: &[u8]) -> Request {
    let at = (Machine.now().0 / 1_000).to_string();
    let signature = signature(key, &[at.as_bytes(), b".", id.as_bytes(), b".", body]);
    Request::new("POST", "/hooks/announcement/asked")
        .with("host", &format!("127.0.0.1:{}", server.port))
        .with("x-callsheet-timestamp", &at)
        .with("x-callsheet-delivery", id)
        .with("x-callsheet-signature", &signature)
        .says(body)
}

#[test]
fn a_request_is_answered_as_the_page_of_triggers_says() {
    let project = project();
    let trigger = "[triggers.asked]\nwebhook = true\nkey_env = \"ASKED_KEY\"\n\n[triggers.weekly]\ncron = \"0 9 * * MON\"\n\n[handoffs]";
    project.replace("topologies/announcement.toml", "[handoffs]", trigger);
    let mut command = project.command();
    command.env("ASKED_KEY", KEY);
    let server = Server::start(command, 0);
    let check = |what: &str, request: &Request, status: u16, says: &str| {
        let answer = server.sends(request);
        assert_eq!(answer.status, status, "{what}: {}", answer.whole());
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.whole()));
        assert!(told.to_string().contains(says), "{what}: {told}");
    };
    let right = signed(&server, KEY, "d1", b"{}");
    check("no JSON", &signed(&server, KEY, "d0", b"topic=1"), 400, "no JSON");
    check("too long", &signed(&server, KEY, "d0", &vec![b' '; 70_000]), 413, "more than 65536 bytes");
    check("far too long", &signed(&server, KEY, "d0", &vec![b' '; 2 << 20]), 413, "more than 65536 bytes");
    check("another body", &right.clone().says(b"{ }"), 401, "signed like this");
    check("another trigger", &right.clone().path("/hooks/announcement/weekly"), 401, "signed like this");
    check("another server", &right.clone().with("host", "elsewhere"), 421, "not called so");
    check("from a page elsewhere", &right.clone().with("origin", "http://elsewhere"), 403, "another site");
    check("only read", &right.clone().method("GET"), 405, "not done");
    check("it", &right, 202, "\"run\":1");
    check("it again", &right, 202, "\"run\":1");
    check(
        "another, while a person is waited for",
        &signed(&server, KEY, "d2", b"{}"),
        429,
        "run 1 of this trigger is not over",
    );
    let page = server.sends(&server.asks("GET", "/triggers")).text();
    for says in [
        "announcement.asked",
        "when a signed request comes to /hooks/announcement/asked",
        "run 1 is not over",
        "at 0 9 * * MON",
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
    let home = server.sends(&server.asks("GET", "/")).text();
    assert!(home.contains("Next by itself") && home.contains("announcement.weekly"), "{home}");
    // Whoever guesses is stopped, and whoever was right from there before is not.
    for nth in 0..30 {
        server.sends(&signed(&server, "a guess", &nth.to_string(), b"{}"));
    }
    check("after guesses", &right, 202, "\"run\":1");
    let (_, shown) = project.types("show 1");
    assert!(shown.contains("trigger asked (delivery d1)"), "{shown}");
}

#[test]
fn whoever_guesses_signatures_is_stopped() {
    let project = project();
    let trigger = "[triggers.asked]\nwebhook = true\nkey_env = \"ASKED_KEY\"\n\n[handoffs]";
    project.replace("topologies/announcement.toml", "[handoffs]", trigger);
    let mut command = project.command();
    command.env("ASKED_KEY", KEY);
    let server = Server::start(command, 0);
    let statuses: Vec<u16> =
        (0..25).map(|nth| server.sends(&signed(&server, "a guess", &nth.to_string(), b"{}")).status).collect();
    assert_eq!((statuses[0], statuses[24]), (401, 429), "{statuses:?}");
    assert_eq!(server.sends(&signed(&server, KEY, "d1", b"{}")).status, 429, "a right guess is told to be right");
    assert_eq!(
        server.sends_from("127.0.0.2", &signed(&server, KEY, "d1", b"{}")).status,
        202,
        "another address is shut out"
    );
}

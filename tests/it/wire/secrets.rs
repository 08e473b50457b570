//! A provider's key is in the request and nowhere else.

use callsheet::model::wire::{Endpoint, Key, Wire};
use callsheet::topology::plan::Dialect;

use super::server::{Framing, framed, serve};
use super::{CANARY, DIALECTS, endpoint, limits, say};

#[test]
fn nothing_that_holds_a_key_shows_it() {
    let endpoint = endpoint(Dialect::OpenAi, "https://api.openai.com/v1".to_owned());
    let shown = format!("{:?} {endpoint:?} {:?}", Key::new(CANARY), Wire::new(limits()).unwrap());
    assert!(!shown.contains(&CANARY[..9]), "{shown}");
}

/// Not even the part of it that stands where a reason is cut off.
#[tokio::test]
async fn no_reason_shows_a_part_of_the_key() {
    let base = serve(|asked| {
        let before: usize = asked.path().split('/').nth(1).unwrap().parse().unwrap();
        let body = format!("{{\"error\":{{\"message\":\"{}{CANARY}\"}}}}", "x".repeat(before));
        let head = ["400 Bad Request", "content-type: application/json"].map(str::to_owned);
        framed(&head, body.as_bytes(), Framing::Length)
    });
    let wire = Wire::new(limits()).unwrap();
    for before in (280..440).step_by(4) {
        let failure = say(&wire, &endpoint(Dialect::OpenAi, format!("{base}/{before}"))).await.unwrap_err();
        assert!(!failure.reason.contains(&CANARY[..5]), "{}", failure.reason);
        assert!(failure.reason.contains("[key]") || before > 300, "{}", failure.reason);
    }
}

/// A server that sends back all that it got: its words are cut, and the key is not among them.
#[tokio::test]
async fn a_server_that_repeats_the_request_does_not_tell_the_key() {
    for (name, dialect) in DIALECTS {
        let base = serve(|asked| {
            let head = ["500 Oh", "content-type: text/plain"].map(str::to_owned);
            framed(&head, asked.head.as_bytes(), Framing::Length)
        });
        let failure = say(&Wire::new(limits()).unwrap(), &endpoint(dialect, base)).await.unwrap_err();
        assert!(failure.reason.contains("[key]"), "{name}: {}", failure.reason);
        assert!(!failure.reason.contains(&CANARY[..9]), "{name}: {}", failure.reason);
    }
}

#[tokio::test]
async fn a_base_url_with_a_password_does_not_tell_it() {
    let cases = ["http://user:hunter22@127.0.0.1:1/v1", "http://127.0.0.1:1/v1?key=hunter22", "htp:/hunter22"];
    for base_url in cases.map(str::to_owned) {
        let endpoint = Endpoint::new(Dialect::Gemini, base_url);
        let failure = say(&Wire::new(limits()).unwrap(), &endpoint).await.unwrap_err();
        assert!(!failure.reason.contains("hunter22"), "{}", failure.reason);
    }
}

//! Servers that give too much, too little, too slowly or nothing: a typed failure each, and never more read than the cap and
//! one piece.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callsheet::failure::{Class, Failure, Usage};
use callsheet::model::wire::{Endpoint, Heard, Key, Limits, Wire};
use callsheet::topology::plan::Dialect;

use super::server::{Framing, Played, Then, framed, greeting, self_signed, serve};
use super::{CANARY, endpoint, limits, prompt, say};

/// What the client reads at once, at most.
const PIECE_BYTES_MAX: u64 = 512 << 10;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const DOCUMENT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";
const ENDED: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// Asks a server that begins with `first` and goes on with `again` until the client goes. Returns what came of it and how
/// many bytes of the body were read.
async fn flooded(limits: Limits, first: &'static str, again: String) -> (Result<Heard, Failure>, u64) {
    let again = again.repeat(64).into_bytes();
    let base = serve(move |_| Played { bytes: first.as_bytes().to_vec(), then: Then::Again(again.clone()) });
    let read = Arc::new(AtomicU64::new(0));
    let wire = Wire::new(limits).unwrap();
    let heard = Arc::clone(&read);
    let pulse = move |bytes| {
        assert!(heard.swap(bytes, Ordering::Relaxed) < bytes, "the pulse counts up");
    };
    let came = wire.say(&endpoint(Dialect::OpenAi, base), "model-1", &prompt(), &pulse).await;
    (came, read.load(Ordering::Relaxed))
}

#[tokio::test]
async fn no_flood_is_read_much_beyond_its_cap() {
    let max = limits();
    let (line, key) = ("x".repeat(1_000), ": keep-alive\n\n".to_owned());
    let floods = [
        (STREAM, key, max.body_bytes_max, "body has more than"),
        (STREAM, WORD.to_owned(), max.body_bytes_max, "body has more than"),
        (STREAM, WORD.replace("0123", &line), max.reply_bytes_max * 2, "reply has more than"),
        (STREAM, format!("data: {line}"), max.event_bytes_max, "event of the stream has more than"),
        (STREAM, line.clone(), max.event_bytes_max, "event of the stream has more than"),
        (STREAM, format!("data: {line}\n"), max.event_bytes_max, "event of the stream has more than"),
        (STREAM, "data:\n".to_owned(), max.body_bytes_max, "event of the stream has more than"),
        (STREAM, "\n\r\n\r".to_owned(), max.body_bytes_max, "body has more than"),
        (DOCUMENT, "[".to_owned(), max.reply_bytes_max, "body has more than"),
        (DOCUMENT, " ".to_owned(), max.reply_bytes_max, "body has more than"),
    ];
    for (head, again, cap, says) in floods {
        let (came, read) = flooded(max.clone(), head, again.clone()).await;
        let failure = came.unwrap_err();
        assert_eq!(failure.class, Class::Invalid, "{again:.40}: {}", failure.reason);
        assert!(failure.reason.contains(says), "{again:.40}: {}", failure.reason);
        assert!(read <= cap + PIECE_BYTES_MAX, "{again:.40}: {read} bytes were read");
    }
}

#[tokio::test]
async fn no_flood_of_heads_or_of_an_error_is_read_for_ever() {
    let heads = [
        ("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\nx-long: ", "x".repeat(1_000)),
        ("", "x".repeat(1_000)),
    ];
    for (first, again) in heads {
        let failure = flooded(limits(), first, again).await.0.unwrap_err();
        assert_eq!(failure.class, Class::Invalid, "{}", failure.reason);
        assert_eq!(failure.usage, None);
    }
    let (came, _) = flooded(limits(), "HTTP/1.1 500 Oh\r\n\r\n", "sorry, ".to_owned()).await;
    let failure = came.unwrap_err();
    assert_eq!((failure.class, failure.usage), (Class::Transient, Some(Usage::NOTHING)));
    assert!(failure.reason.chars().count() < 500, "{}", failure.reason);
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".to_owned();
    let (came, _) = flooded(Limits { first_byte_ms_max: 300, ..limits() }, "", interim).await;
    assert_eq!(came.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_its_cost_is_unknown() {
    let max = Limits { first_byte_ms_max: 200, idle_ms_max: 200, ..limits() };
    let halves = ["", "HTTP/1.1 200 OK\r\n", STREAM, &[STREAM, WORD].concat(), &[STREAM, "data: {\"cho"].concat()];
    for half in halves.map(str::to_owned) {
        let shown = half.clone();
        let base = serve(move |_| Played { bytes: half.clone().into_bytes(), then: Then::Silence });
        let failure = say(&Wire::new(max.clone()).unwrap(), &endpoint(Dialect::OpenAi, base)).await.unwrap_err();
        assert_eq!((failure.class, failure.usage), (Class::Transient, None), "{shown}: {}", failure.reason);
    }
    let bytes = "HTTP/1.1 503 Oh\r\ncontent-length: 9\r\n\r\nhalf".as_bytes().to_vec();
    let base = serve(move |_| Played { bytes: bytes.clone(), then: Then::Silence });
    let failure = say(&Wire::new(max).unwrap(), &endpoint(Dialect::OpenAi, base)).await.unwrap_err();
    assert_eq!((failure.class, failure.usage), (Class::Transient, Some(Usage::NOTHING)));
}

#[tokio::test]
async fn a_whole_reply_does_not_wait_for_the_end_of_its_body() {
    let bytes = [STREAM, WORD, ENDED].concat();
    let base = serve(move |_| Played { bytes: bytes.clone().into_bytes(), then: Then::Silence });
    let max = Limits { tail_ms_max: 20, idle_ms_max: 600_000, ..limits() };
    let heard = say(&Wire::new(max).unwrap(), &endpoint(Dialect::OpenAi, base)).await.unwrap();
    assert_eq!(heard.spoken.text, "0123456789abcdef");
}

#[tokio::test]
async fn one_call_is_one_request_and_redirects_and_failures_are_not_asked_again() {
    let answers = [
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 50\r\n\r\ndata: ",
        "",
    ];
    for answer in answers {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let base = serve(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Played { bytes: answer.as_bytes().to_vec(), then: Then::Close }
        });
        say(&Wire::new(limits()).unwrap(), &endpoint(Dialect::OpenAi, base)).await.unwrap_err();
        assert_eq!(count.load(Ordering::Relaxed), 1, "{answer}");
    }
}

#[tokio::test]
async fn cookies_are_not_kept_and_connections_are() {
    let (ports, cookies) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicUsize::new(0)));
    let (seen, sent) = (Arc::clone(&ports), Arc::clone(&cookies));
    let base = serve(move |asked| {
        seen.lock().unwrap().insert(asked.port);
        sent.fetch_add(usize::from(asked.head.to_ascii_lowercase().contains("cookie")), Ordering::Relaxed);
        let head = ["200 OK", "content-type: text/event-stream", "set-cookie: a=b"].map(str::to_owned);
        framed(&head, [WORD, ENDED].concat().as_bytes(), Framing::Chunk)
    });
    let wire = Wire::new(limits()).unwrap();
    for _ in 0..3 {
        say(&wire, &endpoint(Dialect::OpenAi, base.clone())).await.unwrap();
    }
    assert_eq!((ports.lock().unwrap().len(), cookies.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_reached_has_cost_nothing() {
    let wire = Wire::new(limits()).unwrap();
    let plain = serve(|_| Played { bytes: b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), then: Then::Close });
    let unspeakable = Endpoint { key: Some(Key::new("sk-can\nary")), ..endpoint(Dialect::OpenAi, plain.clone()) };
    let cases = [
        ("http://127.0.0.1:1/v1", Class::Transient, "no connection"),
        ("nonsense", Class::Permanent, "base URL"),
        ("", Class::Permanent, "base URL"),
        ("ftp://127.0.0.1/v1", Class::Permanent, "neither http nor https"),
        ("file:///etc/passwd", Class::Permanent, "neither http nor https"),
    ];
    for (base, class, says) in cases {
        let failure = say(&wire, &endpoint(Dialect::OpenAi, base.to_owned())).await.unwrap_err();
        assert_eq!((failure.class, failure.usage), (class, Some(Usage::NOTHING)), "{base}: {}", failure.reason);
        assert!(failure.reason.contains(says), "{base}: {}", failure.reason);
    }
    let failure = say(&wire, &unspeakable).await.unwrap_err();
    assert_eq!((failure.class, failure.usage), (Class::Permanent, Some(Usage::NOTHING)));
    assert!(failure.reason.contains("characters that no header carries"), "{}", failure.reason);
    assert!(!format!("{failure:?}").contains(CANARY));
}

/// Statuses of an error that came late: whether a model may have worked on the request, so that it counts as spent.
const LATE: [(u16, bool); 17] = [
    (400, false),
    (401, false),
    (408, true),
    (409, false),
    (429, false),
    (500, true),
    (501, false),
    (502, true),
    (503, false),
    (504, true),
    (505, false),
    (520, true),
    (521, false),
    (522, false),
    (523, false),
    (524, true),
    (529, false),
];

#[tokio::test]
async fn an_error_that_came_late_may_be_billed_and_one_that_came_at_once_is_not() {
    for (status, is_billed) in LATE {
        let base = serve(move |_| framed(&[format!("{status} Oh")], b"{}", Framing::Length));
        for (unpaid_ms_max, is_lost) in [(0, is_billed), (20_000, false)] {
            let wire = Wire::new(Limits { unpaid_ms_max, ..limits() }).unwrap();
            let failure = say(&wire, &endpoint(Dialect::OpenAi, base.clone())).await.unwrap_err();
            let usage = if is_lost { None } else { Some(Usage::NOTHING) };
            assert_eq!(
                (failure.lost, failure.usage),
                (is_lost, usage),
                "{status}, {unpaid_ms_max}: {}",
                failure.reason
            );
            assert_eq!(failure.reason.contains("counts as spent"), is_lost, "{}", failure.reason);
        }
    }
}

/// Words by which a server says that a request is too long are no failure of a model at work, whenever they come.
#[tokio::test]
async fn what_is_told_of_the_request_itself_is_never_billed() {
    let body = br#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#;
    let base = serve(move |_| framed(&["500 Oh".to_owned()], body, Framing::Length));
    let wire = Wire::new(Limits { unpaid_ms_max: 0, ..limits() }).unwrap();
    let failure = say(&wire, &endpoint(Dialect::OpenAi, base)).await.unwrap_err();
    assert_eq!((failure.class, failure.usage, failure.lost), (Class::Permanent, Some(Usage::NOTHING), false));
}

/// A server that takes the connection and never begins with TLS.
#[tokio::test]
async fn a_connection_that_does_not_come_about_has_cost_nothing() {
    let silent = serve(|_| Played { bytes: Vec::new(), then: Then::Silence }).replace("http:", "https:");
    let wire = Wire::new(Limits { connect_ms_max: 200, ..limits() }).unwrap();
    let failure = say(&wire, &endpoint(Dialect::OpenAi, silent)).await.unwrap_err();
    assert_eq!((failure.class, failure.usage), (Class::Transient, Some(Usage::NOTHING)), "{}", failure.reason);
    assert!(failure.reason.contains("no connection in time"), "{}", failure.reason);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_told_and_not_asked_again() {
    let wire = Wire::new(limits()).unwrap();
    for base in [greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n"), self_signed()] {
        let base = base.replace("http:", "https:");
        let failure = say(&wire, &endpoint(Dialect::OpenAi, base)).await.unwrap_err();
        assert_eq!((failure.class, failure.usage), (Class::Permanent, Some(Usage::NOTHING)), "{}", failure.reason);
        assert!(failure.reason.contains("TLS"), "{}", failure.reason);
    }
}

//! Clients that are slow, or never read: they cost others nothing. Nothing is timed: that somebody else is answered is
//! the proof.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::Stage;
use super::server::{Events, Request};

/// Connections of each slow kind.
const SLOW: usize = 40;

/// Browsers that hear of a run.
const EVENT_CLIENTS: usize = 200;

/// Says the first half of a request, and the rest later.
struct Dripping {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Dripping {
    fn begins(stage: &Stage, request: &Request, at: usize) -> Self {
        let bytes = request.clone().with("connection", "close").bytes();
        let (begun, rest) = bytes.split_at(at);
        let mut stream = stage.server.connect();
        stream.write_all(begun).unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    /// Goes on byte by byte, and gives the first line of the answer.
    fn ends(mut self) -> String {
        self.stream.set_nodelay(true).unwrap();
        for byte in &self.rest {
            self.stream.write_all(&[*byte]).unwrap();
        }
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

/// Asks for pages on one connection and never reads one, until the server takes no more of it.
fn unread(stage: &Stage) -> TcpStream {
    let mut stream = stage.server.connect();
    stream.set_nonblocking(true).unwrap();
    let request = stage.page("/runs/1").bytes();
    while stream.write(&request).is_ok() {}
    stream
}

#[test]
fn whoever_is_slow_or_never_reads_keeps_nobody_waiting() {
    let stage = Stage::new();
    let (page, post) = (stage.page("/runs/1"), stage.decides());
    let head = post.bytes().len() - post.body.len();
    let headers: Vec<Dripping> = (0..SLOW).map(|nth| Dripping::begins(&stage, &page, 1 + nth)).collect();
    let bodies: Vec<Dripping> = (0..SLOW).map(|nth| Dripping::begins(&stage, &post, head + nth)).collect();
    let gone = unread(&stage);
    assert_eq!(stage.server.starts("announcement"), 2);
    let mut clients: Vec<Events> = (0..EVENT_CLIENTS).map(|_| stage.server.listens(2, 0)).collect();
    // One of them never reads; the others hear all there is, and somebody else is answered.
    for client in &mut clients[1..] {
        assert!(client.until("approval 2 is waiting"));
    }
    let fields = [("decision", "approve"), ("binds", stage.binds.as_str())];
    assert_eq!(stage.server.sends(&stage.form("/approvals/1/decide", &fields)).status, 303);
    assert_eq!(stage.server.sends(&page).status, 200);
    let told = stage.server.get("/api/runs/2/records").as_array().unwrap().len() as u64;
    let heard: Vec<u64> = clients[1].heard.clone();
    assert!(clients[1..].iter().all(|client| client.heard == heard), "two clients heard different records");
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    assert!(heard.len() as u64 <= told);
    // Whoever came slowly is answered in the end.
    assert!(headers.into_iter().all(|client| client.ends() == "HTTP/1.1 200 OK"));
    assert!(bodies.into_iter().all(|client| client.ends().starts_with("HTTP/1.1 422")));
    drop(gone);
}

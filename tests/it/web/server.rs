//! The real server in a process of its own, and a client of a few lines: what it sends is written byte by byte as a test
//! says, so that it can be as wrong as it likes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::cli::Project;
use crate::support::NEVER;

/// Whoever may do things in these projects.
const PEOPLE: &str = "\n[people.ana]\ngroups = []\n[people.ben]\ngroups = []\n";

/// A server, until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    /// What the link of `ana` carries.
    pub(super) token: String,
}

/// A new project of two people, with one campaign.
pub(super) fn project() -> Project {
    let project = Project::empty();
    let (code, told) = project.types("init --template minimal");
    assert_eq!(code, 0, "{told}");
    let file = project.path("callsheet.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text + PEOPLE).unwrap();
    project
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Starts `command`, which is `callsheet` in some project, at `port`; 0 is any that is free.
    pub(super) fn start(mut command: Command, port: u16) -> Self {
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).env("CALLSHEET_PERSON", "ana");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let link = lines.find(|line| line.contains("/enter#"));
        let link = link.unwrap_or_else(|| panic!("no link: {:?}", child.wait()));
        let (place, token) = link.split_once("/enter#").unwrap();
        let port = place.rsplit_once(':').unwrap().1.parse().unwrap();
        Self { child, port, token: token.trim().to_owned() }
    }

    /// As `kill -9` does.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A request as a program of `ana` makes it.
    pub(super) fn asks(&self, method: &str, path: &str) -> Request {
        let request = Request::new(method, path).with("host", &format!("127.0.0.1:{}", self.port));
        request.with("authorization", &format!("Bearer {}", self.token))
    }

    /// What a program of `ana` is answered.
    pub(super) fn get(&self, path: &str) -> Value {
        let answer = self.sends(&self.asks("GET", path));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// What a program of `ana` is answered when it posts `value`.
    pub(super) fn posts(&self, path: &str, value: &Value) -> Answer {
        self.sends(&self.asks("POST", path).json(value))
    }

    /// Starts a run and gives its number.
    pub(super) fn starts(&self, topology: &str) -> u64 {
        let answer = self.posts("/api/runs", &json!({ "topology": topology }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice::<Value>(&answer.body).unwrap()["run"].as_u64().unwrap()
    }

    /// Sends it, and hears the whole answer.
    pub(super) fn sends(&self, request: &Request) -> Answer {
        self.says(&request.clone().with("connection", "close").bytes())
    }

    /// Sends these bytes, and hears until the server closes.
    pub(super) fn says(&self, bytes: &[u8]) -> Answer {
        Self::says_on(self.connect(), bytes)
    }

    /// Sends it from another address of this machine.
    pub(super) fn sends_from(&self, address: &str, request: &Request) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            socket.connect(([127, 0, 0, 1], self.port).into()).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(NEVER)).unwrap();
        Self::says_on(stream, &request.clone().with("connection", "close").bytes())
    }

    fn says_on(mut stream: TcpStream, bytes: &[u8]) -> Answer {
        // A server that has heard enough may close before it has heard all.
        let _ = stream.write_all(bytes);
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(bytes @ 1..) = stream.read(&mut piece) {
            answer.extend(&piece[..bytes]);
            // A stream of events is an answer as soon as it begins.
            if Answer::of(&answer).header("content-type") == Some("text/event-stream") {
                break;
            }
        }
        Answer::of(&answer)
    }

    /// A connection on which nothing was said yet.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(NEVER)).unwrap();
        stream
    }

    pub(super) fn changes(&self) -> Changes {
        let mut stream = self.connect();
        stream.write_all(&self.asks("GET", "/events").streamed()).unwrap();
        Changes(BufReader::new(stream))
    }

    /// The records of `run` as they come, from the one after `last` on.
    pub(super) fn listens(&self, run: u64, last: u64) -> Events {
        let request = self.asks("GET", &format!("/api/runs/{run}/events")).with("last-event-id", &last.to_string());
        let mut stream = self.connect();
        stream.write_all(&request.streamed()).unwrap();
        Events { lines: BufReader::new(stream), heard: Vec::new() }
    }
}

/// A request, header by header.
#[derive(Clone)]
pub(super) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// With this header, and no other of its name.
    pub(super) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With one more header.
    pub(super) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn method(self, method: &str) -> Self {
        Self { method: method.to_owned(), ..self }
    }

    pub(super) fn path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// With a form of these fields.
    pub(super) fn form(self, fields: &[(&str, &str)]) -> Self {
        let coded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", coded(value))).collect();
        self.with("content-type", "application/x-www-form-urlencoded").says(pairs.join("&").as_bytes())
    }

    pub(super) fn json(self, value: &Value) -> Self {
        self.with("content-type", "application/json").says(value.to_string().as_bytes())
    }

    /// With these bytes as its body.
    pub(super) fn says(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }.with("content-length", &body.len().to_string())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.written("1.1")
    }

    /// In the older version, in which nothing stands between the pieces of an answer that goes on.
    pub(super) fn streamed(&self) -> Vec<u8> {
        self.written("1.0")
    }

    fn written(&self, version: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/{version}\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: ").bytes());
            // One byte a character, so that a header can have bytes that are no text.
            bytes.extend(value.chars().map(|c| c as u8));
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// What came back; status 0 is a connection that was closed without a word.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let ends = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..ends]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head, body: bytes.get(ends + 4..).unwrap_or_default().to_vec() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// All of it.
    pub(super) fn whole(&self) -> String {
        format!("{}\n\n{}", self.head, self.text())
    }
}

/// Hears whenever something is written to the journal.
pub(super) struct Changes(BufReader<TcpStream>);

impl Changes {
    /// Asks `done` now, and again after each change, until it is so.
    pub(super) fn until(&mut self, what: &str, done: impl Fn() -> bool) {
        while !done() {
            let mut line = String::new();
            while !line.starts_with("event:") {
                line.clear();
                assert!(self.0.read_line(&mut line).is_ok_and(|bytes| bytes > 0), "{what}: the server says no more");
            }
        }
    }
}

/// Events of a run, as a browser hears them.
pub(super) struct Events {
    lines: BufReader<TcpStream>,
    /// The numbers of the records so far.
    pub(super) heard: Vec<u64>,
}

impl Events {
    /// Waits for a record whose JSON has `word` in it; false if the stream ended before. A record counts once all of it
    /// is there, as it does for a browser.
    pub(super) fn until(&mut self, word: &str) -> bool {
        let (mut line, mut id, mut is_it) = (String::new(), None::<u64>, false);
        while self.lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            match line.trim_end().split_once(": ") {
                Some(("id", no)) => id = no.parse().ok(),
                Some(("data", json)) => is_it = json.contains(word),
                None if line == "\n" => {
                    self.heard.extend(id.take());
                    if is_it {
                        return true;
                    }
                }
                _ => {}
            }
            line.clear();
        }
        false
    }
}

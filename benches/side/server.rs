//! The model server of the benches, in a process of its own: it answers each agent of the campaign with the reply that its
//! turn calls for, at once or after a while, and tells what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server that runs, and where.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
}

impl Server {
    /// Starts this program again as the server.
    pub(crate) fn new(latency_ms: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let mut child = child.args(["serve", &latency_ms.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let base = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        Self { child, base }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the server was last asked at each step of the campaign.
type Heard = Arc<Mutex<BTreeMap<usize, String>>>;

/// The server: says where it is, and serves until it is ended.
pub(crate) async fn serve(latency: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(stream, latency, Arc::clone(&heard)));
    }
}

async fn connection(mut stream: TcpStream, latency: Duration, heard: Heard) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    while let Some((head, body)) = request(&mut stream, &mut bytes).await {
        let answer = if head.starts_with("GET") {
            json!(heard.lock().unwrap().values().collect::<Vec<_>>()).to_string()
        } else {
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            match launch(&body) {
                Some((outcome, writes)) => stream_of(outcome, &writes),
                None => {
                    let step = Step::of(&body);
                    heard.lock().unwrap().entry(step.nth).or_insert(body);
                    step.reply()
                }
            }
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request of a connection, with its body; `bytes` is what came of the one after it.
async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let body_end = end + 4 + length.unwrap_or(0);
            if bytes.len() >= body_end {
                let body = String::from_utf8(bytes[end + 4..body_end].to_vec()).unwrap();
                bytes.drain(..body_end);
                return Some((head, body));
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A reply, by what it answers.
struct Step {
    nth: usize,
    outcome: &'static str,
    artefact: &'static str,
    text: &'static str,
}

const WORDS: &str = "The campaign opens on the customer's own words, keeps one claim to a paragraph, names the source of each \
                     figure and closes on a single next step. The tone is plain, and there is room for local dates.";

/// Whom a request is to.
fn agent(request: &str) -> &str {
    request.split("In it you are `").nth(1).and_then(|rest| rest.split('`').next()).unwrap()
}

/// Channels of the launch; one of them is written twice.
pub(crate) const CHANNELS: usize = 8;

/// What an agent of the shipped `launch` says: its outcome, and what it writes.
fn launch(request: &str) -> Option<(&'static str, Value)> {
    let post = |text: &str| json!({ "channel": "short_post", "title": "Ferns", "text": format!("{text} {WORDS}") });
    let review = |verdict: &str, points: Value| json!({ "review": { "verdict": verdict, "summary": "Read.", "points": points } });
    Some(match agent(request) {
        "planner" => {
            let channel = |nth| {
                let purpose = if nth == 2 { "Never twice the same." } else { "One click." };
                json!({ "name": "short_post", "purpose": purpose, "length_max": 900 })
            };
            let channels: Vec<Value> = (0..CHANNELS).map(channel).collect();
            let plan =
                json!({ "title": "Ferns", "lead": WORDS, "points": [WORDS], "link": null, "channels": channels });
            ("planned", json!({ "plan": plan }))
        }
        // Only the branch that was sent back has a review on its desk.
        "writer" if request.contains("Say it in other words.") => ("written", json!({ "post": post("Second draft:") })),
        "writer" => ("written", json!({ "post": post("First draft:") })),
        "critic" if !request.contains("length_max") => return None,
        "critic" if request.contains("Never twice the same.") && !request.contains("Second draft:") => {
            let point = json!({ "at": "/text", "what": "It is dull.", "instead": "Say it in other words." });
            ("revise", review("revise", json!([point])))
        }
        "critic" => ("pass", review("pass", json!([]))),
        "editor" => {
            let posts: Vec<Value> = (0..CHANNELS).map(|_| post("Edited:")).collect();
            ("edited", json!({ "issue": { "said": WORDS, "posts": posts } }))
        }
        "setter" => ("social", json!({ "page": { "versions": [post("Set:")] } })),
        _ => return None,
    })
}

impl Step {
    fn of(request: &str) -> Self {
        let agent = agent(request);
        let (nth, outcome, artefact, text) = match agent {
            "researcher" => (0, "researched", "facts", "Facts:"),
            "drafter" if request.contains("To be revised:") => (3, "drafted", "draft", "Second draft:"),
            "drafter" => (1, "drafted", "draft", "First draft:"),
            "critic" if request.contains("Second draft:") => (4, "pass", "verdict", "Good:"),
            "critic" => (2, "revise", "verdict", "To be revised:"),
            // Word for word the same would be sent back to whoever says it.
            _ if request.contains("Back:") => (5, "again", "ball", "Forth:"),
            _ => (5, "again", "ball", "Back:"),
        };
        Self { nth, outcome, artefact, text }
    }

    /// The stream of the reply.
    fn reply(&self) -> String {
        stream_of(self.outcome, &json!({ self.artefact: { "text": format!("{} {WORDS}", self.text) } }))
    }
}

fn stream_of(outcome: &str, writes: &Value) -> String {
    let answer = json!({ "outcome": outcome, "note": "Done.", "writes": writes }).to_string();
    let function = json!({ "name": "end_turn", "arguments": answer });
    let call = json!({ "index": 0, "id": "call", "type": "function", "function": function });
    let events = [
        json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
        json!({ "choices": [], "usage": { "prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440 } }),
    ];
    events.iter().map(|event| format!("data: {event}\n\n")).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

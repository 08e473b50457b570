//! The real process dies by SIGKILL while a model is answering: before the first byte, in the middle of the stream, and
//! while an answer that was refused is asked for again. The server says when. What is paid twice is that one call at most.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use callsheet::failure::Class;
use callsheet::id::{NanoUsd, thousands};
use callsheet::journal::sqlite::Open;
use callsheet::run::event::{Amount, Event, Fact, Settled, Wish};
use callsheet::run::state::Status;
use serde_json::{Value, json};

use crate::announcement::project;
use crate::replies::{Read, end, played, stream};
use crate::support::{NEVER, facts};
use crate::sweep::{Chance, End, Owned, Project, words};
use crate::wire::server::{listening, read};

/// More than a client's and a server's system keep of what nobody reads: once it is written, the client has read some.
const UNREAD_BYTES_MAX: usize = 16 << 20;

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The request is sent, and nothing came back.
    Call,
    /// Headers and a part of the stream came.
    Stream,
    /// The first answer was refused; it is asked again.
    ReAsk,
}

/// What a server heard, and what it does about the call that is to be lost.
struct Provider {
    at: At,
    requests: Mutex<Vec<String>>,
    /// Told when the process is to die.
    now: SyncSender<()>,
}

/// What every whole answer is said to have used.
const USED: (u64, u64) = (40, 10);

impl Provider {
    fn serve(at: At) -> (Arc<Self>, Receiver<()>, String) {
        let (now, told) = sync_channel(1);
        let provider = Arc::new(Self { at, requests: Mutex::default(), now });
        let server = Arc::clone(&provider);
        let base = listening(move |stream| server.hear(stream));
        (provider, told, format!("{base}/v1"))
    }

    fn hear(&self, mut stream: TcpStream) {
        while let Some(asked) = read(&mut stream) {
            let nth = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(asked.body.clone());
                requests.len()
            };
            assert_eq!(Read::of(&asked).agent, "writer");
            let lost = if self.at == At::ReAsk { 2 } else { 1 };
            if nth == lost {
                return self.hold(&mut stream);
            }
            let fits =
                json!({ "versions": [{ "channel": "short_post", "title": "Come", "text": "Come to the seed swap." }] });
            let is_refused = nth < lost;
            let post = if is_refused { json!({ "versions": "soon" }) } else { fits };
            let bytes = played(&[end("drafted", &json!({ "post": post }))], Some(USED)).bytes;
            // Whoever asked may be gone.
            let _ = stream.write_all(&bytes);
        }
    }

    /// Answers as far as it goes, says so, and waits for the process to be gone.
    fn hold(&self, connection: &mut TcpStream) {
        if self.at == At::Stream {
            let reply = stream(&[end("drafted", &Value::Null)], Some(USED));
            let (begun, _) = reply.split_at(reply.rfind("finish_reason").unwrap());
            let pad = format!(": {}\n\n", "x".repeat(4_000)).repeat(UNREAD_BYTES_MAX / 4_000);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            connection.write_all(format!("{head}{pad}{begun}").as_bytes()).unwrap();
        }
        self.now.send(()).unwrap();
        // It ends when the client is gone.
        while matches!(connection.read(&mut [0; 1024]), Ok(1..)) {}
    }
}

/// The small team with a priced model at `base_url`.
fn priced(base_url: &str) -> Owned {
    let tables = format!(
        "\n[models.providers.local]\ndialect = \"openai\"\nbase_url = {base_url:?}\n\n[models.prices.\"local/model\"]\n\
         input_usd_per_million = 3.00\noutput_usd_per_million = 15.00\ndated = \"2026-11-01\"\n"
    );
    project("local/model", &tables)
}

/// Starts the campaign and kills it when the server says so.
fn killed(project: &Project, told: &Receiver<()>) {
    let mut command = project.command(&words(&["run", "announcement"]), None);
    let mut child: Child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    told.recv_timeout(NEVER).unwrap();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
}

/// What a command prints.
fn printed(project: &Project, act: &[&str]) -> String {
    let output = project.command(&words(act), None).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{act:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the journal says of model calls: the reservations of the lost ones, and what the answered ones used.
fn calls(facts: &[Fact]) -> (Vec<Amount>, Vec<Amount>) {
    let (mut lost, mut answered, mut reserved) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    for fact in facts {
        match &fact.is {
            Event::EffectAsked { id, wish: Wish::Model { .. }, reserved: amount, .. }
            | Event::RetryPlanned { id, reserved: amount, .. } => {
                reserved.insert(*id, *amount);
            }
            Event::EffectFailed { id, class, spent, last, .. } => {
                assert_eq!((*class, *last, *spent), (Class::InDoubt, false, reserved[id]), "paid at its maximum");
                lost.push(*spent);
            }
            Event::EffectSettled { result: Settled::Replied(replied), spent, .. } => {
                assert!(!replied.over_reported);
                answered.push(*spent);
            }
            _ => {}
        }
    }
    (lost, answered)
}

fn check(at: At) {
    let (provider, told, base_url) = Provider::serve(at);
    let project = priced(&base_url);
    killed(&project, &told);
    let (_, state) = project.state().unwrap();
    assert_eq!(state.status(), Status::Running, "{at:?}");
    let mut chance = Chance::of("a model that is answering");
    while let Some(act) = project.next(&mut chance) {
        assert!(matches!(project.callsheet(&act, None), End::Code(0 | 3)), "{at:?}: {act:?}");
    }
    let (row, state) = project.state().unwrap();
    assert_eq!(state.status().word(), "done", "{at:?}");

    // One request was answered by nobody; each of the others is an answer, and nothing was asked for once more.
    let requests = provider.requests.lock().unwrap();
    let answers = if at == At::ReAsk { 2 } else { 1 };
    assert_eq!(requests.len(), answers + 1, "{at:?}");
    if at == At::ReAsk {
        let body = |nth: usize| -> Value { serde_json::from_str(&requests[nth]).unwrap() };
        assert_eq!(body(1), body(2), "what was refused is not forgotten");
        assert!(requests[1].contains("is not of type"), "the second request says why: {}", requests[1]);
    }
    let facts = facts(&project.store(Open::ReadOnly), row.id);
    let (lost, answered) = calls(&facts);
    assert_eq!((lost.len(), answered.len()), (1, answers), "{at:?}");
    // Three dollars a million in and fifteen out, in billionths.
    let (tokens, cost) = (USED.0 + USED.1, NanoUsd(USED.0 * 3_000 + USED.1 * 15_000));
    assert!(answered.iter().all(|spent| (spent.tokens, spent.cost) == (tokens, cost)), "{at:?}: {answered:?}");
    let all = answered.iter().fold(lost[0], |all, one| all.plus(*one));
    let (spent, reserved) = (state.ledger.spent, state.ledger.reserved);
    assert_eq!((spent.tokens, spent.cost, reserved), (all.tokens, all.cost, Amount::default()), "{at:?}");

    let words = format!(
        "nobody heard what 1 model call came to; what was set aside for it counts as spent: {} tokens, {}",
        thousands(lost[0].tokens),
        lost[0].cost
    );
    let shown = printed(&project, &["show", "1"]);
    assert!(shown.contains(&format!("in doubt: {words}")), "{at:?}: {shown}");
    let told = printed(&project, &["messages", "1"]);
    assert!(told.lines().any(|line| line.contains("in_doubt") && line.contains(&words)), "{at:?}: {told}");
}

#[test]
fn killed_while_a_model_answers_it_pays_for_that_call_and_goes_on() {
    for at in [At::Call, At::Stream, At::ReAsk] {
        check(at);
    }
}

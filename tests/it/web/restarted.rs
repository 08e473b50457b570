//! The server dies by SIGKILL while its runs wait for a person, for the first byte of a model, and in the middle of its
//! answer. Started again, once or twice over the same journal, it goes on with each run once; whoever listened hears
//! every record once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::{Value, json};

use super::server::{Events, Server};
use crate::announcement::project;
use crate::replies::{end, played, stream};
use crate::sweep::{Owned, words};
use crate::wire::server::{listening, read};

const RUNS: usize = 20;

/// Of three runs, one gets its answer before the server dies.
const WAITING: usize = RUNS / 3;

/// What stands for a model, and how many calls it heard.
struct Provider {
    calls: AtomicUsize,
    /// Told of each call.
    heard: SyncSender<usize>,
}

impl Provider {
    fn hear(&self, mut connection: TcpStream) {
        while let Some(_asked) = read(&mut connection) {
            let nth = 1 + self.calls.fetch_add(1, Ordering::SeqCst);
            let post =
                json!({ "versions": [{ "channel": "short_post", "title": "Come", "text": "Come to the seed swap." }] });
            let calls = [end("drafted", &json!({ "post": post }))];
            let lost = nth <= RUNS && !nth.is_multiple_of(3);
            if lost && nth % 3 == 1 {
                let begun = stream(&calls, None);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
                connection.write_all(format!("{head}{}", &begun[..begun.len() / 2]).as_bytes()).unwrap();
            }
            // Nobody may be there any more to be told, or to read.
            let _ = self.heard.send(nth);
            if lost {
                while matches!(connection.read(&mut [0; 1024]), Ok(1..)) {}
                return;
            }
            let _ = connection.write_all(&played(&calls, Some((40, 10))).bytes);
        }
    }
}

/// The open approvals of a server, with what each binds.
fn open(server: &Server) -> Vec<(u64, String)> {
    let open = server.get("/api/approvals");
    let one = |asked: &Value| (asked["approval"].as_u64().unwrap(), asked["binds"].as_str().unwrap().to_owned());
    open.as_array().unwrap().iter().map(one).collect()
}

/// Types a command over the running server, and expects that it is done.
fn types(project: &Owned, line: &[&str]) -> String {
    let mut command = project.command(&words(line), None);
    let output = command.env("CALLSHEET_PERSON", "ana").stdin(Stdio::null()).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(output.status.code(), Some(0), "{line:?}: {told}");
    told
}

fn check(servers: usize) {
    let (heard, calls) = sync_channel(1_000);
    let provider = std::sync::Arc::new(Provider { calls: AtomicUsize::new(0), heard });
    let told = std::sync::Arc::clone(&provider);
    let base = listening(move |connection| told.hear(connection));
    let tables = format!(
        "\n[models.providers.local]\ndialect = \"openai\"\nbase_url = \"{base}/v1\"\n\n[models.prices.\"local/model\"]\n\
         input_usd_per_million = 3.00\noutput_usd_per_million = 15.00\ndated = \"2026-11-01\"\n"
    );
    let project = project("local/model", &tables);
    let mut first = Server::start(project.command(&[], None), 0);
    let runs: Vec<u64> = (0..RUNS).map(|_| first.starts("announcement")).collect();
    let mut browsers: Vec<Events> = runs.iter().map(|run| first.listens(*run, 0)).collect();
    for _ in 0..RUNS {
        calls.recv_timeout(crate::support::NEVER).unwrap();
    }
    first.changes().until("what is answered waits", || open(&first).len() == WAITING);
    first.kill();
    for browser in &mut browsers {
        assert!(!browser.until("no record says this"), "the stream of a server that is gone goes on");
    }
    let again: Vec<Server> = (0..servers)
        .map(|nth| Server::start(project.command(&[], None), if nth == 0 { first.port } else { 0 }))
        .collect();
    again[0].changes().until("all wait", || open(&again[0]).len() == RUNS);
    // What was under way is asked once more, and by one of the servers only.
    assert_eq!(provider.calls.load(Ordering::SeqCst), RUNS + RUNS - WAITING, "with {servers} servers");
    let mut browsers: Vec<Events> = runs
        .iter()
        .zip(browsers)
        .map(|(run, before)| {
            let mut now = again[0].listens(*run, before.heard.last().copied().unwrap_or(0));
            now.heard = before.heard;
            now
        })
        .collect();
    for (nth, (approval, binds)) in open(&again[0]).into_iter().enumerate() {
        if nth.is_multiple_of(3) {
            let told = types(&project, &["approve", &approval.to_string()]);
            assert!(told.contains("approve"), "{told}");
        } else {
            let sent = json!({ "decision": "approve", "binds": binds });
            let answer = again[nth % servers].posts(&format!("/api/approvals/{approval}/decide"), &sent);
            assert_eq!(answer.status, 200, "{}", answer.whole());
        }
    }
    for (run, browser) in runs.iter().zip(&mut browsers) {
        assert!(browser.until("\"ended\":{"), "run {run}");
        let all = again[0].get(&format!("/api/runs/{run}/records")).as_array().unwrap().len() as u64;
        assert_eq!(browser.heard, (1..=all).collect::<Vec<_>>(), "run {run}: what its browser heard");
        assert_eq!(again[0].get(&format!("/api/runs/{run}"))["status"], json!("done"), "run {run}");
    }
    assert_eq!(types(&project, &["runs"]).matches("done").count(), RUNS);
    assert!(types(&project, &["show", &runs[0].to_string()]).contains("done"));
    println!(
        "web: {RUNS} runs, killed while {WAITING} wait and the others are asked, go on once under {servers} servers"
    );
}

#[test]
fn killed_it_goes_on_with_every_run_and_every_browser_hears_the_rest() {
    check(1);
}

#[test]
fn two_servers_on_one_journal_never_own_a_run_twice() {
    check(2);
}

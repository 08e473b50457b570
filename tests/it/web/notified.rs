//! People are told of what waits for them, by a real server of HTTP, which takes notices, refuses them, hangs, is
//! not there or leads elsewhere: once each, across restarts and beside other servers; and whatever becomes of it,
//! runs go on.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::server::{Server, project};
use crate::cli::Project;
use crate::support::NEVER;
use crate::wire::server::{Asked, Framing, Played, Then, framed, listening, serve, serve_at};

const KEY: &str = "a key of the tests";

fn answers(status: &str, head: &[String]) -> Played {
    framed(&[&[status.to_owned()], head].concat(), b"", Framing::Close)
}

fn takes() -> Played {
    answers("204 No Content", &[])
}

/// A server that answers so, and what it hears.
fn hears(answer: impl Fn() -> Played + Send + Sync + 'static) -> (String, Receiver<Asked>) {
    let (tells, heard) = channel();
    let at = serve(move |asked| {
        let played = answer();
        // The test may have heard enough.
        let _ = tells.send(asked.clone());
        played
    });
    (at, heard)
}

/// What a server hears next.
fn next(heard: &Receiver<Asked>) -> Value {
    serde_json::from_str(&heard.recv_timeout(NEVER).unwrap().body).unwrap()
}

/// A project that tells these channels, by name.
fn telling(channels: &str) -> Project {
    let project = project();
    let file = project.path("callsheet.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let notify = format!(
        "\n[notify]\nlink = \"https://page.example\"\nprivate_hosts = [\"127.0.0.1\"]\n\n[notify.channels]\n{channels}\n"
    );
    std::fs::write(file, text + &notify).unwrap();
    project
}

const HOOK: &str = "ops = { kind = \"webhook\", url_env = \"HOOK\", key_env = \"HOOK_KEY\" }";

/// The program in a project, with the secrets that it names.
fn command(project: &Project, hook: &str) -> Command {
    let mut command = project.command();
    command.env("HOOK", format!("{hook}/in")).env("HOOK_KEY", KEY);
    command
}

/// What `doctor` says there.
fn doctor(project: &Project, hook: &str) -> String {
    let output = command(project, hook).args(["doctor", "--offline"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Asks `doctor` until it says `word`: what became of a notice is noted after its answer has come.
fn diagnosed(project: &Project, hook: &str, word: &str) {
    let begun = std::time::Instant::now();
    let mut told = doctor(project, hook);
    while !told.contains(word) {
        assert!(begun.elapsed() < NEVER, "doctor does not say {word:?}: {told}");
        told = doctor(project, hook);
    }
}

/// Waits until so many of the notices that a channel took are noted, as far as what they tell of waits.
pub(super) fn noted(project: &Project, channel: &str, count: usize) {
    let begun = std::time::Instant::now();
    let told = || {
        let text = std::fs::read_to_string(project.path(&format!(".callsheet/notify/{channel}.json"))).ok()?;
        serde_json::from_str::<Value>(&text).ok()?["told"].as_array().map(Vec::len)
    };
    while told() != Some(count) {
        assert!(begun.elapsed() < NEVER, "{channel} has {:?} noted, and not {count}", told());
    }
}

/// The JSON of a notice, if its signature is that of its bytes.
fn signed(asked: &Asked) -> Value {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(&asked.bytes);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(asked.head.to_lowercase().contains(&format!("x-callsheet-signature: sha256={hex}")), "{}", asked.head);
    assert_eq!(asked.path(), "/in");
    serde_json::from_str(&asked.body).unwrap()
}

fn approves(server: &Server, approval: u64) {
    let path = format!("/api/approvals/{approval}");
    let sent = json!({ "decision": "approve", "binds": server.get(&path)["binds"] });
    let answer = server.posts(&format!("{path}/decide"), &sent);
    assert_eq!(answer.status, 200, "{}", answer.whole());
}

#[test]
fn what_waits_is_told_once_with_a_link_and_a_restart_repeats_nothing() {
    let ((hook, heard), (chat, said)) = (hears(takes), hears(takes));
    let project = telling(&format!("{HOOK}\nteam = {{ kind = \"slack\", url_env = \"CHAT\" }}"));
    let with = || {
        let mut command = command(&project, &hook);
        command.env("CHAT", format!("{chat}/services/secret"));
        command
    };
    let mut server = Server::start(with(), 0);
    assert_eq!(server.starts("announcement"), 1);
    let mut told = signed(&heard.recv_timeout(NEVER).unwrap());
    assert!(told.as_object_mut().unwrap().remove("id").is_some());
    let text = "Approval 1 of announcement (run 1) waits for somebody";
    let link = "https://page.example/approvals/1";
    let wanted = json!({
        "text": text, "link": link, "run": 1, "topology": "announcement",
        "what": "approval", "no": 1, "reminded": 0, "overdue": false,
    });
    assert_eq!(told, wanted, "something else goes out, too");
    assert_eq!(next(&said), json!({ "text": format!("{text}: {link}") }));
    noted(&project, "ops", 1);
    noted(&project, "team", 1);
    // Of what is told nothing is told again, and of what is new once.
    server.kill();
    let server = Server::start(with(), server.port);
    assert_eq!(server.starts("announcement"), 2);
    assert_eq!(next(&heard)["no"], json!(2));
    assert!(next(&said)["text"].as_str().unwrap().starts_with("Approval 2 of "));
    approves(&server, 1);
    // What people started elsewhere waits for them as well.
    let (code, told) = project.types("run announcement");
    assert_eq!(code, 3, "{told}");
    assert_eq!(next(&heard)["no"], json!(3));
    assert!(next(&said)["text"].as_str().unwrap().starts_with("Approval 3 of "));
    assert!(heard.try_recv().is_err() && said.try_recv().is_err(), "something was told twice");
}

#[test]
fn an_end_is_told_to_whoever_follows_and_a_failure_to_anyone() {
    let (hook, heard) = hears(takes);
    let project = telling(HOOK);
    let text = std::fs::read_to_string(project.path("topologies/announcement.toml")).unwrap();
    let spent = text.replace("steps = 30,", "steps = 1, when_spent = \"stop\",");
    assert_ne!(text, spent);
    std::fs::write(project.path("topologies/spent.toml"), spent).unwrap();
    std::fs::copy(project.path("rehearsals/announcement.toml"), project.path("rehearsals/spent.toml")).unwrap();
    let mut server = Server::start(command(&project, &hook), 0);
    let follows = |server: &Server, run: u64, on: bool| {
        assert_eq!(server.posts(&format!("/api/runs/{run}/follow"), &json!({ "on": on })).status, 200);
        let followers = server.get(&format!("/api/runs/{run}"))["followers"].clone();
        assert_eq!(followers, if on { json!(["ana"]) } else { Value::Null });
    };
    let told = |run: u64, status: &str, who: &[&str]| {
        let told = next(&heard);
        assert_eq!(
            (&told["run"], &told["what"], &told["status"]),
            (&json!(run), &json!("over"), &json!(status)),
            "{told}"
        );
        assert_eq!(told["who"].as_array().map_or(0, Vec::len), who.len(), "{told}");
        assert_eq!(told["link"], json!(format!("https://page.example/runs/{run}")));
    };
    let asked = |run: u64| assert_eq!((&next(&heard)["run"], run), (&json!(run), run));
    // Nobody follows the first; of the second, ana hears, who follows it, twice in vain.
    for run in 1..=2 {
        server.starts("announcement");
        asked(run);
    }
    follows(&server, 2, true);
    follows(&server, 2, true);
    approves(&server, 1);
    approves(&server, 2);
    told(2, "done", &["ana"]);
    // Who follows no more hears no more; what its budget ends is told, however short it is.
    server.starts("announcement");
    asked(3);
    follows(&server, 3, true);
    follows(&server, 3, false);
    approves(&server, 3);
    server.starts("spent");
    told(4, "stopped", &[]);
    // What ends while no server runs is told by the next one, and nothing is told again.
    server.starts("announcement");
    asked(5);
    follows(&server, 5, true);
    noted(&project, "ops", 3);
    server.kill();
    let (code, said) = project.types("reject 4 -m no");
    assert_eq!(code, 5, "{said}");
    let _server = Server::start(command(&project, &hook), server.port);
    told(5, "rejected", &["ana"]);
    noted(&project, "ops", 3);
    assert!(heard.try_recv().is_err(), "something was told twice");
}

#[test]
fn one_of_two_servers_tells_and_the_other_takes_its_place() {
    let (hook, heard) = hears(takes);
    let project = telling(HOOK);
    let mut first = Server::start(command(&project, &hook), 0);
    let second = Server::start(command(&project, &hook), 0);
    for no in 1..=3 {
        let starts = if no == 1 { &first } else { &second };
        starts.starts("announcement");
        assert_eq!(next(&heard)["no"], json!(no));
    }
    noted(&project, "ops", 3);
    first.kill();
    second.starts("announcement");
    assert_eq!(next(&heard)["no"], json!(4), "after the other server was killed");
    assert!(heard.try_recv().is_err(), "both tell");
}

#[test]
fn what_is_not_taken_is_tried_again_and_doctor_says_why() {
    let takes_now = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&takes_now);
    let unavailable = || answers("503 Service Unavailable", &[]);
    let (hook, heard) = hears(move || if flag.load(Ordering::SeqCst) { takes() } else { unavailable() });
    let project = telling(HOOK);
    let server = Server::start(command(&project, &hook), 0);
    server.starts("announcement");
    let (first, second) = (next(&heard), next(&heard));
    assert_eq!(first, second, "the same under another id");
    diagnosed(&project, &hook, "does not take it (503)");
    takes_now.store(true, Ordering::SeqCst);
    diagnosed(&project, &hook, "is told of what waits for people");
    while let Ok(again) = heard.try_recv() {
        assert_eq!(serde_json::from_str::<Value>(&again.body).unwrap(), first);
    }
    server.starts("announcement");
    assert_eq!(next(&heard)["no"], json!(2), "it was told again after it was taken");
    assert!(!doctor(&project, &hook).contains(KEY));
}

#[test]
fn a_server_that_was_gone_hears_of_what_still_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hook = format!("http://127.0.0.1:{port}");
    drop(listener);
    let project = telling(HOOK);
    let server = Server::start(command(&project, &hook), 0);
    server.starts("announcement");
    diagnosed(&project, &hook, "cannot be reached");
    server.starts("announcement");
    approves(&server, 1);
    let (tells, heard) = channel();
    serve_at(TcpListener::bind(("127.0.0.1", port)).unwrap(), move |asked| {
        let _ = tells.send(asked.clone());
        takes()
    });
    assert_eq!(next(&heard)["no"], json!(2), "what is decided was told");
}

/// Runs go on whatever a channel does; nothing is followed, and nobody is asked whose address is not public.
#[test]
fn nobody_waits_for_a_channel_that_hangs_refuses_or_leads_elsewhere() {
    let (elsewhere, followed) = hears(takes);
    let location = format!("location: {elsewhere}/in");
    let check = |answer: Arc<dyn Fn() -> Played + Send + Sync>, says: &str| {
        let (hook, heard) = hears(move || answer());
        let project = telling(HOOK);
        let server = Server::start(command(&project, &hook), 0);
        server.starts("announcement");
        heard.recv_timeout(NEVER).unwrap();
        approves(&server, 1);
        assert!(server.listens(1, 0).until("\"ended\":{"));
        if !says.is_empty() {
            diagnosed(&project, &hook, says);
        }
    };
    check(Arc::new(|| Played { bytes: Vec::new(), then: Then::Silence }), "");
    check(Arc::new(|| answers("404 Not Found", &[])), "does not take it (404)");
    check(Arc::new(move || answers("307 Temporary Redirect", std::slice::from_ref(&location))), "leads elsewhere");
    assert!(followed.try_recv().is_err(), "a redirect was followed");

    let (asked, was_asked) = channel();
    let at = listening(move |stream| drop(asked.send(stream)));
    let project = telling(HOOK);
    let private = at.replace("http://127.0.0.1", "https://localhost");
    let server = Server::start(command(&project, &private), 0);
    server.starts("announcement");
    diagnosed(&project, &private, "is not a public address");
    assert!(doctor(&project, "http://localhost:1").contains("only https is spoken"));
    assert!(was_asked.try_recv().is_err(), "an address that is not public was asked");
    assert!(project.types("doctor --offline").1.contains("the environment variable HOOK_KEY is not set"));
}

/// Whom a comment names is told, as far as a channel is for them, and not what it says; nor what a draft says.
#[test]
fn nothing_that_anybody_wrote_goes_out() {
    let ((hook, heard), (chat, said)) = (hears(takes), hears(takes));
    let project = telling(&format!("{HOOK}\nben = {{ kind = \"slack\", url_env = \"CHAT\", for = [\"ben\"] }}"));
    const HOSTILE: &str = "<!channel> <https://evil.example|Approve> *mallory*";
    std::fs::write(project.path("texts/seed-swap.md"), format!("# {HOSTILE}\n\n{HOSTILE}\n")).unwrap();
    let mut with = command(&project, &hook);
    with.env("CHAT", format!("{chat}/in"));
    let server = Server::start(with, 0);
    server.starts("announcement");
    let mut bodies = vec![heard.recv_timeout(NEVER).unwrap().body, said.recv_timeout(NEVER).unwrap().body];
    for (name, heard_by_ben) in [("ana", false), ("ben", true)] {
        let remark = json!({ "artefact": "letter", "text": format!("@{name} {HOSTILE}") });
        let answer = server.posts("/api/runs/1/comments", &remark);
        assert_eq!(answer.status, 200, "{}", answer.whole());
        let told = heard.recv_timeout(NEVER).unwrap().body;
        assert!(told.contains(&format!("names {name}\"")) && told.contains("/runs/1/drafts#comment-c"), "{told}");
        bodies.push(told);
        if heard_by_ben {
            bodies.push(said.recv_timeout(NEVER).unwrap().body);
        }
    }
    assert!(bodies.last().unwrap().contains("Comment c2"), "ben hears what is not for him: {bodies:?}");
    for word in ["channel", "evil", "Approve", "mallory", "<"] {
        assert!(bodies.iter().all(|body| !body.contains(word)), "{word}: {bodies:?}");
    }
}

//! A whole run that sends, as people type it: over TLS, signed in; and what comes of it if the process is killed around every
//! mail, and in the middle of one. A mail leaves once, and what nobody can know is asked.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::server::{PASSWORD, Server, Tls, USER};
use crate::acting::{Acting, told};
use crate::sweep::POINTS;
use crate::tools::write;

/// Passings after which a boundary is taken for endless.
const PASSINGS_MAX: u64 = 60;
const ALL: [&str; 3] = ["ann@example.org", "bob@example.org", "eve@example.org"];

const ANSWER: &str = r#"
[sequence]
name = "news"
mails = [{ id = "hello", day = 0, subject = "Hello {{first_name|there}}", text = "Hello {{first_name|there}}.\n\n{{unsubscribe_url}}" }]

[audience]
query = "all"
size = 3"#;

pub(super) fn table(port: u16, tls: Tls) -> String {
    let tls = tls.word();
    format!(
        r#"schema_version = 1

[tools.people]
kind = "sql"
csv = {{ people = "people.csv" }}

[tools.people.queries.all]
sql = "SELECT email, first_name FROM people ORDER BY no"
description = "whom to reach"

[tools.email]
kind = "email"
from = "Fern & Kettle <news@example.com>"
postal_address = "Example Street 1, Berlin"
unsubscribe_url = "https://example.com/u?to={{email}}"
one_click = true
audience = "people.query"
call_timeout = "1s"

[tools.email.smtp]
host = "localhost"
port = {port}
tls = "{tls}"
user_env = "MAIL_USER"
password_env = "MAIL_PASSWORD"
private_host = true
"#
    )
}

/// A project that sends to `server`, for these people.
fn shop(server: &Server, tls: Tls, people: &[&str]) -> Acting {
    let authority = server.authority();
    let variables = [("MAIL_USER", USER), ("MAIL_PASSWORD", PASSWORD), ("SSL_CERT_FILE", authority.to_str().unwrap())];
    shop_of(people, &table(server.port, tls), ANSWER, &variables)
}

/// A project of this table that sends what `answer` says to these people.
pub(super) fn shop_of(people: &[&str], table: &str, answer: &str, variables: &[(&'static str, &str)]) -> Acting {
    let act = "tool = \"email.deliver\", args = { sequence = \"sequence\", audience = \"audience\" }";
    let shop = Acting::new("letters", &["sequence", "audience"], act, variables);
    write(shop.path(), "answer.toml", answer);
    write(shop.path(), "callsheet.toml", table);
    let rows = people.iter().zip(1_u64..).map(|(email, no)| format!("{email},Reader{no},{}\n", no * no));
    write(shop.path(), "people.csv", format!("email,first_name,no\n{}", rows.collect::<String>()));
    shop
}

/// One whose mails wait for their approval.
fn waiting(server: &Server, tls: Tls, people: &[&str]) -> Acting {
    let shop = shop(server, tls, people);
    shop.wait("letters");
    shop
}

/// Does what a user would do until the run is over; a question is answered by what the server has. How many there were.
fn drive(shop: &Acting, server: &Server, what: &str) -> usize {
    shop.drive(what, |asked| {
        let of = ALL.iter().chain(&["mute@example.org"]).find(|email| asked.contains(*email));
        let of = of.unwrap_or_else(|| panic!("{what}: nobody knows of whom it is asked: {asked}"));
        server.taken().iter().any(|mail| mail.to == **of)
    })
}

/// Whom the server has a mail for, in alphabetical order.
fn reached(server: &Server) -> Vec<String> {
    let mut to: Vec<_> = server.taken().into_iter().map(|mail| mail.to).collect();
    to.sort();
    to
}

#[test]
fn a_run_sends_what_was_reviewed_over_tls_signed_in() {
    for tls in [Tls::Required, Tls::Implicit] {
        let Some(server) = Server::start(tls, true) else { return };
        let shop = waiting(&server, tls, &ALL);
        let (_, review) = shop.types("review 2 --json");
        let review: serde_json::Value = serde_json::from_str(&review).unwrap();
        let (code, text) = shop.types("approve 2");
        assert!(code == 0 && text.contains("sent to ann@example.org"), "{code} {text}");
        assert_eq!(reached(&server), ALL);
        for mail in server.taken() {
            assert_eq!(mail.tls, tls == Tls::Required || mail.tls, "{mail:?}");
            let item = review["items"].as_array().unwrap().iter().find(|item| item["recipient"] == mail.to.as_str());
            let parts = &item.unwrap()["parts"];
            // What the reviewer was shown is what the bytes that came say.
            let came = callsheet::tool::part::shown::parts(&callsheet::tool::Item {
                key: String::new(),
                recipient: String::new(),
                recipients: 1,
                title: String::new(),
                media_type: "message/rfc822".to_owned(),
                bytes: mail.bytes.clone(),
                after_ms: 0,
                again: None,
            });
            assert_eq!(*parts, serde_json::to_value(came).unwrap(), "{}", mail.to);
        }
        let (code, text) = shop.types("audit verify");
        assert_eq!(code, 0, "{text}");
        no_secret_below(shop.path());
    }
}

/// Looks through every file of a project.
fn no_secret_below(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_secret_below(&path);
        } else {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
            assert!(!found, "{} holds the password", path.display());
        }
    }
}

#[test]
fn doctor_opens_the_connection_and_sends_nothing() {
    for tls in [Tls::Required, Tls::Implicit] {
        let Some(server) = Server::start(tls, true) else { return };
        let shop = shop(&server, tls, &ALL);
        // What is otherwise, and what doctor says.
        let cases: [(&str, &str, &str); 4] = [
            ("", "", "under TLS, signed in; no mail was sent"),
            ("MAIL_PASSWORD", "canary-not-this-one", "takes neither MAIL_USER nor MAIL_PASSWORD"),
            ("SSL_CERT_FILE", "/dev/null", "is not one that this machine trusts"),
            ("MAIL_USER", "", "it needs MAIL_USER: set that variable"),
        ];
        for (variable, value, says) in cases {
            let mut command = shop.command("doctor");
            if !variable.is_empty() {
                command.env(variable, value);
            }
            let (_, text) = told(&command.output().unwrap());
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(line.contains(says), "{}: {says}: {text}", tls.word());
            assert!(!text.contains(PASSWORD) && !text.contains("canary-not-this-one"), "{text}");
        }
        assert!(server.taken().is_empty());
    }
}

#[test]
fn a_run_that_would_send_does_not_start_without_its_password() {
    let Some(server) = Server::start(Tls::Required, true) else { return };
    let shop = shop(&server, Tls::Required, &ALL);
    let ended = shop.command("run letters --model ollama/none").env_remove("MAIL_PASSWORD").output().unwrap();
    let (code, text) = told(&ended);
    assert!(code == 2 && text.contains("MAIL_PASSWORD") && text.contains("email.deliver"), "{code} {text}");
    // A rehearsal needs none.
    let ended = shop.command("run letters").env_remove("MAIL_PASSWORD").output().unwrap();
    assert_eq!(told(&ended).0, 3, "{}", told(&ended).1);
}

#[test]
fn a_rehearsal_writes_drafts_and_sends_nothing() {
    let Some(server) = Server::start(Tls::Required, true) else { return };
    let shop = shop(&server, Tls::Required, &ALL);
    for (line, exit) in [("run letters", 3), ("answer 1 --file answer.toml", 3), ("approve 2", 0)] {
        let (code, text) = shop.types(line);
        assert_eq!(code, exit, "{line}: {text}");
    }
    assert!(server.taken().is_empty(), "{:?}", server.taken());
    let draft = fs::read(shop.path().join("out/1-letters/01-hello-00002.eml")).unwrap();
    assert!(String::from_utf8_lossy(&draft).contains("To: bob@example.org"));
}

#[test]
fn killed_around_every_mail_each_leaves_once() {
    let lane = |point: &'static str| {
        let Some(server) = Server::start(Tls::Required, true) else { return (0, 0) };
        let shop = waiting(&server, Tls::Required, &ALL);
        let (mut kills, mut questions) = (0, 0);
        for nth in 1..PASSINGS_MAX {
            let what = format!("killed at {point}:{nth}");
            let _ = fs::remove_file(server.dir.path().join("taken.jsonl"));
            let copied = shop.copied();
            let mut command = copied.command("approve 2");
            let ended = command.env("CALLSHEET_CRASH", format!("{point}:{nth}")).output().unwrap();
            if ended.status.signal() != Some(9) {
                assert_eq!(ended.status.code(), Some(0), "{what}: {}", told(&ended).1);
                return (kills, questions);
            }
            kills += 1;
            let asked = drive(&copied, &server, &what);
            // The one, if there was one, that was being told while another came to the boundary.
            assert!(asked <= 1, "{what}: {asked} questions");
            questions += asked;
            assert_eq!(reached(&server), ALL, "{what}");
        }
        panic!("{point} is passed without end");
    };
    let came: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = POINTS.map(|point| scope.spawn(move || lane(point))).into_iter().collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let (kills, questions) = came.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    use std::io::Write as _;
    writeln!(std::io::stderr(), "mails: {kills} kills, each mail sent once, {questions} questions").unwrap();
}

/// Waits until the server has a mail for `to`; nothing is concluded from how long that takes.
fn until_taken(server: &Server, child: &mut Child, to: &str) {
    while !server.taken().iter().any(|mail| mail.to == to) {
        assert!(child.try_wait().unwrap().is_none(), "the process ended before");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_in_the_middle_of_a_mail_that_one_is_asked_about_and_the_rest_go_on() {
    let Some(server) = Server::start(Tls::Required, true) else { return };
    let people = ["ann@example.org", "mute@example.org", "eve@example.org"];
    let shop = waiting(&server, Tls::Required, &people);
    let mut child = shop.command("approve 2").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_taken(&server, &mut child, "mute@example.org");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(drive(&shop, &server, "killed in the middle"), 1, "only what was being told is asked about");
    assert_eq!(reached(&server), ["ann@example.org", "eve@example.org", "mute@example.org"]);
}

#[test]
fn the_documented_examples_are_ones_that_check_accepts() {
    let text = include_str!("../../../docs/connectors.md");
    let example = |name: &str| {
        let after = text.split(&format!("<!-- {name} -->\n```toml\n")).nth(1).unwrap().to_owned();
        after.split("```").next().unwrap().to_owned()
    };
    let arrange = |project: &crate::cli::Project| {
        let path = project.path("callsheet.toml");
        let text = fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once("[tools.email]\n").unwrap();
        let (_, after) = rest.split_once("\n# ").unwrap();
        let (sending, webhooks) = (example("sending"), example("webhooks"));
        fs::write(&path, format!("{before}{sending}\n{webhooks}\n# {after}")).unwrap();
    };
    let lines: [(&str, i32, &[&str]); 3] = [
        ("check", 0, &[]),
        ("tools email.deliver", 0, &["Sends each mail"]),
        ("tools channel.post", 0, &["Posts a text to a channel"]),
    ];
    crate::cli::check("documented", arrange, &lines);
}

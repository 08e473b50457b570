//! People are mailed what waits for them, by a real mail server: each who is asked, once, a sentence and a link, over
//! TLS and signed in; and whoever the server does not take keeps nobody else waiting.

use std::process::Command;

use serde_json::json;

use super::notified::noted;
use super::server::{Server, project};
use crate::cli::Project;
use crate::post::server::{PASSWORD, Server as Post, Taken, Tls, USER};
use crate::support::NEVER;

/// What is written in the folder of texts, and what nobody is mailed.
const HOSTILE: &str = "=?utf-8?q?Approve?= <https://evil.example> mallory";

/// A project that mails through this server: whoever is asked, and the group legal at one address.
fn mailing(post: &Post, tls: Tls, people: &str) -> Project {
    let project = project();
    let file = project.path("callsheet.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, _) = text.split_once("\n[people.ana]").unwrap();
    let smtp = format!(
        "{{ host = \"localhost\", port = {}, tls = \"{}\", user_env = \"MAIL_USER\", password_env = \"MAIL_PASSWORD\", \
         private_host = true }}",
        post.port,
        tls.word()
    );
    let from = "from = \"Callsheet <calls@example.com>\"";
    let notify = format!(
        "\n[notify]\nlink = \"https://page.example\"\n\n[notify.channels.mail]\nkind = \"email\"\n{from}\nsmtp = {smtp}\n\n\
         [notify.channels.box]\nkind = \"email\"\n{from}\nto = \"legal@example.org\"\nfor = [\"group:legal\"]\nsmtp = {smtp}\n"
    );
    std::fs::write(file, format!("{before}\n{people}{notify}")).unwrap();
    std::fs::write(project.path("texts/seed-swap.md"), format!("# {HOSTILE}\n\n{HOSTILE}\n")).unwrap();
    project
}

/// Asks these people for every approval.
fn asks(project: &Project, who: &str) {
    let file = project.path("agents/approver.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("starter_may", &format!("who = {who}\nstarter_may"))).unwrap();
}

fn person(name: &str, email: &str, group: &str) -> String {
    format!("[people.{name}]\nemail = \"{email}\"\ngroups = [\"{group}\"]\n")
}

/// The program in a project, which may sign in.
fn command(project: &Project, post: &Post) -> Command {
    let mut command = project.command();
    command.env("MAIL_USER", USER).env("MAIL_PASSWORD", PASSWORD).env("SSL_CERT_FILE", post.authority());
    command
}

fn doctor(project: &Project, post: &Post, password: &str, more: &[&str]) -> String {
    let mut command = command(project, post);
    command.env("MAIL_PASSWORD", password).arg("doctor").args(more);
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

/// What the server took once it took so many mails, by recipient.
fn taken(post: &Post, count: usize) -> Vec<Taken> {
    let begun = std::time::Instant::now();
    while post.taken().len() < count {
        assert!(begun.elapsed() < NEVER, "{count} mails do not come: {:?}", post.taken());
    }
    let mut taken = post.taken();
    taken.sort_by(|one, other| one.to.cmp(&other.to));
    taken
}

fn to(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|mail| mail.to.as_str()).collect()
}

/// Whether a mail says what waits and where, under TLS, and nothing that anybody wrote.
fn is_a_sentence_and_a_link(mail: &Taken) {
    let text = String::from_utf8(mail.bytes.clone()).unwrap();
    assert!(mail.tls, "{text}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: Callsheet <calls@example.com>",
        &format!("To: {}", mail.to),
        "Subject: Approval 1 of announcement (run 1) waits for the group legal",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(head.replace("\r\n ", " ").contains(line), "no {line:?} in {text}");
    }
    let sentence = "Approval 1 of announcement (run 1) waits for the group legal.\r\n\r\n\
                    https://page.example/approvals/1\r\n\r\nNeither this mail";
    assert!(body.starts_with(sentence), "{body}");
    for word in ["evil", "mallory", "=?utf-8?q?Approve", PASSWORD] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn whoever_is_asked_gets_a_mail_of_their_own_once() {
    let tls = Tls::Required;
    let Some(post) = Post::start(tls, true) else { return };
    let people = [
        person("ana", "ana@example.org", "legal"),
        person("ben", "ben@example.org", "legal"),
        person("eve", "eve@example.org", "sales"),
        "[people.kim]\ngroups = [\"legal\"]\n".to_owned(),
    ];
    let project = mailing(&post, tls, &people.concat());
    asks(&project, "[\"group:legal\"]");
    let mut server = Server::start(command(&project, &post), 0);
    server.starts("announcement");
    let mails = taken(&post, 3);
    assert_eq!(to(&mails), ["ana@example.org", "ben@example.org", "legal@example.org"]);
    mails.iter().for_each(is_a_sentence_and_a_link);
    for name in ["mail.ana", "mail.ben", "box"] {
        noted(&project, name, 1);
    }
    // Whoever was told is told nothing again, by neither of two servers; eve was not asked.
    server.kill();
    let server = Server::start(command(&project, &post), server.port);
    let _other = Server::start(command(&project, &post), 0);
    server.starts("announcement");
    let mails = taken(&post, 6);
    assert_eq!(
        to(&mails).chunks(2).map(|two| two[0]).collect::<Vec<_>>(),
        ["ana@example.org", "ben@example.org", "legal@example.org"]
    );
    // A comment that names somebody is that person's, and nothing of it goes out.
    let remark = json!({ "artefact": "letter", "text": format!("@eve {HOSTILE}") });
    assert_eq!(server.posts("/api/runs/1/comments", &remark).status, 200);
    let mails = taken(&post, 7);
    let text =
        String::from_utf8(mails.iter().find(|mail| mail.to == "eve@example.org").unwrap().bytes.clone()).unwrap();
    assert!(text.contains("Comment c1 on announcement (run 1) names eve.") && !text.contains("mallory"), "{text}");
    for name in ["mail.ana", "mail.ben", "box"] {
        noted(&project, name, 2);
    }
    assert_eq!(post.taken().len(), 7, "something was told twice");

    let says = doctor(&project, &post, PASSWORD, &[]);
    for part in [
        "notify mail is told of what waits for people while serve runs, by mail to ana, ben and eve, through localhost:",
        "by mail to legal@example.org, through localhost:",
        "under TLS, signed in; no mail was sent",
        "kim has no `email` under [people]",
    ] {
        assert!(
            says.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ").contains(part),
            "{part}: {says}"
        );
    }
    let wrong = doctor(&project, &post, "canary-wrong", &[]);
    assert!(wrong.contains("takes neither MAIL_USER nor MAIL_PASSWORD") && !wrong.contains("canary"), "{wrong}");
    assert!(!doctor(&project, &post, "canary-wrong", &["--offline"]).contains("MAIL_PASSWORD"));
    assert_eq!(post.taken().len(), 7, "doctor mails somebody");
}

#[test]
fn an_address_that_nobody_has_keeps_nobody_else_waiting() {
    let tls = Tls::Implicit;
    let Some(post) = Post::start(tls, true) else { return };
    let people = [
        person("ana", "ana@example.org", "legal"),
        person("ben", "gone@example.org", "legal"),
        person("eve", "once-later@example.org", "legal"),
    ];
    let project = mailing(&post, tls, &people.concat());
    asks(&project, "[\"ana\", \"ben\", \"eve\"]");
    let server = Server::start(command(&project, &post), 0);
    for no in 1..=3 {
        server.starts("announcement");
        // Each hears of each, whatever becomes of the others' mails.
        let mails = taken(&post, 2 * no);
        for who in ["ana@example.org", "once-later@example.org"] {
            assert_eq!(mails.iter().filter(|mail| mail.to == who).count(), no, "{who}");
        }
    }
    let begun = std::time::Instant::now();
    let mut says = doctor(&project, &post, PASSWORD, &["--offline"]);
    while !says.contains("takes nothing for gone@example.org") {
        assert!(begun.elapsed() < NEVER, "doctor does not say what became of ben's mails: {says}");
        says = doctor(&project, &post, PASSWORD, &["--offline"]);
    }
}

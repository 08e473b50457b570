//! Mails that are really sent, to a real mail server: each recipient gets what was approved, once; whatever a server does has a
//! typed outcome, and what nobody can know is asked.

mod bounds;
mod days;
mod killed;
pub(crate) mod server;

use std::path::Path;
use std::sync::Arc;

use callsheet::failure::{Class, Failure};
use callsheet::run::body::Receipt;
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::part::address::{Finder, system};
use callsheet::tool::{Approved, Deadline, Item, Outward, email, sql};
use serde_json::{Value, json};

use self::server::{PASSWORD, Server, Tls, USER};
use crate::tools::{self, approved, config, effect, intent, outward, write};

/// A password that is not the right one; nobody may see it, either.
const WRONG: &str = "canary-wrong-1177aa";

/// The table of a tool that sends to this port, with more of its own, and more of its server.
fn text_of(port: u16, more: &str, smtp: &str) -> String {
    format!(
        r#"
from = "Fern & Kettle <news@example.com>"
postal_address = "Example Street 1, Berlin"
unsubscribe_url = "https://example.com/u?c={{id}}&to={{email}}"
audience = "people.query"
call_timeout = "4s"
{more}
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
private_host = true
{smtp}
"#
    )
}

/// The tool of this table, with the people of `people.csv` in `root`.
fn open_found(root: &Path, text: &str, finder: Finder) -> Result<Arc<dyn Outward>, String> {
    let people = r#"
        csv = { people = "people.csv" }
        [queries.all]
        sql = "SELECT email, first_name, no FROM people WHERE may = 1 ORDER BY no"
        description = "whom to reach"
    "#;
    let people = tools::open::<sql::Config>("people", config(people).unwrap(), root)?.remove(0);
    let beside = [("people.query".parse().unwrap(), people)].into();
    let secrets = Secrets::new(|name| match name {
        "USER" => Some(USER.to_owned()),
        "PASSWORD" => Some(PASSWORD.to_owned()),
        "WRONG" => Some(WRONG.to_owned()),
        _ => None,
    });
    let ground = Ground::at(root, &beside, secrets);
    let tools = config::<email::Config>(text)?.open_finding("email", &ground, finder);
    tools.map(|tools| outward(&tools[0])).map_err(|why| why.to_string())
}

fn open(root: &Path, port: u16, more: &str, smtp: &str) -> Result<Arc<dyn Outward>, String> {
    open_found(root, &text_of(port, more, smtp), system())
}

/// The tool over these addresses.
fn opened(root: &Path, port: u16, emails: &[&str]) -> Arc<dyn Outward> {
    people(root, emails);
    open(root, port, "", "").unwrap()
}

fn people(root: &Path, emails: &[&str]) {
    let rows = emails.iter().zip(1_u64..).map(|(email, no)| format!("{email},Ann{no},{},1\n", no * no));
    write(root, "people.csv", format!("email,first_name,no,may\n{}", rows.collect::<String>()));
}

fn args(size: usize) -> Value {
    json!({
        "sequence": { "name": "win-back", "mails": [{
            "id": "hello", "day": 0, "subject": "Wë miss you, {{first_name|there}}", "preheader": "A note",
            "text": "Hello {{first_name|there}},\n.\n..two dots\n\nhttps://example.com/shop\n\n{{unsubscribe_url}}",
        }] },
        "audience": { "query": "all", "size": size },
    })
}

/// The mails that it would send.
async fn mails(tool: &dyn Outward, size: usize) -> Vec<Item> {
    let items = tool.prepare(intent(args(size))).await.unwrap();
    items.into_iter().filter(|item| item.media_type == "message/rfc822").collect()
}

/// Performs one item as the run would: what is known of it is looked at first.
async fn perform(tool: &dyn Outward, slot: Approved) -> Result<Receipt, Failure> {
    match tool.already(slot.clone()).await? {
        Some(known) => Ok(known),
        None => tool.perform(slot).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_what_was_approved_over_one_connection() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let emails: Vec<String> = (0..20).map(|n| format!("reader{n}@example.org")).collect();
    let tool = opened(dir.path(), server.port, &emails.iter().map(String::as_str).collect::<Vec<_>>());
    let items = mails(tool.as_ref(), 20).await;
    let slot = |nth: usize, item: &Item| approved(u8::try_from(nth).unwrap(), &dir.path().join("out/1-x"), item);
    let sends = items.iter().enumerate().map(|(nth, item)| {
        let (tool, slot) = (Arc::clone(&tool), slot(nth, item));
        tokio::spawn(async move { perform(tool.as_ref(), slot).await })
    });
    let sends: Vec<_> = sends.collect();
    for send in sends {
        let receipt = send.await.unwrap().unwrap();
        let says = receipt.place.starts_with("sent to reader") && receipt.place.ends_with(": 2.0.0 taken as 7F3A");
        assert!(says && receipt.remark.is_none(), "{receipt:?}");
    }
    let taken = server.taken();
    assert_eq!(taken.len(), 20);
    assert!(taken.iter().all(|mail| mail.port == taken[0].port), "one connection serves all that wait");
    for (nth, item) in items.iter().enumerate() {
        let same: Vec<_> = taken.iter().filter(|mail| mail.to == item.recipient).collect();
        assert!(same.len() == 1 && same[0].bytes == item.bytes, "{}", String::from_utf8_lossy(&same[0].bytes));
        // Asked again, it is known, and nothing is sent.
        assert!(perform(tool.as_ref(), slot(nth, item)).await.is_ok());
        assert!(tool.query(slot(nth, item)).await.unwrap().is_some());
    }
    assert_eq!(server.taken().len(), 20, "what is known to be sent is not sent again");
}

#[tokio::test]
async fn a_mail_is_its_recipients_own() {
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann+x@example.org", "bob@example.org"]);
    let tool = open(dir.path(), 1, "one_click = true", "").unwrap();
    let items = tool.prepare(intent(args(2))).await.unwrap();
    let text = |item: &Item| String::from_utf8(item.bytes.clone()).unwrap().replace('\r', "");
    insta::assert_snapshot!(text(&items[0]));
    let of: Vec<_> = items.iter().map(|item| (item.key.as_str(), item.recipient.as_str(), item.recipients)).collect();
    assert_eq!(
        of,
        [
            ("01-hello-00001.eml", "ann+x@example.org", 1),
            ("01-hello-00002.eml", "bob@example.org", 1),
            ("audience.csv", "the run's folder", 0)
        ]
    );
    let id = |item: &Item| text(item).lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned();
    assert_ne!(id(&items[0]), id(&items[1]));
    assert_eq!(items, open(dir.path(), 1, "one_click = true", "").unwrap().prepare(intent(args(2))).await.unwrap());
    let plain = open(dir.path(), 1, "", "").unwrap().prepare(intent(args(2))).await.unwrap();
    assert!(!text(&plain[0]).contains("List-Unsubscribe-Post"), "what the page does not do is not promised");
}

#[tokio::test]
async fn what_a_tag_becomes_is_no_more_than_a_value() {
    // What a row says, what stands in the mail.
    let cases = [
        ("Zo\u{eb}", "Hello Zo\u{eb},"),
        ("", "Hello there,"),
        ("{{email}}", "Hello {{email}},"),
        ("see https://evil.example", "Hello there,"),
        ("<b>x", "Hello <b>x,"),
        ("\"a\nBcc: x@y.z\"", "Hello there,"),
    ];
    for (value, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            "people.csv",
            format!("email,first_name,no,may\nann@example.org,{value},1,1\nbob@example.org,x,2,1\n"),
        );
        let items = open(dir.path(), 1, "", "").unwrap().prepare(intent(args(2))).await.unwrap();
        let shown = format!("{:?}", open(dir.path(), 1, "", "").unwrap().shown(&items[0]));
        assert!(shown.contains(says), "{value:?}: {shown}");
        assert!(!String::from_utf8_lossy(&items[0].bytes).contains("\nBcc"), "{value:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org"]);
    let tool = open(dir.path(), 1, "", "").unwrap();
    for (text, says) in [("Hi {{nick|you}}", "\"nick\" is no column"), ("Hi {{first_name", "is not closed")] {
        let mut args = args(1);
        args["sequence"]["mails"][0]["text"] = json!(text);
        let why = tool.prepare(intent(args)).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{why:?}");
        assert_eq!(why.about.as_deref(), Some("sequence"));
    }
}

#[tokio::test]
async fn a_mail_is_prepared_for_its_day() {
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org"]);
    let tool = open(dir.path(), 1, "", "").unwrap();
    let date = |item: &Item| {
        let text = String::from_utf8(item.bytes.clone()).unwrap();
        text.lines().find(|line| line.starts_with("Date: ")).unwrap()[11..22].to_owned()
    };
    for (days, wanted) in [
        ([0, 0], Ok(["21 Sep 2026", "21 Sep 2026"])),
        ([4, 0], Ok(["25 Sep 2026", "21 Sep 2026"])),
        ([0, 365], Ok(["21 Sep 2026", "21 Sep 2027"])),
        ([0, 366], Err("mail 2: its day is 366, and a mail waits for 365 days at most")),
    ] {
        let mut args = args(1);
        let mail = args["sequence"]["mails"][0].clone();
        args["sequence"]["mails"] = json!([mail, mail]);
        args["sequence"]["mails"][1]["id"] = json!("again");
        for (nth, day) in days.into_iter().enumerate() {
            args["sequence"]["mails"][nth]["day"] = json!(day);
        }
        match (tool.prepare(intent(args)).await, wanted) {
            (Ok(items), Ok(dates)) => {
                let list = items.last().unwrap();
                assert_eq!((list.key.as_str(), list.after_ms), ("audience.csv", 0), "the list is there at once");
                for ((item, day), dated) in items.iter().zip(days).zip(dates) {
                    assert_eq!((item.after_ms, date(item).as_str()), (day * 86_400_000, dated), "{days:?}");
                }
            }
            (Err(why), Err(says)) => {
                assert_eq!((why.class, why.about.as_deref()), (Class::Invalid, Some("sequence")));
                assert!(why.reason.contains(says), "{why:?}");
            }
            (came, _) => panic!("{days:?}: {came:?}"),
        }
    }
}

/// What becomes of one mail at a server that does this to its recipient.
struct Case {
    to: &'static str,
    /// Of the first attempt: the class of its failure, or none.
    first: Result<(), Class>,
    says: &'static str,
    /// What is known after it: sent, not sent, or for a person to find out.
    known: Result<bool, Class>,
    /// How many mails the server has after a second attempt, if there may be one.
    after: Option<usize>,
}

const fn case(
    to: &'static str,
    first: Result<(), Class>,
    says: &'static str,
    known: Result<bool, Class>,
    after: Option<usize>,
) -> Case {
    Case { to, first, says, known, after }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_does_has_a_typed_outcome() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let (sent, not, unknown) = (Ok(true), Ok(false), Err(Class::Permanent));
    let cases = [
        case("ann", Ok(()), "taken as", sent, Some(1)),
        case("gone", Ok(()), "5.1.1 there is nobody", not, Some(0)),
        case("bare", Ok(()), "no such mailbox", not, Some(0)),
        case("relay", Err(Class::Permanent), "5.7.1 you may not", not, Some(0)),
        case("once-later", Err(Class::Throttled), "4.7.1 come back later", not, Some(1)),
        case("once-full", Err(Class::Throttled), "4.3.1 no room now", not, Some(1)),
        case("spam", Err(Class::Permanent), "5.7.1 this is spam", not, Some(0)),
        case("once-dies-before", Err(Class::Transient), "broke off", not, Some(1)),
        case("once-silent", Err(Class::Transient), "within 3000 ms", not, Some(1)),
        case("once-flood", Err(Class::Transient), "broke off", not, Some(1)),
        case("dies-after", Err(Class::InDoubt), "is not known: ", unknown, None),
        case("lost", Err(Class::InDoubt), "is not known: ", unknown, None),
    ];
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        let to = format!("{}@example.org", case.to);
        let tool = opened(dir.path(), server.port, &[&to]);
        let slot = approved(7, &dir.path().join("out"), &mails(tool.as_ref(), 1).await[0]);
        let first = perform(tool.as_ref(), slot.clone()).await;
        let told = match &first {
            Ok(receipt) => format!("{} {}", receipt.place, receipt.remark.clone().unwrap_or_default()),
            Err(why) => why.reason.clone(),
        };
        assert_eq!(first.as_ref().map(|_| ()).map_err(|why| why.class), case.first, "{to}: {told}");
        assert!(told.contains(case.says), "{to}: {told}");
        let refused = first.as_ref().is_ok_and(|receipt| receipt.refused == [to.clone()]);
        assert_eq!(refused, case.to == "gone" || case.to == "bare", "{to}");
        let known = tool.query(slot.clone()).await;
        assert_eq!(known.as_ref().map(Option::is_some).map_err(|why| why.class), case.known, "{to}: {known:?}");
        if let Err(why) = known {
            assert!(why.reason.contains("look for <"), "{why:?}");
        }
        if let Some(after) = case.after {
            let _ = perform(tool.as_ref(), slot).await;
            assert_eq!(server.taken().iter().filter(|mail| mail.to == to).count(), after, "{to}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_withdrew_gets_nothing_and_nobody_is_added() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let tool = opened(dir.path(), server.port, &["ann@example.org", "bob@example.org"]);
    let items = mails(tool.as_ref(), 2).await;
    write(
        dir.path(),
        "people.csv",
        "email,first_name,no,may\nann@example.org,A,1,0\nbob@example.org,B,2,1\neve@example.org,E,9,1\n",
    );
    let tool = open(dir.path(), server.port, "", "").unwrap();
    for (item, nth) in items.iter().zip(1..) {
        let receipt = perform(tool.as_ref(), approved(nth, &dir.path().join("out"), item)).await.unwrap();
        assert_eq!(receipt.dropped.is_empty(), item.recipient != "ann@example.org", "{receipt:?}");
    }
    let to: Vec<_> = server.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["bob@example.org"]);
    // Read anew for whoever comes later, however soon.
    write(dir.path(), "people.csv", "email,first_name,no,may\nbob@example.org,B,2,0\n");
    let again = perform(tool.as_ref(), approved(9, &dir.path().join("out"), &items[1])).await.unwrap();
    assert_eq!(again.dropped, ["bob@example.org"]);
}

#[tokio::test]
async fn a_draft_reaches_nobody() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let tool = opened(dir.path(), server.port, &["ann@example.org"]);
    let item = &mails(tool.as_ref(), 1).await[0];
    let draft = Approved { draft: true, ..approved(1, &dir.path().join("out/1-x"), item) };
    let receipt = perform(tool.as_ref(), draft.clone()).await.unwrap();
    assert_eq!(std::fs::read(&receipt.place).unwrap(), item.bytes);
    assert_eq!(tool.query(draft).await.unwrap(), Some(receipt));
    assert!(server.taken().is_empty(), "{:?}", server.taken());
}

#[tokio::test]
async fn an_attempt_whose_time_is_up_tells_the_server_nothing() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let tool = opened(dir.path(), server.port, &["ann@example.org"]);
    let item = &mails(tool.as_ref(), 1).await[0];
    let late = Approved { deadline: Deadline::new(|| true), ..approved(1, &dir.path().join("out"), item) };
    assert_eq!(tool.perform(late.clone()).await.unwrap_err().class, Class::Transient);
    assert_eq!(tool.query(late).await.unwrap(), None, "it surely did not leave");
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn without_the_record_nobody_guesses() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let tool = opened(dir.path(), server.port, &["ann@example.org"]);
    let slot = approved(1, &dir.path().join("out"), &mails(tool.as_ref(), 1).await[0]);
    perform(tool.as_ref(), slot.clone()).await.unwrap();
    std::fs::remove_file(dir.path().join(".callsheet/mail.jsonl")).unwrap();
    let why = tool.query(slot).await.unwrap_err();
    assert!(why.class == Class::Permanent && why.reason.contains("mail.jsonl, is not there"), "{why:?}");
}

#[tokio::test]
async fn secrets_are_told_to_the_server_and_to_nobody_else() {
    let Some(server) = Server::start(Tls::None, true) else { return };
    let cases = [
        ("user_env = \"USER\"\npassword_env = \"PASSWORD\"", Ok(())),
        (
            "user_env = \"USER\"\npassword_env = \"WRONG\"",
            Err((Class::Permanent, "takes neither USER nor WRONG, or not together (SMTP 535)")),
        ),
        (
            "user_env = \"USER\"\npassword_env = \"NOWHERE\"",
            Err((Class::Permanent, "it needs NOWHERE: set that variable")),
        ),
        ("", Err((Class::Permanent, "refuses the sender (SMTP 530)"))),
    ];
    for (keys, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        people(dir.path(), &["ann@example.org"]);
        let tool = open(dir.path(), server.port, "", keys).unwrap();
        let slot = approved(1, &dir.path().join("out"), &mails(tool.as_ref(), 1).await[0]);
        let came = perform(tool.as_ref(), slot).await;
        let told = format!("{came:?}");
        match (&came, wanted) {
            (Ok(_), Ok(())) => {}
            (Err(why), Err((class, says))) => assert!(why.class == class && why.reason.contains(says), "{why:?}"),
            _ => panic!("{keys}: {told}"),
        }
        for secret in [PASSWORD, WRONG] {
            assert!(!told.contains(secret), "{told}");
            let noted = std::fs::read_to_string(dir.path().join(".callsheet/mail.jsonl")).unwrap_or_default();
            assert!(!noted.contains(secret), "{noted}");
        }
    }
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org"]);
    // What stands in the table otherwise, and what is told of it.
    for (find, with, says) in [
        ("call_timeout", "holdout_percent = 95\ncall_timeout", "from 1 to 90"),
        ("private_host", "user_env = \"USER\"\nprivate_host", "belong together"),
        ("&to={email}", "", "put {email}"),
        ("{email}", "{e-mail}", "is no name of a column"),
        ("127.0.0.1", "192.0.2.7", "is for a server on this machine"),
        ("127.0.0.1", "https://example.com", "is no host"),
        ("private_host = true", "", "is not a public address"),
        ("\"none\"", "\"sometimes\"", "sometimes"),
    ] {
        let text = text_of(25, "", "");
        assert!(text.contains(find), "{find}");
        let why = open_found(dir.path(), &text.replace(find, with), system()).err();
        assert!(why.as_deref().is_some_and(|why| why.contains(says)), "{says}: {why:?}");
    }
}

#[tokio::test]
async fn a_holdout_is_drawn_by_the_run_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let emails: Vec<String> = (0..50).map(|n| format!("reader{n}@example.org")).collect();
    people(dir.path(), &emails.iter().map(String::as_str).collect::<Vec<_>>());
    let tool = open(dir.path(), 1, "holdout_percent = 10", "").unwrap();
    let items = tool.prepare(intent(args(50))).await.unwrap();
    let list = |key: &str| items.iter().find(|item| item.key == key).unwrap();
    let rows = |item: &Item| {
        String::from_utf8(item.bytes.clone()).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let (gets, held) = (rows(list("audience.csv")), rows(list("holdout.csv")));
    assert_eq!((gets.len(), held.len(), items.len()), (45, 5, 45 + 2));
    assert_eq!(list("audience.csv").title, "45 of 50 people");
    assert_eq!(list("holdout.csv").title, "held out: 5 of 50 people (10 %, drawn by the run)");
    assert!(items.iter().all(|item| !held.iter().any(|row| row.starts_with(&format!("{},", item.recipient)))));
    // Prepared once more in the same run, under another effect; and in another run.
    let mut again = intent(args(50));
    again.effect = effect(2);
    let mut other = intent(args(50));
    other.run = tools::source(1, 2).run;
    let holdout = async |intent| {
        let items = tool.prepare(intent).await.unwrap();
        rows(items.iter().find(|item| item.key == "holdout.csv").unwrap())
    };
    assert_eq!(holdout(again).await, held, "the same people, however often the run prepares it");
    assert_ne!(holdout(other).await, held);
}

#[tokio::test]
async fn a_server_in_the_own_network_is_asked_only_if_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org"]);
    let finder: Finder = Arc::new(|_| Box::pin(async { Ok(vec![std::net::IpAddr::from([10, 0, 0, 7])]) }));
    let text =
        text_of(25, "", "").replace("127.0.0.1", "mail.example.com").replace("tls = \"none\"", "tls = \"required\"");
    let tool = open_found(dir.path(), &text.replace("private_host = true", ""), finder).unwrap();
    let slot = approved(1, &dir.path().join("out"), &mails(tool.as_ref(), 1).await[0]);
    let why = perform(tool.as_ref(), slot).await.unwrap_err();
    assert!(why.class == Class::Policy && why.reason.contains("10.0.0.7) is not a public address"), "{why:?}");
}

//! Tests of `email.deliver`: the same call gives the same bytes, the list is what the query says, nothing is smuggled in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use callsheet::failure::{Class, Work};
use callsheet::tool::part::outbox;
use callsheet::tool::part::record::sha256;
use callsheet::tool::{Call, Callable, Declared, Item, Outward, Tool, email, sql};
use callsheet::topology::spec::{Reach, Repeat, ToolSpec};
use serde_json::{Value, json};

use crate::tools::{self, approved, config, effect, intent, outward, write};

const CONFIG: &str = r#"
from = "Nëws <news@example.com>"
reply_to = "help@example.com"
postal_address = "Example Ltd, 1 Main Street, Springfield"
unsubscribe_url = "https://example.com/unsubscribe?c={id}"
audience = "performance.query"
"#;

const PEOPLE: &str = "email,first_name,visits\nann@example.org,Ann,3\nbob@example.org,\"=HYPERLINK(\"\"x\"\")\",-2\n";

fn performance(root: &Path, people: &str) -> Tool {
    write(root, "people.csv", people);
    let text = r#"
        csv = { people = "people.csv" }
        [queries.audience]
        sql = "SELECT * FROM people WHERE email <> :not ORDER BY email"
        description = "whom to reach"
        args = { not = "string" }
    "#;
    tools::open::<sql::Config>("performance", config(text).unwrap(), root).unwrap().remove(0)
}

fn open(root: &Path, people: &str) -> Arc<dyn Outward> {
    outward(&open_with(CONFIG, performance(root, people)).unwrap())
}

/// The tool under that configuration, which reads its audience through `audience`.
fn open_with(text: &str, audience: Tool) -> Result<Tool, String> {
    let beside = [("performance.query".parse().unwrap(), audience)].into();
    let opened = tools::open_beside::<email::Config>("email", config(text).unwrap(), Path::new(""), &beside);
    opened.map(|mut tools| tools.remove(0))
}

fn args() -> Value {
    json!({
        "sequence": { "name": "win-back", "why": "more fields are fine", "mails": [
            { "id": "hello", "day": 0, "subject": "Wë miss you, {{first_name|there}}", "preheader": "A <small> note",
              "text": "Hi {{first_name|there}},\n\n<b>3 < 4</b> & see https://example.com/?utm_source=mail&x=1.\n\n{{unsubscribe_url}}",
              "purpose": "more fields are fine" },
            { "id": "last-call", "day": 3, "subject": "Last call", "text": "Bye." },
        ] },
        "audience": { "query": "audience", "args": { "not": "" }, "size": 2 },
        "from": "news@example.com",
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut args = args();
    *args.pointer_mut(pointer).unwrap() = value;
    args
}

fn text(item: &Item) -> String {
    String::from_utf8(item.bytes.clone()).unwrap()
}

#[tokio::test]
async fn it_prepares_a_mail_each_and_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let tool = open(dir.path(), PEOPLE);
    let spec = tool.spec();
    assert_eq!((spec.repeat, spec.reach, spec.drafts), (Repeat::Queryable, Reach::ActsOut, true));
    let items = tool.prepare(intent(args())).await.unwrap();
    let keys: Vec<_> = items.iter().map(|item| (item.key.as_str(), item.recipients)).collect();
    assert_eq!(keys, [("01-hello.eml", 2), ("02-last-call.eml", 2), ("audience.csv", 0)]);
    assert_eq!(items[1].title, "day 3: Last call");
    assert_eq!(
        text(&items[2]),
        "email,first_name,visits\nann@example.org,Ann,3\nbob@example.org,\"'=HYPERLINK(\"\"x\"\")\",-2\n"
    );
    // printf '...' | sha256sum of the text above.
    let sum = "2 people, audience.csv sha256:";
    assert!(
        items[0].recipient.starts_with(sum) && items[0].recipient.len() == sum.len() + 64,
        "{}",
        items[0].recipient
    );
    insta::assert_snapshot!(text(&items[0]).replace('\r', ""));
    insta::assert_snapshot!(text(&items[1]).replace('\r', ""));
    assert!(!dir.path().join("01-hello.eml").exists(), "prepare has no effect");
}

#[tokio::test]
async fn the_same_call_gives_the_same_bytes_and_another_effect_others() {
    let dir = tempfile::tempdir().unwrap();
    let tool = open(dir.path(), PEOPLE);
    let first = tool.prepare(intent(args())).await.unwrap();
    let again = open(dir.path(), PEOPLE).prepare(intent(args())).await.unwrap();
    assert_eq!(first, again);
    let mut other = intent(args());
    other.effect = effect(2);
    let other = tool.prepare(other).await.unwrap();
    assert_ne!(first[0].bytes, other[0].bytes);
    assert_eq!(first[2], other[2]);
}

#[tokio::test]
async fn what_was_prepared_is_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let tool = open(dir.path(), PEOPLE);
    let out = dir.path().join("out/3-win-back");
    let items = tool.prepare(intent(args())).await.unwrap();
    for (n, item) in items.iter().enumerate() {
        let slot = approved(n as u8, &out, item);
        assert_eq!(tool.query(slot.clone()).await.unwrap(), None);
        let receipt = tool.perform(slot.clone()).await.unwrap();
        assert_eq!(fs::read(&receipt.place).unwrap(), item.bytes);
        assert_eq!(tool.query(slot).await.unwrap(), Some(receipt));
    }
}

/// The addresses of the shipped kind of list.
fn list(addresses: &[&str]) -> String {
    let rows = addresses.iter().map(|address| format!("{address},\"a, \"\"b\"\"\",1\n"));
    format!("email,first_name,visits\n{}", rows.collect::<String>())
}

#[tokio::test]
async fn whoever_withdrew_since_the_approval_is_left_out_and_nobody_is_added() {
    let (ann, bob, eve) = ("ann@example.org", "bob@example.org", "eve@example.org");
    // Who is among the people when the list is approved and when it leaves; who is left out.
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        (&[ann, bob], &[ann, bob], &[]),
        (&[ann, bob, eve], &[ann, eve], &[bob]),
        (&[ann, bob], &[bob], &[ann]),
        (&[ann, bob], &[ann], &[bob]),
        (&[ann, bob], &[bob, ann, eve], &[]),
        (&[ann, bob], &[eve, bob], &[ann]),
        (&[ann], &["Ann@Example.org"], &[]),
        (&[ann, bob], &[eve], &[ann, bob]),
    ];
    for (before, after, left_out) in cases {
        let dir = tempfile::tempdir().unwrap();
        let size = changed("/audience/size", json!(before.len()));
        let items = open(dir.path(), &list(before)).prepare(intent(size)).await.unwrap();
        let out = dir.path().join("out/1-x");
        let slot = approved(9, &out, items.last().unwrap());
        let tool = open(dir.path(), &list(after));
        let receipt = tool.perform(slot.clone()).await.unwrap();
        assert_eq!(receipt.dropped, left_out, "{before:?} -> {after:?}");
        let kept: Vec<_> = before.iter().filter(|address| !left_out.contains(address)).copied().collect();
        let written = fs::read(&receipt.place).unwrap();
        assert_eq!(String::from_utf8(written.clone()).unwrap(), list(&kept), "what stays is what was approved");
        assert_eq!(receipt.sha256, Some(sha256(&written)), "of what was written");
        assert_eq!(tool.query(slot.clone()).await.unwrap(), Some(receipt.clone()));
        // The process died between the file and its note.
        let record = out.join(outbox::RECORD);
        let noted = fs::read_to_string(&record).unwrap();
        let torn: Vec<_> = noted.lines().take(noted.lines().count() - 1).map(|line| format!("{line}\n")).collect();
        fs::write(&record, torn.concat()).unwrap();
        assert_eq!(tool.query(slot.clone()).await.unwrap(), Some(receipt.clone()), "{before:?} -> {after:?}");
        fs::remove_file(&receipt.place).unwrap();
        assert_eq!(tool.query(slot).await.unwrap(), None, "the intention alone is no act");
    }
}

#[tokio::test]
async fn a_list_whose_people_cannot_be_asked_for_again_does_not_leave() {
    let dir = tempfile::tempdir().unwrap();
    let items = open(dir.path(), PEOPLE).prepare(intent(args())).await.unwrap();
    let slot = approved(9, &dir.path().join("out/1-x"), &items[2]);
    let mut older = slot.clone();
    older.item.again = None;
    let mut gone = slot.clone();
    gone.item.again = Some(json!({ "query": "nobody", "args": {} }));
    let tool = open(dir.path(), PEOPLE);
    for (slot, says) in [(older, "did not note how"), (gone, "there is no query")] {
        let why = tool.perform(slot).await.unwrap_err();
        assert!(why.reason.contains(says), "{why:?}");
    }
    fs::remove_file(dir.path().join("people.csv")).unwrap();
    let tool = outward(&open_with(CONFIG, unread(dir.path())).unwrap());
    assert!(tool.perform(slot.clone()).await.is_err());
    // Who does not answer in time is not waited for until nobody knows what happened.
    let silent = Tool::callable(Silent(performance(dir.path(), PEOPLE)));
    let tool = outward(&open_with(&format!("{CONFIG}call_timeout = \"20ms\"\n"), silent).unwrap());
    let why = tool.perform(slot).await.unwrap_err();
    assert!(why.class == Class::Transient && why.reason.contains("within 15 ms, three quarters of"), "{why:?}");
    assert!(!dir.path().join("out").exists(), "nothing was written");
}

/// A tool that never answers.
struct Silent(Tool);

impl Declared for Silent {
    fn spec(&self) -> &ToolSpec {
        self.0.spec()
    }
}

impl Callable for Silent {
    fn call(&self, _: Call) -> Work<'_, Value> {
        Box::pin(std::future::pending())
    }
}

/// The people's tool over a file that is gone.
fn unread(root: &Path) -> Tool {
    let tool = performance(root, PEOPLE);
    fs::remove_file(root.join("people.csv")).unwrap();
    tool
}

#[tokio::test]
async fn an_audience_is_counted_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let tool = open(dir.path(), PEOPLE);
    let audience = |query: &str, size: u64| json!({ "query": query, "args": { "not": "" }, "size": size });
    let cases = [
        ("audience", audience("audience", 2), ""),
        ("audience", audience("audience", 3), "size says 3"),
        ("audience", audience("everybody", 2), "there is no query"),
        ("audience", json!({ "query": "audience", "size": 2 }), "the query audience needs"),
        ("audience", json!("its schema tells"), ""),
        ("sequence", json!({}), ""),
    ];
    for (arg, value, says) in cases {
        let found = tool.foresee(arg, Call { effect: effect(1), args: value, is_live: true }).await.unwrap();
        assert!(found.len() == usize::from(!says.is_empty()) && found.concat().contains(says), "{says}: {found:?}");
    }
    let many: Vec<String> = (0..=10_000).map(|n| format!("a{n}@example.org")).collect();
    let tool = open(dir.path(), &list(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let found = tool
        .foresee("audience", Call { effect: effect(1), args: audience("audience", 10_001), is_live: true })
        .await
        .unwrap();
    assert!(found.concat().contains("more than 10000 rows (rows_max): ask for less, or raise rows_max"), "{found:?}");
}

#[tokio::test]
async fn no_cell_is_a_formula_to_any_spreadsheet() {
    // What a row says, and what stands in the file; in quotes, a spreadsheet may still take it apart.
    let cases = [
        ("plain", "plain"),
        ("a=b", "a=b"),
        ("-5 x", "'-5 x"),
        ("=1", "'=1"),
        ("+1 x", "'+1 x"),
        ("@sum", "'@sum"),
        ("\u{ff1d}1", "'\u{ff1d}1"),
        ("\u{ff0b}1", "'\u{ff0b}1"),
        ("\u{ff0d}1", "'\u{ff0d}1"),
        ("\u{ff20}sum", "'\u{ff20}sum"),
        ("\u{fe66}1", "'\u{fe66}1"),
        (" =1", "' =1"),
        ("\u{a0}=1", "'\u{a0}=1"),
        ("\u{200b}=1", "'\u{200b}=1"),
        ("\u{feff}=1", "'\u{feff}=1"),
        ("\n=1", "'\n'=1"),
        ("\r=1", "'\r'=1"),
        ("\t=1", "'\t'=1"),
        ("\r\n =1", "'\r\n' =1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("a\t@sum", "a\t'@sum"),
        ("\"=1", "'\"=1"),
        ("a; b", "a; b"),
        ("'=1", "'=1"),
        ("Zo\u{eb} - x", "Zo\u{eb} - x"),
    ];
    for (cell, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        let cell = cell.replace('"', "\"\"");
        let people = format!("email,first_name\nann@example.org,\"{cell}\"\nbob@example.org,Bob\n");
        let items = open(dir.path(), &people).prepare(intent(args())).await.unwrap();
        let mut written = csv::Reader::from_reader(items[2].bytes.as_slice());
        let row = written.records().next().unwrap().unwrap();
        assert_eq!(row.get(1), Some(wanted), "{cell:?}");
    }
}

#[tokio::test]
async fn no_header_pretends_that_one_click_unsubscribes() {
    let dir = tempfile::tempdir().unwrap();
    let items = open(dir.path(), PEOPLE).prepare(intent(args())).await.unwrap();
    for item in items.iter().filter(|item| item.media_type == "message/rfc822") {
        let text = text(item);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
        assert!(!names.iter().any(|name| name.to_lowercase().starts_with("list-unsubscribe")), "{head}");
        assert!(names.contains(&"X-Callsheet-Unsubscribe"), "{head}");
        assert!(body.contains("{{unsubscribe_url}}"), "the recipient's own link is the platform's to fill in");
    }
}

#[tokio::test]
async fn a_sequence_or_sender_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tool = open(dir.path(), PEOPLE);
    let cases = [
        (changed("/from", json!("ceo@example.com")), Some("from"), "is not the sender"),
        (changed("/from", json!("news@example.com, x@y.z")), Some("from"), "is not the sender"),
        (changed("/sequence/mails", json!([])), Some("sequence"), "has 0 mails"),
        (changed("/sequence/mails/1/id", json!("hello")), Some("sequence"), "mail 2: its id"),
        (changed("/sequence/mails/1/id", json!("../x")), Some("sequence"), "mail 2: its id"),
        (changed("/sequence/mails/0/subject", json!("a\r\nBcc: x@y.z")), Some("sequence"), "mail 1: its subject"),
        (changed("/sequence/mails/0/preheader", json!("a\nb")), Some("sequence"), "mail 1: its preheader"),
        (changed("/sequence/mails/0/subject", json!(" ")), Some("sequence"), "mail 1: it needs"),
        (changed("/sequence/mails/0/text", json!("\u{1b}[31m")), Some("sequence"), "mail 1: its text"),
        (changed("/sequence/mails/0/day", json!("monday")), None, "do not fit"),
        (changed("/audience/query", json!("everybody")), Some("audience"), "audience: there is no query"),
        (changed("/audience/args", json!({})), Some("audience"), "audience: the query audience needs"),
        (changed("/audience/args/not", json!(7)), Some("audience"), "is to be a"),
    ];
    for (args, about, says) in cases {
        let why = tool.prepare(intent(args)).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{says}: {why:?}");
        assert_eq!(why.about.as_deref(), about, "{says}: whoever wrote that is asked again");
    }
}

#[tokio::test]
async fn an_audience_that_cannot_be_reached_is_refused() {
    let cases = [
        // What the rows are, nobody of the team can mend; that there are none, whoever chose the query.
        (
            "email,a\nann@example.org,1\nAnn@Example.org,2\n",
            Class::Permanent,
            "row 2: \"ann@example.org\" is already in row 1",
        ),
        ("email,a\nann@example.org,1\nno address,2\n", Class::Permanent, "row 2: \"no address\" is no address"),
        ("email,a\n=cmd@example.org,1\n", Class::Permanent, "row 1: \"=cmd@example.org\" is no address"),
        ("email,a\n,1\n", Class::Invalid, "gives nobody"),
    ];
    for (people, class, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        let why = open(dir.path(), people).prepare(intent(args())).await;
        let why = why.unwrap_err();
        assert!(why.class == class && why.reason.contains(says), "{says}: {why:?}");
    }
}

/// The size in the audience is of another time: it is counted anew, and the difference is shown.
#[tokio::test]
async fn one_reader_fewer_is_counted_and_shown() {
    let cases = [
        (2, "2 people"),
        (3, "2 people, counted anew (the audience says 3)"),
        (1, "2 people, counted anew (the audience says 1)"),
        (0, "2 people, counted anew (the audience says 0)"),
    ];
    for (said, shown) in cases {
        let dir = tempfile::tempdir().unwrap();
        let call = intent(changed("/audience/size", json!(said)));
        let items = open(dir.path(), PEOPLE).prepare(call).await.unwrap();
        assert_eq!((items[2].title.as_str(), items[0].recipients), (shown, 2));
    }
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("Nëws <news@example.com>", "nobody", "is no sender"),
        ("\"help@example.com\"", "\"help\"", "is no sender"),
        ("Example Ltd, 1 Main Street, Springfield", " ", "one line"),
        ("https://example.com", "http://example.com", "https://"),
        ("performance.query", "other.query", "names no tool"),
    ];
    for (from, to, says) in cases {
        let audience = performance(dir.path(), PEOPLE);
        let why = open_with(&CONFIG.replace(from, to), audience).err().unwrap();
        assert!(why.contains(says) && why.contains("[tools.email]"), "{why}");
    }
    assert!(config::<email::Config>(&format!("{CONFIG}pop3 = \"x\"")).unwrap_err().contains("unknown field"));
}

/// A tool whose rows are not all that there are, with a declaration of its own.
struct Cut(Tool, ToolSpec);

impl Declared for Cut {
    fn spec(&self) -> &ToolSpec {
        &self.1
    }
}

impl Callable for Cut {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let mut answer = tools::call(&self.0, call.args).await?;
            answer["truncated"] = true.into();
            Ok(answer)
        })
    }
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_no_audience() {
    let dir = tempfile::tempdir().unwrap();
    let people = performance(dir.path(), PEOPLE);
    let cut = |spec: ToolSpec| Tool::callable(Cut(people.clone(), spec));
    let far =
        [cut(ToolSpec { reach: Reach::ReadsOut, ..people.spec().clone() }), Tool::Outward(open(dir.path(), PEOPLE))];
    for far in far {
        let why = open_with(CONFIG, far).err().unwrap();
        assert!(why.contains("the audience is read inside the project"), "{why}");
    }
    let tool = outward(&open_with(CONFIG, cut(people.spec().clone())).unwrap());
    let why = tool.prepare(intent(args())).await.unwrap_err();
    assert!(why.class == Class::Permanent && why.reason.contains("cut off"), "{why:?}");
}

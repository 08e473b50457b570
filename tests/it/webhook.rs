//! The `webhook` kind: what was approved is what is sent, signed and with the key of its act; what every answer comes to; and what
//! comes of it if the process is killed around the request.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use callsheet::failure::{Class, Failure};
use callsheet::run::body::Receipt;
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::part::address::system;
use callsheet::tool::webhook::Config;
use callsheet::tool::{Approved, Outward, Tools};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::acting::Acting;
use crate::sweep::POINTS;
use crate::tools::{approved, config, effect, intent, outward, write};
use crate::wire::server::{Asked, Framing, Played, Then, framed, serve};

/// What nobody may see but the server.
const SECRET: &str = "canary-hook-2b8e55";
const TOKEN: &str = "canary-token-90ab1";
const PATH: &str = "canary-path-T0/B0/77";

type Heard = Arc<Mutex<Vec<Asked>>>;

fn open(table: &str, base: &str) -> Result<Arc<dyn Outward>, String> {
    let none = Tools::new();
    let base = base.to_owned();
    let secrets = Secrets::new(move |name| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "TOKEN" => Some(TOKEN.to_owned()),
        "URL" => Some(format!("{base}/{PATH}")),
        "ODD" => Some("ftp://example.com".to_owned()),
        _ => None,
    });
    let ground = Ground::at(Path::new(""), &none, secrets);
    let tools = config::<Config>(table)?.open_finding("crm", &ground, system());
    tools.map(|tools| outward(&tools[0])).map_err(|why| why.to_string())
}

/// A server whose answer is named by the last word of the path, and what it was asked.
fn server() -> (String, Heard) {
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    let base = serve(move |asked| {
        kept.lock().unwrap().push(asked.clone());
        let played = |status: &str, headers: &[&str], body: &str| {
            let head: Vec<String> = std::iter::once(status).chain(headers.iter().copied()).map(str::to_owned).collect();
            framed(&head, body.as_bytes(), Framing::Length)
        };
        match asked.path().rsplit('/').next().unwrap() {
            "echo" => played("200 OK", &[], &asked.head),
            "moved" => played("307 Temporary Redirect", &["location: /ok"], ""),
            "bad" => played("400 Bad Request", &[], "no such field"),
            "who" => played("401 Unauthorized", &[], ""),
            "wait" => played("429 Too Many Requests", &["retry-after: 7"], ""),
            "busy" => played("503 Service Unavailable", &[], ""),
            "broken" => played("500 Internal Server Error", &[], "half of it is done"),
            "gateway" => played("502 Bad Gateway", &[], ""),
            "cut" => Played { bytes: Vec::new(), then: Then::Close },
            "odd" => Played { bytes: b"220 I am no web server\r\n".to_vec(), then: Then::Close },
            "half" => framed(&["200 OK".to_owned()], b"it is d", Framing::Broken),
            "flood" => Played { bytes: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), then: Then::Again(vec![b'x'; 1 << 16]) },
            _ => played("200 OK", &[], "done"),
        }
    });
    (base, heard)
}

async fn send(tool: &dyn Outward, args: Value) -> Result<Receipt, Failure> {
    let items = tool.prepare(intent(args)).await?;
    assert_eq!(items.len(), 1);
    tool.perform(approved(3, Path::new("out"), &items[0])).await
}

#[tokio::test]
async fn what_was_approved_is_what_is_sent_signed_and_with_its_key() {
    let (base, heard) = server();
    let table = format!(
        "url = \"{base}/ok\"\nallow_http = true\nprivate_host = true\nsecret_env = \"SECRET\"\ntoken_env = \"TOKEN\""
    );
    let tool = open(&table, &base).unwrap();
    let items = tool.prepare(intent(json!({ "body": { "title": "Grüße", "n": 3 } }))).await.unwrap();
    let slot = approved(3, Path::new("out"), &items[0]);
    let receipt = tool.perform(slot.clone()).await.unwrap();
    assert!(
        receipt.place.ends_with("/ok took it (HTTP 200)") && receipt.remark.as_deref() == Some("done"),
        "{receipt:?}"
    );
    tool.perform(slot).await.unwrap();
    let heard = heard.lock().unwrap();
    let header = |asked: &Asked, name: &str| {
        let lines = asked.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    for asked in heard.iter() {
        assert!(asked.head.starts_with("POST /ok HTTP/1.1"), "{}", asked.head);
        assert_eq!(asked.bytes, items[0].bytes);
        assert_eq!(header(asked, "idempotency-key"), [effect(3).to_string()], "the same at every attempt");
        assert_eq!(header(asked, "authorization"), [format!("Bearer {TOKEN}")]);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{}.{}", effect(3), asked.body).as_bytes());
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header(asked, "x-callsheet-act-signature"), [format!("sha256={digits}")]);
    }
    assert_eq!(heard.len(), 2);
}

#[tokio::test]
async fn every_answer_comes_to_a_class() {
    let (base, _) = server();
    let cases = [
        ("ok", Ok(()), "done"),
        ("half", Ok(()), "HTTP 200"),
        ("flood", Ok(()), "HTTP 200"),
        ("moved", Err(Class::Permanent), "is not followed (HTTP 307)"),
        ("bad", Err(Class::Permanent), "refuses it (HTTP 400): no such field"),
        ("who", Err(Class::Permanent), "refuses whoever asks (HTTP 401)"),
        ("wait", Err(Class::Throttled), "asks to wait (HTTP 429)"),
        ("busy", Err(Class::Throttled), "asks to wait (HTTP 503)"),
        ("broken", Err(Class::InDoubt), "nobody knows how far it came (HTTP 500): half of it is done"),
        ("gateway", Err(Class::InDoubt), "nobody knows how far it came"),
        ("cut", Err(Class::InDoubt), "its answer was not heard"),
        ("odd", Err(Class::InDoubt), "its answer was not heard"),
    ];
    for (path, wanted, says) in cases {
        let table = format!("url = \"{base}/{path}\"\nallow_http = true\nprivate_host = true");
        let came = send(open(&table, &base).unwrap().as_ref(), json!({ "body": {} })).await;
        assert_eq!(came.as_ref().map(|_| ()).map_err(|why| why.class), wanted, "{path}: {came:?}");
        assert!(format!("{came:?}").contains(says), "{path}: {came:?}");
        let waits = came.err().and_then(|why| why.retry_after_ms);
        assert_eq!(waits, (path == "wait").then_some(7_000), "{path}");
    }
    // Nobody is there, and nobody may be.
    let nobody = open("url = \"http://127.0.0.1:9/x\"\nallow_http = true\nprivate_host = true", "").unwrap();
    assert_eq!(send(nobody.as_ref(), json!({ "body": {} })).await.unwrap_err().class, Class::Transient);
    for url in ["http://127.0.0.1:9/x", "http://localhost:9/x", "http://10.0.0.1/x", "http://[::1]/x"] {
        let tool = open(&format!("url = \"{url}\"\nallow_http = true"), "").unwrap();
        let why = send(tool.as_ref(), json!({ "body": {} })).await.unwrap_err();
        assert!(why.class == Class::Policy && why.reason.contains("private_host = true"), "{url}: {why:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_a_secret_stays_one() {
    let (base, heard) = server();
    let table = "url_env = \"URL\"\nform = \"slack\"\nallow_http = true\nprivate_host = true";
    let tool = open(table, &base).unwrap();
    let text = "Done: <!channel> & <https://evil.example|your bank>";
    let items = tool.prepare(intent(json!({ "text": text }))).await.unwrap();
    let receipt = tool.perform(approved(3, Path::new("out"), &items[0])).await.unwrap();
    let told = format!("{:?}{items:?}{receipt:?}", tool.spec());
    assert!(!told.contains(PATH) && told.contains("the address in URL"), "{told}");
    let asked = heard.lock().unwrap().remove(0);
    assert!(asked.head.starts_with(&format!("POST /{PATH} ")), "{}", asked.head);
    let sent: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(sent, json!({ "text": "Done: &lt;!channel&gt; &amp; &lt;https://evil.example|your bank&gt;" }));
    // A server that quotes what it was asked with.
    let echo =
        open(&format!("url = \"{base}/echo\"\nallow_http = true\nprivate_host = true\ntoken_env = \"TOKEN\""), &base);
    let receipt = send(echo.unwrap().as_ref(), json!({ "body": {} })).await.unwrap();
    assert!(!format!("{receipt:?}").contains(TOKEN), "{receipt:?}");
}

#[tokio::test]
async fn a_draft_is_a_file_and_no_request() {
    let (base, heard) = server();
    let dir = tempfile::tempdir().unwrap();
    let tool = open(&format!("url = \"{base}/ok\"\nallow_http = true\nprivate_host = true"), &base).unwrap();
    let items = tool.prepare(intent(json!({ "body": [1] }))).await.unwrap();
    let draft = Approved { draft: true, ..approved(3, &dir.path().join("out"), &items[0]) };
    let receipt = tool.perform(draft).await.unwrap();
    assert_eq!(std::fs::read(&receipt.place).unwrap(), items[0].bytes);
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let cases = [
        ("", "write either url, or url_env"),
        ("url = \"https://a.example/\"\nurl_env = \"URL\"", "write either url, or url_env"),
        ("url = \"http://a.example/\"", "does not begin with https://"),
        ("url = \"a.example\"", "is no address"),
        ("url = \"https://me:secret@a.example/\"", "no name or password before it"),
        ("url = \"https://a.example/\"\nrepeat = { class = \"queryable\" }", "nobody can ask a webhook"),
        ("url = \"https://a.example/\"\nrepeat = { class = \"pure\" }", "nobody can ask a webhook"),
        ("url = \"https://a.example/\"\nform = \"xml\"", "xml"),
    ];
    for (table, says) in cases {
        let why = open(table, "").err().unwrap();
        assert!(why.contains(says), "{table}: {why}");
    }
}

/// A project whose run waits for the approval of one request to `base`, that repeats so.
fn waiting(base: &str, repeat: &str) -> Acting {
    let act = "tool = \"crm.post\", args = { body = \"note\" }";
    let shop = Acting::new("notes", &["note"], act, &[("HOOK", SECRET)]);
    let table =
        format!("url = \"{base}/ok\"\nallow_http = true\nprivate_host = true\nsecret_env = \"HOOK\"\n{repeat}\n");
    let text = format!("schema_version = 1\n[tools.crm]\nkind = \"webhook\"\ncall_timeout = \"500ms\"\n{table}");
    write(shop.path(), "callsheet.toml", text);
    write(shop.path(), "answer.toml", "title = \"It is done\"\n");
    shop.wait("notes");
    shop
}

#[test]
fn killed_around_the_request_it_is_done_once_or_with_the_same_key() {
    let mut counts = BTreeMap::new();
    for repeat in ["", "repeat = { class = \"idempotent\", key_age_ms = 600000 }"] {
        let (base, heard) = server();
        let shop = waiting(&base, repeat);
        for point in POINTS {
            for nth in 1.. {
                assert!(nth < 60, "{point} is passed without end");
                let what = format!("{repeat} killed at {point}:{nth}");
                heard.lock().unwrap().clear();
                let copied = shop.copied();
                let ended =
                    copied.command("approve 2").env("CALLSHEET_CRASH", format!("{point}:{nth}")).output().unwrap();
                if ended.status.signal() != Some(9) {
                    assert_eq!(ended.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&ended.stderr));
                    break;
                }
                let questions = copied.drive(&what, |_| !heard.lock().unwrap().is_empty());
                let heard = heard.lock().unwrap();
                let keys: Vec<_> = heard
                    .iter()
                    .flat_map(|asked| asked.head.lines().filter(|line| line.starts_with("idempotency-key")))
                    .collect();
                assert!(!keys.is_empty() && keys.iter().all(|key| *key == keys[0]), "{what}: {keys:?}");
                if repeat.is_empty() {
                    assert_eq!(keys.len(), 1, "{what}: what nobody can ask is asked once");
                } else {
                    assert_eq!(questions, 0, "{what}: the same key again needs no person");
                }
                let count: &mut (usize, usize, usize) = counts.entry(repeat).or_default();
                *count = (count.0 + 1, count.1 + questions, count.2 + keys.len());
            }
        }
    }
    use std::io::Write as _;
    let mut err = std::io::stderr();
    for (repeat, (kills, questions, requests)) in counts {
        let class = if repeat.is_empty() { "once" } else { "idempotent" };
        writeln!(err, "webhook, {class}: {kills} kills, {questions} questions, {requests} requests").unwrap();
    }
}

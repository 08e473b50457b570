//! The `http` kind: what an endpoint gives, what becomes of every other answer, and that nothing which is not public is asked,
//! however it is spelled.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callsheet::failure::{Class, Failure};
use callsheet::tool::http::Config;
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::part::address::{Finder, is_public};
use callsheet::tool::{Tool, Tools};
use serde_json::{Value, json};

use crate::tools::{call, config};
use crate::wire::server::{Asked, Framing, Played, framed, serve};

/// A token that nobody may see.
const TOKEN: &str = "tok-7f3a9c51d2e8";

/// The tools of a table. All names lead to this machine.
fn open(table: &str, asked: &Arc<AtomicUsize>) -> Result<Vec<Tool>, String> {
    let asked = Arc::clone(asked);
    let finder: Finder = Arc::new(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
    });
    let none = Tools::new();
    let secrets = Secrets::new(|name| (name == "SHOP_TOKEN").then(|| TOKEN.to_owned()));
    let ground = Ground::at(Path::new(""), &none, secrets);
    config::<Config>(table)?.open_finding("shop", &ground, finder).map_err(|why| why.to_string())
}

/// A server whose answer is named by the path, and what it was asked.
fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let base = serve(move |asked| {
        kept.lock().unwrap().push(asked.head.clone());
        answer(asked)
    });
    (base, heads)
}

fn answer(asked: &Asked) -> Played {
    let played = |status: &str, headers: &[&str], body: &str| {
        let head: Vec<String> = std::iter::once(status).chain(headers.iter().copied()).map(str::to_owned).collect();
        framed(&head, body.as_bytes(), Framing::Length)
    };
    let json = "content-type: application/json; charset=utf-8";
    let path = asked.path();
    match path.split(['/', '?']).nth(1).unwrap_or_default() {
        "prices" => played("200 OK", &[json], &json!({ "data": { "price": 12.5, "asked": path } }).to_string()),
        "text" => played("200 OK", &["content-type: text/plain"], "Grüße"),
        "html" => played("200 OK", &["content-type: text/html; charset=utf-8"], PAGE),
        "pages" => played("200 OK", &[json], &page_of(path).to_string()),
        "bytes" => played("200 OK", &["content-type: application/octet-stream"], "x"),
        "latin" => {
            framed(&["200 OK".to_owned(), "content-type: text/plain".to_owned()], b"Gr\xfc\xdfe", Framing::Length)
        }
        "long" => played("200 OK", &["content-type: text/plain"], &"x".repeat(5_000)),
        "packed" => played("200 OK", &["content-type: text/plain", "content-encoding: gzip"], "x"),
        "cut" => framed(&["200 OK".to_owned(), json.to_owned()], b"{", Framing::Broken),
        "broken" => played("200 OK", &[json], "{"),
        "echo" => played("200 OK", &["content-type: text/plain"], &asked.head),
        "wait" => played("429 Too Many Requests", &["retry-after: 7"], "slowly"),
        "full" => played("503 Service Unavailable", &[], ""),
        "fails" => played("500 Internal Server Error", &[], "oops"),
        "gone" => played("404 Not Found", &[], "no such thing"),
        "who" => played("401 Unauthorized", &[], TOKEN),
        "here" => played("302 Found", &["location: /text"], ""),
        "round" => played("302 Found", &["location: /round"], ""),
        "nowhere" => played("302 Found", &[], ""),
        "away" => {
            played("307 Temporary Redirect", &[&format!("location: {}", asked.path()[6..].replace("%20", " "))], "")
        }
        _ => played("200 OK", &["content-type: text/plain"], "the server was reached"),
    }
}

const PAGE: &str = "<html><head><style>p { color: red }</style></head><body><h1>Delivery</h1><p>It is <b>free</b> from 40&nbsp;&euro;.</p>\
                    <script>alert('hidden')</script></body></html>";

/// A page of a list, by what its path asks for.
fn page_of(path: &str) -> Value {
    let (way, query) = path.split_once('?').unwrap_or((path, ""));
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).unwrap_or("0");
    let nth: u64 = cursor.parse().unwrap();
    let more = nth < 2;
    let next = match way.rsplit('/').next().unwrap_or_default() {
        "linked" if more => json!(format!("/pages/linked?of=all&cursor={}", nth + 1)),
        "counted" if more => json!(nth + 1),
        "endless" => json!(format!("?cursor={}", nth + 1)),
        "again" => json!("?cursor=0"),
        "away" => json!("http://other.test/"),
        "port" => json!("http://127.0.0.1:1/"),
        "none" => json!("http://["),
        _ => Value::Null,
    };
    let list = if way.ends_with("odd") { json!({ "id": nth }) } else { json!([{ "id": nth, "of": query }]) };
    json!({ "list": list, "next": next })
}

/// A table with one endpoint, on this machine.
fn table(base: &str, path: &str, more: &str) -> String {
    format!(
        "allow_http = true\nprivate_hosts = [\"127.0.0.1\"]\nbody_bytes_max = 2000\ntoken_env = \"SHOP_TOKEN\"\n\
         [endpoints.ask]\nurl = \"{base}{path}\"\ndoes = \"Asks.\"\n{more}"
    )
}

async fn ask(base: &str, path: &str, more: &str, args: Value) -> Result<Value, Failure> {
    let tools = open(&table(base, path, more), &Arc::default()).unwrap();
    call(&tools[0], args).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_gives_the_part_that_is_meant_and_an_argument_is_one_value() {
    let (base, heads) = server();
    let price =
        ask(&base, "/prices/{sku}?in={currency}", "result = \"/data/price\"", json!({ "sku": "a", "currency": "EUR" }))
            .await;
    assert_eq!(price.unwrap(), json!({ "data": 12.5 }));
    // However an argument is spelled, it stays where it is.
    for (sku, spelled) in [
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("{currency}", "%7Bcurrency%7D"),
        ("%2e%2e", "%252e%252e"),
        ("ü", "%C3%BC"),
        ("a\nb", "a%0Ab"),
        ("a&b", "a%26b"),
        ("@host", "%40host"),
    ] {
        let args = json!({ "sku": sku, "currency": "E&R" });
        let came = ask(&base, "/prices/{sku}?in={currency}", "result = \"/data/asked\"", args).await.unwrap();
        assert_eq!(came["data"], format!("/prices/{spelled}?in=E%26R"), "{sku}");
    }
    for sku in ["", ".", ".."] {
        let came = ask(&base, "/prices/{sku}", "", json!({ "sku": sku })).await.unwrap_err();
        assert_eq!(came.class, Class::Invalid, "{sku:?}: {}", came.reason);
    }
    assert_eq!(ask(&base, "/text", "", json!({})).await.unwrap(), json!({ "text": "Grüße" }));
    assert_eq!(ask(&base, "/here", "", json!({})).await.unwrap(), json!({ "text": "Grüße" }), "a redirect at home");
    let heads = heads.lock().unwrap();
    let with = |head: &String| head.to_lowercase().contains(&format!("authorization: bearer {TOKEN}"));
    assert!(heads.iter().all(with), "{heads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_answers_comes_to_a_class() {
    let (base, _) = server();
    let cases = [
        ("/wait", "", Class::Throttled, "asks to wait (HTTP 429): slowly"),
        ("/full", "", Class::Throttled, "asks to wait (HTTP 503)"),
        ("/fails", "", Class::Transient, "fails (HTTP 500): oops"),
        ("/gone", "", Class::Invalid, "has no answer to that (HTTP 404): no such thing"),
        ("/who", "", Class::Permanent, "refuses whoever asks (HTTP 401): [hidden]"),
        ("/long", "", Class::Invalid, "answers more than 2000 bytes (body_bytes_max)"),
        ("/packed", "", Class::Permanent, "answers compressed"),
        ("/cut", "", Class::Transient, "cannot be reached"),
        ("/broken", "", Class::Permanent, "the answer is no JSON"),
        ("/latin", "", Class::Permanent, "neither JSON nor UTF-8 text"),
        ("/text", "result = \"/data\"", Class::Permanent, "the answer is no JSON"),
        ("/prices", "result = \"/other\"", Class::Permanent, "the answer has no /other"),
        ("/echo", "", Class::Permanent, "holds a secret"),
        ("/round", "", Class::Permanent, "redirects more than 5 times"),
        ("/nowhere", "", Class::Permanent, "redirects to no address"),
        ("/away/http://other.test/", "", Class::Policy, "\"other.test\" is none of those that may be asked: 127.0.0.1"),
    ];
    for (path, more, class, words) in cases {
        let failure = ask(&base, path, more, json!({})).await.expect_err(path);
        assert_eq!(failure.class, class, "{path}: {}", failure.reason);
        assert!(failure.reason.contains(words), "{path}: {:?} does not say {words:?}", failure.reason);
        assert!(!failure.reason.contains(TOKEN), "{path}: {}", failure.reason);
        assert_eq!(failure.retry_after_ms, (path == "/wait").then_some(7_000), "{path}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = ask(&format!("http://{closed}"), "/", "", json!({})).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient, "{}", failure.reason);
    let keyless = table(&base, "/text", "").replace("SHOP_TOKEN", "OTHER");
    let failure = call(&open(&keyless, &Arc::default()).unwrap()[0], json!({})).await.unwrap_err();
    assert_eq!((failure.class, failure.reason.as_str()), (Class::Permanent, "it needs OTHER: set that variable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_page_by_page_at_its_own_server_and_not_without_end() {
    let (base, heads) = server();
    let linked = "result = \"/list\"\npaging = { next = \"/next\" }";
    let counted = "result = \"/list\"\npaging = { cursor = \"/next\", as = \"cursor\", pages_max = 5 }";
    for (path, more, ids, is_more) in [
        ("/pages/linked?of=all", linked, vec![0, 1, 2], false),
        ("/pages/counted?of=all", counted, vec![0, 1, 2], false),
        ("/pages/counted?cursor=1&of=all", counted, vec![1, 2], false),
        (
            "/pages/counted",
            "result = \"/list\"\npaging = { cursor = \"/next\", as = \"cursor\", pages_max = 2 }",
            vec![0, 1],
            true,
        ),
        ("/pages/endless", linked, (0..10).collect(), true),
        ("/pages/again?cursor=0", linked, vec![0], false),
        ("/pages/one", linked, vec![0], false),
    ] {
        let came = ask(&base, path, more, json!({})).await.unwrap_or_else(|why| panic!("{path}: {}", why.reason));
        let found: Vec<u64> =
            came["data"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
        assert_eq!((found, came["more"].as_bool().unwrap()), (ids, is_more), "{path}");
        let all_of = |item: &Value| item["of"].as_str().unwrap().contains("of=all");
        assert!(!path.contains("of=all") || came["data"].as_array().unwrap().iter().all(all_of), "{path}: {came}");
    }
    let before = heads.lock().unwrap().len();
    for (path, more, class, words) in [
        ("/pages/away", linked, Class::Permanent, "at another server, which is not asked"),
        ("/pages/port", linked, Class::Permanent, "at another server, which is not asked"),
        ("/pages/none", linked, Class::Permanent, "the address of the next page is none"),
        ("/pages/odd", linked, Class::Permanent, "is a list, and this answer has none there"),
        ("/text", linked, Class::Permanent, "the answer is no JSON"),
        (
            "/pages/endless",
            "result = \"/list\"\npaging = { next = \"/next\", pages_max = 1000 }",
            Class::Invalid,
            "body_bytes_max",
        ),
    ] {
        let failure = ask(&base, path, more, json!({})).await.expect_err(path);
        assert_eq!(failure.class, class, "{path}: {}", failure.reason);
        assert!(failure.reason.contains(words), "{path}: {:?} does not say {words:?}", failure.reason);
    }
    assert!(heads.lock().unwrap().len() - before < 100, "what has too much together is not read to its end");
    for (paging, words) in [
        ("{ next = \"/next\", as = \"cursor\" }", "paging is { next"),
        ("{ cursor = \"/next\" }", "paging is { next"),
        ("{}", "paging is { next"),
        ("{ next = \"next\" }", "write \"/next\""),
        ("{ next = \"/next\", pages_max = 0 }", "1 or more"),
    ] {
        let told = open(&table(&base, "/pages/one", &format!("paging = {paging}")), &Arc::default()).err().unwrap();
        assert!(told.contains(words), "{paging}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_web_is_given_as_its_readers_see_it() {
    let (base, _) = server();
    let table = "allow_http = true\nhosts = [\"*\"]\nprivate_hosts = [\"127.0.0.1\"]\n";
    let get = open(table, &Arc::default()).unwrap().remove(0);
    let came = call(&get, json!({ "url": format!("{base}/html") })).await.unwrap();
    let text = came["text"].as_str().unwrap();
    assert!(text.contains("Delivery") && text.contains("It is free from 40\u{a0}€."), "{text:?}");
    assert!(!text.contains(['<', '>']) && !text.contains("hidden") && !text.contains("color"), "{text:?}");
}

/// Addresses that are not public, as they may be spelled.
fn spellings() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/http/private.txt");
    let text = std::fs::read_to_string(file).unwrap();
    text.split('\n').skip(1).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_an_address_that_is_not_public_is_asked_whether_at_once_or_by_a_redirect() {
    let (base, heads) = server();
    let port = base.rsplit(':').next().unwrap();
    let looked_up = Arc::new(AtomicUsize::new(0));
    // Every public host may be asked, and one of our own, from which a redirect leads on.
    let table = "allow_http = true\nhosts = [\"*\"]\nprivate_hosts = [\"start.test\"]\n";
    let get = open(table, &looked_up).unwrap().remove(0);
    let reached = call(&get, json!({ "url": format!("http://start.test:{port}/x") })).await.unwrap();
    assert_eq!(reached["text"], "the server was reached");
    assert_eq!(looked_up.load(Ordering::SeqCst), 1, "what is connected to is what was looked at");
    let mut wrong = Vec::new();
    let (mut of_address, all) = (0, spellings());
    for url in &all {
        match call(&get, json!({ "url": url })).await {
            Err(failure) if failure.class == Class::Policy => of_address += 1,
            // What is no address at all is refused sooner.
            Err(failure) if failure.class == Class::Invalid => {}
            came => wrong.push(format!("{url:?}: {came:?}")),
        }
    }
    let asked = heads.lock().unwrap().len();
    assert_eq!(asked, 1, "a spelling reached the server");
    let mut redirects = 0;
    // Of what no header carries there is no redirect.
    for url in all.iter().filter(|url| url.contains("://") && url.is_ascii() && !url.contains(' ')) {
        redirects += 1;
        match call(&get, json!({ "url": format!("http://start.test:{port}/away/{}", url.replace('#', "%23")) })).await {
            Err(failure) if [Class::Policy, Class::Permanent].contains(&failure.class) => {}
            came => wrong.push(format!("by a redirect: {url:?}: {came:?}")),
        }
    }
    println!(
        "{} spellings of addresses that are not public: {of_address} refused for what they are, the others as no address; {redirects} again \
         as redirects; 0 connections",
        all.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(of_address >= 300 && redirects >= 300);
    let heads = heads.lock().unwrap();
    assert!(heads.iter().skip(1).all(|head| head.contains(" /away/")), "a redirect reached the server");
    assert!(!heads.iter().any(|head| head.contains(TOKEN)));
}

#[test]
fn what_is_public_is_what_is_given_out() {
    for (address, is) in [
        ("8.8.8.8", true),
        ("1.1.1.1", true),
        ("100.63.255.255", true),
        ("100.128.0.1", true),
        ("172.15.0.1", true),
        ("172.32.0.1", true),
        ("198.17.0.1", true),
        ("198.20.0.1", true),
        ("192.0.1.1", true),
        ("223.255.255.255", true),
        ("2606:4700::1111", true),
        ("2001:4860:4860::8888", true),
        ("2a00::1", true),
        ("2001:200::1", true),
        ("10.0.0.1", false),
        ("127.0.0.1", false),
        ("::ffff:8.8.8.8", false),
        ("::1", false),
        ("2001:db8::1", false),
        ("2002:808:808::1", false),
        ("64:ff9b::808:808", false),
    ] {
        assert_eq!(is_public(address.parse().unwrap()), is, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_got_of_the_hosts_that_are_named_and_of_no_other() {
    let (base, heads) = server();
    let port = base.rsplit(':').next().unwrap();
    let table = "allow_http = true\nhosts = [\"a.test\", \"*.b.test\"]\nprivate_hosts = [\"a.test\", \"x.b.test\"]\nbody_bytes_max = 2000\n";
    let get = open(table, &Arc::default()).unwrap().remove(0);
    let cases = [
        ("a.test", "/text", None),
        ("x.b.test", "/text", None),
        ("b.test", "/text", Some("is none of those")),
        ("ab.test", "/text", Some("is none of those")),
        ("a.test.evil.test", "/text", Some("is none of those")),
        ("x.b.test.evil.test", "/text", Some("is none of those")),
        ("a.test", "/bytes", Some("it is no text but \"application/octet-stream\"")),
        ("a.test", "/latin", Some("it is not UTF-8")),
        ("a.test", "/away/http://evil.test/", Some("\"evil.test\" is none of those")),
        ("a.test", "/long", Some("body_bytes_max")),
    ];
    for (host, path, words) in cases {
        let came = call(&get, json!({ "url": format!("http://{host}:{port}{path}") })).await;
        match (came, words) {
            (Ok(came), None) => assert_eq!(came["text"], "Grüße", "{host}{path}"),
            (Err(failure), Some(words)) => assert!(failure.reason.contains(words), "{host}{path}: {}", failure.reason),
            (came, _) => panic!("{host}{path}: {came:?}"),
        }
    }
    assert!(heads.lock().unwrap().iter().all(|head| !head.contains("evil.test\r")));
}

#[test]
fn what_a_table_says_wrong_is_told() {
    let endpoint = |url: &str, more: &str| format!("[endpoints.ask]\nurl = \"{url}\"\ndoes = \"Asks.\"\n{more}");
    let cases = [
        (String::new(), "nothing can be asked"),
        ("hosts = [\"https://a.test\"]".to_owned(), "is no host"),
        (endpoint("http://a.test/", ""), "everybody in between reads it"),
        (endpoint("ftp://a.test/", ""), "ftp is not asked"),
        (endpoint("https://{host}/", ""), "the host stands in the url as it is"),
        (endpoint("https://a.{b}.test/", ""), "the host stands in the url as it is"),
        (endpoint("https://a.test:{port}/", ""), "the host stands in the url as it is"),
        (endpoint("{url}", ""), "the host stands in the url as it is"),
        (endpoint("https://a.test/x{y}", ""), "a whole segment of the path"),
        (endpoint("https://a.test/?x=a{y}", ""), "a whole value of the query"),
        (endpoint("https://a.test/?{x}=1", ""), "the names in a query"),
        (endpoint("https://a.test/{X}", ""), "an argument is named with"),
        (endpoint("https://a.test/#{x}", ""), "has no '#'"),
        (endpoint("https://127.0.0.1/", ""), "is not a public address"),
        (endpoint("https://a.test/", "result = \"data\""), "is no JSON pointer: write \"/data\""),
        (endpoint("https://a.test/", "args = { x = \"y\" }"), "there is no {x} in the url"),
        (endpoint("https://ana:word@a.test/", ""), "no name or password"),
    ];
    for (table, words) in cases {
        let why = open(&table, &Arc::default()).err().unwrap_or_else(|| panic!("{table} is taken"));
        assert!(why.contains(words), "{table}: {why}");
    }
}

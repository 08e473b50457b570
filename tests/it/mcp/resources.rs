//! What a server has to be read: what is listed and read, that each part says where it stands, and what becomes of a server
//! that lies about it.

use callsheet::failure::Class;
use callsheet::tool::mcp::{Config, accept};
use callsheet::tool::{Tool, Tools};
use callsheet::topology::spec::Reach;
use serde_json::{Value, json};

use super::{THREE_ZEROS, TOKEN, Weather, is};
use crate::tools::{call, config, open_knowing, write};

/// A guide of two headings.
const GUIDE: &str = "# Rain\n\nIt rains on 12 days.\n\n# Sun\n\nIt shines on 18 days.\n";
/// What `sha256sum` prints of it.
const GUIDE_DIGEST: &str = "2b442a87709764257cdf2e2ef60dc574b6dd2026990cfcba73c0d5aa1b39795e";

fn shelf() -> Value {
    let listed = |uri: &str, name: &str| json!({ "uri": uri, "name": name });
    json!({
        "resources": [
            { "uri": "docs://guide", "name": "guide", "title": "The guide", "description": "Rain\nand \u{1b}[2Jsun",
              "mimeType": "text/markdown", "size": 54 },
            listed("docs://picture", "picture"),
            listed("docs://guide", "the same once more"),
            listed("docs://a/../../keys", "up"),
            listed("docs://a b", "blank"),
            listed("secrets://keys", "keys"),
            listed("docs://bytes", "bytes"),
        ],
        "templates": [
            { "uriTemplate": "docs://days/{day}", "name": "days" },
            { "uriTemplate": "secrets://{key}", "name": "keys" },
        ],
        "contents": [
            { "uri": "docs://guide", "mimeType": "text/markdown", "text": GUIDE },
            { "uri": "docs://picture", "mimeType": "image/png", "blob": "AAAA" },
            { "uri": "docs://bytes", "mimeType": "text/plain; charset=utf-8", "blob": "R3LDvMOfZQ==" },
            { "uri": "docs://wrong", "mimeType": "image/png", "blob": "no base64!" },
            { "uri": "docs://latin", "mimeType": "text/plain", "blob": "/w==" },
            { "uri": "docs://large", "text": "x".repeat(3_001) },
            { "uri": "docs://token", "text": TOKEN },
            { "uri": "docs://long", "text": "A line of the text.\n\n".repeat(140) },
            { "uri": "docs://empty", "text": "" },
            { "uri": "docs://notes.md", "mimeType": "text/plain", "text": GUIDE },
            { "uri": "docs://page.html", "text": "<h1>Rain</h1><p>It rains.</p>" },
        ],
        "blocks": [
            { "type": "text", "text": "see" },
            { "type": "resource", "resource": { "uri": "docs://guide", "mimeType": "text/markdown", "text": GUIDE } },
            { "type": "resource", "resource": { "uri": "docs://p\n", "mimeType": "image/png", "blob": "AAAA" } },
            { "type": "image", "data": "%%%", "mimeType": "image/png" },
            { "type": "audio", "data": "AAAA", "mimeType": "audio/wav" },
            { "type": "resource_link", "uri": "docs://more", "name": "more", "mimeType": "text/plain", "size": 9 },
        ],
    })
}

/// A server with that shelf, which nobody has accepted yet.
fn stocked(mode: &str) -> Weather {
    let weather = Weather::new(mode);
    write(weather.root(), "list.json.resources", shelf().to_string());
    weather
}

/// The server as it was accepted, and its two tools that read.
async fn opened(mode: &str) -> (Weather, Tool, Tool) {
    let weather = stocked("well").accepted().await.turns(mode);
    let [_, _, list, read] = <[Tool; 4]>::try_from(weather.all()).unwrap_or_else(|_| panic!("there are four"));
    (weather, list, read)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_is_what_agents_may_read_and_can_be_asked_for() {
    for mode in ["well", "no templates"] {
        let (weather, list, _) = opened(mode).await;
        assert_eq!(list.spec().reach, Reach::ReadsOut);
        assert!(list.spec().labels.untrusted && list.look().faults.is_empty());
        let days = json!([{ "uri": "docs://days/{day}", "name": "days" }]);
        let wanted = json!({
            "resources": [
                { "uri": "docs://guide", "name": "guide", "title": "The guide", "description": "Rain and [2Jsun",
                  "media_type": "text/markdown", "bytes": 54 },
                { "uri": "docs://picture", "name": "picture" },
                { "uri": "docs://bytes", "name": "bytes" },
            ],
            "templates": if mode == "well" { days } else { json!([]) }, "all": 3, "next": null,
        });
        assert_eq!(call(&list, json!({})).await.unwrap(), wanted, "{mode}");
        let found = call(&list, json!({ "words": "RAIN sun" })).await.unwrap();
        assert_eq!((&found["all"], &found["resources"][0]["uri"]), (&json!(1), &json!("docs://guide")), "{mode}");
        // All the words are to be said.
        assert_eq!(call(&list, json!({ "words": "rain picture" })).await.unwrap()["all"], 0, "{mode}");
        assert_eq!(call(&list, json!({ "from": 3 })).await.unwrap()["resources"][0]["uri"], "docs://bytes", "{mode}");
        let told = list.open().unwrap().await.unwrap().whole();
        assert!(told.contains("agents may read 3 of the 4 resources"), "{told}");
        assert!(weather.done().is_empty(), "{mode}: listing reads nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_read_as_parts_that_a_claim_can_point_at() {
    let (weather, _, read) = opened("well").await;
    let part = |nth: usize, place: &str, text: &str| json!({ "uri": "docs://guide", "part": nth, "place": place, "digest": GUIDE_DIGEST, "text": text });
    let rain = part(1, "Rain, lines 1-3", "Rain\n\nIt rains on 12 days.");
    let sun = part(2, "Sun, lines 5-7", "Sun\n\nIt shines on 18 days.");
    let whole = json!({ "parts": [rain, sun], "files": [], "next": null });
    assert_eq!(call(&read, json!({ "uri": "docs://guide" })).await.unwrap(), whole);
    // What its server says nothing of is read by how its address ends.
    let notes = call(&read, json!({ "uri": "docs://notes.md" })).await.unwrap();
    assert_eq!(notes["parts"][1]["place"], "Sun, lines 5-7", "{notes}");
    let page = call(&read, json!({ "uri": "docs://page.html" })).await.unwrap();
    assert!(!page["parts"][0]["text"].as_str().unwrap().contains('<'), "{page}");
    let first = call(&read, json!({ "uri": "docs://guide", "parts": 1 })).await.unwrap();
    assert_eq!((&first["parts"], &first["next"]), (&json!([rain]), &json!(2)));
    let second = call(&read, json!({ "uri": "docs://guide", "part": 2 })).await.unwrap();
    assert_eq!((&second["parts"], &second["next"]), (&json!([sun]), &json!(null)));
    // What changes at the server needs no other acceptance, and each reading says what it has read.
    let mut other = shelf();
    other["contents"][0]["text"] = "# Rain\n".into();
    write(weather.root(), "list.json.resources", other.to_string());
    let now = call(&read, json!({ "uri": "docs://guide" })).await.unwrap();
    assert!(now["parts"][0]["text"] == "Rain" && now["parts"][0]["digest"] != GUIDE_DIGEST, "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_described_and_not_given() {
    let (_weather, _, read) = opened("well").await;
    let three = json!({ "uri": "docs://picture", "media_type": "image/png", "bytes": 3, "digest": THREE_ZEROS });
    let came = call(&read, json!({ "uri": "docs://picture" })).await.unwrap();
    assert_eq!(came, json!({ "parts": [], "files": [three], "next": null }));
    // Bytes that are text are text, and others are not, whatever they are called.
    let came = call(&read, json!({ "uri": "docs://bytes" })).await.unwrap();
    assert_eq!(came["parts"][0]["text"], "Grüße", "{came}");
    let came = call(&read, json!({ "uri": "docs://latin" })).await.unwrap();
    assert_eq!((&came["parts"], &came["files"][0]["bytes"]), (&json!([]), &json!(1)), "{came}");
    let came = call(&read, json!({ "uri": "docs://empty" })).await.unwrap();
    assert_eq!(came, json!({ "parts": [], "files": [], "next": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_may_not_be_read_is_not_asked_for() {
    let (weather, _, read) = opened("well").await;
    for (uri, words) in [
        ("secrets://keys", "what can be is docs://*"),
        ("docs://a/../../keys", "it goes up"),
        ("docs://a/%2e%2e/keys", "it goes up"),
        ("docs://a\u{7}", "no control character"),
        ("", "1 to 2000 bytes"),
    ] {
        is(uri, call(&read, json!({ "uri": uri })).await, Class::Invalid, words);
    }
    assert!(weather.done().is_empty());
    for (args, class, words) in [
        (json!({ "uri": "docs://nothing" }), Class::Invalid, "its server refuses this: Resource not found"),
        (json!({ "uri": "docs://large" }), Class::Invalid, "3001 bytes, and 3000 are read (resources.bytes_max)"),
        (json!({ "uri": "docs://guide", "part": 3 }), Class::Invalid, "it has 2 parts, and no part 3"),
        (json!({ "uri": "docs://long", "parts": 30 }), Class::Invalid, "2000 are taken (result_bytes_max)"),
        (json!({ "uri": "docs://wrong" }), Class::Permanent, "is neither text nor base64"),
        (json!({ "uri": "docs://token" }), Class::Permanent, "holds a secret that its server was given"),
    ] {
        is(&args.to_string(), call(&read, args.clone()).await, class, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_about_its_resources_comes_to_a_class() {
    let reads = [
        ("another", Class::Permanent, "its server answers something else: \"secrets://keys\" is not asked for"),
        ("giant resource", Class::Invalid, "answers more than 3000 bytes (resources.bytes_max)"),
    ];
    for (mode, class, words) in reads {
        let (_weather, _, read) = opened(mode).await;
        is(mode, call(&read, json!({ "uri": "docs://guide" })).await, class, words);
    }
    let (_weather, list, _) = opened("endless resources").await;
    is("endless", call(&list, json!({})).await, Class::Permanent, "its list of resources has more than 64 pages");
    assert!(list.open().unwrap().await.is_err());
    // One that says that it has none is not asked.
    let (weather, list, _) = opened("well").await;
    std::fs::remove_file(weather.root().join("list.json.resources")).unwrap();
    is("none", call(&list, json!({})).await, Class::Permanent, "its server says that it has no resources");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_gives_the_text_of_resources_and_describes_the_rest() {
    let weather = stocked("all sorts").accepted().await;
    let [_, forecast] = weather.tools();
    let wanted = json!({
        "text": "see",
        "resources": [{ "uri": "docs://guide", "media_type": "text/markdown", "digest": GUIDE_DIGEST, "text": GUIDE }],
        "left_out": [
            { "kind": "file", "what": "docs://p", "media_type": "image/png", "bytes": 3, "digest": THREE_ZEROS },
            { "kind": "image", "what": "image/png", "why": "it is no base64" },
            { "kind": "sound", "what": "audio/wav", "bytes": 3, "digest": THREE_ZEROS },
            { "kind": "link", "what": "docs://more", "name": "more", "media_type": "text/plain", "bytes": 9 },
        ],
    });
    assert_eq!(call(&forecast, json!({ "city": "Rome" })).await.unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_resources_alone_needs_no_tools() {
    let weather = stocked("no tools");
    let table = weather.table();
    let (head, resources) = (table.split("[tools.").next().unwrap(), table.split("[resources]").nth(1).unwrap());
    let table: Config = config(&format!("{head}[resources]{resources}")).unwrap();
    let open = || open_knowing("weather", table.clone(), weather.root(), &Tools::new(), Weather::secrets()).unwrap();
    let names: Vec<String> = open().iter().map(|tool| tool.spec().name.to_string()).collect();
    assert_eq!(names, ["weather.resources", "weather.resource"]);
    let told = open()[0].look().faults;
    assert!(told[0].what.contains("nobody has accepted"), "{told:?}");
    let seen = weather.seen().await.unwrap();
    assert_eq!(seen.list.names().count(), 0);
    accept(weather.root(), "weather", &seen).unwrap();
    assert_eq!(call(&open()[0], json!({})).await.unwrap()["all"], 3);
}

#[test]
fn what_a_table_says_wrong_of_resources_is_told() {
    for (resources, words) in [
        ("uris = []\nreach = \"inside\"", "uris is empty"),
        ("uris = [\"guides/*\"]\nreach = \"inside\"", "does not begin as an address does"),
        ("uris = [\"docs://*\"]\nreach = \"acts_out\"", "resources are read"),
        (
            "uris = [\"docs://*\"]\nreach = \"inside\"\n[tools.resource]\nreach = \"inside\"",
            "write name = \"resource\"",
        ),
    ] {
        let table: Config = config(&format!("command = [\"server\"]\n[resources]\n{resources}\n")).unwrap();
        let none = tempfile::tempdir().unwrap();
        let why = open_knowing("one", table, none.path(), &Tools::new(), Weather::secrets()).err().unwrap();
        assert!(why.contains(words), "{resources}: {why}");
    }
}

/// What resources carry is said where they are, and else where their server is.
#[test]
fn resources_carry_what_their_table_says() {
    for (labels, of_resources, private) in [
        ("", "", false),
        ("labels = { private = true }", "", true),
        ("", "labels = { private = true }", true),
        ("labels = { private = true }", "labels = { untrusted = true }", false),
    ] {
        let text = format!(
            "command = [\"server\"]\n{labels}\n[resources]\nuris = [\"docs://*\"]\nreach = \"inside\"\n{of_resources}\n"
        );
        let none = tempfile::tempdir().unwrap();
        let tools =
            open_knowing("one", config::<Config>(&text).unwrap(), none.path(), &Tools::new(), Weather::secrets())
                .unwrap();
        assert_eq!(tools.len(), 2);
        for tool in tools {
            assert_eq!(tool.spec().labels.private, private, "{text}: {}", tool.spec().name);
        }
    }
}

/// A list that is longer than what one call may give is read in more pages: each is whole, and nothing is left out or given twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_read_page_by_page() {
    let (weather, list, _) = opened("well").await;
    let mut long = shelf();
    let of = |nth: usize| json!({ "uri": format!("docs://long/{nth}"), "name": "x".repeat(150) });
    long["resources"] = (1..=30).map(of).collect();
    write(weather.root(), "list.json.resources", long.to_string());
    let (mut from, mut read) = (json!(1), Vec::new());
    while from != json!(null) {
        let page = call(&list, json!({ "from": from })).await.unwrap();
        let uris = page["resources"].as_array().unwrap().iter().map(|of| of["uri"].as_str().unwrap().to_owned());
        read.extend(uris);
        from = page["next"].clone();
    }
    assert_eq!(read, (1..=30).map(|nth| format!("docs://long/{nth}")).collect::<Vec<_>>());
}

//! One campaign over all that people have: a search of the web and a page that it finds, a file that an MCP server has, documents,
//! and numbers of a database. Each claim of what is written opens the call that it comes from.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Project, check, untouched, words};
use crate::postgres::server::server;
use crate::sweep::copy;
use crate::tools::is_there;
use crate::wire::server::{Asked, Framing, Played, framed, serve};

const TOKEN: &str = "tok-2b7e151628ae";

/// A web server with a search and one page.
fn answer(asked: &Asked) -> Played {
    let json = "content-type: application/json".to_owned();
    let (kind, body) = match asked.path().split(['?', '/']).nth(1) {
        Some("search") if asked.head.contains(TOKEN) && asked.path().ends_with("q=plant%20shop%20delivery") => {
            let host = asked.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            (json, format!("{{\"hits\": [{{\"title\": \"Greenhouse Nine\", \"url\": \"http://{host}/greenhouse\"}}]}}"))
        }
        Some("greenhouse") if !asked.head.contains(TOKEN) => {
            let page = "<h1>Greenhouse Nine</h1><p>Delivery is free from <b>40 euros</b>.</p>";
            ("content-type: text/html".to_owned(), page.to_owned())
        }
        _ => return framed(&["404 Not Found".to_owned()], b"", Framing::Length),
    };
    framed(&["200 OK".to_owned(), kind], body.as_bytes(), Framing::Length)
}

struct Reached {
    project: Project,
    url: String,
}

impl Reached {
    fn types(&self, line: &str, code: i32) -> String {
        let mut command: Command = self.project.command();
        command.args(words(line)).env("SHOP_URL", &self.url).env("SEARCH_TOKEN", TOKEN);
        let came = command.output().unwrap();
        let text = String::from_utf8([came.stdout, came.stderr].concat()).unwrap();
        assert_eq!(came.status.code(), Some(code), "{line}\n{text}");
        assert!(!text.contains(TOKEN) && !text.contains(&self.url), "{line}\n{text}");
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_claim_of_a_campaign_over_all_connectors_opens_its_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = root.join("target/connectors/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
    let Some(database) = server().filter(|_| is_there(&files, "the MCP servers of npm")) else { return };
    let _owner = database.database("reach").await;
    let reached = Reached { project: Project::empty(), url: database.url("reader", "reach") };
    copy(&root.join("tests/cases/reach"), &reached.project.path(""));
    reached.project.replace("callsheet.toml", "BASE", &serve(answer));
    reached.project.replace("callsheet.toml", "SERVER", files.to_str().unwrap());

    let seen = reached.types("mcp inspect shelf", 3);
    let digest = seen.rsplit("--digest ").next().unwrap().split_whitespace().next().unwrap();
    reached.types(&format!("mcp accept shelf --digest {digest}"), 0);
    reached.types("data accept shop", 0);
    reached.types("check market-watch", 0);
    let doctor = reached.types("doctor", 0);
    for connection in ["web", "shelf", "library", "shop"] {
        assert!(doctor.contains(connection), "{connection}\n{doctor}");
    }
    let given = reached.types("tools web.search --call '{ query = \"plant shop delivery\" }'", 0);
    assert!(given.contains("Greenhouse Nine"), "{given}");
    reached.types("run market-watch", 3);

    let review: Value = serde_json::from_str(reached.types("review 1 --json", 0).lines().next().unwrap()).unwrap();
    let claims: Vec<(&str, u64)> = review["claims"].as_array().unwrap().iter().map(claim).collect();
    let tools: Vec<&str> = claims.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(tools, ["pages.get", "shelf.read", "library.search", "shop.query"], "{review:#}");
    let messages = reached.types("messages 1 --json", 0);
    for (tool, record) in claims {
        let mut told = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let fact = told.find(|news| news["seq"].as_u64() == Some(record)).unwrap();
        assert!(fact["fact"]["is"]["effect_settled"]["result"]["returned"].is_object(), "{tool}: {fact}");
    }
    let words = reached.types("review 1", 0);
    for (tool, quote) in [
        ("pages.get at /text", "Delivery is free from 40"),
        ("shelf.read at /data/content", "open from seven"),
        ("library.search at /hits/0/text", "costs 4.90"),
        ("shop.query at /rows/0/spent", "10150.5"),
    ] {
        assert!(words.contains(tool) && words.contains(quote), "{tool}: {quote}\n{words}");
    }
    reached.types("approve 1", 0);
    reached.types("audit verify", 0);
}

/// The tool that a claim of the review comes from in the end, and the record of its call.
fn claim(claim: &Value) -> (&str, u64) {
    let last = claim["from"].as_array().and_then(|from| from.last()).unwrap_or_else(|| panic!("{claim:#}"));
    (last["source"].as_str().unwrap(), claim["record"].as_u64().unwrap())
}

#[test]
fn a_tool_that_reads_is_tried_by_hand_and_no_other() {
    check(
        "a call by hand",
        untouched,
        &[
            ("tools articles.read --call '{ path = \"ferns-in-winter.md\" }'", 0, &["\"words\":"]),
            ("tools articles.read --call '{\"path\": \"ferns-in-winter.md\"}' --json", 0, &["\"words\":"]),
            ("tools articles.read --call 'args = { path = \"none.md\" }'", 1, &["articles.read: ", "none.md"]),
            (
                "tools articles.read --call '{ pat = \"x\" }'",
                2,
                &["'pat' was unexpected", "callsheet tools articles.read"],
            ),
            ("tools articles.read --call '[1]'", 2, &["--call takes the arguments as JSON"]),
            ("tools email.deliver --call '{}'", 2, &["acts on the world", "callsheet run --rehearse"]),
            ("tools articles.reed --call '{}'", 2, &["there is no tool articles.reed; did you mean articles.read?"]),
            ("tools articles --call '{}'", 2, &["--call calls one tool: name it, of articles."]),
            ("tools --call '{}'", 2, &["<NAME>"]),
            ("runs", 2, &["nothing has run here yet"]),
        ],
    );
}

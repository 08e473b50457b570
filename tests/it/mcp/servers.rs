//! Real servers, as their packages are: over pipes and over HTTP.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use callsheet::failure::Class;
use callsheet::tool::mcp::{Config, Server, accept};
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::{Tool, Tools};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::is;
use crate::tools::{call, config, is_there, open_knowing, write};

fn part(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/connectors").join(path)
}

/// A server of an npm package.
fn of_npm(name: &str) -> PathBuf {
    part("node_modules/@modelcontextprotocol").join(format!("server-{name}/dist/index.js"))
}

const CANARY: &str = "canary-5bd1e9a07c44";

fn secrets() -> Secrets {
    Secrets::new(|name| match name {
        "CANARY" => Some(CANARY.to_owned()),
        other => std::env::var(other).ok(),
    })
}

/// The tools of a table below `root`, once its server's list is accepted.
async fn accepted(root: &Path, table: &str) -> Vec<Tool> {
    let read = || config::<Config>(table).unwrap();
    let none = Tools::new();
    let ground = Ground::at(root, &none, secrets());
    let seen = Server::new(&read(), "one", &ground).unwrap().see().await.unwrap_or_else(|why| panic!("{}", why.reason));
    accept(root, "one", &seen).unwrap();
    let tools = open_knowing("one", read(), root, &none, secrets()).unwrap();
    for tool in &tools {
        assert_eq!(tool.look().faults, [], "{}", tool.spec().name);
        assert!(tool.spec().labels.untrusted, "{}", tool.spec().name);
    }
    tools
}

fn named<'t>(tools: &'t [Tool], name: &str) -> &'t Tool {
    tools.iter().find(|tool| tool.spec().name.as_str() == format!("one.{name}")).unwrap()
}

fn text(came: &Value) -> &str {
    came["text"].as_str().unwrap_or_else(|| panic!("{came}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_pipes() {
    let server = of_npm("everything");
    if !is_there(&server, "the MCP servers of npm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tools = "tools = { echo = { reach = \"inside\" }, get-sum = { reach = \"inside\" }, environment = { name = \"get-env\", \
                 reach = \"inside\" }, get-tiny-image = { reach = \"inside\" }, get-structured-content = { reach = \"inside\" }, \
                 get-resource-reference = { reach = \"inside\" }, get-resource-links = { reach = \"inside\" } }\n\
                 resources = { uris = [\"demo://resource/*\"], reach = \"inside\" }";
    let table = format!("command = [\"node\", {server:?}]\nenv = [\"PATH\", \"CANARY\"]\n{tools}");
    let tools = accepted(folder.path(), &table).await;
    let came = call(named(&tools, "echo"), json!({ "message": "Grüße" })).await.unwrap();
    assert!(text(&came).contains("Grüße"), "{came}");
    let came = call(named(&tools, "get-sum"), json!({ "a": 2, "b": 40 })).await.unwrap();
    assert!(text(&came).contains("42"), "{came}");
    let came = call(named(&tools, "get-tiny-image"), json!({})).await.unwrap();
    let image = &came["left_out"][0];
    assert_eq!((&image["kind"], &image["what"]), (&json!("image"), &json!("image/png")), "{came}");
    assert!(image["bytes"].as_u64().unwrap() > 1_000 && image["digest"].as_str().unwrap().len() == 64, "{image}");
    let came = call(named(&tools, "get-structured-content"), json!({ "location": "Chicago" })).await.unwrap();
    assert!(came["data"].is_object() && came["text"].is_null(), "{came}");
    let came = call(named(&tools, "get-resource-reference"), json!({ "resourceType": "Text", "resourceId": 1 }));
    let came = came.await.unwrap();
    assert!(came["resources"][0]["text"].as_str().unwrap().contains("Resource 1"), "{came}");
    let came = call(named(&tools, "get-resource-links"), json!({ "count": 2 })).await.unwrap();
    let link = &came["left_out"][0];
    assert_eq!((&link["kind"], &link["media_type"]), (&json!("link"), &json!("text/plain")), "{came}");
    // What it refers to can be read, since it is of what the project gives.
    let came = call(named(&tools, "resource"), json!({ "uri": link["what"] })).await.unwrap();
    assert!(came["parts"][0]["text"].as_str().unwrap().contains("esource"), "{came}");
    // What it has to be read, and one of these.
    let came = call(named(&tools, "resources"), json!({ "words": "architecture" })).await.unwrap();
    let [found] = came["resources"].as_array().unwrap().as_slice() else { panic!("{came}") };
    assert_eq!(found["media_type"], "text/markdown", "{came}");
    assert!(call(named(&tools, "resources"), json!({})).await.unwrap()["templates"][0]["uri"].is_string());
    let came = call(named(&tools, "resource"), json!({ "uri": found["uri"], "parts": 1 })).await.unwrap();
    let file = std::fs::read(of_npm("everything").with_file_name("docs/architecture.md")).unwrap();
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(came["parts"][0]["digest"], digest, "{came}");
    // It tells all variables that it has.
    is("get-env", call(named(&tools, "environment"), json!({})).await, Class::Permanent, "holds a secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_below_one_folder_and_not_beside_it() {
    let server = of_npm("filesystem");
    if !is_there(&server, "the MCP servers of npm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "open/note.txt", "what is open");
    write(folder.path(), "beside.txt", "what is not");
    let open = folder.path().join("open");
    let tools =
        "tools = { read = { name = \"read_text_file\", reach = \"inside\" }, list_directory = { reach = \"inside\" } }";
    let table = format!("command = [\"node\", {server:?}, {open:?}]\nenv = [\"PATH\"]\n{tools}");
    let tools = accepted(folder.path(), &table).await;
    let came = call(named(&tools, "list_directory"), json!({ "path": open })).await.unwrap();
    assert!(came.to_string().contains("note.txt"), "{came}");
    let came = call(named(&tools, "read"), json!({ "path": open.join("note.txt") })).await.unwrap();
    assert!(came.to_string().contains("what is open"), "{came}");
    let came = call(named(&tools, "read"), json!({ "path": open.join("../beside.txt") })).await;
    is("beside", came, Class::Invalid, "its server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_is_read_again_by_a_new_process() {
    let server = of_npm("memory");
    if !is_there(&server, "the MCP servers of npm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tools = "tools = { read_graph = { reach = \"inside\" }, create_entities = { reach = \"acts_out\" } }";
    let table = format!("command = [\"node\", {server:?}]\nenv = [\"PATH\", \"MEMORY_FILE_PATH\"]\n{tools}");
    let file = folder.path().join("memory.jsonl");
    let line =
        json!({ "type": "entity", "name": "spring", "entityType": "campaign", "observations": ["it went well"] });
    write(folder.path(), "memory.jsonl", format!("{line}\n"));
    let of = Secrets::new(move |name| match name {
        "MEMORY_FILE_PATH" => Some(file.display().to_string()),
        other => std::env::var(other).ok(),
    });
    let none = Tools::new();
    let ground = Ground::at(folder.path(), &none, of.clone());
    let seen = Server::new(&config(&table).unwrap(), "one", &ground).unwrap().see().await.unwrap();
    accept(folder.path(), "one", &seen).unwrap();
    for _ in 0..2 {
        let tools = open_knowing::<Config>("one", config(&table).unwrap(), folder.path(), &none, of.clone()).unwrap();
        let came = call(named(&tools, "read_graph"), json!({})).await.unwrap();
        assert!(came.to_string().contains("it went well"), "{came}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_server_that_is_written_in_python() {
    let server = part("time/bin/mcp-server-time");
    if !is_there(&server, "the MCP server of PyPI") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tools = "tools = { convert_time = { reach = \"inside\" } }";
    let tools = accepted(folder.path(), &format!("command = [{server:?}]\n{tools}")).await;
    let args = json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo" });
    let came = call(named(&tools, "convert_time"), args).await.unwrap();
    assert!(came.to_string().contains("21:00"), "{came}");
    let args = json!({ "source_timezone": "Nowhere", "time": "12:00", "target_timezone": "Asia/Tokyo" });
    is("no zone", call(named(&tools, "convert_time"), args).await, Class::Invalid, "its server says");
}

/// A server that speaks HTTP, as long as the test runs.
struct Listening {
    child: Child,
    url: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    fn start(server: &Path) -> Self {
        // The system gives a port that is free; it is the server's a moment later.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .arg(server)
            .arg("streamableHttp")
            .env("PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("listening")), "the server did not begin");
        // What it says goes on being read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://127.0.0.1:{port}/mcp") }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_http() {
    let server = of_npm("everything");
    if !is_there(&server, "the MCP servers of npm") {
        return;
    }
    let listening = Listening::start(&server);
    let folder = tempfile::tempdir().unwrap();
    let tools = "tools = { echo = { reach = \"reads_out\" }, get-sum = { reach = \"reads_out\" } }";
    let table = format!("url = {:?}\ntoken_env = \"CANARY\"\nstart_timeout = \"5s\"\n{tools}", listening.url);
    let tools = accepted(folder.path(), &table).await;
    for _ in 0..3 {
        let came = call(named(&tools, "get-sum"), json!({ "a": 2, "b": 40 })).await.unwrap();
        assert!(text(&came).contains("42"), "{came}");
    }
    is("echo", call(named(&tools, "echo"), json!({ "message": CANARY })).await, Class::Permanent, "holds a secret");
    drop(listening);
    let came = call(named(&tools, "get-sum"), json!({ "a": 2, "b": 40 })).await;
    is("it is gone", came, Class::Transient, "its server is not to be reached");
}

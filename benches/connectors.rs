//! What a call of a tool costs through PostgreSQL, HTTP and MCP over pipes, beside the same call made with the library alone:
//! `cargo bench --bench connectors`. Both take turns in one process, so that what counts is the ratio.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]

#[path = "../tests/it/postgres/server.rs"]
#[expect(dead_code, reason = "it has more for the tests")]
mod server;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use callsheet::id::{Digest, EffectId};
use callsheet::tool::open::{Ground, Open, Secrets};
use callsheet::tool::{Call, Callable, Tool, Tools, http, mcp, postgres};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Turns taken by both sides, of which the median counts.
const TURNS: usize = 15;

/// What `tests/it/postgres/server.rs` needs of the tests.
mod tools {
    /// True if a part is there.
    pub(crate) fn is_there(part: &std::path::Path, what: &str) -> bool {
        if !part.exists() {
            println!("NOT RUN: {what} is missing");
        }
        part.exists()
    }
}

#[tokio::main]
async fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    if is_chosen("postgres") {
        database().await;
    }
    if is_chosen("http") {
        web().await;
    }
    if is_chosen("mcp") {
        pipes().await;
    }
}

/// The first tool of a table.
fn first<C: Open + DeserializeOwned>(root: &Path, table: &str, secrets: Secrets) -> Arc<dyn Callable> {
    let (config, none): (C, _) = (toml::from_str(table).unwrap(), Tools::new());
    let tools = config.open("one", &Ground::at(root, &none, secrets)).unwrap();
    match &tools[0] {
        Tool::Callable(tool) => Arc::clone(tool),
        Tool::Outward(_) => unreachable!(),
    }
}

async fn called(tool: &dyn Callable, args: Value) -> Value {
    tool.call(Call { effect: EffectId(Digest::of("bench", &[])), args, is_live: true }).await.unwrap()
}

/// Lets both make so many calls in turn, and prints the medians and the ratio of each turn's.
async fn compare(name: &str, calls: u32, ours: impl AsyncFn(), bare: impl AsyncFn()) {
    let (mut times, mut ratios) = ((Vec::new(), Vec::new()), Vec::new());
    for _ in 0..=TURNS {
        let took = async |call: &dyn AsyncCall| {
            let began = Instant::now();
            for _ in 0..calls {
                call.call().await;
            }
            began.elapsed().as_secs_f64() / f64::from(calls) * 1e6
        };
        let (one, other) = (took(&Boxed(&ours)).await, took(&Boxed(&bare)).await);
        times.0.push(one);
        times.1.push(other);
        ratios.push(one / other);
    }
    // The first turn warms both.
    let middle = |all: &mut Vec<f64>| {
        all.remove(0);
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[0], all[all.len() - 1])
    };
    let ((one, ..), (other, ..), (ratio, least, most)) =
        (middle(&mut times.0), middle(&mut times.1), middle(&mut ratios));
    println!("{name:<44} {one:9.1} us  bare {other:9.1} us  {ratio:.2} times ({least:.2} to {most:.2})");
}

/// A call that is made again and again.
trait AsyncCall {
    fn call(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
}

struct Boxed<'f, F>(&'f F);

impl<F: AsyncFn()> AsyncCall for Boxed<'_, F> {
    fn call(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin((self.0)())
    }
}

async fn database() {
    let Some(server) = server::server() else { return };
    let owner = server.database("bench").await;
    owner
        .batch_execute(
            "CREATE TABLE sends AS SELECT g AS id, 'segment ' || g % 40 AS segment, g % 7 = 0 AS clicked FROM generate_series(1, 100000) g;
             GRANT SELECT ON sends TO reader; ANALYZE sends",
        )
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = server.url("reader", "bench");
    let (few, all) = (
        "SELECT id, status FROM orders WHERE id <= :most ORDER BY id",
        "SELECT segment, count(*) AS n, sum(clicked::int) AS clicks FROM sends WHERE id > :most GROUP BY segment ORDER BY segment",
    );
    let query = |sql: &str| json!({ "sql": sql, "description": "x", "args": { "most": "integer" } });
    let table = json!({ "url_env": "SHOP_URL", "queries": { "few": query(few), "all": query(all) } });
    let table = toml::to_string(&table).unwrap();
    let tool = first::<postgres::Config>(dir.path(), &table, server::secrets(&url));
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    for (name, sql, query, calls) in
        [("20 rows by key", few, "few", 300), ("40 rows of 100,000 counted", all, "all", 30)]
    {
        let statement = client.prepare(&sql.replace(":most", "$1")).await.unwrap();
        let ours = async || drop(called(tool.as_ref(), json!({ "query": query, "args": { "most": 20 } })).await);
        let read = |rows: Vec<tokio_postgres::Row>| assert!(rows.len() >= 20);
        let most: &(dyn tokio_postgres::types::ToSql + Sync) =
            if statement.params()[0] == tokio_postgres::types::Type::INT8 { &20_i64 } else { &20_i32 };
        compare(&format!("postgres: {name}"), calls, ours, async || {
            read(client.query(&statement, &[most]).await.unwrap())
        })
        .await;
        let ours = async || drop(called(tool.as_ref(), json!({ "query": query, "args": { "most": 20 } })).await);
        let bare = async || {
            client.batch_execute("BEGIN READ ONLY").await.unwrap();
            read(client.query(&statement, &[most]).await.unwrap());
            client.batch_execute("ROLLBACK").await.unwrap();
        };
        compare(&format!("postgres: {name}, bare that only reads"), calls, ours, bare).await;
    }
}

async fn web() {
    let rows: Vec<Value> = (0..40).map(|n| json!({ "segment": format!("segment {n}"), "clicks": n })).collect();
    let answer = json!({ "rows": rows }).to_string();
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    let router = axum::Router::new().route("/rows", axum::routing::get(async move || (json, answer.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/rows", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let dir = tempfile::tempdir().unwrap();
    let table = format!(
        "allow_http = true\nprivate_hosts = [\"127.0.0.1\"]\n[endpoints.rows]\nurl = {url:?}\ndoes = \"x\"\nresult = \"/rows\""
    );
    let tool = first::<http::Config>(dir.path(), &table, Secrets::none());
    let client = callsheet::net::client(std::time::Duration::from_secs(5)).unwrap().build().unwrap();
    let bare = async || {
        let text = client.get(&url).send().await.unwrap().text().await.unwrap();
        let data: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(data["rows"].as_array().map(Vec::len), Some(40));
    };
    compare("http: 40 rows", 300, async || drop(called(tool.as_ref(), json!({})).await), bare).await;
}

async fn pipes() {
    let dir = tempfile::tempdir().unwrap();
    let city = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let list = dir.path().join("list.json");
    let tools = json!([{ "name": "forecast", "description": "Says the weather.", "inputSchema": city }]);
    std::fs::write(&list, tools.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connectors/server.py");
    let command = json!(["python3", script, list]);
    let table = format!("command = {command}\nenv = [\"PATH\"]\ntools = {{ forecast = {{ reach = \"reads_out\" }} }}");
    let secrets = || Secrets::new(|name| (name == "PATH").then(|| "/usr/local/bin:/usr/bin:/bin".to_owned()));
    let none = Tools::new();
    let ground = Ground::at(dir.path(), &none, secrets());
    let config: mcp::Config = toml::from_str(&table).unwrap();
    let seen = mcp::Server::new(&config, "one", &ground).unwrap().see().await.unwrap();
    mcp::accept(dir.path(), "one", &seen).unwrap();
    let tool = first::<mcp::Config>(dir.path(), &table, secrets());
    let mut child = tokio::process::Command::new("python3");
    let child = child.arg(&script).arg(&list).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = child.unwrap();
    let transport = AsyncRwTransport::new_client(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let service = ().serve(transport).await.unwrap();
    let args = || json!({ "city": "Berlin" });
    let bare = async || {
        let call = CallToolRequestParams::new("forecast").with_arguments(args().as_object().unwrap().clone());
        assert!(!service.call_tool(call).await.unwrap().content.is_empty());
    };
    compare("mcp over pipes: one text", 300, async || drop(called(tool.as_ref(), args()).await), bare).await;
}

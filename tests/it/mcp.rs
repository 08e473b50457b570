//! The `mcp` kind against a server that does what it is told, well or badly: what a call gives, what becomes of a hostile
//! server, what acts on the world, and what is pinned. Real servers are in `mcp/servers.rs`.

mod hostile;
mod offered;
mod pinned;
mod resources;
mod servers;
mod typed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use callsheet::failure::{Class, Failure};
use callsheet::tool::mcp::{Config, Server, accept};
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::{Tool, Tools};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::tools::{approved, call, config, intent, open_knowing, outward};

/// SHA-256 of three bytes that are zero, which is `AAAA` in base64.
const THREE_ZEROS: &str = "709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c";

/// A token that nobody may see.
const TOKEN: &str = "tok-7f3a9c51d2e8";

/// A project with one server, which says the weather, and the file that says what it lists.
struct Weather {
    folder: tempfile::TempDir,
    mode: String,
}

impl Weather {
    fn new(mode: &str) -> Self {
        let weather = Self { folder: tempfile::tempdir().unwrap(), mode: mode.to_owned() };
        weather.lists(&listed());
        weather
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn list(&self) -> PathBuf {
        self.root().join("list.json")
    }

    /// From now on the server lists this.
    fn lists(&self, tools: &Value) {
        std::fs::write(self.list(), tools.to_string()).unwrap();
    }

    /// The table of the project's file.
    fn table(&self) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connectors/server.py");
        let command = json!([python(), script, self.list(), self.mode]);
        // Only the one that never answers is waited for in vain.
        let start_timeout = if self.mode == "says nothing" { "1s" } else { "60s" };
        let resources = match self.root().join("list.json.resources").exists() {
            true => "[resources]\nuris = [\"docs://*\"]\nreach = \"reads_out\"\nbytes_max = 3000\n",
            false => "",
        };
        format!(
            "command = {command}\nenv = [\"PATH\", \"WEATHER_TOKEN\"]\nstart_timeout = {start_timeout:?}\nresult_bytes_max = 2000\n\
             [tools.forecast]\nreach = \"reads_out\"\n[tools.book]\nreach = \"acts_out\"\n{resources}"
        )
    }

    fn secrets() -> Secrets {
        Secrets::new(|name| match name {
            "PATH" => std::env::var("PATH").ok(),
            "WEATHER_TOKEN" => Some(TOKEN.to_owned()),
            other => panic!("{other} was not named"),
        })
    }

    /// What the server lists now.
    async fn seen(&self) -> Result<callsheet::tool::mcp::Seen, Failure> {
        let tools = Tools::new();
        let ground = Ground::at(self.root(), &tools, Self::secrets());
        let config: Config = config(&self.table()).unwrap();
        Server::new(&config, "weather", &ground).unwrap().see().await
    }

    /// A person accepts what the server lists now.
    async fn accepted(self) -> Self {
        accept(self.root(), "weather", &self.seen().await.unwrap()).unwrap();
        self
    }

    /// The same server in another mode; what was accepted is the lock's.
    fn turns(self, mode: &str) -> Self {
        let was = self.root().join("callsheet.lock");
        let turned = Self { mode: mode.to_owned(), ..self };
        // It is the same server to whoever accepted it.
        let lock = std::fs::read_to_string(&was).unwrap();
        let mut lock: Value = serde_json::from_str(&lock).unwrap();
        let config: Config = config(&turned.table()).unwrap();
        lock["mcp"]["weather"]["from"] = config.command.unwrap().join(" ").into();
        std::fs::write(was, lock.to_string()).unwrap();
        turned
    }

    /// Its tools as the project has them: the one that acts, and the one that reads.
    fn tools(&self) -> [Tool; 2] {
        let mut tools = self.all();
        tools.truncate(2);
        <[Tool; 2]>::try_from(tools).unwrap_or_else(|_| panic!("there are two"))
    }

    /// All that the project has of it.
    fn all(&self) -> Vec<Tool> {
        let config: Config = config(&self.table()).unwrap();
        open_knowing("weather", config, self.root(), &Tools::new(), Self::secrets()).unwrap()
    }

    /// What the server was asked to do, by its own account.
    fn done(&self) -> Vec<String> {
        let done = std::fs::read_to_string(self.root().join("list.json.done")).unwrap_or_default();
        done.lines().map(str::to_owned).collect()
    }
}

/// The interpreter itself: what stands before it on the path may be a script that takes its time.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    })
}

/// What the server lists if it is as it was accepted.
fn listed() -> Value {
    let city = json!({
        "type": "object", "properties": { "city": { "type": "string", "description": "A city" } }, "required": ["city"],
    });
    json!([
        {
            "name": "forecast", "title": "Forecast", "description": "Says the weather of a city.", "inputSchema": city,
            "annotations": { "title": "Forecast", "readOnlyHint": true, "openWorldHint": true },
        },
        { "name": "book", "description": "Books a table outdoors.", "inputSchema": city },
        { "name": "spare", "description": "Is not given to anybody.", "inputSchema": { "type": "object" } },
    ])
}

async fn forecast(weather: &Weather) -> Result<Value, Failure> {
    let [_, forecast] = weather.tools();
    call(&forecast, json!({ "city": "Rome" })).await
}

/// Whether a failure is of that class, and says these words.
#[track_caller]
fn is(name: &str, came: Result<Value, Failure>, class: Class, words: &str) {
    let failure = came.expect_err(name);
    assert_eq!(failure.class, class, "{name}: {}", failure.reason);
    assert!(failure.reason.contains(words), "{name}: {:?} does not say {words:?}", failure.reason);
    assert!(!failure.reason.contains(TOKEN) && failure.reason.chars().count() < 1_200, "{name}: {}", failure.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_gives_text_or_data_and_names_what_it_leaves_out() {
    for (mode, gives) in [
        ("well", json!({ "text": "it is fine in Rome" })),
        ("data", json!({ "data": { "degrees": 21 } })),
        (
            "image",
            json!({ "text": "see", "left_out": [{ "kind": "image", "what": "image/png", "bytes": 3, "digest": THREE_ZEROS }] }),
        ),
        // Whatever it says beside its answers, and asks for, is nothing to us.
        ("noise", json!({ "text": "it is fine in Rome" })),
        ("asks back", json!({ "text": "it is fine in Rome" })),
    ] {
        let weather = Weather::new(mode).accepted().await;
        assert_eq!(forecast(&weather).await.unwrap(), gives, "{mode}");
        assert_eq!(weather.done(), [r#"{"city": "Rome"}"#], "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_all_calls_and_a_dead_one_is_opened_anew() {
    let weather = Weather::new("dies once").accepted().await;
    let [_, forecast] = weather.tools();
    let ask = || call(&forecast, json!({ "city": "Rome" }));
    is("the first", ask().await, Class::Transient, "its server ended without an answer");
    for _ in 0..3 {
        assert_eq!(ask().await.unwrap()["text"], "it is fine in Rome");
    }
    let mut at_once = JoinSet::new();
    for _ in 0..8 {
        let forecast = forecast.clone();
        at_once.spawn(async move { call(&forecast, json!({ "city": "Rome" })).await });
    }
    for came in at_once.join_all().await {
        assert_eq!(came.unwrap()["text"], "it is fine in Rome");
    }
    assert_eq!(weather.done().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_the_named_variables_and_no_other_and_what_it_tells_of_them_is_not_taken() {
    let weather = Weather::new("environment").accepted().await;
    is("its environment", forecast(&weather).await, Class::Permanent, "holds a secret that its server was given");
    let without = weather.table().replace(", \"WEATHER_TOKEN\"", "").replace("2000", "20000");
    let config: Config = config(&without).unwrap();
    let tools = open_knowing("weather", config, weather.root(), &Tools::new(), Weather::secrets()).unwrap();
    let gives = call(&tools[1], json!({ "city": "Rome" })).await.unwrap();
    let variables: Value = serde_json::from_str(gives["text"].as_str().unwrap()).unwrap();
    // A few of them a shell around the interpreter sets for itself.
    let own = |name: &str| ["LC_CTYPE", "PATH", "PWD", "SHLVL", "_"].contains(&name) || name.contains("PYENV");
    let ours: Vec<String> = std::env::vars().map(|(name, _)| name).filter(|name| !own(name)).collect();
    let leaked: Vec<&String> = ours.iter().filter(|name| !variables[name.as_str()].is_null()).collect();
    assert!(ours.len() > 3 && leaked.is_empty(), "{leaked:?} of {ours:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_acts_is_shown_word_for_word_and_asked_once_and_what_nobody_knows_is_in_doubt() {
    // How the server takes it, what comes of it, what it says, and how often it was asked.
    let cases: [(&str, Option<Class>, &str, usize); 7] = [
        ("well", None, "it is fine in Rome", 1),
        ("fails", Some(Class::InDoubt), "its server says: no such city", 1),
        ("breaks", Some(Class::InDoubt), "it broke half way", 1),
        ("dies", Some(Class::InDoubt), "ended without an answer", 1),
        ("large", Some(Class::InDoubt), "result_bytes_max", 1),
        ("refuses", Some(Class::Invalid), "that is no city", 1),
        ("unknown", Some(Class::Permanent), "no such tool", 1),
    ];
    for (mode, class, words, asked) in cases {
        let weather = Weather::new(mode).accepted().await;
        let [book, _] = weather.tools();
        let items = outward(&book).prepare(intent(json!({ "city": "Rome" }))).await.unwrap();
        let [item] = items.as_slice() else { panic!("{mode}: {} items", items.len()) };
        let text = String::from_utf8(item.bytes.clone()).unwrap();
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown, json!({ "tool": "book", "arguments": { "city": "Rome" } }), "{mode}");
        assert!(weather.done().is_empty(), "{mode}: preparing asks nobody");
        match (outward(&book).perform(approved(2, weather.root(), item)).await, class) {
            (Ok(receipt), None) => assert_eq!(receipt.remark.unwrap(), words, "{mode}"),
            (Err(failure), Some(class)) => is(mode, Err(failure), class, words),
            (came, _) => panic!("{mode}: {came:?}"),
        }
        assert_eq!(weather.done().len(), asked, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_not_asked_of_a_server_that_has_changed_meanwhile() {
    let weather = Weather::new("well").accepted().await;
    let [book, forecast] = weather.tools();
    let items = outward(&book).prepare(intent(json!({ "city": "Rome" }))).await.unwrap();
    // The connection is open, and the server says nothing of its change.
    call(&forecast, json!({ "city": "Rome" })).await.unwrap();
    let mut other = listed();
    other[1]["description"] = "Books a table and pays for it.".into();
    weather.lists(&other);
    let came = outward(&book).perform(approved(2, weather.root(), &items[0])).await;
    is("perform", came.map(|_| json!(0)), Class::Policy, "book has another description");
    assert_eq!(weather.done().len(), 1, "only the forecast was asked for");
}

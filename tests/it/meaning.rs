//! Documents searched by meaning: what is found that no word finds, what a model is told and how often, and that a search which
//! came to nothing at the model says so and is by words.

use std::path::Path;
use std::sync::{Arc, Mutex};

use callsheet::app;
use callsheet::failure::Class;
use callsheet::model::wire::{Endpoint, Limits, Wire};
use callsheet::tool::{Call, Tool, Tools};
use callsheet::topology::code::Code;
use callsheet::topology::plan::Dialect;
use callsheet::topology::spec::Reach;
use serde_json::{Value, json};

use crate::support::settings;
use crate::tools::{call, callable, effect, write};
use crate::wire::CANARY;
use crate::wire::server::{Asked, Framing, Played, framed, serve};

/// What a model knows to mean the same.
const MEANINGS: [&[&str]; 3] =
    [&["parcel", "courier", "ship"], &["price", "cost", "expensive"], &["back", "refund", "return"]];

/// A vector of a text: how often it speaks of each, and that it says something.
fn vector(text: &str, dimension: usize) -> Vec<f64> {
    let text = text.to_lowercase();
    let of = |words: &&[&str]| words.iter().map(|word| text.matches(word).count()).sum::<usize>() as f64;
    let mut vector: Vec<f64> = MEANINGS.iter().map(of).chain([0.01]).collect();
    vector.resize(dimension, 0.0);
    vector
}

/// A provider, as it misbehaves now, and the texts that it was told, request by request.
#[derive(Clone)]
struct Provider {
    base: String,
    mode: Arc<Mutex<&'static str>>,
    told: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Provider {
    fn start() -> Self {
        let mode = Arc::new(Mutex::new("well"));
        let told = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let (now, kept) = (Arc::clone(&mode), Arc::clone(&told));
        let base = serve(move |asked| {
            if asked.path().ends_with("/chat/completions") {
                return speaks(asked);
            }
            let texts = texts(asked);
            kept.lock().unwrap().push(texts.clone());
            answer(asked, &texts, *now.lock().unwrap())
        });
        Self { base, mode, told }
    }

    fn is_now(&self, mode: &'static str) {
        *self.mode.lock().unwrap() = mode;
    }

    /// What it was told since it was last asked so.
    fn told(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

/// The texts of a request, in either dialect.
fn texts(asked: &Asked) -> Vec<String> {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match body["input"].as_array() {
        Some(input) => input.iter().map(text).collect(),
        None => {
            let of = |one: &Value| text(&one["content"]["parts"][0]["text"]);
            body["requests"].as_array().unwrap().iter().map(of).collect()
        }
    }
}

fn answer(asked: &Asked, texts: &[String], mode: &str) -> Played {
    let is_gemini = asked.path().ends_with("/models/vectors-1:batchEmbedContents");
    assert!(is_gemini || asked.path().ends_with("/v1/embeddings"), "{}", asked.head);
    let dimension = if mode == "another dimension" { 5 } else { 4 };
    let mut vectors: Vec<Vec<f64>> = texts.iter().map(|text| vector(text, dimension)).collect();
    match mode {
        "fewer" => drop(vectors.pop()),
        "zeros" => vectors[0].fill(0.0),
        "huge" => vectors[0][0] = 1e300,
        "empty" => vectors.iter_mut().for_each(Vec::clear),
        "mixed" => vectors[0].push(1.0),
        _ => {}
    }
    let item = |(nth, vector): (usize, &Vec<f64>)| {
        let index = if mode == "twice" { 0 } else { nth };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    };
    let mut data: Vec<Value> = vectors.iter().enumerate().map(item).collect();
    if mode == "shuffled" {
        data.reverse();
    }
    let body = match is_gemini {
        true => json!({ "embeddings": vectors.iter().map(|values| json!({ "values": values })).collect::<Vec<_>>() }),
        false => json!({ "data": data, "usage": { "prompt_tokens": 10 * texts.len() } }),
    };
    let body = body.to_string();
    let said = |status: &str, more: &str, body: &str| {
        let head = [status, "content-type: application/json", more].map(str::to_owned);
        framed(&head[..if more.is_empty() { 2 } else { 3 }], body.as_bytes(), Framing::Length)
    };
    match mode {
        "wait" => said("429 Too Many Requests", "retry-after: 7", "{\"error\":{\"message\":\"slowly\"}}"),
        "second fails" if (2..64).contains(&texts.len()) => {
            said("500 Internal Server Error", "", "{\"error\":{\"message\":\"oops\"}}")
        }
        "fails" => said("500 Internal Server Error", "", "{\"error\":{\"message\":\"oops\"}}"),
        "unknown" => said("404 Not Found", "", "{\"error\":{\"message\":\"no such model\"}}"),
        "key" => said("401 Unauthorized", "", &format!("{{\"error\":{{\"message\":\"wrong key {CANARY}\"}}}}")),
        "no json" => said("200 OK", "", "<html>"),
        "not a number" => said("200 OK", "", &body.replace("0.01", "NaN")),
        "endless" => said("200 OK", "", &format!("{}{}", " ".repeat(64 << 10 << 10), body)),
        "cut" => framed(&["200 OK".to_owned()], body.as_bytes(), Framing::Broken),
        _ => said("200 OK", "", &body),
    }
}

const GUIDE: &str = "# Shipping\n\nA parcel takes three days.\n\n# Returns\n\nSend it back within a month.\n";
const PRICES: &str = "# Prices\n\nEverything costs 9 euro.\n";

/// A project whose documents are searched by meaning, at that provider.
fn project(provider: &Provider, table: &str, more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "docs/guide.md", GUIDE);
    write(dir.path(), "docs/prices.md", PRICES);
    write(dir.path(), "key.txt", CANARY);
    declared(dir.path(), provider, table, more);
    dir
}

fn declared(root: &Path, provider: &Provider, table: &str, more: &str) {
    let base = &provider.base;
    let dialect = if more.contains("gemini") { "" } else { "/v1" };
    let text = format!(
        "schema_version = 1\n[models.providers.near]\nbase_url = \"{base}{dialect}\"\nkey_file = \"key.txt\"\n{more}\n\
         [tools.library]\nkind = \"documents\"\nroot = \"docs\"\n{table}\n"
    );
    write(root, "callsheet.toml", text);
}

const EMBED: &str = "embed = \"near/vectors-1\"";

fn tools(root: &Path) -> Tools {
    app::tools(&settings(root)).unwrap_or_else(|faults| panic!("{}", faults.render(false)))
}

fn search_of(root: &Path) -> Tool {
    tools(root)["library.search"].clone()
}

async fn search(root: &Path, query: &str) -> Value {
    call(&search_of(root), json!({ "query": query })).await.unwrap()
}

/// The headings of what was found, in its order.
fn found(came: &Value) -> Vec<&str> {
    let hits = came["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["place"].as_str().unwrap().split(',').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_finds_what_is_meant_and_is_told_once() {
    for dialect in ["", "dialect = \"gemini\""] {
        let provider = Provider::start();
        let dir = project(&provider, EMBED, dialect);
        // No document says a word of it.
        let came = search(dir.path(), "courier").await;
        assert_eq!((&came["by"], found(&came)[0]), (&json!("words and meaning"), "Shipping"), "{came}");
        let tokens = if dialect.is_empty() { json!(40) } else { json!(null) };
        assert_eq!((&came["told"]["texts"], &came["told"]["tokens"]), (&json!(4), &tokens), "{came}");
        let told = provider.told();
        assert_eq!((told[0].len(), told[1].as_slice()), (3, &["courier".to_owned()][..]), "{told:?}");
        // What has a vector is not told again, also not to another process.
        let came = search(dir.path(), "refund").await;
        assert_eq!(found(&came)[0], "Returns", "{came}");
        assert_eq!(provider.told(), [["refund"]]);
        // Words count as before, and what both find stands first.
        assert_eq!(found(&search(dir.path(), "expensive euro").await)[0], "Prices");
        // What no meaning tells apart is found by its words.
        assert_eq!(found(&search(dir.path(), "month").await)[0], "Returns");
        provider.told();
        // Of a file that has changed the part that is new, and of one that is gone nothing.
        write(dir.path(), "docs/guide.md", GUIDE.replace("three days", "four days"));
        std::fs::remove_file(dir.path().join("docs/prices.md")).unwrap();
        let came = search(dir.path(), "price").await;
        let told = provider.told();
        assert!(told[0].len() == 1 && told[0][0].contains("four days") && told.len() == 2, "{told:?}");
        assert!(!found(&came).contains(&"Prices"), "{came}");
        let index = rusqlite::Connection::open(dir.path().join(".callsheet/documents/library.db")).unwrap();
        let kept: i64 = index.query_row("SELECT count(*) FROM vectors", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 2, "what no document says any more is forgotten");
        drop(index);
        // Another model makes its own.
        declared(dir.path(), &provider, "embed = \"near/vectors-2\"", "");
        if dialect.is_empty() {
            search(dir.path(), "price").await;
            assert_eq!(provider.told()[0].len(), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_came_to_nothing_at_the_model_is_by_words_and_says_so() {
    let cases = [
        ("wait", "asked to wait"),
        ("fails", "oops"),
        ("unknown", "no such model"),
        ("key", "[key]"),
        ("no json", "not what vectors come in"),
        ("not a number", "not what vectors come in"),
        ("huge", ""),
        ("zeros", "no direction"),
        ("empty", "a vector of 0 numbers came"),
        ("mixed", "came together"),
        ("twice", "one of number 0, or two"),
        ("fewer", "3 vectors were asked for, and 2 came"),
        ("endless", "more than"),
        ("cut", ""),
    ];
    for (mode, words) in cases {
        let provider = Provider::start();
        provider.is_now(mode);
        let dir = project(&provider, EMBED, "");
        let came = search(dir.path(), "parcel").await;
        let why = came["why"].as_str().unwrap_or_else(|| panic!("{mode}: {came}"));
        assert!(why.starts_with("near/vectors-1: ") && why.contains(words), "{mode}: {why}");
        assert!(!came.to_string().contains(CANARY), "{mode}: {came}");
        assert_eq!((&came["by"], found(&came)), (&json!("words"), vec!["Shipping"]), "{mode}: {came}");
        assert_eq!(provider.told().len(), 1, "{mode}: it is asked once");
        // It is there again, in whatever order it answers.
        provider.is_now("shuffled");
        let came = search(dir.path(), "courier").await;
        assert_eq!((&came["by"], found(&came)[0]), (&json!("words and meaning"), "Shipping"), "{mode}: {came}");
        assert!(came.get("why").is_none(), "{mode}: {came}");
    }
    let provider = Provider::start();
    let dir = project(&provider, EMBED, "");
    search(dir.path(), "parcel").await;
    // The model is another one under the same name: its vectors cannot be compared with the old ones.
    provider.is_now("another dimension");
    let came = search(dir.path(), "parcel").await;
    assert!(came["by"] == "words" && came["why"].as_str().unwrap().contains("numbers, and those"), "{came}");
    assert_eq!(search(dir.path(), "courier").await["by"], "words and meaning");
    // Without its key it is not asked, and it is named once.
    let declares = std::fs::read_to_string(dir.path().join("callsheet.toml")).unwrap();
    write(dir.path(), "callsheet.toml", declares.replace("key_file = \"key.txt\"", "key_env = \"NEAR_KEY\""));
    let came = search(dir.path(), "parcel").await;
    let why = came["why"].as_str().unwrap();
    assert!(why.starts_with("near/vectors-1 needs a key: set NEAR_KEY"), "{came}");
    assert_eq!((&came["by"], why.matches("near/vectors-1").count()), (&json!("words"), 1), "{came}");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Provider { base: format!("http://{gone}"), ..provider };
    declared(dir.path(), &nobody, EMBED, "");
    let came = search(dir.path(), "parcel").await;
    assert!(came["by"] == "words" && came["why"].as_str().unwrap().contains("no connection"), "{came}");
}

#[tokio::test]
async fn what_a_provider_answers_comes_to_a_class() {
    let cases = [
        ("wait", Class::Throttled, Some(7_000)),
        ("fails", Class::Transient, None),
        ("unknown", Class::Permanent, None),
        ("key", Class::Permanent, None),
        ("no json", Class::Invalid, None),
        ("fewer", Class::Invalid, None),
        ("cut", Class::Transient, None),
    ];
    let provider = Provider::start();
    let wire = Wire::new(Limits::default()).unwrap();
    let endpoint = |dialect| Endpoint::new(dialect, format!("{}/v1", provider.base));
    let texts = ["one".to_owned(), "two".to_owned()];
    for (mode, class, retry_after_ms) in cases {
        provider.is_now(mode);
        let failure = wire.embed(&endpoint(Dialect::OpenAi), "vectors-1", &texts).await.unwrap_err();
        assert_eq!((failure.class, failure.retry_after_ms), (class, retry_after_ms), "{mode}: {}", failure.reason);
        assert!(failure.reason.starts_with("127.0.0.1:"), "{mode}: {}", failure.reason);
    }
    let failure = wire.embed(&endpoint(Dialect::Anthropic), "vectors-1", &texts).await.unwrap_err();
    assert_eq!(failure.class, Class::Permanent, "{}", failure.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_search_tells_so_much_and_the_next_one_goes_on() {
    let provider = Provider::start();
    let dir = project(&provider, &format!("{EMBED}\nembed_bytes_max = 60"), "");
    let came = search(dir.path(), "parcel").await;
    let why = came["why"].as_str().unwrap();
    assert!(came["by"] == "words" && why.contains("1 of 3 texts have a vector"), "{came}");
    assert!(came["told"]["bytes"].as_u64().unwrap() <= 60, "{came}");
    let mut searches = 1;
    while search(dir.path(), "parcel").await["by"] == "words" {
        searches += 1;
        assert!(searches < 5, "it does not come to an end");
    }
    let told: Vec<Vec<String>> = provider.told();
    assert_eq!(told.iter().map(Vec::len).sum::<usize>(), 4, "three texts and one query: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_kept_and_made_by_one() {
    let provider = Provider::start();
    let dir = project(&provider, EMBED, "");
    let many: String = (1..=70).map(|nth| format!("# Part {nth}\n\nThe parcel of number {nth}.\n\n")).collect();
    write(dir.path(), "docs/many.md", many);
    let texts = |told: Vec<Vec<String>>| told.iter().map(Vec::len).filter(|texts| *texts > 1).collect::<Vec<_>>();
    provider.is_now("second fails");
    let came = search(dir.path(), "courier").await;
    assert!(came["by"] == "words" && came["why"].as_str().unwrap().contains("oops"), "{came}");
    assert_eq!(texts(provider.told()), [64, 9]);
    // Those of the first request are there, and of two that search at once one makes the others.
    provider.is_now("well");
    let tool = search_of(dir.path());
    let asked = || call(&tool, json!({ "query": "courier" }));
    let (one, other) = tokio::join!(asked(), asked());
    assert_eq!(
        (&one.unwrap()["by"], &other.unwrap()["by"]),
        (&json!("words and meaning"), &json!("words and meaning"))
    );
    assert_eq!(texts(provider.told()), [9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_model_runs_no_provider_is_asked() {
    let provider = Provider::start();
    let dir = project(&provider, EMBED, "");
    let search = search_of(dir.path());
    let rehearsed = Call { effect: effect(1), args: json!({ "query": "parcel" }), is_live: false };
    let came = callable(&search).call(rehearsed).await.unwrap();
    assert!(came["by"] == "words" && came["why"].as_str().unwrap().contains("no model runs here"), "{came}");
    assert_eq!((found(&came), came.get("told")), (vec!["Shipping"], None));
    assert_eq!(search.spec().reach, Reach::ReadsOut, "what is searched for goes out where models run");
    assert!(provider.told().is_empty());
    // Without a model nothing reaches anybody, and nothing is said of one.
    declared(dir.path(), &provider, "", "");
    let search = search_of(dir.path());
    let came = call(&search, json!({ "query": "parcel" })).await.unwrap();
    assert_eq!((&came["by"], came.get("why"), search.spec().reach), (&json!("words"), None, Reach::Inside));
    assert!(search.open().is_none() && provider.told().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_may_not_be_told_is_told_nothing() {
    let provider = Provider::start();
    let private = format!("{EMBED}\nlabels = {{ private = true }}");
    let dir = project(&provider, &private, "accepts_private = false");
    let search = search_of(dir.path());
    let [fault] = search.look().faults.try_into().unwrap();
    assert!(fault.code == Code::NotToBeTold && fault.what.contains("near/vectors-1"), "{fault:?}");
    let came = call(&search, json!({ "query": "parcel" })).await.unwrap();
    assert!(came["by"] == "words" && came["why"].as_str().unwrap().contains("may not be told"), "{came}");
    assert!(search.open().is_none());
    // What was shown before goes out with a query: that is the run's to refuse, and its plan says so.
    assert_eq!(search.spec().refuses_private.as_deref(), Some("near/vectors-1"));
    let held = |private| callsheet::topology::spec::Labels { private, untrusted: false };
    assert!(search.spec().refusal(held(true)).is_some() && search.spec().refusal(held(false)).is_none());
    declared(dir.path(), &provider, &private, "");
    assert!(search_of(dir.path()).look().faults.is_empty());
    assert!(provider.told().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_asks_for_one_vector_and_a_wrong_model_is_told_where_it_stands() {
    let provider = Provider::start();
    let dir = project(&provider, EMBED, "");
    search(dir.path(), "parcel").await;
    provider.told();
    let told = search_of(dir.path()).open().unwrap().await.unwrap().whole();
    assert_eq!(told, "near/vectors-1 gives vectors of 4 numbers, and 3 of 3 texts have one");
    assert_eq!(provider.told().len(), 1);
    for (embed, words) in [
        ("embed = \"vectors\"", "not PROVIDER/MODEL"),
        ("embed = \"far/vectors\"", "no provider \"far\""),
        ("embed = \"anthropic/claude\"", "has no vectors"),
    ] {
        declared(dir.path(), &provider, embed, "");
        let told = app::tools(&settings(dir.path())).err().unwrap().render(false);
        assert!(told.contains(words) && told.contains("--> callsheet.toml"), "{embed}: {told}");
    }
}

/// A project in which one agent searches by meaning, twice alike, and says what it found.
fn seeking(provider: &Provider) -> tempfile::TempDir {
    let dir = project(provider, EMBED, "");
    let declares = std::fs::read_to_string(dir.path().join("callsheet.toml")).unwrap();
    let default = "[models]\ndefault = \"near/chat\"\nfree = [\"near/chat\"]\n[models.providers.near]";
    write(dir.path(), "callsheet.toml", declares.replace("[models.providers.near]", default));
    let agent = "schema_version = 1\nkind = \"model\"\ndoes = \"Looks it up.\"\noutcomes = [\"found\"]\n\
                 tools = [\"library.search\"]\ninstructions = \"Look it up.\"\n";
    write(dir.path(), "agents/seeker.toml", agent);
    let topology = format!(
        "schema_version = 1\ndescription = \"Look it up.\"\n[team]\nseeker = {{}}\n[handoffs]\nstart = \"seeker\"\n\
         seeker = {{ found = \"end\" }}\n{}",
        crate::acting::BOUNDS.replace("tokens = 1_000", "tokens = 1_000_000")
    );
    write(dir.path(), "topologies/ask.toml", topology);
    dir
}

/// The seeker's model: it searches, searches for something else, and ends.
fn speaks(asked: &Asked) -> Played {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let searched = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "tool").count();
    let (name, args) = match searched {
        0 => ("library_search", json!({ "query": "courier" })),
        1 => ("library_search", json!({ "query": "refund" })),
        _ => ("end_turn", json!({ "outcome": "found", "note": "It takes three days." })),
    };
    let function = json!({ "name": name, "arguments": args.to_string() });
    let call = json!({ "id": format!("call_{searched}"), "type": "function", "function": function });
    crate::doctor::document(&json!({ "role": "assistant", "tool_calls": [call] }).to_string())
}

#[test]
fn a_recorded_search_by_meaning_is_played_again_word_for_word() {
    let provider = Provider::start();
    let dir = seeking(&provider);
    let types = |line: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(line.split(' ')).current_dir(dir.path()).env_clear().stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, text) = types("run ask --record said.toml");
    assert!(code == 0 && text.contains("recorded: 3 calls of models in said.toml"), "{text}");
    assert_eq!(provider.told().len(), 3, "the documents, and each question");
    let (_, shown) = types("messages 1 --detail");
    assert!(shown.contains("words and meaning"), "{shown}");
    // Nobody is asked, and what the agent is shown is what it was shown.
    let (code, text) = types("run ask --replay said.toml");
    assert!(code == 0 && !text.contains("drift"), "{text}");
    assert!(provider.told().is_empty());
    // What was not searched for is searched for by words, and what that differs in is told.
    let said = std::fs::read_to_string(dir.path().join("said.toml")).unwrap();
    write(dir.path(), "other.toml", said.replace("{\"query\":\"refund\"}", "{\"query\":\"price\"}"));
    let (code, text) = types("run ask --replay other.toml");
    assert!(code == 1 && text.contains("drift: what is asked differs"), "{text}");
    // One that nobody can read is refused before anything starts.
    write(dir.path(), "other.toml", said.replace("\"by\":", "by:"));
    let (code, text) = types("run ask --replay other.toml");
    assert!(code == 2 && text.contains("what library.search gave cannot be read"), "{text}");
}

//! What the tests of tools share: calls, and projects in a folder of their own.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use callsheet::failure::Failure;
use callsheet::id::{Digest, EffectId, RunId, Timestamp};
use callsheet::tool::open::{Ground, Open, Secrets};
use callsheet::tool::{Approved, Call, Callable, Deadline, Intent, Item, Outward, Source, Tool, Tools};
use serde_json::Value;

/// The effect numbered `n`.
pub(crate) fn effect(n: u8) -> EffectId {
    EffectId(Digest::of("test effect", &[&[n]]))
}

/// What an outward tool is to do with `args`.
pub(crate) fn intent(args: Value) -> Intent {
    let asked_at = Timestamp(1_790_000_000_000);
    Intent { effect: effect(1), run: source(1, 1).run, args, asked_at, origin: "computed".to_owned() }
}

/// What `tool` answers to `args`; whatever that is, it is what the tool declares.
pub(crate) async fn call(tool: &Tool, args: Value) -> Result<Value, Failure> {
    let answer = callable(tool).call(Call { effect: effect(1), args: args.clone(), is_live: true }).await;
    if let Ok(result) = &answer {
        for schema in declared(tool, &args) {
            let wrong =
                jsonschema::validator_for(&schema).unwrap().iter_errors(result).next().map(|why| why.to_string());
            let name = &tool.spec().name;
            assert_eq!(wrong, None, "{name} gives for {args} what it does not declare: {result}");
        }
    }
    answer
}

/// The schemas that a result of this call has to fit: what the tool declares, and what the query says that is named.
pub(crate) fn declared(tool: &Tool, args: &Value) -> Vec<Value> {
    let queries = tool.queries();
    let query = args["query"].as_str().and_then(|name| queries.get(name));
    tool.spec().result.clone().into_iter().chain(query.and_then(|query| query.result.clone())).collect()
}

/// The tools of `[tools.name]`, which says `config`, of a project at `root`.
pub(crate) fn open<C: Open>(name: &str, config: C, root: &Path) -> Result<Vec<Tool>, String> {
    open_beside(name, config, root, &Tools::new())
}

/// The same, beside `tools`.
pub(crate) fn open_beside<C: Open>(name: &str, config: C, root: &Path, tools: &Tools) -> Result<Vec<Tool>, String> {
    open_knowing(name, config, root, tools, Secrets::none())
}

/// The same, in an environment.
pub(crate) fn open_knowing<C: Open>(
    name: &str,
    config: C,
    root: &Path,
    tools: &Tools,
    secrets: Secrets,
) -> Result<Vec<Tool>, String> {
    config.open(name, &Ground::at(root, tools, secrets)).map_err(|why| why.to_string())
}

/// True if `part`, which `./test.sh` installs, is there. A run of `./test.sh` fails without it; any other says so, loudly.
pub(crate) fn is_there(part: &Path, what: &str) -> bool {
    if !part.exists() {
        let line = format!("NOT RUN: {what}, which ./test.sh installs\n");
        assert!(std::env::var_os("TEST_PARTS").is_none(), "{line}");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    part.exists()
}

/// SQL that must be refused, as `tests/cases/tools` has it for an engine: each of `calls` is tried in each of `shapes`. What a
/// bomb says at its cap is one word or several.
#[derive(serde::Deserialize)]
pub(crate) struct Bypasses<S> {
    refused: Vec<String>,
    calls: Vec<String>,
    shapes: Vec<String>,
    pub(crate) bomb: Vec<Bomb<S>>,
}

/// A statement that never ends by itself.
#[derive(serde::Deserialize)]
pub(crate) struct Bomb<S> {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) says: S,
}

impl<S: serde::de::DeserializeOwned> Bypasses<S> {
    pub(crate) fn read(text: &str) -> Self {
        toml::from_str(text).unwrap()
    }

    /// All that is to be refused, with these two files in it.
    pub(crate) fn all(&self, canary: &str, out: &str) -> Vec<String> {
        let called =
            self.calls.iter().flat_map(|called| self.shapes.iter().map(move |of| of.replace("{call}", called)));
        let all = self.refused.iter().cloned().chain(called);
        all.map(|sql| sql.replace("{canary}", canary).replace("{out}", out)).collect()
    }
}

/// The tool, which is called.
pub(crate) fn callable(tool: &Tool) -> Arc<dyn Callable> {
    match tool {
        Tool::Callable(tool) => Arc::clone(tool),
        Tool::Outward(tool) => panic!("{} acts on the world", tool.spec().name),
    }
}

/// The tool, which acts on the world.
pub(crate) fn outward(tool: &Tool) -> Arc<dyn Outward> {
    match tool {
        Tool::Outward(tool) => Arc::clone(tool),
        Tool::Callable(tool) => panic!("{} is called", tool.spec().name),
    }
}

/// The item as it is performed under the effect numbered `n`.
pub(crate) fn approved(n: u8, folder: &Path, item: &Item) -> Approved {
    let deadline = Deadline::new(|| false);
    let (folder, source) = (folder.to_owned(), source(1, 1));
    let at = Timestamp(1_790_000_000_000);
    Approved { effect: effect(n), item: item.clone(), folder, source, draft: false, at, deadline }
}

/// The run numbered `run` of the journal numbered `journal`.
pub(crate) fn source(journal: u128, run: u128) -> Source {
    let id = |n: u128| RunId(uuid::Uuid::from_u128(n));
    Source { journal: id(journal), run: id(run) }
}

/// Writes `bytes` to `path` below `root`.
pub(crate) fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A configuration from its TOML.
pub(crate) fn config<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: Value = toml::from_str(text).map_err(|why| why.to_string())?;
    serde_json::from_value(value).map_err(|why| why.to_string())
}

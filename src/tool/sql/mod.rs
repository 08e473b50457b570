//! The `sql` kind: `NAME.query` over CSV files or one SQLite file, where the engine itself refuses all but reading.

mod column;
mod config;
mod function;
mod guard;
mod load;
mod named;
mod number;
mod origin;
mod profile;
mod rows;
mod shape;
mod table;
mod text;
mod total;
mod worker;

pub use config::{Config, Query};
pub use profile::{Profile, Seen, profile};
pub use table::Table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use self::rows::Ask;
use super::open::{Ground, Open};
use super::part::args::{invalid, quoted, read};
use super::part::{Error, beneath, tool_name};
use super::{Call, Callable, Declared, Look, Tool, Wrong};
use crate::failure::Failure;
use crate::failure::Work;
use crate::id::Digest;
use crate::topology::check::{NamedQuery, Queries};
use crate::topology::plan::ParamKind;
use crate::topology::spec::ToolSpec;

/// Time beside the query's own: loading the files, and waiting for other queries on the same connection.
const WAITING_MS: u64 = 60_000;

impl Open for Config {
    const KIND: &'static str = "sql";

    /// Files are looked at when the first query comes, or at once if free SQL has to be told of their columns.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        validate(name, &self)?;
        let shared = Arc::new(Shared {
            setting: format!("[tools.{name}]"),
            name: name.to_owned(),
            config: self,
            root: ground.root.to_owned(),
            turn: Mutex::default(),
            at_work: worker::AtWork::default(),
            loaded: std::sync::Mutex::default(),
        });
        let config = &shared.config;
        // Whoever writes SQL is shown what there is; a fault of the data is told when it is asked, and by `look`.
        let tables = if config.free_sql { shared.tables() } else { Vec::new() };
        let args = arguments(config, &tables);
        let spec = ToolSpec::callable(tool_name(name, "query")?, &description(config), args);
        let (labels, call_timeout_ms) = (config.labels, config.timeout.0.saturating_add(WAITING_MS));
        let spec = ToolSpec {
            labels,
            call_timeout_ms,
            ..spec.accepting_all(&["query", "sql", "args"]).giving(shape::of(None))
        };
        Ok(vec![Tool::callable(Sql { spec, shared })])
    }
}

struct Sql {
    spec: ToolSpec,
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    /// Where its settings are.
    setting: String,
    config: Config,
    root: PathBuf,
    /// Held by whoever asks.
    turn: Mutex<()>,
    at_work: worker::AtWork,
    loaded: std::sync::Mutex<Option<load::Loaded>>,
}

impl Shared {
    fn take(&self) -> Option<load::Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts the data back, unless somebody has opened it anew meanwhile.
    fn put(&self, loaded: load::Loaded) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(loaded);
    }

    /// The tables with their columns and types; none if the data cannot be read.
    fn tables(&self) -> Vec<String> {
        let Ok(loaded) = self.fresh(&AtomicBool::new(false)) else { return Vec::new() };
        let tables = loaded.tables.iter().filter(|table| table.is_table()).map(load::Columns::shown).collect();
        self.put(loaded);
        tables
    }

    /// The data as the files are now, for whoever asked alone: one who was left at loading takes it away from nobody.
    fn fresh(&self, stopped: &AtomicBool) -> Result<load::Loaded, Failure> {
        load::fresh(self.take(), &self.name, &self.config, &self.root, stopped)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    query: Option<String>,
    sql: Option<String>,
    #[serde(default)]
    args: Map<String, Value>,
}

impl Declared for Sql {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        let shared = &self.shared;
        let loaded = match load::opened(shared.take(), &shared.name, &shared.config, &shared.root) {
            Ok(loaded) => loaded,
            Err(why) => return Look { facts: Vec::new(), faults: why },
        };
        let mut faults: Vec<Wrong> = loaded
            .failed
            .iter()
            .flat_map(|(table, why)| load::wrong(table, why, &shared.config, &shared.root))
            .collect();
        let named = shared.config.queries.iter();
        faults.extend(named.flat_map(|(name, query)| named::examine(&loaded, name, query, &shared.setting)));
        let facts = loaded.tables.iter().filter(|table| table.is_table()).map(load::Columns::shown).collect();
        if loaded.failed.is_empty() {
            shared.put(loaded);
        }
        Look { facts, faults }
    }

    fn queries(&self) -> Queries {
        // Of a query whose parameters and arguments are not the same, nobody can say what it takes.
        let shared = &self.shared;
        let named = &shared.config.queries;
        let sound = named.iter().filter(|(name, query)| named::parameters(name, query).is_empty());
        let loaded = match named.is_empty() {
            true => None,
            false => load::opened(shared.take(), &shared.name, &shared.config, &shared.root).ok(),
        };
        let known = |(name, query): (&String, &Query)| {
            let columns = loaded.as_ref().and_then(|loaded| named::columns(loaded, query));
            let result = columns.map(|columns| shape::of(Some(&columns)));
            (name.clone(), NamedQuery { args: query.args.clone(), result })
        };
        let queries = sound.map(known).collect();
        if let Some(loaded) = loaded.filter(|loaded| loaded.failed.is_empty()) {
            shared.put(loaded);
        }
        queries
    }
}

impl Callable for Sql {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let ask = self.ask(read(self.spec.name.as_str(), call.args)?)?;
            // One after the other; whoever gives up leaves the line.
            let _turn = self.shared.turn.lock().await;
            // Whichever way this future ends, `stop` is dropped and the engine stops at its next look.
            let stop = Stop::default();
            let (shared, stopped) = (Arc::clone(&self.shared), Arc::clone(&stop.0));
            let mut fresh = self.shared.at_work.apart(move || shared.fresh(&stopped)).await?;
            let (shared, stopped) = (Arc::clone(&self.shared), Arc::clone(&stop.0));
            let query = self.shared.at_work.apart(move || {
                // Taken out while in use: a panic leaves nothing half-changed behind, and who is late holds up nobody.
                let answer = rows::answer(&mut fresh, &ask, &shared.config, &shared.setting, &stopped);
                shared.put(fresh);
                answer
            });
            let timeout_ms = self.shared.config.timeout.0;
            let late =
                |_| invalid(format!("the query took longer than {timeout_ms} ms (timeout): ask for less at once"));
            tokio::time::timeout(Duration::from_millis(timeout_ms), query).await.map_err(late)?
        })
    }
}

impl Sql {
    fn ask(&self, args: Args) -> Result<Ask, Failure> {
        let config = &self.shared.config;
        match (args.query, args.sql) {
            (Some(name), None) => {
                let query = config.queries.get(&name).ok_or_else(|| {
                    let known: Vec<_> = config.queries.keys().map(String::as_str).collect();
                    invalid(format!("there is no query {}; there is: {}", quoted(&name), known.join(", ")))
                })?;
                fits(&name, query, &args.args)?;
                Ok(Ask { sql: query.sql.clone(), args: args.args, source: json!({ "query": name }) })
            }
            (None, Some(sql)) if config.free_sql => {
                let digest = Digest::of("callsheet sql 1", &[sql.as_bytes()]);
                Ok(Ask { sql, args: args.args, source: json!({ "sql_digest": digest }) })
            }
            (None, Some(_)) => Err(invalid("SQL text is not taken here (free_sql = false): name a query")),
            _ => Err(invalid("give either \"query\" (a name) or \"sql\" (one SELECT)")),
        }
    }
}

/// Set when nobody waits for the query any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fits(name: &str, query: &Query, args: &Map<String, Value>) -> Result<(), Failure> {
    if let Some(unknown) = args.keys().find(|key| !query.args.contains_key(*key)) {
        return Err(invalid(format!("the query {name} has no argument {}", quoted(unknown))));
    }
    for (arg, kind) in &query.args {
        let value = args.get(arg).ok_or_else(|| invalid(format!("the query {name} needs the argument {arg}")))?;
        let right = match kind {
            ParamKind::String => value.is_string(),
            ParamKind::Integer => value.is_i64(),
            ParamKind::Number => value.is_number(),
            ParamKind::Boolean => value.is_boolean(),
        };
        if !right {
            return Err(invalid(format!("the argument {arg} of the query {name} is to be a {}", kind_word(*kind))));
        }
    }
    Ok(())
}

fn kind_word(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "string",
        ParamKind::Integer => "integer",
        ParamKind::Number => "number",
        ParamKind::Boolean => "boolean",
    }
}

fn validate(name: &str, config: &Config) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::new(name, what));
    let wrong_in = |key: &'static str, what: String| Err(Error::new(name, what).of(key));
    match (&config.sqlite, config.csv.is_empty()) {
        (None, true) => {
            return wrong("says no data: write csv = { table = \"data/x.csv\" } or sqlite = \"data/x.db\"".into());
        }
        (Some(_), false) => {
            return wrong_in("sqlite", "has both csv and sqlite: keep one, or make two connections".into());
        }
        _ => {}
    }
    for path in config.csv.values().map(|table| &table.path).chain(&config.sqlite) {
        let key = if config.sqlite.is_some() { "sqlite" } else { "csv" };
        beneath::plain(path).map_err(|why| Error::new(name, why.to_string()).of(key))?;
    }
    if let Some(table) = config.csv.keys().find(|table| !load::is_table_name(table)) {
        return wrong_in(
            "csv",
            format!("{table:?} is no table name: letters, digits and '_', beginning with a letter"),
        );
    }
    for (key, most) in [("rows_max", config.rows_max), ("bytes_max", config.bytes_max)] {
        if most == 0 {
            return wrong_in(key, format!("{key} is 1 or more"));
        }
    }
    if config.queries.is_empty() && !config.free_sql {
        return wrong_in("free_sql", "has neither queries nor free_sql: nothing could be asked".into());
    }
    Ok(())
}

fn description(config: &Config) -> String {
    use std::fmt::Write as _;
    let mut text = match config.free_sql {
        true => "Reads data with SQL (SQLite dialect; reading only).".to_owned(),
        false => "Reads data.".to_owned(),
    };
    if !config.csv.is_empty() && config.free_sql {
        let tables: Vec<_> = config.csv.keys().map(String::as_str).collect();
        let _ = write!(text, " Tables: {}.", tables.join(", "));
    }
    if !config.queries.is_empty() {
        text.push_str(" Name one of its queries, and give that query's arguments in args.");
    }
    text
}

/// The arguments; `tables` are those that free SQL may ask, with their columns and types, as far as they are known.
fn arguments(config: &Config, tables: &[String]) -> Value {
    let mut properties = Map::new();
    if !config.queries.is_empty() {
        let names: Vec<_> = config.queries.keys().collect();
        properties.insert("query".into(), json!({ "type": "string", "enum": names, "description": queries(config) }));
    }
    if config.free_sql {
        let known = if tables.is_empty() { String::new() } else { format!(" of {}", tables.join("; ")) };
        let description = match config.queries.is_empty() {
            true => format!("one SELECT{known}"),
            false => format!("one SELECT{known}; instead of a query"),
        };
        properties.insert("sql".into(), json!({ "type": "string", "description": description }));
    }
    properties.insert("args".into(), values(config));
    let required: &[&str] = match (config.queries.is_empty(), config.free_sql) {
        (false, false) => &["query"],
        (true, true) => &["sql"],
        _ => &[],
    };
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// What each query answers, a line each.
fn queries(config: &Config) -> String {
    let line = |(name, query): (&String, &Query)| {
        let args: Vec<_> = query.args.keys().map(String::as_str).collect();
        format!("{name}({}): {}", args.join(", "), query.description)
    };
    config.queries.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The values of parameters: those of the queries with their types. Which query needs which is in the queries' lines.
fn values(config: &Config) -> Value {
    let mut kinds: BTreeMap<&String, Vec<ParamKind>> = BTreeMap::new();
    for (arg, kind) in config.queries.values().flat_map(|query| &query.args) {
        let known = kinds.entry(arg).or_default();
        if !known.contains(kind) {
            known.push(*kind);
        }
    }
    let typed = |(arg, kinds): (&String, Vec<ParamKind>)| match kinds[..] {
        [kind] => (arg.clone(), json!({ "type": kind_word(kind) })),
        _ => (arg.clone(), json!({})),
    };
    let properties: Map<String, Value> = kinds.into_iter().map(typed).collect();
    if config.free_sql {
        let description = "values of the :name parameters";
        return json!({ "type": "object", "properties": properties, "description": description });
    }
    let description = "the arguments that the query names";
    json!({ "type": "object", "properties": properties, "description": description, "additionalProperties": false })
}

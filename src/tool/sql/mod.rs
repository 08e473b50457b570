//! The `sql` kind: `NAME.query` over CSV and Parquet files or one SQLite file, where the engine itself refuses all but reading.

pub(in crate::tool) mod asked;
mod column;
mod config;
mod day;
mod function;
mod guard;
mod guess;
mod hidden;
pub(in crate::tool) mod hide;
mod load;
mod meeting;
mod misuse;
pub(in crate::tool) mod named;
mod number;
mod order;
mod origin;
mod parquet;
mod program;
mod query;
mod register;
mod rows;
pub(in crate::tool) mod shape;
mod table;
mod text;
mod total;
mod trial;
mod worker;

pub use config::Config;
pub use guess::{Guess, Seen, guess, is_parquet, whole};
pub use hide::Hide;
pub use query::Query;
pub use table::Table;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use self::asked::Ask;
use super::open::{Ground, Open};
use super::part::args::invalid;
use super::part::{Error, beneath, tool_name};
use super::{Call, Callable, Declared, Look, Tool, Wrong};
use crate::failure::Failure;
use crate::failure::Work;
use crate::topology::check::{NamedQuery, Queries};
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
        let args = asked::arguments(&config.offer(), &tables);
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
        let tables = loaded.tables.iter().filter(|table| table.is_table());
        let tables = tables.map(|table| table.shown_but(&self.config.hide)).collect();
        self.put(loaded);
        tables
    }

    /// The data as the files are now, for whoever asked alone: one who was left at loading takes it away from nobody.
    fn fresh(&self, stopped: &AtomicBool) -> Result<load::Loaded, Failure> {
        load::fresh(self.take(), &self.name, &self.config, &self.root, stopped)
    }
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
        faults.extend(
            named.flat_map(|(name, query)| named::examine(&loaded, (name, query), &shared.config, &shared.setting)),
        );
        let facts = loaded.tables.iter().filter(|table| table.is_table()).map(load::Columns::shown).collect();
        if loaded.failed.is_empty() {
            shared.put(loaded);
        }
        Look { facts, faults }
    }

    fn example(&self) -> Option<Value> {
        let config = &self.shared.config;
        Some(asked::example(&config.offer(), config.tables().next()))
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
            let ask = Ask::of(self.spec.name.as_str(), call.args, self.shared.config.offer())?;
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

/// Set when nobody waits for the query any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn validate(name: &str, config: &Config) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::new(name, what));
    let wrong_in = |key: &'static str, what: String| Err(Error::new(name, what).of(key));
    match (&config.sqlite, config.tables().next().is_none()) {
        (None, true) => {
            return wrong("says no data: write csv = { table = \"data/x.csv\" } or sqlite = \"data/x.db\"".into());
        }
        (Some(_), false) => {
            return wrong_in("sqlite", "has both sqlite and other files: keep one, or make two connections".into());
        }
        _ => {}
    }
    for path in config.csv.values().map(|table| &table.path).chain(&config.sqlite) {
        let key = if config.sqlite.is_some() { "sqlite" } else { "csv" };
        beneath::plain(path).map_err(|why| Error::new(name, why.to_string()).of(key))?;
    }
    for path in config.parquet.values() {
        beneath::plain(path).map_err(|why| Error::new(name, why.to_string()).of("parquet"))?;
    }
    for (key, tables) in [("csv", config.csv.keys().collect::<Vec<_>>()), ("parquet", config.parquet.keys().collect())]
    {
        if let Some(table) = tables.into_iter().find(|table| !load::is_table_name(table)) {
            let what = format!("{table:?} is no table name: letters, digits and '_', beginning with a letter");
            return wrong_in(key, what);
        }
    }
    let is_csv = |table: &&String| config.csv.keys().any(|other| other.eq_ignore_ascii_case(table));
    if let Some(table) = config.parquet.keys().find(is_csv) {
        return wrong_in("parquet", format!("there is a table {table:?} of csv already: call one of them otherwise"));
    }
    for (key, most) in [("rows_max", config.rows_max), ("bytes_max", config.bytes_max)] {
        if most == 0 {
            return wrong_in(key, format!("{key} is 1 or more"));
        }
    }
    if config.queries.is_empty() && !config.free_sql {
        return wrong_in("free_sql", "has neither queries nor free_sql = true: nothing could be asked".into());
    }
    Ok(())
}

fn description(config: &Config) -> String {
    use std::fmt::Write as _;
    let mut text = match config.free_sql {
        true => "Reads data with SQL (SQLite dialect; reading only).".to_owned(),
        false => "Reads data.".to_owned(),
    };
    if config.sqlite.is_none() && config.free_sql {
        let tables: Vec<_> = config.tables().collect();
        let _ = write!(text, " Tables: {}.", tables.join(", "));
    }
    if !config.queries.is_empty() {
        text.push_str(" Name one of its queries, and give that query's arguments in args.");
    }
    text
}

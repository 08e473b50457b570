//! The `postgres` kind: `NAME.query` over the tables of a PostgreSQL database. It reads in transactions that only read and
//! are rolled back, as a role that may do little else; what a model writes is written anew before it is asked (`closed.rs`).

mod closed;
mod config;
mod link;
mod parameters;
mod place;
mod reading;
mod refused;
mod role;
mod seen;
mod session;

use std::sync::Arc;

use serde_json::Value;

pub use config::Config;
pub use seen::{Accepted, Looked, Table, accept};

use self::link::Link;
use self::place::Place;
use self::reading::{Caps, Question};
use self::session::Settings;
use super::open::{Ground, Open};
use super::part::args::invalid;
use super::part::{Error, tool_name};
use super::sql::asked::{self, Ask};
use super::sql::{Query, named, shape};
use super::{Call, Callable, Declared, Look, Opened, Tool, Wrong};
use crate::failure::{Class, Failure, Work};
use crate::topology::check::{NamedQuery, Queries};
use crate::topology::code::Code;
use crate::topology::spec::{Reach, ToolSpec};

/// Time beside the query's own: to connect, and to wait for other queries of the same database.
const WAITING_MS: u64 = 30_000;

impl Open for Config {
    const KIND: &'static str = "postgres";

    /// The lock is read; the database is opened when it is first asked.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        if self.queries.is_empty() && !self.free_sql {
            let what = format!(
                "has neither queries nor free_sql = true: nothing could be asked. callsheet data inspect {name} shows what there is"
            );
            return Err(Error::new(name, what));
        }
        Ok(vec![Tool::callable(Postgres::new(self, name, ground)?)])
    }
}

/// A database as the project has it.
pub struct Postgres {
    spec: ToolSpec,
    name: String,
    config: Config,
    accepted: Result<Option<Accepted>, String>,
    link: Arc<Link>,
}

impl Postgres {
    /// The database of `[tools.name]`; nobody is asked. It can be looked at before it has anything that agents could ask.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub fn new(config: Config, name: &str, ground: &Ground<'_>) -> Result<Self, Error> {
        validate(name, &config)?;
        let accepted = seen::accepted(ground.root, name);
        let tables = match &accepted {
            Ok(Some(accepted)) if config.free_sql => visible(accepted, &config).iter().map(Table::shown).collect(),
            _ => Vec::new(),
        };
        let args = asked::arguments(&config.offer(), &tables);
        let spec = ToolSpec::callable(tool_name(name, "query")?, &description(&config), args);
        let spec = ToolSpec {
            labels: config.labels,
            reach: Reach::ReadsOut,
            call_timeout_ms: config.timeout.0.saturating_add(WAITING_MS),
            ..spec.accepting_all(&["query", "sql", "args"]).giving(shape::of(None))
        };
        let place =
            Place { url_env: config.url_env.clone(), allow_plain: config.allow_plain, secrets: ground.secrets.clone() };
        let settings = Settings { schemas: config.schemas.clone(), timeout_ms: config.timeout.0 };
        let link = Arc::new(Link::new(place, settings));
        Ok(Self { spec, name: name.to_owned(), config, accepted, link })
    }

    /// What was accepted of it, or why nothing can be said.
    ///
    /// # Errors
    /// A clause, for people.
    pub fn accepted(&self) -> Result<Option<&Accepted>, String> {
        self.accepted.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// What is there now, with what is wrong with the named queries.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn inspect(&self) -> Result<Looked, Failure> {
        seen::look(&self.link, &self.config.queries, &self.config.hide).await
    }

    /// What is there now.
    ///
    /// # Errors
    /// The database cannot be asked, or does not take a named query.
    pub async fn look_now(&self) -> Result<Accepted, Failure> {
        let Looked { now, faults, .. } = self.inspect().await?;
        if faults.is_empty() { Ok(now) } else { Err(invalid(faults.join("\n"))) }
    }

    fn known(&self) -> Option<&Accepted> {
        self.accepted.as_ref().ok().and_then(Option::as_ref)
    }

    fn question(&self, ask: Ask) -> Result<Question, Failure> {
        let source = ask.source();
        let numbered = parameters::numbered(&ask.sql, |name| ask.args.contains_key(name));
        let values = parameters::values(&numbered.names, &ask.args)?;
        let Some(name) = ask.query else {
            let accepted = self.known().ok_or_else(|| Failure::new(Class::Policy, unaccepted(&self.name)))?;
            let sql = closed::closed(&numbered.sql, &visible(accepted, &self.config))?;
            return Ok(Question { sql, values, names: numbered.names, is_free: true, columns: None, source });
        };
        let query = self.config.queries.get(&name);
        let query = query.ok_or_else(|| invalid(format!("there is no query {name}")))?;
        let columns = self.known().and_then(|accepted| accepted.columns(&name, query)).cloned();
        Ok(Question { sql: numbered.sql, values, names: numbered.names, is_free: false, columns, source })
    }
}

/// The accepted tables without what is hidden now: what was accepted before may hold more.
fn visible(accepted: &Accepted, config: &Config) -> Vec<Table> {
    let mut tables = accepted.tables.clone();
    for table in &mut tables {
        let name = table.name.clone();
        table.columns.retain(|column| !config.hide.iter().any(|hide| hide.is(&name, &column.name)));
    }
    tables.retain(|table| config.schemas.contains(&table.schema) && !table.columns.is_empty());
    tables
}

/// Parameters that are not declared, and arguments that are not used.
fn misnamed(name: &str, query: &Query) -> Vec<Wrong> {
    named::parameters_of(name, query, &parameters::found(&query.sql))
}

fn unaccepted(name: &str) -> String {
    format!(
        "nobody has accepted yet what the database {name} holds, so SQL text could name nothing: look with \
         `callsheet data inspect {name}`, and accept with `callsheet data accept {name}`"
    )
}

impl Declared for Postgres {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        let mut faults = Vec::new();
        for (name, query) in &self.config.queries {
            faults.extend(misnamed(name, query));
        }
        match &self.accepted {
            Err(why) => faults.push(Wrong::at(&[], Code::Data, why.clone())),
            Ok(None) if self.config.free_sql => {
                faults.push(Wrong::at(&["free_sql"], Code::Unaccepted, unaccepted(&self.name)));
            }
            Ok(_) => {}
        }
        let facts = self.known().into_iter().flat_map(|accepted| accepted.tables.iter().map(Table::shown)).collect();
        Look { facts, faults }
    }

    fn unset(&self) -> Vec<String> {
        self.link.place.secrets.unset([&self.config.url_env])
    }

    fn example(&self) -> Option<Value> {
        let table = self.known().and_then(|accepted| accepted.tables.first());
        let table = table.map(|table| format!("{}.{}", table.schema, table.name));
        Some(asked::example(&self.config.offer(), table.as_deref()))
    }

    fn queries(&self) -> Queries {
        let sound = self.config.queries.iter().filter(|(name, query)| misnamed(name, query).is_empty());
        let known = |(name, query): (&String, &Query)| {
            let columns = self.known().and_then(|accepted| accepted.columns(name, query));
            let result = columns.map(|columns| shape::of(Some(columns)));
            (name.clone(), NamedQuery { args: query.args.clone(), result })
        };
        sound.map(known).collect()
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        Some(Box::pin(async move {
            let now = self.look_now().await?;
            let borrowed = self.link.borrow().await?;
            let role = borrowed.session()?.role.clone();
            borrowed.done();
            let tables = match now.tables.len() {
                1 => "1 table".to_owned(),
                tables => format!("{tables} tables"),
            };
            let text = format!("{}: the role {} reads {tables}", now.server, role.name);
            let mut remarks = Vec::new();
            if !role.could.is_empty() {
                remarks.push(format!(
                    "THE ROLE {} COULD WRITE: it may {}. Callsheet asks in transactions that only read; a role that only reads \
                     is safer: {}",
                    role.name,
                    role.could.join(", "),
                    role.reader(&self.config.schemas)
                ));
            }
            let changes = self.known().map(|accepted| accepted.changes(&now)).unwrap_or_default();
            if !changes.is_empty() {
                remarks.push(format!(
                    "it holds something else than what was accepted: {}; look with `callsheet data inspect {}`",
                    changes.join(", "),
                    self.name
                ));
            }
            Ok(Opened { text, remarks })
        }))
    }
}

impl Callable for Postgres {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let question = self.question(Ask::of(self.spec.name.as_str(), call.args, self.config.offer())?)?;
            let caps = Caps {
                rows_max: self.config.rows_max,
                bytes_max: self.config.bytes_max,
                timeout_ms: self.config.timeout.0,
            };
            let borrowed = self.link.borrow().await?;
            // The server's own time-out comes first, unless it does not answer at all; then the statement is cancelled.
            let most = std::time::Duration::from_millis(caps.timeout_ms.saturating_add(2_000));
            let answer = tokio::time::timeout(most, reading::answer(borrowed, &question, caps)).await;
            answer.unwrap_or_else(|_| Err(Failure::new(Class::Transient, "the database did not answer in time")))
        })
    }
}

fn validate(name: &str, config: &Config) -> Result<(), Error> {
    let wrong_in = |key: &'static str, what: String| Err(Error::new(name, what).of(key));
    let is_variable = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !is_variable(&config.url_env) {
        let what =
            "url_env is the name of a variable such as SHOP_DATABASE_URL: the address has a password, and stands there";
        return wrong_in("url_env", what.to_owned());
    }
    let is_schema = |schema: &String| {
        !schema.is_empty() && !schema.starts_with("pg_") && schema != "information_schema" && !schema.contains('\0')
    };
    if config.schemas.is_empty() || !config.schemas.iter().all(is_schema) {
        return wrong_in("schemas", "schemas are those of your tables, such as [\"public\"]".to_owned());
    }
    for (key, most) in [("rows_max", config.rows_max), ("bytes_max", config.bytes_max)] {
        if most == 0 {
            return wrong_in(key, format!("{key} is 1 or more"));
        }
    }
    if config.timeout.0 > 3_600_000 {
        return wrong_in("timeout", "a query has an hour at most".to_owned());
    }
    Ok(())
}

fn description(config: &Config) -> String {
    let mut text = match config.free_sql {
        true => "Reads a database with SQL (PostgreSQL dialect; one SELECT, plainly written).".to_owned(),
        false => "Reads a database.".to_owned(),
    };
    if !config.queries.is_empty() {
        text.push_str(" Name one of its queries, and give that query's arguments in args.");
    }
    text
}

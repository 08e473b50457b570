//! What a database holds, as a person looked at it and accepted it: its tables with the types of their columns and some of
//! their values, and what each named query gives. It stands in `callsheet.lock`, so that `check` asks no server.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio_postgres::{Error, Row};

use super::link::Link;
use super::parameters::numbered;
use super::refused::failed;
use super::session::Session;
use crate::failure::Failure;
use crate::id::Digest;
use crate::tool::part::lock::{self, Of};
use crate::tool::sql::{Hide, Query};

/// Tables that are looked at.
const TABLES_MAX: i64 = 200;
/// Columns of all of them that are looked at.
const COLUMNS_MAX: i64 = 5_000;
/// Values of a column that are shown.
const SAMPLES_MAX: usize = 5;
/// Longest of these.
const SAMPLE_CHARS_MAX: usize = 40;

/// What was accepted of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// What it calls itself, such as `PostgreSQL 15.8, database shop`.
    pub server: String,
    /// The tables and views that the role may read, without hidden columns.
    pub tables: Vec<Table>,
    /// What each named query gives.
    pub queries: BTreeMap<String, Known>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name in there.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the server says it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Values that many rows have, of a column that has few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
}

/// A named query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Of its text: one that was changed since is not known.
    pub sql: Digest,
    /// What its columns are called.
    pub columns: Vec<String>,
}

impl Table {
    /// The table with its columns, for people and models.
    pub fn shown(&self) -> String {
        let column = |column: &Column| {
            let such = match column.samples.is_empty() {
                true => String::new(),
                false => format!(" such as {}", column.samples.join(", ")),
            };
            format!("{} {}{such}", column.name, column.kind)
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("{}.{}({})", self.schema, self.name, columns.join(", "))
    }
}

impl Accepted {
    /// What the columns of a named query are called, if it was accepted as it stands.
    pub(super) fn columns(&self, name: &str, query: &Query) -> Option<&Vec<String>> {
        self.queries.get(name).filter(|known| known.sql == digest(&query.sql)).map(|known| &known.columns)
    }

    /// How `now` differs, in what somebody may rely on: a sentence each.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let kinds = |of: &Self| -> BTreeMap<String, String> {
            let columns = of.tables.iter().flat_map(|table| {
                let of = format!("{}.{}", table.schema, table.name);
                table.columns.iter().map(move |column| (format!("{of}.{}", column.name), column.kind.clone()))
            });
            columns.collect()
        };
        let (was, is) = (kinds(self), kinds(now));
        let gone = was.keys().filter(|name| !is.contains_key(*name)).map(|name| format!("{name} is gone"));
        let other = is.iter().filter_map(|(name, kind)| match was.get(name) {
            None => Some(format!("{name} is new")),
            Some(before) if before != kind => Some(format!("{name} was {before} and is {kind}")),
            Some(_) => None,
        });
        let queries = now.queries.iter().filter(|(name, known)| self.queries.get(*name) != Some(known));
        gone.chain(other).chain(queries.map(|(name, _)| format!("the query {name} is another"))).collect()
    }
}

/// The digest of a query's text.
fn digest(sql: &str) -> Digest {
    Digest::of("callsheet sql 1", &[sql.as_bytes()])
}

/// What was accepted of `name` in the project at `root`, if anything was.
///
/// # Errors
/// A clause, for people: the file cannot be read, or was changed by hand.
pub(super) fn accepted(root: &Path, name: &str) -> Result<Option<Accepted>, String> {
    lock::entry(root, Of::Postgres, name)
}

/// Writes down that `now` is accepted of `name`.
///
/// # Errors
/// A clause, for people.
pub fn accept(root: &Path, name: &str, now: &Accepted) -> Result<(), String> {
    lock::put(root, Of::Postgres, name, now)
}

/// What is there now, whatever is wrong with what the project says of it.
pub struct Looked {
    /// What can be accepted.
    pub now: Accepted,
    /// Named queries that the database does not take, a sentence each.
    pub faults: Vec<String>,
    /// Schemas that the project does not name, each with the tables and views in it that the role may read.
    pub others: Vec<(String, i64)>,
}

/// What is there now.
pub(super) async fn look(link: &Link, queries: &BTreeMap<String, Query>, hidden: &[Hide]) -> Result<Looked, Failure> {
    let borrowed = link.borrow().await?;
    let session = borrowed.session()?;
    let wrong = |why: Error| failed(&why, "", &session.hidden);
    session.client.batch_execute(BEGIN).await.map_err(wrong)?;
    let tables = tables(session, &link.settings.schemas, hidden).await.map_err(wrong)?;
    let rows = session.client.query(OTHERS, &[&link.settings.schemas]).await.map_err(wrong)?;
    let other = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let others = rows.iter().map(other).collect::<Result<Vec<_>, Error>>().map_err(wrong)?;
    let (mut known, mut faults) = (BTreeMap::new(), Vec::new());
    for (name, query) in queries {
        let sql = numbered(&query.sql, |arg| query.args.contains_key(arg)).sql;
        let sql = sql.trim_end().trim_end_matches(';');
        match session.client.prepare(sql).await {
            Ok(prepared) => {
                let columns = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
                known.insert(name.clone(), Known { sql: digest(&query.sql), columns });
            }
            Err(why) if why.as_db_error().is_some() => {
                faults.push(format!("the query {name}: {}", wrong(why).reason));
                // Whatever is asked in a transaction that has failed is refused.
                session.client.batch_execute(&format!("ROLLBACK; {BEGIN}")).await.map_err(wrong)?;
            }
            Err(why) => return Err(wrong(why)),
        }
    }
    session.client.batch_execute("ROLLBACK").await.map_err(wrong)?;
    let server = format!("PostgreSQL {}, database {}", session.role.version, session.role.database);
    borrowed.done();
    Ok(Looked { now: Accepted { server, tables, queries: known }, faults, others })
}

const BEGIN: &str = "BEGIN TRANSACTION READ ONLY";

/// Schemas that are not named, with how much of each the role may read.
const OTHERS: &str = "
SELECT n.nspname::text, count(*)
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
WHERE n.nspname <> ALL ($1) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
GROUP BY 1 ORDER BY 1 LIMIT 50";

/// The columns that the role may read, with values that are common in those that have few.
const COLUMNS: &str = "
SELECT n.nspname::text, c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN t.typcategory IN ('S', 'E') AND s.n_distinct BETWEEN 1 AND 50
            THEN s.most_common_vals::text::text[] END
FROM (SELECT * FROM pg_catalog.pg_class
      WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
        AND relnamespace = ANY (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1))
        AND pg_catalog.has_any_column_privilege(oid, 'SELECT')
      ORDER BY relname LIMIT $2) c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY pg_catalog.array_position($1, n.nspname::text), c.relname, a.attnum LIMIT $3";

async fn tables(session: &Session, schemas: &[String], hidden: &[Hide]) -> Result<Vec<Table>, Error> {
    let mut tables: Vec<Table> = Vec::new();
    for row in session.client.query(COLUMNS, &[&schemas, &TABLES_MAX, &COLUMNS_MAX]).await? {
        let (schema, table, name): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let samples: Option<Vec<Option<String>>> = row.try_get(4)?;
        // A name that would have to be escaped is none that a model is given.
        let is_strange = |name: &str| name.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
        if hidden.iter().any(|hide| hide.is(&table, &name))
            || [&schema, &table, &name].into_iter().any(|of| is_strange(of))
        {
            continue;
        }
        let samples = samples.into_iter().flatten().flatten();
        let samples = samples.filter(|value| value.chars().count() <= SAMPLE_CHARS_MAX && !value.trim().is_empty());
        let column = Column {
            name,
            kind: row.try_get(3)?,
            samples: samples.take(SAMPLES_MAX).map(|value| format!("'{}'", value.replace('\'', "''"))).collect(),
        };
        match tables.last_mut().filter(|last| last.schema == schema && last.name == table) {
            Some(last) => last.columns.push(column),
            None => tables.push(Table { schema, name: table, columns: vec![column] }),
        }
    }
    Ok(tables)
}

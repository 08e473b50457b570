//! One statement in a transaction that only reads and is always rolled back, and its rows as JSON within the caps. The
//! statement is a part of one of ours, so that whatever is no SELECT does not read as SQL at all.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use futures_core::Stream as _;
use serde_json::{Map, Number, Value, json};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Row};

use super::link::Borrowed;
use super::refused::{UNTAKEN, failed};
use super::role::identifier;
use super::session::{Prepared, Session};
use crate::failure::{Class, Failure};
use crate::tool::part::args::{invalid, quoted};

/// Most columns of a result.
const COLUMNS_MAX: usize = 500;
/// Longest statement.
const SQL_BYTES_MAX: usize = 64 << 10;

/// What is asked of the server.
pub(super) struct Question {
    /// With `$1`, `$2` ... for its parameters.
    pub(super) sql: String,
    pub(super) values: Vec<Option<String>>,
    /// What they are called.
    pub(super) names: Vec<String>,
    /// Whether it was written by whoever calls: then names mean what the server itself has, and nothing of any schema.
    pub(super) is_free: bool,
    /// What the columns are to be called, if that is known.
    pub(super) columns: Option<Vec<String>>,
    pub(super) source: Value,
}

/// How much may come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    pub(super) rows_max: u32,
    pub(super) bytes_max: u32,
    pub(super) timeout_ms: u64,
}

/// Asks, and gives the connection back if nothing is left running in it.
pub(super) async fn answer(borrowed: Borrowed<'_>, question: &Question, caps: Caps) -> Result<Value, Failure> {
    if question.sql.len() > SQL_BYTES_MAX || question.sql.contains('\0') {
        return Err(invalid(format!("the SQL has a NUL character, or more than {SQL_BYTES_MAX} bytes")));
    }
    let session = borrowed.session()?;
    let begin = match question.is_free {
        true => "BEGIN TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog",
        false => "BEGIN TRANSACTION READ ONLY",
    };
    // Both are on their way before the first is answered. Should it not begin, what follows reads only all the same.
    let (begun, answer) = tokio::join!(biased; session.client.batch_execute(begin), rows(session, question, caps));
    let begun = begun.map_err(|why| failed(&why, "", &session.hidden));
    if answer.as_ref().is_err_and(Unanswered::runs_on) {
        // Dropped here: it is cancelled.
        return begun.and(answer.map_err(Unanswered::into_failure));
    }
    // Locks of the session would outlive the transaction; a model's SQL takes none.
    let end = if question.is_free { "ROLLBACK" } else { "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all()" };
    sent(session.client.batch_execute(end)).await;
    borrowed.done();
    begun.and(answer.map_err(Unanswered::into_failure))
}

/// Why there is no answer.
enum Unanswered {
    /// The server has ended the statement.
    Over(Failure),
    /// Rows may still come.
    Running(Failure),
}

impl Unanswered {
    fn runs_on(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    fn into_failure(self) -> Failure {
        match self {
            Self::Over(failure) | Self::Running(failure) => failure,
        }
    }
}

/// Sends what is asked, and leaves the answer to itself: whatever is asked next comes after it.
async fn sent<T>(asked: impl Future<Output = Result<T, Error>>) {
    let mut asked = pin!(asked);
    poll_fn(|cx| {
        drop(asked.as_mut().poll(cx));
        Poll::Ready(())
    })
    .await;
}

async fn rows(session: &Session, question: &Question, caps: Caps) -> Result<Value, Unanswered> {
    let late = format!("the query took longer than {} ms (timeout): ask for less at once", caps.timeout_ms);
    let over = |why: Error| {
        let failure = failed(&why, &late, &session.hidden);
        Unanswered::Over(match unfit(&why, question) {
            Some(name) => {
                let said = failure.reason.trim_start_matches(UNTAKEN).to_owned();
                invalid(format!("the argument {name} is not what the query takes there: {said}"))
            }
            None => failure,
        })
    };
    let prepared = prepared(session, question, caps, &late).await.map_err(Unanswered::Over)?;
    let columns: Vec<&str> = prepared.columns.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(known) = question.columns.as_ref().filter(|known| **known != columns) {
        let (was, is) = (known.join(", "), columns.join(", "));
        let why = format!(
            "the database gives {is}, and {was} was accepted: callsheet data accept shows and accepts what is there now"
        );
        return Err(Unanswered::Over(Failure::new(Class::Policy, why)));
    }
    if prepared.statement.params().len() != question.values.len() {
        let why = "a parameter is written :name, and its value is given in \"args\"";
        return Err(Unanswered::Over(invalid(why)));
    }
    let values = question.values.iter().map(|value| Text(value.as_deref()));
    let values: Vec<Text<'_>> = values.collect();
    let found = session.client.query_raw(&prepared.statement, values.iter().map(|value| value as &dyn ToSql));
    let mut found = pin!(found.await.map_err(over)?);
    let (mut rows, mut bytes) = (Vec::new(), 0_u64);
    while let Some(row) = poll_fn(|cx| found.as_mut().poll_next(cx)).await {
        let row = row.map_err(over)?;
        if rows.len() as u64 >= u64::from(caps.rows_max) {
            let most = caps.rows_max;
            let why = format!("the result has more than {most} rows (rows_max): ask for less, or raise rows_max");
            return Err(Unanswered::Running(invalid(why)));
        }
        let row = object(&row, &prepared, caps).map_err(Unanswered::Running)?;
        bytes += row.to_string().len() as u64 + 1;
        if bytes > u64::from(caps.bytes_max) {
            return Err(Unanswered::Running(too_large(caps)));
        }
        rows.push(row);
    }
    Ok(json!({
        "columns": columns, "row_count": rows.len(), "rows": rows, "truncated": false, "source": question.source,
    }))
}

/// The argument that the server could not read as the type that it has in the statement.
fn unfit<'q>(why: &Error, question: &'q Question) -> Option<&'q str> {
    let said = why.as_db_error().filter(|said| said.code().code().starts_with("22"))?;
    let place = said.where_().and_then(|text| text.split_once("parameter $")).map(|(_, rest)| rest);
    let place = place.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
    // Older servers do not say which it is, and quote its value.
    let quoted =
        |value: &Option<String>| value.as_ref().is_some_and(|value| said.message().ends_with(&format!("\"{value}\"")));
    let place = place.and_then(|place| place.checked_sub(1)).or_else(|| question.values.iter().position(quoted))?;
    question.names.get(place).map(String::as_str)
}

fn too_large(caps: Caps) -> Failure {
    let most = caps.bytes_max;
    invalid(format!("the result has more than {most} bytes (bytes_max): ask for less, or raise bytes_max"))
}

/// The statement as the server is asked it, prepared. It is read alone first: what reads as one statement by itself is one
/// part within ours.
async fn prepared(session: &Session, question: &Question, caps: Caps, late: &str) -> Result<Arc<Prepared>, Failure> {
    let key = format!("{} {}", u8::from(question.is_free), question.sql);
    if let Some(prepared) = session.known(&key) {
        return Ok(prepared);
    }
    let broken = |why: Error| failed(&why, late, &session.hidden);
    let sql = question.sql.trim_end().trim_end_matches(';');
    let own = session.client.prepare(sql).await.map_err(broken)?;
    let columns: Vec<(String, Type)> =
        own.columns().iter().map(|column| (column.name().to_owned(), column.type_().clone())).collect();
    if columns.is_empty() {
        return Err(Failure::new(Class::Policy, "only a SELECT with columns is taken here"));
    }
    if columns.len() > COLUMNS_MAX {
        return Err(invalid(format!("the result has more than {COLUMNS_MAX} columns")));
    }
    let twice =
        columns.iter().enumerate().find(|(at, (name, _))| columns[..*at].iter().any(|(other, _)| other == name));
    if let Some((_, (twice, _))) = twice {
        return Err(invalid(format!("two columns of the result are named {}: name one with AS", quoted(twice))));
    }
    let statement = session.client.prepare(&within(sql, &columns, caps)).await.map_err(broken)?;
    let prepared = Arc::new(Prepared { statement, columns });
    session.keep(&key, Arc::clone(&prepared));
    Ok(prepared)
}

/// A statement of ours around it: every value as text, a row that is too large as nothing, and one row more than may come.
fn within(sql: &str, columns: &[(String, Type)], caps: Caps) -> String {
    let cells: Vec<String> = columns.iter().map(|(name, _)| format!("asked.{}::text", identifier(name))).collect();
    // As a text, an array is about as long as its row will be as JSON; what is left of it is counted exactly.
    let most = u64::from(caps.bytes_max) * 2 + 20_000;
    format!(
        "SELECT CASE WHEN pg_catalog.octet_length(found.cells::text) <= {most} THEN found.cells END FROM \
         (SELECT ARRAY[{}] AS cells FROM (\n{sql}\n) AS asked) AS found LIMIT {}",
        cells.join(", "),
        u64::from(caps.rows_max) + 1
    )
}

fn object(row: &Row, prepared: &Prepared, caps: Caps) -> Result<Value, Failure> {
    let cells: Option<Vec<Option<String>>> =
        row.try_get(0).map_err(|why| invalid(format!("a row is no row: {why}")))?;
    let cells = cells.ok_or_else(|| too_large(caps))?;
    let mut object = Map::new();
    for ((name, kind), cell) in prepared.columns.iter().zip(cells) {
        object.insert(name.clone(), cell.map_or(Ok(Value::Null), |cell| value(name, kind, cell))?);
    }
    Ok(Value::Object(object))
}

/// A value as the other engines give it: numbers as numbers, true and false as 1 and 0, times as ISO 8601, the rest as the
/// server writes it.
fn value(name: &str, kind: &Type, cell: String) -> Result<Value, Failure> {
    match *kind {
        Type::BOOL => Ok(Value::from(u8::from(cell == "true" || cell == "t"))),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => {
            number(name, cell)
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Ok(Value::from(instant(kind, &cell))),
        _ => Ok(Value::from(cell)),
    }
}

/// A number; a whole one that no number of JSON holds exactly is a text, so that none of its digits is lost.
fn number(name: &str, cell: String) -> Result<Value, Failure> {
    if let Ok(whole) = cell.parse::<i64>() {
        return Ok(whole.into());
    }
    if !cell.contains(['.', 'e', 'N', 'I']) {
        return Ok(cell.into());
    }
    let real: f64 = cell.parse().unwrap_or(f64::NAN);
    Number::from_f64(real)
        .map(Value::Number)
        .ok_or_else(|| invalid(format!("the column {} has a number without end, or none", quoted(name))))
}

/// `2026-07-01 10:00:00+00` -> `2026-07-01T10:00:00Z`.
fn instant(kind: &Type, cell: &str) -> String {
    let written = cell.replacen(' ', "T", 1);
    match written.strip_suffix("+00").filter(|_| *kind == Type::TIMESTAMPTZ) {
        Some(utc) => format!("{utc}Z"),
        None => written,
    }
}

/// A value as text, which the server reads as whatever type the parameter has.
#[derive(Debug)]
struct Text<'t>(Option<&'t str>);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

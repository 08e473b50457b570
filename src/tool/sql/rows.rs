//! Runs one statement on a closed connection and turns its rows into JSON within the caps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{ErrorCode, PrepFlags, Statement};
use serde_json::{Map, Number, Value, json};

use super::super::part::args::{invalid, permanent, quoted};
use super::asked::Ask;
use super::config::Config;
use super::load::Loaded;
use super::misuse;
use super::origin::Bound;
use crate::failure::{Class, Failure};

/// The result of `ask`, or why there is none.
pub(super) fn answer(
    loaded: &mut Loaded,
    ask: &Ask,
    config: &Config,
    setting: &str,
    stopped: &Arc<AtomicBool>,
) -> Result<Value, Failure> {
    if ask.sql.contains('\0') {
        return Err(invalid("the SQL has a NUL character, at which the engine would stop reading"));
    }
    let grown = Arc::default();
    super::guard::brake(&mut loaded.connection, stopped, &grown).map_err(|why| failure(&why, &grown))?;
    let hidden = if ask.query.is_none() { config.hide.as_slice() } else { &[] };
    super::guard::allow(&mut loaded.connection, hidden).map_err(|why| failure(&why, &grown))?;
    let mut statement = prepared(loaded, &ask.sql, &grown)?;
    if !hidden.is_empty() {
        let read = super::hidden::read(&loaded.connection, &ask.sql, &loaded.tables, hidden);
        if let Some(column) = read.map_err(|why| failure(&why, &grown))? {
            return Err(Failure::new(Class::Policy, format!("the SQL would read {column}, which is hidden")));
        }
    }
    let bound = |name: &str| match ask.args.get(name) {
        Some(Value::Number(_)) => Bound::Number,
        Some(Value::String(text)) => Bound::Text(text.clone()),
        _ => Bound::Other,
    };
    let misused = misuse::of(loaded, config, &ask.sql, &bound).map_err(|why| failure(&why, &grown))?;
    if let Some(misuse) = misused.first() {
        return Err(invalid(misuse.for_writer(setting)));
    }
    bind(&mut statement, &ask.args)?;
    collect(&mut statement, config, &ask.source(), &grown)
}

pub(super) fn prepared<'c>(loaded: &'c Loaded, sql: &str, grown: &AtomicBool) -> Result<Statement<'c>, Failure> {
    let statement = loaded
        .connection
        .prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_NO_VTAB | PrepFlags::SQLITE_PREPARE_DONT_LOG)
        .map_err(|why| failure(&why, grown))?;
    if !statement.readonly() || statement.column_count() == 0 || statement.is_explain() != 0 {
        return Err(Failure::new(Class::Policy, "only a SELECT is taken here"));
    }
    Ok(statement)
}

fn bind(statement: &mut Statement<'_>, args: &Map<String, Value>) -> Result<(), Failure> {
    let mut used = 0;
    for place in 1..=statement.parameter_count() {
        let name = statement
            .parameter_name(place)
            .and_then(|name| name.strip_prefix(':'))
            .map(str::to_owned)
            .ok_or_else(|| invalid("a parameter is written :name, and its value is given in \"args\""))?;
        let value =
            args.get(&name).ok_or_else(|| invalid(format!("the parameter :{name} has no value in \"args\"")))?;
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Bool(is) => Cell::Integer(i64::from(*is)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Cell::Integer(whole),
                None => Cell::Real(number.as_f64().unwrap_or(f64::MAX)),
            },
            Value::String(text) => Cell::Text(text.clone()),
            _ => return Err(invalid(format!("the value of :{name} is to be text, a number, true, false or null"))),
        };
        statement.raw_bind_parameter(place, cell).map_err(|why| invalid(format!(":{name}: {why}")))?;
        used += 1;
    }
    if used < args.len() {
        let spare = args.keys().find(|key| !matches!(statement.parameter_index(&format!(":{key}")), Ok(Some(_))));
        return Err(invalid(format!("the SQL has no parameter :{}", spare.map_or("", String::as_str))));
    }
    Ok(())
}

fn collect(
    statement: &mut Statement<'_>,
    config: &Config,
    source: &Value,
    grown: &AtomicBool,
) -> Result<Value, Failure> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if let Some((_, twice)) = columns.iter().enumerate().find(|(place, name)| columns[..*place].contains(name)) {
        return Err(invalid(format!("two columns of the result are named {}: name one with AS", quoted(twice))));
    }
    let mut found = statement.raw_query();
    let mut rows: Vec<Value> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next().map_err(|why| failure(&why, grown))? {
        if rows.len() as u64 >= config.rows_max {
            return Err(invalid(format!(
                "the result has more than {} rows (rows_max): ask for less, or raise rows_max",
                config.rows_max
            )));
        }
        let mut object = Map::new();
        for (place, column) in columns.iter().enumerate() {
            let value = row.get_ref(place).map_err(|why| failure(&why, grown))?;
            object.insert(column.clone(), json_value(column, value)?);
        }
        let object = Value::Object(object);
        bytes += object.to_string().len() as u64 + 1;
        if bytes > config.bytes_max {
            let most = config.bytes_max;
            return Err(invalid(format!(
                "the result has more than {most} bytes (bytes_max): ask for less, or raise bytes_max"
            )));
        }
        rows.push(object);
    }
    Ok(json!({
        "columns": columns, "row_count": rows.len(), "rows": rows, "truncated": false, "source": source,
    }))
}

fn json_value(column: &str, value: ValueRef<'_>) -> Result<Value, Failure> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(whole) => Ok(whole.into()),
        ValueRef::Real(real) => Number::from_f64(real)
            .map(Value::Number)
            .ok_or_else(|| invalid(format!("the column {} has a number without end", quoted(column)))),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map(Value::from)
            .map_err(|_| invalid(format!("the column {} has text that is not UTF-8", quoted(column)))),
        ValueRef::Blob(_) => Err(invalid(format!("the column {} has binary data: select hex() of it", quoted(column)))),
    }
}

/// What the engine's refusal comes to.
fn failure(why: &rusqlite::Error, grown: &AtomicBool) -> Failure {
    match why {
        rusqlite::Error::MultipleStatement => Failure::new(Class::Policy, "more than one statement: give one SELECT"),
        rusqlite::Error::SqliteFailure(code, text) => {
            let text = text.as_deref().unwrap_or("the engine refused");
            match code.code {
                ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly => {
                    Failure::new(Class::Policy, format!("only reading is allowed here: {text}"))
                }
                ErrorCode::OperationInterrupted if grown.load(Ordering::Relaxed) => {
                    invalid("the query needs too much memory: ask for less at once")
                }
                ErrorCode::OperationInterrupted => invalid("the query was stopped"),
                ErrorCode::TooBig => invalid(format!("a value is larger than the query may make: {text}")),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failure::new(Class::Transient, text),
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SystemIoFailure => permanent(text),
                _ => invalid(format!("the SQL is not taken: {text}")),
            }
        }
        rusqlite::Error::SqlInputError { msg, .. } => invalid(format!("the SQL is not taken: {msg}")),
        other => invalid(format!("the SQL is not taken: {other}")),
    }
}

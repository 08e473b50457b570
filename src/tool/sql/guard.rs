//! What makes the engine refuse everything but reading: authorizer, limits, switches and the two brakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::hide::Hide;

/// Functions that compute from their arguments alone. Whatever is not here (files, extensions, randomness, versions of
/// the library, full text) is refused by name.
const FUNCTIONS: &[&str] = &[
    "->",
    "->>",
    "abs",
    "avg",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "if",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "pow",
    "power",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "subtype",
    "sum",
    "time",
    "timediff",
    "total",
    "trim",
    "trunc",
    "typeof",
    "unicode",
    "unixepoch",
    "upper",
];

/// Longest text, blob or row that a query may make: bounds what one uninterruptible function can take.
pub(super) const VALUE_BYTES_MAX: i32 = 256 << 10;

/// Engine instructions between two looks at the brakes: about a tenth of a millisecond, unless each is heavy.
const OPS_PER_LOOK: i32 = 1_000;

/// Looks between two measurements of memory, which cost more.
const LOOKS_PER_MEASUREMENT: u32 = 10;

/// How much the whole process may grow while a query runs; a backstop against intermediate results.
const GROWTH_BYTES_MAX: u64 = 1 << 30;

/// Closes `connection` for everything but reading, for good. To be called after loading.
pub(super) fn close(connection: &mut Connection) -> rusqlite::Result<()> {
    // A name in double quotes that no column has would be taken for a text, and nobody would be told.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.pragma_update(None, "query_only", true)?;
    // No file is written, not even a temporary one; the brake on growth holds instead.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
        (Limit::SQLITE_LIMIT_COLUMN, 500),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    allow(connection, &[])
}

/// Lets statements that are prepared from now on read everything but these columns, through views as well.
pub(super) fn allow(connection: &mut Connection, hidden: &[Hide]) -> rusqlite::Result<()> {
    let hidden = hidden.to_vec();
    connection.authorizer(Some(move |asked: AuthContext<'_>| authorize(&asked, &hidden)))
}

fn authorize(asked: &AuthContext<'_>, hidden: &[Hide]) -> Authorization {
    match asked.action {
        AuthAction::Read { table_name, column_name } if hidden.iter().any(|hide| hide.is(table_name, column_name)) => {
            Authorization::Deny
        }
        AuthAction::Select | AuthAction::Recursive | AuthAction::Read { .. } => Authorization::Allow,
        AuthAction::Function { function_name } if listed(function_name) => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// The functions that may be called.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().copied()
}

fn listed(function: &str) -> bool {
    FUNCTIONS.iter().any(|name| name.eq_ignore_ascii_case(function))
}

/// Stops the running statement once `stopped` is set, or the process has grown too much; says through `grown` if it
/// was the latter.
pub(super) fn brake(
    connection: &mut Connection,
    stopped: &Arc<AtomicBool>,
    grown: &Arc<AtomicBool>,
) -> rusqlite::Result<()> {
    let (stopped, grown) = (Arc::clone(stopped), Arc::clone(grown));
    let before = resident_bytes();
    let most = before.map(|bytes| bytes.saturating_add(GROWTH_BYTES_MAX));
    let mut looks = 0_u32;
    connection.progress_handler(
        OPS_PER_LOOK,
        Some(move || {
            looks = looks.wrapping_add(1);
            let measure = looks.is_multiple_of(LOOKS_PER_MEASUREMENT);
            if measure && most.zip(resident_bytes()).is_some_and(|(most, now)| now > most) {
                grown.store(true, Ordering::Relaxed);
            }
            stopped.load(Ordering::Relaxed) || grown.load(Ordering::Relaxed)
        }),
    )
}

/// Memory of this process, where the system says it in this way.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

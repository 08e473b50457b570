//! Named queries, prepared before anybody asks them: what the engine refuses is told at its word in the query's text, with
//! the column, table or keyword that was probably meant.

use std::ops::Range;

use rusqlite::PrepFlags;

use super::super::Wrong;
use super::config::Config;
use super::load::{Columns, Loaded};
use super::misuse;
use super::origin::Bound;
use super::query::Query;
use crate::topology::code::Code;
use crate::topology::fault::nearest;
use crate::topology::plan::ParamKind;

/// How a statement is prepared that nobody has asked yet.
const FLAGS: PrepFlags = PrepFlags::SQLITE_PREPARE_NO_VTAB.union(PrepFlags::SQLITE_PREPARE_DONT_LOG);

/// Words of SELECT statements, for suggestions.
const WORDS: [&str; 36] = [
    "SELECT",
    "DISTINCT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT",
    "INNER",
    "CROSS",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "UNION",
    "WITH",
    "ASC",
    "DESC",
    "OVER",
    "PARTITION",
];

/// The columns of what a query gives, if the engine takes it.
pub(super) fn columns(loaded: &Loaded, query: &Query) -> Option<Vec<String>> {
    let statement = loaded.connection.prepare_with_flags(&query.sql, FLAGS).ok()?;
    Some(statement.column_names().map(str::to_owned).collect())
}

/// What is wrong with the query `name`; nothing of tables that could not be read, which is told.
pub(super) fn examine(loaded: &Loaded, (name, query): (&str, &Query), config: &Config, setting: &str) -> Vec<Wrong> {
    let mut wrong = parameters(name, query);
    match loaded.connection.prepare_with_flags(&query.sql, FLAGS) {
        Err(why) => wrong.extend(refused(loaded, name, query, &why)),
        Ok(statement) if !statement.readonly() || statement.column_count() == 0 || statement.is_explain() != 0 => {
            wrong.push(no_select(name, query));
        }
        Ok(statement) => {
            let columns: Vec<&str> = statement.column_names().collect();
            let twice = columns.iter().enumerate().find(|(place, column)| columns[..*place].contains(column));
            if let Some((_, twice)) = twice {
                let what = format!("the query {name} gives two columns that are named `{twice}`");
                let start = query.sql.len() - query.sql.trim_start().len();
                let instead = format!("name one of them otherwise: ... AS {twice}_2");
                wrong.push(at(name, what, start..start + 1).instead(instead));
            }
            // Of what the engine does not explain, nothing is known.
            let misused = misuse::of(loaded, config, &query.sql, &|name| bound(query, name)).unwrap_or_default();
            if let Some(misuse) = misused.first() {
                let what = format!("the query {name}: {}", misuse.what);
                wrong.push(Wrong::at(&["queries", name, "sql"], Code::Data, what).instead(misuse.for_keeper(setting)));
            }
        }
    }
    wrong
}

/// What is known of a parameter before anybody asks.
fn bound(query: &Query, name: &str) -> Bound {
    match query.args.get(name) {
        Some(ParamKind::Integer | ParamKind::Number) => Bound::Number,
        _ => Bound::Other,
    }
}

fn no_select(name: &str, query: &Query) -> Wrong {
    let what = format!("the query {name} is no SELECT, and only reading is allowed");
    let start = query.sql.len() - query.sql.trim_start().len();
    let end = query.sql[start..].find(char::is_whitespace).map_or(query.sql.len(), |length| start + length);
    at(name, what, start..end).instead("write one SELECT statement")
}

fn at(name: &str, what: String, within: Range<usize>) -> Wrong {
    Wrong { within: Some(within), ..Wrong::at(&["queries", name, "sql"], Code::Query, what) }
}

/// Parameters that are not declared, and arguments that are not used; of a misspelt one only the former.
pub(super) fn parameters(name: &str, query: &Query) -> Vec<Wrong> {
    parameters_of(name, query, &used(&query.sql))
}

/// The same of a statement in which these are `used`, each with its place.
pub(in crate::tool) fn parameters_of(name: &str, query: &Query, used: &[(&str, Range<usize>)]) -> Vec<Wrong> {
    let mut unused: Vec<&str> = query.args.keys().map(String::as_str).collect();
    unused.retain(|arg| !used.iter().any(|(used, _)| used == arg));
    let mut wrong = Vec::new();
    let mut told = Vec::new();
    for (parameter, span) in used.iter().filter(|(used, _)| !query.args.contains_key(*used)) {
        if told.contains(parameter) {
            continue;
        }
        told.push(parameter);
        let what = format!("the query {name} uses :{parameter}, which its args do not declare");
        let known: Vec<&str> = query.args.keys().map(String::as_str).collect();
        if let Some(meant) = nearest(parameter, known.iter().copied()) {
            unused.retain(|arg| *arg != meant);
        }
        let instead = format!("write args = {{ {parameter} = \"string\" }}, or one of its args");
        wrong.push(at(name, what, span.clone()).instead(instead).known(parameter, known));
    }
    for arg in unused {
        let what = format!("the query {name} never uses its argument `{arg}`");
        let at = Wrong::at(&["queries", name, "args", arg], Code::Query, what);
        wrong.push(
            Wrong { is_key: true, ..at }.instead(format!("write :{arg} where it belongs, or take the argument out")),
        );
    }
    wrong
}

/// The parameters `:name` of a statement, outside of its texts and comments.
fn used(sql: &str) -> Vec<(&str, Range<usize>)> {
    let bytes = sql.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    let until =
        |from: usize, close: &str| sql[from..].find(close).map_or(bytes.len(), |length| from + length + close.len());
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => at = until(at + 1, std::str::from_utf8(&[quote]).unwrap_or_default()),
            b'-' if bytes[at..].starts_with(b"--") => at = until(at, "\n"),
            b'/' if bytes[at..].starts_with(b"/*") => at = until(at + 2, "*/"),
            b':' => {
                let end = bytes[at + 1..].iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_');
                let end = end.map_or(bytes.len(), |length| at + 1 + length);
                if end > at + 1 {
                    found.push((&sql[at + 1..end], at..end));
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

/// What the engine refused, at the word that it stopped at.
fn refused(loaded: &Loaded, name: &str, query: &Query, why: &rusqlite::Error) -> Option<Wrong> {
    let (said, offset) = match why {
        rusqlite::Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
        rusqlite::Error::SqliteFailure(_, Some(said)) => (said.clone(), None),
        rusqlite::Error::MultipleStatement => {
            let end = query.sql.trim_end().trim_end_matches(';').find(';').unwrap_or(0);
            let what = format!("the query {name} has more than one statement");
            return Some(at(name, what, end..end + 1).instead("write one SELECT statement"));
        }
        other => (other.to_string(), None),
    };
    let said = said.split(" in ").next().unwrap_or_default().to_owned();
    let word = said.strip_prefix("no such ").and_then(|rest| rest.split_once(": ")).map(|(_, word)| word);
    let near = said.strip_prefix("near \"").and_then(|rest| rest.split('"').next());
    let word = word.or(near).unwrap_or_default().trim_start_matches("main.");
    // What the engine asks back belongs to no name.
    let word = word.split(" - should this be").next().unwrap_or_default();
    let bare = word.rsplit('.').next().unwrap_or_default().trim_matches('"');
    let start = offset.filter(|start| query.sql.get(*start..).is_some_and(|rest| rest.starts_with(word)));
    let start = start.or_else(|| find_word(&query.sql, word)).or(offset);
    let within = start.map(|start| start..(start + word.len().max(1)).min(query.sql.len()));
    let place =
        |what: String| Wrong { within: within.clone(), ..Wrong::at(&["queries", name, "sql"], Code::Query, what) };
    let tables = || loaded.tables.iter().filter(|table| table.is_table());
    if said.starts_with("no such table") {
        if loaded.failed.iter().any(|(table, _)| table.eq_ignore_ascii_case(bare)) {
            return None;
        }
        let names: Vec<&str> = tables().map(|table| table.table.as_str()).collect();
        let what = format!("the query {name} asks the table `{word}`, which is not there");
        return Some(place(what).instead(format!("there are: {}", names.join(", "))).known(bare, names));
    }
    if said.starts_with("no such column") {
        let names: Vec<&str> = tables().flat_map(|table| table.columns.iter().map(|(name, _)| name.as_str())).collect();
        // A name with a space or a dash is read as several words, of which the engine misses the first.
        let rest = start.map_or("", |start| &query.sql[start..]).to_lowercase();
        let unquoted = names.iter().filter(|known| !is_plain(known) && rest.starts_with(&known.to_lowercase()));
        if let (Some(start), Some(meant)) = (start, unquoted.max_by_key(|known| known.len())) {
            let what =
                format!("the query {name} names the column {meant} without quotes, so it reads as several words");
            let quoted = format!("\"{}\"", meant.replace('"', "\"\""));
            return Some(at(name, what, start..start + meant.len()).instead(format!("write {quoted}")));
        }
        let what = format!("the query {name} names the column `{}`, which is not there", word.trim_matches('"'));
        let shown: Vec<String> = tables().map(Columns::shown).collect();
        return Some(place(what).instead(format!("there are: {}", shown.join("; "))).known(bare, names));
    }
    if said.starts_with("no such function") || said.starts_with("not authorized to use function") {
        let word = said.rsplit(": ").next().unwrap_or_default();
        let start = find_word(&query.sql, word).unwrap_or(0);
        let what = format!("the query {name} calls the function `{word}`, which is not there");
        let instead = "functions are those of SQLite that compute from their arguments, such as sum, count, round";
        return Some(at(name, what, start..start + word.len()).instead(instead).known(word, super::guard::functions()));
    }
    if said.contains("not authorized") || said.contains("prohibited") {
        return Some(no_select(name, query));
    }
    if near.is_some() {
        let meant = |word: &str| nearest(&word.to_uppercase(), WORDS);
        let is_word = |word: &str| WORDS.contains(&word.to_uppercase().as_str());
        let before = start.map_or("", |start| query.sql[..start].trim_end());
        let last = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        // The engine stops one word later where it took the wrong one for a name.
        if (is_word(word) || meant(word).is_none()) && !is_word(last) && meant(last).is_some() {
            let what = format!("the query {name} does not read as SQL at `{last}`");
            let wrong = at(name, what, before.len() - last.len()..before.len());
            return Some(wrong.instead("write a SELECT statement").known(last, WORDS));
        }
        let what = format!("the query {name} does not read as SQL at `{word}`");
        let known = if is_word(word) { Vec::new() } else { WORDS.to_vec() };
        return Some(place(what).instead("write a SELECT statement").known(word, known));
    }
    Some(place(format!("the query {name} is not taken: {said}")).instead("write a SELECT statement"))
}

/// Whether the engine reads it as one word.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Where a whole word stands.
fn find_word(sql: &str, word: &str) -> Option<usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut found = sql.match_indices(word).map(|(at, _)| at).filter(|_| !word.is_empty());
    found.find(|at| !part(sql[..*at].chars().next_back()) && !part(sql[at + word.len()..].chars().next()))
}

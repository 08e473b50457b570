//! `:name` in a statement -> `$1`, where PostgreSQL would read a parameter: outside of texts, names and comments, and not as
//! a part of `::`.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::tool::part::args::invalid;

/// A statement as the server takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) sql: String,
    /// What `$1`, `$2` ... are called.
    pub(super) names: Vec<String>,
}

/// The statement with a number for each of the parameters that `known` knows. Others stay as they are, and the server does
/// not take them.
pub(super) fn numbered(sql: &str, known: impl Fn(&str) -> bool) -> Numbered {
    let (mut out, mut names, mut at) = (String::with_capacity(sql.len()), Vec::<String>::new(), 0);
    for (name, span) in found(sql).into_iter().filter(|(name, _)| known(name)) {
        let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        out.push_str(&sql[at..span.start]);
        out.push_str(&format!("${}", place + 1));
        at = span.end;
    }
    out.push_str(&sql[at..]);
    Numbered { sql: out, names }
}

/// Every `:name` of a statement that the server would not read as something else.
pub(super) fn found(sql: &str) -> Vec<(&str, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let passed = passed(rest, sql[..at].chars().next_back());
        at += match name(rest) {
            _ if passed > 0 => passed,
            Some(name) => {
                found.push((name, at..at + 1 + name.len()));
                1 + name.len()
            }
            None if rest.starts_with("::") => 2,
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    found
}

/// The name after a colon that begins one.
fn name(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(':')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let is_name = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then_some(&rest[..end])
}

/// How long the text, name or comment is that begins here; 0 if none does.
fn passed(rest: &str, before: Option<char>) -> usize {
    let all = rest.len();
    let until = |from: usize, close: &str| rest[from..].find(close).map_or(all, |found| from + found + close.len());
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
    match rest.as_bytes() {
        [b'-', b'-', ..] => until(2, "\n"),
        [b'/', b'*', ..] => comment(rest),
        [b'\'', ..] => until(1, "'"),
        [b'"', ..] => until(1, "\""),
        [b'e' | b'E', b'\'', ..] if !in_word => escaped(rest),
        [b'$', ..] if !in_word => match rest[1..].find('$') {
            Some(found) if rest[1..1 + found].chars().all(|c| c.is_alphanumeric() || c == '_') => {
                until(found + 2, &rest[..found + 2])
            }
            _ => 0,
        },
        _ => 0,
    }
}

/// A comment, which may have comments in it.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let two = rest.as_bytes().get(at..at + 2);
        match two {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A text with `\'` in it: `E'it\'s'`.
fn escaped(rest: &str) -> usize {
    let (bytes, mut at) = (rest.as_bytes(), 2);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The values of the parameters in their order, as the server reads each: as text, of the type that it finds there.
///
/// # Errors
/// What is missing, too much, or no value.
pub(super) fn values(names: &[String], args: &Map<String, Value>) -> Result<Vec<Option<String>>, Failure> {
    if let Some(spare) = args.keys().find(|key| !names.contains(key)) {
        return Err(invalid(format!("the SQL has no parameter :{spare}")));
    }
    let value = |name: &String| match &args[name] {
        Value::Null => Ok(None),
        Value::Bool(is) => Ok(Some(is.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::String(text) if text.contains('\0') => Err(invalid(format!("the value of :{name} has a NUL character"))),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(invalid(format!("the value of :{name} is to be text, a number, true, false or null"))),
    };
    names.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_where_the_server_would_look() {
        let cases = [
            ("a = :x AND b = :y OR a = :x", "a = $1 AND b = $2 OR a = $1"),
            ("':x' || \":x\" || :x", "':x' || \":x\" || $1"),
            ("a::text, b :: x, :x::int", "a::text, b :: x, $1::int"),
            ("-- :x\n:x /* :x /* :x */ :x */ :x", "-- :x\n$1 /* :x /* :x */ :x */ $1"),
            ("'it''s :x' :x", "'it''s :x' $1"),
            ("E'\\':x' :x, e'\\\\' :x", "E'\\':x' $1, e'\\\\' $1"),
            ("name'\\' :x", "name'\\' $1"),
            ("$$ :x $$ $q$ :x $$ $q$ :x", "$$ :x $$ $q$ :x $$ $q$ $1"),
            ("a[1:2], a[:x:2], :other, :", "a[1:2], a[$1:2], :other, :"),
            ("é:x", "é$1"),
            ("'never closed :x", "'never closed :x"),
            ("/* never closed :x", "/* never closed :x"),
        ];
        for (sql, right) in cases {
            assert_eq!(numbered(sql, |name| ["x", "y"].contains(&name)).sql, right, "{sql}");
        }
    }
}

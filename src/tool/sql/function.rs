//! Functions of the engine whose work grows with the product of their arguments' lengths, done here in a bounded way: the
//! engine looks at the brakes between its instructions only, and each of these is a single one.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

/// Most letters of a set that is trimmed off.
const SET_LETTERS_MAX: usize = 64;

/// Longest result of `replace`; the engine has its own limit beside it.
const REPLACED_BYTES_MAX: usize = super::guard::VALUE_BYTES_MAX as usize;

/// Puts the bounded functions in the place of the engine's.
pub(super) fn bound(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |call| {
        let Some((text, sought)) = pair(call)? else { return Ok(None) };
        Ok(Some(text.find(&sought).map_or(0, |at| text[..at].chars().count() as i64 + 1)))
    })?;
    connection.create_scalar_function("replace", 3, flags, |call| {
        let (Some((text, sought)), Some(instead)) = (pair(call)?, text_of(call, 2)?) else { return Ok(None) };
        if sought.is_empty() {
            return Ok(Some(text));
        }
        let more = text.matches(&sought).count().saturating_mul(instead.len());
        if more.saturating_add(text.len()) > REPLACED_BYTES_MAX && instead.len() > sought.len() {
            return Err(refused("replace: the result is larger than the query may make"));
        }
        Ok(Some(text.replace(&sought, &instead)))
    })?;
    for (name, start, end) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
        connection.create_scalar_function(name, 2, flags, move |call| {
            let Some((text, set)) = pair(call)? else { return Ok(None) };
            let set: Vec<char> = set.chars().take(SET_LETTERS_MAX + 1).collect();
            if set.len() > SET_LETTERS_MAX {
                return Err(refused("trim: more than 64 letters to trim off"));
            }
            let text = if start { text.trim_start_matches(&set[..]) } else { &text };
            Ok(Some(if end { text.trim_end_matches(&set[..]) } else { text }.to_owned()))
        })?;
    }
    Ok(())
}

fn pair(call: &Context<'_>) -> rusqlite::Result<Option<(String, String)>> {
    Ok(text_of(call, 0)?.zip(text_of(call, 1)?))
}

/// An argument as the text that the engine would make of it.
fn text_of(call: &Context<'_>, place: usize) -> rusqlite::Result<Option<String>> {
    Ok(match call.get_raw(place) {
        ValueRef::Null => None,
        ValueRef::Integer(whole) => Some(whole.to_string()),
        ValueRef::Real(real) if real.fract() == 0.0 && real.abs() < 1e15 => Some(format!("{real:.1}")),
        ValueRef::Real(real) => Some(real.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| refused("a text that is not UTF-8"))?;
            Some(text.to_owned())
        }
    })
}

fn refused(why: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(why.into())
}

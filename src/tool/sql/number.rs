//! Cells as numbers: which print back the same, which are read as their file is declared to write them, and what those
//! look like that are neither.

use super::table::Form;

/// Whole numbers up to here are exact as floating numbers.
pub(super) const EXACT_MAX: u64 = 1 << 53;

/// How a number that people would read is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// What stands between its thousands.
    pub(super) thousands: Option<char>,
    /// What stands before its fraction.
    pub(super) decimal: Option<char>,
    /// What stands beside it: `%`, a currency.
    pub(super) unit: Option<String>,
}

/// A whole number that prints back as the cell is.
pub(super) fn plain_integer(cell: &str) -> Option<i64> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let first = *digits.as_bytes().first()?;
    let plain = (b'1'..=b'9').contains(&first) || cell == "0";
    if plain && digits.bytes().all(|byte| byte.is_ascii_digit()) { cell.parse().ok() } else { None }
}

/// A fraction that prints back as the cell is; where the decimal sign is declared, zeros at its end are no digits.
pub(super) fn plain_real(cell: &str, form: &Form) -> Option<f64> {
    if !cell.contains('.') || form.decimal.is_some() || form.thousands == Some('.') {
        return None;
    }
    let real: f64 = cell.parse().ok()?;
    (real.is_finite() && format!("{real}") == cell).then_some(real)
}

/// Whether a number written so may be taken without a declared type: its fraction is declared, or it has none.
pub(super) fn is_declared(cell: &str, form: &Form) -> bool {
    form.decimal.is_some() || !cell.contains('.') || form.thousands == Some('.')
}

/// A whole number as the file writes them.
pub(super) fn integer(cell: &str, form: &Form, unit: Option<&str>) -> Option<i64> {
    let text = canonical(cell, form, unit)?;
    if text.contains('.') { None } else { text.parse().ok() }
}

/// A number as the file writes them, if none of its digits is lost.
pub(super) fn number(cell: &str, form: &Form, unit: Option<&str>) -> Option<f64> {
    let text = canonical(cell, form, unit)?;
    let real: f64 = text.parse().ok()?;
    let kept = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let kept = if kept == "-0" { "0" } else { kept };
    (real.is_finite() && format!("{}", real + 0.0) == kept).then_some(real + 0.0)
}

/// The number with a point before its fraction, and nothing else but digits and its sign.
fn canonical(cell: &str, form: &Form, unit: Option<&str>) -> Option<String> {
    let mut text = cell.trim();
    if let Some(unit) = unit {
        text = text.strip_suffix(unit).or_else(|| text.strip_prefix(unit))?.trim();
    }
    let (sign, text) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let decimal = form.decimal.unwrap_or('.');
    let (whole, fraction) = text.split_once(decimal).map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let whole = form.thousands.map_or_else(|| ungrouped_plain(whole), |sign| ungrouped(whole, sign))?;
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction {
        Some(rest) if rest.is_empty() || !is_digits(rest) => None,
        Some(rest) => Some(format!("{sign}{whole}.{rest}")),
        None => Some(format!("{sign}{whole}")),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn ungrouped_plain(whole: &str) -> Option<String> {
    (!whole.is_empty() && is_digits(whole)).then(|| whole.to_owned())
}

/// The digits of a number with or without its thousands apart; each group but the first has three.
fn ungrouped(whole: &str, apart: char) -> Option<String> {
    let is_apart = |c: char| c == apart || (apart == ' ' && matches!(c, '\u{A0}' | '\u{202F}'));
    let groups: Vec<&str> = whole.split(is_apart).collect();
    let grouped =
        groups.len() == 1 || (matches!(groups[0].len(), 1..=3) && groups[1..].iter().all(|group| group.len() == 3));
    let digits = groups.concat();
    (grouped && !digits.is_empty() && is_digits(&digits)).then_some(digits)
}

/// How `cell` is written, if people would read it as a number: first as the file's form has it, then in any other way.
pub(super) fn shape(cell: &str, form: &Form) -> Option<Shape> {
    // Most cells end here: they have no digit, or something that no number has.
    if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (text, unit) = without_unit(cell.trim());
    if text.contains(['e', 'E']) && text.parse::<f64>().is_ok() {
        return Some(Shape { thousands: None, decimal: None, unit });
    }
    let is_written = |byte: u8| byte.is_ascii_digit() || byte >= 128 || b" .,'+-()".contains(&byte);
    if !text.bytes().all(is_written) {
        return None;
    }
    let mut ways = [
        ('.', None),
        ('.', Some(',')),
        (',', None),
        (',', Some('.')),
        ('.', Some(' ')),
        (',', Some(' ')),
        ('.', Some('\'')),
    ];
    ways.sort_by_key(|(decimal, _)| form.decimal.is_some_and(|known| known != *decimal));
    for (decimal, thousands) in ways {
        let form = Form { decimal: Some(decimal), thousands, ..Form::default() };
        let inside = text.trim_start_matches('(').trim_end_matches(')');
        if canonical(inside, &form, None).is_some() {
            let used = |sign: char| inside.contains(sign) || (sign == ' ' && inside.contains(['\u{A0}', '\u{202F}']));
            return Some(Shape {
                thousands: thousands.filter(|sign| used(*sign)),
                decimal: Some(decimal).filter(|sign| used(*sign)),
                unit,
            });
        }
    }
    None
}

/// A number's text and its unit: a percent sign, a currency's sign, or its letters with a space between.
fn without_unit(text: &str) -> (&str, Option<String>) {
    const SIGNS: [&str; 6] = ["%", "\u{2030}", "$", "\u{20AC}", "\u{A3}", "\u{A5}"];
    let is_edge = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_uppercase() || *byte >= 128 || matches!(byte, b'%' | b'$'))
    };
    if !is_edge(text.as_bytes().first()) && !is_edge(text.as_bytes().last()) {
        return (text, None);
    }
    for sign in SIGNS {
        if let Some(rest) = text.strip_suffix(sign).or_else(|| text.strip_prefix(sign)) {
            return (rest.trim(), Some(sign.to_owned()));
        }
    }
    let is_code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match (text.split_once(' '), text.rsplit_once(' ')) {
        (Some((code, rest)), _) if is_code(code) => (rest.trim(), Some(code.to_owned())),
        (_, Some((rest, code))) if is_code(code) => (rest.trim(), Some(code.to_owned())),
        _ => (text, None),
    }
}

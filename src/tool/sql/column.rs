//! What a column is: declared, or a number if every cell prints back the same, or a text if no cell looks like a number.
//! Everything between is told with the setting that mends it, and never guessed.

use rusqlite::types::Value as Cell;

use super::day::{self, is_iso_date, is_unsortable_date};
use super::number::{self, Shape};
use super::table::{Column, ColumnKind, Form, Table};
use super::text::{Record, Told};

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Real,
    /// Texts.
    Text,
    /// Days that are declared, as 2026-07-01.
    Date,
    /// Days with a time that are declared, as 2026-07-01T10:00:00.
    Datetime,
    /// Texts that are days as they sort, of which nothing is declared.
    IsoText,
    /// Texts that look like days, most of them, and do not sort as such.
    LooseDate,
}

impl Kind {
    /// What the engine is told.
    pub(super) fn declared(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text | Self::Date | Self::Datetime | Self::IsoText | Self::LooseDate => "TEXT",
        }
    }

    /// For people and models.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "number",
            Self::Text | Self::IsoText | Self::LooseDate => "text",
            Self::Date => "date",
            Self::Datetime => "datetime",
        }
    }

    /// Whether the engine has it as texts.
    pub(super) fn is_text(self) -> bool {
        self.declared() == "TEXT"
    }

    /// Whether what is ordered by it is in no order that anybody means.
    pub(super) fn is_unsorted(self) -> bool {
        self == Self::LooseDate
    }

    /// What a column of texts is.
    pub(super) fn of_texts(cells: &[(usize, Option<&str>)]) -> Self {
        let seen = || cells.iter().filter_map(|(_, cell)| cell.map(str::trim));
        let all = seen().count();
        if all > 0 && seen().all(is_iso_date) {
            Self::IsoText
        } else if seen().filter(|cell| is_unsortable_date(cell)).count() * 2 > all {
            Self::LooseDate
        } else {
            Self::Text
        }
    }
}

/// A column's name, type and cells, in the order of the rows.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) cells: Vec<Cell>,
}

/// Reads column `place` of `rows`.
pub(super) fn read(table: &Table, name: &str, place: usize, rows: &[Record<'_>]) -> Result<Read, Told> {
    let cells: Vec<(usize, Option<&str>)> = rows
        .iter()
        .map(|row| (row.line, row.cells.get(place).map(AsRef::as_ref).filter(|cell| !is_empty(&table.form, cell))))
        .collect();
    let (kind, cells) = match table.columns.get(name) {
        Some(column) => declared(&table.form, name, column, &cells)?,
        None => inferred(&table.form, name, &cells)?,
    };
    Ok(Read { name: name.to_owned(), kind, cells })
}

fn is_empty(form: &Form, cell: &str) -> bool {
    cell.is_empty() || form.empty.iter().any(|empty| empty == cell.trim())
}

fn declared(
    form: &Form,
    name: &str,
    column: &Column,
    cells: &[(usize, Option<&str>)],
) -> Result<(Kind, Vec<Cell>), Told> {
    let read = |cell: &str| match column.kind {
        ColumnKind::Text => Some(Cell::Text(cell.to_owned())),
        ColumnKind::Integer => number::integer(cell, form, column.unit.as_deref()).map(Cell::Integer),
        ColumnKind::Number => number::number(cell, form, column.unit.as_deref()).map(Cell::Real),
        ColumnKind::Percent => number::number(cell, form, Some("%")).map(Cell::Real),
        ColumnKind::Boolean => boolean(cell).map(Cell::Integer),
        ColumnKind::Date | ColumnKind::Datetime => dated(cell, column).map(Cell::Text),
    };
    let kind = match column.kind {
        ColumnKind::Text => Kind::of_texts(cells),
        ColumnKind::Date => Kind::Date,
        ColumnKind::Datetime => Kind::Datetime,
        ColumnKind::Integer | ColumnKind::Boolean => Kind::Integer,
        ColumnKind::Number | ColumnKind::Percent => Kind::Real,
    };
    let value = |(line, cell): &(usize, Option<&str>)| {
        let Some(cell) = cell else { return Ok(Cell::Null) };
        read(cell).ok_or_else(|| {
            let what = match column.kind {
                ColumnKind::Date | ColumnKind::Datetime if day::reads_in_any_format(cell) => {
                    format!("column {name:?} has {cell:?}, a date that is not in its format")
                }
                ColumnKind::Date | ColumnKind::Datetime if is_unsortable_date(cell) => {
                    format!("column {name:?} has {cell:?}, and there is no such day")
                }
                kind => format!("column {name:?} is declared as {}, and {cell:?} is none", kind_word(kind)),
            };
            told(*line, what, misfit(form, name, column, cell))
        })
    };
    let cells = cells.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    Ok((kind, cells))
}

fn told(line: usize, what: String, instead: String) -> Told {
    Told { line, what, instead, unknown: None }
}

fn kind_word(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "text",
        ColumnKind::Integer => "an integer",
        ColumnKind::Number => "a number",
        ColumnKind::Percent => "a percentage with its sign",
        ColumnKind::Boolean => "true or false",
        ColumnKind::Date | ColumnKind::Datetime => "a date in its format",
    }
}

/// What to write where a cell is not what its column is declared to be.
fn misfit(form: &Form, name: &str, column: &Column, cell: &str) -> String {
    match column.kind {
        ColumnKind::Date | ColumnKind::Datetime if is_unsortable_date(cell) || day::reads_in_any_format(cell) => {
            format!(
                "in the file, write the day that is meant as its format has it; empty = [{cell:?}] would read it as no value"
            )
        }
        ColumnKind::Date | ColumnKind::Datetime | ColumnKind::Boolean => {
            format!("empty = [{cell:?}], if it is no value")
        }
        _ => match number::shape(cell, form) {
            Some(shape) => advice(form, name, cell, &shape),
            None => format!("empty = [{cell:?}], if it is no value, or columns = {{ {name:?} = \"text\" }}"),
        },
    }
}

fn boolean(cell: &str) -> Option<i64> {
    match cell.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(1),
        "false" | "no" | "0" => Some(0),
        _ => None,
    }
}

fn dated(cell: &str, column: &Column) -> Option<String> {
    let format = column.format.as_deref()?;
    if column.kind == ColumnKind::Date {
        return jiff::civil::Date::strptime(format, cell.trim()).ok().map(|date| date.to_string());
    }
    jiff::civil::DateTime::strptime(format, cell.trim()).ok().map(|date| date.to_string())
}

/// What one cell is by itself.
#[derive(Debug, Clone, PartialEq)]
enum Look {
    /// It prints back as this.
    Integer(i64),
    /// It prints back as this.
    Real(f64),
    /// Digits that as a number would lose something: a leading zero, or the last of very many.
    Digits,
    /// A number to people, which would not print back.
    Odd(Shape),
    /// No number.
    Word,
}

impl Look {
    fn of(cell: &str, form: &Form) -> Self {
        if let Some(whole) = number::plain_integer(cell) {
            return Self::Integer(whole);
        }
        if let Some(real) = number::plain_real(cell, form) {
            return Self::Real(real);
        }
        if cell.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Digits;
        }
        if form.thousands.is_some() || form.decimal.is_some() {
            if let Some(whole) = number::integer(cell, form, None) {
                return Self::Integer(whole);
            }
            if let Some(real) = number::number(cell, form, None).filter(|_| number::is_declared(cell, form)) {
                return Self::Real(real);
            }
        }
        number::shape(cell, form).map_or(Self::Word, Self::Odd)
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Real(_))
    }
}

fn inferred(form: &Form, name: &str, cells: &[(usize, Option<&str>)]) -> Result<(Kind, Vec<Cell>), Told> {
    let looks: Vec<Option<Look>> = cells.iter().map(|(_, cell)| cell.map(|cell| Look::of(cell, form))).collect();
    let all = |fits: fn(&Look) -> bool| looks.iter().flatten().all(fits);
    let any = |fits: fn(&Look) -> bool| looks.iter().flatten().any(fits);
    let texts = || {
        let text = |(_, cell): &(usize, Option<&str>)| cell.map_or(Cell::Null, |cell| Cell::Text(cell.to_owned()));
        Ok((Kind::of_texts(cells), cells.iter().map(text).collect()))
    };
    if all(|look| matches!(look, Look::Word)) {
        unsortable(name, cells)?;
        return texts();
    }
    if all(Look::is_number) {
        return numbers(form, name, cells, &looks);
    }
    // Ids, such as postal codes: as long as all are equally long, their order as texts is that of their numbers.
    if any(|look| *look == Look::Digits) && all(|look| matches!(look, Look::Digits | Look::Integer(0..))) {
        let mut lengths = cells.iter().filter_map(|(_, cell)| cell.map(str::len));
        let first = lengths.next();
        if lengths.all(|length| Some(length) == first) {
            return texts();
        }
    }
    Err(mixed(form, name, cells, &looks))
}

/// A column of numbers. Whole ones that a floating number does not hold exactly cannot stand beside fractions.
fn numbers(
    form: &Form,
    name: &str,
    cells: &[(usize, Option<&str>)],
    looks: &[Option<Look>],
) -> Result<(Kind, Vec<Cell>), Told> {
    let real = looks.iter().flatten().any(|look| matches!(look, Look::Real(_)));
    if real && form.decimal.is_none() && form.thousands.is_none() {
        ambiguous(name, cells)?;
    }
    let mut read = Vec::with_capacity(cells.len());
    for ((line, cell), look) in cells.iter().zip(looks) {
        read.push(match look {
            Some(Look::Integer(whole)) if real => {
                if whole.unsigned_abs() > number::EXACT_MAX {
                    let what = format!("column {name:?} has {:?} among fractions", cell.unwrap_or_default());
                    return Err(told(*line, what, format!("columns = {{ {name:?} = \"text\" }}")));
                }
                Cell::Real(*whole as f64)
            }
            Some(Look::Integer(whole)) => Cell::Integer(*whole),
            Some(Look::Real(real)) => Cell::Real(*real),
            _ => Cell::Null,
        });
    }
    Ok((if real { Kind::Real } else { Kind::Integer }, read))
}

/// Tells of a column in which every fraction could as well be a number with its thousands apart, such as 1.205.
fn ambiguous(name: &str, cells: &[(usize, Option<&str>)]) -> Result<(), Told> {
    let apart = |cell: &str| {
        cell.split_once('.').is_some_and(|(whole, rest)| rest.len() == 3 && whole.trim_start_matches('-') != "0")
    };
    let mut fractions =
        cells.iter().filter_map(|(line, cell)| cell.filter(|cell| cell.contains('.')).map(|c| (*line, c)));
    let Some((line, first)) = fractions.next() else { return Ok(()) };
    if !apart(first) || !fractions.all(|(_, cell)| apart(cell)) {
        return Ok(());
    }
    let what = format!("column {name:?} has {first:?}: a fraction, or thousands?");
    Err(told(line, what, "decimal = \".\", or thousands = \".\" with decimal = \",\"".to_owned()))
}

/// The fault of a column that is neither all numbers nor all texts: its first cell that does not fit the others.
fn mixed(form: &Form, name: &str, cells: &[(usize, Option<&str>)], looks: &[Option<Look>]) -> Told {
    let seen = || cells.iter().zip(looks).filter_map(|((line, cell), look)| Some((*line, (*cell)?, look.as_ref()?)));
    let count = |fits: fn(&Look) -> bool| looks.iter().flatten().filter(|look| fits(look)).count();
    let words = count(|look| matches!(look, Look::Word));
    let all = looks.iter().flatten().count();
    let odd = seen().find(|(_, _, look)| matches!(look, Look::Odd(_)));
    let (line, cell, what, instead) = match odd {
        Some((line, cell, Look::Odd(shape))) if words * 2 <= all => {
            // Another cell may say what stands between thousands.
            let mut other = seen().filter_map(|(_, _, look)| match look {
                Look::Odd(other) if other.decimal == shape.decimal => other.thousands,
                _ => None,
            });
            let whole = Shape { thousands: shape.thousands.or(other.next()), ..shape.clone() };
            (line, cell, looks_like(form, shape), advice(form, name, cell, &whole))
        }
        _ if words * 2 > all => {
            let first = seen().find(|(_, _, look)| !matches!(look, Look::Word));
            let (line, cell) = first.map_or((1, ""), |(line, cell, _)| (line, cell));
            (line, cell, "looks like a number among texts", format!("columns = {{ {name:?} = \"text\" }}"))
        }
        _ => match seen().find(|(_, _, look)| matches!(look, Look::Word)) {
            Some((line, cell, _)) => {
                let instead = format!("empty = [{cell:?}], if it is no value, or {}", kinds(name, cell));
                (line, cell, "is no number among numbers", instead)
            }
            None => {
                let first = seen().find(|(_, _, look)| matches!(look, Look::Digits));
                let (line, cell) = first.map_or((1, ""), |(line, cell, _)| (line, cell));
                (line, cell, "would not print back as a number", format!("columns = {{ {name:?} = \"text\" }}"))
            }
        },
    };
    told(line, format!("column {name:?} has {cell:?}, which {what}"), instead)
}

/// What people would read such a cell as.
fn looks_like(form: &Form, shape: &Shape) -> &'static str {
    match (shape.decimal, shape.thousands, &shape.unit) {
        (Some(','), _, _) if form.decimal.is_none() => "looks like a number with a decimal comma",
        (_, Some(_), _) if form.thousands.is_none() => "looks like a number with its thousands apart",
        (_, _, Some(unit)) if unit == "%" => "looks like a percentage",
        (_, _, Some(_)) => "looks like an amount of money",
        _ => "would not print back as that number",
    }
}

fn kinds(name: &str, cell: &str) -> String {
    let kind = if boolean(cell).is_some() { "boolean" } else { "text" };
    format!("columns = {{ {name:?} = {kind:?} }}")
}

/// The setting under which a cell of this shape is read.
fn advice(form: &Form, name: &str, cell: &str, shape: &Shape) -> String {
    let column = |is: &str| format!("columns = {{ {name:?} = {is} }}");
    let mut parts = Vec::new();
    match (shape.thousands, shape.decimal) {
        (Some(thousands), decimal) if form.thousands.is_none() => {
            parts.push(format!("thousands = {:?}", thousands.to_string()));
            if (thousands == '.' || decimal == Some(',')) && form.decimal.is_none() {
                parts.push("decimal = \",\"".to_owned());
            }
        }
        (None, Some(',')) if form.decimal.is_none() => parts.push("decimal = \",\"".to_owned()),
        _ => {}
    }
    match &shape.unit {
        Some(unit) if unit == "%" => parts.push(column("\"percent\"")),
        Some(unit) => parts.push(column(&format!("{{ type = \"number\", unit = {unit:?} }}"))),
        None if parts.is_empty() && shape.decimal == Some('.') => parts.push("decimal = \".\"".to_owned()),
        None => {}
    }
    let text = column("\"text\"");
    match (parts.is_empty(), cell.contains(',') && shape.decimal.is_none() && shape.unit.is_none()) {
        (true, _) => text,
        (false, true) => format!("{} (or decimal = \",\", or {text})", parts.join(", ")),
        (false, false) => format!("{} (or {text})", parts.join(", ")),
    }
}

/// The settings under which all of these cells are numbers, if there are some that one of them tells.
pub(super) fn as_numbers(form: &Form, name: &str, cells: &[String]) -> Option<String> {
    let plain = Shape { thousands: None, decimal: None, unit: None };
    let shapes = std::iter::once(plain).chain(cells.iter().filter_map(|cell| number::shape(cell, form)));
    let mut settings = shapes.map(|shape| {
        let tried = Form {
            decimal: form.decimal.or(shape.decimal.filter(|sign| *sign == ',')),
            thousands: form.thousands.or(shape.thousands),
            ..form.clone()
        };
        (tried, shape.unit)
    });
    let fits = |(tried, unit): &(Form, Option<String>)| {
        cells.iter().all(|cell| number::number(cell, tried, unit.as_deref()).is_some())
    };
    let (found, unit) = settings.find(fits)?;
    let sign = |key: &str, was: Option<char>, is: Option<char>| {
        is.filter(|_| was.is_none()).map(|sign| format!("{key} = {:?}", sign.to_string()))
    };
    let column = match unit.as_deref() {
        None => "\"number\"".to_owned(),
        Some("%") => "\"percent\"".to_owned(),
        Some(unit) => format!("{{ type = \"number\", unit = {unit:?} }}"),
    };
    let parts = [
        sign("decimal", form.decimal, found.decimal),
        sign("thousands", form.thousands, found.thousands),
        Some(format!("columns = {{ {name:?} = {column} }}")),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Tells of a column of dates that do not sort as texts: the earliest would be the wrong one.
fn unsortable(name: &str, cells: &[(usize, Option<&str>)]) -> Result<(), Told> {
    let mut seen = cells.iter().filter_map(|(line, cell)| cell.map(|cell| (*line, cell)));
    let Some((line, first)) = seen.next() else { return Ok(()) };
    if !is_unsortable_date(first) || !seen.all(|(_, cell)| is_unsortable_date(cell)) {
        return Ok(());
    }
    let format = if first.contains('.') { "%d.%m.%Y" } else { "%m/%d/%Y" };
    let format = if first.contains(|c: char| c.is_alphabetic()) { "%b %d, %Y" } else { format };
    let timed = first.contains(':');
    let (kind, format) = if timed { ("datetime", format!("{format} %H:%M")) } else { ("date", format.to_owned()) };
    let what = format!("column {name:?} has {first:?}: such dates do not sort as they stand");
    let column = format!("{{ type = {kind:?}, format = {format:?} }}");
    let instead = format!("columns = {{ {name:?} = {column} }}, with the format that it has, or {name:?} = \"text\"");
    Err(told(line, what, instead))
}

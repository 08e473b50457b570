//! Lines of a CSV file that are no rows: blank ones, and totals, which would count everything twice.

use rusqlite::types::Value as Cell;

use super::column::Read;
use super::table::Form;
use super::text::{Record, Told};

/// What stands before a total, in small letters.
const TOTALS: [&str; 12] = [
    "total",
    "totals",
    "grand total",
    "sum",
    "all",
    "overall",
    "gesamt",
    "gesamtsumme",
    "summe",
    "insgesamt",
    "totale",
    "total general",
];

/// The rows that are left; a blank line that nothing is declared of is told.
pub(super) fn without_left_out<'t>(rows: Vec<Record<'t>>, form: &Form) -> Result<Vec<Record<'t>>, Told> {
    let is_blank = |row: &Record<'_>| row.cells.iter().all(|cell| cell.trim().is_empty());
    let Some(left_out) = &form.leave_out else {
        return match rows.iter().find(|row| is_blank(row)) {
            Some(blank) => {
                let what = "has no value at all: it would count as a row".to_owned();
                Err(Told {
                    line: blank.line,
                    what,
                    instead: "leave_out = [\"\"], or leave_out = [] to keep it".to_owned(),
                    unknown: None,
                })
            }
            None => Ok(rows),
        };
    };
    let is_left_out = |row: &Record<'_>| match row.cells.first().map(|cell| cell.trim()) {
        _ if is_blank(row) => left_out.iter().any(String::is_empty),
        Some(first) => !first.is_empty() && left_out.iter().any(|name| name == first),
        None => false,
    };
    Ok(rows.into_iter().filter(|row| !is_left_out(row)).collect())
}

/// Tells of a line that looks like the total of the others, if nothing is declared of it.
pub(super) fn unnoticed(rows: &[Record<'_>], columns: &[Read], form: &Form) -> Option<Told> {
    if form.leave_out.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    let named = |row: &Record<'_>| {
        let first = row.cells.first().map(|cell| cell.trim().trim_end_matches(':').to_lowercase());
        first.is_some_and(|first| TOTALS.contains(&first.as_str()))
    };
    let place =
        rows.iter().position(named).or_else(|| rows.len().checked_sub(1).filter(|last| is_sum(columns, *last)))?;
    let (line, first) = (rows[place].line, rows[place].cells.first().map_or("", |cell| cell.trim()));
    let what = if is_sum(columns, place) { "is the sum of the others" } else { "looks like the sum of the others" };
    let instead = if first.is_empty() {
        "leave_out = [] to keep it, or take the line out of the file".to_owned()
    } else {
        format!("leave_out = [{first:?}], or leave_out = [] to keep it")
    };
    Some(Told {
        line,
        what: format!("this line ({first:?}) {what}: everything would count twice"),
        instead,
        unknown: None,
    })
}

/// Whether at least two columns of numbers have in row `place` what their other rows come to, and none has not.
fn is_sum(columns: &[Read], place: usize) -> bool {
    let (mut sums, mut others) = (0, 0);
    for column in columns {
        let number = |cell: &Cell| match cell {
            Cell::Integer(whole) => Some(*whole as f64),
            Cell::Real(real) => Some(*real),
            _ => None,
        };
        let rest = column.cells.iter().enumerate().filter(|(row, _)| *row != place);
        let rest: Vec<f64> = rest.filter_map(|(_, cell)| number(cell)).collect();
        let Some(own) = column.cells.get(place).and_then(number).filter(|own| *own != 0.0) else { continue };
        let sum: f64 = rest.iter().sum();
        let equal = (sum - own).abs() <= own.abs() * 1e-9;
        sums += usize::from(equal && rest.len() > 1);
        others += usize::from(!equal);
    }
    sums >= 2 && others == 0
}

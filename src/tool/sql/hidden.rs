//! Whether a statement reads a hidden column, by the engine's own program for it: a join that compares columns of one name
//! asks nobody whether it may.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::hide::Hide;
use super::load::Columns;
use super::program::SEARCHES;

/// The first hidden column that `sql` would read or compare, such as `orders.email`. Where it cannot be told which column
/// is meant, a table that has hidden ones is reason enough.
pub(super) fn read(
    connection: &Connection,
    sql: &str,
    tables: &[Columns],
    hidden: &[Hide],
) -> rusqlite::Result<Option<String>> {
    let mut program = connection.prepare(&format!("EXPLAIN {sql}"))?;
    let mut ops = program.raw_query();
    let mut cursors: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
    let mut touched: Vec<(String, i64, i64)> = Vec::new();
    while let Some(op) = ops.next()? {
        let (code, p1, p2): (String, i64, i64) = (op.get("opcode")?, op.get("p1")?, op.get("p2")?);
        let p4 = op.get::<_, Option<String>>("p4").ok().flatten().unwrap_or_default();
        match code.as_str() {
            "OpenRead" | "ReopenIdx" => drop(cursors.insert(p1, (p2, p4.starts_with("k(")))),
            "OpenDup" => drop(cursors.get(&p2).copied().map(|of| cursors.insert(p1, of))),
            _ => touched.push((code, p1, p2)),
        }
    }
    let is_hidden = |table: &Columns, column: &str| hidden.iter().any(|hide| hide.is(&table.table, column));
    for (code, cursor, nth) in touched {
        let Some((root, has_keys)) = cursors.get(&cursor) else { continue };
        let Some(table) = tables.iter().find(|table| table.root_page == *root) else { continue };
        let Some((first, _)) = table.columns.iter().find(|(column, _)| is_hidden(table, column)) else { continue };
        let name = |column: &str| Some(format!("{}.{column}", table.table));
        let at = usize::try_from(nth).ok().and_then(|nth| table.columns.get(nth));
        match code.as_str() {
            // The columns of a table that is kept by its key stand in another order.
            "Column" if table.is_table() && *has_keys => return Ok(name(first)),
            "Column" => match at {
                Some((column, _)) if is_hidden(table, column) => return Ok(name(column)),
                _ => {}
            },
            "RowData" | "Rowid" | "SeekRowid" | "NotExists" => return Ok(name(first)),
            code if SEARCHES.contains(&code) => return Ok(name(first)),
            _ => {}
        }
    }
    Ok(None)
}

//! What is pasted into `callsheet.toml` for a CSV or Parquet file: a whole table, or what differs from the one that reads the file
//! already. Whoever may ask what, and what the data is labelled with, stays as somebody has set it.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::data::{Guess, Seen, is_parquet};
use crate::config::Settings;

/// A table of the project that reads a file.
pub(super) struct Reader<'s> {
    tool: &'s str,
    table: &'s str,
    /// As it is written: a path alone, or a table with settings.
    written: &'s Value,
}

/// The table that reads the file at `path`, if there is one.
pub(super) fn reader<'s>(settings: &'s Settings, path: &str) -> Option<Reader<'s>> {
    let of_sql = settings.tools.iter().filter(|(_, table)| table.kind.value == "sql");
    let of_kind = |table: &'s Value| ["csv", "parquet"].into_iter().filter_map(|key| table.get(key)?.as_object());
    let tables = of_sql.flat_map(|(tool, table)| of_kind(&table.table.value).map(move |files| (tool, files)));
    let mut files = tables.flat_map(|(tool, csv)| csv.iter().map(move |(table, written)| (tool, table, written)));
    let reads = |written: &Value| written.as_str().or(written["path"].as_str()) == Some(path);
    let (tool, table, written) = files.find(|(_, _, written)| reads(written))?;
    Some(Reader { tool, table, written })
}

/// The whole table.
pub(super) fn whole(table: &str, path: &str, guess: &Guess) -> Vec<String> {
    let mut lines = vec![
        format!("[tools.{table}]"),
        "kind = \"sql\"".to_owned(),
        "free_sql = true    # or name queries: [tools.NAME.queries.QUERY]".replace("NAME", table),
    ];
    if is_parquet(Path::new(path)) {
        // It says of itself all that there is to say.
        lines.push(format!("parquet = {{ {table} = {} }}", json!(path)));
        return lines;
    }
    lines.extend([String::new(), format!("[tools.{table}.csv.{table}]"), format!("path = {}", json!(path))]);
    lines.extend(guess.settings.iter().cloned());
    if !guess.declared.is_empty() {
        lines.extend([String::new(), format!("[tools.{table}.csv.{table}.columns]")]);
        lines.extend(guess.declared.iter().cloned());
    }
    lines
}

impl Reader<'_> {
    /// The lines that differ, each group below a comment that says where it goes.
    pub(super) fn differing(&self, guess: &Guess) -> Vec<String> {
        let Self { tool, table, written } = self;
        let heading = format!("[tools.{tool}.csv.{table}]");
        if let Some(path) = written.as_str() {
            let mut parts = vec![format!("path = {}", json!(path))];
            parts.extend(guess.settings.iter().cloned());
            if !guess.declared.is_empty() {
                parts.push(format!("columns = {{ {} }}", guess.declared.join(", ")));
            }
            if parts.len() == 1 {
                return Vec::new();
            }
            let instead = format!("# In place of {table} = {} in [tools.{tool}]:", json!(path));
            return vec![instead, format!("{table} = {{ {} }}", parts.join(", "))];
        }
        let settings = guess.settings.iter().filter(|line| !self.says(&read(line)));
        let settings: Vec<String> = settings.cloned().collect();
        let columns = self.columns(guess);
        let group = |heading: String, lines: Vec<String>| (!lines.is_empty()).then(|| [vec![heading], lines].concat());
        let beside = format!("# In {heading}, beside its path, in place of what stands there of the same name:");
        let within =
            format!("# In [tools.{tool}.csv.{table}.columns], in place of what stands there of the same name:");
        [group(beside, settings), group(within, columns)].into_iter().flatten().flatten().collect()
    }

    /// Whether all of these settings stand there.
    fn says(&self, settings: &Value) -> bool {
        settings.as_object().is_some_and(|all| all.iter().all(|(key, value)| self.written.get(key) == Some(value)))
    }

    /// Columns of which more is known than what stands there.
    fn columns(&self, guess: &Guess) -> Vec<String> {
        let declared = read(&guess.declared.join("\n"));
        let line = |Seen { name, kind, .. }: &Seen| {
            let there = self.written.get("columns").and_then(|columns| columns.get(name));
            let is_text = |column: &Value| column == "text" || column["type"] == "text";
            let key = toml::Value::from(name.as_str());
            match (there, declared.get(name)) {
                (Some(there), Some(found)) if there == found || is_text(found) => None,
                (_, Some(_)) => guess.declared.iter().find(|line| read(line).get(name).is_some()).cloned(),
                (Some(there), None) if is_text(there) && *kind != "text" => Some(format!("{key} = {kind:?}")),
                _ => None,
            }
        };
        guess.columns.iter().filter_map(line).collect()
    }
}

/// Lines of TOML as a value.
fn read(lines: &str) -> Value {
    toml::from_str(lines).unwrap_or_default()
}

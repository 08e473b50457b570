//! What a statement does with texts that comes out wrong, in words, with what to write instead: for whoever writes the
//! statement, and for whoever keeps the settings.

use super::column;
use super::config::Config;
use super::day;
use super::load::Loaded;
use super::meeting::Why;
use super::origin::{self, Bound, Found};
use crate::tool::part::args::quoted;

/// One such thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misuse {
    /// What is wrong.
    pub(super) what: String,
    /// What to write in the statement, if anything would do there.
    ask: Option<String>,
    /// The table's name among the settings, and what to write there, if that would do.
    declare: Option<(String, String)>,
}

impl Misuse {
    /// As one sentence for whoever wrote the statement.
    pub(super) fn for_writer(&self, setting: &str) -> String {
        match (&self.ask, &self.declare) {
            (Some(ask), _) => format!("{}: {ask}", self.what),
            (None, Some((table, settings))) => {
                let table = below(setting, table);
                format!("{}: ask otherwise, until {table} of callsheet.toml has {settings}", self.what)
            }
            (None, None) => format!("{}: ask otherwise", self.what),
        }
    }

    /// What to write, for whoever keeps the settings, which begin at `setting`.
    pub(super) fn for_keeper(&self, setting: &str) -> String {
        let declare = self.declare.as_ref();
        let declare = declare.map(|(table, settings)| format!("write in {}: {settings}", below(setting, table)));
        let ask = self.ask.as_ref().map(|ask| format!("{ask} in the query"));
        [declare, ask].into_iter().flatten().collect::<Vec<_>>().join("; or ")
    }
}

/// The heading of a table of data, below that of its connection.
fn below(setting: &str, table: &str) -> String {
    format!("{}.csv.{table}]", setting.trim_end_matches(']'))
}

/// What to write where nothing can be declared.
const ORDERED: &str = "put the year first, then the month, then the day, as substr() takes them out of it";

/// Values that are looked at.
const VALUES_MAX: usize = 1_000;

/// All that `sql` does so.
pub(super) fn of(
    loaded: &Loaded,
    config: &Config,
    sql: &str,
    bound: &dyn Fn(&str) -> Bound,
) -> rusqlite::Result<Vec<Misuse>> {
    let found = origin::misused(&loaded.connection, sql, &loaded.tables, bound)?;
    found.iter().map(|found| misuse(loaded, config, found)).collect()
}

fn misuse(loaded: &Loaded, config: &Config, found: &Found) -> rusqlite::Result<Misuse> {
    let Found { column, how, why } = found;
    let (table, name) = column.split_once('.').unwrap_or(("", column));
    let values = match why {
        Why::Beside(_) => Vec::new(),
        Why::Counts | Why::Orders => values(loaded, table, name)?,
    };
    let first = values.first().map(|value| format!(" such as {}", quoted(value))).unwrap_or_default();
    // Of a SQLite file nothing is declared.
    let declare = |settings: Option<String>| config.csv.get(table).and(settings).map(|s| (table.to_owned(), s));
    Ok(match why {
        Why::Counts => Misuse {
            what: format!(
                "{how} meets {column}, a column of texts{first}, of which only the digits at the beginning would count"
            ),
            ask: None,
            declare: declare(config.csv.get(table).and_then(|file| column::as_numbers(&file.form, name, &values))),
        },
        Why::Orders => {
            let formats = day::of_most(&values);
            let format = formats.first().map(day::Format::declaration);
            let several = if formats.len() > 1 { ", with the format that it has" } else { "" };
            Misuse {
                what: format!("{how} meets {column}, a column of texts{first}: such dates do not sort as they stand"),
                ask: (!config.csv.contains_key(table)).then(|| ORDERED.to_owned()),
                declare: declare(format.map(|format| format!("columns = {{ {name:?} = {format} }}{several}"))),
            }
        }
        Why::Beside(literal) => Misuse {
            what: format!("{how} has {column}, whose dates are as \"2026-07-31\", beside {}", quoted(literal)),
            ask: Some(match day::iso(literal) {
                Some(iso) => format!("write '{iso}'"),
                None => "write the date as YYYY-MM-DD".to_owned(),
            }),
            declare: None,
        },
    })
}

/// Some of a column's values, as its file has them.
fn values(loaded: &Loaded, table: &str, column: &str) -> rusqlite::Result<Vec<String>> {
    let quote = |name: &str| name.replace('"', "\"\"");
    let (table, column) = (quote(table), quote(column));
    let sql =
        format!("SELECT DISTINCT trim(\"{column}\") FROM \"{table}\" WHERE \"{column}\" <> '' LIMIT {VALUES_MAX}");
    let mut statement = loaded.connection.prepare(&sql)?;
    let values = statement.query_map([], |row| row.get::<_, Option<String>>(0))?;
    Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

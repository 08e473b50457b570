//! The project for a CSV file of one's own: its table with what each column is, named queries made of its header, and a
//! team that reads it and writes a newsletter for approval.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::{File, Template};

/// A column, as far as queries need to know it.
#[derive(Debug, Clone)]
pub struct Column {
    /// As the header has it.
    pub name: String,
    /// `text`, `integer` or `number`; a day is a text.
    pub kind: &'static str,
    /// What declares it, as TOML, where its type alone does not.
    pub declared: Option<String>,
    /// How many different values it has.
    pub distinct: usize,
    /// Whether a query may order by it.
    pub sorts: bool,
}

/// A file of somebody's own.
#[derive(Debug, Clone)]
pub struct Csv {
    /// What the table and its tool are called.
    pub table: String,
    /// Where the file lies in the project.
    pub path: String,
    /// How it is written, as `key = value`.
    pub form: Vec<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: usize,
}

/// Columns that a query sums or averages.
const MEASURES_MAX: usize = 4;
/// Values that a column by which rows are counted may have.
const GROUPS_MAX: usize = 60;
/// Columns by which rows are counted, each by a query of its own.
const QUERIES_MAX: usize = 3;
/// Figures of the newsletter.
const FIGURES_MAX: usize = 3;

/// What columns are called by which people compare.
const GROUPS: [&str; 6] = ["segment", "group", "channel", "region", "country", "category"];
/// What columns are called that count those who could have done something, and those who did.
const BASES: [&str; 7] = ["delivered", "recipients", "sent", "sends", "impressions", "visits", "sessions"];
const DEEDS: [&str; 6] = ["clicks", "clicked", "unique_clicks", "orders", "conversions", "purchases"];

const FILES: [(&str, &str); 7] = [
    ("callsheet.toml", include_str!("csv/callsheet.toml")),
    ("topologies/newsletter.toml", include_str!("csv/topologies/newsletter.toml")),
    ("agents/analyst.toml", include_str!("csv/agents/analyst.toml")),
    ("agents/writer.toml", include_str!("csv/agents/writer.toml")),
    ("agents/approver.toml", include_str!("minimal/agents/approver.toml")),
    ("schemas/finding.json", include_str!("csv/schemas/finding.json")),
    ("schemas/letter.json", include_str!("minimal/schemas/letter.json")),
];
const REHEARSAL: &str = include_str!("csv/rehearsals/newsletter.toml");

/// The topology of the project.
pub const TOPOLOGY: &str = "newsletter";

impl Csv {
    /// The project's files, without the data.
    pub fn files(&self) -> Vec<File> {
        let query = self.group().map_or_else(|| "overview".to_owned(), |group| format!("by_{}", word(&group.name)));
        let headline = self.headline();
        let filled = |text: &str| {
            let text = text.replace("{file}", &self.path).replace("{table}", &self.table).replace("{query}", &query);
            text.replace("{connection}", &self.connection()).replace("{headline}", &headline)
        };
        let mut files: Vec<File> = FILES.iter().map(|(path, text)| ((*path).to_owned(), filled(text))).collect();
        let script = filled(REHEARSAL).replace("{figures}", &self.figures());
        files.push((format!("rehearsals/{TOPOLOGY}.toml"), script));
        files
    }

    /// `[tools.NAME]` with its table and its queries, as it stands in `callsheet.toml`; it is called as the table is.
    pub fn connection(&self) -> String {
        self.connection_named(&self.table)
    }

    /// The same under another name.
    pub fn connection_named(&self, tool: &str) -> String {
        let Self { table, path, .. } = self;
        let mut text = format!(
            "# {} as it stands, each column with what it is. Private: its rows may be about people.\n\
             [tools.{tool}]\nkind = \"sql\"\nlabels = {{ private = true }}\n\
             free_sql = false    # the named queries and nothing else\n\n[tools.{tool}.csv.{table}]\npath = {}\n",
            path,
            quoted(path)
        );
        self.form.iter().for_each(|setting| text.push_str(&format!("{setting}\n")));
        let _ = writeln!(text, "\n[tools.{tool}.csv.{table}.columns]");
        for column in &self.columns {
            let declared = column.declared.clone().unwrap_or_else(|| quoted(column.kind));
            let _ = writeln!(text, "{} = {declared}", key(&column.name));
        }
        let measured: String = self.measures().iter().map(|(sql, name)| format!(", {sql} AS {name}")).collect();
        let _ = write!(
            text,
            "\n[tools.{tool}.queries.overview]\n\
             description = \"All rows together: how many there are, and of each number the total or the average.\"\n\
             sql = '''SELECT count(*) AS row_count{measured}\nFROM \"{table}\"'''\n"
        );
        let order = if measured.is_empty() { 2 } else { 3 };
        for group in self.groups() {
            let (name, column) = (word(&group.name), ident(&group.name));
            let figure = self.figure().replace('_', " ");
            let _ = write!(
                text,
                "\n[tools.{tool}.queries.by_{name}]\n\
                 description = \"By {name}: how many rows, and of each number the total or the average; the largest {figure} first.\"\n\
                 sql = '''SELECT {column} AS \"{name}\", count(*) AS row_count{measured}\nFROM \"{table}\"\n\
                 GROUP BY 1 ORDER BY {order} DESC, 1'''\n"
            );
        }
        text
    }

    /// The text columns by which rows are counted: their values come up again and again. One that has a usual name goes first.
    fn groups(&self) -> Vec<&Column> {
        let fits = |column: &&Column| {
            column.kind == "text"
                && column.sorts
                && is_quotable(column)
                && (2..=GROUPS_MAX).contains(&column.distinct)
                && column.distinct * 2 <= self.rows
        };
        let usual = |column: &Column| {
            let name = word(&column.name);
            GROUPS.iter().position(|group| name.contains(group)).unwrap_or(GROUPS.len())
        };
        let mut groups: Vec<&Column> = self.columns.iter().filter(fits).collect();
        groups.sort_by_key(|column| (usual(column), column.distinct));
        // A query is called as its column is, and two columns may come to one word.
        let mut names = BTreeSet::new();
        groups.retain(|column| names.insert(word(&column.name)));
        groups.truncate(QUERIES_MAX);
        groups
    }

    /// The one that the newsletter is about.
    fn group(&self) -> Option<&Column> {
        self.groups().into_iter().next()
    }

    /// What is computed of the columns of numbers, and what that is called, the most telling first. Ids are no numbers.
    fn measures(&self) -> Vec<(String, String)> {
        let is_id = |name: &str| name == "id" || name.ends_with("_id");
        let numbers = self
            .columns
            .iter()
            .filter(|column| column.kind != "text" && is_quotable(column) && !is_id(&word(&column.name)));
        let measured = |column: &Column| {
            let (name, sql) = (word(&column.name), ident(&column.name));
            match column.kind {
                "integer" => (format!("sum({sql})"), format!("total_{name}")),
                _ => (format!("round(avg({sql}), 2)"), format!("average_{name}")),
            }
        };
        self.rate().into_iter().chain(numbers.map(measured)).take(MEASURES_MAX).collect()
    }

    /// How many of a hundred did it, where one column counts those who could have and another those who did.
    fn rate(&self) -> Option<(String, String)> {
        let counted = |known: &[&str]| {
            let is_one = |column: &&Column| column.kind == "integer" && known.contains(&word(&column.name).as_str());
            self.columns.iter().find(is_one)
        };
        let (base, done) = (counted(&BASES)?, counted(&DEEDS)?);
        let sql = format!("round(100.0 * sum({}) / nullif(sum({}), 0), 2)", ident(&done.name), ident(&base.name));
        Some((sql, format!("{}_per_100_{}", word(&done.name), word(&base.name))))
    }

    /// What the newsletter's figures are of: the measure that comes first, or how many rows there are.
    fn figure(&self) -> String {
        self.measures().into_iter().next().map_or_else(|| "row_count".to_owned(), |(_, name)| name)
    }

    fn headline(&self) -> String {
        let figure = self.figure();
        let said = figure.replace('_', " ");
        match self.group() {
            Some(group) => {
                let name = word(&group.name);
                format!(
                    "{{{{ found.rows[0].{name} }}}} comes first of {{{{ found.row_count }}}}: {said} {{{{ found.rows[0].{figure} }}}}"
                )
            }
            None => format!("{}: {said} {{{{ found.rows[0].{figure} }}}}", self.table.replace('_', " ")),
        }
    }

    fn figures(&self) -> String {
        let figure = self.figure();
        let Some(group) = self.group() else {
            return format!(
                "  {{ name = {}, value = \"{{{{ found.rows[0].{figure} }}}}\" }},\n",
                quoted(&figure.replace('_', " "))
            );
        };
        let name = word(&group.name);
        let one = |place: usize| {
            format!(
                "  {{ name = \"{{{{ found.rows[{place}].{name} }}}}\", value = \"{{{{ found.rows[{place}].{figure} }}}}\" }},\n"
            )
        };
        (0..group.distinct.min(FIGURES_MAX)).map(one).collect()
    }
}

/// `text` as a name: small letters, digits and `_`, beginning with a letter.
pub fn word(text: &str) -> String {
    let mut name = String::new();
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    for c in decomposed.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            'ß' => name.push_str("ss"),
            'ø' => name.push('o'),
            'æ' => name.push_str("ae"),
            'ł' => name.push('l'),
            // The mark of a letter that was pushed.
            '\u{300}'..='\u{36f}' => {}
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("sqlite_");
    let name = if is_name { name.to_owned() } else { format!("t_{name}").trim_end_matches('_').to_owned() };
    name.chars().take(40).collect()
}

/// Whether a column's name can stand in the literal text that a query is written in.
fn is_quotable(column: &Column) -> bool {
    !column.name.contains("'''")
}

/// A column's name in SQL.
fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key as TOML has it.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// What the template is, for whoever lists them.
pub const WHAT: &str = "a team that reads a CSV file of yours and writes a newsletter about it";

/// The names of all templates with what they are, a line each.
pub fn listed() -> String {
    let named = super::TEMPLATES.iter().map(|Template { name, what, .. }| format!("  --template {name:<20} {what}"));
    named.chain([format!("  --csv FILE{:21} {WHAT}", "")]).collect::<Vec<_>>().join("\n")
}

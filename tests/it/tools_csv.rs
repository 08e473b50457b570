//! Tests of CSV files as platforms export them: the right value, or a refusal that names file, line, column and setting.

use std::path::Path;

use callsheet::failure::Class;
use callsheet::tool::{Tool, sql};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::tools::{call, config, write};

fn open(root: &Path, text: &str) -> Result<Tool, String> {
    let tools = crate::tools::open::<sql::Config>("data", config(&format!("free_sql = true\n{text}"))?, root)?;
    Ok(tools[0].clone())
}

/// A file from the cases, as table `t`, under `settings`.
fn case(file: &str, settings: &str) -> (tempfile::TempDir, Tool) {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/csv").join(file);
    std::fs::copy(from, dir.path().join(file)).unwrap();
    let tool = open(dir.path(), &format!("timeout = \"5m\"\n[csv.t]\npath = {file:?}\n{settings}")).unwrap();
    (dir, tool)
}

fn of(bytes: impl AsRef<[u8]>, settings: &str) -> (tempfile::TempDir, Tool) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.csv", bytes);
    let tool = open(dir.path(), &format!("timeout = \"5m\"\n[csv.t]\npath = \"t.csv\"\n{settings}")).unwrap();
    (dir, tool)
}

/// What `sql` answers, all of its rows.
async fn rows(tool: &Tool, sql: &str) -> Value {
    call(tool, json!({ "sql": sql })).await.map_or_else(|why| json!(why.reason), |found| found["rows"].clone())
}

#[derive(Deserialize)]
struct Exports {
    export: Vec<Export>,
}

/// A file as a platform exports it.
#[derive(Deserialize)]
struct Export {
    file: String,
    /// What the refusal without settings says; none is refused if it is empty.
    refused: Vec<String>,
    settings: String,
    /// A query under the settings, and its rows as JSON; neither if the file itself has to be mended.
    sql: Option<String>,
    #[serde(default)]
    right: String,
}

#[tokio::test]
async fn what_platforms_export_is_right_or_refused_with_the_setting_that_mends_it() {
    let exports: Exports = toml::from_str(include_str!("../cases/csv/exports.toml")).unwrap();
    for Export { file, refused, settings, sql, right } in exports.export {
        if !refused.is_empty() {
            let (_dir, tool) = case(&file, "");
            let why = call(&tool, json!({ "sql": "SELECT 1 AS a FROM t" })).await.unwrap_err();
            assert_eq!(why.class, Class::Permanent, "{file}: {why:?}");
            for says in refused {
                assert!(why.reason.contains(&says), "{file} does not say {says:?}:\n{}", why.reason);
            }
            // `check` and `doctor` are told the same, before a model is paid.
            let looked: Vec<String> = tool.look().faults.iter().map(ToString::to_string).collect();
            assert_eq!(looked.join("\n"), why.reason, "{file}");
        }
        if let Some(sql) = sql {
            let (_dir, tool) = case(&file, &settings);
            assert_eq!(rows(&tool, &sql).await.to_string(), right, "{file}: {sql}");
        }
    }
}

/// What `callsheet data inspect` would have somebody paste gives the same values as what a person wrote.
#[tokio::test]
async fn what_is_guessed_of_an_export_gives_what_is_right() {
    let exports: Exports = toml::from_str(include_str!("../cases/csv/exports.toml")).unwrap();
    let mut tried = 0;
    for Export { file, sql, right, .. } in exports.export {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/csv").join(&file);
        let guess = sql::guess(&from, &file);
        let Some(sql) = sql else {
            assert!(guess.is_err(), "{file} has to be mended: {guess:?}");
            continue;
        };
        let guess = guess.unwrap_or_else(|why| panic!("{why}"));
        let settings = format!("{}\n[csv.t.columns]\n{}", guess.settings.join("\n"), guess.declared.join("\n"));
        let (_dir, tool) = case(&file, &settings);
        assert_eq!(rows(&tool, &sql).await.to_string(), right, "{file}: {settings}\n{sql}");
        assert_eq!(tool.look().faults, [], "{file}");
        let shown: Vec<String> =
            guess.columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
        assert_eq!(tool.look().facts, [format!("t({}), {} rows", shown.join(", "), guess.rows)], "{file}");
        tried += 1;
    }
    assert!(tried >= 8, "{tried}");
}

/// A file, what is guessed of it, and what is told beside it.
#[test]
fn what_could_be_read_in_two_ways_is_told_and_never_chosen_in_silence() {
    let cases: [(&str, &[&str], &str); 14] = [
        ("a\n1\n2\n", &[], ""),
        ("a\n9.90\n1.5\n", &["decimal = \".\""], ""),
        ("a\n1.205\n2.617\n", &["decimal = \".\""], "a fraction, or thousands?"),
        ("a;b\n1.205;3,5\n2.617;4,5\n", &["delimiter = \";\"", "decimal = \",\"", "thousands = \".\""], ""),
        ("a\n01.07.2026\n22.07.2026\n", &["\"a\" = { type = \"date\", format = \"%d.%m.%Y\" }"], ""),
        ("a\n07/22/2026\n07/23/2026\n", &["\"a\" = { type = \"date\", format = \"%m/%d/%Y\" }"], ""),
        ("a\n07/01/2026\n07/02/2026\n", &["\"a\" = \"text\""], "could be \"%m/%d/%Y\" or \"%d/%m/%Y\""),
        ("a\n7/22/26 13:05\n7/23/26 9:00\n", &["\"a\" = \"text\""], "could be \"%m/%d/%Y %H:%M\""),
        ("a\n01.07.2026\nsoon enough\n", &[], ""),
        ("a,b\n1,x\nn/a,y\n3,z\n", &["empty = [\"n/a\"]"], ""),
        ("a,b\n1,x\nfour,y\n3,z\n", &["\"a\" = \"text\""], "is no value"),
        ("a\n$5\n$6.50\n", &["\"a\" = { type = \"number\", unit = \"$\" }"], ""),
        ("Report\n\na,b\n1,2\n", &["skip = 2"], ""),
        ("s,n,k\nx,10,1\ny,20,3\nTotal,30,4\n", &["leave_out = [\"Total\"]"], ""),
    ];
    for (text, settings, remark) in cases {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "t.csv", text);
        let guess = sql::guess(&dir.path().join("t.csv"), "t.csv").unwrap_or_else(|why| panic!("{text:?}: {why}"));
        let mut set: Vec<String> = guess.settings.iter().chain(&guess.declared).map(|line| spaced(line)).collect();
        let mut wanted: Vec<String> = settings.iter().map(|line| spaced(line)).collect();
        set.sort();
        wanted.sort();
        assert_eq!(set, wanted, "{text:?}");
        let told = guess.remarks.join("\n");
        assert!(told.contains(remark) && (remark.is_empty() == told.is_empty()), "{text:?}: {told}");
    }
}

/// A line of TOML whatever stands between its words and quotes.
fn spaced(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace() && *c != '"').collect()
}

/// A file and what is said of it: its columns and types, or the fault.
#[tokio::test]
async fn a_cell_is_a_number_only_if_it_prints_back_and_a_column_if_all_its_cells_are() {
    let cases = [
        ("a\n1\n-2\n0\n", "", "t(a integer), 3 rows"),
        ("a\n1.5\n2\n-0.25\n", "", "t(a number), 3 rows"),
        ("a\nx\n\ny\n", "", "t(a text), 2 rows"),
        ("a,b\nx,\ny,\n", "", "t(a text, b text), 2 rows"),
        // Ids, as long as all are equally long.
        ("zip\n01067\n10115\n", "", "t(zip text), 2 rows"),
        ("zip\n1067\n01115\n", "", "zip\" has \"01115\", which would not print back"),
        ("a\n2026.10\n2026.11\n", "", "\"2026.10\", which would not print back"),
        ("a\n9.90\n1.5\n", "", "decimal = \".\""),
        ("a\n9.90\n1.5\n", "decimal = \".\"", "t(a number), 2 rows"),
        ("a\n9.90\n1.5\n", "columns = { a = \"number\" }", "t(a number), 2 rows"),
        ("a\n1.205\n2.617\n", "", "a fraction, or thousands?"),
        ("a\n1.205\n2.617\n", "decimal = \".\"", "t(a number), 2 rows"),
        ("a\n1e5\n2\n", "", "\"1e5\", which would not print back"),
        ("a\nNaN\n2\n3\n", "", "empty = [\"NaN\"]"),
        ("a\n+5\n2\n", "", "\"+5\", which would not print back"),
        ("a\n 5\n2\n", "", "\" 5\", which would not print back"),
        ("a\n9007199254740993\n0.5\n", "", "among fractions"),
        ("a\n9007199254740993\n1\n", "", "t(a integer), 2 rows"),
        ("a\n99999999999999999999\n1\n", "", "columns = { \"a\" = \"text\" }"),
        ("a\n1\n0\nTRUE\n", "", "columns = { \"a\" = \"boolean\" }"),
        ("a\n1\n0\nTRUE\n", "columns = { a = \"boolean\" }", "t(a integer), 3 rows"),
        ("a\n$5\n$6.50\n", "", "unit = \"$\""),
        ("a\n$5\n$6.50\n", "columns = { a = { type = \"number\", unit = \"$\" } }", "t(a number), 2 rows"),
        ("a\n5 EUR\n7 EUR\n", "", "unit = \"EUR\""),
        ("a\n3.2%\n4%\n", "columns = { a = \"percent\" }", "t(a number), 2 rows"),
        ("a\n3.2%\n4\n", "columns = { a = \"percent\" }", "t.csv:3: column \"a\" is declared as a percentage"),
        (
            "a;b\n12,34;1\n1;1\n",
            "delimiter = \";\"\nthousands = \",\"",
            "\"12,34\", which looks like a number with a decimal comma",
        ),
        ("a;b\n12,34;1\n2;1\n", "delimiter = \";\"", "decimal = \",\""),
        ("a\n01.07.2026\n02.07.2026\n", "", "do not sort as they stand"),
        ("a\n7/1/2026\n7/2/2026\n", "", "do not sort as they stand"),
        ("a\n2026-07-01\n2026-07-02T10:00:00Z\n", "", "t(a text), 2 rows"),
        ("a\n1.2.3\n4.5.6\n", "", "t(a text), 2 rows"),
        ("a\nsummer\n2026\nautumn\n", "", "looks like a number among texts"),
        ("a\nsummer\n2026\nautumn\n", "columns = { a = \"text\" }", "t(a text), 3 rows"),
        ("a\n1\n", "columns = { b = \"text\" }", "there is no column \"b\""),
        ("a\n07.13.2026\n", "columns = { a = { type = \"date\", format = \"%d.%m.%Y\" } }", "and there is no such day"),
        // Nobody closes a quote, or something stands after it.
        ("a,b\n1,\"two\n3,four\n", "", "t.csv:2: a quote"),
        ("a,b\n1,two\n3,\"four\" x\n", "", "t.csv:3: a quote"),
        ("a,b\n1,\"t\"\"w\no\"\n", "", "t(a integer, b text), 1 row"),
        ("a\r\n1\r\n2\r\n", "", "t(a integer), 2 rows"),
        ("a\r1\r2\r", "", "t(a integer), 2 rows"),
        // What stands above, between and below.
        ("Report of July\n\na,b\n1,2\n", "", "skip = 2"),
        ("Report of July\n\na,b\n1,2\n", "skip = 2", "t(a integer, b integer), 1 row"),
        ("sep=;\na;b\n1;2\n", "", "skip = 1, delimiter = \";\""),
        ("sep=;\na;b\n1;2\n", "skip = 1\ndelimiter = \";\"", "t(a integer, b integer), 1 row"),
        ("a|b\n1|2\n", "", "delimiter = \"|\""),
        ("s,n\nx,1\ny,2\nGrand total,3\n", "", "leave_out = [\"Grand total\"]"),
        ("s,n\nx,1\ny,2\nTotal,3\n", "leave_out = []", "t(s text, n integer), 3 rows"),
        ("s,n,k\nx,10,1\ny,20,3\nboth,30,4\n", "", "is the sum of the others"),
        ("s,n,k\nx,10,1\ny,20,3\nz,30,5\n", "", "t(s text, n integer, k integer), 3 rows"),
    ];
    for (text, settings, says) in cases {
        let (_dir, tool) = of(text, settings);
        let look = tool.look();
        let faults = look.faults.iter().map(ToString::to_string).collect();
        let said = [look.facts, faults].concat().join("\n");
        assert!(said.contains(says), "{text:?} under {settings:?} does not say {says:?}:\n{said}");
    }
}

#[tokio::test]
async fn other_encodings_are_declared() {
    let text = "name,n\nFrühling €,1\n";
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit: &u16| unit.to_le_bytes()).collect();
    let big: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit: &u16| unit.to_be_bytes()).collect();
    let windows = b"name,n\nFr\xFChling \x80,1\n".to_vec();
    for (bytes, setting, refused) in [
        (little, "encoding = \"utf-16\"", "t.csv:1: is written as UTF-16"),
        (big, "encoding = \"utf-16\"", "encoding = \"utf-16\""),
        (windows, "encoding = \"windows-1252\"", "t.csv:2: field 1 is not UTF-8"),
    ] {
        let (_dir, tool) = of(&bytes, "");
        assert!(rows(&tool, "SELECT 1 AS a FROM t").await.to_string().contains(&refused.replace('"', "\\\"")));
        let (_dir, tool) = of(&bytes, setting);
        assert_eq!(rows(&tool, "SELECT * FROM t").await, json!([{ "name": "Frühling €", "n": 1 }]), "{setting}");
    }
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let cases = [
        ("[csv.t]\npath = \"a.csv\"\ndelimeter = \";\"", "unknown field `delimeter`"),
        ("[csv.t]\ndelimiter = \";\"", "missing field `path`"),
        ("[csv]\nt = 5", "the path of a CSV file"),
        ("[csv.t]\npath = \"a.csv\"\ndelimiter = \";;\"", "delimiter is one of"),
        ("[csv.t]\npath = \"a.csv\"\ndecimal = \",\"\nthousands = \",\"", "the same"),
        ("[csv.t]\npath = \"a.csv\"\nthousands = \".\"", "the same"),
        ("[csv.t]\npath = \"a.csv\"\ncolumns = { a = \"date\" }", "needs its format"),
        ("[csv.t]\npath = \"a.csv\"\ncolumns = { a = \"nubmer\" }", "unknown variant `nubmer`"),
        ("[csv.t]\npath = \"a.csv\"\ncolumns = { a = { type = \"text\", unit = \"$\" } }", "unit is for"),
        ("[csv.t]\npath = \"../a.csv\"", "below the directory"),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (text, says) in cases {
        let why = open(dir.path(), text).err().unwrap_or_default();
        assert!(why.contains(says), "{text}: {why}");
    }
}

/// `clicks` and `note` are texts, `n` is a number.
const MIXED: &str = "segment,clicks,note,n,day\nnorth,\"1,006\",x,1,2026-07-01\nsouth,992,y,2,2026-07-02\n";

#[tokio::test]
async fn a_query_that_counts_with_a_text_is_refused_with_its_column() {
    let refused = [
        "SELECT sum(clicks) AS s FROM t",
        "SELECT avg(clicks) AS s FROM t",
        "SELECT total(clicks) AS s FROM t",
        "SELECT segment, sum(clicks) AS s FROM t GROUP BY segment",
        "SELECT sum(clicks) OVER () AS s FROM t",
        "SELECT sum(clicks) FILTER (WHERE n > 1) AS s FROM t",
        "SELECT clicks + 1 AS s FROM t",
        "SELECT n - clicks AS s FROM t",
        "SELECT -clicks AS s FROM t",
        "SELECT clicks * 1.0 / n AS s FROM t",
        "SELECT clicks % 2 AS s FROM t",
        "SELECT clicks & 1 AS s FROM t",
        "SELECT abs(clicks) AS s FROM t",
        "SELECT round(clicks, 1) AS s FROM t",
        "SELECT CAST(clicks AS INTEGER) AS s FROM t",
        "SELECT CAST(nullif(clicks, '') AS REAL) AS s FROM t",
        "SELECT * FROM t WHERE clicks > 1000",
        "SELECT * FROM t WHERE 1000 < clicks",
        "SELECT * FROM t WHERE clicks = 992",
        "SELECT * FROM t WHERE clicks BETWEEN 1 AND 1000",
        "SELECT * FROM t WHERE clicks > n",
        "SELECT * FROM t WHERE clicks",
        "SELECT * FROM t WHERE clicks IN (992, 1006)",
        "SELECT * FROM t WHERE n IN (SELECT clicks FROM t)",
        "SELECT CASE WHEN clicks >= 5 THEN 1 ELSE 0 END AS s FROM t",
        "SELECT segment FROM t GROUP BY segment HAVING max(clicks) > 5",
        "SELECT a.n FROM t a JOIN t b ON a.n = b.clicks",
        // Under another name, from within, over unions, sorted, distinct and from a window.
        "WITH c AS (SELECT clicks AS x FROM t) SELECT sum(x) AS s FROM c",
        "WITH c AS MATERIALIZED (SELECT clicks AS x FROM t) SELECT sum(x) AS s FROM c",
        "SELECT sum(x) AS s FROM (SELECT clicks AS x FROM t ORDER BY n LIMIT 1)",
        "SELECT sum(x) AS s FROM (SELECT DISTINCT clicks AS x FROM t)",
        "SELECT sum(x) AS s FROM (SELECT clicks AS x FROM t UNION ALL SELECT note FROM t)",
        "SELECT sum(x) AS s FROM (SELECT max(clicks) AS x FROM t GROUP BY segment)",
        "SELECT x + 1 AS s FROM (SELECT lag(clicks) OVER (ORDER BY n) AS x FROM t)",
        "SELECT (SELECT max(clicks) FROM t) + 1 AS s",
        "SELECT coalesce(clicks, 0) + 1 AS s FROM t",
        "SELECT sum(iif(n > 1, clicks, 0)) AS s FROM t",
        "SELECT segment, sum(x) AS s FROM (SELECT segment, max(clicks) AS x FROM t GROUP BY segment, n) GROUP BY segment",
    ];
    let allowed = [
        "SELECT max(clicks) AS a, min(note) AS b, count(clicks) AS c, count(DISTINCT note) AS d FROM t",
        "SELECT segment, sum(n) AS s FROM t GROUP BY segment ORDER BY segment",
        "SELECT * FROM t WHERE note = 'x' AND day >= '2026-07-01' AND segment IN ('north', 'south') ORDER BY day DESC",
        "SELECT CAST(replace(clicks, ',', '') AS INTEGER) AS s FROM t",
        "SELECT CAST(substr(day, 1, 4) AS INTEGER) AS year, julianday(day) - 1 AS d FROM t",
        "SELECT length(note) + n AS s, sum(note = 'x') AS x, sum(note IS NOT NULL) AS y FROM t",
        "SELECT note || n AS s, coalesce(note, 'none') AS a, nullif(note, '') AS b FROM t",
        "SELECT a.n FROM t a JOIN t b ON a.segment = b.segment WHERE a.n > 0",
        "SELECT n + 1 AS s, n * 1.5 AS a, sum(n) OVER (PARTITION BY segment ORDER BY day) AS w FROM t",
        "SELECT row_number() OVER (ORDER BY clicks) AS r, rank() OVER (ORDER BY note) AS k FROM t",
        "SELECT CASE WHEN note = 'x' THEN n ELSE 0 END + 1 AS s FROM t",
        "SELECT CASE note WHEN 'x' THEN 1 ELSE 2 END + 1 AS s FROM t",
    ];
    let (_dir, tool) = of(MIXED, "columns = { clicks = \"text\" }");
    for sql in refused {
        let why = call(&tool, json!({ "sql": sql })).await.unwrap_err();
        let settings =
            "[tools.data.csv.t] of callsheet.toml has thousands = \",\", columns = { \"clicks\" = \"number\" }";
        let named = why.reason.contains("t.clicks") && why.reason.contains(settings);
        assert!(why.class == Class::Invalid && named, "{sql}: {why:?}");
    }
    for sql in allowed {
        let found = call(&tool, json!({ "sql": sql })).await;
        assert!(found.is_ok(), "{sql}: {found:?}");
    }
    // A parameter is what it is given as.
    let above = |least: Value| json!({ "sql": "SELECT n FROM t WHERE clicks > :least", "args": { "least": least } });
    assert_eq!(call(&tool, above(json!(5))).await.unwrap_err().class, Class::Invalid);
    assert!(call(&tool, above(json!("5"))).await.is_ok());
}

#[tokio::test]
async fn a_named_query_that_counts_with_a_text_is_told_before_anything_runs() {
    let queries = r#"
        [queries.good]
        sql = "SELECT sum(n) AS s FROM t WHERE note = :note"
        description = "all"
        args = { note = "string" }
        [queries.clicks]
        sql = "SELECT sum(clicks) AS s FROM t"
        description = "clicks"
        [queries.above]
        sql = "SELECT n FROM t WHERE note > :least"
        description = "above"
        args = { least = "number" }
        [queries.typo]
        sql = "SELECT nn FROM t"
        description = "typo"
    "#;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.csv", MIXED);
    let text = format!("[csv.t]\npath = \"t.csv\"\ncolumns = {{ clicks = \"text\" }}\n{queries}");
    let look = open(dir.path(), &text).unwrap().look();
    assert_eq!(look.faults.len(), 3, "{look:?}");
    for (fault, says) in look.faults.iter().zip([
        "above: a comparison with a number meets t.note",
        "clicks: sum() meets t.clicks",
        "the query typo",
    ]) {
        assert!(fault.to_string().contains(says), "{fault} does not say {says:?}");
    }
    assert_eq!(look.facts, ["t(segment text, clicks text, note text, n integer, day text), 2 rows"]);
}

/// A file of the engine's own may hold anything under any type; what is declared as text is not counted with.
#[tokio::test]
async fn texts_of_a_sqlite_file_are_not_counted_with() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("t.db")).unwrap();
    db.execute_batch("CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, '1,006'); CREATE INDEX i ON t (b)")
        .unwrap();
    let tool = open(dir.path(), "sqlite = \"t.db\"").unwrap();
    assert!(rows(&tool, "SELECT sum(b) AS s FROM t").await.to_string().contains("t.b"));
    assert!(rows(&tool, "SELECT a FROM t WHERE b > 5").await.to_string().contains("t.b"));
    assert_eq!(rows(&tool, "SELECT sum(a) AS s, max(b) AS m FROM t").await, json!([{ "s": 1, "m": "1,006" }]));
}

/// `last` is a day as it does not sort, `day` one as it does.
const DAYS: &str =
    "name,last,n,day\nana,14.08.2026,1,2026-08-14\nbo,02.03.2026,2,2026-03-02\ncy,11.11.2025,3,2025-11-11\n";

/// Queries that order `last` by its letters, each with what does so.
pub(crate) const DISORDERED: &[(&str, &str)] = &[
    ("SELECT min(last) AS m FROM t", "min()"),
    ("SELECT name, max(last) AS m FROM t GROUP BY name", "max()"),
    ("SELECT max(last, '01.01.2026') AS m FROM t", "max()"),
    ("SELECT max(last) OVER () AS m FROM t", "max()"),
    ("SELECT n FROM t WHERE last > '01.06.2026'", "a comparison"),
    ("SELECT n FROM t WHERE '01.06.2026' <= last", "a comparison"),
    ("SELECT n FROM t WHERE last BETWEEN '01.06.2026' AND '30.06.2026'", "a comparison"),
    ("SELECT n FROM t WHERE last > :since", "a comparison"),
    ("SELECT sum(last >= day) AS s FROM t", "a comparison"),
    ("SELECT n FROM t WHERE last = (SELECT max(last) FROM t)", "max()"),
    ("SELECT n FROM t ORDER BY last", "ORDER BY"),
    ("SELECT n FROM t ORDER BY n, t.\"last\" DESC NULLS LAST LIMIT 1", "ORDER BY"),
    ("SELECT last AS latest FROM t ORDER BY latest", "ORDER BY"),
    ("SELECT n, last FROM t ORDER BY 2", "ORDER BY"),
    ("SELECT last, count(*) AS c FROM t GROUP BY last ORDER BY last", "ORDER BY"),
    ("SELECT row_number() OVER (PARTITION BY name ORDER BY last) AS r FROM t", "ORDER BY"),
    ("SELECT group_concat(name, ',' ORDER BY last) AS names FROM t", "ORDER BY"),
    ("WITH c AS (SELECT last AS x FROM t) SELECT x FROM c ORDER BY x", "ORDER BY"),
    ("SELECT last FROM t UNION SELECT day FROM t ORDER BY 1", "ORDER BY"),
];

/// Queries of it that are right.
pub(crate) const IN_ORDER: &[&str] = &[
    "SELECT last, count(*) AS c FROM t GROUP BY last",
    "SELECT DISTINCT last FROM t WHERE last = '14.08.2026' OR last IN ('02.03.2026', '11.11.2025')",
    "SELECT count(last) AS c FROM t WHERE last <> '' AND last > '' AND last LIKE '%.2026'",
    "SELECT n FROM t ORDER BY substr(last, 7, 4) || substr(last, 4, 2) || substr(last, 1, 2)",
    "SELECT max(substr(last, 7, 4)) AS year, min(day) AS d FROM t",
    "SELECT n AS last FROM t ORDER BY last",
    "SELECT n FROM t WHERE name = ' ORDER BY last' -- ORDER BY last\nORDER BY day",
    "SELECT a.name FROM t a JOIN t b ON a.last = b.last ORDER BY a.day",
    "SELECT name FROM t WHERE day >= '2026' AND day < '2026-09' ORDER BY day DESC",
];

#[tokio::test]
async fn dates_that_do_not_sort_are_not_ordered() {
    let (_dir, tool) = of(DAYS, "columns = { last = \"text\" }");
    let sample = "t.last, a column of texts such as \"14.08.2026\": such dates do not sort as they stand";
    let settings = "has columns = { \"last\" = { type = \"date\", format = \"%d.%m.%Y\" } }";
    for (sql, how) in DISORDERED {
        let args = if sql.contains(":since") { json!({ "since": "01.06.2026" }) } else { json!({}) };
        let why = call(&tool, json!({ "sql": sql, "args": args })).await.expect_err(sql);
        for says in [*how, sample, settings] {
            assert!(why.class == Class::Invalid && why.reason.contains(says), "{sql}: {why:?}");
        }
    }
    for sql in IN_ORDER {
        let found = call(&tool, json!({ "sql": sql })).await;
        assert!(found.is_ok(), "{sql}: {found:?}");
    }
    // Declared, they are as they sort, and the earliest is the earliest.
    let (_dir, tool) = of(DAYS, "columns = { last = { type = \"date\", format = \"%d.%m.%Y\" } }");
    assert_eq!(rows(&tool, "SELECT min(last) AS m FROM t").await, json!([{ "m": "2025-11-11" }]));
    for (sql, _) in DISORDERED.iter().filter(|(sql, _)| !sql.contains(".2026") && !sql.contains(":since")) {
        let found = call(&tool, json!({ "sql": sql })).await;
        assert!(found.is_ok(), "{sql}: {found:?}");
    }
}

/// What stands beside a day, whether that is taken if the day is declared, and if it is one by its cells alone; and what is
/// to be written.
const BESIDE: &[(&str, bool, bool, &str)] = &[
    ("2026-06-01", true, true, ""),
    ("", true, true, ""),
    ("01.06.2026", false, false, "'2026-06-01'"),
    ("31.07.2026", false, false, "'2026-07-31'"),
    ("06/13/2026", false, false, "'2026-06-13'"),
    ("Jun 3, 2026", false, false, "'2026-06-03'"),
    ("2026", false, true, "as YYYY-MM-DD"),
    ("2026-06", false, true, "as YYYY-MM-DD"),
    ("2026-06-31", false, true, "as YYYY-MM-DD"),
    ("2026-06-01T00:00:00", false, true, "as YYYY-MM-DD"),
    ("tomorrow", false, true, "as YYYY-MM-DD"),
];

#[tokio::test]
async fn what_stands_beside_a_date_is_a_date() {
    let dated = |settings: &str| of(DAYS, settings);
    let (_one, declared) = dated("columns = { last = \"text\", day = { type = \"date\", format = \"%Y-%m-%d\" } }");
    let (_two, seen) = dated("columns = { last = \"text\" }");
    for (beside, if_declared, if_seen, instead) in BESIDE {
        for (tool, taken) in [(&declared, if_declared), (&seen, if_seen)] {
            for sql in ["day > '#'", "'#' = day", "day BETWEEN '#' AND '#'", "day IN ('#', '#')", "day <> :d"] {
                let args = if sql.contains(":d") { json!({ "d": beside }) } else { json!({}) };
                let sql = format!("SELECT n FROM t WHERE {}", sql.replace('#', beside));
                match call(tool, json!({ "sql": sql, "args": args })).await {
                    Ok(_) => assert!(*taken, "{sql} is taken"),
                    Err(why) => {
                        let says = why.reason.contains("t.day") && why.reason.contains(&format!("{beside:?}"));
                        assert!(!*taken && says && why.reason.contains(instead), "{sql}: {why:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_named_query_is_told_what_to_write_of_dates_and_of_numbers() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.csv", "name;last;spent;share\nana;14.08.2026;1.240,90;4 %\nbo;02.03.2026;900,00;12 %\n");
    let query = |sql: &str| format!("[queries.q]\ndescription = \"q\"\nsql = {}\n", json!(sql));
    let settings =
        "path = \"t.csv\"\ndelimiter = \";\"\ncolumns = { last = \"text\", spent = \"text\", share = \"text\" }\n";
    let number =
        "write in [tools.data.csv.t]: decimal = \",\", thousands = \".\", columns = { \"spent\" = \"number\" }";
    for (sql, says) in [
        ("SELECT sum(spent) AS s FROM t", number),
        ("SELECT avg(share) AS s FROM t", "write in [tools.data.csv.t]: columns = { \"share\" = \"percent\" }"),
        ("SELECT max(last) AS s FROM t", "columns = { \"last\" = { type = \"date\", format = \"%d.%m.%Y\" } }"),
        ("SELECT sum(name) AS s FROM t", "sum() meets t.name, a column of texts such as \"ana\""),
    ] {
        let look = open(dir.path(), &format!("[csv.t]\n{settings}{}", query(sql))).unwrap().look();
        let [fault] = look.faults.as_slice() else { panic!("{sql}: {look:?}") };
        assert!(fault.to_string().contains(says), "{sql}: {fault}");
    }
    // What it says is enough.
    let table = "path = \"t.csv\"\ndelimiter = \";\"\ndecimal = \",\"\nthousands = \".\"\n\
                 columns = { last = \"text\", spent = \"number\", share = \"text\" }\n";
    let tool = open(dir.path(), &format!("[csv.t]\n{table}")).unwrap();
    assert_eq!(rows(&tool, "SELECT sum(spent) AS s FROM t").await, json!([{ "s": 2140.9 }]));
    // A day that there is not spoils no advice.
    write(dir.path(), "t.csv", "name;last\nana;14.08.2026\nbo;02.03.2026\ncy;31.02.2026\n");
    let table = "path = \"t.csv\"\ndelimiter = \";\"\ncolumns = { last = \"text\" }\n";
    let tool = open(dir.path(), &format!("[csv.t]\n{table}")).unwrap();
    assert!(rows(&tool, "SELECT min(last) AS s FROM t").await.to_string().contains("%d.%m.%Y"));
}

//! Tests of the `sql` tool: what it answers, and that the engine refuses everything but reading.

use std::fs;
use std::path::Path;

use callsheet::failure::{Class, Failure};
use callsheet::tool::{Tool, sql};
use serde_json::{Value, json};

use crate::tools::{Bypasses, call, config, write};
use crate::tools_csv::{DISORDERED, IN_ORDER};

const T: &str = "a,b\n1,one\n2,two\n3,\n";

fn open(root: &Path, text: &str) -> Result<Tool, String> {
    let tools = crate::tools::open::<sql::Config>("data", config(text)?, root)?;
    Ok(tools[0].clone())
}

/// With SQL text, unless `text` says what holds of it.
fn open_free(root: &Path, text: &str) -> Result<Tool, String> {
    if text.contains("free_sql") { open(root, text) } else { open(root, &format!("free_sql = true\n{text}")) }
}

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data/t.csv", T);
    let numbers: String = (0..200).map(|n| format!("{n}\n")).collect();
    write(dir.path(), "data/n.csv", format!("a\n{numbers}"));
    write(dir.path(), "data/canary.txt", "CANARY,x\n1,2\n");
    let db = rusqlite::Connection::open(dir.path().join("data/t.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, NULL);
         CREATE TABLE n (a INTEGER);
         WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c WHERE x < 199) INSERT INTO n SELECT x FROM c;",
    )
    .unwrap();
    dir
}

const BOTH: [&str; 2] = ["csv = { t = \"data/t.csv\", n = \"data/n.csv\" }\n", "sqlite = \"data/t.db\"\n"];

#[tokio::test]
async fn it_answers_free_and_named_queries() {
    let dir = project();
    let queries = r#"
        [queries.above]
        sql = "SELECT a, b FROM t WHERE a > :least ORDER BY a"
        description = "rows above"
        args = { least = "integer" }
    "#;
    for source in BOTH {
        let tool = open_free(dir.path(), &format!("{source}{queries}")).unwrap();
        let found = call(&tool, json!({ "query": "above", "args": { "least": 1 } })).await.unwrap();
        let expected = json!({
            "columns": ["a", "b"], "row_count": 2, "truncated": false, "source": { "query": "above" },
            "rows": [{ "a": 2, "b": "two" }, { "a": 3, "b": null }],
        });
        assert_eq!(found, expected, "{source}");
        let found = call(&tool, json!({ "sql": "SELECT sum(a) AS s FROM t WHERE b = :b", "args": { "b": "one" } }));
        assert_eq!(found.await.unwrap()["rows"], json!([{ "s": 1 }]));
        // A CTE that is only counted, and the schema: both are reading.
        let found = call(&tool, json!({ "sql": "WITH c AS (SELECT a FROM t) SELECT count(*) AS n FROM c" })).await;
        assert_eq!(found.unwrap()["rows"][0]["n"], 3);
        let found =
            call(&tool, json!({ "sql": "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1" })).await;
        assert_eq!(found.unwrap()["rows"], json!([{ "name": "n" }, { "name": "t" }]));
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_invalid() {
    let dir = project();
    let text = r#"
        csv = { t = "data/t.csv" }
        [queries.above]
        sql = "SELECT a FROM t WHERE a > :least"
        description = "rows above"
        args = { least = "integer" }
    "#;
    let tool = open_free(dir.path(), text).unwrap();
    let cases = [
        (json!({}), "either"),
        (json!({ "query": "above", "sql": "SELECT 1" }), "either"),
        (json!({ "query": "below" }), "there is: above"),
        (json!({ "query": "above" }), "needs the argument least"),
        (json!({ "query": "above", "args": { "least": "1" } }), "to be a integer"),
        (json!({ "query": "above", "args": { "least": 1, "most": 2 } }), "no argument \"most\""),
        (json!({ "sql": "SELECT 1 AS a, 2 AS a" }), "two columns"),
        (json!({ "sql": "SELECT 9e999 AS a" }), "without end"),
        (json!({ "sql": "SELECT x'00' AS a" }), "binary"),
        (json!({ "sql": "SELECT nosuch FROM t" }), "no such column"),
        (json!({ "sql": "SELECT a FROM t", "args": { "x": 1 } }), "no parameter :x"),
        (json!({ "sql": "SELECT :x", "args": { "x": [1] } }), "to be text"),
        (json!({ "sql": "SELECT 1", "more": 1 }), "unknown field"),
    ];
    for (args, says) in cases {
        let why = call(&tool, args.clone()).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{args}: {why:?}");
    }
    let closed = open(dir.path(), text).unwrap();
    assert!(call(&closed, json!({ "sql": "SELECT 1" })).await.unwrap_err().reason.contains("free_sql"));
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let cases = [
        ("", "says no data"),
        ("csv = { t = \"a.csv\" }\nsqlite = \"a.db\"", "both"),
        ("csv = { t = \"../a.csv\" }", "below the directory"),
        ("csv = { t = \"/etc/passwd\" }", "below the directory"),
        ("sqlite = \"a/../../b.db\"", "below the directory"),
        ("sqlite = \"\"", "below the directory"),
        ("csv = { \"t; drop\" = \"a.csv\" }", "no table name"),
        ("csv = { sqlite_x = \"a.csv\" }", "no table name"),
        ("csv = { t = \"a.csv\" }\nrows_max = 0", "1 or more"),
        ("csv = { t = \"a.csv\" }\nfree_sql = false", "nothing could be asked"),
        ("csv = { t = \"a.csv\" }\nfree_sql = true\nhide = [\"t.\"]", "names no column"),
        ("csv = { t = \"a.csv\" }\ntimeout = \"5\"", "such as \"5s\""),
        ("csv = { t = \"a.csv\" }\ntimeuot = \"5s\"", "unknown field"),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (text, says) in cases {
        let why = open_free(dir.path(), text).err().unwrap_or_default();
        assert!(why.contains(says), "{text}: {why}");
    }
}

#[tokio::test]
async fn a_malformed_file_is_named_with_its_line() {
    let cases: [(&[u8], &str); 10] = [
        (b"", "t.csv:1: the file is empty"),
        (b"\n \n", "t.csv:1: the file is empty"),
        (b"a,b\n", "t.csv:1: there is a header and no row"),
        (b"a,b\n1,2\n3\n", "t.csv:3: has 1 fields, the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "t.csv:3: has 3 fields"),
        (b"a,A\n1,2\n", "t.csv:1: two columns are named \"A\""),
        (b"a,\n1,2\n", "t.csv:1: column 2 has no usable name"),
        (b"a,b\n1,\xFF\n", "t.csv:2: field 2 is not UTF-8"),
        (b"a,b\n1,\"two\n3,four\n", "never closed"),
        (b"a,b\n1,\"x\ny\"\n2\n", "t.csv:4: has 1 fields"),
    ];
    for (bytes, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "t.csv", bytes);
        let tool = open_free(dir.path(), "csv = { t = \"t.csv\" }").unwrap();
        let why = call(&tool, json!({ "sql": "SELECT * FROM t" })).await.unwrap_err();
        assert!(why.class == Class::Permanent && why.reason.contains(says), "{:?}: {why:?}", bytes.escape_ascii());
    }
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "t.db",
        "this is no database, but it is long enough to be read as a header of one, 100 bytes or more of it",
    );
    for text in ["csv = { t = \"t.csv\" }", "sqlite = \"no.db\"", "sqlite = \"t.db\""] {
        let tool = open_free(dir.path(), text).unwrap();
        let why = call(&tool, json!({ "sql": "SELECT 1" })).await.unwrap_err();
        assert!(why.class == Class::Permanent, "{text}: {why:?}");
    }
}

#[tokio::test]
async fn columns_have_the_narrowest_type_that_all_cells_have() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.csv", "\u{FEFF}i,r,z,e,n\n1,1.5,007,,x1\n-2,2,008,,\n,0.25,009,,NaN\n");
    let tool = open_free(dir.path(), "csv = { t = \"t.csv\" }").unwrap();
    let found = call(&tool, json!({ "sql": "SELECT * FROM t" })).await.unwrap();
    let expected = json!([
        { "i": 1, "r": 1.5, "z": "007", "e": null, "n": "x1" },
        { "i": -2, "r": 2.0, "z": "008", "e": null, "n": null },
        { "i": null, "r": 0.25, "z": "009", "e": null, "n": "NaN" },
    ]);
    assert_eq!(found["rows"], expected);
}

#[tokio::test]
async fn a_changed_file_is_seen_and_an_unchanged_one_is_not_read_again() {
    let dir = project();
    let tool = open_free(dir.path(), BOTH[0]).unwrap();
    let sum = json!({ "sql": "SELECT sum(a) AS s FROM t" });
    assert_eq!(call(&tool, sum.clone()).await.unwrap()["rows"][0]["s"], 6);
    // Same length and time: what is loaded stands.
    let path = dir.path().join("data/t.csv");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, T.replace("1,one", "5,one")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(call(&tool, sum.clone()).await.unwrap()["rows"][0]["s"], 6);
    fs::write(&path, format!("{T}10,ten\n")).unwrap();
    assert_eq!(call(&tool, sum.clone()).await.unwrap()["rows"][0]["s"], 16);
    fs::remove_file(&path).unwrap();
    assert_eq!(call(&tool, sum).await.unwrap_err().class, Class::Permanent);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_out_of_the_project_is_refused() {
    let (dir, outside) = (project(), tempfile::tempdir().unwrap());
    write(outside.path(), "t.csv", T);
    fs::copy(dir.path().join("data/t.db"), outside.path().join("t.db")).unwrap();
    for name in ["t.csv", "t.db"] {
        std::os::unix::fs::symlink(outside.path().join(name), dir.path().join("link")).unwrap();
        for text in ["csv = { t = \"link\" }", "sqlite = \"link\""] {
            let tool = open_free(dir.path(), text).unwrap();
            let why = call(&tool, json!({ "sql": "SELECT * FROM t" })).await.unwrap_err();
            assert!(why.reason.contains("symbolic link"), "{why:?}");
        }
        fs::remove_file(dir.path().join("link")).unwrap();
    }
}

fn cases() -> Bypasses<String> {
    Bypasses::read(include_str!("../cases/tools/sql_bypass.toml"))
}

/// Every file below the project with its bytes.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(root.join("data"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn is_refused(answer: &Result<Value, Failure>) -> bool {
    let class = |why: &Failure| matches!(why.class, Class::Policy | Class::Invalid) && !why.reason.contains("CANARY");
    answer.as_ref().err().is_some_and(class)
}

#[tokio::test]
async fn nothing_but_reading_passes_the_engine() {
    let dir = project();
    let before = files(dir.path());
    let path = |name: &str| dir.path().join("data").join(name).display().to_string();
    let all = cases().all(&path("canary.txt"), &path("out.txt"));
    assert!(all.len() >= 300, "{}", all.len());
    for source in BOTH {
        let tool = open_free(dir.path(), source).unwrap();
        for sql in &all {
            let answer = call(&tool, json!({ "sql": sql })).await;
            assert!(is_refused(&answer), "{source}{sql}: {answer:?}");
            assert_eq!(files(dir.path()), before, "{source}{sql}");
        }
        let rest = call(&tool, json!({ "sql": "SELECT count(*) AS n, sum(a) AS s FROM t" })).await.unwrap();
        assert_eq!(rest["rows"], json!([{ "n": 3, "s": 6 }]));
    }
    println!("sqlite: {} bypasses in each of two connections, 0 taken: 0 changes, 0 files read", all.len());
}

#[tokio::test]
async fn hidden_columns_are_reached_by_named_queries_only() {
    let dir = project();
    let db = rusqlite::Connection::open(dir.path().join("data/t.db")).unwrap();
    db.execute_batch("CREATE VIEW v AS SELECT a, b AS c FROM t").unwrap();
    let queries = "[queries.all]\nsql = \"SELECT a, b FROM t WHERE a = 1\"\ndescription = \"all\"\n";
    for (source, hide) in BOTH.iter().flat_map(|source| ["t.b", "B", "T.B"].map(|hide| (source, hide))) {
        let tool = open_free(dir.path(), &format!("{source}free_sql = true\nhide = [{hide:?}]\n{queries}")).unwrap();
        let said = tool.spec().args["properties"]["sql"]["description"].as_str().unwrap().to_owned();
        assert!(said.contains("t(a ") && !said.contains("b "), "{source}{hide}: {said}");
        let with_view = if source.contains("sqlite") { "SELECT c FROM v" } else { "SELECT b FROM t" };
        for sql in [
            "SELECT b FROM t",
            "SELECT * FROM t",
            "SELECT a FROM t WHERE b = 'one'",
            "SELECT a FROM t ORDER BY b",
            "SELECT x.b FROM (SELECT * FROM t) x",
            "WITH c AS (SELECT b AS z FROM t) SELECT count(z) FROM c",
            "SELECT count(DISTINCT b) AS n FROM t",
            "SELECT a FROM t NATURAL JOIN t AS u",
            "SELECT a FROM t NATURAL JOIN (SELECT 'one' AS b) AS u",
            "SELECT a FROM t JOIN (SELECT 'one' AS b) AS u USING (b)",
            "SELECT a FROM main.t NATURAL LEFT JOIN (SELECT 1 AS a, 'one' AS B) AS u",
            "SELECT n.a FROM n WHERE EXISTS (SELECT 1 FROM t WHERE t.b = 'one')",
            with_view,
        ] {
            let answer = call(&tool, json!({ "sql": sql })).await;
            assert!(answer.as_ref().is_err_and(|why| why.class == Class::Policy), "{source}{hide}: {sql}: {answer:?}");
        }
        // A join that the engine answers by an index of its own is refused as well: what it keeps in there is not told.
        for sql in ["SELECT a FROM t", "SELECT count(*) AS n FROM t"] {
            assert!(call(&tool, json!({ "sql": sql })).await.is_ok(), "{source}{hide}: {sql}");
        }
        let named = call(&tool, json!({ "query": "all" })).await.unwrap();
        assert_eq!(named["rows"], json!([{ "a": 1, "b": "one" }]), "{source}{hide}");
        assert!(call(&tool, json!({ "sql": "SELECT b FROM t" })).await.is_err(), "{source}{hide}: also after it");
    }
}

/// A guard against a hang; nothing is concluded from it.
const NEVER: std::time::Duration = std::time::Duration::from_secs(300);

/// Also that neither the next query nor the end of the runtime waits for one whose time is up: both are within the guard.
#[test]
fn a_bomb_ends_at_a_cap() {
    let (done, waited) = std::sync::mpsc::channel();
    let bombs = std::thread::spawn(move || {
        for source in BOTH {
            // Ends with its runtime, which waits for what the runtime itself has started.
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(bombs(source));
        }
        done.send(()).unwrap();
    });
    assert!(!matches!(waited.recv_timeout(NEVER), Err(std::sync::mpsc::RecvTimeoutError::Timeout)), "it hangs");
    bombs.join().unwrap();
}

async fn bombs(source: &str) {
    let dir = project();
    let bombs = cases().bomb;
    assert!(bombs.len() >= 40);
    for bomb in bombs {
        // A connection each: what an earlier one left behind is not this one's.
        let text = format!("{source}timeout = \"300ms\"\nrows_max = 1_000\nbytes_max = 100_000");
        let tool = open_free(dir.path(), &text).unwrap();
        let answer = call(&tool, json!({ "sql": bomb.sql })).await;
        let why = answer.as_ref().err().map_or("", |why| &why.reason);
        // On a busy machine the time may be up before the cap that is aimed at.
        let capped = why.contains(&bomb.says) || why.contains("(timeout)");
        assert!(is_refused(&answer) && capped, "{}: {answer:?}", bomb.name);
    }
}

/// What is not interruptible is left to itself: the connection answers others meanwhile.
#[tokio::test]
async fn a_query_whose_time_is_up_holds_up_nobody() {
    let dir = project();
    let tool = open_free(dir.path(), &format!("{}timeout = \"2s\"", BOTH[0])).unwrap();
    let long = "printf('%.*c', 250000, 'x')";
    let many = vec![format!("instr({long} || a, printf('%.*c', 125000, 'x') || 'y')"); 400].join(" + ");
    let sql = format!("SELECT sum({many}) AS x FROM n");
    let late = call(&tool, json!({ "sql": sql })).await;
    assert!(late.as_ref().is_err_and(|why| why.class == Class::Invalid), "{late:?}");
    let next = tokio::time::timeout(NEVER, call(&tool, json!({ "sql": "SELECT count(*) AS n FROM t" }))).await;
    assert_eq!(next.unwrap().unwrap()["rows"][0]["n"], 3);
}

#[tokio::test]
async fn bounded_functions_answer_as_the_engines_do() {
    let dir = project();
    let tool = open_free(dir.path(), BOTH[0]).unwrap();
    let cases = [
        ("instr('abcb', 'b')", json!(2)),
        ("instr('äbc', 'b')", json!(2)),
        ("instr('abc', 'x')", json!(0)),
        ("instr(NULL, 'x')", Value::Null),
        ("instr(1234, 23)", json!(2)),
        ("replace('abcb', 'b', 'xx')", json!("axxcxx")),
        ("replace('abc', '', 'x')", json!("abc")),
        ("replace('abc', 'b', NULL)", Value::Null),
        ("replace(1.5, '.', ',')", json!("1,5")),
        ("replace(2.0, '.', ',')", json!("2,0")),
        ("trim('xxaxx', 'x')", json!("a")),
        ("ltrim('xxaxx', 'x')", json!("axx")),
        ("rtrim('xxaxx', 'x')", json!("xxa")),
        ("rtrim('xyx', 'xy')", json!("")),
        ("trim('  a ')", json!("a")),
        ("rtrim('abc', '')", json!("abc")),
    ];
    for (sql, right) in cases {
        let found = call(&tool, json!({ "sql": format!("SELECT {sql} AS x") })).await.unwrap();
        assert_eq!(found["rows"][0]["x"], right, "{sql}");
    }
}

#[tokio::test]
async fn caps_are_exact() {
    let dir = project();
    let rows = |n: usize| json!({ "sql": format!("SELECT a FROM n LIMIT {n}") });
    let bytes: usize = (0..10).map(|n| json!({ "a": n }).to_string().len() + 1).sum();
    let cases = [("rows_max = 10".to_owned(), 10), (format!("bytes_max = {bytes}"), 10)];
    for (cap, most) in cases {
        let tool = open_free(dir.path(), &format!("{}{cap}", BOTH[0])).unwrap();
        assert_eq!(call(&tool, rows(most)).await.unwrap()["row_count"], most);
        assert_eq!(call(&tool, rows(most + 1)).await.unwrap_err().class, Class::Invalid, "{cap}");
    }
}

#[tokio::test]
async fn dropping_the_call_stops_the_query() {
    let dir = project();
    let tool = open_free(dir.path(), &format!("{}timeout = \"1h\"", BOTH[0])).unwrap();
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    {
        let mut running = Box::pin(call(&tool, json!({ "sql": endless })));
        // Polled often enough to be under way, then dropped.
        for _ in 0..100 {
            assert!(futures_poll(&mut running).await.is_none());
        }
    }
    // It holds the connection until it stops: an answer shows that it did.
    let answer = call(&tool, json!({ "sql": "SELECT count(*) AS n FROM t" })).await.unwrap();
    assert_eq!(answer["rows"][0]["n"], 3);
}

async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let polled = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await;
    tokio::task::yield_now().await;
    polled
}

/// Days of a SQLite file as they do not sort, under what such columns are declared as, also where an index has them in order.
#[tokio::test]
async fn dates_of_a_sqlite_file_that_do_not_sort_are_not_ordered() {
    const ROWS: &str = "('ana', '14.08.2026', 1, '2026-08-14'), ('bo', '02.03.2026', 2, '2026-03-02'), ('cy', '11.11.2025', 3, '2025-11-11'), ('di', '', 4, NULL)";
    for declared in ["TEXT", "DATE", "VARCHAR(10)", "TIMESTAMP", ""] {
        for index in ["", "CREATE INDEX of_last ON t (last, day);"] {
            let dir = tempfile::tempdir().unwrap();
            let db = rusqlite::Connection::open(dir.path().join("t.db")).unwrap();
            let table = format!("CREATE TABLE t (name TEXT, last {declared}, n INTEGER, day {declared}); {index}");
            db.execute_batch(&format!(
                "{table} INSERT INTO t VALUES {ROWS}; CREATE VIEW v AS SELECT last AS seen FROM t"
            ))
            .unwrap();
            let tool = open_free(dir.path(), "sqlite = \"t.db\"").unwrap();
            let of = |sql: &str| {
                let args = if sql.contains(":since") { json!({ "since": "01.06.2026" }) } else { json!({}) };
                call(&tool, json!({ "sql": sql, "args": args }))
            };
            for (sql, how) in DISORDERED.iter().chain(&[("SELECT max(seen) AS m FROM v", "max()")]) {
                let why = of(sql).await.expect_err(sql).reason;
                for says in [*how, "t.last, a column of texts such as", "put the year first, then the month"] {
                    assert!(why.contains(says), "{declared:?} {index}: {sql}: {why}");
                }
            }
            let keyed = [
                "SELECT n FROM t WHERE last = '14.08.2026' AND day > '2026-01-01' ORDER BY day DESC",
                "SELECT n FROM t WHERE last IN ('14.08.2026', '11.11.2025') AND day BETWEEN '2026-01-01' AND '2026-12-31'",
            ];
            for sql in IN_ORDER.iter().chain(&keyed) {
                let found = of(sql).await;
                assert!(found.is_ok(), "{declared:?} {index}: {sql}: {found:?}");
            }
            // What stands beside days that sort is one.
            let why = of("SELECT n FROM t WHERE day > '01.06.2026'").await.unwrap_err().reason;
            assert!(
                why.contains("t.day, whose dates are as") && why.contains("write '2026-06-01'"),
                "{declared:?}: {why}"
            );
            // A query of the file's own is looked at by check.
            let query = "sqlite = \"t.db\"\n[queries.q]\nsql = \"SELECT max(last) AS m FROM t\"\ndescription = \"q\"\n";
            let look = open(dir.path(), query).unwrap().look();
            let [fault] = look.faults.as_slice() else { panic!("{look:?}") };
            assert!(fault.to_string().contains("such dates do not sort as they stand"), "{fault}");
        }
    }
    // What holds numbers, too, and what holds other texts, is in the order that the engine has.
    for cells in ["('x', '14.08.2026'), ('y', 2026)", "('x', 'anna'), ('y', '14.08.2026')", "('x', NULL), ('y', '')"] {
        let dir = tempfile::tempdir().unwrap();
        let db = rusqlite::Connection::open(dir.path().join("t.db")).unwrap();
        db.execute_batch(&format!("CREATE TABLE t (name TEXT, last); INSERT INTO t VALUES {cells}")).unwrap();
        let tool = open_free(dir.path(), "sqlite = \"t.db\"").unwrap();
        let found = call(&tool, json!({ "sql": "SELECT name FROM t ORDER BY last" })).await;
        assert!(found.is_ok(), "{cells}: {found:?}");
    }
}

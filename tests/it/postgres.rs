//! PostgreSQL as data, against a real server: what it answers, what is refused and who refuses it, and what happens when the
//! server goes away.

mod bypass;
mod lost;
pub(crate) mod server;

use std::path::Path;

use callsheet::failure::{Class, Failure};
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::postgres::{self, Accepted, Config, Postgres};
use callsheet::tool::{Tool, Tools};
use serde_json::{Value, json};
use server::{PASSWORD, secrets, server};

use crate::tools::{call, config, open_knowing};

const FREE: &str = "url_env = \"SHOP_URL\"\nfree_sql = true\n";
const NAMED: &str = r#"
    url_env = "SHOP_URL"
    [queries.spent]
    sql = "SELECT status, sum(spent) AS spent, count(*) AS n FROM orders WHERE status = :status AND id <= :most GROUP BY 1;"
    description = "What orders of a status came to."
    args = { status = "string", most = "integer" }
    [queries.first]
    sql = "SELECT *, 12345678901234567890::numeric AS long FROM orders WHERE day = :day::date"
    description = "One order."
    args = { day = "string" }
"#;

/// The tool of a table, as it opens below `root`.
fn tool(root: &Path, table: &str, secrets: Secrets) -> Tool {
    open_knowing("shop", config::<Config>(table).unwrap(), root, &Tools::new(), secrets).unwrap().remove(0)
}

/// What the database holds now, accepted.
async fn accepted(root: &Path, table: &str, secrets: Secrets) -> Accepted {
    let none = Tools::new();
    let ground = Ground::at(root, &none, secrets);
    let seen = Postgres::new(config(table).unwrap(), "shop", &ground).unwrap().look_now().await;
    let seen = seen.unwrap_or_else(|why| panic!("{}", why.reason));
    postgres::accept(root, "shop", &seen).unwrap();
    seen
}

/// A tool whose database is accepted as it is.
async fn opened(root: &Path, table: &str, secrets: Secrets) -> Tool {
    accepted(root, table, secrets.clone()).await;
    tool(root, table, secrets)
}

fn free(sql: &str) -> Value {
    json!({ "sql": sql })
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_as_the_other_engines_do() {
    let Some(server) = server() else { return };
    let (_owner, dir) = (server.database("answers").await, tempfile::tempdir().unwrap());
    let table = NAMED.replace("url_env = \"SHOP_URL\"", FREE);
    let tool = opened(dir.path(), &table, secrets(&server.url("reader", "answers"))).await;
    assert_eq!(tool.look().faults, []);

    let found = call(&tool, json!({ "query": "spent", "args": { "status": "open", "most": 10 } })).await.unwrap();
    let right = json!({
        "columns": ["status", "spent", "n"], "row_count": 1, "truncated": false, "source": { "query": "spent" },
        "rows": [{ "status": "open", "spent": 33.0, "n": 4 }],
    });
    assert_eq!(found, right);
    let found = call(&tool, json!({ "query": "first", "args": { "day": "2026-07-03" } })).await.unwrap();
    let right = json!({
        "id": 2, "status": "returned", "spent": 3.0, "placed": "2026-07-01T10:00:00Z", "day": "2026-07-03", "paid": 1,
        "email": "person2@example.com", "weight": 0.5, "long": "12345678901234567890",
    });
    assert_eq!(found["rows"], json!([right]));

    // What a model may well write, and what comes of it.
    let cases = [
        ("SELECT count(*) AS n FROM orders", json!([{ "n": 200 }])),
        ("select max(o.ID) x from Orders o where o.STATUS ilike 'PAID%'", json!([{ "x": 198 }])),
        (
            "SELECT max(orders.id) AS x FROM public.orders WHERE orders.status = 'it''s \\ $t0$ x'",
            json!([{ "x": null }]),
        ),
        (
            "WITH big AS (SELECT id FROM orders WHERE spent > 290) SELECT count(*) AS n FROM big b JOIN orders o USING (id)",
            json!([{ "n": 7 }]),
        ),
        (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5) SELECT sum(x) AS s FROM c",
            json!([{ "s": 15 }]),
        ),
        (
            "SELECT to_char(date_trunc('month', placed), 'YYYY-MM') AS m, count(*) AS n FROM orders GROUP BY 1 ORDER BY 1 LIMIT 1",
            json!([{ "m": "2026-07", "n": 200 }]),
        ),
        (
            "SELECT round(avg(spent), 2) AS a, percentile_cont(0.5) WITHIN GROUP (ORDER BY id) AS p FROM orders",
            json!([{ "a": 150.75, "p": 100.5 }]),
        ),
        (
            "SELECT status, rank() OVER (ORDER BY count(*) DESC, status) AS r FROM orders GROUP BY status ORDER BY r LIMIT 1",
            json!([{ "status": "open", "r": 1 }]),
        ),
        ("SELECT sum(g) AS s FROM generate_series(1, 10) AS g", json!([{ "s": 55 }])),
        (
            "SELECT CASE WHEN paid THEN 'yes' ELSE 'no' END AS p FROM orders WHERE id = 1 -- which?",
            json!([{ "p": "no" }]),
        ),
        (
            "SELECT (day - interval '1 day')::date AS d, extract(dow FROM day) AS w FROM orders WHERE id IN (1)",
            json!([{ "d": "2026-07-01", "w": 4 }]),
        ),
        ("SELECT a FROM n WHERE a < 2 UNION SELECT 7 ORDER BY a DESC", json!([{ "a": 7 }, { "a": 1 }, { "a": 0 }])),
        ("SELECT id FROM open_orders WHERE id BETWEEN 1 AND 3;", json!([{ "id": 1 }])),
        ("VALUES (1, 'a')", json!([{ "column1": 1, "column2": "a" }])),
        (
            "SELECT NULL AS nothing, true AS yes, 0.1::float8 AS tenth, 'x'::text AS x",
            json!([{ "nothing": null, "yes": 1, "tenth": 0.1, "x": "x" }]),
        ),
    ];
    for (sql, right) in cases {
        let found = call(&tool, free(sql)).await.unwrap_or_else(|why| panic!("{sql}: {why:?}"));
        assert_eq!(found["rows"], right, "{sql}");
    }
    let with = json!({ "sql": "SELECT count(*) AS n FROM orders WHERE status = :s AND id > :i", "args": { "s": "paid", "i": 100 } });
    assert_eq!(call(&tool, with).await.unwrap()["rows"], json!([{ "n": 33 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_shown_what_was_accepted_and_nothing_hidden() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("shown").await, tempfile::tempdir().unwrap());
    let table = format!("{FREE}hide = [\"orders.email\", \"weight\"]\n");
    let secrets = || secrets(&server.url("reader", "shown"));
    let unaccepted = tool(dir.path(), &table, secrets());
    assert!(unaccepted.look().faults[0].what.contains("callsheet data accept shop"), "{:?}", unaccepted.look());
    let why = call(&unaccepted, free("SELECT 1 AS a")).await.unwrap_err();
    assert!(why.class == Class::Policy && why.reason.contains("accepted"), "{why:?}");

    let tool = opened(dir.path(), &table, secrets()).await;
    let said = tool.spec().args["properties"]["sql"]["description"].as_str().unwrap().to_owned();
    let wanted = "public.orders(id bigint, status text such as 'open', 'returned', 'paid', spent numeric(12,2)";
    let sorted = |text: &str| text.split([' ', ',']).map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert!(sorted(&said).is_superset(&sorted(wanted)), "{said}");
    for gone in ["email", "weight", "person1", "wages", "inner_matters"] {
        assert!(!said.contains(gone), "{gone}: {said}");
    }
    for sql in [
        "SELECT email FROM orders",
        "SELECT orders.email FROM orders",
        "SELECT (orders).email FROM orders",
        "SELECT o.* , o.weight FROM orders AS o",
        "SELECT weight FROM (SELECT * FROM orders) x",
        "SELECT id FROM orders ORDER BY email",
        "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM orders o WHERE o.email LIKE 'person1%')",
        "WITH c AS (SELECT * FROM orders) SELECT email FROM c",
        "SELECT a.email FROM orders a JOIN orders b USING (email)",
    ] {
        let why = call(&tool, free(sql)).await.unwrap_err();
        assert!(!why.reason.contains("person"), "{sql}: {why:?}");
    }
    for sql in [
        "SELECT * FROM orders LIMIT 1",
        "SELECT orders::text AS whole FROM orders LIMIT 1",
        "SELECT o FROM orders o LIMIT 1",
    ] {
        let found = call(&tool, free(sql)).await.unwrap();
        assert!(!found.to_string().contains("person") && found["row_count"] == 1, "{sql}: {found}");
    }
    // What comes later is not reached until it is accepted, and a query that gives something else is told.
    owner.batch_execute("CREATE TABLE later (a int); GRANT SELECT ON later TO reader").await.unwrap();
    let why = call(&tool, free("SELECT * FROM later")).await.unwrap_err();
    assert!(why.class == Class::Policy && why.reason.contains("there are: public.n, "), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_gives_is_known_without_the_server_and_compared_with_it() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("known").await, tempfile::tempdir().unwrap());
    let secrets = || secrets(&server.url("reader", "known"));
    let unknown = tool(dir.path(), NAMED, secrets());
    assert!(unknown.look().faults.is_empty() && unknown.queries()["spent"].result.is_none());
    // It is asked all the same: its text is the project's own.
    let ask = json!({ "query": "first", "args": { "day": "2026-07-03" } });
    assert_eq!(call(&unknown, ask.clone()).await.unwrap()["row_count"], 1);

    let before = accepted(dir.path(), NAMED, secrets()).await;
    let known = tool(dir.path(), NAMED, Secrets::none());
    let result = known.queries()["spent"].result.clone().unwrap();
    assert_eq!(result["properties"]["rows"]["items"]["required"], json!(["status", "spent", "n"]));
    let changed = NAMED.replace("AS n FROM", "AS m FROM");
    assert!(
        tool(dir.path(), &changed, Secrets::none()).queries()["spent"].result.is_none(),
        "another text is not known"
    );

    owner.batch_execute("ALTER TABLE orders ADD COLUMN new int").await.unwrap();
    let tool = tool(dir.path(), NAMED, secrets());
    let why = call(&tool, ask).await.unwrap_err();
    assert!(why.class == Class::Policy && why.reason.contains("callsheet data accept"), "{why:?}");
    let after = accepted(dir.path(), NAMED, secrets()).await;
    assert_eq!(before.changes(&after), ["public.orders.new is new", "the query first is another"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_could_do_more_is_refused_or_told() {
    let Some(server) = server() else { return };
    let (_owner, dir) = (server.database("roles").await, tempfile::tempdir().unwrap());
    for (role, is) in
        [("owner", "is a superuser"), ("boss", "is a superuser"), ("filer", "is a member of pg_read_server_files")]
    {
        let tool = tool(dir.path(), NAMED, secrets(&server.url(role, "roles")));
        let why = tool.open().unwrap().await.unwrap_err();
        let says = [is, "CREATE ROLE callsheet_reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA \"public\""];
        assert!(why.class == Class::Policy && says.iter().all(|says| why.reason.contains(says)), "{role}: {why:?}");
        let asked = call(&tool, json!({ "query": "first", "args": { "day": "2026-07-03" } })).await.unwrap_err();
        assert_eq!(asked.reason, why.reason, "{role}");
    }
    let open = |role: &str| tool(dir.path(), NAMED, secrets(&server.url(role, "roles")));
    let writer = open("writer").open().unwrap().await.unwrap();
    assert!(
        writer.remarks[0].contains("COULD WRITE") && writer.remarks[0].contains("change the table public.n"),
        "{writer:?}"
    );
    let reader = open("reader").open().unwrap().await.unwrap();
    assert!(reader.remarks.is_empty() && reader.text.contains("the role reader reads 3 tables"), "{reader:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_address_is_ever_told() {
    let Some(server) = server() else { return };
    let (_owner, dir) = (server.database("secret").await, tempfile::tempdir().unwrap());
    let right = server.url("reader", "secret");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let wrong: &[(&str, Option<String>, Class)] = &[
        ("nothing", None, Class::Permanent),
        ("no address", Some(format!("http://{PASSWORD}")), Class::Permanent),
        ("a wrong password", Some(right.replace(PASSWORD, "canary-9f31c6ab52-wrong")), Class::Permanent),
        ("no such role", Some(server.url("nobody", "secret")), Class::Permanent),
        ("no such database", Some(server.url("reader", "nowhere")), Class::Permanent),
        ("no server", Some(right.replace(&server.port.to_string(), &gone.to_string())), Class::Transient),
        ("no TLS there", Some(format!("{right}?sslmode=require")), Class::Permanent),
    ];
    for (what, url, class) in wrong {
        let known = url.clone();
        let tool = tool(dir.path(), NAMED, Secrets::new(move |_| known.clone()));
        let why = call(&tool, json!({ "query": "first", "args": { "day": "2026-07-03" } })).await.unwrap_err();
        assert_eq!(why.class, *class, "{what}: {why:?}");
        assert!(!why.reason.contains("canary-9f31c6ab52"), "{what}: {why:?}");
    }
    // Another machine is not spoken to in the clear, whatever the address says.
    let elsewhere = "postgresql://reader:secret-word@192.0.2.1:5432/shop?sslmode=disable&connect_timeout=1";
    assert!(!format!("{:?}", secrets(elsewhere)).contains("secret-word"));
    // A value that a server quotes is the only way left.
    let tool = opened(dir.path(), FREE, secrets(&right)).await;
    let why = call(&tool, free(&format!("SELECT '{PASSWORD}'::int AS a"))).await.unwrap_err();
    assert!(!why.reason.contains(PASSWORD), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_are_exact_and_a_bomb_ends_at_one() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("caps").await, tempfile::tempdir().unwrap());
    let secrets = || secrets(&server.url("reader", "caps"));
    let rows = |n: usize| free(&format!("SELECT a FROM n ORDER BY a LIMIT {n}"));
    let bytes: usize = (0..10).map(|n| json!({ "a": n }).to_string().len() + 1).sum();
    for cap in ["rows_max = 10".to_owned(), format!("bytes_max = {bytes}")] {
        let tool = opened(dir.path(), &format!("{FREE}{cap}"), secrets()).await;
        for _ in 0..2 {
            assert_eq!(call(&tool, rows(10)).await.unwrap()["row_count"], 10, "{cap}");
            assert_eq!(call(&tool, rows(11)).await.unwrap_err().class, Class::Invalid, "{cap}");
        }
    }
    let table = format!("{FREE}timeout = \"400ms\"\nrows_max = 1_000\nbytes_max = 100_000\n");
    let tool = opened(dir.path(), &table, secrets()).await;
    let bombs = bypass::bombs();
    for (name, sql, says) in &bombs {
        let why = call(&tool, free(sql)).await.unwrap_err();
        let capped = says.iter().any(|says| why.reason.contains(says.as_str())) || why.reason.contains("(timeout)");
        assert!(capped && why.class == Class::Invalid, "{name}: {why:?}");
    }
    println!("postgres: {} statements that never end, each ended by a cap", bombs.len());
    idle(&owner, "caps").await;
    assert_eq!(call(&tool, rows(3)).await.unwrap()["row_count"], 3);
}

/// Waits until nobody but us runs a statement there: whoever hangs, hangs here.
async fn idle(owner: &tokio_postgres::Client, database: &str) {
    let running = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = $1 AND pid <> pg_backend_pid() AND state = 'active' AND application_name = 'callsheet'";
    while owner.query_one(running, &[&database]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
}

/// A failure that tells of nothing that a file holds.
fn is_harmless(why: &Failure) -> bool {
    !why.reason.contains(server::CANARY)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_is_shown_whatever_is_wrong_with_the_queries() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("wrong").await, tempfile::tempdir().unwrap());
    owner
        .batch_execute(
            "CREATE SCHEMA sales; CREATE TABLE sales.invoices (id int); GRANT USAGE ON SCHEMA sales TO reader; \
                         GRANT SELECT ON sales.invoices TO reader",
        )
        .await
        .unwrap();
    let query = |name: &str, sql: &str| format!("[queries.{name}]\ndescription = \"x\"\nsql = {}\n", json!(sql));
    let wrong = [query("first", "SELECT placed_at FROM orders"), query("last", "SELECT id FROM orders")].concat();
    for (table, faults, known) in [("", 0, 0), (wrong.as_str(), 1, 1)] {
        let none = Tools::new();
        let ground = Ground::at(dir.path(), &none, secrets(&server.url("reader", "wrong")));
        let config: Config = config(&format!("url_env = \"SHOP_URL\"\n{table}")).unwrap();
        let shop = Postgres::new(config, "shop", &ground).unwrap();
        let looked = shop.inspect().await.unwrap();
        assert!(looked.now.tables.iter().any(|table| table.name == "orders"), "{:?}", looked.now);
        assert_eq!((looked.faults.len(), looked.now.queries.len()), (faults, known), "{:?}", looked.faults);
        assert_eq!(looked.others, [("sales".to_owned(), 1)]);
        assert_eq!(shop.look_now().await.is_err(), faults > 0);
        assert!(
            looked.faults.iter().all(|fault| fault.starts_with("the query first: ") && fault.contains("placed_at"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_the_server_cannot_read_is_named() {
    let Some(server) = server() else { return };
    let (_owner, dir) = (server.database("unfit").await, tempfile::tempdir().unwrap());
    let tool = opened(dir.path(), NAMED, secrets(&server.url("reader", "unfit"))).await;
    let why = call(&tool, json!({ "query": "first", "args": { "day": "foo" } })).await.unwrap_err();
    let says =
        why.reason.contains("the argument day is not what the query takes there") && why.reason.contains("type date");
    assert!(why.class == Class::Invalid && says && !why.reason.contains("the SQL is not taken"), "{why:?}");
}

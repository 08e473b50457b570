//! What somebody tries who wants more than to read: as text of a model, and as named queries, where nothing but the server
//! and the transaction stand against it. The role is one that may write.

use serde_json::json;
use tokio_postgres::Client;

use super::server::{CANARY, secrets, server};
use super::{FREE, is_harmless, opened, tool};
use crate::tools::{Bypasses, call};

fn cases() -> Bypasses<Vec<String>> {
    Bypasses::read(include_str!("../../cases/tools/postgres_bypass.toml"))
}

/// Statements that never end by themselves, each with what its cap says.
pub(super) fn bombs() -> Vec<(String, String, Vec<String>)> {
    cases().bomb.into_iter().map(|bomb| (bomb.name, bomb.sql, bomb.says)).collect()
}

/// All that a statement could have changed.
const STATE: &str = "
SELECT concat_ws('|',
  (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o), (SELECT md5(string_agg(a::text, ',' ORDER BY a)) FROM n),
  (SELECT string_agg(w::text, ',') FROM inner_matters.wages w), (SELECT concat(last_value, is_called) FROM numbers),
  (SELECT string_agg(concat(relname, relkind, relacl), ',' ORDER BY oid) FROM pg_class WHERE oid >= 16384),
  (SELECT string_agg(concat(proname, proacl), ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
  (SELECT string_agg(concat(nspname, nspacl), ',' ORDER BY oid) FROM pg_namespace WHERE nspname !~ 'temp'),
  (SELECT string_agg(concat(rolname, rolsuper), ',' ORDER BY oid) FROM pg_roles), (SELECT string_agg(concat(datname, datacl), ',') FROM pg_database WHERE datname IN ('z', current_database())),
  (SELECT string_agg(concat(loid, md5(data)), ',' ORDER BY loid) FROM pg_largeobject),
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
  (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_replication_slots))";

async fn state(owner: &Client) -> String {
    // What was cancelled, or is rolled back while nobody waits for it, is over soon.
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                AND application_name = 'callsheet' AND state <> 'idle'";
    while owner.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
    owner.query_one(STATE, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_reading_passes() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("bypass").await, tempfile::tempdir().unwrap());
    let (file, out) = (server.canary().display().to_string(), server.out());
    let url = server.url("writer", "bypass");
    let text = opened(dir.path(), FREE, secrets(&url)).await;
    let all = cases().all(&file, &out.display().to_string());
    assert!(all.len() >= 300, "{}", all.len());
    let before = state(&owner).await;
    let (mut taken, mut named) = (Vec::new(), 0);
    for sql in &all {
        let answer = call(&text, json!({ "sql": sql })).await;
        taken.extend(answer.as_ref().ok().map(|found| format!("{sql}: {found}")));
        assert!(answer.as_ref().err().is_none_or(is_harmless), "{sql}: {answer:?}");
        assert_eq!(state(&owner).await, before, "{sql}");

        // As the project's own words it may be answered, if it only reads; nothing else stands in its way but the engine.
        let table = json!({
            "url_env": "SHOP_URL", "timeout": "400ms", "queries": { "x": { "sql": sql, "description": "x" } },
        });
        let table = toml::to_string(&table).unwrap();
        // Kept until the end: what its session holds on to is seen.
        let named_tool = tool(dir.path(), &table, secrets(&url));
        let answer = call(&named_tool, json!({ "query": "x" })).await;
        named += usize::from(answer.is_ok());
        let told = answer.as_ref().map_or_else(|why| why.reason.clone(), ToString::to_string);
        assert!(!told.contains(CANARY), "{sql}: {told}");
        assert_eq!(state(&owner).await, before, "{sql}, as a named query");
        assert!(!out.exists(), "{sql}");
    }
    assert_eq!(taken, Vec::<String>::new(), "taken as text of a model");
    println!(
        "postgres: {} bypasses as a model's text, 0 taken; as named queries of a role that may write, {named} only read: \
         0 changes, 0 files read",
        all.len()
    );
}

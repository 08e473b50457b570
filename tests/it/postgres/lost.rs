//! A server that goes away, and calls that nobody waits for.

use callsheet::failure::Class;
use serde_json::json;

use super::server::{secrets, server};
use super::{FREE, NAMED, free, idle, opened, tool};
use crate::tools::call;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_transient_and_the_next_call_opens_another() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("lost").await, tempfile::tempdir().unwrap());
    let tool = tool(dir.path(), NAMED, secrets(&server.url("reader", "lost")));
    let ask = || call(&tool, json!({ "query": "first", "args": { "day": "2026-07-03" } }));
    assert_eq!(ask().await.unwrap()["row_count"], 1);
    let end = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
               WHERE datname = 'lost' AND application_name = 'callsheet'";
    for _ in 0..5 {
        assert_eq!(owner.query_one(end, &[]).await.unwrap().get::<_, i64>(0), 1);
        // The first to come may find the connection dead, if nobody has told us yet.
        let came = ask().await;
        assert!(
            came.as_ref().map_or_else(|why| why.class == Class::Transient, |found| found["row_count"] == 1),
            "{came:?}"
        );
        assert_eq!(ask().await.unwrap()["row_count"], 1);
    }
    // In the middle of a statement.
    let slow = NAMED.replace("SELECT *, 1", "SELECT pg_sleep(100)::text AS slept, *, 1");
    let slow = super::tool(dir.path(), &format!("timeout = \"1m\"\n{slow}"), secrets(&server.url("reader", "lost")));
    let ended = async {
        let busy = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
                    WHERE datname = 'lost' AND application_name = 'callsheet' AND query LIKE '%pg_sleep%' AND state = 'active'";
        while owner.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    };
    let (came, ()) = tokio::join!(call(&slow, json!({ "query": "first", "args": { "day": "2026-07-03" } })), ended);
    assert_eq!(came.unwrap_err().class, Class::Transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_cancelled_on_the_server() {
    let Some(server) = server() else { return };
    let (owner, dir) = (server.database("cancelled").await, tempfile::tempdir().unwrap());
    let table = format!("{FREE}timeout = \"1h\"\n");
    let tool = opened(dir.path(), &table, secrets(&server.url("reader", "cancelled"))).await;
    let endless = "SELECT count(*) AS n FROM n a, n b, n c, n d, n e, n f, n g, n h";
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'cancelled' AND query LIKE '%cells%' AND state = 'active'";
    for _ in 0..6 {
        let begun = async { while owner.query_one(running, &[]).await.unwrap().get::<_, i64>(0) == 0 {} };
        tokio::select! {
            came = call(&tool, free(endless)) => panic!("{came:?}"),
            () = begun => {}
        }
        // The time-out of an hour would be what ends it otherwise.
        idle(&owner, "cancelled").await;
    }
    assert_eq!(call(&tool, free("SELECT count(*) AS n FROM n")).await.unwrap()["rows"], json!([{ "n": 200 }]));
}

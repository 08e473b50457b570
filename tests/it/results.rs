//! What tools give is what they declare: every tool of the shipped project that is called, and every named query. The other
//! tests of tools hold each answer that they look at against the same schemas (`tools::call`).

use std::path::Path;

use callsheet::app;
use callsheet::id::ToolName;
use callsheet::tool::Tool;
use serde_json::{Value, json};

use crate::support::settings;
use crate::tools::{call, declared};

/// Calls by their tool.
fn calls() -> Vec<(&'static str, Value)> {
    let query = |name: &str, args: Value| ("performance.query", json!({ "query": name, "args": args }));
    let quarters = || json!({ "before": "2026-Q2", "after": "2026-Q3" });
    let counts =
        json!([{ "s": "a", "n": 900, "k": 90 }, { "s": "b", "n": 900, "k": 9 }, { "s": null, "n": 5, "k": 1 }]);
    let rank = |rows: &Value| ("stats.rank", json!({ "rows": rows, "name": "s", "n": "n", "k": "k" }));
    let sides = json!([{ "n": 9, "k": 3, "m": 8, "l": 2 }, { "n": 9, "k": 3, "m": 0, "l": 0 }]);
    let columns = json!({ "a_n": "n", "a_k": "k", "b_n": "m", "b_k": "l" });
    vec![
        query("audience", json!({ "segment": "lapsed_eu" })),
        query("audience_size", json!({ "segment": "lapsed_eu" })),
        query("change_by_region", json!({ "segment": "lapsed_eu", "before": "2026-Q2", "after": "2026-Q3" })),
        query("change_by_segment", json!({ "before": "2026-Q2", "after": "2026-Q3", "base_min": 500 })),
        query("change_by_segment_and_region", quarters()),
        query("clicks_by_quarter", quarters()),
        query("clicks_by_segment", json!({ "quarter": "2026-Q3" })),
        query("clicks_by_segment", json!({ "quarter": "1999-Q1" })),
        query("clicks_by_week", json!({ "segment": "lapsed_eu", "quarter": "2026-Q3" })),
        query("data_quality", quarters()),
        rank(&counts),
        rank(&json!([{ "s": "a", "n": 9, "k": 1 }])),
        ("stats.compare", json!({ "a": { "n": 90, "k": 9 }, "b": { "n": 80, "k": 4 } })),
        ("stats.compare", json!({ "rows": sides, "columns": columns })),
        (
            "stats.compare",
            json!({ "rows": [{ "n": 9, "k": 3, "m": 0, "l": 0 }, { "n": 0, "k": 0, "m": 5, "l": 1 }], "columns": columns }),
        ),
        ("articles.list", json!({})),
        ("articles.read", json!({ "path": "repotting.md" })),
        ("market.list", json!({})),
        ("market.read", json!({ "path": "potted.md" })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_gives_what_it_declares() {
    let tools = app::tools(&settings(Path::new(env!("CARGO_MANIFEST_DIR")))).unwrap();
    let calls = calls();
    for (name, args) in &calls {
        let tool = &tools[*name];
        assert!(!declared(tool, args).is_empty(), "{name} declares nothing");
        call(tool, args.clone()).await.unwrap_or_else(|why| panic!("{name} {args}: {}", why.reason));
    }
    // The past is read from a journal, and has tests of its own (history.rs).
    let is_past = |name: &ToolName| name.as_str().starts_with("history.");
    let callable = tools.iter().filter(|(name, tool)| matches!(tool, Tool::Callable(_)) && !is_past(name));
    for (name, tool) in callable {
        let is_called = |query: Option<&str>| {
            calls.iter().any(|(of, args)| *of == name.as_str() && query.is_none_or(|query| args["query"] == query))
        };
        assert!(is_called(None), "{name} is not called here");
        for (query, known) in tool.queries() {
            assert!(is_called(Some(&query)), "{name}, {query}: it is not asked here");
            assert!(known.result.is_some(), "{name}, {query}: its columns are not known");
        }
    }
}

/// Nobody's request grows by it: what a tool gives is for whoever writes a script.
#[test]
fn a_plan_that_is_older_reads_and_is_the_same_tool() {
    let tools = app::tools(&settings(Path::new(env!("CARGO_MANIFEST_DIR")))).unwrap();
    let now = tools["stats.rank"].spec();
    let mut written = serde_json::to_value(now).unwrap();
    written.as_object_mut().unwrap().remove("result").unwrap();
    let older: callsheet::topology::spec::ToolSpec = serde_json::from_value(written.clone()).unwrap();
    assert_eq!((&older.result, older.changes(now)), (&None, vec![]));
    assert_eq!(serde_json::to_value(&older).unwrap(), written, "it is written as it was");
}

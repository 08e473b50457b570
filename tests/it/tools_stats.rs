//! Tests of the `stats` tools against published values, and of the traps that must not fool them.

use std::sync::Arc;

use callsheet::failure::Class;
use callsheet::tool::{Tool, stats};
use serde_json::{Value, json};

use crate::tools::call;

fn tool(name: &str) -> Arc<dyn Tool> {
    stats::open().unwrap().into_iter().find(|tool| tool.spec().name.as_str() == name).unwrap()
}

fn rows(rows: &[(&str, &str, u64, u64)]) -> Value {
    rows.iter().map(|(s, r, n, k)| json!({ "segment": s, "region": r, "delivered": n, "clicks": k })).collect()
}

fn ask(rows: Value) -> Value {
    json!({ "rows": rows, "name": "segment", "n": "delivered", "k": "clicks" })
}

fn stratified(rows: Value) -> Value {
    let mut ask = ask(rows);
    ask["stratum"] = "region".into();
    ask
}

/// Newcombe (1998), Statistics in Medicine 17:873, table II, method 10; p from the pooled z test.
#[tokio::test]
async fn differences_are_those_of_the_textbook() {
    let cases = [
        ((56, 70, 48, 80), 20.0, [5.24, 33.39], 0.00805),
        ((9, 10, 3, 10), 60.0, [17.05, 80.9], 0.00617),
        ((6, 7, 2, 7), 57.14, [5.82, 80.62], 0.0308),
        ((5, 56, 0, 29), 8.93, [-3.81, 19.26], 0.0972),
        ((0, 10, 0, 20), 0.0, [-16.11, 27.75], 1.0),
        ((10, 10, 0, 20), 100.0, [67.91, 100.0], 4.32e-8),
    ];
    for ((k, n, l, m), difference, interval, p) in cases {
        let found = call(&tool("stats.compare"), json!({ "a": { "n": n, "k": k }, "b": { "n": m, "k": l } })).await;
        let found = found.unwrap();
        assert_eq!(found["difference_pp"], json!(difference), "{found}");
        assert_eq!(found["interval_pp"], json!(interval), "{found}");
        assert!((found["p_value"].as_f64().unwrap() / p - 1.0).abs() < 0.01, "{found}");
    }
}

/// Berkeley admissions (Bickel 1975) by department: women are admitted 14 points less overall, and no less within the
/// departments. R: mantelhaen.test(UCBAdmissions, correct = FALSE) gives p = 0.2169.
#[tokio::test]
async fn a_mix_effect_does_not_fool_it() {
    let admitted = rows(&[
        ("men", "a", 825, 512),
        ("women", "a", 108, 89),
        ("men", "b", 560, 353),
        ("women", "b", 25, 17),
        ("men", "c", 325, 120),
        ("women", "c", 593, 202),
        ("men", "d", 417, 138),
        ("women", "d", 375, 131),
        ("men", "e", 191, 53),
        ("women", "e", 393, 94),
        ("men", "f", 373, 22),
        ("women", "f", 341, 24),
    ]);
    let crude = call(&tool("stats.rank"), ask(admitted.clone())).await.unwrap();
    assert_eq!(crude["weakest"]["name"], "women");
    assert_eq!(crude["weakest"]["gap_pp"], json!(14.16));
    let found = call(&tool("stats.rank"), stratified(admitted)).await.unwrap();
    assert_eq!(found["weakest"], Value::Null);
    let men = &found["segments"][0];
    assert_eq!((&men["name"], &men["p_value"], &men["gap_pp"]), (&json!("men"), &json!(0.217), &json!(1.84)));
    // Greenland and Robins: standard error 1.462 points.
    assert_eq!(men["interval_pp"], json!([-1.02, 4.71]));
    assert_eq!(men["adjusted"], true);
}

#[tokio::test]
async fn it_names_the_weakest_only_if_there_is_one() {
    let healthy = [("a", "x", 4_000, 400), ("b", "x", 4_000, 404), ("c", "x", 4_000, 396)];
    let with = |more: &[(&'static str, &'static str, u64, u64)]| rows(&[&healthy[..], more].concat());
    let cases = [
        (with(&[]), None, 3),
        (with(&[("lapsed", "x", 4_000, 260)]), Some("lapsed"), 4),
        // Far below, on a base that is too small to be judged.
        (with(&[("tiny", "x", 499, 0)]), None, 3),
        (with(&[("tiny", "x", 250, 0), ("tiny", "x", 250, 0)]), Some("tiny"), 4),
        // The strongest stands out, nobody is weak.
        (rows(&[("a", "x", 4_000, 500), ("b", "x", 4_000, 400), ("c", "x", 100, 0)]), Some("b"), 2),
        (rows(&[("alone", "x", 4_000, 400)]), None, 0),
        (rows(&[("a", "x", 4_000, 0), ("b", "x", 4_000, 0)]), None, 2),
    ];
    for (rows, weakest, tested) in cases {
        let found = call(&tool("stats.rank"), ask(rows)).await.unwrap();
        assert_eq!((found["weakest"]["name"].as_str(), found["tested"].as_u64()), (weakest, Some(tested)), "{found}");
    }
}

#[tokio::test]
async fn the_result_has_its_shape() {
    let mut given = rows(&[("a", "x", 4_000, 400), ("b", "x", 2_000, 120), ("small", "x", 100, 1)]);
    given.as_array_mut().unwrap().push(json!({ "segment": null, "region": "x", "delivered": 50.0, "clicks": 1 }));
    let found = call(&tool("stats.rank"), ask(given)).await.unwrap();
    let weakest = json!({
        "name": "b", "n": 2_000, "k": 120, "rate": 6.0, "rest_rate": 9.78, "gap_pp": 3.78, "interval_pp": [2.36, 5.13],
        "p_value": 7.07e-7, "adjusted": false, "significant": true,
    });
    assert_eq!(found["weakest"], weakest);
    assert_eq!(found["segments"][0], weakest);
    assert_eq!(found["rest"], json!({ "n": 4_100, "k": 401, "rate": 9.78 }));
    let excluded = json!([
        { "name": null, "n": 50, "why": "without a segment" },
        { "name": "small", "n": 100, "why": "its base of 100 is below 500" },
    ]);
    assert_eq!(found["excluded"], excluded);
    assert_eq!(
        json!([found["base_min"], found["alpha"], found["alpha_each"], found["tested"]]),
        json!([500, 0.05, 0.025, 2])
    );
}

#[tokio::test]
async fn a_segment_that_shares_no_stratum_is_left_out() {
    let given = rows(&[("a", "eu", 4_000, 400), ("b", "eu", 4_000, 200), ("c", "us", 4_000, 1)]);
    let found = call(&tool("stats.rank"), stratified(given)).await.unwrap();
    assert_eq!(found["weakest"]["name"], "b");
    assert_eq!(found["excluded"][0]["why"], "it shares no region with the others");
}

#[tokio::test]
async fn wrong_input_is_invalid_and_names_its_row() {
    let good = json!({ "segment": "a", "region": "x", "delivered": 10, "clicks": 1 });
    let bad = |change: Value| {
        let mut row = good.clone();
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ask(json!([good, row]))
    };
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("clicks");
    let mut alpha = ask(json!([good]));
    alpha["alpha"] = 1.5.into();
    let cases = [
        (bad(json!({ "clicks": 11 })), "row 2: clicks = 11 is more than delivered = 10"),
        (bad(json!({ "clicks": -1 })), "row 2: clicks is to be a whole number"),
        (bad(json!({ "clicks": 1.5 })), "row 2: clicks is to be a whole number"),
        (bad(json!({ "clicks": "1" })), "row 2: clicks is to be a whole number"),
        (bad(json!({ "delivered": null })), "row 2: delivered is to be a whole number"),
        (bad(json!({ "segment": ["a"] })), "row 2: segment is to be text"),
        (ask(json!([good, missing])), "row 2: has no column \"clicks\"; it has delivered, region, segment"),
        (ask(json!([])), "rows is empty"),
        (ask(json!("rows")), "invalid type"),
        (alpha, "alpha lies between"),
        (json!({ "rows": [good] }), "missing field"),
    ];
    for (args, says) in cases {
        let why = call(&tool("stats.rank"), args).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{says}: {why:?}");
    }
    for (a, says) in
        [(json!({ "n": 0, "k": 0 }), "a: k = 0 of n = 0"), (json!({ "n": 1, "k": 2 }), "a: k = 2 of n = 1")]
    {
        let why = call(&tool("stats.compare"), json!({ "a": a, "b": { "n": 1, "k": 1 } })).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{why:?}");
    }
}

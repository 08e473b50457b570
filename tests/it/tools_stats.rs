//! Tests of the `stats` tools against published values, and of the traps that must not fool them.

use callsheet::failure::Class;
use callsheet::tool::{Tool, stats};
use serde_json::{Value, json};

use crate::tools::call;

fn tool(name: &str) -> Tool {
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

const MALE_FEMALE: [[u64; 5]; 6] = [
    [1, 825, 512, 108, 89],
    [2, 560, 353, 25, 17],
    [3, 325, 120, 593, 202],
    [4, 417, 138, 375, 131],
    [5, 191, 53, 393, 94],
    [6, 373, 22, 341, 24],
];

/// Charig et al. (1986), open surgery against percutaneous nephrolithotomy: small stones, large stones.
const STONES: [[u64; 5]; 2] = [[1, 87, 81, 270, 234], [2, 263, 192, 80, 55]];

/// Both regions unchanged, and their shares moved.
const MOVED: [[u64; 5]; 2] = [[1, 2_000, 200, 8_000, 800], [2, 8_000, 400, 2_000, 100]];

fn by_stratum(cells: &[[u64; 5]]) -> Value {
    let row = |[s, n, k, m, l]: &[u64; 5]| json!({ "stratum": s, "n": n, "k": k, "m": m, "l": l });
    let rows: Vec<Value> = cells.iter().map(row).collect();
    json!({ "rows": rows, "columns": { "a_n": "n", "a_k": "k", "b_n": "m", "b_k": "l" } })
}

/// Published paradoxes: the plain difference says one thing, and the same mix on both sides the other.
#[tokio::test]
async fn a_comparison_over_strata_says_what_the_mix_makes() {
    // The plain difference and its p-value; then with the same mix: the difference, its p-value, and both rates.
    let cases = [
        // Berkeley 1973. R: mantelhaen.test(UCBAdmissions, correct = FALSE) gives p = 0.2169.
        (by_stratum(&MALE_FEMALE), 14.16, -1.84, 0.217, [38.73, 43.0]),
        // The better treatment looks worse, since it gets the hard cases. By hand: CMH p = 0.1187, MH difference 5.384.
        (by_stratum(&STONES), -4.57, 5.38, 0.119, [83.25, 77.89]),
        (by_stratum(&MOVED), -3.0, 0.0, 1.0, [7.5, 7.5]),
    ];
    for (args, plain, same_mix, p, rates) in cases {
        let found = call(&tool("stats.compare"), args).await.unwrap();
        assert_eq!(found["difference_pp"], json!(plain), "{found}");
        let adjusted = &found["adjusted"];
        assert_eq!(adjusted["difference_pp"], json!(same_mix), "{found}");
        assert_eq!((&adjusted["p_value"], &adjusted["significant"]), (&json!(p), &json!(false)), "{found}");
        assert_eq!((&adjusted["a_rate"], &adjusted["b_rate"]), (&json!(rates[0]), &json!(rates[1])), "{found}");
        let mix = adjusted["mix_pp"].as_f64().unwrap();
        assert!((mix - (plain - same_mix)).abs() < 0.011, "{found}");
        assert_eq!(adjusted["left_out"], json!(0));
    }
    // A stratum that only one side has says nothing about the difference, and is told.
    let found = call(&tool("stats.compare"), by_stratum(&[[1, 100, 10, 100, 20], [2, 50, 50, 0, 0]])).await.unwrap();
    assert_eq!((&found["adjusted"]["difference_pp"], &found["adjusted"]["left_out"]), (&json!(-10.0), &json!(50)));
    let found = call(&tool("stats.compare"), by_stratum(&[[1, 100, 10, 0, 0], [2, 0, 0, 100, 20]])).await.unwrap();
    assert_eq!(found["adjusted"], Value::Null);
}

/// A mail test with 64,000 customers (Hillstrom 2008), as its published totals by arm: visits, and sales.
#[tokio::test]
async fn a_large_mail_test_is_read_as_it_was_published() {
    let (women, men, nobody) = ((21_387, 3_238, 189), (21_307, 3_894, 267), (21_306, 2_262, 122));
    let visits = |(n, k, _): (u64, u64, u64)| json!({ "n": n, "k": k });
    let sales = |(n, _, k): (u64, u64, u64)| json!({ "n": n, "k": k });
    let cases = [
        (visits(women), visits(nobody), [15.14, 10.62], 4.52, true),
        (visits(men), visits(nobody), [18.28, 10.62], 7.66, true),
        (sales(women), sales(nobody), [0.884, 0.573], 0.311, true),
        (sales(men), sales(nobody), [1.25, 0.573], 0.681, true),
        (sales(men), sales(women), [1.25, 0.884], 0.369, true),
    ];
    for (a, b, rates, difference, significant) in cases {
        let found = call(&tool("stats.compare"), json!({ "a": a, "b": b })).await.unwrap();
        assert_eq!((&found["a"]["rate"], &found["b"]["rate"]), (&json!(rates[0]), &json!(rates[1])), "{found}");
        assert_eq!(
            (&found["difference_pp"], &found["significant"]),
            (&json!(difference), &json!(significant)),
            "{found}"
        );
    }
}

/// Rates and differences keep significant digits: what is small does not become nothing, nor what is nearly all, all.
#[tokio::test]
async fn nothing_rounds_away() {
    let cases = [
        ((25_000, 1), (25_000, 0), 0.004, 0.004),
        ((3_000_000, 1), (3_000_000, 2), 0.000_033_3, -0.000_033_3),
        ((25_000, 24_999), (25_000, 25_000), 99.996, -0.004),
        ((1_000, 45), (1_000, 40), 4.5, 0.5),
        ((7, 6), (7, 2), 85.71, 57.14),
        ((10, 10), (10, 0), 100.0, 100.0),
    ];
    for ((n, k), (m, l), rate, difference) in cases {
        let args = json!({ "a": { "n": n, "k": k }, "b": { "n": m, "k": l } });
        let found = call(&tool("stats.compare"), args).await.unwrap();
        assert_eq!((&found["a"]["rate"], &found["difference_pp"]), (&json!(rate), &json!(difference)), "{found}");
    }
    // No test gives a p-value of nothing.
    let args = json!({ "a": { "n": 1_000_000, "k": 900_000 }, "b": { "n": 1_000_000, "k": 1 } });
    assert!(call(&tool("stats.compare"), args).await.unwrap()["p_value"].as_f64().unwrap() > 0.0);
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
        "name": "b", "n": 2_000, "k": 120, "rate": 6.0, "rest_rate": 9.78, "raw_gap_pp": 3.78, "gap_pp": 3.78, "interval_pp": [2.36, 5.13],
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
        [(json!({ "n": 0, "k": 0 }), "a counts nothing (n = 0)"), (json!({ "n": 1, "k": 2 }), "a: k = 2 of n = 1")]
    {
        let why = call(&tool("stats.compare"), json!({ "a": a, "b": { "n": 1, "k": 1 } })).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{why:?}");
    }
}

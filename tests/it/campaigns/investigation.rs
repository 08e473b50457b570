//! The numbers of `investigate`, counted by hand: its queries, and what its report comes to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::walk::Walk;
use super::{Count, QUARTERS, RIGHT, SENDS, by_segment, counted, database, mails, query, rate, tool};

/// Two proportions compared: the rates, the difference, and a two-sided p-value of the pooled z test.
pub(super) fn compare(args: &Value) -> Value {
    let Some(rows) = args["rows"].as_array() else { return plain(args) };
    let cell = |row: &Value, of: &str| row[args["columns"][of].as_str().unwrap()].as_f64().unwrap();
    let sum = |of: &str| rows.iter().map(|row| cell(row, of)).sum::<f64>();
    let sides = json!({ "a": { "n": sum("a_n"), "k": sum("a_k") }, "b": { "n": sum("b_n"), "k": sum("b_k") },
        "alpha": args.get("alpha").unwrap_or(&json!(0.05)) });
    let mut found = plain(&sides);
    // Each stratum weighs what a comparison within it can say; the test sums what is seen against what is expected.
    let (mut weights, mut difference, mut excess, mut spread) = (0.0, 0.0, 0.0, 0.0);
    let [mut rate_a, mut rate_b, mut all] = [0.0; 3];
    for row in rows {
        let [n, k, m, l] = ["a_n", "a_k", "b_n", "b_k"].map(|of| cell(row, of));
        if n > 0.0 && m > 0.0 {
            let (both, hits) = (n + m, k + l);
            let weight = n * m / both;
            (weights, difference) = (weights + weight, difference + weight * (k / n - l / m));
            (excess, spread) =
                (excess + k - n * hits / both, spread + weight * hits * (both - hits) / both / (both - 1.0).max(1.0));
            (rate_a, rate_b, all) = (rate_a + both * k / n, rate_b + both * l / m, all + both);
        }
    }
    let p = if spread > 0.0 { tails((excess / spread.sqrt()).abs()) } else { 1.0 };
    let same_mix = difference / weights;
    let raw = sum("a_k") / sum("a_n") - sum("b_k") / sum("b_n");
    found["adjusted"] = json!({ "difference_pp": points(same_mix), "p_value": p, "significant": p < found["alpha"].as_f64().unwrap(),
        "a_rate": points(rate_a / all), "b_rate": points(rate_b / all), "mix_pp": points(raw - same_mix) });
    found
}

fn plain(args: &Value) -> Value {
    let side = |name: &str| (args[name]["n"].as_f64().unwrap(), args[name]["k"].as_f64().unwrap());
    let ((na, ka), (nb, kb)) = (side("a"), side("b"));
    let pooled = (ka + kb) / (na + nb);
    let error = (pooled * (1.0 - pooled) * (1.0 / na + 1.0 / nb)).sqrt();
    let p = if error > 0.0 { tails(((ka / na - kb / nb) / error).abs()) } else { 1.0 };
    let alpha = args.get("alpha").and_then(Value::as_f64).unwrap_or(0.05);
    let shown = |(n, k): (f64, f64)| json!({ "n": n as u64, "k": k as u64, "rate": points(k / n) });
    json!({ "a": shown((na, ka)), "b": shown((nb, kb)), "difference_pp": points(ka / na - kb / nb), "p_value": p,
        "significant": p < alpha, "alpha": alpha })
}

/// Percentage points, with three digits that count if it is below one.
fn points(rate: f64) -> f64 {
    let magnitude = if rate == 0.0 { 0.0 } else { (rate * 100.0).abs().log10().floor() };
    format!("{:.*}", (2.0 - magnitude).clamp(2.0, 9.0) as usize, rate * 100.0).parse::<f64>().unwrap() + 0.0
}

/// The part of a normal distribution that is further out than `z`, by summing it up.
fn tails(z: f64) -> f64 {
    let step = 1e-3;
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let inner: f64 = (0..(z / step) as usize).map(|i| density((i as f64 + 0.5) * step) * step).sum();
    1.0 - 2.0 * inner
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
    counts.fold((0, 0), |(n, k), (more, clicks)| (n + more, k + clicks))
}

/// Mails and clicks of a segment by week, counted in days of 24 hours from midnight of the quarter's first day.
fn weeks(segment: &str, quarter: &str) -> BTreeMap<i64, Count> {
    let mut weeks: BTreeMap<i64, Count> = BTreeMap::new();
    for mail in mails(quarter, RIGHT).into_iter().filter(|mail| mail.segment == segment) {
        let month = (mail.sent.month() - 1) / 3 * 3 + 1;
        let first = mail.sent.with().month(month).day(1).build().unwrap().start_of_day().unwrap();
        let hours = (mail.sent.timestamp().as_second() - first.timestamp().as_second()) / 3_600;
        let week = weeks.entry(1 + hours / (7 * 24)).or_default();
        *week = (week.0 + 1, week.1 + usize::from(mail.clicked));
    }
    weeks
}

fn count(row: &Value, of: &str) -> Count {
    let cell = |what: &str| row[format!("{what}{of}")].as_u64().unwrap() as usize;
    (cell("delivered"), cell("clicks"))
}

#[test]
fn its_queries_count_what_hands_count() {
    let db = database();
    for pair in QUARTERS.windows(2) {
        let (before, after) = (counted(pair[0], RIGHT), counted(pair[1], RIGHT));
        let args = json!({ "before": pair[0], "after": pair[1] });
        let rows = |name: &str, args: Value| query(&db, name, &args)["rows"].as_array().unwrap().clone();
        let totals = rows("clicks_by_quarter", args.clone());
        assert_eq!(
            totals.iter().map(|row| count(row, "")).collect::<Vec<_>>(),
            [&before, &after].map(|c| sum(c.values()))
        );
        assert_eq!(totals[1]["complete"], json!(u8::from(pair[1] != "2026-Q4")));

        let (one, other) = (by_segment(&before), by_segment(&after));
        let by_change = rows("change_by_segment", json!({ "before": pair[0], "after": pair[1], "base_min": 500 }));
        assert_eq!(by_change.len(), one.len());
        for row in &by_change {
            let own = row["segment"].as_str().unwrap();
            assert_eq!((count(row, "_before"), count(row, "_after")), (one[own], other[own]), "{own}");
            let rest = |of: &BTreeMap<&str, Count>| sum(of.iter().filter(|(name, _)| **name != own).map(|(_, c)| c));
            let cells = |of: &str| {
                let cell = |what: &str| row[format!("others_{what}{of}")].as_u64().unwrap() as usize;
                (cell("delivered"), cell("clicks"))
            };
            assert_eq!((cells("_before"), cells("_after")), (rest(&one), rest(&other)), "{own}");
            assert_eq!(row["small"], json!(u8::from(one[own].0.min(other[own].0) < 500)), "{own}");
        }
        let columns = json!({ "a_n": "delivered_after", "a_k": "clicks_after", "b_n": "delivered_before", "b_k": "clicks_before" });
        let cells = rows("change_by_segment_and_region", args.clone());
        for row in &cells {
            let key = ["segment", "region"].map(|name| row[name].as_str().unwrap().to_owned()).into();
            let by_hand = [&before, &after].map(|counted| counted.get(&key).copied().unwrap_or_default());
            assert_eq!([count(row, "_before"), count(row, "_after")], by_hand, "{key:?}");
        }
        let same_mix = |segment: &Value| {
            let rows: Vec<&Value> = cells.iter().filter(|row| row["segment"] == *segment).collect();
            compare(&json!({ "rows": rows, "columns": columns }))["adjusted"]["difference_pp"].as_f64().unwrap()
        };
        let changes: Vec<(u64, f64)> =
            by_change.iter().map(|row| (row["small"].as_u64().unwrap(), same_mix(&row["segment"]))).collect();
        assert!(changes.is_sorted_by(|a, b| a.0 < b.0 || a.0 == b.0 && a.1 <= b.1), "{changes:?}");

        for segment in ["lapsed_eu", "newcomers"] {
            let args = json!({ "segment": segment, "before": pair[0], "after": pair[1] });
            for row in rows("change_by_region", args) {
                let key = (segment.to_owned(), row["region"].as_str().unwrap().to_owned());
                assert_eq!((count(&row, "_before"), count(&row, "_after")), (before[&key], after[&key]), "{key:?}");
            }
            let by_hand = weeks(segment, pair[1]);
            let shipped = rows("clicks_by_week", json!({ "segment": segment, "quarter": pair[1] }));
            let read: BTreeMap<i64, Count> =
                shipped.iter().map(|r| (r["week"].as_i64().unwrap(), count(r, ""))).collect();
            assert_eq!(read, by_hand, "{segment} {}", pair[1]);
        }
    }
}

#[test]
fn the_reports_of_a_quarter_are_described_as_they_are() {
    let rows = query(&database(), "data_quality", &json!({ "before": "2026-Q2", "after": "2026-Q3" }));
    // The quarter of 2026-Q3 in UTC, from its first instant in Berlin to its last.
    let inside = |sent: &str| ("2026-06-30T22:00:00Z".."2026-09-30T22:00:00Z").contains(&sent);
    let mut mails: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in SENDS.iter().filter(|row| inside(&row["sent_at"])) {
        mails.entry(&row["message_id"]).or_default().push(row);
    }
    let all = |is: &dyn Fn(&Vec<&super::Row>) -> bool| mails.values().filter(|reports| is(reports)).count();
    let none = |reports: &[&super::Row], column: &str| reports.iter().all(|row| row[column].is_empty());
    let by_hand = json!({
        "quarter": "2026-Q3", "complete": 1, "mails": mails.len(),
        "reports": mails.values().map(Vec::len).sum::<usize>(),
        "reported_twice": all(&|reports| reports.len() > 1),
        "unknown_delivery": all(&|reports| none(reports, "delivered")),
        "lost_tracking": all(&|r| r.iter().any(|row| row["delivered"] == "1") && none(r, "clicked")),
        "without_segment": all(&|reports| none(reports, "segment")),
        "under_old_name": all(&|reports| reports.iter().any(|row| row["segment"] == "lapsed-eu")),
        "old_name": "lapsed-eu", "data_ends_at": SENDS.iter().map(|row| &row["sent_at"]).max(),
    });
    assert_eq!(rows["rows"][1], by_hand);
    assert_eq!(rows["rows"][0]["lost_tracking"], json!(384), "the 360 that were lost at once, and the usual ones");
}

#[test]
fn the_report_says_what_hands_find() {
    let walk = Walk::of("investigate", tool);
    let told = |before: &'static str, after: &'static str| {
        walk.tell(&[("question", "Why?"), ("before", before), ("after", after)], &["approve"])
    };
    for (before, after, segment) in [("2026-Q2", "2026-Q3", "lapsed_eu"), ("2025-Q4", "2026-Q1", "newcomers")] {
        let told = told(before, after);
        let report = &told.artefacts["report"];
        assert_eq!(report["segment"], json!(segment), "{:#?}", told.notes);
        let (one, other) = (counted(before, RIGHT), counted(after, RIGHT));
        let (one, other) = (by_segment(&one), by_segment(&other));
        let but = |of: &BTreeMap<&str, Count>| sum(of.iter().filter(|(name, _)| **name != segment).map(|(_, c)| c));
        let sides =
            [(sum(one.values()), sum(other.values())), (one[segment], other[segment]), (but(&one), but(&other))];
        for (claim, (was, is)) in report["claims"].as_array().unwrap().iter().zip(sides) {
            let numbers = &claim["numbers"];
            let hand = [points(rate(was)), points(rate(is)), points(rate(is) - rate(was))];
            let said = ["rate_before", "rate_after", "difference_pp"].map(|name| numbers[name].as_f64().unwrap());
            assert_eq!(said, hand, "{claim}");
            assert!(claim["claim"].as_str().unwrap().contains(&format!("{} %", hand[1])), "{claim}");
        }
        // The week that pulls most, and what is left without it.
        let weeks = weeks(segment, after);
        let all = sum(weeks.values());
        let without = |week: &Count| (all.0 - week.0, all.1 - week.1);
        let (worst, week) = weeks.iter().max_by(|a, b| rate(without(a.1)).total_cmp(&rate(without(b.1)))).unwrap();
        let numbers = &report["alternatives"][1]["numbers"];
        assert_eq!(numbers["rate_after"], json!(points(rate(without(week)))));
        let said = format!("week {worst} of {after} {} mails to {segment} had {} clicks", week.0, week.1);
        assert!(report["answer"].as_str().unwrap().contains(&said), "{said:?} is not in {report}");
        let sources = report["claims"].as_array().unwrap().iter().chain(report["alternatives"].as_array().unwrap());
        for source in sources.flat_map(|of| of["sources"].as_array().unwrap()) {
            if source["tool"] == "stats.compare" && !source["args"]["rows"].is_string() {
                let again = compare(&source["args"]);
                let found = report.to_string().contains(&format!("\"difference_pp\":{}", again["difference_pp"]));
                assert!(found, "{source} gives {again}, which no claim says");
            }
        }
    }
    let nothing = told("2026-Q1", "2026-Q2");
    assert_eq!(nothing.path, ["investigator:question", "investigator:report_ready", "approver:approve"]);
    assert_eq!(nothing.artefacts["report"]["segment"], json!(null));
    let not_over = told("2026-Q3", "2026-Q4");
    assert!(not_over.path.contains(&"archivist:noted".to_owned()), "{:?}", not_over.path);
    let unknown = told("2026-Q3", "2031-Q1");
    assert_eq!(unknown.path, ["investigator:question", "investigator:cannot_tell"]);
    assert_eq!(unknown.artefacts["report"]["claims"], json!([]));
}

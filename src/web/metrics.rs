//! Figures for a monitoring system, in the text format that Prometheus reads: counts and sums over runs, and nothing of what they say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::fail::Plain;
use super::site::{Site, nothing_yet};
use crate::id::NanoUsd;
use crate::journal::RunRow;

/// Figures, as Prometheus reads them.
pub(super) struct Figures(String);

impl IntoResponse for Figures {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], self.0).into_response()
    }
}

/// All figures, as they are now.
pub(super) async fn metrics(State(site): State<Arc<Site>>) -> Result<Figures, Plain> {
    let rows = site.look(move |site| nothing_yet(site.project.runs(false, usize::MAX))).await?;
    Ok(Figures(text(&rows)))
}

fn text(rows: &[RunRow]) -> String {
    let mut states: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        *states.entry((&row.topology, &row.summary.status)).or_default() += 1;
    }
    let sum = |of: fn(&RunRow) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
    let driven = rows.iter().filter(|row| row.owner.is_some()).count() as u64;
    let mut text = String::new();
    head(&mut text, "callsheet_runs", "Runs by campaign and state.", "gauge");
    for ((topology, status), runs) in states {
        let _ = writeln!(text, "callsheet_runs{{topology=\"{topology}\",state=\"{status}\"}} {runs}");
    }
    one(&mut text, "callsheet_runs_driven", "Runs that a process drives now.", "gauge", &driven.to_string());
    let waits = sum(|row| row.summary.approvals.len() as u64);
    one(
        &mut text,
        "callsheet_approvals_open",
        "Approvals and questions that wait for a person.",
        "gauge",
        &waits.to_string(),
    );
    let unheard = sum(|row| row.posted.saturating_sub(row.summary.heard));
    one(&mut text, "callsheet_posts_unheard", "Posts that no run has heard yet.", "gauge", &unheard.to_string());
    let records = sum(|row| row.last.0);
    one(&mut text, "callsheet_records_total", "Records in the journal.", "counter", &records.to_string());
    let steps = sum(|row| row.summary.steps);
    one(&mut text, "callsheet_steps_total", "Steps of all runs.", "counter", &steps.to_string());
    let tokens = sum(|row| row.summary.tokens);
    one(&mut text, "callsheet_tokens_total", "Tokens of all runs.", "counter", &tokens.to_string());
    let cost = NanoUsd(sum(|row| row.summary.nano_usd)).to_string();
    let what = "Dollars of all runs; of rehearsals and replays what they would have cost.";
    one(&mut text, "callsheet_cost_dollars_total", what, "counter", cost.trim_start_matches('$'));
    text
}

fn one(text: &mut String, name: &str, what: &str, kind: &str, value: &str) {
    head(text, name, what, kind);
    let _ = writeln!(text, "{name} {value}");
}

fn head(text: &mut String, name: &str, what: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {kind}");
}

//! `callsheet runs`: the runs, newest first, from the projection alone.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, out, table};
use super::session::Session;
use super::story::date_time;
use crate::actor::history;
use crate::id::{NanoUsd, Seq};
use crate::journal::{Query, RunRow, Store};
use crate::run::event::Event;
use crate::run::view::models::models;
use crate::topology::plan::Mode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those that are not over
    #[arg(long)]
    live: bool,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// As NDJSON
    #[arg(long)]
    json: bool,
}

pub(super) fn runs(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let store = session.store()?;
    let rows = store.runs(&Query { live: args.live, limit: args.limit, ..Query::default() })?;
    if args.json {
        for row in rows {
            let (_, _, plan) = history::pinned_plan(store.as_ref(), row.id)?;
            let mode = plan.mode;
            paint::json(&json!({
                "run": row.no, "id": row.id, "topology": row.topology, "created_at": row.created_at,
                "updated_at": row.updated_at, "records": row.last, "driven_by": row.owner.map(|owner| owner.label),
                "summary": row.summary, "mode": mode, "would_have_cost": mode != Mode::Live,
                "models": models(&plan),
            }));
        }
        return Ok(Exit::Done);
    }
    let mut cells = Vec::new();
    for row in &rows {
        let cost = NanoUsd(row.summary.nano_usd);
        let cost = if mode(store.as_ref(), row)? == Mode::Live { cost.to_string() } else { format!("would be {cost}") };
        cells.push(vec![
            row.no.to_string(),
            row.topology.clone(),
            status(row),
            waits(row),
            row.summary.steps.to_string(),
            row.summary.tokens.to_string(),
            cost,
            date_time(row.created_at, session.zone()),
        ]);
    }
    out(table(&["run", "topology", "status", "waits for", "steps", "tokens", "cost", "started"], cells));
    Ok(Exit::Done)
}

/// Whether models run in it; in any other run money is what they would have cost.
fn mode(store: &dyn Store, row: &RunRow) -> Result<Mode, Stop> {
    let first = store.records(row.id, Seq(0), 1)?;
    let fact = first.first().map(|record| history::read_fact(&record.head.json)).transpose().map_err(Stop::failed)?;
    match fact.map(|fact| fact.is) {
        Some(Event::Started { mode, .. }) => Ok(mode),
        _ => Err(Stop::failed(format!("the first record of run {} does not start it", row.no))),
    }
}

/// A run that should be running and that nobody drives was interrupted.
fn status(row: &RunRow) -> String {
    let lost = row.summary.status == "running" && row.owner.is_none();
    if lost { "interrupted".to_owned() } else { row.summary.status.clone() }
}

fn waits(row: &RunRow) -> String {
    let numbers: Vec<String> = row.summary.approvals.iter().map(ToString::to_string).collect();
    match (&row.summary.waiting_for, numbers.is_empty()) {
        (Some(who), false) => format!("{who}: approval {}", numbers.join(", ")),
        (None, false) => format!("question {}", numbers.join(", ")),
        _ if row.summary.status == "running" && row.owner.is_none() => format!("callsheet resume {}", row.no),
        _ if row.summary.status == "stuck" => format!("callsheet dead-letters {}", row.no),
        _ => String::new(),
    }
}

//! `callsheet runs`: the runs, newest first, from the projection alone.

use super::exit::{Exit, Stop};
use super::paint::{self, out, table};
use super::session::Session;
use super::story::date_time;
use crate::id::NanoUsd;
use crate::service::list::{self, RunLine};

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
    let lines = list::runs(&session.project, args.live, args.limit)?;
    if args.json {
        lines.iter().for_each(paint::json);
        return Ok(Exit::Done);
    }
    let cells = lines.iter().map(|line| {
        let cost = NanoUsd(line.summary.nano_usd);
        let cost = if line.would_have_cost { format!("would be {cost}") } else { cost.to_string() };
        vec![
            line.run.to_string(),
            line.topology.clone(),
            status(line),
            waits(line),
            line.summary.steps.to_string(),
            line.summary.tokens.to_string(),
            cost,
            date_time(line.created_at, session.zone()),
        ]
    });
    out(table(&["run", "topology", "status", "waits for", "steps", "tokens", "cost", "started"], cells));
    Ok(Exit::Done)
}

fn status(line: &RunLine) -> String {
    if line.interrupted { "interrupted".to_owned() } else { line.summary.status.clone() }
}

fn waits(line: &RunLine) -> String {
    let numbers: Vec<String> = line.summary.approvals.iter().map(ToString::to_string).collect();
    match (&line.summary.waiting_for, numbers.is_empty()) {
        (Some(who), false) => format!("{who}: approval {}", numbers.join(", ")),
        (None, false) => format!("question {}", numbers.join(", ")),
        _ if line.interrupted => format!("callsheet resume {}", line.run),
        _ if line.summary.status == "stuck" => format!("callsheet dead-letters {}", line.run),
        _ => String::new(),
    }
}

//! `callsheet runs`: the runs, newest first, from the projection alone.

use super::exit::{Exit, Stop};
use super::paint::{self, out, say, table};
use super::session::Session;
use crate::service::list::{self, Filter, RunLine};
use crate::words;
use crate::words::time::date_time;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only runs that are not over
    #[arg(long)]
    live: bool,
    /// Only runs in this state, such as waiting, done or interrupted
    #[arg(long, value_name = "STATE")]
    status: Option<String>,
    /// Only runs of this topology
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// Shows at most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Prints NDJSON: one JSON object for each run
    #[arg(long)]
    json: bool,
}

pub(super) fn runs(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let Args { live, status: wanted, topology, limit, json } = args;
    let filter = Filter { live: *live, status: wanted.clone(), topology: topology.clone(), limit: *limit };
    let lines = list::runs(&session.project, &filter)?;
    if *json {
        lines.iter().for_each(paint::json);
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        say("no run is as you ask for");
        return Ok(Exit::Done);
    }
    let cells = lines.iter().map(|line| {
        let cost = words::money(line.summary.nano_usd);
        vec![
            line.run.to_string(),
            line.topology.clone(),
            words::params(&line.given),
            line.mode.word().to_owned(),
            status(line, session.zone()),
            if line.would_have_cost { format!("would be {cost}") } else { cost },
            date_time(line.created_at, session.zone()),
        ]
    });
    out(table(&["run", "topology", "params", "mode", "status", "cost", "started"], cells));
    Ok(Exit::Done)
}

/// What it does, and whom or what it waits for, with how far they are who have to approve together.
fn status(line: &RunLine, zone: &str) -> String {
    let (no, summary) = (line.run, &line.summary);
    let numbers: Vec<String> = summary.approvals.iter().map(ToString::to_string).collect();
    let quorums = summary.quorums.iter().filter_map(|of| words::progress(of.needed, &of.approved_by));
    let quorums: String = quorums.map(|progress| format!(", {progress}")).collect();
    match (&summary.waiting_for, numbers.is_empty()) {
        (Some(who), false) => format!("waiting for {who}: approval {}{quorums}", numbers.join(", ")),
        (None, false) => format!("{}: question {}", summary.status, numbers.join(", ")),
        _ if line.interrupted => format!("interrupted: callsheet resume {no}"),
        _ if summary.status == "stuck" => format!("stuck: callsheet dead-letters {no}"),
        _ => match summary.wake_at.filter(|_| summary.status == "waiting") {
            Some(at) => format!("waiting until {}", date_time(at, zone)),
            None => summary.status.clone(),
        },
    }
}

//! `callsheet approvals`: what waits for a person, oldest first.

use super::exit::{Exit, Stop};
use super::paint::{self, out, say, table};
use super::session::Session;
use super::story::date_time;
use super::words;
use crate::run::view::count;
use crate::service::list::{self, Open, Params};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints NDJSON: one JSON object for each
    #[arg(long)]
    json: bool,
}

pub(super) fn approvals(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let mut cells = Vec::new();
    for open in list::open(&session.project)? {
        if args.json {
            paint::json(&open);
        }
        cells.push(match open {
            Open::Approval(asked) => {
                let names: Vec<&str> = asked.about.iter().map(|name| name.as_str()).collect();
                let items = asked.items.map_or_else(String::new, |of| format!(" ({} to leave)", count(of, "item")));
                let progress = words::progress(asked.line.needed, &asked.line.approved_by);
                let progress = progress.map_or_else(String::new, |progress| format!(", {progress}"));
                vec![
                    asked.line.approval.to_string(),
                    format!(
                        "{} of {}",
                        words::run(asked.line.run, asked.line.mode, &Params::new()),
                        asked.line.topology
                    ),
                    words::params(&asked.line.given),
                    asked.line.agent.to_string() + &progress,
                    names.join(", ") + &items,
                    date_time(asked.line.expires_at, session.zone()),
                ]
            }
            Open::Question { question, run, topology } => vec![
                question.to_string(),
                format!("run {run} of {topology}"),
                String::new(),
                "anybody".to_owned(),
                "did it happen?".to_owned(),
                String::new(),
            ],
        });
    }
    match (args.json, cells.is_empty()) {
        (true, _) => {}
        (false, true) => say("nothing waits for anybody"),
        (false, false) => out(table(&["approval", "of", "params", "asked", "about", "until"], cells)),
    }
    Ok(Exit::Done)
}

//! `callsheet approvals`: what waits for a person, oldest first.

use super::exit::{Exit, Stop};
use super::paint::{self, out, say, table};
use super::session::Session;
use super::story::date_time;
use crate::run::view::count;
use crate::service::list::{self, Open};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As NDJSON
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
                vec![
                    asked.line.approval.to_string(),
                    asked.line.run.to_string(),
                    asked.line.topology,
                    asked.line.agent.to_string(),
                    names.join(", ") + &items,
                    date_time(asked.line.expires_at, session.zone()),
                ]
            }
            Open::Question { question, run, topology } => vec![
                question.to_string(),
                run.to_string(),
                topology,
                "anybody".to_owned(),
                "did it happen?".to_owned(),
                String::new(),
            ],
        });
    }
    match (args.json, cells.is_empty()) {
        (true, _) => {}
        (false, true) => say("nothing waits for anybody"),
        (false, false) => out(table(&["no", "run", "topology", "asked", "about", "until"], cells)),
    }
    Ok(Exit::Done)
}

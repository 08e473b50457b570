//! `callsheet approvals`: what waits for a person, oldest first.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, out, say, table};
use super::session::Session;
use super::story::date_time;
use crate::journal::Query;
use crate::run::view::count;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As NDJSON
    #[arg(long)]
    json: bool,
}

pub(super) fn approvals(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let store = session.store()?;
    let mut cells = Vec::new();
    let mut rows = store.runs(&Query { live: true, limit: usize::MAX, ..Query::default() })?;
    rows.retain(|row| !row.summary.approvals.is_empty());
    for row in rows.iter().rev() {
        let state = session.load(store.as_ref(), row)?.state;
        for (no, approval) in state.open_approvals() {
            if args.json {
                paint::json(&json!({
                    "approval": no, "run": row.no, "topology": row.topology, "agent": approval.agent,
                    "binds": approval.binds, "asked_at": approval.asked_at, "expires_at": approval.expires_at,
                }));
            }
            let about = approval.manifest.as_ref().map_or(&approval.desk, |manifest| &manifest.desk);
            let names: Vec<&str> = about.keys().map(|name| name.as_str()).collect();
            let items = approval.manifest.as_ref().map(|manifest| count(manifest.items.len(), "item"));
            let what = names.join(", ") + &items.map_or_else(String::new, |items| format!(" ({items} to leave)"));
            let due = date_time(approval.expires_at, session.zone());
            cells.push(vec![
                no.to_string(),
                row.no.to_string(),
                row.topology.clone(),
                approval.agent.to_string(),
                what,
                due,
            ]);
        }
        for no in state.questions.keys() {
            if args.json {
                paint::json(&json!({ "question": no, "run": row.no, "topology": row.topology }));
            }
            let what = "did it happen?".to_owned();
            cells.push(vec![
                no.to_string(),
                row.no.to_string(),
                row.topology.clone(),
                "anybody".to_owned(),
                what,
                String::new(),
            ]);
        }
    }
    match (args.json, cells.is_empty()) {
        (true, _) => {}
        (false, true) => say("nothing waits for anybody"),
        (false, false) => out(table(&["no", "run", "topology", "asked", "about", "until"], cells)),
    }
    Ok(Exit::Done)
}

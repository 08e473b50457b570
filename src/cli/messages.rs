//! `callsheet messages`: what the agents of a run said and did, as it was or as it comes.

use std::time::Duration;

use super::exit::{Exit, Stop};
use super::session::Session;
use super::story::{Shown, Story};
use crate::run::state::Status;

/// How often a followed journal is looked at.
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Go on as more happens, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Records as NDJSON, in the journal's own shapes
    #[arg(long)]
    json: bool,
    /// Below what a model chose: what it was offered, and on what evidence it chose
    #[arg(long)]
    detail: bool,
    /// Only from this member or person
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only with this outcome, or this word
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
}

pub(super) async fn messages(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row(store.as_ref(), args.run)?;
    let mut story = Story::open(store, row.id, session.zone())?;
    let shown = Shown { json: args.json, detail: args.detail, from: args.from.clone(), word: args.outcome.clone() };
    story.print(&shown)?;
    while args.follow && !matches!(story.view.state().status(), Status::Ended(_)) {
        tokio::select! {
            () = tokio::time::sleep(POLL) => story.print(&shown)?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
    Ok(Exit::Done)
}

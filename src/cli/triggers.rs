//! `callsheet triggers`: what starts runs without a person, when that is next, and what the last firing of each came to.

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, out, say, table};
use super::session::Session;
use crate::clock::{Clock as _, Machine};
use crate::service::trigger::list::triggers as listed;
use crate::words::time::date_time;
use crate::words::trigger::{fires, last, manner, unset};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints NDJSON: one JSON object for each trigger
    #[arg(long)]
    json: bool,
}

pub(super) fn triggers(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let lines = listed(&session.project, Machine.now())?;
    if args.json {
        lines.iter().for_each(paint::json);
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        say("no topology has a trigger; one that fires every Monday at nine:");
        paint::raw("[triggers.weekly]\ncron = \"0 9 * * MON\"");
        return Ok(Exit::Done);
    }
    let zone = session.zone();
    let cells = lines.iter().map(|line| {
        let fired = line.last.as_ref().map_or_else(|| "never".to_owned(), |firing| last(firing, zone));
        let next = line.next_at.map(|at| date_time(at, zone)).unwrap_or_default();
        vec![line.trigger.clone(), fires(line), next, fired]
    });
    out(table(&["trigger", "fires", "next", "last firing"], cells));
    for line in &lines {
        if let Some(manner) = manner(line) {
            say(format!("{}: {manner}", Safe(&line.trigger)));
        }
        if let Some(unset) = unset(line) {
            say(format!("{}: {}", Safe(&line.trigger), Safe(&unset)));
        }
    }
    say("they fire while callsheet serve runs; what they start needs the same approvals");
    Ok(Exit::Done)
}

//! What fires a trigger, and what its last firing came to, in words.

use super::time::date_time;
use crate::service::trigger::list::{Fires, Last, Line};
use crate::topology::trigger::{Missed, Overlap};

/// When it fires: it goes on where `fires` ends.
pub fn fires(line: &Line) -> String {
    match &line.when {
        None => format!("never, because it has faults: callsheet check {}", line.topology),
        Some(Fires::Cron { pattern, zone, .. }) => format!("at {pattern} ({zone})"),
        Some(Fires::After(topology)) => format!("when a run of {topology} is done"),
        Some(Fires::Webhook(address)) => format!("when a signed request comes to {address}"),
    }
}

/// What is out of the ordinary in what it does; nothing if nothing is.
pub fn manner(line: &Line) -> Option<String> {
    let missed = matches!(line.when, Some(Fires::Cron { missed: Missed::Skip, .. }));
    let missed = missed.then_some("it makes up for no time at which no server ran");
    let overlap = match line.overlap? {
        Overlap::Wait => None,
        Overlap::Skip => Some("it starts nothing while its last run is not over"),
        Overlap::Start => Some("it starts runs beside its last one"),
    };
    let told: Vec<&str> = [missed, overlap].into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What a firing came to.
pub fn last(last: &Last, zone: &str) -> String {
    let at = date_time(last.due_at, zone);
    let run = last.run.map_or_else(|| "a run".to_owned(), |no| format!("run {no}"));
    // The first line says what; the rest is for whoever checks the files.
    let why = last.why.as_deref().and_then(|why| why.lines().next()).unwrap_or_default();
    match last.came {
        "started" => format!("{at}: started {run}"),
        "waits" => format!("{at}: {run} is not over, and nothing starts before that"),
        "skipped" => format!("{at}: started nothing, {why}"),
        _ => format!("{at}: could not start a run: {why}"),
    }
}

/// What somebody has to mend; nothing if it fires as it should.
pub fn wrong(line: &Line, zone: &str) -> Option<String> {
    if line.when.is_none() {
        return Some(format!("it has faults and fires nothing: callsheet check {}", line.topology));
    }
    unset(line).or_else(|| failed(line, zone))
}

/// That the variable of its key is not set, if it is not.
pub fn unset(line: &Line) -> Option<String> {
    let variable = line.unset.as_ref()?;
    Some(format!("the variable {variable} is not set here: export {variable}=... where callsheet serve runs"))
}

fn failed(line: &Line, zone: &str) -> Option<String> {
    line.last.as_ref().filter(|firing| firing.came == "failed").map(|firing| last(firing, zone))
}

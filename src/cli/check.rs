//! `callsheet check`: every fault of the project's topologies at once, or what is proved of them.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, say, toned};
use super::session::Session;
use crate::app;
use crate::config::PROJECT_FILE;
use crate::run::view::count;
use crate::topology;
use crate::topology::bill::Bill;
use crate::topology::fault::{Fault, Faults};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topologies to check; all of the project if you name none
    topologies: Vec<String>,
    /// Prints NDJSON: one JSON object for each fault
    #[arg(long)]
    json: bool,
    /// Checks again whenever a file of the project changes, until Ctrl-C
    #[arg(long)]
    pub(super) watch: bool,
}

pub(super) fn check(session: &Session, mut faults: Faults, args: &Args) -> Result<Exit, Stop> {
    let settings = &session.settings;
    let (around, more) = app::surveyed(settings, settings.mode());
    faults.join(more);
    faults.sort();
    let mut exit = if faults.is_empty() { Exit::Done } else { Exit::Input };
    if !faults.is_empty() {
        tell(PROJECT_FILE, &faults, args.json);
    }
    let names = if args.topologies.is_empty() { session.project.topologies() } else { args.topologies.clone() };
    if names.is_empty() {
        return Err(Stop::input("there is no topology: write one to topologies/NAME.toml"));
    }
    let (mut told, mut is_billed): (Vec<Fault>, bool) = (Vec::new(), false);
    for name in names {
        match topology::check::check(&name, &settings.folder(), &around) {
            Ok(checked) if args.json => {
                let bill = Bill::of(&checked.plan);
                let proof = checked.proof.to_string();
                paint::json(&json!({ "topology": name, "faults": [], "proof": proof, "bill": bill }))
            }
            Ok(checked) => {
                is_billed = true;
                let (proof, bill) = (checked.proof, Bill::of(&checked.plan));
                out(format!("{} {}\n{proof}\n{bill}", toned(Tone::Good, "ok"), toned(Tone::Strong, Safe(&name))))
            }
            Err(mut faults) => {
                exit = Exit::Input;
                // What two topologies share is told once.
                faults.retain(|fault| !told.contains(fault));
                told.extend(faults.iter().cloned());
                tell(&name, &faults, args.json);
            }
        }
    }
    if is_billed {
        say(UNBILLED);
    }
    Ok(exit)
}

/// What a bill leaves out.
const UNBILLED: &str = "A bill does not count what people add themselves: limits that they raise, messages that they try again, and \
                        edits, each of which is approved anew. Nor does it know what a tool costs where it is called.";

/// Says what is wrong with a topology.
pub(super) fn tell(name: &str, faults: &Faults, as_json: bool) {
    if !as_json {
        let why = match faults.len() {
            0 => "it needs something that has faults, which stand above".to_owned(),
            faults => count(faults, "fault"),
        };
        if !faults.is_empty() {
            say(Block(&faults.render(false)));
        }
        let it = if name == PROJECT_FILE { "what rests on it fails" } else { "it does not start" };
        say(format!("{} {}: {why}; {it}", toned(Tone::Bad, "no"), Safe(name)));
        return;
    }
    for fault in faults.iter() {
        let (line, column) = faults.position(fault);
        paint::json(&json!({
            "topology": name, "code": fault.code.as_str(), "file": fault.place.file.as_ref(), "line": line, "column": column,
            "what": fault.what, "path": fault.path, "instead": fault.instead, "did_you_mean": fault.did_you_mean,
            "edit": faults.edit(fault).map(|edit| json!({
                "file": edit.place.file.as_ref(), "from": edit.place.span.start, "to": edit.place.span.end, "text": edit.text,
            })),
        }));
    }
}

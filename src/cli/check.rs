//! `callsheet check`: every fault of the project's topologies at once, or what is proved of them.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, say, toned};
use super::session::Session;
use crate::app;
use crate::run::view::count;
use crate::topology::fault::Faults;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Topologies; the default is all of the project
    topologies: Vec<String>,
    /// Faults as NDJSON
    #[arg(long)]
    json: bool,
    /// Checks again whenever a file of the project changes, until Ctrl-C
    #[arg(long)]
    pub(super) watch: bool,
}

pub(super) fn check(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let names = if args.topologies.is_empty() { session.project.topologies() } else { args.topologies.clone() };
    if names.is_empty() {
        return Err(Stop::input("there is no topology: write one to topologies/NAME.toml"));
    }
    let mut exit = Exit::Done;
    for name in names {
        let checked = session.project.check(&name, session.settings.mode());
        let checked = checked.and_then(|checked| app::data(&session.settings, &checked.plan).map(|()| checked));
        match checked {
            Ok(checked) if args.json => {
                paint::json(&json!({ "topology": name, "faults": [], "proof": checked.proof.to_string() }))
            }
            Ok(checked) => {
                out(format!("{} {}\n{}", toned(Tone::Good, "ok"), toned(Tone::Strong, Safe(&name)), checked.proof))
            }
            Err(faults) => {
                exit = Exit::Input;
                tell(&name, &faults, args.json);
            }
        }
    }
    Ok(exit)
}

fn tell(name: &str, faults: &Faults, as_json: bool) {
    if !as_json {
        say(Block(&faults.render(false)));
        let faults = count(faults.len(), "fault");
        say(format!("{} {}: {faults}; it does not start", toned(Tone::Bad, "no"), Safe(name)));
        return;
    }
    for fault in faults.iter() {
        let (line, column) = faults.position(fault);
        paint::json(&json!({
            "topology": name, "code": fault.code.as_str(), "file": fault.place.file.as_ref(), "line": line, "column": column,
            "what": fault.what, "path": fault.path, "instead": fault.instead,
        }));
    }
}

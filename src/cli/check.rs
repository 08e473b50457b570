//! `callsheet check`: every fault of the project's topologies at once, or what is proved of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, hung, out, say, toned};
use super::session::Session;
use crate::app;
use crate::config::PROJECT_FILE;
use crate::run::view::count;
use crate::service::unused::{Seen, unused};
use crate::topology;
use crate::topology::bill::Bill;
use crate::topology::fault::{Fault, Faults};
use crate::topology::plan::{Plan, Role};

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
    // What a topology rests on has faults that were told: which ones start all the same has to be looked up.
    let resting = (exit != Exit::Done).then(|| app::Survey::of(settings, settings.mode()));
    let starts = |plan: &Plan| match &resting {
        None => true,
        Some(Ok(survey)) => survey.data(Some(plan))[0].is_empty(),
        Some(Err(_)) => false,
    };
    let is_whole = args.topologies.is_empty();
    let files = Seen::new(settings.folder());
    let (mut told, mut plans): (Vec<Fault>, Vec<Plan>) = (Vec::new(), Vec::new());
    for name in names {
        match topology::check::check(&name, &files, &around) {
            Ok(checked) if !starts(&checked.plan) => tell(&name, &Faults::default(), args.json),
            Ok(checked) if args.json => {
                let bill = Bill::of(&checked.plan);
                let proof = checked.proof.to_string();
                paint::json(&json!({ "topology": name, "faults": [], "proof": proof, "bill": bill }))
            }
            Ok(checked) => {
                let (proof, bill) = (checked.proof, Bill::of(&checked.plan));
                out(format!("{} {}", toned(Tone::Good, "ok"), toned(Tone::Strong, Safe(&name))));
                proved(&format!("{proof}\n{bill}"));
                plans.push(checked.plan);
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
    if is_whole {
        let unused = unused(&files, &around);
        for (path, faults) in unused.iter().filter(|(_, faults)| !faults.is_empty()) {
            exit = Exit::Input;
            tell(path, faults, args.json);
        }
        if exit == Exit::Done && !args.json {
            unused.iter().for_each(|(path, _)| say(alone(path)));
        }
    }
    if !plans.is_empty() {
        say(UNBILLED);
        is_anybody(session, &plans);
        if is_whole && exit == Exit::Done {
            is_applied(session, &plans);
        }
    }
    Ok(exit)
}

/// Prints lines that begin with a word, the word beside what it says; a word that was just printed is left out.
fn proved(lines: &str) {
    const INDENT: usize = 10;
    let mut last = "";
    for line in lines.lines() {
        let (word, said) = line.split_once(": ").unwrap_or(("", line));
        let shown = if word == last { "" } else { word };
        hung(format!("  {shown:<8}{}", Safe(said)), INDENT);
        last = word;
    }
}

/// What was checked of a file that no team uses.
fn alone(path: &str) -> String {
    let path = Safe(path);
    match path.0.split('/').next() {
        Some("agents") => format!("{path} is on no team: what it reads, writes and hands on was not checked"),
        Some("schemas") => format!("{path} is the schema of no artefact: nothing is held against it"),
        _ => format!("{path} has no topology of the same name: what its agents say was not checked"),
    }
}

/// Says that a person whom a team names is whoever is there, as long as the project declares nobody.
fn is_anybody(session: &Session, plans: &[Plan]) {
    if session.settings.people.is_some() {
        return;
    }
    let named = plans.iter().flat_map(|plan| plan.team.values()).filter_map(|member| match &member.role {
        Role::Person(person) => Some(person.who.iter().cloned()),
        Role::Model { .. } | Role::Tool { .. } | Role::Rule(_) => None,
    });
    let named: BTreeSet<String> = named.flatten().collect();
    if !named.is_empty() {
        let named: Vec<String> = named.into_iter().collect();
        say(format!(
            "{PROJECT_FILE} declares no [people], so whoever works here decides for {}: callsheet explain E018",
            Safe(&named.join(", "))
        ));
    }
}

/// Says which checks are declared and hold nothing.
fn is_applied(session: &Session, plans: &[Plan]) {
    let is_used = |name: &String| plans.iter().any(|plan| plan.checks.contains_key(name));
    let unused: Vec<&str> = session.settings.checks.keys().filter(|name| !is_used(name)).map(String::as_str).collect();
    for name in unused {
        say(format!(
            "[checks.{name}] is applied to nothing: name it in the `checks` of an artefact, or in `leaving` the tool whose bytes it holds"
        ));
    }
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
        match name == PROJECT_FILE {
            true => say(format!(
                "{} {} in {PROJECT_FILE}; what rests on it does not start",
                toned(Tone::Bad, "not ok"),
                why
            )),
            false if name.contains('/') => {
                say(format!("{} {}: {why}; no team uses it", toned(Tone::Bad, "not ok"), Safe(name)))
            }
            false => say(format!("{} {}: {why}; it does not start", toned(Tone::Bad, "not ok"), Safe(name))),
        }
        return;
    }
    for mut fault in listed(faults) {
        // A file that no team uses is of no topology.
        fault["topology"] = if name.contains('/') { Value::Null } else { name.into() };
        paint::json(&fault);
    }
}

/// Faults for programs.
pub(super) fn listed(faults: &Faults) -> Vec<Value> {
    let one = |fault: &Fault| {
        let (line, column) = faults.position(fault);
        json!({
            "code": fault.code.as_str(), "file": fault.place.file.as_ref(), "line": line, "column": column,
            "what": fault.what, "path": fault.path, "instead": fault.instead, "did_you_mean": fault.did_you_mean,
            "edit": faults.edit(fault).map(|edit| json!({
                "file": edit.place.file.as_ref(), "from": edit.place.span.start, "to": edit.place.span.end, "text": edit.text,
            })),
        })
    };
    faults.iter().map(one).collect()
}

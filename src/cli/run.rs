//! `callsheet run`: starts a run, tells its story, and on a terminal asks where a person decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, Stop};
use super::paint::{is_terminal, say};
use super::prompt::{After, Prompt, Typed};
use super::session::Session;
use super::story::{Shown, Story, mark_mode};
use crate::app;
use crate::run::input::Brief;
use crate::run::state::Status;
use crate::topology::plan::{Mode, Param, ParamKind, Plan};
use crate::topology::recording::Recording;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topology's name: its file in topologies/ without .toml
    topology: String,
    /// A parameter
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// No model runs: agents speak from rehearsals/TOPOLOGY.toml
    #[arg(long, conflicts_with = "model")]
    rehearse: bool,
    /// No model runs: agents say what was recorded, as long as they are asked what was asked then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "rehearse", "record"])]
    replay: Option<PathBuf>,
    /// Records as NDJSON instead of the story
    #[arg(long)]
    json: bool,
}

impl Args {
    /// A rehearsal of `topology`.
    pub(super) fn rehearsal(topology: String, params: Vec<String>, json: bool) -> Self {
        Self { topology, params, rehearse: true, replay: None, json }
    }
}

pub(super) async fn run(session: &Session, args: Args) -> Result<Exit, Stop> {
    let recording = args.replay.as_deref().map(|path| recording_of(path, &args.topology)).transpose()?;
    let checked = match &recording {
        Some(recording) => session.check_replay(&args.topology, Arc::clone(recording)),
        // A rehearsal because that is asked for, or because nothing names a model; never as a fallback.
        None if args.rehearse => session.check(&args.topology, Mode::Rehearsal),
        None => session.check(&args.topology, session.settings.mode()),
    };
    let checked = checked.map_err(|faults| super::check::refuse(&faults))?;
    let recorded = recording.map(|recording| recording.brief.clone()).unwrap_or_default();
    let brief = brief(&checked.plan, &args.params, recorded)?;
    app::reachable(&session.settings, &checked.plan).map_err(Stop::input)?;
    if checked.plan.mode == Mode::Live {
        // Before a model is paid.
        app::data(&session.settings, &checked.plan).map_err(|faults| super::check::refuse(&faults))?;
    }
    let by = session.declared()?;
    mark_mode(&checked.plan);
    let running = session.system(None).await?;
    let system = &running.system;
    let handle = system.run(&checked.plan, &brief, by).await?;
    let store = Arc::clone(&system.ports().store);
    let row = session.row(store.as_ref(), Some(handle.no.0))?;
    say(format!("run {} of {}", handle.no, args.topology));
    let mut interrupts = signal(SignalKind::interrupt())?;
    let shown = Shown { json: args.json, ..Shown::default() };
    let mut story = Story::open(store, handle.run, session.zone())?;
    let mut exit = session.drive(system, &handle, &mut story, &row, &shown).await?;
    if exit == Exit::Waiting && is_terminal() && !args.json {
        let mut typed = Typed::open();
        let (typed, interrupts) = (&mut typed, &mut interrupts);
        let mut prompt = Prompt { session, system, handle: &handle, row: &row, typed, interrupts };
        // What is paused or stuck is no question to be answered here.
        while exit == Exit::Waiting && story.view.state().status() == Status::Waiting {
            exit = match prompt.ask(&mut story).await? {
                After::GoesOn => session.drive(system, &handle, &mut story, &row, &shown).await?,
                After::Waits => break,
                After::Interrupted => session.interrupted(system, &mut story, &row, &shown).await?,
            };
        }
    }
    running.stop().await;
    Ok(exit)
}

/// The recording in `path`, if it is one of `topology`.
fn recording_of(path: &Path, topology: &str) -> Result<Arc<Recording>, Stop> {
    let recording = app::read_recording(path).map_err(Stop::input)?;
    if recording.topology != topology {
        let (path, of) = (path.display(), &recording.topology);
        return Err(Stop::input(format!("{path} is a recording of {of}: callsheet run {of} --replay {path}")));
    }
    Ok(Arc::new(recording))
}

/// The run's parameters: those given, typed; for the others what was recorded, or their defaults.
fn brief(plan: &Plan, given: &[String], mut recorded: Brief) -> Result<Brief, Stop> {
    let mut texts = BTreeMap::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Stop::input(format!("-p {pair}: a parameter is given as NAME=VALUE")))?;
        if !plan.params.contains_key(name) {
            let known: Vec<&str> = plan.params.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Stop::input(format!("-p {name}: {} has no such parameter; it has: {known}", plan.name)));
        }
        if texts.insert(name, value).is_some() {
            return Err(Stop::input(format!("-p {name} is given twice")));
        }
    }
    let mut brief = Brief::new();
    for (name, param) in &plan.params {
        let value = match texts.get(name.as_str()) {
            Some(text) => typed(name, param, text)?,
            None => recorded
                .remove(name)
                .or_else(|| param.default.clone())
                .ok_or_else(|| Stop::input(format!("{} needs -p {name}=...: {}", plan.name, param.description)))?,
        };
        brief.insert(name.clone(), value);
    }
    Ok(brief)
}

fn typed(name: &str, param: &Param, text: &str) -> Result<Value, Stop> {
    let value = match param.kind {
        ParamKind::String => Some(Value::from(text)),
        ParamKind::Integer => text.parse::<i64>().ok().map(Value::from),
        ParamKind::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
        ParamKind::Boolean => text.parse::<bool>().ok().map(Value::from),
    };
    let kind = format!("{:?}", param.kind).to_lowercase();
    value.ok_or_else(|| {
        Stop::input(format!("-p {name}={text}: {name} takes a value of type {kind} ({})", param.description))
    })
}

//! `callsheet run`: starts a run, tells its story, and on a terminal asks where a person decides.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, Stop};
use super::paint::{Block, is_terminal, say};
use super::prompt::{After, Prompt};
use super::session::Session;
use super::story::{Shown, mark_mode};
use super::typed::Typed;
use crate::run::state::Status;
use crate::run::view::count;
use crate::service::act::Driver;
use crate::service::start::{Start, Voice};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topology's name: its file in topologies/ without .toml
    topology: String,
    /// Sets a parameter of the topology
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Runs without models: the agents speak from rehearsals/TOPOLOGY.toml
    #[arg(long, conflicts_with = "model")]
    rehearse: bool,
    /// Runs without models: the agents say what --record wrote down, as long as they are asked the same
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "rehearse", "record"])]
    replay: Option<PathBuf>,
    /// Prints NDJSON instead of the story: the journal's records, each with what people see of it
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
    let project = &session.project;
    let voice = match args.replay {
        Some(path) => Voice::Recording(path),
        None if args.rehearse => Voice::Script,
        None => Voice::Named,
    };
    let start = Start::of(project, &args.topology, &voice, &params(&args.params)?, project.who())?;
    if !start.elsewhere.is_empty() {
        say(Block(&start.elsewhere.render(false)));
        let told = count(start.elsewhere.len(), "fault");
        say(format!("{told} in what other teams read; {} reads none of it, and starts", start.plan.name));
    }
    mark_mode(&start.plan);
    let driver = session.driver(None).await?;
    let exit = drive(session, &driver, &start, args.json).await;
    driver.stop().await;
    exit
}

async fn drive(session: &Session, driver: &Driver, start: &Start, json: bool) -> Result<Exit, Stop> {
    let (mut live, mut story) = driver.start(start).await?;
    say(format!("run {} of {}", story.row.no, start.plan.name));
    let mut interrupts = signal(SignalKind::interrupt())?;
    let shown = Shown { json, ..Shown::default() };
    let mut exit = session.drive(driver, &mut live, &mut story, &shown).await?;
    if exit == Exit::Waiting && is_terminal() && !json {
        let mut typed = Typed::open();
        let mut prompt = Prompt { session, driver, typed: &mut typed, interrupts: &mut interrupts };
        // What is paused or stuck is no question to be answered here.
        while exit == Exit::Waiting && story.state().status() == Status::Waiting {
            exit = match prompt.ask(&mut live, &mut story).await? {
                After::GoesOn => session.drive(driver, &mut live, &mut story, &shown).await?,
                After::Waits => break,
                After::Interrupted => session.interrupted(driver, &mut story, &shown).await?,
            };
        }
    }
    Ok(exit)
}

/// The parameters that are given, by name.
pub(super) fn params(given: &[String]) -> Result<BTreeMap<String, String>, Stop> {
    let mut params = BTreeMap::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Stop::input(format!("-p {pair}: a parameter is given as NAME=VALUE")))?;
        if params.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Stop::input(format!("-p {name} is given twice")));
        }
    }
    Ok(params)
}

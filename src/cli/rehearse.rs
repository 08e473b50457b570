//! `callsheet rehearse`: a rehearsed run; or every way that a topology can go; or a kill at every boundary of a run.

mod all;
mod branch;
mod came;
mod campaign;
mod crash;
mod scratch;
mod search;

use super::exit::{Exit, Stop};
use super::run;
use super::session::Session;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topology's name: its file in topologies/ without .toml
    topology: String,
    /// Sets a parameter of the topology
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Explores every outcome, decision, failure and time-out, without a model and without tools
    #[arg(long, conflicts_with_all = ["crash", "params"])]
    all: bool,
    /// Kills the process at every boundary of a run in a scratch copy, resumes, and compares with the undisturbed run
    #[arg(long)]
    crash: bool,
    /// With --all: explores at most so many branches
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "all")]
    paths: u64,
    /// Prints JSON instead of text
    #[arg(long)]
    json: bool,
}

pub(super) async fn rehearse(session: &Session, args: Args) -> Result<Exit, Stop> {
    if args.all {
        return all::all(session, &args.topology, args.paths, args.json);
    }
    if args.crash {
        return crash::crash(session, &args.topology, &args.params, args.json);
    }
    run::run(session, run::Args::rehearsal(args.topology, args.params, args.json)).await
}

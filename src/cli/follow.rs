//! `callsheet follow`: who wants to be told how a run ends. It decides nothing.

use super::exit::{Exit, Stop};
use super::session::Session;
use crate::id::RunNo;
use crate::run::input::Say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run
    run: u64,
    /// You are not told any more
    #[arg(long)]
    stop: bool,
}

pub(super) async fn follow(session: &Session, args: Args) -> Result<Exit, Stop> {
    let project = &session.project;
    project.declared(project.who())?;
    let mut story = project.read(project.run(Some(RunNo(args.run)))?)?;
    session.note(&mut story, Say::Follow { on: !args.stop }).await
}

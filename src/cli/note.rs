//! `callsheet note`: what a person says to a member while its run goes on. Its next turn is shown it, and it
//! decides nothing.

use super::exit::{Exit, Stop};
use super::session::Session;
use crate::id::RunNo;
use crate::service::note::to;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run
    run: u64,
    /// The member: one that is a model
    member: String,
    /// What you say
    text: String,
}

pub(super) async fn note(session: &Session, args: Args) -> Result<Exit, Stop> {
    let project = &session.project;
    project.declared(project.who())?;
    let mut story = project.read(project.run(Some(RunNo(args.run)))?)?;
    let said = to(&story, &args.member, args.text)?;
    session.note(&mut story, said).await
}

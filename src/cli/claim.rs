//! `callsheet claim` and `delegate`: who is on what waits. It decides nothing, and others see it.

use super::exit::{Exit, Stop};
use super::session::Session;
use crate::id::ApprovalNo;
use crate::run::input::Say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number of the approval or the question
    number: u64,
    /// Gives it back: nobody is on it then
    #[arg(long)]
    release: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DelegateArgs {
    /// The number of the approval or the question
    number: u64,
    /// To whom: somebody who may say something to it, or group:NAME
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Says why
    #[arg(short, long)]
    message: String,
}

pub(super) async fn claim(session: &Session, args: Args) -> Result<Exit, Stop> {
    let me = session.project.who().name;
    assign(session, args.number, (!args.release).then_some(me), String::new()).await
}

pub(super) async fn delegate(session: &Session, args: DelegateArgs) -> Result<Exit, Stop> {
    if args.message.trim().is_empty() {
        return Err(Stop::input(format!("say why: callsheet delegate {} --to {} -m \"...\"", args.number, args.to)));
    }
    assign(session, args.number, Some(args.to), args.message).await
}

async fn assign(session: &Session, number: u64, to: Option<String>, text: String) -> Result<Exit, Stop> {
    let (project, approval) = (&session.project, ApprovalNo(number));
    project.declared(project.who())?;
    let mut story = project.read(project.run_of_approval(approval)?)?;
    session.note(&mut story, Say::Assign { approval, to, text }).await
}

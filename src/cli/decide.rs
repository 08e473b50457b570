//! `callsheet approve`, `request-changes`, `reject`, `settle`: a person's word on what waits, from any shell.

use super::exit::{Exit, Stop};
use super::paint::say;
use super::rendered;
use super::session::Session;
use super::story::Story;
use crate::id::{ApprovalNo, Digest};
use crate::run::event::{Decision, Refusal};
use crate::run::input::Say;
use crate::run::state::Fate;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// Why, or what to change; the agents read it
    #[arg(short, long, default_value = "")]
    message: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct SettleArgs {
    /// The question's number
    number: u64,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Answer {
    /// It happened
    #[arg(long)]
    happened: bool,
    /// It did not happen: it may be done now
    #[arg(long)]
    did_not: bool,
}

pub(super) async fn decide(session: &Session, args: Args, decision: Decision) -> Result<Exit, Stop> {
    if decision != Decision::Approve && args.message.trim().is_empty() {
        let command = decision.word().replace('_', "-");
        return Err(Stop::input(format!("say why: callsheet {command} {} -m \"...\"", args.number)));
    }
    session.declared()?;
    let store = session.store()?;
    let row = session.row_of_approval(store.as_ref(), args.number)?;
    let mut story = Story::open(store, row.id, session.zone())?;
    story.news()?;
    let approval = ApprovalNo(args.number);
    let binds = bound(&story, approval)?;
    session.act(&row, Say::Decide { approval, binds, decision, comment: args.message }).await
}

/// What an open approval binds; if it is not open, why not.
pub(super) fn bound(story: &Story, no: ApprovalNo) -> Result<Digest, Stop> {
    let state = story.view.state();
    let unknown = || Stop::input(format!("{no} is no approval that waits; `callsheet approvals` lists those"));
    let approval = state.approvals.get(&no).ok_or_else(unknown)?;
    let refused = |why: Refusal| Err(Stop::input(super::session::refusal(&why, &story.texts())));
    match &approval.fate {
        None => Ok(approval.binds),
        Some(Fate::Decided(by, decision)) => {
            let open: Vec<String> = state.open_approvals().map(|(no, _)| format!("callsheet review {no}")).collect();
            let open = if open.is_empty() { String::new() } else { format!("; open now: {}", open.join(", ")) };
            let why = Refusal::AlreadyDecided { by: by.name.clone(), decision: *decision };
            Err(Stop::input(format!("{}{open}", super::session::refusal(&why, &story.texts()))))
        }
        Some(Fate::Edited(by)) => {
            if let Some(by) = by {
                say(rendered::difference(story, no, *by));
            }
            refused(Refusal::Replaced { by: *by })
        }
        Some(Fate::Lapsed) => refused(Refusal::Closed),
    }
}

pub(super) async fn settle(session: &Session, args: SettleArgs) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row_of_approval(store.as_ref(), args.number)?;
    session.act(&row, Say::Answer { question: ApprovalNo(args.number), happened: args.answer.happened }).await
}

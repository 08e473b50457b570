//! `callsheet approve`, `request-changes`, `reject`, `settle`: a person's word on what waits, from any shell.

use super::exit::{Exit, Stop};
use super::hint::scripted;
use super::paint::say;
use super::rendered;
use super::session::Session;
use crate::id::{ApprovalNo, CommentNo, Digest};
use crate::run::event::{Decision, Refusal};
use crate::run::input::Say;
use crate::service::act::wanted;
use crate::service::comment::{number, open_on, sent_along};
use crate::service::error::Error;
use crate::service::story::Story;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// Says why, or what to change; the agents read it
    #[arg(short, long, default_value = "")]
    message: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    args: Args,
    /// Accepts that this rule does not hold, as `review` names it; once for each
    #[arg(long, value_name = "RULE")]
    accept: Vec<String>,
}

/// Approves, accepting the rules that are named.
pub(super) async fn approve(session: &Session, ApproveArgs { args, accept }: ApproveArgs) -> Result<Exit, Stop> {
    if accept.is_empty() {
        return decide(session, args, Decision::Approve).await;
    }
    let rules = accept.into_iter().collect();
    say_of(session, args, &[], |approval, binds, comment| Say::Accept { approval, binds, rules, comment }).await
}

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    #[command(flatten)]
    args: Args,
    /// Sends comments along, such as c1,c3, or `all` that are open: the agents read them as your words
    #[arg(long, value_name = "COMMENTS", value_delimiter = ',')]
    send: Vec<String>,
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
    post(session, args, decision, &[]).await
}

pub(super) async fn request_changes(session: &Session, args: RequestArgs) -> Result<Exit, Stop> {
    post(session, args.args, Decision::RequestChanges, &args.send).await
}

async fn post(session: &Session, args: Args, decision: Decision, send: &[String]) -> Result<Exit, Stop> {
    if decision != Decision::Approve && args.message.trim().is_empty() {
        let command = decision.word().replace('_', "-");
        return Err(Stop::input(format!("say why: callsheet {command} {} -m \"...\"", args.number)));
    }
    say_of(session, args, send, |approval, binds, comment| Say::Decide { approval, binds, decision, comment }).await
}

/// Says what `of` makes of an approval, of what it binds and of the words.
async fn say_of(
    session: &Session,
    args: Args,
    send: &[String],
    of: impl FnOnce(ApprovalNo, Digest, String) -> Say,
) -> Result<Exit, Stop> {
    let project = &session.project;
    project.declared(project.who())?;
    let approval = ApprovalNo(args.number);
    let mut story = project.read(project.run_of_approval(approval)?)?;
    let binds = wanted(story.state(), approval, true).inspect_err(|error| changed(&story, approval, error))?;
    let comment = sent_along(&story, approval, &args.message, &chosen(&story, approval, send)?)?;
    let said = of(approval, binds, comment);
    if let Some(hint) = scripted(story.state(), &said) {
        say(hint);
    }
    session.act(&mut story, said).await
}

/// The comments that are sent along: those that are named, or `all` that are open on what the approval rests on.
fn chosen(story: &Story, approval: ApprovalNo, send: &[String]) -> Result<Vec<CommentNo>, Error> {
    match send {
        [all] if all == "all" => Ok(open_on(story, approval)),
        named => named.iter().map(|named| number(named)).collect(),
    }
}

/// Tells what changed, if an approval is closed because its content was edited.
pub(super) fn changed(story: &Story, no: ApprovalNo, error: &Error) {
    if let Error::Closed { why: Refusal::Replaced { by: Some(by) }, .. } = error {
        say(rendered::difference(story, no, *by));
    }
}

pub(super) async fn settle(session: &Session, args: SettleArgs) -> Result<Exit, Stop> {
    let (project, question) = (&session.project, ApprovalNo(args.number));
    let mut story = project.read(project.run_of_approval(question)?)?;
    session.act(&mut story, Say::Answer { question, happened: args.answer.happened }).await
}

//! `callsheet review`: what would leave, to whom, on what evidence.

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, out, say};
use super::rendered::{self, How};
use super::session::Session;
use super::story::mark_mode;
use crate::id::ApprovalNo;
use crate::run::view::count;
use crate::service::attend::{look, note};
use crate::service::review::{Came, Question, question, review as read};
use crate::service::thread::Comment;
use crate::words::thread::who_settles;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// Shows every row of long lists, such as all recipients
    #[arg(long)]
    whole: bool,
    /// Adds digests, record numbers, and what exactly each tool was asked and returned
    #[arg(long)]
    detail: bool,
    /// Prints one JSON object: what the decision binds, what changed, and who did what for it
    #[arg(long, conflicts_with_all = ["whole", "detail"])]
    json: bool,
}

pub(super) fn review(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let (project, no) = (&session.project, ApprovalNo(args.number));
    let story = project.read(project.run_of_approval(no)?)?;
    if let Some(question) = question(&story, no) {
        return Ok(asked(&question, args.json));
    }
    let me = project.who();
    let review = read(project, &story, no, &me)?;
    // That it was looked at is noted beside: whoever cannot write here reads all the same.
    if let Some(post) = look(project, &story, no, &me)
        && let Err(error) = note(project, &story, &post)
    {
        tracing::warn!(%error, "that the approval was looked at cannot be noted");
    }
    if args.json {
        paint::json(&review);
        return Ok(Exit::Done);
    }
    let plan = &story.state().plan;
    mark_mode(plan);
    out(rendered::approval(&review, plan, session.zone(), How { whole: args.whole, detail: args.detail }));
    if review.open {
        match review.form {
            Some(_) => say(format!("callsheet answer {no}")),
            None => {
                let stops: Vec<&Comment> =
                    review.comments.iter().filter(|comment| comment.stops.contains(&no)).collect();
                if !stops.is_empty() {
                    let run = review.line.run;
                    let open = count(stops.len(), "open comment");
                    let settles = who_settles(&stops);
                    say(format!(
                        "{open} block{} approval; {}: callsheet resolve {run} {} -m TEXT",
                        if stops.len() == 1 { "s" } else { "" },
                        Safe(&settles),
                        stops[0].comment
                    ));
                }
                say(format!("callsheet approve {no} | request-changes {no} -m TEXT | edit {no} | reject {no} -m TEXT"))
            }
        }
    } else if let Some(Came::Replaced { by: Some(by) }) = review.came_to {
        say(format!("callsheet review {by}"));
    }
    Ok(Exit::Done)
}

fn asked(question: &Question, as_json: bool) -> Exit {
    if as_json {
        paint::json(question);
        return Exit::Done;
    }
    let (no, id, run) = (question.question, question.effect.0.short(), question.run);
    out(format!("Question {no}: effect {id} of run {run} began, and nobody knows whether it happened."));
    if let Some(why) = &question.why {
        out(Block(why));
    }
    say(format!("look at the sink, then: callsheet settle {no} --happened (or --did-not)"));
    Exit::Done
}

//! `callsheet comments`, `comment`, `reply`, `resolve`: what people remark on versions, and what came of it.

use std::fmt::Write as _;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, say, toned};
use super::session::Session;
use crate::id::RunNo;
use crate::run::input::Say;
use crate::service::comment::{self, comments as all, number};
use crate::service::thread::Comment;
use crate::words::thread::{place, state};
use crate::words::time::date_time;

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Only those that nobody has resolved
    #[arg(long)]
    open: bool,
    /// Prints NDJSON: one JSON object for each comment
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run
    run: u64,
    /// The artefact
    artefact: String,
    /// The part of it that is meant, such as /mails/0/subject; all of it if none is given
    #[arg(long, default_value = "", value_name = "PART", hide_default_value = true)]
    at: String,
    /// Its version, counted from 1; the newest if none is given
    #[arg(long, value_name = "N")]
    version: Option<usize>,
    /// Stops approvals of it until the comment is resolved
    #[arg(long)]
    blocking: bool,
    /// What you say; @NAME names somebody. No agent reads it, unless somebody sends it with request-changes
    #[arg(short, long)]
    message: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplyArgs {
    /// The run
    run: u64,
    /// The comment, such as c1
    comment: String,
    /// What you say; @NAME names somebody
    #[arg(short, long)]
    message: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResolveArgs {
    /// The run
    run: u64,
    /// The comment, such as c1
    comment: String,
    /// Says why; needed for a comment of somebody else
    #[arg(short, long, default_value = "", hide_default_value = true)]
    message: String,
}

pub(super) fn comments(session: &Session, args: &ListArgs) -> Result<Exit, Stop> {
    let project = &session.project;
    let story = project.read(project.run(args.run.map(RunNo))?)?;
    let listed: Vec<Comment> = all(&story).into_iter().filter(|of| of.open || !args.open).collect();
    if args.json {
        listed.iter().for_each(paint::json);
    } else if listed.is_empty() {
        say(format!("run {} has no {}comments", story.row.no, if args.open { "open " } else { "" }));
    } else {
        let mut page = String::new();
        listed.iter().for_each(|of| tell(&mut page, of, session.zone()));
        out(page.trim());
    }
    Ok(Exit::Done)
}

/// A comment with its answers, as lines of a page.
pub(super) fn tell(page: &mut String, of: &Comment, zone: &str) {
    let head = format!("{} on {}", of.comment, place(of));
    let _ = writeln!(page, "\n{}  {}", toned(Tone::Strong, Safe(&head)), Safe(&state(of)));
    for remark in &of.said {
        let _ = writeln!(page, "  {}, {}", Safe(&remark.by), date_time(remark.at, zone));
        let text = Block(remark.text.as_deref().unwrap_or("(resolved without a word)")).to_string();
        text.trim_end().lines().for_each(|line| {
            let _ = writeln!(page, "  | {line}");
        });
    }
}

pub(super) async fn comment(session: &Session, args: Args) -> Result<Exit, Stop> {
    let project = &session.project;
    project.declared(project.who())?;
    let mut story = project.read(project.run(Some(RunNo(args.run)))?)?;
    let of = (args.artefact.as_str(), args.version);
    let said = comment::on(&story, of, &args.at, args.message, args.blocking)?;
    kept(session.act(&mut story, said).await)
}

pub(super) async fn reply(session: &Session, args: ReplyArgs) -> Result<Exit, Stop> {
    let mut story = session.project.read(session.project.run(Some(RunNo(args.run)))?)?;
    let said = Say::Reply { comment: number(&args.comment)?, text: args.message };
    kept(session.act(&mut story, said).await)
}

pub(super) async fn resolve(session: &Session, args: ResolveArgs) -> Result<Exit, Stop> {
    let mut story = session.project.read(session.project.run(Some(RunNo(args.run)))?)?;
    let said = Say::Resolve { comment: number(&args.comment)?, text: args.message };
    kept(session.act(&mut story, said).await)
}

/// What was said is kept, however the run stands by now.
fn kept(came: Result<Exit, Stop>) -> Result<Exit, Stop> {
    came.map(|exit| if exit == Exit::Waiting { Exit::Done } else { exit })
}

//! `callsheet messages`: what the agents of a run said and did, as it was or as it comes.

use super::exit::{Exit, Stop};
use super::session::Session;
use super::story::{Shown, print};
use crate::id::RunNo;
use crate::service::follow::Feed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Go on as more happens, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Records as NDJSON, in the journal's own shapes
    #[arg(long)]
    json: bool,
    /// Below what a model chose: what it was offered, and on what evidence it chose
    #[arg(long)]
    detail: bool,
    /// Only from this member or person
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only with this outcome, or this word
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
}

pub(super) async fn messages(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.story(project.run(args.run.map(RunNo))?)?;
    let shown = Shown { json: args.json, detail: args.detail, from: args.from.clone(), word: args.outcome.clone() };
    if !args.follow {
        print(&story.news()?, &shown, session.zone());
        return Ok(Exit::Done);
    }
    let mut feed = Feed::open(project)?;
    loop {
        let news = tokio::select! {
            news = feed.next(&mut story) => news?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        };
        match news {
            Some(news) => print(&news, &shown, session.zone()),
            None => return Ok(Exit::Done),
        }
    }
}

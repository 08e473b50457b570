//! `callsheet messages`: what the agents of a run said and did, as it was or as it comes.

use std::collections::BTreeSet;

use super::exit::{Exit, Stop};
use super::session::Session;
use super::story::Shown;
use crate::id::{AgentName, RunNo};
use crate::service::error::Error;
use crate::service::follow::Feed;
use crate::service::story::{News, Story};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Goes on as more happens, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Prints NDJSON: the journal's records, each with what people see of it
    #[arg(long)]
    json: bool,
    /// Adds what exactly was asked, returned and written, and what each model was offered when it chose
    #[arg(long)]
    detail: bool,
    /// Only what this member or person said and did
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only what has this outcome, or this word
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
}

pub(super) async fn messages(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.story(project.run(args.run.map(RunNo))?)?;
    let shown = Shown { json: args.json, detail: args.detail, from: args.from.clone(), word: args.outcome.clone() };
    // Before anything is read, so that nothing is missed in between.
    let feed = if args.follow { Some(Feed::open(project)?) } else { None };
    let news = story.news()?;
    known(&story, &news, args)?;
    session.teller.print(&story, &news, &shown);
    let Some(mut feed) = feed else { return Ok(Exit::Done) };
    loop {
        let news = tokio::select! {
            news = feed.next(&mut story) => news?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        };
        match news {
            Some(news) => session.teller.print(&story, &news, &shown),
            None => return Ok(Exit::Done),
        }
    }
}

/// Refuses a name or a word that this run can never have, so that a mistake is not taken for silence.
fn known(story: &Story, news: &[News], args: &Args) -> Result<(), Error> {
    let (plan, entries) = (&story.state().plan, news.iter().filter_map(|one| one.entry.as_ref()));
    if let Some(name) = &args.from {
        let mut known: BTreeSet<&str> = plan.team.keys().map(AgentName::as_str).collect();
        known.extend(entries.clone().map(|entry| entry.from.as_str()));
        if !known.contains(name.as_str()) {
            return Err(Error::unknown("member or person", name, known));
        }
    }
    if let Some(word) = &args.outcome {
        let mut known: BTreeSet<&str> = plan.handoffs.values().flatten().map(|(outcome, _)| outcome.as_str()).collect();
        known.extend(entries.map(|entry| entry.word.as_str()));
        if !known.contains(word.as_str()) {
            return Err(Error::unknown("outcome or word", word, known));
        }
    }
    Ok(())
}

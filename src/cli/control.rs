//! `callsheet resume`, `pause`, `cancel`: a run's life, from outside.

use super::exit::{Exit, Stop};
use super::hint::raise_hint;
use super::paint::{Safe, out, say};
use super::session::Session;
use super::story::{Shown, mark_mode};
use crate::id::{NanoUsd, RunNo};
use crate::run::event::Raise;
use crate::run::input::Say;
use crate::run::view::why::paused_text;
use crate::service::act::{self, Driver};
use crate::service::story::Story;
use crate::topology::raw::walk::duration_ms;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Raises the limit of steps
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Raises the limit of tokens
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// Raises the limit of money, such as 7.50
    #[arg(long, value_name = "DOLLARS")]
    cost_usd: Option<NanoUsd>,
    /// Raises the limit of active time, in minutes
    #[arg(long, value_name = "MINUTES")]
    active_minutes: Option<u64>,
    /// Raises the limit of recipients
    #[arg(long, value_name = "N")]
    recipients: Option<u64>,
    /// Raises the limit of turns of each agent
    #[arg(long, value_name = "N")]
    turns: Option<u32>,
    /// Raises the limit of steps of each turn
    #[arg(long, value_name = "N")]
    steps_per_turn: Option<u32>,
    /// Gives each call of a model more time, such as 5m
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    call_timeout: Option<u64>,
    /// Lets each reply of a model be silent for longer, such as 2m
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    idle_timeout: Option<u64>,
}

fn time_ms(text: &str) -> Result<u64, String> {
    let wrong = || "write a duration, such as \"90s\", \"5m\" or \"2h\"".to_owned();
    duration_ms(text).ok_or_else(wrong)
}

impl ResumeArgs {
    fn raise(&self) -> Raise {
        Raise {
            steps: self.steps,
            tokens: self.tokens,
            cost: self.cost_usd,
            active_ms: self.active_minutes.map(|minutes| minutes.saturating_mul(60_000)),
            recipients: self.recipients,
            turns: self.turns,
            steps_per_turn: self.steps_per_turn,
            call_timeout_ms: self.call_timeout,
            idle_timeout_ms: self.idle_timeout,
        }
    }
}

pub(super) async fn resume(session: &Session, args: ResumeArgs) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.read(project.run(args.run.map(RunNo))?)?;
    match act::resume(story.state(), args.raise()) {
        act::Resume::Over => {
            session.may_record(Some(&story.row))?;
            session.record(&story.row)?;
            Ok(result(session, &story))
        }
        act::Resume::Post(say_what) => session.act(&mut story, say_what).await,
        act::Resume::RaiseFirst => {
            let (state, no) = (story.state(), story.row.no);
            let (raise, why) = (raise_hint(state), paused_text(state, &story.texts()).unwrap_or_default());
            say(format!("it was paused by a limit: {}. Raise it with: callsheet resume {no}{raise}", Safe(&why)));
            Ok(Exit::Budget)
        }
        act::Resume::TakeUp => {
            let driver = session.driver(Some(&story.row)).await?;
            let exit = take_up(session, &driver, &mut story).await;
            driver.stop().await;
            exit
        }
    }
}

/// What a run that is over came to.
fn result(session: &Session, story: &Story) -> Exit {
    let (row, status) = (&story.row, story.state().status());
    out(format!("run {} of {} is over: {}", row.no, row.topology, status.word()));
    session.hint(story, status);
    Exit::of(story)
}

async fn take_up(session: &Session, driver: &Driver, story: &mut Story) -> Result<Exit, Stop> {
    let mut live = driver.take_up(story).await?;
    mark_mode(&story.state().plan);
    // What happened up to here has been told, or is told by `messages`.
    story.catch_up()?;
    let (no, topology, before) = (story.row.no, &story.row.topology, story.seq());
    say(format!(
        "run {no} of {topology} goes on after record {before}; callsheet messages {no} tells what happened before"
    ));
    session.drive(driver, &mut live, story, &Shown::default()).await
}

pub(super) async fn pause(session: &Session, args: Args) -> Result<Exit, Stop> {
    post(session, args, Say::Pause).await
}

pub(super) async fn cancel(session: &Session, args: Args) -> Result<Exit, Stop> {
    post(session, args, Say::Cancel).await.map(|exit| if exit == Exit::Failed { Exit::Done } else { exit })
}

async fn post(session: &Session, args: Args, say_what: Say) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.read(project.run(args.run.map(RunNo))?)?;
    session.act(&mut story, say_what).await.map(|exit| if exit == Exit::Waiting { Exit::Done } else { exit })
}

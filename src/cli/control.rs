//! `callsheet resume`, `pause`, `cancel`: a run's life, from outside.

use std::sync::Arc;

use super::exit::{Exit, Stop};
use super::paint::{Safe, out, say};
use super::session::Session;
use super::story::{Bodies, Shown, Story, mark_mode};
use crate::id::NanoUsd;
use crate::journal::RunRow;
use crate::run::event::{Limit, PauseReason, Raise};
use crate::run::input::Say;
use crate::run::state::{Permit, State, Status};
use crate::run::view::why::paused_text;
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
    /// A higher limit of steps
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// A higher limit of tokens
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// A higher limit of money, such as 7.50
    #[arg(long, value_name = "DOLLARS")]
    cost_usd: Option<NanoUsd>,
    /// A higher limit of active time, in minutes
    #[arg(long, value_name = "MINUTES")]
    active_minutes: Option<u64>,
    /// A higher limit of recipients
    #[arg(long, value_name = "N")]
    recipients: Option<u64>,
    /// A higher limit of turns of each agent
    #[arg(long, value_name = "N")]
    turns: Option<u32>,
    /// A higher limit of steps of each turn
    #[arg(long, value_name = "N")]
    steps_per_turn: Option<u32>,
    /// A longer time-out of each call of a model, such as 5m
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    call_timeout: Option<u64>,
    /// A longer silence within each reply of a model, such as 2m
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

/// The option that raises the limit that a run is paused by, so far that it goes on a good way: to twice what it was, or
/// to the whole need where that is known and more. What the next step needs helps for one step only.
pub(super) fn raise_hint(state: &State, why: &PauseReason) -> String {
    const MINUTE_MS: u64 = 60_000;
    let PauseReason::Budget { what, needed, limit, .. } = why else { return String::new() };
    let known = if *what == Limit::Recipients { recipients_needed(state) } else { 0 };
    let enough = (*needed).max(known).max(limit.saturating_mul(2)).max(1);
    match what {
        Limit::Steps => format!(" --steps {enough}"),
        Limit::Tokens => format!(" --tokens {enough}"),
        Limit::Cost => format!(" --cost-usd {}", NanoUsd(enough).to_string().trim_start_matches('$')),
        Limit::ActiveTime => format!(" --active-minutes {}", enough.div_ceil(MINUTE_MS)),
        Limit::Recipients => format!(" --recipients {enough}"),
        Limit::Turns => format!(" --turns {}", enough.min(u32::MAX.into())),
        Limit::StepsPerTurn => format!(" --steps-per-turn {}", enough.min(u32::MAX.into())),
    }
}

/// All people that the run reaches in the end, as far as it is approved: each mail counts its own.
fn recipients_needed(state: &State) -> u64 {
    let unused = |permit: &Permit| {
        let slots = permit.manifest.items.iter().zip(0_u32..).filter(|(_, slot)| !permit.used.contains(slot));
        slots.map(|(item, _)| item.recipients).sum::<u64>()
    };
    let ledger = &state.ledger;
    ledger.spent.plus(ledger.reserved).recipients + state.permits.values().map(unused).sum::<u64>()
}

pub(super) async fn resume(session: &Session, args: ResumeArgs) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row(store.as_ref(), args.run)?;
    let state = session.load(store.as_ref(), &row)?.state;
    let texts = Bodies::new(Arc::clone(&store), row.id);
    let raise = args.raise();
    if let Status::Ended(_) = state.status() {
        session.may_record(Some(&row))?;
        session.record(store.as_ref(), &row)?;
        return Ok(result(session, &row, &state, &texts));
    }
    if raise != Raise::default() {
        return session.act(&row, Say::Raise(raise)).await;
    }
    match &state.paused {
        Some(why @ PauseReason::Budget { .. }) => {
            let raise = raise_hint(&state, why);
            let why = paused_text(&state, &texts).unwrap_or_default();
            say(format!("it was paused by a limit: {}. Raise it with: callsheet resume {}{raise}", Safe(&why), row.no));
            Ok(Exit::Budget)
        }
        Some(_) => session.act(&row, Say::Resume).await,
        None => drive(session, &row).await,
    }
}

/// What a run that is over came to.
fn result(session: &Session, row: &RunRow, state: &State, texts: &Bodies) -> Exit {
    let status = state.status();
    out(format!("run {} of {} is over: {}", row.no, row.topology, status.word()));
    session.hint(state, row, status, texts);
    Exit::of(state)
}

async fn drive(session: &Session, row: &RunRow) -> Result<Exit, Stop> {
    let running = session.system(Some(row)).await?;
    let system = &running.system;
    let handle = system.open(row.id, session.take_over).await?;
    let mut story = Story::open(Arc::clone(&system.ports().store), row.id, session.zone())?;
    mark_mode(&story.view.state().plan);
    let before = story.news()?.len();
    say(format!(
        "run {} of {} goes on after record {before}; callsheet messages {} tells what was",
        row.no, row.topology, row.no
    ));
    let exit = session.drive(system, &handle, &mut story, row, &Shown::default()).await;
    running.stop().await;
    exit
}

pub(super) async fn pause(session: &Session, args: Args) -> Result<Exit, Stop> {
    post(session, args, Say::Pause).await
}

pub(super) async fn cancel(session: &Session, args: Args) -> Result<Exit, Stop> {
    post(session, args, Say::Cancel).await.map(|exit| if exit == Exit::Failed { Exit::Done } else { exit })
}

async fn post(session: &Session, args: Args, say_what: Say) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row(store.as_ref(), args.run)?;
    session.act(&row, say_what).await.map(|exit| if exit == Exit::Waiting { Exit::Done } else { exit })
}

//! `callsheet show`: a run at a glance: state, spending against limits, agents, artefacts, what waits.

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, table, toned};
use super::rendered;
use super::session::Session;
use super::story::{date_time, mark_mode, origin_word};
use crate::id::{NanoUsd, RunNo};
use crate::run::event::Limit;
use crate::service::overview::{Budget, Overview, artefact, overview};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Print this artefact's latest version
    #[arg(long, value_name = "NAME")]
    artefact: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn show(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let story = project.read(project.run(args.run.map(RunNo))?)?;
    let plan = &story.state().plan;
    if let Some(wanted) = &args.artefact {
        let body = artefact(&story, wanted)?;
        if args.json {
            paint::json(&body);
        } else {
            let mut page = String::new();
            rendered::body(&mut page, plan, wanted, body.as_ref());
            out(page.trim_end());
        }
        return Ok(Exit::Done);
    }
    let overview = overview(project, &story);
    if args.json {
        paint::json(&overview);
        return Ok(Exit::Done);
    }
    mark_mode(plan);
    head(session, &overview);
    spending(&overview);
    agents(&overview);
    turns(&overview);
    versions(&overview);
    waiting(&overview);
    for told in &overview.left {
        out(format!("\nleft: {}", Safe(told)));
    }
    for result in &overview.results {
        let said = if result.text.is_empty() { String::new() } else { format!(": {}", Safe(&result.text)) };
        out(format!("\nresult: {} {}{said}", Safe(&result.from), Safe(&result.word)));
    }
    if let Some(folder) = &overview.folder {
        out(format!("\nfiles: {}", session.shown_path(folder)));
    }
    Ok(Exit::Done)
}

fn head(session: &Session, run: &Overview) {
    out(format!("run {} of {}: {}", run.run, run.topology, toned(Tone::Strong, run.status)));
    let by = run.started_by.as_ref().map_or_else(String::new, |who| format!(" by {} ({})", who.name, who.how));
    let driven = run.driven_by.as_ref().map_or_else(String::new, |owner| format!(", driven by {owner}"));
    let at = date_time(run.created_at, session.zone());
    out(format!("started {at}{}, {} records, id {}{driven}", Safe(&by), run.records, run.id));
    if let Some(why) = &run.paused {
        out(format!("paused: {}", Safe(why)));
    }
}

fn spending(run: &Overview) {
    let rows = run.budget.iter().map(|budget| {
        let Budget { what, spent, reserved, limit } = *budget;
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |limit| amount(what, limit));
        vec![limit_word(run, what).to_owned(), amount(what, spent), amount(what, reserved), limit]
    });
    out(format!("\n{}", table(&["budget", "spent", "reserved", "limit"], rows)));
    if let Some(lost) = &run.calls.in_doubt {
        out(format!("\nin doubt: {lost}"));
    }
    if let Some(assumed) = &run.calls.assumed {
        out(format!("\nassumed: {assumed}"));
    }
    if let Some(reported) = &run.calls.over_reported {
        out(format!("\nover-reported: {reported}; what was allowed counts as spent"));
    }
}

fn amount(of: Limit, amount: u64) -> String {
    match of {
        Limit::Cost => NanoUsd(amount).to_string(),
        Limit::ActiveTime => format!("{}.{} s", amount / 1_000, amount % 1_000 / 100),
        _ => amount.to_string(),
    }
}

fn limit_word(run: &Overview, of: Limit) -> &'static str {
    match of {
        Limit::Steps => "steps",
        Limit::Tokens => "tokens",
        Limit::Cost => cost_word(run),
        Limit::ActiveTime => "active time",
        Limit::Recipients => "recipients",
        Limit::Turns => "turns",
        Limit::StepsPerTurn => "steps per turn",
    }
}

/// How money is called: where no model runs, it is what its prices would have come to.
fn cost_word(run: &Overview) -> &'static str {
    if run.would_have_cost { "would cost" } else { "cost" }
}

fn agents(run: &Overview) {
    let rows = run.agents.iter().map(|agent| {
        vec![
            agent.agent.to_string(),
            agent.does.clone(),
            agent.turns.to_string(),
            agent.spent.steps.to_string(),
            agent.spent.tokens.to_string(),
            agent.spent.cost.to_string(),
            agent.restarts.to_string(),
        ]
    });
    let heading = ["agent", "does", "turns", "steps", "tokens", cost_word(run), "restarts"];
    out(format!("\n{}", table(&heading, rows)));
}

/// What each turn came to: who handled what, in which round.
fn turns(run: &Overview) {
    let rows = run.turns.iter().map(|turn| {
        let from = turn.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
        let round = if turn.round > 1 { turn.round.to_string() } else { String::new() };
        vec![
            turn.message.to_string(),
            turn.agent.to_string(),
            format!("{}{from}", turn.on),
            round,
            turn.spent.steps.to_string(),
            turn.spent.tokens.to_string(),
            turn.spent.cost.to_string(),
        ]
    });
    if !run.turns.is_empty() {
        let heading = ["turn", "agent", "on", "round", "steps", "tokens", cost_word(run)];
        out(format!("\n{}", table(&heading, rows)));
    }
}

fn versions(run: &Overview) {
    let rows = run.versions.iter().map(|version| {
        vec![
            version.artefact.to_string(),
            version.version.short(),
            version.by.clone(),
            version.message.to_string(),
            origin_word(version.origin).to_owned(),
            format!("{} B", version.bytes),
            if version.remarked { "yes" } else { "" }.to_owned(),
        ]
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    if !rows.is_empty() {
        let heading = ["artefact", "version", "by", "turn", "origin", "size", "remarks"];
        out(format!("\n{}", table(&heading, rows)));
    }
}

fn waiting(run: &Overview) {
    for (no, agent) in &run.approvals {
        out(format!("\nwaiting: approval {no} of {agent}: callsheet review {no}"));
    }
    for no in &run.questions {
        out(format!("\nin doubt: callsheet review {no}, then callsheet settle {no} --happened (or --did-not)"));
    }
    for letter in &run.dead_letters {
        let (id, class) = (letter.message, letter.class.word());
        out(format!("\ndead letter {id}: {class}: {}", Block(&letter.reason)));
    }
}

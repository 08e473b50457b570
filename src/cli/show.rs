//! `callsheet show`: a run at a glance: state, spending against limits, agents, artefacts, what waits.

use std::collections::BTreeMap;

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, table, toned};
use super::rendered;
use super::session::Session;
use super::story::{Bodies, Story, date_time, mark_mode, origin_word};
use crate::id::{ApprovalNo, NanoUsd};
use crate::journal::RunRow;
use crate::run::event::Limit;
use crate::run::state::{Approval, State};
use crate::run::view::View;
use crate::run::view::models::models;
use crate::run::view::why::paused_text;
use crate::topology::plan::{Mode, Recipient};

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
    let store = session.store()?;
    let row = session.row(store.as_ref(), args.run)?;
    let loaded = session.load(store.as_ref(), &row)?;
    let (state, texts) = (&loaded.state, Bodies::new(store, row.id));
    if let Some(wanted) = &args.artefact {
        return artefact(state, &texts, wanted, args.json);
    }
    let mut story = Story::open(session.store()?, row.id, session.zone())?;
    let news = story.news()?;
    if args.json {
        let work =
            |(no, approval): (&ApprovalNo, &Approval)| (no.to_string(), story.view.work(approval.message, &texts));
        paint::json(&json!({
            "run": row.no, "id": row.id, "topology": row.topology, "records": loaded.seq, "epoch": state.epoch,
            "summary": row.summary, "plan": loaded.digest, "desk": latest(state),
            "mode": state.plan.mode, "would_have_cost": state.plan.mode != Mode::Live, "models": models(&state.plan),
            "work": state.approvals.iter().map(work).collect::<BTreeMap<_, _>>(),
        }));
        return Ok(Exit::Done);
    }
    mark_mode(&state.plan);
    head(session, &row, state, &texts);
    spending(state);
    if let Some(lost) = story.view.lost_calls() {
        out(format!("\nin doubt: {lost}"));
    }
    if let Some(assumed) = story.view.assumed_calls() {
        out(format!("\nassumed: {assumed}"));
    }
    if let Some(reported) = story.view.over_reported_calls() {
        out(format!("\nover-reported: {reported}; what was allowed counts as spent"));
    }
    agents(state);
    turns(&story.view);
    artefacts(state);
    waiting(state, &texts);
    for told in story.view.told() {
        out(format!("\nleft: {}", Safe(told)));
    }
    for (_, entry) in news {
        if let Some(entry) = entry.filter(|entry| entry.to.as_deref() == Some("end")) {
            let said = if entry.text.is_empty() { String::new() } else { format!(": {}", Safe(&entry.text)) };
            out(format!("\nresult: {} {}{said}", Safe(&entry.from), Safe(&entry.word)));
        }
    }
    if let Some(folder) = session.folder(&row) {
        out(format!("\nfiles: {}", session.shown_path(&folder)));
    }
    Ok(Exit::Done)
}

fn head(session: &Session, row: &RunRow, state: &State, texts: &Bodies) {
    let status = toned(Tone::Strong, state.status().word());
    out(format!("run {} of {}: {status}", row.no, row.topology));
    let by = state.starter.as_ref().map_or_else(String::new, |who| format!(" by {} ({})", who.name, who.how));
    let driven = row.owner.as_ref().map_or_else(String::new, |owner| format!(", driven by {}", owner.label));
    let at = date_time(row.created_at, session.zone());
    out(format!("started {at}{}, {} records, id {}{driven}", Safe(&by), row.last, row.id));
    if let Some(why) = paused_text(state, texts) {
        out(format!("paused: {}", Safe(&why)));
    }
}

fn spending(state: &State) {
    let (spent, reserved) = (state.ledger.spent, state.ledger.reserved);
    let money = |nanos: u64| NanoUsd(nanos).to_string();
    let plain = |n: u64| n.to_string();
    let minutes = |ms: u64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let row = |what: Limit, name: &str, used: u64, held: u64, words: &dyn Fn(u64) -> String| {
        let limit = state.limit(what).map_or_else(|| "unlimited".to_owned(), words);
        vec![name.to_owned(), words(used), words(held), limit]
    };
    let rows = vec![
        row(Limit::Steps, "steps", spent.steps, reserved.steps, &plain),
        row(Limit::Tokens, "tokens", spent.tokens, reserved.tokens, &plain),
        row(Limit::Cost, cost_word(state), spent.cost.0, reserved.cost.0, &money),
        row(Limit::ActiveTime, "active time", state.active_ms(state.now), 0, &minutes),
        row(Limit::Recipients, "recipients", spent.recipients, reserved.recipients, &plain),
    ];
    out(format!("\n{}", table(&["budget", "spent", "reserved", "limit"], rows)));
}

fn agents(state: &State) {
    let rows = state.plan.team.iter().map(|(name, member)| {
        let known = state.agents.get(name);
        let account = state.ledger.by_agent.get(name).copied().unwrap_or_default();
        vec![
            name.to_string(),
            member.does.clone(),
            known.map_or(0, |agent| agent.turns_total).to_string(),
            account.spent.steps.to_string(),
            account.spent.tokens.to_string(),
            account.spent.cost.to_string(),
            known.map_or(0, |agent| agent.restarts_total).to_string(),
        ]
    });
    let heading = ["agent", "does", "turns", "steps", "tokens", cost_word(state), "restarts"];
    out(format!("\n{}", table(&heading, rows)));
}

/// How money is called: where no model runs, it is what its prices would have come to.
fn cost_word(state: &State) -> &'static str {
    if state.plan.mode == Mode::Live { "cost" } else { "would cost" }
}

/// What each turn came to: who handled what, in which round.
fn turns(view: &View) {
    let rows = view.spent().iter().filter_map(|(id, spent)| {
        let message = view.message(*id)?;
        let Recipient::Member(agent) = &message.to else { return None };
        let from = message.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
        let round = if message.round > 1 { message.round.to_string() } else { String::new() };
        Some(vec![
            id.to_string(),
            agent.to_string(),
            format!("{}{from}", message.outcome),
            round,
            spent.steps.to_string(),
            spent.tokens.to_string(),
            spent.cost.to_string(),
        ])
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let heading = ["turn", "agent", "on", "round", "steps", "tokens", cost_word(view.state())];
        out(format!("\n{}", table(&heading, rows)));
    }
}

/// The newest version of each artefact.
fn latest(state: &State) -> BTreeMap<String, crate::id::Digest> {
    let desks = state.turns.values().map(|turn| &turn.desk).chain(state.results.iter().map(|message| &message.desk));
    let desks = desks.chain(state.approvals.values().map(|approval| &approval.desk));
    desks.flatten().map(|(name, digest)| (name.to_string(), *digest)).collect()
}

fn artefacts(state: &State) {
    let rows = state.versions.values().map(|version| {
        let by = version.person.as_ref().map_or_else(|| version.writer.to_string(), |person| person.name.clone());
        let remarks = if version.findings.is_some() { "yes" } else { "" };
        vec![
            version.artefact.to_string(),
            version.body.digest.short(),
            by,
            version.message.to_string(),
            origin_word(version.origin).to_owned(),
            format!("{} B", version.body.bytes),
            remarks.to_owned(),
        ]
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    if !rows.is_empty() {
        let heading = ["artefact", "version", "by", "turn", "origin", "size", "remarks"];
        out(format!("\n{}", table(&heading, rows)));
    }
}

fn waiting(state: &State, texts: &Bodies) {
    for (no, approval) in state.open_approvals() {
        out(format!("\nwaiting: approval {no} of {}: callsheet review {no}", approval.agent));
    }
    for no in state.questions.keys() {
        out(format!("\nin doubt: callsheet review {no}, then callsheet settle {no} --happened (or --did-not)"));
    }
    for (id, letter) in &state.dead {
        let reason = crate::run::view::why::letter_text(state, texts, letter);
        out(format!("\ndead letter {id}: {}: {}", letter.class.word(), Block(&reason)));
    }
}

fn artefact(state: &State, texts: &Bodies, wanted: &str, as_json: bool) -> Result<Exit, Stop> {
    let all = latest(state);
    let digest = all.get(wanted).ok_or_else(|| {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        Stop::input(format!("the run has no artefact {wanted}; it has: {}", known.join(", ")))
    })?;
    if as_json {
        use crate::run::view::Texts as _;
        paint::json(&texts.value(*digest).unwrap_or_default());
    } else {
        let mut page = String::new();
        rendered::body(&mut page, state, wanted, *digest, texts);
        out(page.trim_end());
    }
    Ok(Exit::Done)
}

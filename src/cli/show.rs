//! `callsheet show`: a run at a glance: state, spending against limits, agents, artefacts, what waits.

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, say, table, toned};
use super::rendered;
use super::results;
use super::session::Session;
use super::story::mark_mode;
use crate::id::{RunNo, Timestamp, thousands};
use crate::run::event::Limit;
use crate::run::view::{amount, count};
use crate::service::overview::{Budget, Overview, Written, artefact, overview};
use crate::words::origin_word;
use crate::words::time::date_time;
use crate::words::{self, progress, version};

/// Rows of what came of the run that are shown.
const RESULTS_SHOWN: usize = 20;

/// Turns that are shown, and versions of artefacts: the latest of them, and of each artefact the newest, unless somebody asks
/// for all.
const LATEST_SHOWN: usize = 40;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Prints this artefact: its newest version, unless --version names another
    #[arg(long, value_name = "NAME")]
    artefact: Option<String>,
    /// With --artefact: which version, counted from 1
    #[arg(long, value_name = "N", requires = "artefact")]
    version: Option<usize>,
    /// Shows all turns and versions, however many there are
    #[arg(long)]
    all: bool,
    /// Adds record numbers, digests and sizes
    #[arg(long)]
    detail: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn show(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let story = project.read(project.run(args.run.map(RunNo))?)?;
    let plan = &story.state().plan;
    if let Some(wanted) = &args.artefact {
        let (written, body) = artefact(&story, wanted, args.version)?;
        if args.json {
            paint::json(&body);
        } else {
            let last = story.view.versions_of(wanted).len();
            let title = version(written.artefact.as_str(), written.no, written.written_at, session.zone());
            let is_section = written.artefact.as_str() != wanted;
            let title = if is_section { format!("{wanted}, last written as {title}") } else { title };
            let others =
                if last > 1 { format!("; there are {last}: --version N shows another") } else { String::new() };
            say(format!("{title}, by {}{others}", Safe(&written.by)));
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
    head(session, &overview, args.detail);
    spending(&overview);
    agents(&overview);
    turns(&overview, args.all);
    versions(session, &overview, args);
    waiting(session, &overview);
    for told in &overview.left {
        out(format!("\nleft: {}", Safe(told)));
    }
    for result in &overview.results {
        let said = if result.text.is_empty() { String::new() } else { format!(": {}", Safe(&result.text)) };
        out(format!("\nresult: {} {}{said}", Safe(&result.from), Safe(&result.word)));
    }
    if let Some(last) = overview.attached.first() {
        results::shown(session, last, RESULTS_SHOWN);
    }
    if let Some(folder) = &overview.folder {
        out(format!("\nfiles: {}", session.shown_path(folder)));
    }
    Ok(Exit::Done)
}

fn head(session: &Session, run: &Overview, detail: bool) {
    out(format!("run {} of {}: {}", run.run, run.topology, toned(Tone::Strong, run.status)));
    let by = run.started_by.as_ref().map_or_else(String::new, |who| format!(" by {} ({})", who.name, who.how));
    let driven = run.driven_by.as_ref().map_or_else(String::new, |owner| format!(", driven by {owner}"));
    let at = date_time(run.created_at, session.zone());
    out(format!("started {at}{}{driven}", Safe(&by)));
    if detail {
        out(format!("id {}, {} records, plan {}", run.id, run.records, run.plan.short()));
    }
    if !run.params.is_empty() {
        out("parameters");
    }
    for (name, value) in &run.params {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out(format!("  {}: {}", Safe(name), Safe(&value)));
    }
    if let Some(why) = &run.paused {
        out(format!("paused: {}", Safe(why)));
    }
}

fn spending(run: &Overview) {
    let rows = run.budget.iter().map(|budget| {
        let Budget { what, unit: _, spent, reserved, limit } = *budget;
        let amount = |of| amount(what, of);
        let limit = limit.map_or_else(|| "unlimited".to_owned(), amount);
        vec![words::limit(what, run.would_have_cost).to_owned(), amount(spent), amount(reserved), limit]
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

fn agents(run: &Overview) {
    let rows = run.agents.iter().map(|agent| {
        vec![
            agent.agent.to_string(),
            agent.turns.to_string(),
            thousands(agent.spent.steps),
            thousands(agent.spent.tokens),
            agent.spent.cost.to_string(),
            agent.restarts.to_string(),
        ]
    });
    let heading = ["agent", "turns", "steps", "tokens", words::limit(Limit::Cost, run.would_have_cost), "restarts"];
    out(format!("\n{}", table(&heading, rows)));
}

/// What each turn came to: who handled what, in which round.
fn turns(run: &Overview, all: bool) {
    let left_out = if all { 0 } else { run.turns.len().saturating_sub(LATEST_SHOWN) };
    let rows = run.turns[left_out..].iter().map(|turn| {
        let from = turn.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
        let round = if turn.round > 1 { turn.round.to_string() } else { String::new() };
        vec![
            turn.message.to_string(),
            turn.agent.to_string(),
            format!("{}{from}", turn.on),
            round,
            thousands(turn.spent.steps),
            thousands(turn.spent.tokens),
            turn.spent.cost.to_string(),
        ]
    });
    if !run.turns.is_empty() {
        let heading =
            ["turn", "agent", "on", "round", "steps", "tokens", words::limit(Limit::Cost, run.would_have_cost)];
        out(format!("\n{}", table(&heading, rows)));
        earlier(run, left_out, "turn");
    }
}

fn versions(session: &Session, run: &Overview, args: &Args) {
    let shown = if args.all { run.versions.iter().collect() } else { latest(&run.versions) };
    let left_out = run.versions.len() - shown.len();
    let rows = shown.into_iter().map(|version| {
        let mut row = vec![
            version.artefact.to_string(),
            version.no.to_string(),
            date_time(version.written_at, session.zone()),
            version.by.clone(),
            version.message.to_string(),
            origin_word(version.origin).to_owned(),
            if version.remarked { "yes" } else { "" }.to_owned(),
        ];
        if args.detail {
            row.extend([version.version.short(), format!("{} B", version.bytes)]);
        }
        row
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let mut heading = vec!["artefact", "version", "written", "by", "turn", "origin", "remarks"];
        if args.detail {
            heading.extend(["digest", "size"]);
        }
        out(format!("\n{}", table(&heading, rows)));
        earlier(run, left_out, "version");
    }
}

/// What is shown of many versions, in their order.
fn latest(versions: &[Written]) -> Vec<&Written> {
    let mut times: Vec<Timestamp> = versions.iter().map(|version| version.written_at).collect();
    times.sort_unstable();
    let from = times.len().checked_sub(LATEST_SHOWN).and_then(|from| times.get(from).copied());
    let is_shown = |(at, version): &(usize, &Written)| {
        let is_newest = versions.get(at + 1).is_none_or(|next| next.artefact != version.artefact);
        is_newest || from.is_none_or(|from| version.written_at >= from)
    };
    versions.iter().enumerate().filter(is_shown).map(|(_, version)| version).collect()
}

/// Says how many are left out, and how to see them.
fn earlier(run: &Overview, left_out: usize, what: &str) {
    if left_out > 0 {
        out(format!(" {}: callsheet show {} --all", count(left_out, &format!("earlier {what}")), run.run));
    }
}

fn waiting(session: &Session, run: &Overview) {
    for later in &run.later {
        out(format!("\nwaiting: {}", words::later(later.at, later.items, later.agent.as_str(), session.zone())));
    }
    for line in &run.waiting {
        let (no, agent) = (line.approval, &line.agent);
        let progress = progress(line.needed, &line.approved_by);
        let progress = progress.map_or_else(String::new, |progress| format!(" ({})", Safe(&progress)));
        out(format!("\nwaiting: approval {no} of {agent}{progress}: callsheet review {no}"));
    }
    for no in &run.questions {
        out(format!("\nin doubt: callsheet review {no}, then callsheet settle {no} --happened (or --did-not)"));
    }
    for note in &run.notes {
        let read = note.read_in.map_or_else(|| "not read".to_owned(), |turn| format!("read in the turn of {turn}"));
        out(format!("\nnote of {} to {}, {read}: {}", Safe(&note.by), note.to, Block(&note.text)));
    }
    if !run.followers.is_empty() {
        let who: Vec<&str> = run.followers.iter().map(String::as_str).collect();
        out(format!("\nfollowed by {}: told how it ends", Safe(&who.join(", "))));
    }
    for letter in &run.dead_letters {
        let (id, class) = (letter.message, letter.class.word());
        out(format!("\ndead letter {id}: {class}: {}", Block(&letter.reason)));
    }
}

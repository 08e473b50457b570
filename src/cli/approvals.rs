//! `callsheet approvals`: what waits for a person, oldest first.

use super::exit::{Exit, Stop};
use super::paint::{self, out, say, table};
use super::session::Session;
use crate::run::event::Who;
use crate::run::state::Wants;
use crate::run::view::count;
use crate::service::list::{self, ApprovalLine, Open, Params};
use crate::words;
use crate::words::approval::on_it;
use crate::words::time::date_time;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints NDJSON: one JSON object for each
    #[arg(long)]
    json: bool,
    /// Lists only what you may decide or answer, and what was escalated to you
    #[arg(long)]
    mine: bool,
}

pub(super) fn approvals(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let mut cells = Vec::new();
    for open in list::open(&session.project)? {
        if args.mine && !is_mine(session, &open) {
            continue;
        }
        if args.json {
            paint::json(&open);
        }
        cells.push(match open {
            Open::Approval(asked) => {
                let names: Vec<&str> = asked.about.iter().map(|name| name.as_str()).collect();
                let names = match asked.line.wants {
                    Wants::Decision => names.join(", "),
                    Wants::Form if names.is_empty() => "choose".to_owned(),
                    Wants::Form => format!("fill in {}", names.join(", ")),
                    Wants::Sentence => "answer a question".to_owned(),
                };
                let waits = waits(&asked.line);
                let items = asked.items.map_or_else(String::new, |of| format!(" ({} to deliver)", count(of, "item")));
                let progress = words::progress(asked.line.needed, &asked.line.approved_by);
                let told = progress.into_iter().chain(on_it(&asked.line));
                let progress: String = told.map(|told| format!(", {told}")).collect();
                vec![
                    asked.line.approval.to_string(),
                    format!(
                        "{} of {}",
                        words::run(asked.line.run, asked.line.mode, &Params::new()),
                        asked.line.topology
                    ),
                    words::params(&asked.line.given),
                    asked.line.agent.to_string() + &progress,
                    names + &items + &waits,
                    date_time(asked.line.expires_at, session.zone()),
                ]
            }
            Open::Question { question, run, topology } => vec![
                question.to_string(),
                format!("run {run} of {topology}"),
                String::new(),
                "anybody".to_owned(),
                "did it happen?".to_owned(),
                String::new(),
            ],
        });
    }
    match (args.json, cells.is_empty()) {
        (true, _) => {}
        (false, true) => say("nothing waits for anybody"),
        (false, false) => out(table(&["approval", "of", "params", "asked", "about", "until"], cells)),
    }
    Ok(Exit::Done)
}

/// Whether whoever asks may say something to it.
fn is_mine(session: &Session, open: &Open) -> bool {
    let Open::Approval(asked) = open else { return true };
    let who = session.project.who();
    let groups = session.settings.people.as_ref().and_then(|people| people.get(&who.name)).cloned();
    let who = Who { groups: groups.unwrap_or_default(), ..who };
    asked.who.is_empty() || asked.who.iter().chain(&asked.line.escalated_to).any(|of| who.is(of))
}

/// What was done because nobody has said anything.
fn waits(line: &ApprovalLine) -> String {
    let reminded = (line.reminded > 0).then(|| format!("reminded {}", count_times(line.reminded)));
    let escalated = line.escalated_to.as_ref().map(|to| format!("escalated to {to}"));
    let told: Vec<String> = reminded.into_iter().chain(escalated).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn count_times(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

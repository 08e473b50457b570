//! `callsheet try`: one agent on one message, with all that it is shown and what it answers. The run is a real one, in memory:
//! it ends with the agent's turn, and the project's journal hears nothing of it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, prose, say, toned};
use super::run::params;
use super::session::Session;
use super::story::mark_mode;
use crate::actor::examiner::Examiner;
use crate::app;
use crate::file::words;
use crate::id::{AgentName, ArtefactName};
use crate::model::{Act, Reply, ToolCall};
use crate::service::error::Error;
use crate::service::single::{Desk, Heard, Single, ruled};
use crate::service::start::{Start, Voice};
use crate::tool::Sight;
use crate::topology::fault::nearest;
use crate::topology::plan::{Mode, Plan};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agent: a member of a team
    agent: String,
    /// Its team; needed if it is on several
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// The message that the agent gets
    #[arg(long, short, value_name = "TEXT", default_value = "Do your work, please.")]
    message: String,
    /// Puts an artefact on its desk: its name, and a JSON or TOML file
    #[arg(long = "artefact", value_name = "NAME=FILE")]
    artefacts: Vec<String>,
    /// Sets a parameter of the topology
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Asks no model: the agent speaks from the rehearsal
    #[arg(long, conflicts_with = "model")]
    rehearse: bool,
    /// Prints NDJSON: the request, and then the answer
    #[arg(long)]
    json: bool,
}

/// Largest artefact.
const ARTEFACT_BYTES_MAX: u64 = 16 << 20;

pub(super) async fn single(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let (voice, mode) = match args.rehearse {
        true => (Voice::Script, Mode::Rehearsal),
        false => (Voice::Named, session.settings.mode()),
    };
    let topology = team(session, args, mode)?;
    let start = Start::of(project, &topology, &voice, &params(&args.params)?, project.who())?;
    let agent: AgentName = args.agent.parse().map_err(|why| Stop::input(format!("{}: {why}", args.agent)))?;
    let artefacts = artefacts(&start.plan, &args.artefacts)?;
    if let Some(ruled) = ruled(&start, &agent, &artefacts)? {
        match args.json {
            true => paint::json(&json!({ "outcome": ruled.outcome, "line": ruled.line, "note": ruled.note })),
            false => out(format!("{}: {}", ruled.outcome, Safe(&ruled.note))),
        }
        return Ok(Exit::Done);
    }
    mark_mode(&start.plan);
    let mut single = Single::begin(project, start, &agent, &artefacts, &args.message).await?;
    let mut exit = Exit::Failed;
    let exit = loop {
        let heard = tokio::select! {
            heard = single.next() => heard,
            _ = tokio::signal::ctrl_c() => break Exit::Interrupted,
        };
        let Some(heard) = heard else { break exit };
        if let Heard::Said(said) = &heard {
            exit = if said.is_ok() { Exit::Done } else { Exit::Failed };
        }
        tell(heard, args.json);
    };
    single.stop().await;
    Ok(exit)
}

/// The team that is tried.
fn team(session: &Session, args: &Args, mode: Mode) -> Result<String, Stop> {
    let refused = |faults| Stop::from(Error::Faulty(faults));
    if let Some(name) = &args.topology {
        let checked = session.project.check(name, mode).map_err(refused)?;
        return match checked.plan.team.keys().any(|member| member.as_str() == args.agent) {
            true => Ok(name.clone()),
            false => Err(unknown(
                &args.agent,
                checked.plan.team.keys().map(AgentName::as_str),
                &format!("on the team of {name}"),
            )),
        };
    }
    let (mut on, mut others, mut faulty) = (vec![], vec![], None);
    for (_, checked) in session.project.check_all(mode) {
        match checked {
            Ok(checked) if checked.plan.team.keys().any(|member| member.as_str() == args.agent) => on.push(checked),
            Ok(checked) => others.extend(checked.plan.team.keys().map(ToString::to_string)),
            Err(faults) => faulty = faulty.or(Some(faults)),
        }
    }
    match (on.len(), faulty) {
        (1, _) => Ok(on.remove(0).plan.name),
        (0, Some(faults)) => Err(refused(faults)),
        (0, None) => Err(unknown(&args.agent, others.iter().map(String::as_str), "on a team of this project")),
        _ => {
            let names: Vec<&str> = on.iter().map(|checked| checked.plan.name.as_str()).collect();
            Err(Stop::input(format!(
                "{} is on several teams: say which with --topology ({})",
                args.agent,
                names.join(", ")
            )))
        }
    }
}

fn unknown<'n>(agent: &str, names: impl Iterator<Item = &'n str> + Clone, place: &str) -> Stop {
    let mut known: Vec<&str> = names.clone().collect();
    known.sort_unstable();
    known.dedup();
    let meant = nearest(agent, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Stop::input(format!("there is no {agent} {place}{meant}\nthere are: {}", known.join(", ")))
}

/// The artefacts that are given, each as its schema wants it.
fn artefacts(plan: &Plan, given: &[String]) -> Result<Desk, Stop> {
    let mut found = Desk::new();
    for pair in given {
        let (name, file) =
            pair.split_once('=').ok_or_else(|| Stop::input(format!("--artefact {pair}: it is given as NAME=FILE")))?;
        let known = plan.artefacts.keys().find(|known| known.as_str() == name);
        let known = known.ok_or_else(|| {
            unknown(
                name,
                plan.artefacts.keys().map(ArtefactName::as_str),
                &format!("among the artefacts of {}", plan.name),
            )
        })?;
        let text = crate::file::text(&PathBuf::from(file), ARTEFACT_BYTES_MAX);
        let unread = |why| Stop::input(format!("--artefact {name}: {file} cannot be read: {}", words(&why)));
        let text = text.map_err(unread)?;
        let value: Result<Value, String> = match file.ends_with(".json") {
            true => serde_json::from_str(&text).map_err(|why| why.to_string()),
            false => toml::from_str(&text).map_err(|why| why.to_string()),
        };
        let value = value.map_err(|why| Stop::input(format!("--artefact {name}: {file}: {why}")))?;
        found.insert(known.clone(), value);
    }
    let examiner = Examiner::new(plan, &app::checks()).map_err(|why| Stop::failed(why.to_string()))?;
    for (name, value) in &found {
        let verdict = examiner.examine(name, value, &Sight::of(&found));
        if !verdict.problems.is_empty() {
            return Err(Stop::input(format!("--artefact {name}: {}", verdict.problems.join("\n"))));
        }
    }
    Ok(found)
}

fn tell(heard: Heard, as_json: bool) {
    match heard {
        Heard::Asked(text) if as_json => paint::json(&json!({ "request": text })),
        Heard::Said(Ok(reply)) if as_json => paint::json(&json!({ "reply": reply })),
        Heard::Asked(text) => prose(format!("{}\n{}", toned(Tone::Strong, "# what it is shown"), Block(&text))),
        Heard::Said(Ok(reply)) => {
            prose(format!("{}\n{}", toned(Tone::Strong, "# what it answers"), Block(&act(&reply))));
        }
        Heard::Said(Err(why)) => say(format!("{} {}", toned(Tone::Bad, "no answer:"), Block(&why))),
    }
}

fn act(reply: &Reply) -> String {
    match &reply.act {
        Act::Calls(calls) => {
            let call = |call: &ToolCall| format!("calls {} with {}", call.tool, call.args);
            calls.iter().map(call).collect::<Vec<_>>().join("\n") + "\n"
        }
        Act::Answer(answer) => {
            let wrote = answer.writes.iter().map(|(name, body)| format!("writes {name}: {body:#}\n"));
            format!("{}: {}\n{}", answer.outcome, Safe(&answer.note), wrote.collect::<String>())
        }
        Act::Unusable(why) => format!("nothing that can be used: {}\n", why.join("; ")),
    }
}

//! `callsheet try`: one agent on one message, with all that it is shown and what it answers. The run is a real one, in memory:
//! it ends with the agent's turn, and the project's journal hears nothing of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exit::{Exit, Stop};
use super::paint::{self, Block, Safe, Tone, out, say, toned};
use super::run::params;
use super::session::Session;
use super::story::mark_mode;
use crate::actor::examiner::Examiner;
use crate::actor::system::Handle;
use crate::app;
use crate::failure::Work;
use crate::id::{AgentName, ArtefactName, Outcome};
use crate::model::conversation::prompt;
use crate::model::{Act, Answer, Ask, Model, Reply, ToolCall};
use crate::run::event::Origin;
use crate::run::state::Status;
use crate::service::error::Error;
use crate::service::start::{Start, Voice};
use crate::service::test::Scratch;
use crate::topology::fault::nearest;
use crate::topology::plan::{Handoff, Mode, Plan, Recipient, Role};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agent: a member of a team
    agent: String,
    /// Its team; needed if it is on several
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// What the message says that it gets
    #[arg(long, short, value_name = "TEXT", default_value = "Do your work, please.")]
    message: String,
    /// An artefact on its desk: the name, and a JSON or TOML file
    #[arg(long = "artefact", value_name = "NAME=FILE")]
    artefacts: Vec<String>,
    /// A parameter
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// No model runs: the agent speaks from the rehearsal
    #[arg(long, conflicts_with = "model")]
    rehearse: bool,
    /// The request and the answer as NDJSON
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
    let (plan, feeder) = on_one_message(&start.plan, &agent, &artefacts)?;
    mark_mode(&plan);
    let scratch = Scratch::new()?;
    let (to, heard) = unbounded_channel();
    let note = args.message.clone();
    let wrapped = |inner| -> Arc<dyn Model> {
        let (agent, feeder, to) = (agent.clone(), feeder.clone(), to.clone());
        let handed =
            feeder.map(|(from, outcome)| (from, Answer { outcome, note: note.clone(), writes: artefacts.clone() }));
        Arc::new(One { agent, handed, inner, to })
    };
    let running = app::start_wrapped(&session.settings, scratch.folder().to_owned(), wrapped).await?;
    let handle = running.system.run(&plan, &start.brief, start.by).await?;
    let mut turn = Told { heard, as_json: args.json, exit: Exit::Failed };
    let exit = tokio::select! {
        told = turn.follow(&handle) => told,
        _ = tokio::signal::ctrl_c() => Exit::Interrupted,
    };
    running.stop().await;
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
    for name in session.project.topologies() {
        match session.project.check(&name, mode) {
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
fn artefacts(plan: &Plan, given: &[String]) -> Result<BTreeMap<ArtefactName, Value>, Stop> {
    let mut found = BTreeMap::new();
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
        let text = text.map_err(|why| Stop::input(format!("--artefact {name}: {file}: {why}")))?;
        let value: Result<Value, String> = match file.ends_with(".json") {
            true => serde_json::from_str(&text).map_err(|why| why.to_string()),
            false => toml::from_str(&text).map_err(|why| why.to_string()),
        };
        let value = value.map_err(|why| Stop::input(format!("--artefact {name}: {file}: {why}")))?;
        found.insert(known.clone(), value);
    }
    let examiner = Examiner::new(plan, &app::checks()).map_err(|why| Stop::failed(why.to_string()))?;
    for (name, value) in &found {
        let verdict = examiner.examine(name, value, &found);
        if !verdict.problems.is_empty() {
            return Err(Stop::input(format!("--artefact {name}: {}", verdict.problems.join("\n"))));
        }
    }
    Ok(found)
}

/// Who hands the message over, and on which outcome.
type Feeder = (AgentName, Outcome);

/// The plan under which `agent` gets one message, from whoever hands on to it; none does if it gets the brief itself.
fn on_one_message(
    plan: &Plan,
    agent: &AgentName,
    artefacts: &BTreeMap<ArtefactName, Value>,
) -> Result<(Plan, Option<Feeder>), Stop> {
    let member = plan.team.get(agent).ok_or_else(|| Stop::failed("it is on no team"))?;
    if !matches!(member.role, Role::Model { .. }) {
        return Err(Stop::input(format!("{agent} is no model: a person or a tool is tried by running its team")));
    }
    let missing: Vec<&str> = member
        .reads
        .iter()
        .filter(|read| !read.optional && !artefacts.contains_key(&read.artefact))
        .map(|read| read.artefact.as_str())
        .collect();
    if !missing.is_empty() {
        let given: Vec<String> = missing.iter().map(|name| format!("--artefact {name}=FILE")).collect();
        return Err(Stop::input(format!(
            "{agent} reads {}: give what is on its desk with {}",
            missing.join(" and "),
            given.join(" ")
        )));
    }
    let mut plan = plan.clone();
    let leads = |(from, ways): (&AgentName, &BTreeMap<Outcome, _>)| {
        let to_it = |handoff: &Handoff| handoff.to == Recipient::Member(agent.clone());
        let way = ways.iter().find(|(_, handoff)| to_it(handoff));
        way.filter(|_| from != agent).map(|(outcome, _)| (from.clone(), outcome.clone()))
    };
    let is_model = |name: &AgentName| matches!(plan.team.get(name).map(|of| &of.role), Some(Role::Model { .. }));
    let wrote = |name: &AgentName| plan.team[name].writes.iter().any(|written| artefacts.contains_key(written));
    let mut feeders: Vec<Feeder> = plan.handoffs.iter().filter_map(leads).collect();
    // Whoever writes what is given comes first: the others send work back.
    feeders.sort_by_key(|(from, _)| (!wrote(from), !is_model(from)));
    if *agent == plan.start && artefacts.is_empty() {
        return Ok((plan, None));
    }
    let Some((from, outcome)) = feeders.into_iter().next() else {
        return Err(Stop::input(format!("nobody hands on to {agent}: it gets the brief, and no artefact")));
    };
    // It says what is given here and nothing else, whatever it is in the team.
    let role = member.role.clone();
    let Role::Model { model, .. } = role else { return Err(Stop::failed("it is no model")) };
    if let Some(feeder) = plan.team.get_mut(&from) {
        feeder.role =
            Role::Model { outcomes: vec![outcome.clone()], tools: vec![], model, instructions: String::new() };
        feeder.reads = vec![];
        feeder.writes = artefacts.keys().cloned().collect();
        feeder.needs = BTreeMap::new();
    }
    plan.start = from.clone();
    Ok((plan, Some((from, outcome))))
}

/// What happens at the models' port.
enum Heard {
    /// The agent is asked this.
    Asked(String),
    /// It says this, or why nothing.
    Said(Result<Reply, String>),
    /// Its turn is over: its work went on.
    Over,
}

/// Stands for all models: one is asked, whoever hands the message over says what is given, and all others wait for ever.
struct One {
    agent: AgentName,
    handed: Option<(AgentName, Answer)>,
    inner: Arc<dyn Model>,
    to: UnboundedSender<Heard>,
}

impl Model for One {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            if let Some((_, answer)) = self.handed.as_ref().filter(|(from, _)| *from == ask.agent) {
                return Ok(Reply::new(Act::Answer(answer.clone()), Origin::Person));
            }
            if ask.agent != self.agent && !ask.is_question {
                drop(self.to.send(Heard::Over));
                return std::future::pending().await;
            }
            if ask.agent != self.agent {
                return self.inner.reply(ask).await;
            }
            drop(self.to.send(Heard::Asked(prompt(ask)?.text())));
            let reply = self.inner.reply(ask).await;
            let said = reply.clone().map_err(|failure| failure.reason);
            drop(self.to.send(Heard::Said(said)));
            reply
        })
    }
}

/// What is heard, as it is printed.
struct Told {
    heard: UnboundedReceiver<Heard>,
    as_json: bool,
    exit: Exit,
}

impl Told {
    /// Prints what is heard until the turn is over, or the run does not go on by itself.
    async fn follow(&mut self, handle: &Handle) -> Exit {
        let mut progress = handle.progress();
        let mut settled = std::pin::pin!(progress.wait_for(|now| now.status != Status::Running || now.gone.is_some()));
        loop {
            tokio::select! {
                biased;
                heard = self.heard.recv() => match heard {
                    Some(Heard::Over) | None => return self.exit,
                    Some(heard) => self.tell(heard),
                },
                _ = &mut settled => {
                    while let Ok(heard) = self.heard.try_recv() {
                        self.tell(heard);
                    }
                    return self.exit;
                }
            }
        }
    }

    fn tell(&mut self, heard: Heard) {
        if let Heard::Said(said) = &heard {
            self.exit = if said.is_ok() { Exit::Done } else { Exit::Failed };
        }
        match heard {
            Heard::Over => {}
            Heard::Asked(text) if self.as_json => paint::json(&json!({ "request": text })),
            Heard::Said(Ok(reply)) if self.as_json => paint::json(&json!({ "reply": reply })),
            Heard::Asked(text) => out(format!("{}\n{}", toned(Tone::Strong, "# what it is shown"), Block(&text))),
            Heard::Said(Ok(reply)) => {
                out(format!("{}\n{}", toned(Tone::Strong, "# what it answers"), Block(&act(&reply))));
            }
            Heard::Said(Err(why)) => say(format!("{} {}", toned(Tone::Bad, "no answer:"), Block(&why))),
        }
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

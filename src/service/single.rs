//! One agent on one message: a real run, in memory, in which whoever hands the message over says what is given, and which ends
//! with the agent's turn. The project's journal hears nothing of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::error::{Error, Untried};
use super::project::Project;
use super::start::Start;
use super::test::Scratch;
use crate::actor::system::Handle;
use crate::app::{self, Running};
use crate::failure::Work;
use crate::id::{AgentName, ArtefactName, Outcome};
use crate::model::conversation::prompt;
use crate::model::{Act, Answer, Ask, Model, Reply};
use crate::run::event::Origin;
use crate::run::state::Status;
use crate::topology::plan::{Handoff, Member, Plan, Read, Recipient, Role};
use crate::topology::rule::Ruled;

/// Artefacts on the agent's desk, by name.
pub type Desk = BTreeMap<ArtefactName, Value>;

/// What happens at the models' port.
pub enum Heard {
    /// The agent is asked this.
    Asked(String),
    /// It says this, or why nothing.
    Said(Result<Reply, String>),
}

/// One turn of one agent.
pub struct Single {
    running: Running,
    handle: Handle,
    heard: UnboundedReceiver<Option<Heard>>,
    // The folder of its results goes with it.
    _scratch: Scratch,
}

impl Single {
    /// Begins a turn of `agent` in a run of `start`: it gets a message that says `note`, with `artefacts` on its desk.
    ///
    /// # Errors
    /// If the agent cannot be tried so, or nothing can be started.
    pub async fn begin(
        project: &Project,
        start: Start,
        agent: &AgentName,
        artefacts: &Desk,
        note: &str,
    ) -> Result<Self, Error> {
        let cannot = |why| Error::Untried { agent: agent.clone(), why };
        let (plan, feeder) = on_one_message(&start.plan, agent, artefacts).map_err(cannot)?;
        let scratch = Scratch::new()?;
        let (to, heard) = unbounded_channel();
        let answer = |outcome| Answer { outcome, note: note.to_owned(), writes: artefacts.clone() };
        let handed = feeder.map(|(from, outcome)| (from, answer(outcome)));
        let wrapped = |inner| -> Arc<dyn Model> {
            Arc::new(One { agent: agent.clone(), handed: handed.clone(), inner, to: to.clone() })
        };
        let running = app::start_wrapped(&project.settings, scratch.folder().to_owned(), wrapped).await?;
        let handle = running.system.run(&plan, &start.brief, start.by).await?;
        Ok(Self { running, handle, heard, _scratch: scratch })
    }

    /// What is heard next; nothing once the turn is over, or the run does not go on by itself.
    pub async fn next(&mut self) -> Option<Heard> {
        let mut progress = self.handle.progress();
        tokio::select! {
            biased;
            heard = self.heard.recv() => heard.flatten(),
            _ = progress.wait_for(|now| now.status != Status::Running || now.gone.is_some()) => {
                self.heard.try_recv().ok().flatten()
            }
        }
    }

    /// Ends it, wherever it is.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// What `agent` comes to over `artefacts`, if it decides by a rule: nobody has to be asked for that.
///
/// # Errors
/// If it lacks an artefact.
pub fn ruled(start: &Start, agent: &AgentName, artefacts: &Desk) -> Result<Option<Ruled>, Error> {
    let Some(member) = start.plan.team.get(agent) else { return Ok(None) };
    let Role::Rule(rule) = &member.role else { return Ok(None) };
    let missing = missing(member, artefacts);
    if !missing.is_empty() {
        return Err(Error::Untried { agent: agent.clone(), why: Untried::Reads(missing) });
    }
    let params = || Some(start.brief.clone().into_iter().collect());
    Ok(Some(rule.apply(|root| if root == "params" { params() } else { artefacts.get(root).cloned() })))
}

/// What `member` reads, and is not given.
fn missing(member: &Member, artefacts: &Desk) -> Vec<ArtefactName> {
    let lacks = |read: &&Read| !read.optional && !artefacts.contains_key(&read.artefact);
    member.reads.iter().filter(lacks).map(|read| read.artefact.clone()).collect()
}

/// Who hands the message over, and on which outcome.
type Feeder = (AgentName, Outcome);

/// The plan under which `agent` gets one message, from whoever hands on to it; none does if it gets the brief itself.
fn on_one_message(plan: &Plan, agent: &AgentName, artefacts: &Desk) -> Result<(Plan, Option<Feeder>), Untried> {
    let member = plan.team.get(agent).ok_or(Untried::NoModel)?;
    if !matches!(member.role, Role::Model { .. }) {
        return Err(Untried::NoModel);
    }
    let missing = missing(member, artefacts);
    if !missing.is_empty() {
        return Err(Untried::Reads(missing));
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
        return Err(Untried::GetsTheBrief);
    };
    // It says what is given here and nothing else, whatever it is in the team.
    let Role::Model { model, .. } = member.role.clone() else { return Err(Untried::NoModel) };
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

/// Stands for all models: one is asked, whoever hands the message over says what is given, and all others wait for ever.
struct One {
    agent: AgentName,
    handed: Option<(AgentName, Answer)>,
    inner: Arc<dyn Model>,
    to: UnboundedSender<Option<Heard>>,
}

impl Model for One {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            if let Some((_, answer)) = self.handed.as_ref().filter(|(from, _)| *from == ask.agent) {
                return Ok(Reply::new(Act::Answer(answer.clone()), Origin::Person));
            }
            if ask.agent != self.agent && !ask.is_question {
                // Its work went on: its turn is over.
                drop(self.to.send(None));
                return std::future::pending().await;
            }
            if ask.agent != self.agent {
                return self.inner.reply(ask).await;
            }
            drop(self.to.send(Some(Heard::Asked(prompt(ask)?.text()))));
            let reply = self.inner.reply(ask).await;
            let said = reply.clone().map_err(|failure| failure.reason);
            drop(self.to.send(Some(Heard::Said(said))));
            reply
        })
    }
}

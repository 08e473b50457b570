//! What the models did whose work led to a message: which tools each of them called, and who called none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::View;
use super::choice::{Bases, Evidence};
use super::words::Texts;
use crate::id::{AgentName, MessageId, ToolName};
use crate::run::body::FailureReport;
use crate::run::event::{Message, Origin};
use crate::topology::plan::{ASK_TOOL, Plan, Recipient, Role};

/// The work of one member, over all of its turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Work {
    /// Who.
    pub agent: AgentName,
    /// Its turns.
    pub turns: u32,
    /// The tools that it was offered, questions to teammates among them.
    pub offered: Vec<ToolName>,
    /// Those that it called.
    pub called: BTreeMap<ToolName, Calls>,
}

/// The calls of one tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Calls {
    /// How many.
    pub times: u32,
    /// How many of them gave an error instead of a result.
    pub failed: u32,
    /// How many were computed from what the model wrote itself.
    pub typed: u32,
}

impl View {
    /// What the models did whose work led to `message`, such as the one that asks a person.
    pub fn work(&self, message: MessageId, texts: &dyn Texts) -> Vec<Work> {
        behind(&self.state.plan, &self.messages, &self.bases, message, texts)
    }
}

impl Work {
    /// Whether it had tools, and nothing that any of them returned.
    pub fn is_unfounded(&self) -> bool {
        !self.offered.is_empty() && self.called.values().all(|calls| calls.failed == calls.times)
    }
}

/// The members' work in the turns that led to `message`, and in answers to questions that these asked.
fn behind(
    plan: &Plan,
    messages: &BTreeMap<MessageId, Message>,
    bases: &Bases,
    message: MessageId,
    texts: &dyn Texts,
) -> Vec<Work> {
    let mut turns = BTreeSet::new();
    let mut next = messages.get(&message).and_then(|message| message.cause);
    while let Some(turn) = next.filter(|turn| turns.insert(*turn)) {
        next = messages.get(&turn).and_then(|message| message.cause);
    }
    let is_asked = |message: &&Message| message.asked_by.is_some_and(|turn| turns.contains(&turn));
    let asked: Vec<MessageId> = messages.values().filter(is_asked).map(|message| message.id).collect();
    turns.extend(asked);
    let mut all: BTreeMap<AgentName, Work> = BTreeMap::new();
    for turn in turns {
        let Some(Recipient::Member(agent)) = messages.get(&turn).map(|message| &message.to) else { continue };
        let Some(offered) = offered(plan, agent) else { continue };
        let own = all.entry(agent.clone()).or_insert_with(|| Work {
            agent: agent.clone(),
            turns: 0,
            offered,
            called: BTreeMap::new(),
        });
        own.turns += 1;
        for call in bases.own_calls(turn) {
            let calls = own.called.entry(call.tool.clone()).or_default();
            calls.times += 1;
            calls.failed += u32::from(is_failed(call, texts));
            calls.typed += u32::from(call.origin == Origin::Typed);
        }
    }
    all.into_values().collect()
}

/// What a model is offered; none if `agent` is no model.
fn offered(plan: &Plan, agent: &AgentName) -> Option<Vec<ToolName>> {
    let member = plan.team.get(agent)?;
    let Role::Model { tools, .. } = &member.role else { return None };
    let ask = (!member.may_ask.is_empty()).then(|| ToolName::fixed(ASK_TOOL));
    Some(tools.iter().cloned().chain(ask).collect())
}

fn is_failed(call: &Evidence, texts: &dyn Texts) -> bool {
    let result = call.body.and_then(|body| texts.value(body));
    result.is_some_and(|result| FailureReport::read(&result).is_some())
}

/// The work in sentences.
pub fn sentences(all: &[Work]) -> Vec<String> {
    let without: Vec<String> =
        all.iter().filter(|work| work.offered.is_empty()).map(|work| format!("`{}`", work.agent)).collect();
    let mut told: Vec<String> = all.iter().filter(|work| !work.offered.is_empty()).map(sentence).collect();
    match without.as_slice() {
        [] => {}
        [one] => told.push(format!("{one} has no tools: it worked from the brief and its desk")),
        [all @ .., last] => {
            let all = all.join(", ");
            told.push(format!("{all} and {last} have no tools: they worked from the brief and their desks"));
        }
    }
    told
}

fn sentence(work: &Work) -> String {
    const NOWHERE: &str = "its figures come from nowhere that was recorded";
    let agent = &work.agent;
    if work.called.is_empty() {
        return format!("`{agent}` called no tool: {NOWHERE}");
    }
    let called = work.called.iter().map(|(tool, calls)| {
        let failed = if calls.failed > 0 { format!(" ({} without a result)", calls.failed) } else { String::new() };
        format!("`{tool}` {}{failed}", times(calls.times))
    });
    let called = called.collect::<Vec<_>>().join(", ");
    if work.is_unfounded() {
        return format!("`{agent}` called {called}, and got no result: {NOWHERE}");
    }
    let typed = work.called.iter().filter(|(_, calls)| calls.typed > 0);
    let typed: Vec<String> = typed.map(|(tool, calls)| format!("`{tool}` {}", times(calls.typed))).collect();
    let typed = match typed.is_empty() {
        true => String::new(),
        false => format!("; it wrote itself what was computed from: {}", typed.join(", ")),
    };
    format!("`{agent}` called {called}{typed}")
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

//! What a model chose among, what it chose, and on what evidence: beside the message that its choice became.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::{AgentName, Digest, EffectId, MessageId, Seq, ToolName};
use crate::run::desk::Desk;
use crate::run::event::{Message, Origin, Part, Settled, Wish};
use crate::run::state::State;
use crate::topology::plan::{ASK_TOOL, Memory, Plan, Recipient, Role};

/// A choice of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Choice {
    /// The outcomes that it was offered, and where each leads.
    pub outcomes: BTreeMap<String, String>,
    /// The tools that it was offered.
    pub tools: Vec<ToolName>,
    /// The teammates that it might have asked.
    pub may_ask: Vec<AgentName>,
    /// What it chose: an outcome, or `question`.
    pub chose: String,
    /// The artefacts that it was shown, by version.
    pub read: Desk,
    /// The calls whose results it had been shown, in order; those of earlier turns too, if it remembers them.
    pub calls: Vec<Evidence>,
}

/// A call whose result a model was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Evidence {
    /// The record of the result.
    pub seq: Seq,
    /// The tool.
    pub tool: ToolName,
    /// For a question: the teammate who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentName>,
    /// Where the result comes from.
    pub origin: Origin,
    /// The result.
    #[serde(skip)]
    pub body: Option<Digest>,
}

/// What each turn was shown so far.
#[derive(Debug, Default)]
pub(super) struct Bases {
    turns: BTreeMap<MessageId, Basis>,
    remembered: BTreeMap<AgentName, Vec<Evidence>>,
}

#[derive(Debug, Default)]
struct Basis {
    read: Desk,
    calls: Vec<Evidence>,
    /// How many of the calls are those of earlier turns.
    remembered: usize,
}

impl Bases {
    /// A turn begins, with what its agent remembers; `state` is that before it.
    pub(super) fn began(&mut self, message: MessageId, state: &State) {
        let to = state.queued.get(&message).map(|queued| &queued.to);
        let Some(Recipient::Member(agent)) = to else { return };
        let calls = self.remembered.get(agent).cloned().unwrap_or_default();
        let remembered = calls.len();
        self.turns.insert(message, Basis { calls, remembered, ..Basis::default() });
    }

    /// A model is shown something.
    pub(super) fn asked(&mut self, message: MessageId, wish: &Wish) {
        let Wish::Model { shown, .. } = wish else { return };
        let basis = self.turns.entry(message).or_default();
        let read = shown.iter().filter_map(|part| match part {
            Part::Artefact(name, held) => Some((name.clone(), held.clone())),
            _ => None,
        });
        basis.read.extend(read);
    }

    /// A call that a model asked for came to a result.
    pub(super) fn settled(&mut self, seq: Seq, id: EffectId, result: &Settled, state: &State) {
        let Settled::Returned { body, origin, .. } = result else { return };
        let Some(effect) = state.effects.get(&id) else { return };
        let Wish::Tool { tool, .. } = &effect.wish else { return };
        let evidence = Evidence { seq, tool: tool.clone(), by: None, origin: *origin, body: Some(body.digest) };
        self.turns.entry(effect.message).or_default().calls.push(evidence);
    }

    /// A turn ends: whoever asked has its answer, and its agent may remember it.
    pub(super) fn ended(&mut self, seq: Seq, message: MessageId, state: &State) {
        let Some(turn) = state.turns.get(&message) else { return };
        if let Some(asker) = turn.message.asked_by.filter(|_| turn.message.is_question()) {
            let (tool, by, origin) = (ToolName::fixed(ASK_TOOL), Some(turn.agent.clone()), turn.origin);
            let evidence = Evidence { seq, tool, by, origin, body: None };
            self.turns.entry(asker).or_default().calls.push(evidence);
        }
        let remembers = state.member(&turn.agent).is_some_and(|member| member.memory == Memory::Run);
        if let Some(basis) = self.turns.get(&message).filter(|_| remembers) {
            self.remembered.insert(turn.agent.clone(), basis.calls.clone());
        }
    }

    /// The calls that a turn made itself.
    pub(super) fn own_calls(&self, turn: MessageId) -> &[Evidence] {
        self.turns.get(&turn).map_or(&[], |basis| &basis.calls[basis.remembered..])
    }

    /// The choice that `message` came of, if a model made it.
    pub(super) fn behind(&self, plan: &Plan, message: &Message) -> Option<Choice> {
        let turn = message.cause.or(message.asked_by)?;
        self.choice(plan, message.from.as_ref()?, turn, None, message.outcome.as_str())
    }

    /// The choice of `agent` at the end of its `turn`; `asker` is who asked, if the turn answers a question.
    pub(super) fn choice(
        &self,
        plan: &Plan,
        agent: &AgentName,
        turn: MessageId,
        asker: Option<&AgentName>,
        chose: &str,
    ) -> Option<Choice> {
        let member = plan.team.get(agent)?;
        let Role::Model { tools, .. } = &member.role else { return None };
        let basis = self.turns.get(&turn)?;
        let outcomes = match asker {
            Some(asker) => [(chose.to_owned(), asker.to_string())].into(),
            None => {
                let ways = plan.handoffs.get(agent).into_iter().flatten();
                ways.map(|(outcome, handoff)| (outcome.to_string(), leads(&handoff.to))).collect()
            }
        };
        Some(Choice {
            outcomes,
            tools: tools.clone(),
            may_ask: member.may_ask.clone(),
            chose: chose.to_owned(),
            read: basis.read.clone(),
            calls: basis.calls.clone(),
        })
    }
}

fn leads(to: &Recipient) -> String {
    match to {
        Recipient::Member(agent) => agent.to_string(),
        Recipient::End => "end".to_owned(),
    }
}

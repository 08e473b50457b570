//! Messages that nobody handles yet: in order, and by whom they wait for, so that whoever is free is found without a look
//! at what waits for others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::event::Message;
use crate::id::{AgentName, MessageId};
use crate::topology::plan::Recipient;

/// Messages by number; read as the map that they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    messages: BTreeMap<MessageId, Message>,
    waiting: BTreeMap<AgentName, BTreeSet<MessageId>>,
}

impl Deref for Queue {
    type Target = BTreeMap<MessageId, Message>;

    fn deref(&self) -> &Self::Target {
        &self.messages
    }
}

impl Queue {
    /// Those who are waited for, each with what waits, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (&AgentName, &BTreeSet<MessageId>)> {
        self.waiting.iter()
    }

    /// A message waits from here on.
    pub(super) fn insert(&mut self, message: Message) {
        if let Recipient::Member(agent) = &message.to {
            self.waiting.entry(agent.clone()).or_default().insert(message.id);
        }
        self.messages.insert(message.id, message);
    }

    /// It does not any more.
    pub(super) fn remove(&mut self, id: &MessageId) -> Option<Message> {
        let message = self.messages.remove(id)?;
        if let Recipient::Member(agent) = &message.to
            && let Some(of_agent) = self.waiting.get_mut(agent)
        {
            of_agent.remove(id);
            if of_agent.is_empty() {
                self.waiting.remove(agent);
            }
        }
        Some(message)
    }

    /// Those of which `is_over` holds do not.
    pub(super) fn drop_where(&mut self, is_over: impl Fn(&Message) -> bool) {
        let over: Vec<MessageId> = self.messages.values().filter(|one| is_over(one)).map(|one| one.id).collect();
        for id in over {
            self.remove(&id);
        }
    }
}

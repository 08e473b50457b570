//! A ledger of its own: what is set aside for each effect and what was spent, from the facts alone. It shares no code with
//! the core's; after each fact every scope is held against the limits in force there.

use std::collections::BTreeMap;

use callsheet_core::failure::Class;
use callsheet_core::id::{AgentName, EffectId, MessageId};
use callsheet_core::run::event::{Amount, Ending, Event, Fact, Limit, Raise, Wish};
use callsheet_core::run::state::State;
use callsheet_core::topology::plan::{Plan, Recipient};

const LIMITS: [Limit; 4] = [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients];

/// What a run has spent and set aside.
#[derive(Default)]
pub(crate) struct Ledger {
    run: Account,
    agents: BTreeMap<AgentName, Account>,
    effects: BTreeMap<EffectId, Set>,
    members: BTreeMap<MessageId, AgentName>,
    raised: Raise,
    ended: Option<Ending>,
    /// The most model and tool calls that were under way at once.
    pub(crate) at_once: usize,
}

#[derive(Clone, Copy, Default, Debug)]
struct Account {
    spent: [u64; 4],
    reserved: [u64; 4],
}

/// What is set aside for an effect; nothing between two attempts.
struct Set {
    message: MessageId,
    agent: AgentName,
    is_model: bool,
    reserved: Option<[u64; 4]>,
}

fn parts(amount: Amount) -> [u64; 4] {
    LIMITS.map(|what| amount.of(what))
}

impl Account {
    fn reserve(&mut self, amount: [u64; 4]) -> Result<(), String> {
        for (own, more) in self.reserved.iter_mut().zip(amount) {
            *own = own.checked_add(more).ok_or("a reservation overflows")?;
        }
        Ok(())
    }

    fn settle(&mut self, reserved: [u64; 4], spent: [u64; 4]) -> Result<(), String> {
        for part in 0..4 {
            self.reserved[part] = self.reserved[part].checked_sub(reserved[part]).ok_or("less than nothing is left")?;
            self.spent[part] = self.spent[part].checked_add(spent[part]).ok_or("what is spent overflows")?;
        }
        Ok(())
    }

    /// Spent and reserved together against `limit`; an overshoot is told.
    fn within(&self, scope: &str, limits: [Option<u64>; 4]) -> Result<(), String> {
        for part in 0..4 {
            let both = u128::from(self.spent[part]) + u128::from(self.reserved[part]);
            if limits[part].is_some_and(|limit| both > u128::from(limit)) {
                return Err(format!("{scope}: {both} of {:?}, the limit is {:?}", LIMITS[part], limits[part]));
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Takes in `fact`.
    ///
    /// # Errors
    /// What does not balance, or the limit that is passed.
    pub(crate) fn take(&mut self, plan: &Plan, fact: &Fact) -> Result<(), String> {
        match &fact.is {
            Event::MessageSent(message) => {
                if let Recipient::Member(agent) = &message.to {
                    self.members.insert(message.id, agent.clone());
                }
            }
            Event::EffectAsked { id, message, wish, reserved, .. } => {
                let agent = self.members.get(message).ok_or("an effect of no message")?.clone();
                let is_model = matches!(wish, Wish::Model { .. });
                let set = Set { message: *message, agent, is_model, reserved: None };
                if self.effects.insert(*id, set).is_some() {
                    return Err("an effect is asked for twice".to_owned());
                }
                self.reserve(*id, *reserved)?;
            }
            Event::RetryPlanned { id, reserved, .. } => self.reserve(*id, *reserved)?,
            Event::EffectSettled { id, spent, .. } => {
                self.settle(*id, *spent)?;
                self.effects.remove(id);
            }
            Event::EffectFailed { id, spent, last, .. } => {
                self.settle(*id, *spent)?;
                if *last {
                    self.effects.remove(id);
                }
            }
            Event::DeadLettered { message, .. } => self.give_back(|set| set.message == *message)?,
            Event::BudgetRaised { raise, .. } => self.raise(raise),
            Event::Ended { how } => {
                self.ended = Some(*how);
                self.give_back(|_| true)?;
            }
            _ => return Ok(()),
        }
        self.at_once = self.at_once.max(self.effects.values().filter(|set| set.reserved.is_some()).count());
        self.within(plan)
    }

    /// A successor pays every model call that was under way at its maximum, before anything else.
    pub(crate) fn lost(&self, facts: &[Fact]) -> Result<(), String> {
        for (id, set) in self.effects.iter().filter(|(_, set)| set.is_model) {
            let Some(reserved) = set.reserved else { continue };
            let paid = facts.iter().find_map(|fact| match &fact.is {
                Event::EffectFailed { id: of, class, spent, .. } if of == id => Some((*class, parts(*spent))),
                _ => None,
            });
            if paid != Some((Class::InDoubt, reserved)) {
                return Err(format!("a call with {reserved:?} set aside was lost, and paid {paid:?}"));
            }
        }
        Ok(())
    }

    /// Against the state that the same facts led to: the sums are the same, and what is set aside is so for an effect.
    pub(crate) fn agrees(&self, state: &State) -> Result<(), String> {
        let own = (self.run.spent, self.run.reserved);
        let core = (parts(state.ledger.spent), parts(state.ledger.reserved));
        if own != core {
            return Err(format!("the core has {core:?} spent and reserved, the facts say {own:?}"));
        }
        if let Some((id, _)) = self.effects.iter().find(|(id, _)| !state.effects.contains_key(*id)) {
            return Err(format!("{} is settled by no fact and gone", id.0.short()));
        }
        for (agent, account) in &self.agents {
            let core = state.ledger.by_agent.get(agent).copied().unwrap_or_default();
            if (account.spent, account.reserved) != (parts(core.spent), parts(core.reserved)) {
                return Err(format!("the core has {core:?} for {agent}, the facts say {account:?}"));
            }
        }
        Ok(())
    }

    /// At the end nothing is set aside any more.
    pub(crate) fn ended(&self) -> Result<Ending, String> {
        let how = self.ended.ok_or("it did not end")?;
        let leaks = self.agents.values().chain([&self.run]).any(|account| account.reserved != [0; 4]);
        if leaks { Err(format!("{how:?}, and a reservation is left: {:?}", self.run)) } else { Ok(how) }
    }

    fn reserve(&mut self, id: EffectId, amount: Amount) -> Result<(), String> {
        let set = self.effects.get_mut(&id).ok_or("nothing is set aside for what nobody asked for")?;
        if set.reserved.replace(parts(amount)).is_some() {
            return Err("two reservations of one effect".to_owned());
        }
        self.run.reserve(parts(amount))?;
        self.agents.entry(set.agent.clone()).or_default().reserve(parts(amount))
    }

    fn settle(&mut self, id: EffectId, spent: Amount) -> Result<(), String> {
        let set = self.effects.get_mut(&id).ok_or("what nobody asked for is settled")?;
        let reserved = set.reserved.take().ok_or("a reservation is settled twice")?;
        if parts(spent).iter().zip(reserved).any(|(spent, reserved)| *spent > reserved) {
            return Err(format!("{spent:?} is spent of {reserved:?} set aside"));
        }
        self.run.settle(reserved, parts(spent))?;
        self.agents.entry(set.agent.clone()).or_default().settle(reserved, parts(spent))
    }

    fn give_back(&mut self, of: impl Fn(&Set) -> bool) -> Result<(), String> {
        let gone: Vec<Set> = self.effects.extract_if(.., |_, set| of(set)).map(|(_, set)| set).collect();
        for set in gone {
            let Some(reserved) = set.reserved else { continue };
            if set.is_model {
                return Err(format!("a call that its provider will bill is given up with {reserved:?} unpaid"));
            }
            self.run.settle(reserved, [0; 4])?;
            self.agents.entry(set.agent).or_default().settle(reserved, [0; 4])?;
        }
        Ok(())
    }

    fn raise(&mut self, raise: &Raise) {
        let (new, old) = (raise, std::mem::take(&mut self.raised));
        self.raised = Raise {
            steps: new.steps.max(old.steps),
            tokens: new.tokens.max(old.tokens),
            cost: new.cost.max(old.cost),
            recipients: new.recipients.max(old.recipients),
            ..Raise::default()
        };
    }

    fn within(&self, plan: &Plan) -> Result<(), String> {
        let above = |declared: Option<u64>, raised: Option<u64>| declared.map(|limit| limit.max(raised.unwrap_or(0)));
        let (budget, raised) = (&plan.budget, &self.raised);
        let (tokens, cost) = (raised.tokens, raised.cost.map(|cost| cost.0));
        let run = [
            above(budget.steps, raised.steps),
            above(budget.tokens, tokens),
            above(budget.cost.map(|cost| cost.0), cost),
            above(budget.recipients, raised.recipients),
        ];
        self.run.within("the run", run)?;
        for (agent, account) in &self.agents {
            let own = &plan.team[agent].limits;
            let limits = [None, above(own.tokens, tokens), above(own.cost.map(|cost| cost.0), cost), None];
            account.within(agent.as_str(), limits)?;
        }
        Ok(())
    }
}

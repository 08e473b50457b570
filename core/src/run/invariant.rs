//! What must hold of every run: the promise as code, once over a state ([`holds`]) and once over the facts that led to
//! it ([`Watch`]). It decides nothing; what only the world can show, such as executions at a sink, is for the tests.
//!
//! | | |
//! |---|---|
//! | I1 | Every message that was accepted is handled, a dead letter, or pending; none is lost. |
//! | I2 | A message is handled once. |
//! | I3 | An outward effect starts only after its beginning is durable. |
//! | I4 | At most one attempt of an effect is under way. |
//! | I5 | What may happen once happens once at most; what nobody knows is seen to be in doubt. |
//! | I6 | All attempts of an effect have the same key, and no other effect has it. |
//! | I7 | What is spent and reserved stays within every limit, and the ledger is what the facts sum up to. |
//! | I8 | Nothing acts on the world without a permit that holds and has an unused slot for that item. |
//! | I9 | No message takes an undeclared way, no turn ends with an undeclared outcome, no tool is called that is not offered. |
//! | I10 | Labels are carried from what was shown to what is made of it; what is private and what others wrote meet in no question to the outside. |
//! | I11 | Replaying the facts leads to the state: held by the simulation. |
//! | I12 | Time and records only go on. |
//! | I13 | An ownership that is over appends nothing. |
//! | I14 | When faults stop, every run ends, or waits for a person: held by the simulation. |
//! | I15 | Nobody approves what an open comment blocks, and nobody settles a comment that is not theirs to settle. |
//! | I16 | Nothing leaves before its day, and nothing is begun that only waits for one. |

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Amount, Ending, Event, Fact, Limit, Message, Wish};
use super::state::{Effect, State};
use crate::id::{AgentName, ApprovalNo, EffectId, MessageId};
use crate::topology::plan::{Recipient, Role};

mod branches;
mod broken;
mod comments;
mod outward;
mod rounds;
mod watch;

pub use broken::Broken;
use broken::{Holds, ensure};
pub use watch::Watch;

/// What can be seen of the invariants in one state. Its cost grows with what is pending, not with the run's history,
/// so that an owner can ask after every batch.
///
/// A run that a broken invariant has ended keeps its evidence as it is, and holds nothing more.
///
/// # Errors
/// The first invariant that does not hold.
pub fn holds(state: &State) -> Result<(), Broken> {
    all(state, state.queued.values().collect())
}

/// The same of a state in which it held before `facts`: a message that waits stays as it is, so that of those only what came
/// is looked at, unless branches are over.
///
/// # Errors
/// The first invariant that does not hold.
pub fn holds_after(state: &State, facts: &[Fact]) -> Result<(), Broken> {
    let ends_branches = |event: &Event| {
        let joins = matches!(event, Event::MessageSent(message) if message.joins.is_some());
        joins || matches!(event, Event::CalledOff { .. } | Event::DeadLetterAnswered { .. } | Event::Opened { .. })
    };
    if facts.iter().any(|fact| ends_branches(&fact.is)) {
        return holds(state);
    }
    let came = facts.iter().filter_map(|fact| {
        let Event::MessageSent(message) = &fact.is else { return None };
        state.queued.get(&message.id)
    });
    let came = came.collect();
    all(state, came)
}

fn all(state: &State, queued: Vec<&Message>) -> Result<(), Broken> {
    if state.ended == Some(Ending::Bug) {
        return Ok(());
    }
    reservations(state)?;
    limits(state)?;
    let idle = state.paused.is_none() && state.ended.is_none() || state.ledger.active_since.is_none();
    ensure("I7", idle, || "active time passes in a run that is paused or over".to_owned())?;
    messages(state, queued)?;
    let mut slots = BTreeSet::new();
    for (id, effect) in &state.effects {
        belongs(state, id, effect)?;
        permitted(state, id, effect, &mut slots)?;
        resolvable(state, id, effect)?;
    }
    Ok(())
}

/// I7: what is set aside is set aside for an effect, and what is spent is spent by an agent.
fn reservations(state: &State) -> Holds {
    let mut by_agent: BTreeMap<&AgentName, Amount> = BTreeMap::new();
    for effect in state.effects.values() {
        let sum = by_agent.entry(&effect.agent).or_default();
        *sum = sum.plus(effect.reserved);
    }
    let all = by_agent.values().fold(Amount::default(), |all, one| all.plus(*one));
    let ledger = &state.ledger;
    ensure("I7", all == ledger.reserved, || format!("{:?} is reserved, for effects {all:?}", ledger.reserved))?;
    let mut spent = Amount::default();
    for (agent, account) in &ledger.by_agent {
        spent = spent.plus(account.spent);
        let own = by_agent.remove(agent).unwrap_or_default();
        ensure("I7", account.reserved == own, || {
            format!("{:?} is reserved by {agent}, for effects {own:?}", account.reserved)
        })?;
    }
    ensure("I7", by_agent.is_empty(), || "an effect's agent has no account".to_owned())?;
    ensure("I7", spent == ledger.spent, || format!("{:?} is spent, by agents {spent:?}", ledger.spent))
}

/// I7: spent and reserved together are within every limit in force.
fn limits(state: &State) -> Holds {
    let within = |scope: &str, used: u64, limit: Option<u64>, what: Limit| {
        ensure("I7", limit.is_none_or(|limit| used <= limit), || {
            format!("{scope} has {used} of {what:?}, the limit is {limit:?}")
        })
    };
    let run = state.ledger.spent.plus(state.ledger.reserved);
    for what in [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients] {
        within("the run", run.of(what), state.limit(what), what)?;
    }
    for (name, team) in &state.plan.teams.0 {
        let own = state.used_by(name);
        for what in [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients] {
            within(name.as_str(), own.of(what), state.limit_of(team, what), what)?;
        }
    }
    let raise = &state.ledger.raise;
    for (agent, member) in &state.plan.team {
        let limits = &member.limits;
        if let Some(account) = state.ledger.by_agent.get(agent) {
            let own = account.spent.plus(account.reserved);
            let raised =
                |declared: Option<u64>, raise: Option<u64>| declared.map(|limit| limit.max(raise.unwrap_or(0)));
            within(agent.as_str(), own.tokens, raised(limits.tokens, raise.tokens), Limit::Tokens)?;
            let cost = raised(limits.cost.map(|cost| cost.0), raise.cost.map(|cost| cost.0));
            within(agent.as_str(), own.cost.0, cost, Limit::Cost)?;
        }
    }
    // Nothing is added to what somebody has behind them but by a turn.
    for turn in state.turns.values() {
        let agent = &turn.agent;
        let Some(past) = state.pasts.get(&(agent.clone(), turn.message.branch.clone())) else { continue };
        let declared = state.member(agent).map_or(0, |member| member.limits.turns);
        let most = declared.max(raise.turns.unwrap_or(0));
        within(agent.as_str(), past.turns.into(), Some(most.into()), Limit::Turns)?;
    }
    for turn in state.turns.values() {
        let declared = state.member(&turn.agent).map_or(0, |member| member.limits.steps_per_turn);
        let most = declared.max(raise.steps_per_turn.unwrap_or(0));
        within(turn.agent.as_str(), turn.steps.into(), Some(most.into()), Limit::StepsPerTurn)?;
    }
    Ok(())
}

/// I1, I2, I9: a message is in one place, and came over a declared handoff.
fn messages(state: &State, queued: Vec<&Message>) -> Holds {
    let queued = queued.into_iter().map(|message| (&message.id, message));
    let turns = state.turns.iter().map(|(id, turn)| (id, &turn.message));
    let dead = state.dead.iter().map(|(id, letter)| (id, &letter.message));
    let is_twice = |id: &MessageId| {
        let (queued, turn) = (state.queued.contains_key(id), state.turns.contains_key(id));
        queued && turn || state.dead.contains_key(id) && (queued || turn)
    };
    let twice = state.turns.keys().chain(state.dead.keys()).find(|id| is_twice(id));
    ensure("I2", twice.is_none(), || format!("{twice:?} is pending twice"))?;
    for (id, message) in queued.chain(turns).chain(dead) {
        ensure("I1", *id == message.id && id.0 <= state.messages_sent, || format!("{id} was never sent"))?;
        let to = match &message.from {
            None => message.to == Recipient::Member(state.plan.start.clone()),
            Some(from) if message.is_mend() => {
                matches!(&message.to, Recipient::Member(to) if state.may_mend(from, to))
            }
            Some(from) if message.asked_by.is_some() => state
                .member(from)
                .is_some_and(|member| member.may_ask.iter().any(|to| message.to == Recipient::Member(to.clone()))),
            Some(from) => state.handoff(from, &message.outcome).is_some_and(|handoff| {
                let then = handoff.rounds.as_ref().filter(|_| message.exhausted).map(|rounds| &rounds.then);
                let begins = match (&handoff.split, &message.to) {
                    (Some(split), Recipient::Member(to)) if !message.exhausted && message.joins.is_none() => {
                        split.begins().contains(to)
                    }
                    _ => false,
                };
                begins || *then.unwrap_or(&handoff.to) == message.to
            }),
        };
        ensure("I9", to, || format!("{id} travels on no declared handoff"))?;
        let branch = &message.branch;
        // A question whose asker was given up may still be answered, for nobody.
        let may = |arrived: bool| !arrived || message.asked_by.is_some();
        let around = state.splits.iter().filter(|(id, open)| {
            let index = id.index_of(branch).filter(|index| *index < open.branches);
            index.is_some_and(|index| may(open.arrived.contains_key(&index)))
        });
        let open = around.count() == branch.0.len();
        ensure("I2", open, || format!("{id} is pending in {branch}, which is over"))?;
    }
    for (agent, member) in &state.plan.team {
        let at_once = state.turns.values().filter(|turn| turn.agent == *agent).count();
        let within = at_once <= member.parallel() as usize;
        ensure("I7", within, || format!("{agent} handles {at_once} messages at once"))?;
    }
    for (id, turn) in &state.turns {
        let own = turn.message.to == Recipient::Member(turn.agent.clone());
        ensure("I9", own, || format!("{} handles {id}, which is not theirs", turn.agent))?;
    }
    Ok(())
}

/// I9: an effect belongs to a turn of its agent, and uses what the agent is offered. I7: a run that is over holds only
/// what nobody can settle any more.
fn belongs(state: &State, id: &EffectId, effect: &Effect) -> Holds {
    if state.ended.is_some() {
        let in_doubt = effect.is_outward() && effect.doubt.is_some();
        return ensure("I7", in_doubt, || format!("{} is left of a run that is over", id.0.short()));
    }
    let turn = state.turns.get(&effect.message);
    let own = turn.is_some_and(|turn| turn.agent == effect.agent && effect.ordinal < turn.asked);
    ensure("I9", own, || format!("{} belongs to no turn of {}", id.0.short(), effect.agent))?;
    let role = state.member(&effect.agent).map(|member| &member.role);
    let offered = match (&effect.wish, role) {
        (Wish::Model { .. }, Some(Role::Model { .. })) | (Wish::Prepare { .. }, Some(Role::Person(_))) => true,
        (Wish::Tool { tool, .. }, Some(Role::Model { tools, .. })) => tools.contains(tool),
        (Wish::Own { tool } | Wish::Deliver { tool, .. }, Some(Role::Tool { tool: own, .. })) => tool == own,
        (Wish::Rule, Some(Role::Rule(_))) | (Wish::Query { .. } | Wish::Question { .. }, Some(Role::Tool { .. })) => {
            true
        }
        _ => false,
    };
    ensure("I9", offered, || format!("{} is not offered {:?}", effect.agent, effect.wish))
}

/// I8: an outward effect has a slot of a permit for exactly its item, to itself. I3: it is in doubt only once begun.
fn permitted(state: &State, id: &EffectId, effect: &Effect, slots: &mut BTreeSet<(ApprovalNo, u32)>) -> Holds {
    let Wish::Deliver { permit: no, slot, item, recipients, .. } = &effect.wish else {
        let inward = effect.began.is_none() && effect.doubt.is_none();
        return ensure("I8", inward, || format!("{} acts on the world without a permit", id.0.short()));
    };
    let said = |what: &str| format!("{} has {what} {slot} of permit {no}", id.0.short());
    let permit = state.permits.get(no).filter(|permit| permit.member == effect.agent);
    let permit = permit.ok_or_else(|| Broken { invariant: "I8", what: said("no right to slot") })?;
    let head = permit.manifest.items.get(*slot as usize);
    let same = head.is_some_and(|head| head.digest == *item && head.recipients == *recipients);
    ensure("I8", same, || said("another item than slot"))?;
    ensure("I8", permit.used.contains(slot), || said("not taken slot"))?;
    ensure("I8", slots.insert((*no, *slot)), || said("not to itself slot"))?;
    ensure("I16", permit.leaves_at(*slot) <= effect.asked_at, || said("been asked for before the day of slot"))?;
    let begun = effect.doubt.is_none() || effect.began.is_some();
    ensure("I3", begun, || format!("{} is in doubt and never began", id.0.short()))?;
    let own = effect.began.is_none_or(|began| began.epoch <= state.epoch);
    ensure("I13", own, || format!("{} began under a later owner", id.0.short()))
}

/// I14: what is in doubt has something that settles it, once; a question is about something in doubt.
fn resolvable(state: &State, id: &EffectId, effect: &Effect) -> Holds {
    if let Wish::Query { about } | Wish::Question { about } = &effect.wish {
        let doubt = state.effects.get(about).is_some_and(|of| of.doubt.is_some() && of.asked_about);
        return ensure("I5", doubt, || format!("{} asks about something that is not in doubt", id.0.short()));
    }
    if effect.doubt.is_none() || !effect.asked_about || state.ended.is_some() {
        return Ok(());
    }
    let asks = |other: &Effect| match &other.wish {
        Wish::Query { about } | Wish::Question { about } => about == id,
        _ => false,
    };
    let asked = state.effects.values().filter(|other| asks(other)).count();
    let open = state.questions.values().filter(|about| *about == id).count();
    ensure("I5", asked + open == 1, || format!("{} is asked about by {asked} effects, {open} people", id.0.short()))
}

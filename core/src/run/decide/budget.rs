//! Budgets: an effect is asked for only if what it may use fits beside all that is spent and reserved.
//! Integers, one writer, agent within run; what does not fit pauses the run, or stops it.

use super::batch::Batch;
use super::ending;
use crate::failure::Usage;
use crate::id::{AgentName, MessageId, NanoUsd};
use crate::run::event::{Amount, Ending, Event, Limit, Part, PauseReason, Wish};
use crate::run::fold::Illegal;
use crate::run::state::{Effect, State, Turn};
use crate::topology::plan::{Member, ModelSpec, Role, is_template};

/// One step and nothing else: a tool call.
pub(super) const TOOL_CALL: Amount = Amount { steps: 1, tokens: 0, cost: NanoUsd(0), recipients: 0 };

const RUN_LIMITS: [Limit; 4] = [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients];

/// A limit that something would pass: whose, how much is needed, and the limit.
pub(super) type Short = (Limit, Option<AgentName>, u64, u64);

/// Whether `amount` fits for the turn of `message`, which is `agent`'s. If not, the run is paused or stopped, unless what
/// other turns have set aside is in the way: calls use less than the most that they may, so the turn waits for theirs.
pub(super) fn fits(batch: &mut Batch, message: MessageId, agent: &AgentName, amount: Amount) -> Result<bool, Illegal> {
    let Some((what, whose, needed, limit)) = short(batch, agent, amount) else { return Ok(true) };
    let others = |is_meant: &dyn Fn(&AgentName) -> bool| {
        let others = batch.state.effects.values().filter(|effect| effect.message != message && is_meant(&effect.agent));
        others.fold(Amount::default(), |all, effect| all.plus(effect.reserved))
    };
    // Time that has passed does not come back, and whoever is to be reached is reached.
    let may_come_back = !matches!(what, Limit::ActiveTime | Limit::Recipients);
    let waits = may_come_back && others(&|_| true) != Amount::default();
    if !waits || over(&batch.state, agent, amount, &others).is_some() {
        exceeded(batch, what, whose, needed, limit)?;
    }
    Ok(false)
}

/// The limit that `amount` for `agent` would pass.
pub(super) fn short(batch: &Batch, agent: &AgentName, amount: Amount) -> Option<Short> {
    let active = batch.state.limit(Limit::ActiveTime).and_then(|limit| {
        let used = batch.state.active_ms(batch.at);
        (used >= limit).then_some((Limit::ActiveTime, None, used, limit))
    });
    over(&batch.state, agent, amount, &|_| Amount::default()).or(active)
}

/// What of the reserved amounts is left out of account, of those of the agents that are meant.
type Less<'l> = &'l dyn Fn(&dyn Fn(&AgentName) -> bool) -> Amount;

/// The limit of amounts that `amount` for `agent` would pass if less were reserved: in the run, of a team within it that the
/// agent is of, and of the agent itself.
fn over(state: &State, agent: &AgentName, amount: Amount, less: Less<'_>) -> Option<Short> {
    let without = |used: Amount, less| used.minus(less).unwrap_or_default().plus(amount);
    let passes = |what: Limit, used: Amount, limit: u64| used.of(what) > limit && amount.of(what) > 0;
    let run = without(state.ledger.spent.plus(state.ledger.reserved), less(&|_| true));
    let of_run = RUN_LIMITS.into_iter().find_map(|what| {
        let limit = state.limit(what)?;
        passes(what, run, limit).then(|| (what, None, run.of(what), limit))
    });
    let of_teams = || {
        state.plan.teams.of(agent).find_map(|(name, team)| {
            let is_own = |agent: &AgentName| state.plan.teams.of(agent).any(|(of, _)| of == name);
            let own = without(state.used_by(name), less(&is_own));
            let limits = RUN_LIMITS.into_iter().filter_map(|what| Some((what, state.limit_of(team, what)?)));
            let mut passed = limits.filter(|(what, limit)| passes(*what, own, *limit));
            passed.next().map(|(what, limit)| (what, Some(name.clone()), own.of(what), limit))
        })
    };
    let account = state.ledger.by_agent.get(agent).copied().unwrap_or_default();
    let own = without(account.spent.plus(account.reserved), less(&|other| other == agent));
    let limits = state.member(agent).map(|member| &member.limits);
    let own_limits = [
        (Limit::Tokens, limits.and_then(|l| l.tokens), state.ledger.raise.tokens),
        (Limit::Cost, limits.and_then(|l| l.cost.map(|c| c.0)), state.ledger.raise.cost.map(|c| c.0)),
    ];
    let of_agent = own_limits.into_iter().find_map(|(what, declared, raised)| {
        let limit = declared?.max(raised.unwrap_or(0));
        passes(what, own, limit).then(|| (what, Some(agent.clone()), own.of(what), limit))
    });
    of_run.or_else(of_teams).or(of_agent)
}

/// Pauses the run, or stops it, because `needed` is over `limit`.
pub(super) fn exceeded(
    batch: &mut Batch,
    what: Limit,
    agent: Option<AgentName>,
    needed: u64,
    limit: u64,
) -> Result<(), Illegal> {
    let why = PauseReason::Budget { what, agent, needed, limit };
    if ending::stops_when_spent(batch, &why) {
        return ending::close(batch, Ending::Stopped);
    }
    batch.emit(Event::Paused { why })
}

/// The most that `turn`'s next model call may use: an upper bound of its input and all the output it is allowed, which
/// is what the member may have unless `output_tokens` says otherwise.
pub(super) fn model_call(state: &State, turn: &Turn, model: Option<&str>, output_tokens: Option<u64>) -> Amount {
    let Some(member) = state.member(&turn.agent) else { return TOOL_CALL };
    let input = input_bound(state, member, turn);
    let output = output_tokens.unwrap_or(member.limits.output_tokens);
    let cost = spec(state, model).map_or(NanoUsd(0), |spec| spec.most(input, output));
    Amount { steps: 1, tokens: input.saturating_add(output), cost, recipients: 0 }
}

/// What a model call used of its reservation, and what its provider reports if that is more than it was allowed.
pub(super) fn used(state: &State, effect: &Effect, usage: Option<Usage>) -> (Amount, Option<Amount>) {
    let reserved = effect.reserved;
    let Some(usage) = usage else { return (reserved, None) };
    let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
    let cost = spec(state, effect.model.as_deref()).map_or(NanoUsd(0), |spec| spec.price(usage));
    let over = tokens > reserved.tokens || cost > reserved.cost;
    let within = Amount {
        steps: reserved.steps,
        tokens: tokens.min(reserved.tokens),
        cost: cost.min(reserved.cost),
        recipients: reserved.recipients,
    };
    (within, over.then_some(Amount { tokens, cost, ..reserved }))
}

/// Tokens that the input is to stay within: no tokeniser makes more than one token of a byte, and the request has some
/// framing. Instructions may be a template that shows the desk again; a request that comes to more is not sent.
fn input_bound(state: &State, member: &Member, turn: &Turn) -> u64 {
    let Role::Model { tools, instructions, .. } = &member.role else { return 0 };
    let specs = tools.iter().filter_map(|name| state.plan.tools.get(name));
    let offered: usize = specs.map(|spec| spec.description.len() + spec.args.to_string().len() + 64).sum();
    let schemas = member.writes.iter().filter_map(|name| state.plan.artefacts.get(name));
    let schemas = schemas.filter_map(|artefact| state.plan.schemas.get(&artefact.schema));
    let written: usize = schemas.map(|schema| schema.to_string().len()).sum();
    let team = state.plan.team.values().map(|other| other.does.len() + 2 * MEMBER_BYTES).sum::<usize>();
    let turns = turn.shown.iter().chain(&turn.unseen).filter(|part| **part == Part::Instructions).count();
    let framed = (turns + 1) * SECTION_BYTES + 3 * team;
    let fixed = u64::try_from(offered + written + instructions.len() + framed).unwrap_or(u64::MAX);
    let times = if is_template(instructions) && instructions.contains("desk") { 3 } else { 1 };
    turn.shown_bytes.saturating_mul(times).saturating_add(fixed).saturating_add(FRAME_TOKENS)
}

/// What a request has beside what the state knows of: the words around each part, and on how a turn ends.
const FRAME_TOKENS: u64 = 4_096;

/// The words around the message of a turn.
const SECTION_BYTES: usize = 256;

/// A member's name and outcome, with the words around them; what it does comes on top.
const MEMBER_BYTES: usize = 96;

fn spec<'s>(state: &'s State, model: Option<&str>) -> Option<&'s ModelSpec> {
    state.plan.models.get(model?)
}

/// An amount for an outward retry: the recipients again.
pub(super) fn amount(effect: &Effect) -> Amount {
    match effect.wish {
        Wish::Deliver { recipients, .. } => Amount { recipients, ..Amount::default() },
        Wish::Tool { .. } | Wish::Own { .. } => TOOL_CALL,
        _ => Amount::default(),
    }
}

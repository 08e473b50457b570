//! Budgets: an effect is asked for only if what it may use fits beside all that is spent and reserved.
//! Integers, one writer, agent within run; what does not fit pauses the run, or stops it.

use super::{Draft, advance};
use crate::failure::Usage;
use crate::id::{AgentName, NanoUsd};
use crate::run::event::{Amount, Ending, Event, Limit, PauseReason};
use crate::run::fold::Illegal;
use crate::run::state::{State, Turn};
use crate::topology::plan::{Member, ModelSpec, Role};

/// One step and nothing else: a tool call.
pub(super) const TOOL_CALL: Amount = Amount { steps: 1, tokens: 0, cost: NanoUsd(0), recipients: 0 };

const RUN_LIMITS: [Limit; 4] = [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients];

/// A limit that something would pass: whose, how much is needed, and the limit.
pub(super) type Short = (Limit, Option<AgentName>, u64, u64);

/// Whether `amount` fits for `agent`. If not, the run is paused or stopped.
pub(super) fn fits(draft: &mut Draft, agent: &AgentName, amount: Amount) -> Result<bool, Illegal> {
    match short(draft, agent, amount) {
        None => Ok(true),
        Some((what, agent, needed, limit)) => {
            exceeded(draft, what, agent, needed, limit)?;
            Ok(false)
        }
    }
}

/// The limit that `amount` for `agent` would pass.
pub(super) fn short(draft: &Draft, agent: &AgentName, amount: Amount) -> Option<Short> {
    let state = &draft.state;
    let run = state.ledger.spent.plus(state.ledger.reserved).plus(amount);
    let over = RUN_LIMITS.into_iter().find_map(|what| {
        let limit = state.limit(what)?;
        (run.of(what) > limit && amount.of(what) > 0).then_some((what, None, run.of(what), limit))
    });
    let account = state.ledger.by_agent.get(agent).copied().unwrap_or_default();
    let own = account.spent.plus(account.reserved).plus(amount);
    let limits = state.member(agent).map(|member| &member.limits);
    let own_limits = [
        (Limit::Tokens, limits.and_then(|l| l.tokens), state.ledger.raise.tokens),
        (Limit::Cost, limits.and_then(|l| l.cost.map(|c| c.0)), state.ledger.raise.cost.map(|c| c.0)),
    ];
    let own_over = own_limits.into_iter().find_map(|(what, declared, raised)| {
        let limit = declared?.max(raised.unwrap_or(0));
        (own.of(what) > limit && amount.of(what) > 0).then(|| (what, Some(agent.clone()), own.of(what), limit))
    });
    let active = state.limit(Limit::ActiveTime).and_then(|limit| {
        let used = state.active_ms(draft.at);
        (used >= limit).then_some((Limit::ActiveTime, None, used, limit))
    });
    over.or(own_over).or(active)
}

/// Pauses the run, or stops it, because `needed` is over `limit`.
pub(super) fn exceeded(
    draft: &mut Draft,
    what: Limit,
    agent: Option<AgentName>,
    needed: u64,
    limit: u64,
) -> Result<(), Illegal> {
    let why = PauseReason::Budget { what, agent, needed, limit };
    if advance::stops_when_spent(draft, &why) {
        return advance::close(draft, Ending::Stopped);
    }
    draft.emit(Event::Paused { why })
}

/// The most that `turn`'s next model call may use: an upper bound of its input and all the output it is allowed.
pub(super) fn model_call(state: &State, turn: &Turn) -> Amount {
    let Some(member) = state.member(&turn.agent) else { return TOOL_CALL };
    let input = input_bound(state, member, turn);
    let output = member.limits.output_tokens;
    Amount { steps: 1, tokens: input.saturating_add(output), cost: price(state, member, input, output), recipients: 0 }
}

/// What a model call used of its reservation; `true` if its provider reports more than it was allowed.
pub(super) fn used(state: &State, agent: &AgentName, reserved: Amount, usage: Option<Usage>) -> (Amount, bool) {
    let (Some(member), Some(usage)) = (state.member(agent), usage) else { return (reserved, false) };
    let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
    let cost = price(state, member, usage.input_tokens, usage.output_tokens);
    let over = tokens > reserved.tokens || cost > reserved.cost;
    let within = Amount {
        steps: reserved.steps,
        tokens: tokens.min(reserved.tokens),
        cost: cost.min(reserved.cost),
        recipients: reserved.recipients,
    };
    (within, over)
}

/// Tokens that the input cannot exceed: no tokeniser makes more than two tokens of three bytes of the texts that
/// are shown here, and every part has some framing.
fn input_bound(state: &State, member: &Member, turn: &Turn) -> u64 {
    let Role::Model { tools, instructions, .. } = &member.role else { return 0 };
    let specs = tools.iter().filter_map(|name| state.plan.tools.get(name));
    let offered: usize = specs.map(|spec| spec.description.len() + spec.args.to_string().len() + 64).sum();
    let fixed = u64::try_from(offered + instructions.len()).unwrap_or(u64::MAX);
    (turn.shown_bytes.saturating_add(fixed).saturating_mul(2) / 3).saturating_add(512)
}

fn price(state: &State, member: &Member, input: u64, output: u64) -> NanoUsd {
    let Role::Model { model, .. } = &member.role else { return NanoUsd(0) };
    state.plan.models.get(model).map_or(NanoUsd(0), |spec| spec.price(input, output))
}

impl ModelSpec {
    /// What so many tokens cost, rounded up.
    pub fn price(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        let of =
            |tokens: u64, per_million: NanoUsd| (u128::from(tokens) * u128::from(per_million.0)).div_ceil(1_000_000);
        let sum = of(input_tokens, self.input_per_million) + of(output_tokens, self.output_per_million);
        NanoUsd(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

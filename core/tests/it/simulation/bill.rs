//! What a run really comes to, counted beside it, and held against the bill that its plan has before it starts.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_core::id::{AgentName, MessageId};
use callsheet_core::run::event::{Event, Fact};
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::state::State;
use callsheet_core::topology::bill::{Bill, Most};
use callsheet_core::topology::plan::{Member, Plan, Role};
use callsheet_core::topology::spec::Reach;

use super::journal::broken;
use super::sometimes::Rare;

/// A run's bill, and what it came to so far.
pub(crate) struct Billed {
    bill: Bill,
    /// The same if each turn took one step: few turns take as many as they may, and this one is come to more often.
    turns: Bill,
    /// What one turn of each member comes to by itself: the bill of a team of that one.
    alone: BTreeMap<AgentName, Bill>,
    /// Turns of persons who decide.
    decides: BTreeSet<MessageId>,
    /// Since the latest decision, and since the start.
    stretch: Spent,
    whole: Spent,
    /// Whether somebody raised a limit of the run or of members, or of what a turn may take.
    raised: bool,
    deeper: bool,
    /// Whether somebody tried a dead letter again.
    tried: bool,
    /// How near the run came to its bill.
    pub(crate) reached: BTreeSet<Rare>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    steps: u64,
    turns: u64,
    asked: u64,
}

fn with_one_step_a_turn(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.team.values_mut().for_each(|member| member.limits.steps_per_turn = 1);
    plan
}

impl Billed {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            bill: Bill::of(plan),
            turns: Bill::of(&with_one_step_a_turn(plan)),
            alone: plan.team.keys().map(|name| (name.clone(), Bill::of(&alone(plan, name)))).collect(),
            decides: BTreeSet::new(),
            stretch: Spent::default(),
            whole: Spent::default(),
            raised: false,
            deeper: false,
            tried: false,
            reached: BTreeSet::new(),
        }
    }

    /// `fact` is durable and led to `state`.
    pub(crate) fn take(&mut self, state: &State, fact: &Fact) -> Result<(), Broken> {
        match &fact.is {
            Event::TurnBegan { message } => {
                let Some(turn) = state.turns.get(message) else { return Ok(()) };
                if turn.message.asked_by.is_none() && state.decides(&turn.agent) {
                    self.decides.insert(*message);
                }
                self.stretch.turns += u64::from(takes_steps(state, &turn.agent));
                self.whole.turns += u64::from(takes_steps(state, &turn.agent));
            }
            Event::TurnEnded { message, .. } if self.decides.remove(message) => self.stretch = Spent::default(),
            Event::DeadLetterAnswered { .. } => {
                self.stretch = Spent::default();
                self.tried = true;
            }
            Event::BudgetRaised { raise, .. } => {
                self.raised = true;
                self.deeper |= raise.steps_per_turn.is_some();
            }
            Event::EffectAsked { message, reserved, .. } => {
                self.turn(state, *message)?;
                self.stretch.steps += reserved.steps;
                self.whole.steps += reserved.steps;
            }
            // What is asked anew after an edit was asked before.
            Event::ApprovalAsked { replaces: None, .. } => {
                self.stretch.asked += 1;
                self.whole.asked += 1;
            }
            _ => {}
        }
        let stretch = [self.bill.between_decisions, self.turns.between_decisions];
        self.holds("between two decisions", &stretch, self.stretch)?;
        if !self.tried {
            self.holds("in the whole run", &[self.bill.whole_run, self.turns.whole_run], self.whole)?;
        }
        self.within_limits(state)
    }

    /// What the handoffs allow, whatever limits say.
    fn holds(&mut self, when: &str, [most, turns]: &[Most; 2], spent: Spent) -> Result<(), Broken> {
        let compared = [
            (most.steps.by_handoffs.filter(|_| !self.deeper), spent.steps, Rare::StepsAsBilled),
            (turns.steps.by_handoffs, spent.turns, Rare::TurnsAsBilled),
            (most.approvals.by_handoffs, spent.asked, Rare::AskedAsBilled),
        ];
        if compared.iter().any(|(most, spent, _)| most.is_some_and(|most| *spent > most)) {
            return Err(broken(
                "bill",
                format!("{when} it took {spent:?}, and the bill is at most {most}; turns: {turns}"),
            ));
        }
        let reached = compared.into_iter().filter(|(most, spent, _)| *spent > 1 && *most == Some(*spent));
        self.reached.extend(reached.map(|(.., rare)| rare));
        Ok(())
    }

    /// What one turn may come to.
    fn turn(&self, state: &State, message: MessageId) -> Result<(), Broken> {
        let Some(turn) = state.turns.get(&message).filter(|_| !self.deeper) else { return Ok(()) };
        let most = self.alone[&turn.agent].whole_run.steps.by_handoffs;
        if most.is_some_and(|most| u64::from(turn.steps) > most) {
            return Err(broken("bill", format!("a turn of {} took {} steps, of {most:?}", turn.agent, turn.steps)));
        }
        Ok(())
    }

    /// What limits and prices allow, until somebody raises one.
    fn within_limits(&self, state: &State) -> Result<(), Broken> {
        let (spent, most) = (state.ledger.spent, &self.bill.whole_run);
        let is_over = |most: Option<u64>, spent: u64| !self.raised && most.is_some_and(|most| spent > most);
        let steps = !self.tried && is_over(most.steps.most, spent.steps);
        if steps || is_over(most.tokens.most, spent.tokens) || is_over(most.cost_nano_usd.most, spent.cost.0) {
            return Err(broken("bill", format!("it spent {spent:?}, and the bill is at most {most}")));
        }
        Ok(())
    }
}

/// A team of one, who asks nobody.
fn alone(plan: &Plan, name: &AgentName) -> Plan {
    let member = plan.team.get(name).map(|member| (name.clone(), Member { may_ask: Vec::new(), ..member.clone() }));
    let asks = plan.team.get(name).is_some_and(|member| !member.may_ask.is_empty());
    let mut alone = Plan { team: member.into_iter().collect(), start: name.clone(), ..plan.clone() };
    alone.handoffs.clear();
    // Whoever may ask teammates answers after each of them.
    if asks && let Some(Role::Model { tools, .. }) = alone.team.get_mut(name).map(|member| &mut member.role) {
        tools.push(super::team::name("team.ask"));
    }
    alone
}

/// Whether a turn of `agent` takes steps at all.
fn takes_steps(state: &State, agent: &AgentName) -> bool {
    match state.member(agent).map(|member| &member.role) {
        Some(Role::Model { .. }) => true,
        Some(Role::Tool { tool, .. }) => state.plan.tools.get(tool).is_some_and(|spec| spec.reach != Reach::ActsOut),
        _ => false,
    }
}

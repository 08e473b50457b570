//! Budgets of whole runs: exactly enough passes, one less pauses before it is passed and never after, a raise goes on.

#[path = "../../core/tests/it/budget/crew.rs"]
#[expect(dead_code, reason = "the core's tests play the smaller crews")]
mod crew;
mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use callsheet::clock::{Clock, Machine};
use callsheet::id::{AgentName, NanoUsd, Timestamp};
use callsheet::run::event::{Ending, Limit, PauseReason, Raise, Refusal};
use callsheet::run::input::Say;
use callsheet::run::state::{State, Status};
use callsheet::topology::plan::{Plan, WhenSpent};

use super::support::{Came, Driven, Rig, shipped};

const LIMITS: [Limit; 4] = [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::Recipients];

fn set(plan: &mut Plan, what: Limit, limit: u64) {
    match what {
        Limit::Steps => plan.budget.steps = Some(limit),
        Limit::Tokens => plan.budget.tokens = Some(limit),
        Limit::Cost => plan.budget.cost = Some(NanoUsd(limit)),
        Limit::Recipients => plan.budget.recipients = Some(limit),
        Limit::ActiveTime => plan.budget.active_ms = Some(limit),
        Limit::Turns | Limit::StepsPerTurn => panic!("these are of agents"),
    }
}

fn raise(what: Limit, limit: u64) -> Say {
    let mut raise = Raise::default();
    match what {
        Limit::Steps => raise.steps = Some(limit),
        Limit::Tokens => raise.tokens = Some(limit),
        Limit::Cost => raise.cost = Some(NanoUsd(limit)),
        Limit::Recipients => raise.recipients = Some(limit),
        Limit::ActiveTime => raise.active_ms = Some(limit),
        Limit::Turns => raise.turns = Some(u32::try_from(limit).unwrap()),
        Limit::StepsPerTurn => raise.steps_per_turn = Some(u32::try_from(limit).unwrap()),
    }
    Say::Raise(raise)
}

fn taken(state: &State, what: Limit) -> u64 {
    state.ledger.spent.plus(state.ledger.reserved).of(what)
}

/// At no record is more spent and reserved than the limits in force there, in the run and of each agent.
fn never_over(driven: &Driven<'_>, what: &str) {
    for state in driven.states() {
        for limit in LIMITS {
            let in_force = state.limit(limit).unwrap_or(u64::MAX);
            assert!(taken(&state, limit) <= in_force, "{what}: {limit:?} {} of {in_force}", taken(&state, limit));
        }
        for (agent, account) in &state.ledger.by_agent {
            let (own, raise) = (&state.plan.team[agent].limits, &state.ledger.raise);
            let both = account.spent.plus(account.reserved);
            let tokens = own.tokens.map_or(u64::MAX, |tokens| tokens.max(raise.tokens.unwrap_or(0)));
            let cost = own.cost.map_or(u64::MAX, |cost| cost.max(raise.cost.unwrap_or_default()).0);
            assert!(both.tokens <= tokens && both.cost.0 <= cost, "{what}: {agent} {both:?}");
        }
    }
    let last = driven.state();
    if last.ended == Some(Ending::Done) {
        assert_eq!(last.ledger.reserved, callsheet::run::event::Amount::default(), "{what}: a reservation leaked");
    }
}

/// Runs `plan` until it comes to rest, approving what is asked.
async fn rest(rig: &Rig, plan: &Plan) -> (Status, Came, u64) {
    let driven = rig.run(plan).await;
    let status = driven.approve_all().await;
    never_over(&driven, "an undisturbed run");
    let (came, steps) = (driven.came(), driven.state().ledger.spent.steps);
    driven.system.stop().await;
    (status, came, steps)
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_enough_passes_and_one_less_pauses_and_goes_on_when_raised() {
    for topology in ["content-repurposing", "re-engagement"] {
        let plan = shipped(topology);
        let mut rig = Rig::new();
        let driven = rig.run(&plan).await;
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
        let undisturbed = driven.came();
        let states = driven.states();
        driven.system.stop().await;
        rig.out = tempfile::tempdir().unwrap();
        for what in LIMITS {
            let peak = states.iter().map(|state| taken(state, what)).max().unwrap();
            assert!(peak > 0, "{topology} uses no {what:?}");
            let mut exact = plan.clone();
            set(&mut exact, what, peak);
            let (status, came, _) = rest(&rig, &exact).await;
            assert_eq!(status, Status::Ended(Ending::Done), "{topology}: exactly {peak} of {what:?}");
            assert_eq!(came, undisturbed);

            let mut less = plan.clone();
            set(&mut less, what, peak - 1);
            let driven = rig.run(&less).await;
            let case = format!("{topology}: {what:?} one less than {peak}");
            assert_eq!(driven.approve_all().await, Status::Paused, "{case}");
            let why = driven.state().paused.unwrap();
            let PauseReason::Budget { what: of, needed, limit, .. } = why else { panic!("{case}: {why:?}") };
            assert_eq!((of, needed, limit), (what, peak, peak - 1), "{case}");
            assert_eq!(driven.say("ada", raise(what, peak - 1)).await, Err(Refusal::RaiseTooLow), "{case}");
            assert_eq!(driven.say("ada", Say::Raise(Raise::default())).await, Err(Refusal::RaiseTooLow), "{case}");
            driven.say("ada", Say::Resume).await.unwrap();
            assert_eq!(driven.settled().await, Status::Paused, "{case}: to resume is not to raise");
            driven.say("ada", raise(what, peak)).await.unwrap();
            assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{case}");
            assert_eq!(driven.came(), undisturbed, "{case}");
            never_over(&driven, &case);
            driven.system.stop().await;

            less.budget.when_spent = WhenSpent::Stop;
            let driven = rig.run(&less).await;
            assert_eq!(driven.approve_all().await, Status::Ended(Ending::Stopped), "{case}: stopped");
            never_over(&driven, &case);
            assert_eq!(driven.say("ada", raise(what, peak)).await, Err(Refusal::RunOver), "{case}");
            driven.system.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_own_limit_pauses_and_is_raised_by_what_the_pause_says() {
    let plan = shipped("content-repurposing");
    let rig = Rig::new();
    let driven = rig.run(&plan).await;
    driven.approve_all().await;
    let undisturbed = driven.came();
    let states = driven.states();
    driven.system.stop().await;
    let agent: AgentName = "drafter".parse().unwrap();
    for what in [Limit::Tokens, Limit::Cost] {
        let of = |state: &State| {
            state.ledger.by_agent.get(&agent).map_or(0, |account| account.spent.plus(account.reserved).of(what))
        };
        let peak = states.iter().map(of).max().unwrap();
        let mut less = plan.clone();
        let limits = &mut less.team.get_mut(&agent).unwrap().limits;
        match what {
            Limit::Tokens => limits.tokens = Some(peak - 1),
            _ => limits.cost = Some(NanoUsd(peak - 1)),
        }
        let driven = rig.run(&less).await;
        assert_eq!(driven.approve_all().await, Status::Paused, "{what:?}");
        let why = PauseReason::Budget { what, agent: Some(agent.clone()), needed: peak, limit: peak - 1 };
        assert_eq!(driven.state().paused, Some(why));
        assert_eq!(driven.say("ada", raise(what, peak - 1)).await, Err(Refusal::RaiseTooLow));
        driven.say("ada", raise(what, peak)).await.unwrap();
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{what:?}");
        assert_eq!(
            (driven.came().versions, driven.came().results),
            (undisturbed.versions.clone(), undisturbed.results.clone())
        );
        never_over(&driven, "an agent's own limit");
        // The run's own limit is not lowered by raising an agent's.
        assert_eq!(driven.state().limit(what), states[0].limit(what));
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_and_steps_of_a_turn_are_bounded() {
    let plan = shipped("content-repurposing");
    let rig = Rig::new();
    let (_, undisturbed, _) = rest(&rig, &plan).await;
    // The drafter has two turns, the researcher's turn three steps.
    for (what, agent, enough) in [(Limit::Turns, "drafter", 2), (Limit::StepsPerTurn, "researcher", 3)] {
        let agent: AgentName = agent.parse().unwrap();
        let mut exact = plan.clone();
        let limits = &mut exact.team.get_mut(&agent).unwrap().limits;
        match what {
            Limit::Turns => limits.turns = enough,
            _ => limits.steps_per_turn = enough,
        }
        assert_eq!(rest(&rig, &exact).await.0, Status::Ended(Ending::Done), "{what:?}");
        let limits = &mut exact.team.get_mut(&agent).unwrap().limits;
        match what {
            Limit::Turns => limits.turns -= 1,
            _ => limits.steps_per_turn -= 1,
        }
        for when_spent in [WhenSpent::Pause, WhenSpent::Stop] {
            exact.budget.when_spent = when_spent;
            let driven = rig.run(&exact).await;
            let status = driven.approve_all().await;
            if when_spent == WhenSpent::Stop {
                assert_eq!(status, Status::Ended(Ending::Stopped), "{what:?}");
                driven.system.stop().await;
                continue;
            }
            assert_eq!(status, Status::Paused, "{what:?}");
            let (needed, limit) = (u64::from(enough), u64::from(enough) - 1);
            let why = PauseReason::Budget { what, agent: Some(agent.clone()), needed, limit };
            assert_eq!(driven.state().paused, Some(why));
            driven.say("ada", raise(what, needed)).await.unwrap();
            assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{what:?}");
            assert_eq!(driven.came().versions, undisturbed.versions);
            driven.system.stop().await;
        }
    }
}

/// A clock on which every look takes a second.
struct Fast(AtomicI64);

impl Clock for Fast {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1_000, Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        Machine.uptime_ms()
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn active_time_is_bounded_and_waiting_is_not_active() {
    let mut plan = shipped("content-repurposing");
    plan.budget.active_ms = Some(1);
    let mut rig = Rig::new();
    rig.clock = Arc::new(Fast(AtomicI64::new(1_700_000_000_000)));
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Paused);
    let why = driven.state().paused.unwrap();
    assert!(matches!(why, PauseReason::Budget { what: Limit::ActiveTime, limit: 1, .. }), "{why:?}");
    driven.say("ada", raise(Limit::ActiveTime, 3_600_000)).await.unwrap();
    assert_eq!(driven.settled().await, Status::Waiting);
    let state = driven.state();
    assert_eq!(state.active_ms(state.now.plus_ms(86_400_000)), state.active_ms(state.now), "waiting for people counts");
    assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done));
    driven.system.stop().await;
}

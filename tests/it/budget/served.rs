//! 64 calls at once over real HTTP, to a server that reports usage at the bound, above it, below it and not at all: at no
//! record is a limit passed, what is reported beyond is flagged, and what is not reported is paid in full.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use callsheet::actor::history::load;
use callsheet::clock::{Clock as _, Machine};
use callsheet::id::{EffectId, NanoUsd, RunId};
use callsheet::model::live::Live;
use callsheet::model::wire::Endpoint;
use callsheet::run::event::{Amount, Ending, Event, Limit, PauseReason, Settled, Wish};
use callsheet::run::state::Status;
use callsheet::topology::plan::{Dialect, Plan};
use serde_json::{Value, json};

use super::crew::{self, Crew};
use super::{never_over, raise, taken};
use crate::autonomy::viewed;
use crate::replies::{Read, Used, end, played};
use crate::support::{Driven, NEVER, Rig};
use crate::wire::server::{Asked, Played, serve};

/// Members who are asked and ask nobody: all of them at once.
const LEAVES: usize = 64;

/// Raises after which a run is given up.
const RAISES_MAX: usize = 200;

/// A provider that knows what is set aside for a call, and says something else.
struct Provider {
    plan: Plan,
    store: Arc<callsheet::journal::memory::Memory>,
    run: OnceLock<RunId>,
    /// Leaves that are asked and not answered; they are answered when all of them are asked, if that is wanted.
    held: Option<(Mutex<usize>, Condvar)>,
    /// What was said of each call.
    said: Mutex<BTreeMap<EffectId, Says>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    AtTheBound,
    Above,
    Below,
    Nothing,
}

impl Provider {
    fn answer(&self, asked: &Asked) -> Played {
        let read = Read::of(asked);
        let used = self.used(&read);
        let asks = &self.plan.team[read.agent.as_str()].may_ask;
        if asks.is_empty() {
            self.hold();
        }
        if read.results < asks.len() {
            let ask =
                |to: &callsheet::id::AgentName| ("team_ask", json!({ "to": to, "question": "What do you think?" }));
            return played(&asks.iter().map(ask).collect::<Vec<_>>(), used);
        }
        played(&[end(if read.is_question { "answer" } else { "ready" }, &Value::Null)], used)
    }

    /// Waits until every leaf is asked.
    fn hold(&self) {
        let Some((count, all)) = &self.held else { return };
        let mut asked = count.lock().unwrap();
        *asked += 1;
        all.notify_all();
        let (_asked, waited) = all.wait_timeout_while(asked, NEVER, |asked| *asked < LEAVES).unwrap();
        assert!(!waited.timed_out(), "they were not all asked at once");
    }

    fn used(&self, read: &Read) -> Used {
        let state = load(self.store.as_ref(), *self.run.wait()).unwrap().state;
        let is_call = |wish: &Wish| matches!(wish, Wish::Model { .. });
        let call = state.effects.iter().find(|(_, of)| of.agent.as_str() == read.agent && is_call(&of.wish));
        let (id, effect) = call.unwrap_or_else(|| panic!("{} asks unasked", read.agent));
        let nth: usize = read.agent[1..].parse().unwrap();
        let says = [Says::AtTheBound, Says::Above, Says::Below, Says::Nothing][nth % 4];
        assert_eq!(self.said.lock().unwrap().insert(*id, says), None, "{} is asked twice", read.agent);
        let (bound, output) = (effect.reserved.tokens, read.output_tokens_max);
        match says {
            Says::AtTheBound => Some((bound - output, output)),
            Says::Above => Some((bound - output + 1, output)),
            Says::Below => Some((17, 3)),
            Says::Nothing => None,
        }
    }
}

/// The crowd, with prices, and all the budget that it may want.
fn plan() -> Plan {
    let mut plan = crew::plan(Crew::Crowd, &mut crate::random::Random::new(1));
    plan.budget.steps = Some(1_000);
    (plan.budget.tokens, plan.budget.cost) = (Some(10_000_000), Some(NanoUsd(1_000_000_000_000)));
    plan.budget.active_ms = None;
    for spec in plan.models.values_mut() {
        (spec.input_per_million, spec.output_per_million) = (NanoUsd(3_000_000_000), NanoUsd(15_000_000_000));
        (spec.cached_per_million, spec.cache_write_per_million) = (None, None);
    }
    plan.team.values_mut().for_each(|member| member.limits.steps_per_turn = 400);
    plan
}

/// Runs `plan` to its end, raising what is short; how often something was.
async fn check(plan: &Plan, together: bool) -> (Amount, usize) {
    let mut rig = Rig::new();
    let held = together.then(|| (Mutex::new(0), Condvar::new()));
    let (store, run) = (Arc::clone(&rig.store), OnceLock::new());
    let provider = Arc::new(Provider { plan: plan.clone(), store, run, held, said: Mutex::default() });
    let server = Arc::clone(&provider);
    let base_url = format!("{}/v1", serve(move |asked| server.answer(asked)));
    let endpoint = move |_: &str| Ok(Endpoint::new(Dialect::OpenAi, &base_url));
    rig.live = Some(Arc::new(Live::new(Box::new(|| Machine.now()), Box::new(endpoint))));
    let driven = rig.run(plan).await;
    provider.run.set(driven.handle.run).unwrap();
    let mut raises = 0;
    while driven.settled().await == Status::Paused {
        let why = driven.state().paused.unwrap();
        let PauseReason::Budget { what, needed, .. } = why else { panic!("{why:?}: {:?}", driven.reasons()) };
        driven.say("ada", raise(what, needed + needed / 20)).await.unwrap();
        raises += 1;
        assert!(raises <= RAISES_MAX, "it is raised without end");
    }
    assert_eq!(driven.state().status(), Status::Ended(Ending::Done), "{:?}", driven.reasons());
    never_over(&driven, "64 at once");
    paid(&driven, &provider.said.lock().unwrap());
    let states = driven.states();
    let most = |what| states.iter().map(|state| taken(state, what)).max().unwrap();
    let peak = Amount { steps: 0, tokens: most(Limit::Tokens), cost: NanoUsd(most(Limit::Cost)), recipients: 0 };
    let at_once = states.iter().map(|state| state.effects.len()).max().unwrap();
    assert!(!together || at_once >= LEAVES, "only {at_once} calls at once");
    driven.system.stop().await;
    (peak, raises)
}

/// What is reported at or below the bound is paid; what is above it is flagged and paid as far as was set aside; what is
/// not reported is paid in full.
fn paid(driven: &Driven<'_>, said: &BTreeMap<EffectId, Says>) {
    let mut reserved = BTreeMap::new();
    let mut settled = 0;
    for fact in driven.facts() {
        match fact.is {
            Event::EffectAsked { id, wish: Wish::Model { .. }, reserved: amount, .. } => {
                reserved.insert(id, amount);
            }
            Event::EffectSettled { id, spent, result: Settled::Replied(replied) } => {
                settled += 1;
                let (says, whole) = (said[&id], reserved[&id]);
                let wanted = if says == Says::Below { 20 } else { whole.tokens };
                assert_eq!((spent.tokens, replied.over_reported), (wanted, says == Says::Above), "{says:?}");
                assert_eq!(replied.assumed, says == Says::Nothing, "{says:?}");
                let more = replied.reported.is_some_and(|reported| reported.tokens > whole.tokens);
                assert_eq!(more, says == Says::Above, "{says:?}: {:?} of {whole:?}", replied.reported);
                assert_eq!(spent.cost == whole.cost, says != Says::Below, "{says:?}: {spent:?} of {whole:?}");
            }
            Event::EffectFailed { class, reason, .. } => {
                panic!("{class:?}: {}", driven.body(reason.told().unwrap().digest))
            }
            _ => {}
        }
    }
    assert_eq!((settled, said.len()), (LEAVES + 2 * 21, LEAVES + 2 * 21));
    let silent = said.values().filter(|says| **says == Says::Nothing).count();
    let assumed = viewed(driven).0.assumed_calls().unwrap();
    assert!(assumed.starts_with(&format!("of {silent} model calls the provider reports no usage")), "{assumed}");
}

#[test]
fn with_64_calls_at_once_no_report_of_a_provider_passes_a_limit() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut plan = plan();
        let (peak, raises) = check(&plan, true).await;
        assert_eq!(raises, 0);
        // With less than they want at once the run pauses and is raised, and still passes no limit on its way.
        (plan.budget.tokens, plan.budget.cost) = (Some(peak.tokens / 3), Some(NanoUsd(peak.cost.0 / 2)));
        let (_, raises) = check(&plan, false).await;
        assert!(raises > 5, "only {raises} raises");
    });
}

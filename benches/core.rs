//! The core alone: what an input costs to decide, fold and assert, and what the assertions' share of that is. A whole
//! campaign in memory, without shell, journal or tools: `cargo bench --bench core`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and says what it saw")]
#![allow(missing_docs, reason = "the macros of criterion make public functions")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::id::{ApprovalNo, Digest, RunId, Timestamp};
use callsheet::run::decide::decide;
use callsheet::run::event::{
    ActHead, BodyRef, Decision, Ending, ItemHead, Manifest, Origin, Replied, Settled, Who, Wish, WriteHead,
};
use callsheet::run::input::{Command, Input, What};
use callsheet::run::invariant::holds_after;
use callsheet::run::state::{Effect, State};
use callsheet::topology::check::check;
use callsheet::topology::plan::{Arg, Budget, Handoff, Mode, Over, Plan, Recipient, Role, Split};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

criterion_group!(benches, core, branches);
criterion_main!(benches);

/// Items of the manifest: the shipped campaign has a handful, a large one has many.
const ITEMS: [u64; 2] = [3, 500];

/// Turns taken by each side of a comparison, one after the other; the median counts.
const TURNS: usize = 31;

fn core(criterion: &mut Criterion) {
    let plan = plan("re-engagement");
    for items in ITEMS {
        let facts = campaign(&plan, items, Does::Asserted);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (of, does) in times.iter_mut().zip([Does::Asserted, Does::Bare, Does::FoldedAgain]) {
                of.push(timed(&plan, items, does));
            }
        }
        let [asserted, bare, folded] = times.map(|of| median(of).as_nanos() as f64 / 1_000.0 / facts as f64);
        println!(
            "{items} items, {facts} events: {asserted:.2} us an event, {bare:.2} without the assertions ({:.2} times), \
             {folded:.2} if each batch is folded once more ({:.2} times)",
            asserted / bare,
            folded / asserted
        );
        let mut group = criterion.benchmark_group(format!("core, {items} items"));
        group.throughput(Throughput::Elements(facts)).sample_size(20);
        group.bench_function("with assertions", |bencher| bencher.iter(|| campaign(&plan, items, Does::Asserted)));
        group.bench_function("without", |bencher| bencher.iter(|| campaign(&plan, items, Does::Bare)));
    }
}

/// Branches of one split: a few, and many.
const BRANCHES: [u32; 2] = [10, 200];

/// What a message costs where many run side by side, against where few do: in each branch a writer and a critic, who sends
/// the first draft back.
fn branches(_: &mut Criterion) {
    let plans = BRANCHES.map(spread);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for ((of, plan), branches) in times.iter_mut().zip(&plans).zip(BRANCHES) {
            // As many branches on either side, so that what is measured is as long.
            let runs = BRANCHES[1] / branches;
            let begun = Instant::now();
            let messages: u64 = (0..runs).map(|_| u64::from(run(plan, 0, Does::Asserted).state.messages_sent)).sum();
            of.push(begun.elapsed() / u32::try_from(messages).unwrap());
        }
    }
    let [few, many] = times.map(|of| median(of).as_nanos() as f64 / 1_000.0);
    println!("{} branches: {few:.1} us a message; {}: {many:.1}, {:.2} times", BRANCHES[0], BRANCHES[1], many / few);
}

/// The shipped `launch` up to its editor, with so many channels.
fn spread(branches: u32) -> Arc<Plan> {
    let mut plan = Plan::clone(&plan("launch"));
    let named = |name: &str| name.parse().unwrap();
    let split = |ways: &mut BTreeMap<_, Handoff>| ways.values_mut().find_map(|way| way.split.as_mut()).unwrap().clone();
    let mut ways = plan.handoffs.remove("planner").unwrap();
    let over = Over::Times { times: branches, to: named("writer") };
    let spread = Split { over, ..split(&mut ways) };
    ways.values_mut().filter_map(|way| way.split.as_mut()).for_each(|split| *split = spread.clone());
    plan.handoffs.insert(named("planner"), ways);
    let end = Handoff { to: Recipient::End, rounds: None, split: None };
    plan.handoffs.get_mut("editor").unwrap().values_mut().for_each(|way| *way = end.clone());
    plan.budget = Budget { steps: None, tokens: None, cost: None, active_ms: None, ..plan.budget };
    Arc::new(plan)
}

/// What is done with each input beside deciding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Nothing.
    Bare,
    /// The state is held against the invariants, as an owner does.
    Asserted,
    /// As that, and the facts are folded once more, as an owner did once.
    FoldedAgain,
}

fn timed(plan: &Arc<Plan>, items: u64, does: Does) -> Duration {
    let begun = Instant::now();
    campaign(plan, items, does);
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn plan(name: &str) -> Arc<Plan> {
    let settings = Settings::read(&Flags::default(), Path::new(env!("CARGO_MANIFEST_DIR")), BTreeMap::new()).unwrap();
    let around = app::surroundings(&settings, Mode::Rehearsal).unwrap();
    Arc::new(check(name, &settings.folder(), &around).unwrap_or_else(|faults| panic!("{faults}")).plan)
}

/// The shipped campaign, as the owner of a run drives it: each input is decided, folded and, unless it is bare, held against
/// the invariants. How many events it came to.
fn campaign(plan: &Arc<Plan>, items: u64, does: Does) -> u64 {
    run(plan, items, does).facts
}

fn run(plan: &Arc<Plan>, items: u64, does: Does) -> Driven {
    let (by, body) = (who(), bodies(0));
    let mut driven = Driven { state: State::new(RunId(uuid::Uuid::nil()), Arc::clone(plan)), facts: 0, does };
    driven.hear(What::Start {
        plan: body.digest,
        mode: plan.mode,
        brief: body,
        labels: Default::default(),
        note: body,
        by: by.clone(),
    });
    while driven.state.ended.is_none() {
        let outstanding = driven.state.outstanding();
        for (nth, (id, _)) in (0_u64..).zip(&outstanding) {
            let result = Ok(settled(&driven.state, &driven.state.effects[id], items, nth));
            driven.hear(What::Settled { id: *id, result, usage: None });
        }
        let open = driven.state.open_approvals().next().map(|(no, approval)| (no, approval.binds));
        if let Some((approval, binds)) = open {
            let command = Command::Decide { approval, binds, decision: Decision::Approve, comment: body };
            let say = Some((by.clone(), command));
            driven.hear(What::Posted { place: 1, post: uuid::Uuid::nil(), at: driven.state.now, say });
        }
        assert!(open.is_some() || !outstanding.is_empty() || driven.state.ended.is_some(), "it stands still");
    }
    assert_eq!(driven.state.ended, Some(Ending::Done));
    driven
}

struct Driven {
    state: State,
    facts: u64,
    does: Does,
}

impl Driven {
    fn hear(&mut self, what: What) {
        let input = Input { at: Timestamp(self.state.now.0.max(0) + 1), jitter_permille: 0, what };
        let before = (self.does == Does::FoldedAgain).then(|| self.state.clone());
        let nothing = State::new(self.state.run, Arc::clone(&self.state.plan));
        let decided = decide(std::mem::replace(&mut self.state, nothing), &input).unwrap();
        if let Some(mut next) = before {
            decided.facts.iter().for_each(|fact| next.apply(fact).unwrap());
            assert_eq!(next.now, decided.state.now);
        }
        if self.does != Does::Bare {
            holds_after(&decided.state, &decided.facts).unwrap();
        }
        self.state = decided.state;
        self.facts += decided.facts.len() as u64;
    }
}

fn who() -> Who {
    Who { name: "bench".to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

fn bodies(nth: u64) -> BodyRef {
    BodyRef { digest: Digest::of("bench", &[&nth.to_be_bytes()]), bytes: 500 }
}

/// What an effect comes to when nothing goes wrong.
fn settled(state: &State, effect: &Effect, items: u64, nth: u64) -> Settled {
    let member = &state.plan.team[&effect.agent];
    let body = bodies(u64::from(effect.ordinal) + 1_000 * u64::from(effect.message.0) + 1_000_000 * nth);
    match (&effect.wish, &member.role) {
        (Wish::Model { .. }, Role::Model { outcomes, .. }) => {
            let write = |(place, artefact)| {
                let body = bodies(place + 1_000_000_000 * u64::from(effect.message.0));
                WriteHead::new(artefact, body, Origin::Model)
            };
            let writes = (0_u64..).zip(member.writes.iter().cloned()).map(write).collect();
            let sends_back = outcomes.iter().find(|outcome| outcome.as_str() == "revise");
            let turn = &state.turns[&effect.message];
            let is_first = !turn.message.branch.is_root() && !turn.desk.contains_key("review");
            let outcome = sends_back.filter(|_| is_first);
            let outcome = outcome.or(outcomes.first()).cloned();
            let act = ActHead::Answer { outcome, note: body, writes, problems: None };
            Settled::Replied(Replied::new(body, Origin::Model, None, act))
        }
        (Wish::Prepare { binds: Some(sender) }, _) => {
            let desk = &state.turns[&effect.message].desk;
            let Role::Tool { args, .. } = &state.plan.team[sender].role else { unreachable!("a sender") };
            let roots = args.values().filter_map(|arg| match arg {
                Arg::Path { root, .. } => root.parse().ok(),
                Arg::Value(_) => None,
            });
            let desk = roots.filter_map(|root| desk.get(&root).map(|held| (root, held.clone()))).collect();
            let item = |nth| ItemHead { digest: bodies(nth).digest, recipients: 1, after_ms: 0 };
            let manifest = Manifest { body, items: (0..items).map(item).collect(), desk };
            Settled::Prepared { no: ApprovalNo(1), manifest: Some(manifest), rules: None }
        }
        (Wish::Rule, Role::Rule(rule)) => Settled::Ruled { outcome: rule.otherwise.clone(), line: None, note: body },
        (Wish::Deliver { .. }, _) => Settled::Performed { receipt: body },
        (wish, _) => unreachable!("{wish:?}"),
    }
}

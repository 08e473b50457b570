//! Teams that have many calls under way at once: one model with up to 64 tool calls of one reply, a few members who ask
//! each other, and 64 who are all asked at once.

use std::fmt::Write as _;
use std::sync::LazyLock;

use callsheet_core::id::NanoUsd;
use callsheet_core::topology::check::check;
use callsheet_core::topology::plan::{Budget, Mode, ModelSpec, Plan, QUESTIONS_PER_TURN_MAX, Supervisor, WhenSpent};

use crate::files::{Memory, surroundings};
use crate::random::Random;

/// Members of each team: a tree in which everybody asks four.
const SIZES: [usize; 3] = [1, 6, 85];

static PLANS: LazyLock<[Plan; 3]> = LazyLock::new(|| SIZES.map(written));

/// Which team.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crew {
    Alone,
    Few,
    Crowd,
}

fn written(members: usize) -> Plan {
    let mut text = "schema_version = 1\ndescription = \"Many calls at once.\"\n[team]\n".to_owned();
    let mut handoffs = "[handoffs]\nstart = \"m0\"\n".to_owned();
    let four = usize::try_from(QUESTIONS_PER_TURN_MAX).unwrap();
    for n in 0..members {
        let asked: Vec<String> =
            (four * n + 1..=four * n + four).filter(|m| *m < members).map(|m| format!("m{m}")).collect();
        writeln!(text, "m{n} = {{ file = \"agents/one.toml\", may_ask = {asked:?} }}").unwrap();
        let on = if n + 1 < members { format!("m{}", n + 1) } else { "end".to_owned() };
        writeln!(handoffs, "m{n} = {{ ready = \"end\", on = {on:?} }}").unwrap();
    }
    let budget = "[budget]\nsteps = \"unlimited\"\ntokens = 1\ncost_usd = \"unlimited\"\nactive_time = \"1h\"\n";
    let one = "schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\noutcomes = [\"ready\", \"on\"]\n\
               tools = [\"look.up\", \"count.words\"]\ninstructions = \"Work.\"\nlimits = { turns = 1000000 }\n";
    let files = Memory::default()
        .with("topologies/crew.toml", &format!("{text}{handoffs}{budget}"))
        .with("agents/one.toml", one);
    check("crew", &files, &surroundings()).unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan
}

/// The crew's plan with numbers of the seed's own: often so small that the run comes by them.
pub(crate) fn plan(crew: Crew, random: &mut Random) -> Plan {
    let mut plan = PLANS[crew as usize].clone();
    plan.mode = Mode::Live;
    models(&mut plan, random);
    let call = 6_000 * u64::try_from(SIZES[crew as usize]).unwrap();
    let mut limit = |ample: u64, tight: u64| match random.below(4) {
        0 => Some(random.between(1, tight)),
        1 => None,
        _ => Some(ample),
    };
    let (steps, tokens) = (limit(1_000, 80), limit(100 * call, 4 * call));
    let cost = limit(1_000_000_000_000, 200_000_000).map(NanoUsd);
    let active_ms = limit(86_400_000, 60_000);
    let when_spent = if random.chance(100) { WhenSpent::Stop } else { WhenSpent::Pause };
    plan.budget = Budget { steps, tokens, cost, active_ms, recipients: None, when_spent };
    for member in plan.team.values_mut() {
        let limits = &mut member.limits;
        limits.output_tokens = random.between(1, 2_000);
        limits.steps_per_turn = if random.chance(20) { 2 } else { 400 };
        // Of a crowd somebody would always come by a limit before all are asked.
        let own = if crew == Crew::Crowd { 0 } else { 200 };
        limits.tokens = random.chance(own).then(|| random.between(1, 20_000));
        limits.cost = random.chance(own).then(|| NanoUsd(random.between(1, 100_000_000)));
    }
    plan.supervisor = Supervisor {
        max_restarts: u32::try_from(random.between(1, 4)).unwrap(),
        poison_after: u32::try_from(random.between(1, 3)).unwrap(),
        ..plan.supervisor
    };
    plan
}

/// Prices, and sometimes a fallback that costs more.
fn models(plan: &mut Plan, random: &mut Random) {
    let mut price = || NanoUsd(random.below(2) * random.below(20_000_000_000));
    let mut spec = |fallback: Option<&str>| ModelSpec {
        model: "mock/model".to_owned(),
        input_per_million: price(),
        output_per_million: price(),
        cached_per_million: Some(price()),
        cache_write_per_million: Some(price()),
        fallback: fallback.map(str::to_owned),
        ..ModelSpec::default()
    };
    let other = spec(None);
    let first = spec(Some("other"));
    plan.models = [("default".to_owned(), first), ("other".to_owned(), other)].into();
    if random.chance(500) {
        plan.models.values_mut().for_each(|spec| spec.fallback = None);
    }
}

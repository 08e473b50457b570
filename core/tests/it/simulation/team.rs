//! The team of a seed: one of tests/cases/team or a random well-formed one, each from files through the reader and the
//! checks. Numbers that change nothing about who hands on to whom are drawn afterwards: the checks refuse limits that are
//! too small, and small limits are what a run has to come by.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use callsheet_core::id::{AgentName, ArtefactName, NanoUsd};
use callsheet_core::topology::check::{Surroundings, check};
use callsheet_core::topology::plan::{
    Action, Artefact, Budget, Escalate, Expires, Expiry, Handoff, Limits, Member, Memory, Mode, ModelSpec, Person,
    Plan, Recipient, Role, Section, Supervisor, Team, WhenSpent,
};
use callsheet_core::topology::spec::{Reach, Repeat};

use super::crew;
use super::spread::spread;
use crate::files::surroundings;
use crate::random::Random;
use crate::written::files;

static FIXED: LazyLock<[Plan; 2]> = LazyLock::new(|| {
    let folder = crate::files::Memory::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/team"));
    ["letters", "posts"].map(|name| check(name, &folder, &AROUND).unwrap().plan)
});

/// What a sender does can be looked up, as it can of the tools that are shipped.
static AROUND: LazyLock<Surroundings> = LazyLock::new(|| {
    let mut around = surroundings();
    let outward = around.tools.values_mut().filter(|spec| spec.reach == Reach::ActsOut);
    outward.for_each(|spec| spec.repeat = Repeat::Queryable);
    around
});

/// A team to run: of eight seeds two play a fixed one as it is, two one with other numbers, four a random one.
pub(crate) fn draw(random: &mut Random, mut later: Option<&mut Random>) -> Plan {
    let shape = random.below(8);
    let mut plan = match FIXED.get(usize::try_from(shape / 2).unwrap_or(0)) {
        Some(plan) => plan.clone(),
        None => written(random, later.as_deref_mut()),
    };
    plan.mode = if random.chance(500) { Mode::Live } else { Mode::Rehearsal };
    if shape % 2 == 1 || shape >= 4 {
        vary(&mut plan, random);
    }
    if let Some(later) = later {
        if later.chance(150) {
            second(&mut plan, later);
        }
        fallbacks(&mut plan, later);
        let people = plan.team.values_mut().filter_map(|member| match &mut member.role {
            Role::Person(person) => Some(person),
            _ => None,
        });
        people.for_each(|person| waits(person, later));
        for member in plan.team.values_mut() {
            member.memory = if later.chance(300) { Memory::Run } else { Memory::Turn };
        }
        if later.chance(300) {
            sections(&mut plan, later);
        }
        if later.chance(300) {
            plan = grouped(&plan, later);
        }
        for level in 0..2 {
            if later.chance(250) {
                spread(&mut plan, later, level);
            }
        }
    }
    plan
}

/// Somebody who is asked between an approval and its sender, and from whom it goes there whatever they say: the checks
/// refuse that, so that the permit is all that holds it.
fn second(plan: &mut Plan, random: &mut Random) {
    let persons = plan.team.iter().filter_map(|(name, member)| match &member.role {
        Role::Person(Person { binds: Some(sender), .. }) => Some((name.clone(), sender.clone())),
        _ => None,
    });
    let persons: Vec<_> = persons.collect();
    let Some((first, sender)) = random.pick(&persons).cloned() else { return };
    let to = |name: &AgentName| Handoff { to: Recipient::Member(name.clone()), rounds: None, split: None };
    let second: AgentName = name("second");
    let ways = ["approve", "request_changes", "reject", "expired"].map(|outcome| (name(outcome), to(&sender)));
    plan.handoffs.insert(second.clone(), ways.into());
    let leads = plan.handoffs.get_mut(&first).and_then(|ways| ways.get_mut("approve"));
    if let Some(leads) = leads.filter(|leads| leads.to == to(&sender).to) {
        *leads = to(&second);
    }
    plan.team.insert(second, plan.team[&first].clone());
}

/// Models that wrote an artefact write sections of it instead; the first of them both.
fn sections(plan: &mut Plan, random: &mut Random) {
    let is_model = |member: &Member| matches!(member.role, Role::Model { .. });
    let written = plan.team.values().filter(|member| is_model(member)).flat_map(|member| member.writes.clone());
    let written: Vec<ArtefactName> = written.collect();
    let Some(of) = random.pick(&written).filter(|of| plan.splits_over(of).next().is_none()).cloned() else { return };
    let parts =
        ["one", "two"].map(|at| (Section::name(&of, at).unwrap(), Section { of: of.clone(), at: at.to_owned() }));
    let like = plan.artefacts[&of].clone();
    let [one, two] = parts.map(|(name, section)| {
        plan.artefacts.insert(name.clone(), Artefact { section: Some(section), ..like.clone() });
        name
    });
    let writers = plan.team.values_mut().filter(|member| is_model(member) && member.writes.contains(&of));
    for (nth, member) in writers.enumerate() {
        let own = match random.below(4) {
            0 if nth > 0 => vec![one.clone()],
            1 if nth > 0 => vec![two.clone()],
            2 => vec![of.clone()],
            _ => vec![one.clone(), two.clone()],
        };
        member.writes.retain(|name| *name != of);
        member.writes.extend(own);
    }
}

/// Some members are a team of their own within the team, with a budget of theirs: under longer names, as `check` would
/// call them.
fn grouped(plan: &Plan, random: &mut Random) -> Plan {
    let mut text = serde_json::to_string(plan).unwrap();
    for name in plan.team.keys().filter(|_| random.chance(500)) {
        text = text.replace(&format!("\"{name}\""), &format!("\"crew.{name}\""));
    }
    let mut plan: Plan = serde_json::from_str(&text).unwrap();
    let budget = budget(random);
    let team = Team {
        topology: "crew".to_owned(),
        description: "Some of them.".to_owned(),
        names: BTreeMap::new(),
        params: BTreeMap::new(),
        budget,
    };
    plan.teams.0.insert(name("crew"), team);
    plan
}

/// Sometimes the models have one to be asked in their place, and that one another.
fn fallbacks(plan: &mut Plan, random: &mut Random) {
    for (name, next) in [("second", "third"), ("third", "")] {
        let first = plan.models.values().next().cloned().unwrap_or_default();
        let fallback = (!next.is_empty() && random.chance(500)).then(|| next.to_owned());
        plan.models.insert(name.to_owned(), ModelSpec { fallback, ..first });
    }
    let falls = random.chance(500);
    for (name, model) in &mut plan.models {
        if falls && !matches!(name.as_str(), "second" | "third") {
            model.fallback = Some("second".to_owned());
        }
    }
}

/// A random team that the checks accept.
fn written(random: &mut Random, mut later: Option<&mut Random>) -> Plan {
    loop {
        let files = files(&crew::draw(random, later.as_deref_mut()));
        if let Ok(checked) = check("random", &files, &AROUND) {
            return checked.plan;
        }
    }
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn vary(plan: &mut Plan, random: &mut Random) {
    plan.single_person = random.chance(400);
    plan.budget = budget(random);
    plan.supervisor = supervisor(random);
    for model in plan.models.values_mut() {
        let mut price = || NanoUsd(random.below(2) * random.below(20_000_000_000));
        (model.input_per_million, model.output_per_million) = (price(), price());
    }
    for spec in plan.tools.values_mut() {
        spec.call_timeout_ms = random.between(1, 30) * 1_000;
        if spec.reach == Reach::ActsOut {
            spec.repeat = repeat(random);
        }
    }
    for member in plan.team.values_mut() {
        member.limits = limits(random);
        if let Role::Person(of) = &mut member.role {
            person(of, plan.single_person, random);
        }
    }
}

/// The least that a sink remembers keys.
pub(crate) const KEY_AGE_MS_MIN: i64 = 60_000;

fn repeat(random: &mut Random) -> Repeat {
    let key_age_ms = random.between(1, 10) * KEY_AGE_MS_MIN.unsigned_abs();
    match random.below(4) {
        0 => Repeat::Pure,
        1 => Repeat::Idempotent { key_age_ms },
        2 => Repeat::Queryable,
        _ => Repeat::Once,
    }
}

fn person(person: &mut Person, single: bool, random: &mut Random) {
    let named = [&["ana", "ben"][..], &["group:approvers"], &[]];
    let who = random.pick(&named).copied().unwrap_or_default();
    person.who = who.iter().map(|who| (*who).to_owned()).collect();
    person.needed = if single { 1 } else { u32::try_from(random.between(1, 2)).unwrap_or(1) };
    person.starter_may_approve = random.chance(500);
    let then = if random.chance(500) { Expiry::Reject } else { Expiry::Hold };
    person.expires = Expires { after_ms: random.between(1, 7 * 24) * 3_600_000, then };
}

/// Whoever says nothing is reminded, and others are told.
fn waits(person: &mut Person, random: &mut Random) {
    const HOUR_MS: u64 = 3_600_000;
    person.remind_every_ms = random.chance(500).then(|| random.between(1, 48) * HOUR_MS);
    let to = *random.pick(&["cleo", "group:approvers"]).unwrap_or(&"cleo");
    let after_ms = random.between(1, 72) * HOUR_MS;
    person.escalate = random.chance(500).then(|| Escalate { after_ms, to: to.to_owned() });
}

/// Mostly ample; sometimes so small that the run comes by it.
fn budget(random: &mut Random) -> Budget {
    let mut limit = |ample: u64, tight: u64| match random.below(8) {
        0 => Some(random.between(1, tight)),
        1 => None,
        _ => Some(ample),
    };
    let (steps, tokens) = (limit(2_000, 12), limit(100_000_000, 40_000));
    let (cost, active_ms) = (limit(1_000_000_000_000, 200_000_000).map(NanoUsd), limit(86_400_000, 300_000));
    let recipients = limit(1_000_000, 60);
    let when_spent = if random.chance(200) { WhenSpent::Stop } else { WhenSpent::Pause };
    Budget { steps, tokens, cost, active_ms, recipients, when_spent }
}

fn limits(random: &mut Random) -> Limits {
    let rarely = |random: &mut Random, most: u64| random.chance(60).then(|| random.between(1, most));
    let small = |n: u64| u32::try_from(n).unwrap_or(1);
    let tokens = rarely(random, 30_000);
    let cost = rarely(random, 100_000_000).map(NanoUsd);
    let turns = rarely(random, 3).map_or(40, small);
    let steps_per_turn = rarely(random, 4).map_or(30, small);
    let (output_tokens, call_timeout_ms) = (random.between(100, 4_000), random.between(1, 120) * 1_000);
    Limits { turns, steps_per_turn, output_tokens, tokens, cost, call_timeout_ms, idle_timeout_ms: None }
}

fn supervisor(random: &mut Random) -> Supervisor {
    let small = |n: u64| u32::try_from(n).unwrap_or(1);
    let mut on = BTreeMap::new();
    if random.chance(250) {
        let actions = [Action::Retry, Action::Restart, Action::AskPerson, Action::Stop];
        for class in callsheet_core::failure::Class::ALL {
            if random.chance(200) {
                on.insert(class.word().to_owned(), random.pick(&actions).copied().unwrap_or(Action::Retry));
            }
        }
    }
    Supervisor {
        max_restarts: small(random.between(1, 5)),
        within_ms: random.between(1, 10) * 60_000,
        backoff_initial_ms: random.between(100, 2_000),
        backoff_max_ms: random.between(2, 60) * 1_000,
        poison_after: small(random.between(2, 4)),
        on,
    }
}

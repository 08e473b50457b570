//! Puts a team into the branches of a split: each branch runs all of it, and what ended the run ends the branch. Sometimes
//! twice, so that splits are nested; sometimes over and over, so that the same split happens again.

use std::collections::BTreeMap;

use callsheet_core::id::{AgentName, ArtefactName};
use callsheet_core::topology::plan::{
    Artefact, Each, EachTo, Handoff, Member, Memory, Over, Plan, Recipient, Role, Rounds, Short, Split,
};
use callsheet_core::topology::spec::Reach;

use super::team::name;
use crate::random::Random;

/// Splits before `plan`'s start: the whole team goes on in each branch and joins where it ended, or scouts go before it.
pub(crate) fn spread(plan: &mut Plan, random: &mut Random, level: u32) {
    let called = |what: &str| name::<AgentName>(&format!("{what}{level}"));
    let (planner, scout, judge) = (called("planner"), called("scout"), called("judge"));
    let list = name::<ArtefactName>(&format!("list{level}"));
    let models = plan.team.iter().filter(|(_, member)| matches!(member.role, Role::Model { .. }));
    let models: Vec<AgentName> = models.map(|(name, _)| name.clone()).collect();
    let Some(like) = models.first().and_then(|name| plan.team.get(name)).cloned() else { return };
    let of_scouts = random.chance(400);
    let acts = !of_scouts && plan.tools.values().any(|tool| tool.reach == Reach::ActsOut);
    let collects = if of_scouts { Vec::new() } else { collected(plan, random, level) };
    let ends = if of_scouts { Vec::new() } else { ended(plan, random) };

    let begins = if of_scouts { vec![scout.clone()] } else { [vec![plan.start.clone()], models].concat() };
    let over = over(random, &begins, &list, level);
    let needs_less = !acts && random.chance(700);
    let needs = (needs_less && random.chance(700)).then(|| u32::try_from(random.between(1, 3)).unwrap_or(1));
    let short = if needs_less && random.chance(500) { Short::GoOn } else { Short::Stop };
    let split = Split { over, needs, short, collects, ends };

    let member = |writes: Vec<ArtefactName>, outcomes: &[&str], memory| Member {
        writes,
        reads: Vec::new(),
        needs: BTreeMap::new(),
        may_ask: Vec::new(),
        memory,
        role: match &like.role {
            Role::Model { model, instructions, .. } => Role::Model {
                outcomes: outcomes.iter().map(|outcome| name(outcome)).collect(),
                tools: Vec::new(),
                model: model.clone(),
                instructions: instructions.clone(),
            },
            role => role.clone(),
        },
        ..like.clone()
    };
    let plain = |to| Handoff { to, rounds: None, split: None };
    let after = match of_scouts {
        true => {
            let again = Rounds { max: 1, then: Recipient::Member(judge.clone()) };
            let again = Handoff { rounds: Some(again), ..plain(Recipient::Member(scout.clone())) };
            let ways = [(name("found"), plain(Recipient::Member(judge.clone()))), (name("again"), again)];
            plan.team.insert(scout.clone(), member(Vec::new(), &["found", "again"], Memory::Turn));
            plan.handoffs.insert(scout, ways.into());
            Recipient::Member(plan.start.clone())
        }
        false => {
            end_at(plan, &judge);
            Recipient::End
        }
    };
    let memory = if random.chance(300) { Memory::Run } else { Memory::Turn };
    plan.team.insert(planner.clone(), member(vec![list], &["planned"], memory));
    plan.team.insert(judge.clone(), member(Vec::new(), &["done", "again"], Memory::Turn));
    let rounds = random.chance(300).then(|| Rounds { max: 2, then: Recipient::Member(judge.clone()) });
    let planned = Handoff { to: Recipient::Member(judge.clone()), rounds, split: Some(split) };
    plan.handoffs.insert(planner.clone(), [(name("planned"), planned)].into());
    let again = Rounds { max: 1, then: after.clone() };
    let again = Handoff { rounds: Some(again), ..plain(Recipient::Member(planner.clone())) };
    plan.handoffs.insert(judge, [(name("done"), plain(after)), (name("again"), again)].into());
    for member in plan.team.values_mut() {
        member.parallel = random.chance(300).then(|| u32::try_from(random.between(1, 6)).unwrap_or(1));
    }
    plan.start = planner;
}

/// What led to the end leads to `judge`.
fn end_at(plan: &mut Plan, judge: &AgentName) {
    for handoff in plan.handoffs.values_mut().flat_map(|ways| ways.values_mut()) {
        let then = handoff.rounds.as_mut().map(|rounds| &mut rounds.then);
        for to in std::iter::once(&mut handoff.to).chain(then).filter(|to| **to == Recipient::End) {
            *to = Recipient::Member(judge.clone());
        }
    }
}

fn over(random: &mut Random, begins: &[AgentName], list: &ArtefactName, level: u32) -> Over {
    let small = |n: u64| u32::try_from(n).unwrap_or(1);
    let first = begins[0].clone();
    let any = |random: &mut Random| random.pick(begins).cloned().unwrap_or_else(|| first.clone());
    match random.below(4) {
        0 => Over::All((0..random.between(1, 3)).map(|_| any(random)).chain([first.clone()]).collect()),
        1 => Over::Times { times: small(random.between(2, 4)), to: first },
        which => {
            let among = vec![first.clone(), any(random)];
            let to = if which == 2 {
                EachTo::One(first)
            } else {
                EachTo::By { by: "who".to_owned(), among, called: vec![] }
            };
            let (item, keys) = (name(&format!("item{level}")), vec!["items".to_owned()]);
            Over::Each(Each { artefact: list.clone(), keys, item, to, most: small(random.between(1, 5)) })
        }
    }
}

/// Declares a list of one of the artefacts that the branches write.
fn collected(plan: &mut Plan, random: &mut Random, level: u32) -> Vec<ArtefactName> {
    let written: Vec<ArtefactName> = plan.team.values().flat_map(|member| member.writes.clone()).collect();
    let Some(of) = random.pick(&written).cloned() else { return Vec::new() };
    let list = name::<ArtefactName>(&format!("all{level}"));
    let like = plan.artefacts.get(&of).cloned();
    // A list is of what one member writes whole.
    let is_whole = |like: &Artefact| like.of.is_none() && like.section.is_none();
    let has_sections = plan.artefacts.values().any(|other| other.section.as_ref().is_some_and(|part| part.of == of));
    let Some(like) = like.filter(|like| is_whole(like) && !has_sections) else { return Vec::new() };
    plan.artefacts.insert(list.clone(), Artefact { of: Some(of), ..like });
    vec![list]
}

/// Sometimes what branches write ends with them; not what leaves or is approved, which is read beyond.
fn ended(plan: &Plan, random: &mut Random) -> Vec<ArtefactName> {
    let written = plan.team.values().flat_map(|member| &member.writes).map(|name| plan.whole(name).clone());
    let written: Vec<ArtefactName> = written.collect();
    random.pick(&written).filter(|_| random.chance(200)).cloned().into_iter().collect()
}

//! Random teams whose handoffs split, as values, and the files that say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::grouped::Group;
use crate::files::Memory;
use crate::random::splitmix;

/// Artefacts, as bits: two that tools deliver, one that is collected and its list, one that has a list, and its items; the
/// two sections of one that tools deliver, too, which is there when both are.
pub(super) const NAMES: [&str; 8] = ["a", "b", "p", "ps", "plan", "it", "s.one", "s.two"];
pub(super) const A: u8 = 1;
pub(super) const B: u8 = 2;
pub(super) const P: u8 = 4;
pub(super) const PS: u8 = 8;
pub(super) const PLAN: u8 = 16;
pub(super) const ITEM: u8 = 32;
pub(super) const ONE: u8 = 64;
pub(super) const TWO: u8 = 128;
pub(super) const S: u8 = ONE | TWO;

/// What tools deliver.
pub(super) const DELIVERED: [(&str, u8); 3] = [("a", A), ("b", B), ("s", S)];

/// What is there as one thing: a section goes with the whole.
pub(super) fn whole(bit: u8) -> u8 {
    if bit & S != 0 { S } else { bit }
}

/// A small generator with a seed (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(splitmix(&mut self.0) % n as u64).unwrap()
    }

    pub(super) fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Model,
    Person,
    Sender,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Over {
    All(Vec<usize>),
    Times(u32, usize),
    Each(u32, usize),
    By(u32, Vec<usize>),
}

#[derive(Debug, Clone)]
pub(super) struct Split {
    pub(super) over: Over,
    pub(super) needs: Option<u32>,
    pub(super) goes_on: bool,
}

/// Where an outcome leads: a member or (`None`) the end; for a split, its join.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) to: Option<usize>,
    pub(super) split: Option<Split>,
    pub(super) rounds: Option<(u32, Option<usize>)>,
}

#[derive(Debug, Clone)]
pub(super) struct Someone {
    pub(super) kind: Kind,
    pub(super) reads: u8,
    pub(super) writes: u8,
    /// Whether it writes both sections as one.
    pub(super) wholly: bool,
    /// Delivered by a tool, approved by a person.
    pub(super) holds: u8,
    pub(super) ways: Vec<(&'static str, Way)>,
}

impl Split {
    pub(super) fn begins(&self) -> Vec<usize> {
        match &self.over {
            Over::All(members) | Over::By(_, members) => members.clone(),
            Over::Times(_, to) | Over::Each(_, to) => vec![*to],
        }
    }

    pub(super) fn most(&self) -> u32 {
        match &self.over {
            Over::All(members) => u32::try_from(members.len()).unwrap(),
            Over::Times(most, _) | Over::Each(most, _) | Over::By(most, _) => *most,
        }
    }

    pub(super) fn is_over_list(&self) -> bool {
        matches!(self.over, Over::Each(..) | Over::By(..))
    }
}

/// Draws a team: a skeleton that splits and meets, whose ways then stray.
pub(super) fn team(dice: &mut Dice) -> Vec<Someone> {
    let size = 4 + dice.below(4);
    let mut team: Vec<Someone> = (0..size).map(|index| someone(dice, index, size)).collect();
    // Members after a splitter are its branches up to its join, which is further on: so many teams are nested well.
    let mut at = 0;
    while at + 2 < size {
        if dice.below(3) > 0 {
            let inner = 1 + dice.below((size - at - 2).min(3));
            let join = at + 1 + inner;
            spread(dice, &mut team, at, join);
            at = join;
        } else {
            at += 1;
        }
    }
    sign(&mut team);
    for someone in &mut team {
        for (_, led) in &mut someone.ways {
            if dice.chance(24) {
                *led = way(dice, size);
            }
        }
    }
    team
}

/// Lets a sender be reached by the approval of the person before it, or hardly any would be gated.
pub(super) fn sign(team: &mut [Someone]) {
    for sender in 1..team.len() {
        let person = sender - 1;
        if team[sender].kind != Kind::Sender || team[person].kind != Kind::Person {
            continue;
        }
        let on = Way { rounds: None, split: None, ..team[sender].ways[0].1.clone() };
        team[person].holds |= team[sender].holds;
        for (outcome, way) in &mut team[person].ways {
            let to = if *outcome == "approve" { Some(sender) } else { on.to };
            *way = Way { to, ..on.clone() };
        }
        for (_, way) in team.iter_mut().filter(|one| one.kind == Kind::Model).flat_map(|one| &mut one.ways) {
            if way.to == Some(sender) && way.split.is_none() {
                way.to = Some(person);
            }
        }
    }
}

pub(super) fn spread(dice: &mut Dice, team: &mut [Someone], at: usize, join: usize) {
    let inner: Vec<usize> = (at + 1..join).collect();
    let begins = if inner.len() > 1 && dice.chance(2) { inner.clone() } else { vec![at + 1] };
    let over = match dice.below(4) {
        0 if begins.len() > 1 => Over::All(begins),
        1 => Over::Times(2 + u32::try_from(dice.below(2)).unwrap(), at + 1),
        2 => Over::By(1 + u32::try_from(dice.below(3)).unwrap(), begins),
        _ => Over::Each(1 + u32::try_from(dice.below(3)).unwrap(), at + 1),
    };
    let split = bounds(dice, over);
    for member in &inner {
        let deeper = (member + 1 < join && dice.chance(2)).then_some(member + 1);
        for (_, way) in &mut team[*member].ways {
            if way.split.is_none() || !dice.chance(3) {
                let to = if dice.chance(2) { deeper.unwrap_or(join) } else { join };
                *way = Way { to: Some(to), split: None, rounds: None };
            }
        }
    }
    // A split within a branch, which meets within it.
    if inner.len() == 3 && dice.chance(2) {
        let split = bounds(dice, Over::Times(2, at + 2));
        team[at + 1].ways[0].1 = Way { to: Some(at + 3), split: Some(split), rounds: None };
        team[at + 2].ways.iter_mut().for_each(|(_, way)| *way = Way { to: Some(at + 3), split: None, rounds: None });
        team[at + 3].ways.iter_mut().for_each(|(_, way)| *way = Way { to: Some(join), split: None, rounds: None });
    }
    if split.is_over_list() && dice.below(4) > 0 {
        team[at].writes |= if team[at].kind == Kind::Model { PLAN } else { 0 };
    }
    let rounds = dice.chance(3).then(|| (1 + u32::try_from(dice.below(2)).unwrap(), Some(join)));
    let nth = dice.below(team[at].ways.len());
    team[at].ways[nth].1 = Way { to: Some(join), split: Some(split), rounds };
}

pub(super) fn bounds(dice: &mut Dice, over: Over) -> Split {
    let mut split = Split { over, needs: None, goes_on: dice.chance(5) };
    if dice.chance(4) {
        split.needs = Some(1 + u32::try_from(dice.below(usize::try_from(split.most()).unwrap())).unwrap());
    }
    split
}

pub(super) fn recipient(dice: &mut Dice, size: usize) -> Option<usize> {
    Some(dice.below(size + 1)).filter(|to| *to < size)
}

pub(super) fn way(dice: &mut Dice, size: usize) -> Way {
    let rounds = dice.chance(3).then(|| (1 + u32::try_from(dice.below(2)).unwrap(), recipient(dice, size)));
    let split = dice.chance(6).then(|| {
        let (one, other) = (dice.below(size), dice.below(size));
        let over = if one == other { Over::Times(2, one) } else { Over::All(vec![one, other]) };
        bounds(dice, over)
    });
    Way { to: recipient(dice, size), split, rounds }
}

pub(super) fn someone(dice: &mut Dice, index: usize, size: usize) -> Someone {
    let kind = match dice.below(8) {
        _ if index == 0 => Kind::Model,
        0..=4 => Kind::Model,
        5 | 6 => Kind::Person,
        _ => Kind::Sender,
    };
    let outcomes: &[&'static str] = match kind {
        Kind::Model => &["x", "y"][..1 + dice.below(2)],
        Kind::Person => &["approve", "request_changes", "reject", "expired"],
        Kind::Sender => &["done"],
    };
    // Most go on to the next, or end.
    let next = if index + 1 < size { Some(index + 1) } else { None };
    let ways = outcomes.iter().map(|outcome| {
        let to = if dice.below(4) > 0 { next } else { None };
        let back = dice.chance(8).then(|| (1 + u32::try_from(dice.below(2)).unwrap(), next));
        let to = if back.is_some() { Some(dice.below(index + 1)) } else { to };
        (*outcome, Way { to, split: None, rounds: back })
    });
    let ways = ways.collect();
    let mut pick = |of: &[u8], chance: usize| of.iter().filter(|_| dice.chance(chance)).fold(0, |bits, bit| bits | bit);
    let (reads, writes, holds) = (pick(&[A, B, P, PS, PLAN, ITEM], 12), pick(&[A, B, P, PLAN], 8), pick(&[A, B], 2));
    let writes = if index == 0 && !size.is_multiple_of(4) { writes | A | B | PLAN } else { writes };
    let (reads, holds) = (reads | pick(&[S], 10), holds | pick(&[S], 6));
    let writes = match writes | pick(&[ONE, TWO, S], 9) {
        writes if index == 0 && size.is_multiple_of(2) => writes | S,
        writes => writes,
    };
    let wholly = writes & S == S && dice.below(3) > 0;
    Someone {
        wholly: wholly && kind == Kind::Model,
        kind,
        reads: if kind == Kind::Model { reads } else { 0 },
        writes: if kind == Kind::Model { writes } else { 0 },
        holds: if kind == Kind::Model { 0 } else { holds.max(A) },
        ways,
    }
}

/// Whether a split is over a list, so that there are items to read.
pub(super) fn has_items(team: &[Someone]) -> bool {
    team.iter().flat_map(|one| &one.ways).any(|(_, way)| way.split.as_ref().is_some_and(Split::is_over_list))
}

/// The team without those whom nothing reaches: what is told of them is another matter.
pub(super) fn reached(team: Vec<Someone>) -> Vec<Someone> {
    let mut found = BTreeSet::new();
    let mut next = vec![0];
    while let Some(at) = next.pop() {
        if found.insert(at) {
            for (_, way) in &team[at].ways {
                next.extend(way.to);
                next.extend(way.rounds.and_then(|(_, then)| then));
                next.extend(way.split.iter().flat_map(Split::begins));
            }
        }
    }
    let place: BTreeMap<usize, usize> = found.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let moved = |to: Option<usize>| to.map(|to| place[&to]);
    let over = |over: &Over| match over {
        Over::All(members) => Over::All(members.iter().map(|to| place[to]).collect()),
        Over::By(most, members) => Over::By(*most, members.iter().map(|to| place[to]).collect()),
        Over::Times(most, to) => Over::Times(*most, place[to]),
        Over::Each(most, to) => Over::Each(*most, place[to]),
    };
    let way = |way: &Way| Way {
        to: moved(way.to),
        split: way.split.as_ref().map(|split| Split { over: over(&split.over), ..split.clone() }),
        rounds: way.rounds.map(|(max, then)| (max, moved(then))),
    };
    found
        .iter()
        .map(|old| Someone { ways: team[*old].ways.iter().map(|(o, w)| (*o, way(w))).collect(), ..team[*old].clone() })
        .collect()
}

/// Names of artefacts; of both sections the name of the whole, if that is meant.
pub(super) fn names(bits: u8, wholly: bool) -> Vec<String> {
    let of = |bit: usize| bits & (1 << bit) != 0 && !(wholly && S & (1 << bit) != 0);
    let names = NAMES.iter().enumerate().filter(|(bit, _)| of(*bit)).map(|(_, name)| format!("{name:?}"));
    names.chain((wholly && bits & S != 0).then(|| "\"s\"".to_owned())).collect()
}

pub(super) fn list(bits: u8) -> String {
    format!("[{}]", names(bits, true).join(", "))
}

/// What a member is called, or the end.
type Called<'f> = &'f dyn Fn(Option<usize>) -> String;

fn told(to: Option<usize>) -> String {
    to.map_or_else(|| "end".to_owned(), |to| format!("m{to}"))
}

fn handoff(way: &Way, called: Called<'_>) -> String {
    let called = |to: Option<usize>| format!("{:?}", called(to));
    let members = |of: &[usize]| format!("[{}]", of.iter().map(|to| called(Some(*to))).collect::<Vec<_>>().join(", "));
    let bound = way.rounds.map_or(String::new(), |(max, then)| format!(", rounds = {max}, then = {}", called(then)));
    let Some(split) = &way.split else {
        return if way.rounds.is_some() { format!("{{ to = {}{bound} }}", called(way.to)) } else { called(way.to) };
    };
    let over = match &split.over {
        Over::All(of) => format!("all = {}", members(of)),
        Over::Times(most, to) => format!("times = {most}, to = {}", called(Some(*to))),
        Over::Each(most, to) => {
            format!("each = \"plan.items\", as = \"it\", to = {}, most = {most}", called(Some(*to)))
        }
        Over::By(most, of) => {
            let among = members(of);
            format!("each = \"plan.items\", as = \"it\", to = {{ by = \"who\", among = {among} }}, most = {most}")
        }
    };
    let needs = split.needs.map_or(String::new(), |needs| format!(", needs = {needs}"));
    let short = if split.goes_on { ", short = \"go_on\"" } else { "" };
    format!("{{ {over}, join = {}{needs}{short}{bound} }}", called(way.to))
}

/// A member's entry in the team, and the rest of its agent's file.
fn member(one: &Someone) -> (String, String) {
    match one.kind {
        Kind::Model => {
            let outcomes: Vec<&str> = one.ways.iter().map(|(outcome, _)| *outcome).collect();
            (
                format!("reads = {}, writes = [{}]", list(one.reads), names(one.writes, one.wholly).join(", ")),
                format!(
                    "kind = \"model\"\noutcomes = {outcomes:?}\ninstructions = \"x\"\nlimits = {{ turns = 1000000 }}"
                ),
            )
        }
        Kind::Person => (
            format!("approves = {}", list(one.holds)),
            "kind = \"person\"\nexpires = { after = \"1d\", then = \"reject\" }".to_owned(),
        ),
        Kind::Sender => {
            let args = DELIVERED.iter().filter(|(_, bits)| one.holds & bits != 0);
            let args: Vec<String> = args.map(|(name, _)| format!("{name} = {name:?}")).collect();
            (format!("tool = \"out.send\", args = {{ {} }}", args.join(", ")), String::new())
        }
    }
}

const BUDGET: &str = "[budget]\nsteps = \"unlimited\"\ntokens = 1\ncost_usd = \"unlimited\"\nactive_time = \"1h\"\n";

/// A topology: what it declares, whom it has, and who hands on to whom.
fn topology(declared: &str, members: &[(String, String)], start: &str, handoffs: &[(String, String)]) -> String {
    let lines =
        |of: &[(String, String)]| of.iter().fold(String::new(), |all, (name, is)| all + &format!("{name} = {is}\n"));
    format!(
        "schema_version = 1\ndescription = \"random\"\n{declared}[team]\n{}[handoffs]\nstart = {start:?}\n{}{BUDGET}",
        lines(members),
        lines(handoffs)
    )
}

/// The members `of` a team and their handoffs, each of which is called so.
fn part(team: &[Someone], of: impl Fn(usize) -> bool, called: Called<'_>) -> [Vec<(String, String)>; 2] {
    let of = || team.iter().enumerate().filter(|(at, _)| of(*at));
    let members = of().map(|(at, one)| (told(Some(at)), format!("{{ {} }}", member(one).0)));
    let handoffs = of().map(|(at, one)| {
        let ways: Vec<String> =
            one.ways.iter().map(|(outcome, way)| format!("{outcome} = {}", handoff(way, called))).collect();
        (told(Some(at)), format!("{{ {} }}", ways.join(", ")))
    });
    [members.collect(), handoffs.collect()]
}

/// A project whose topology `random` is `team`, with a `group` of it as a team of its own.
pub(super) fn files(team: &[Someone], collects: bool, group: Option<&Group>) -> Memory {
    let plan = json!({ "type": "object", "properties": { "items": { "type": "array", "items": {
        "type": "object", "properties": { "who": { "type": "string" } }, "required": ["who"] } } } });
    let two = json!({ "type": "object", "required": ["one", "two"], "properties": { "one": {}, "two": {} } });
    let mut files = Memory::default()
        .with("schemas/any.json", "{}")
        .with("schemas/plan.json", &plan.to_string())
        .with("schemas/two.json", &two.to_string());
    for (index, one) in team.iter().enumerate() {
        let agent = format!("schema_version = 1\ndoes = \"x\"\n{}\n", member(one).1);
        files = files.with(&format!("agents/m{index}.toml"), &agent);
    }
    let mut declared = "[artefacts]\nplan = { schema = \"plan\" }\n\
        a = { schema = \"any\" }\nb = { schema = \"any\" }\np = { schema = \"any\" }\ns = { schema = \"two\" }\n"
        .to_owned();
    declared.push_str(if collects { "ps = { of = \"p\" }\n" } else { "" });
    let Some(group) = group else {
        let [members, handoffs] = part(team, |_| true, &told);
        return files.with("topologies/random.toml", &topology(&declared, &members, "m0", &handoffs));
    };
    let is_in = |at: usize| group.members.contains(&at);
    let [members, handoffs] = part(team, is_in, &|to| told(to.filter(|to| is_in(*to))));
    let schema = |name: &str| match name {
        "plan" => "schema = \"plan\"",
        "it" => "",
        _ => "schema = \"any\"",
    };
    let lines = |bits: u8| of(bits).map(|name| format!("{name} = {{ {} }}\n", schema(name))).collect::<String>();
    let own = format!("[takes]\n{}[artefacts]\n{}", lines(group.takes), lines(group.gives));
    let first = told(Some(group.first));
    files = files.with("topologies/group.toml", &topology(&own, &members, &first, &handoffs));

    let outer = |to: Option<usize>| if to.is_some_and(is_in) { "g".to_owned() } else { told(to) };
    let [mut members, mut handoffs] = part(team, |at| !is_in(at), &outer);
    let same = |bits: u8| of(bits).map(|name| format!("{name} = {name:?}")).collect::<Vec<_>>().join(", ");
    let (takes, gives) = (same(group.takes), same(group.gives));
    let entry = format!("{{ topology = \"group\", takes = {{ {takes} }}, gives = {{ {gives} }} }}");
    members.push(("g".to_owned(), entry));
    let exits = group.exits.iter().map(|(outcome, to)| format!("{outcome} = {:?}", outer(*to)));
    handoffs.push(("g".to_owned(), format!("{{ {} }}", exits.collect::<Vec<_>>().join(", "))));
    files.with("topologies/random.toml", &topology(&declared, &members, "m0", &handoffs))
}

/// The names of artefacts.
fn of(bits: u8) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().enumerate().filter(move |(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| name)
}

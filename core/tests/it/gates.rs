//! The static verdict on gates, reads and turns against an independent walk through thousands of random small teams.
//! The oracle knows only the random team that the files were written from, and takes every step that a run could take.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use callsheet_core::id::AgentName;
use callsheet_core::topology::check::check;
use callsheet_core::topology::fault::{Code, Faults};
use callsheet_core::topology::proof::Proof;

use super::files::surroundings;
use super::random::splitmix;
use super::written::{Kind, Someone, Way, files};

const TEAMS: u64 = 12_000;
/// A small generator with a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        splitmix(&mut self.0) % n
    }

    fn bits(&mut self) -> u8 {
        [0, 0, 1, 2, 3][usize::try_from(self.below(5)).unwrap()]
    }

    fn recipient(&mut self, team: usize) -> Option<usize> {
        let n = usize::try_from(self.below(team as u64 + 2)).unwrap();
        (n < team).then_some(n)
    }

    fn way(&mut self, team: usize) -> Way {
        let rounds = (self.below(3) == 0).then(|| (1 + u8::try_from(self.below(2)).unwrap(), self.recipient(team)));
        Way { to: self.recipient(team), rounds }
    }

    /// Half of the teams reach their senders by approvals only, or hardly any would be gated.
    fn team(&mut self) -> Vec<Someone> {
        let mut team = self.anybody();
        let senders: Vec<bool> = team.iter().map(|one| one.kind == Kind::Sender).collect();
        if self.below(2) == 0 {
            let ways = team.iter_mut().flat_map(|one| &mut one.ways).filter(|(outcome, _)| *outcome != "approve");
            for (_, way) in ways {
                let inside = |to: Option<usize>| to.filter(|to| !senders[*to]);
                *way = Way { to: inside(way.to), rounds: way.rounds.map(|(max, then)| (max, inside(then))) };
            }
        }
        // A rule hands on like a model that reads and writes nothing.
        let mut dice = Dice(self.0);
        for one in team.iter_mut().skip(1).filter(|one| one.kind == Kind::Model && one.writes == 0) {
            if dice.below(3) == 0 {
                (one.kind, one.reads, one.holds) = (Kind::Rule, 0, 0);
            }
        }
        // Who answers works like a model, and its silence leads on as well.
        for one in team.iter_mut().filter(|one| one.kind == Kind::Model) {
            if dice.below(5) == 0 {
                one.kind = Kind::Answers;
                one.ways.push(("expired", one.ways[0].1));
            }
        }
        team
    }

    /// Two persons before a sender, one after the other or either; some ways stray.
    fn two_persons(&mut self) -> Vec<Someone> {
        let holds = 1 + u8::try_from(self.below(3)).unwrap();
        let (also, either, direct) = (self.below(3) == 0, self.below(2) == 0, self.below(2) == 0);
        let mut way = |to| if self.below(8) == 0 { self.way(4) } else { Way { to, rounds: None } };
        let first = if direct { Some(3) } else { Some(2) };
        let mut person = |holds, next| {
            let ways = [("approve", next), ("request_changes", None), ("reject", None), ("expired", None)];
            (Kind::Person, 0, holds, ways.map(|(outcome, to)| (outcome, way(to))).to_vec())
        };
        let persons = [person(holds, first), person(if also { 3 } else { holds }, Some(3))];
        let starts = [("x", Some(1)), ("y", Some(2))];
        let starts = starts.into_iter().take(if either { 2 } else { 1 });
        let writer = (Kind::Model, 3, 0, starts.map(|(outcome, to)| (outcome, way(to))).collect());
        let sender = (Kind::Sender, 0, holds, vec![("done", way(None))]);
        let someone = |(kind, writes, holds, ways)| Someone {
            kind,
            offered: false,
            asks: Vec::new(),
            reads: 0,
            writes,
            holds,
            ways,
        };
        let [first, second] = persons;
        [writer, first, second, sender].into_iter().map(someone).collect()
    }

    fn anybody(&mut self) -> Vec<Someone> {
        let size = 2 + usize::try_from(self.below(5)).unwrap();
        (0..size)
            .map(|index| {
                let kind = match self.below(6) {
                    0..=2 => Kind::Model,
                    3 | 4 => Kind::Person,
                    _ => Kind::Sender,
                };
                // Somebody has to write first, or hardly any team could be right.
                let kind = if index == 0 { Kind::Model } else { kind };
                let outcomes: &[&str] = match kind {
                    Kind::Model => &["x", "y", "z"][..1 + usize::try_from(self.below(3)).unwrap()],
                    Kind::Person => &["approve", "request_changes", "reject", "expired"],
                    Kind::Sender | Kind::Own | Kind::Rule | Kind::Answers => &["done"],
                };
                let last = size - 1;
                let mut ways: Vec<_> = outcomes.iter().map(|outcome| (*outcome, self.way(size))).collect();
                if kind == Kind::Person && self.below(2) == 0 {
                    // People mostly end it unless they approve.
                    ways.iter_mut().skip(2).for_each(|(_, way)| *way = Way { to: None, rounds: None });
                    ways[0].1.to = Some(last);
                }
                let mut bits = || self.bits();
                let (reads, writes, holds) = (bits(), bits(), bits());
                Someone {
                    kind,
                    offered: false,
                    asks: Vec::new(),
                    reads: if kind == Kind::Model { reads } else { 0 },
                    writes: match kind {
                        Kind::Model if index == 0 => 3,
                        Kind::Model => writes,
                        Kind::Person | Kind::Sender | Kind::Own | Kind::Rule | Kind::Answers => 0,
                    },
                    holds: if kind == Kind::Person { holds | reads | 1 } else { holds.max(1) },
                    ways,
                }
            })
            .collect()
    }
}

/// Where a walk is: the member whose turn it is, what is written, by whom each artefact is approved since (a bit a
/// member), and rounds taken.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Walk {
    at: usize,
    written: u8,
    approved: [u8; 2],
    rounds: BTreeMap<(usize, usize), u8>,
}

#[derive(Default, Debug)]
struct Seen {
    /// Senders that were reached with something unapproved.
    ungated: BTreeSet<usize>,
    /// By sender and artefact: who had approved it on every walk, and who on some.
    approved: BTreeMap<(usize, usize), (u8, u8)>,
    /// Artefacts that were read before they were written.
    unread: BTreeSet<u8>,
    /// Whether a sender was reached at all; the static check does not say.
    sends: bool,
}

/// Takes every walk. With `counting`, rounds are counted and a decision resets those of others; without, every way of a
/// handoff is open at any time.
fn explore(team: &[Someone], counting: bool) -> Seen {
    let mut seen = Seen::default();
    let mut known = HashSet::new();
    let mut open = vec![Walk { at: 0, written: 0, approved: [0, 0], rounds: BTreeMap::new() }];
    while let Some(mut walk) = open.pop() {
        if counting {
            // By whom is another question; this one has walks enough.
            walk.approved = walk.approved.map(|by| by.min(1));
        }
        if !known.insert(walk.clone()) {
            continue;
        }
        let one = &team[walk.at];
        let reads = matches!(one.kind, Kind::Model | Kind::Answers);
        let needed = if reads { one.reads } else { one.holds };
        for bit in 0..2 {
            if needed & !walk.written & (1 << bit) != 0 {
                seen.unread.insert(bit);
            }
        }
        seen.sends |= one.kind == Kind::Sender;
        for (bit, by) in walk.approved.into_iter().enumerate() {
            if one.kind == Kind::Sender && one.holds & (1 << bit) != 0 {
                let (always, sometimes) = seen.approved.entry((walk.at, bit)).or_insert((u8::MAX, 0));
                (*always, *sometimes) = (*always & by, *sometimes | by);
                if by == 0 {
                    seen.ungated.insert(walk.at);
                }
            }
        }
        for index in 0..one.ways.len() {
            for (to, rounds) in steps(team, &walk, index, counting) {
                if let Some(to) = to {
                    open.push(after(team, &walk, index, to, rounds));
                }
            }
        }
    }
    seen
}

type Taken = BTreeMap<(usize, usize), u8>;

/// Where an outcome can lead, and the rounds taken then.
fn steps(team: &[Someone], walk: &Walk, index: usize, counting: bool) -> Vec<(Option<usize>, Taken)> {
    let way = team[walk.at].ways[index].1;
    let Some((max, then)) = way.rounds else { return vec![(way.to, walk.rounds.clone())] };
    if !counting {
        return vec![(way.to, Taken::new()), (then, Taken::new())];
    }
    let taken = walk.rounds.get(&(walk.at, index)).copied().unwrap_or(0);
    if taken < max {
        let mut rounds = walk.rounds.clone();
        rounds.insert((walk.at, index), taken + 1);
        vec![(way.to, rounds)]
    } else {
        vec![(then, walk.rounds.clone())]
    }
}

fn after(team: &[Someone], walk: &Walk, index: usize, to: usize, mut rounds: Taken) -> Walk {
    let one = &team[walk.at];
    let mut approved = walk.approved;
    for (bit, by) in approved.iter_mut().enumerate() {
        if one.writes & (1 << bit) != 0 {
            *by = 0;
        }
        if one.kind == Kind::Person && one.holds & (1 << bit) != 0 {
            // A later no counts, whoever said yes before.
            *by = if one.ways[index].0 == "approve" { *by | 1 << walk.at } else { 0 };
        }
    }
    if one.kind == Kind::Person {
        rounds.retain(|(member, _), _| *member == walk.at);
    }
    Walk { at: to, written: walk.written | one.writes, approved, rounds }
}

/// The most turns of `target` on any walk between decisions, by trying; none if it finds no bound.
fn most(team: &[Someone], walk: &Walk, target: usize, depth: u32) -> Option<u32> {
    if team[walk.at].kind == Kind::Person {
        return Some(0);
    }
    if depth == 0 {
        return None;
    }
    let mut best = 0;
    for index in 0..team[walk.at].ways.len() {
        for (to, rounds) in steps(team, walk, index, true) {
            let Some(to) = to else { continue };
            best = best.max(most(team, &after(team, walk, index, to, rounds), target, depth - 1)?);
        }
    }
    Some(best + u32::from(walk.at == target))
}

/// What the static check says, in the oracle's terms.
fn verdict(faults: &Faults) -> Seen {
    let index = |name: &str| name.strip_prefix('m').and_then(|n| n.parse().ok()).unwrap();
    let gated = |code| matches!(code, Code::Ungated | Code::Rewritten | Code::Overruled);
    let ungated = faults.iter().filter(|fault| gated(fault.code)).map(|fault| index(fault.path.last().unwrap()));
    let unread = faults.iter().filter(|fault| fault.code == Code::Unassigned);
    let bit = |what: &str| u8::from(what.contains("reads `b`") || what.contains("read `b`"));
    Seen { ungated: ungated.collect(), unread: unread.map(|fault| bit(&fault.what)).collect(), ..Seen::default() }
}

#[test]
fn the_static_verdict_is_that_of_every_walk() {
    let around = surroundings();
    let (mut refused, mut gated, mut unreachable_in_rounds, mut accepted, mut turns) = (0, 0, 0, 0, 0);
    let (mut overruled, mut several, mut rules, mut answer) = (0, 0, 0, 0);
    for seed in 0..TEAMS {
        let team = if seed % 4 == 3 { Dice(seed).two_persons() } else { Dice(seed).team() };
        rules += team.iter().filter(|one| one.kind == Kind::Rule).count();
        answer += team.iter().filter(|one| one.kind == Kind::Answers).count();
        let files = files(&team);
        let result = check("random", &files, &around);
        let found = result.as_ref().err().map(verdict).unwrap_or_default();
        let shown = || format!("seed {seed}\n{}\n{result:?}", files.text("topologies/random.toml"));
        let walked = explore(&team, false);
        assert_eq!((&walked.ungated, &walked.unread), (&found.ungated, &found.unread), "{}", shown());
        let counted = explore(&team, true);
        assert!(counted.ungated.is_subset(&found.ungated), "{counted:?} {}", shown());
        refused += usize::from(!found.ungated.is_empty());
        let of = |code| result.as_ref().is_err_and(|faults| faults.iter().any(|fault| fault.code == code));
        overruled += usize::from(of(Code::Overruled));
        gated += usize::from(found.ungated.is_empty() && walked.sends);
        unreachable_in_rounds += usize::from(counted.ungated != found.ungated);
        let Ok(checked) = &result else { continue };
        accepted += 1;
        let by = signed(&checked.proof);
        assert_eq!(walked.approved, by, "{}", shown());
        several += by.values().filter(|(always, sometimes)| always.count_ones() > 1 || always != sometimes).count();
        for (target, one) in team.iter().enumerate().filter(|(_, one)| one.kind != Kind::Person) {
            let entries = team.iter().enumerate().filter(|(_, one)| one.kind == Kind::Person);
            let entries = entries
                .flat_map(|(_, one)| one.ways.iter().flat_map(|(_, way)| [way.to, way.rounds.and_then(|r| r.1)]));
            for at in entries.flatten().chain([0]) {
                let walk = Walk { at, written: 0, approved: [0, 0], rounds: BTreeMap::new() };
                let most = most(&team, &walk, target, 60).unwrap();
                let proved = checked.proof.turns.get(format!("m{target}").as_str()).copied();
                assert!(
                    one.kind == Kind::Person || proved.is_some_and(|proved| u64::from(most) <= proved),
                    "{most} {proved:?} {}",
                    shown()
                );
                turns += 1;
            }
        }
    }
    println!(
        "{TEAMS} random teams: {refused} ungated, {gated} gated and reaching an outward tool, {unreachable_in_rounds} refused \
         only because rounds are not counted, {accepted} accepted, {turns} bounds of turns, {overruled} with a later no, \
         {several} proofs that name several persons; {rules} rules and {answer} people who answer drawn"
    );
    assert!(rules > 1_000 && answer > 1_000, "{rules} {answer}");
    assert!(refused > 1_000 && gated > 300 && accepted > 60, "{refused} {gated} {accepted}");
    assert!(overruled > 20 && several > 5, "{overruled} {several}");
}

/// What the proof says of who approves, in the oracle's terms.
fn signed(proof: &Proof) -> BTreeMap<(usize, usize), (u8, u8)> {
    let place = |name: &AgentName| name.as_str().strip_prefix('m').and_then(|n| n.parse::<usize>().ok()).unwrap();
    let bits = |names: &[AgentName]| names.iter().map(|name| 1 << place(name)).fold(0_u8, |bits, bit| bits | bit);
    let gates = proof.gates.iter().flat_map(|gate| gate.approvals.iter().map(move |of| (&gate.sender, of)));
    let signed = gates.map(|(sender, (artefact, approval))| {
        let always = bits(&approval.always);
        let bit = usize::from(artefact.as_str() == "b");
        ((place(sender), bit), (always, always | bits(&approval.sometimes)))
    });
    signed.collect()
}

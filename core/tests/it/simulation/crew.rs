//! Random teams that are mostly well formed: one to three stretches of models and tools, each with a person at its end and
//! perhaps a sender after that. The checks have the last word.

use crate::random::Random;
use crate::written::{Kind, Someone, Way};

/// Both artefacts.
const ALL: u8 = 3;

/// Workers, then a person, then perhaps a sender: places in the team, one after the other.
struct Stretch {
    first: usize,
    person: usize,
    sender: Option<usize>,
    /// What its person approves and its sender delivers.
    holds: u8,
}

/// A team to write down.
pub(crate) fn draw(random: &mut Random, later: Option<&mut Random>) -> Vec<Someone> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for nth in 0..random.between(1, 3) {
        let first = stretches.last().map_or(0, |before| before.sender.unwrap_or(before.person) + 1);
        let workers = if nth == 0 { random.between(1, 4) } else { random.below(3) };
        let person = first + usize::try_from(workers).unwrap_or(0);
        let sender = random.chance(850).then_some(person + 1);
        stretches.push(Stretch { first, person, sender, holds: *random.pick(&[1, 2, ALL, ALL]).unwrap_or(&ALL) });
    }
    let mut team = Vec::new();
    for nth in 0..stretches.len() {
        let (stretch, next) = (&stretches[nth], stretches.get(nth + 1).map(|next| next.first));
        let earlier: Vec<usize> = stretches[..=nth].iter().flat_map(|of| of.first..of.person).collect();
        for place in stretch.first..stretch.person {
            let before = nth.checked_sub(1).map(|before| &stretches[before]).filter(|_| place == stretch.first);
            team.push(worker(random, place, stretch.person, &earlier, before));
        }
        team.push(person(random, stretch, &earlier, next));
        if stretch.sender.is_some() {
            team.push(someone(Kind::Sender, stretch.holds, vec![("done", plain(next))]));
        }
    }
    if let Some(later) = later {
        rules(later, &mut team);
        questions(later, &mut team);
    }
    team
}

/// Sometimes a rule, or a person who answers, stands where a model would; a rule where that writes nothing.
fn rules(random: &mut Random, team: &mut [Someone]) {
    let (rules, people) = (random.below(3).min(1) * random.below(1_000), random.below(3).min(1) * random.below(500));
    for one in team.iter_mut().filter(|one| one.kind == Kind::Model) {
        if one.writes == 0 && random.chance(rules) {
            *one = someone(Kind::Rule, 0, std::mem::take(&mut one.ways));
        } else if random.chance(people) {
            one.kind = Kind::Answers;
            one.ways.push(("expired", plain(None)));
        }
    }
}

/// Sometimes models may ask those that come after them, who wait for nobody before.
fn questions(random: &mut Random, team: &mut [Someone]) {
    let asked = |kind| matches!(kind, Kind::Model | Kind::Answers);
    let models: Vec<usize> = (0..team.len()).filter(|place| asked(team[*place].kind)).collect();
    let often = random.below(4).min(1) * random.below(1_000);
    for (nth, place) in models.iter().enumerate() {
        if team[*place].kind != Kind::Model {
            continue;
        }
        team[*place].asks = models[nth + 1..].iter().copied().filter(|_| random.chance(often)).collect();
    }
}

fn someone(kind: Kind, holds: u8, ways: Vec<(&'static str, Way)>) -> Someone {
    Someone { kind, offered: false, asks: Vec::new(), reads: 0, writes: 0, holds, ways }
}

fn plain(to: Option<usize>) -> Way {
    Way { to, rounds: None }
}

fn back(random: &mut Random, to: usize, most: u64, then: Option<usize>) -> Way {
    let rounds = u8::try_from(random.between(1, most)).unwrap_or(1);
    Way { to: Some(to), rounds: Some((rounds, then)) }
}

/// Somebody later in the stretch, mostly the next one.
fn forward(random: &mut Random, place: usize, person: usize) -> usize {
    let later: Vec<usize> = (place + 1..=person).collect();
    if random.chance(800) { place + 1 } else { *random.pick(&later).unwrap_or(&person) }
}

fn worker(random: &mut Random, place: usize, person: usize, earlier: &[usize], before: Option<&Stretch>) -> Someone {
    let first = forward(random, place, person);
    let writes = if place == 0 { ALL } else { *random.pick(&[0, 0, 1, 2, ALL]).unwrap_or(&0) };
    if place > 0 && random.chance(200) {
        return Someone { writes: writes & 1, ..someone(Kind::Own, 0, vec![("done", plain(Some(first)))]) };
    }
    let mut ways = vec![("ready", plain(Some(first)))];
    let outcomes = random.between(1, 3);
    if outcomes > 1 {
        let mut to = random.pick(earlier).copied().unwrap_or(place);
        // What was approved and not written since may go to its sender again; its permit has nothing left then.
        if let Some(Stretch { sender: Some(sender), holds, .. }) = before
            && writes & holds == 0
            && random.chance(300)
        {
            to = *sender;
        }
        let then = forward(random, place, person);
        ways.push(("back", back(random, to, 3, Some(then))));
    }
    if outcomes > 2 {
        ways.push(("stop", plain(None)));
    }
    let reads = if place == 0 { 0 } else { random.below(4) as u8 };
    Someone { kind: Kind::Model, offered: random.chance(600), asks: Vec::new(), reads, writes, holds: 0, ways }
}

fn person(random: &mut Random, stretch: &Stretch, earlier: &[usize], next: Option<usize>) -> Someone {
    let to = random.pick(earlier).copied().unwrap_or(0);
    let ways = vec![
        ("approve", plain(stretch.sender.or(next))),
        ("request_changes", back(random, to, 4, None)),
        ("reject", plain(None)),
        ("expired", plain(None)),
    ];
    someone(Kind::Person, stretch.holds, ways)
}

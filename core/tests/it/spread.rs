//! The static verdict on teams whose handoffs split, against an independent walk of every path with the whole stack of open
//! splits. The oracle knows only the random team that the files were written from: it goes into each branch, keeps what
//! every way through it comes to, and puts the ways of the branches together at the join.

mod drawn;
mod grouped;
mod turned;
mod walked;

use std::collections::BTreeMap;

use callsheet_core::id::AgentName;
use callsheet_core::topology::check::{Checked, check};
use callsheet_core::topology::fault::{Code, Faults};
use callsheet_core::topology::proof::Proof;

use super::files::surroundings;
use drawn::{DELIVERED, Dice, ITEM, Kind, Over, PS, S, Someone, files, has_items, reached, team};
use grouped::group;
use turned::{Taken, most, stretches};
use walked::{Oracle, Seen};

/// Teams of the test; `CALLSHEET_TEAMS=200000` draws more.
const TEAMS: u64 = 20_000;

/// What longer searches found: who approves on some ways was told without those who approve around a branch that can refuse.
const FOUND: [u64; 1] = [33_393];

/// The codes by which a verdict of the check is known.
fn has(result: &Result<Checked, Faults>, codes: &[Code]) -> bool {
    result.as_ref().is_err_and(|faults| faults.iter().any(|fault| codes.contains(&fault.code)))
}

#[derive(Debug, Default)]
struct Tally {
    forms: BTreeMap<&'static str, u64>,
    verdicts: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn drawn(&mut self, team: &[Someone]) {
        for one in team.iter().filter(|one| one.writes & S != 0) {
            *self.forms.entry(if one.wholly { "wholes" } else { "sections" }).or_default() += 1;
        }
        for way in team.iter().flat_map(|one| &one.ways) {
            let Some(split) = &way.1.split else { continue };
            let form = match split.over {
                Over::All(_) => "all",
                Over::Times(..) => "times",
                Over::Each(..) => "each",
                Over::By(..) => "by",
            };
            *self.forms.entry(form).or_default() += 1;
            let extra =
                [(split.needs.is_some(), "needs"), (split.goes_on, "go_on"), (way.1.rounds.is_some(), "rounds")];
            for (_, name) in extra.into_iter().filter(|(is, _)| *is) {
                *self.forms.entry(name).or_default() += 1;
            }
        }
    }

    fn count(&mut self, verdict: &'static str, is: bool) {
        *self.verdicts.entry(verdict).or_default() += u64::from(is);
    }
}

/// Compares the two verdicts on one team.
fn compare(seed: u64, tally: &mut Tally) {
    let mut team = reached(team(&mut Dice(seed)));
    if !has_items(&team) {
        team.iter_mut().for_each(|one| one.reads &= !ITEM);
    }
    tally.drawn(&team);
    let mut oracle = Oracle { team: &team, seen: Seen::default(), known: BTreeMap::new(), ends: vec![] };
    oracle.explore(0, &[], 0, 0);
    // Most teams collect only what a branch writes.
    let reads = team.iter().any(|one| one.reads & PS != 0);
    let collects = oracle.seen.collected || reads || seed.is_multiple_of(4);
    let files = files(&team, collects, None);
    let result = check("random", &files, &surroundings());
    same_in_a_team(&team, collects, &result, tally);
    let seen = oracle.seen;
    let shown = || {
        let told = result.as_ref().map_or_else(|faults| faults.render(false), |checked| checked.proof.to_string());
        format!("seed {seed}\n{}\n{told}\n{seen:?}", files.text("topologies/random.toml"))
    };
    let mut agree = |verdict: &'static str, is: bool, codes: &[Code]| {
        assert_eq!(is, has(&result, codes), "{verdict}: {}", shown());
        tally.count(verdict, is);
        is
    };
    let sections = team.iter().filter(|one| !one.wholly).fold(0, |all, one| all | one.writes & S);
    let unmade = sections != 0 && sections != S && team.iter().all(|one| !one.wholly);
    if agree("a part that nobody writes", unmade, &[Code::Section]) {
        return;
    }
    // Beyond a branch that nobody can leave no walk comes, and the check tells of what it finds there all the same.
    let astray = [Code::PastJoin, Code::SplitItself, Code::SplitBranches];
    if seen.is_stuck() && !seen.astray && has(&result, &astray) {
        return;
    }
    if agree("astray", seen.astray, &astray) {
        return;
    }
    let stuck = agree("stuck", seen.is_stuck(), &[Code::NoEnd]);
    let twice = !stuck && agree("two writers", seen.is_twice(), &[Code::TwoWriters]);
    if stuck || twice {
        return;
    }
    agree("uncollected", collects && !seen.collected, &[Code::Collected]);
    agree("called off", !seen.called_off.is_empty(), &[Code::CallsOff]);
    agree("endless", seen.is_endless(), &[Code::Unbounded]);
    agree("absent", !seen.unread.is_empty(), &[Code::Unassigned]);
    let gated = [Code::Ungated, Code::Rewritten, Code::Overruled, Code::OtherBranch];
    agree("ungated", !seen.ungated.is_empty(), &gated);
    let Ok(checked) = &result else { return };
    for (target, one) in team.iter().enumerate().filter(|(_, one)| one.kind != Kind::Person) {
        let starts = stretches(&team, 0, None);
        let most = starts.into_iter().map(|at| most(&team, at, None, &Taken::new(), target, 60)).max().unwrap_or(0);
        let proved = checked.proof.turns.get(format!("m{target}").as_str()).copied().unwrap_or(0);
        assert!(most <= proved, "m{target} ({:?}) takes {most} turns, and {proved} are proved: {}", one.kind, shown());
        *tally.verdicts.entry("bounds of turns").or_default() += 1;
        *tally.verdicts.entry("bounds that are exact").or_default() += u64::from(most == proved);
    }
    assert_eq!(seen.approved, signed(&checked.proof), "{}", shown());
    tally.count("accepted with sections", result.is_ok() && sections != 0);
    tally.count("accepted with what ends", result.is_ok() && !seen.several.is_empty());
    tally.count("accepted", result.is_ok());
    tally.count("accepted with a split", result.is_ok() && seen.deepest > 0);
    tally.count("accepted with a split in a branch", result.is_ok() && seen.deepest > 1);
    tally.count("accepted with a tool", result.is_ok() && seen.sends);
}

/// Some of the team as a team of its own is proved as it is without being one.
fn same_in_a_team(team: &[Someone], collects: bool, flat: &Result<Checked, Faults>, tally: &mut Tally) {
    let Some(group) = group(team) else { return };
    let files = files(team, collects, Some(&group));
    let nested = check("random", &files, &surroundings());
    let told = |result: &Result<Checked, Faults>| match result {
        Ok(checked) => checked.proof.to_string(),
        Err(faults) => faults.render(false),
    };
    let texts = ["topologies/group.toml", "topologies/random.toml"].map(|name| files.text(name));
    let shown = || format!("{}\n-- flat:\n{}\n-- with a team:\n{}", texts.join("\n"), told(flat), told(&nested));
    assert_eq!(flat.is_ok(), nested.is_ok(), "{}", shown());
    *tally.forms.entry("teams in teams").or_default() += 1;
    let (Ok(flat), Ok(nested)) = (flat, &nested) else { return };
    tally.count("accepted with a team in it", true);
    for at in 0..team.len() {
        let name = format!("m{at}");
        let within = if group.members.contains(&at) { format!("g.{name}") } else { name.clone() };
        let turns = |checked: &Checked, name: &str| checked.proof.turns.get(name).copied();
        assert_eq!(turns(flat, &name), turns(nested, &within), "{name}: {}", shown());
    }
    assert_eq!(signed(&flat.proof), signed(&nested.proof), "{}", shown());
}

/// What the proof says of who approves, in the oracle's terms.
fn signed(proof: &Proof) -> BTreeMap<(usize, usize), (u8, u8)> {
    let place = |name: &AgentName| {
        let own = name.as_str().trim_start_matches("g.");
        own.strip_prefix('m').and_then(|n| n.parse::<usize>().ok()).unwrap()
    };
    let bits = |names: &[AgentName]| names.iter().map(|name| 1 << place(name)).fold(0_u8, |bits, bit| bits | bit);
    let gates = proof.gates.iter().flat_map(|gate| gate.approvals.iter().map(move |of| (&gate.sender, of)));
    let signed = gates.map(|(sender, (artefact, approval))| {
        let always = bits(&approval.always);
        let place_of = DELIVERED.iter().position(|(name, _)| *name == artefact.as_str()).unwrap();
        ((place(sender), place_of), (always, always | bits(&approval.sometimes)))
    });
    signed.collect()
}

#[test]
fn the_verdict_on_splits_is_that_of_every_walk() {
    let teams = std::env::var("CALLSHEET_TEAMS").ok().and_then(|teams| teams.parse().ok()).unwrap_or(TEAMS);
    let mut tally = Tally::default();
    (0..teams).chain(FOUND).for_each(|seed| compare(seed, &mut tally));
    println!("{teams} random teams, 0 disagreements; drawn: {:?}; found: {:?}", tally.forms, tally.verdicts);
    for form in ["all", "times", "each", "by", "needs", "go_on", "rounds", "sections", "wholes", "teams in teams"] {
        assert!(tally.forms.get(form).is_some_and(|drawn| *drawn > 100), "{form}: {:?}", tally.forms);
    }
    for verdict in
        ["accepted with a split", "accepted with sections", "accepted with what ends", "accepted with a team in it"]
    {
        assert!(tally.verdicts[verdict] > 10, "{verdict}: {:?}", tally.verdicts);
    }
}

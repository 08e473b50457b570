//! The most turns of a member between two decisions of a person, by trying, branches counted.

use std::collections::{BTreeMap, BTreeSet};

use super::drawn::{Kind, Over, Someone, Split};

/// The most turns of `target` between two decisions from `at` on, branches counted, by trying.
pub(super) fn most(
    team: &[Someone],
    at: usize,
    join: Option<Option<usize>>,
    taken: &Taken,
    target: usize,
    depth: u32,
) -> u64 {
    assert!(depth > 0, "no bound");
    if team[at].kind == Kind::Person {
        return 0;
    }
    let mut best = 0;
    for (nth, (_, way)) in team[at].ways.iter().enumerate() {
        let used = taken.get(&(at, nth)).copied().unwrap_or(0);
        let mut then = taken.clone();
        let (to, is_first) = match way.rounds {
            Some((max, then)) if used >= max => (then, false),
            _ => (way.to, true),
        };
        if way.rounds.is_some() && is_first {
            then.insert((at, nth), used + 1);
        }
        let mut turns = match &way.split {
            Some(split) if is_first => in_branches(team, split, way.to, target),
            _ => 0,
        };
        if let Some(to) = to.filter(|to| join != Some(Some(*to))) {
            turns += most(team, to, join, &then, target, depth - 1);
        }
        best = best.max(turns);
    }
    best + u64::from(at == target)
}

pub(super) type Taken = BTreeMap<(usize, usize), u32>;

/// The most turns of `target` in all branches of a split between two decisions.
pub(super) fn in_branches(team: &[Someone], split: &Split, join: Option<usize>, target: usize) -> u64 {
    let branch = |begin: usize| {
        stretches(team, begin, join).into_iter().map(|at| most(team, at, Some(join), &Taken::new(), target, 60)).max()
    };
    let branches = split.begins().into_iter().map(|begin| branch(begin).unwrap_or(0));
    match &split.over {
        Over::All(_) => branches.sum(),
        _ => branches.max().unwrap_or(0) * u64::from(split.most()),
    }
}

/// Where in a branch a stretch without decisions can begin: where it begins, and where persons hand on to.
pub(super) fn stretches(team: &[Someone], begin: usize, join: Option<usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut starts = BTreeSet::from([begin]);
    let mut next = vec![begin];
    while let Some(at) = next.pop() {
        if !found.insert(at) {
            continue;
        }
        for (_, way) in &team[at].ways {
            let targets = [way.to, way.rounds.and_then(|(_, then)| then)];
            for to in targets.into_iter().flatten().filter(|to| Some(*to) != join) {
                if team[at].kind == Kind::Person {
                    starts.insert(to);
                }
                next.push(to);
            }
        }
    }
    starts
}

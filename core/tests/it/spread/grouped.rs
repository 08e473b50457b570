//! Some of a random team as a team of its own, which is a member of it: what is proved of both has to be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::drawn::{A, B, ITEM, PLAN, Someone, Split, Way};

/// Members next to each other that are written as one, `g`.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) members: Range<usize>,
    /// To whom goes whatever is handed on to it.
    pub(super) first: usize,
    /// Where each of its outcomes leads.
    pub(super) exits: BTreeMap<&'static str, Option<usize>>,
    pub(super) takes: u8,
    pub(super) gives: u8,
}

/// The largest part of `team` that can be written so.
pub(super) fn group(team: &[Someone]) -> Option<Group> {
    let size = team.len();
    // Whoever starts stays outside: somebody has to hand on to the others.
    let ranges = (1..size).rev().flat_map(|long| (1..=size - long).map(move |from| from..from + long));
    ranges.into_iter().find_map(|members| one(team, members))
}

fn one(team: &[Someone], members: Range<usize>) -> Option<Group> {
    let mut firsts = BTreeSet::new();
    for (_, one) in team.iter().enumerate().filter(|(at, _)| !members.contains(at)) {
        for (_, way) in &one.ways {
            let begins = way.split.iter().flat_map(Split::begins);
            let targets = way.to.into_iter().chain(way.rounds.and_then(|(_, then)| then)).chain(begins);
            firsts.extend(targets.filter(|to| members.contains(to)));
        }
    }
    let mut exits = BTreeMap::new();
    let (mut takes, mut gives) = (0, 0);
    for one in &team[members.clone()] {
        takes |= one.reads | one.holds;
        gives |= one.writes;
        for (outcome, way) in &one.ways {
            takes |= if is_over_list(way) { PLAN } else { 0 };
            let inside = |to: Option<usize>| to.is_some_and(|to| members.contains(&to));
            let begins = way.split.iter().flat_map(Split::begins).all(|to| inside(Some(to)));
            let bound = way.rounds.is_none_or(|(_, then)| inside(then));
            if inside(way.to) && begins && bound {
                continue;
            }
            // A way out is one of the team's outcomes: it leads to one place, whoever of them ends with it.
            let plain = way.split.is_none() && way.rounds.is_none();
            if !plain || *exits.entry(*outcome).or_insert(way.to) != way.to {
                return None;
            }
        }
    }
    // An item that is brought, and one of a split of its own, would have one name.
    let one_item =
        takes & ITEM == 0 || !team[members.clone()].iter().flat_map(|one| &one.ways).any(|(_, way)| is_over_list(way));
    let fits = one_item && takes & !(A | B | PLAN | ITEM) == 0 && gives & !(A | B) == 0 && takes & gives == 0;
    let first = firsts.pop_first().filter(|_| firsts.is_empty())?;
    (fits && !exits.is_empty()).then_some(Group { members, first, exits, takes, gives })
}

fn is_over_list(way: &Way) -> bool {
    way.split.as_ref().is_some_and(Split::is_over_list)
}

//! Every path of a team whose handoffs split, walked with the whole stack of open splits: into each branch, and on from the
//! join with all that the branches can have come to together.

use std::collections::{BTreeMap, BTreeSet};

use super::drawn::{A, B, DELIVERED, ITEM, Kind, Over, P, PLAN, PS, S, Someone, Split, Way, whole};

/// An open split: who split on which outcome, and which of its branches this is.
pub(super) type Open = (usize, usize, usize);

/// What a branch can come to: what was written in it, and refused, and what ended in branches before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival {
    pub(super) added: u8,
    pub(super) refused: u8,
    pub(super) ended: u128,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Walk {
    pub(super) at: usize,
    pub(super) desk: u8,
    pub(super) added: u8,
    pub(super) refused: u8,
    /// What several branches of a split wrote and nobody has written since, by its place in [`Oracle::ends`].
    pub(super) ended: u128,
    /// By artefact that tools deliver: who approved it in this branch since it was written or refused.
    pub(super) approved: [u8; 3],
}

/// What is seen on all walks.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) astray: bool,
    pub(super) called_off: BTreeSet<usize>,
    pub(super) ungated: BTreeSet<usize>,
    pub(super) approved: BTreeMap<(usize, usize), (u8, u8)>,
    pub(super) unread: BTreeSet<u8>,
    /// What several branches of a split write, what of that is read beyond its join, and what branches read.
    pub(super) several: BTreeSet<(u8, usize, usize)>,
    pub(super) beyond: BTreeSet<(u8, usize, usize)>,
    pub(super) within: BTreeSet<(u8, usize, usize)>,
    pub(super) collected: bool,
    /// By open splits: the ways between members that need no round, all ways, and who can leave.
    pub(super) levels: BTreeMap<Vec<Open>, Ways>,
    pub(super) sends: bool,
    pub(super) deepest: usize,
}

#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) all: BTreeSet<(usize, usize)>,
    pub(super) unbounded: BTreeSet<(usize, usize)>,
    pub(super) leaves: BTreeSet<usize>,
    pub(super) members: BTreeSet<usize>,
}

pub(super) struct Oracle<'t> {
    pub(super) team: &'t [Someone],
    pub(super) seen: Seen,
    pub(super) known: BTreeMap<(usize, Vec<Open>, u8, u128), BTreeSet<Arrival>>,
    /// What ends at the join of which split.
    pub(super) ends: Vec<(u8, usize, usize)>,
}

impl Oracle<'_> {
    pub(super) fn way(&self, open: Open) -> &Way {
        &self.team[open.0].ways[open.1].1
    }

    /// Every way from `at` within the innermost of the open splits; what it can come to.
    pub(super) fn explore(&mut self, at: usize, stack: &[Open], desk: u8, ended: u128) -> BTreeSet<Arrival> {
        let key = (at, stack.to_vec(), desk, ended);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.seen.deepest = self.seen.deepest.max(stack.len());
        let mut arrivals = BTreeSet::new();
        let mut done = BTreeSet::new();
        let mut next = vec![Walk { at, desk, added: 0, refused: 0, ended, approved: [0; 3] }];
        while let Some(walk) = next.pop() {
            if !done.insert(walk.clone()) || self.seen.astray {
                continue;
            }
            self.look(&walk, stack);
            for nth in 0..self.team[walk.at].ways.len() {
                let after = self.after(&walk, nth);
                let way = self.team[walk.at].ways[nth].1.clone();
                let mut targets = vec![];
                match &way.split {
                    Some(split) => {
                        for joined in self.split(&after, stack, (walk.at, nth), &way, split) {
                            targets.push((way.to, joined, way.rounds.is_some()));
                        }
                    }
                    None => targets.push((way.to, after.clone(), way.rounds.is_some())),
                }
                targets.extend(way.rounds.map(|(_, then)| (then, after.clone(), false)));
                for (to, after, bounded) in targets {
                    self.go(&walk, to, after, bounded, stack, &mut arrivals, &mut next);
                }
            }
        }
        self.known.insert(key, arrivals.clone());
        arrivals
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a walk, with all that it can add to")]
    pub(super) fn go(
        &mut self,
        walk: &Walk,
        to: Option<usize>,
        after: Walk,
        bounded: bool,
        stack: &[Open],
        arrivals: &mut BTreeSet<Arrival>,
        next: &mut Vec<Walk>,
    ) {
        let join = stack.last().map(|open| self.way(*open).to);
        let outer: Vec<Option<usize>> = stack.iter().rev().skip(1).map(|open| self.way(*open).to).collect();
        let ways = self.seen.levels.entry(stack.to_vec()).or_default();
        if join == Some(to) {
            ways.leaves.insert(walk.at);
            arrivals.insert(Arrival { added: after.added, refused: after.refused, ended: after.ended });
            return;
        }
        let Some(to) = to else {
            self.seen.astray |= join.is_some();
            ways.leaves.insert(walk.at);
            return;
        };
        self.seen.astray |= outer.contains(&Some(to));
        ways.all.insert((walk.at, to));
        if !bounded {
            ways.unbounded.insert((walk.at, to));
        }
        next.push(Walk { at: to, ..after });
    }

    pub(super) fn look(&mut self, walk: &Walk, stack: &[Open]) {
        let one = &self.team[walk.at];
        self.seen.levels.entry(stack.to_vec()).or_default().members.insert(walk.at);
        let needed = if one.kind == Kind::Model { one.reads } else { one.holds };
        // Who writes a section is shown the whole.
        let sees = needed | if one.writes & S != 0 && !one.wholly { S } else { 0 };
        self.reads(sees, walk.ended, stack);
        self.seen.unread.extend((0..8).map(|bit| 1 << bit).filter(|bit| needed & !walk.desk & bit != 0));
        if one.kind != Kind::Sender {
            return;
        }
        self.seen.sends = true;
        let few = |open: &Open| {
            let split = self.way(*open).split.as_ref().unwrap();
            split.needs.is_some_and(|needs| needs < split.most())
        };
        if stack.iter().any(few) {
            self.seen.called_off.insert(walk.at);
        }
        for bit in (0..3).filter(|bit| one.holds & DELIVERED[*bit].1 != 0) {
            let by = walk.approved[bit];
            let (always, sometimes) = self.seen.approved.entry((walk.at, bit)).or_insert((u8::MAX, 0));
            (*always, *sometimes) = (*always & by, *sometimes | by);
            if by == 0 {
                self.seen.ungated.insert(walk.at);
            }
        }
    }

    /// Somebody reads: what ended before, and what the branches around leave.
    pub(super) fn reads(&mut self, bits: u8, ended: u128, stack: &[Open]) {
        for (nth, of) in self.ends.iter().enumerate() {
            if ended & (1 << nth) != 0 && bits & of.0 != 0 {
                self.seen.beyond.insert(*of);
            }
        }
        for bit in (0..8).map(|bit| 1 << bit).filter(|bit| bits & bit != 0) {
            self.seen.within.extend(stack.iter().map(|open| (whole(bit), open.0, open.1)));
        }
    }

    /// The bit of what ends at the join of a split.
    pub(super) fn end(&mut self, bits: u8, open: (usize, usize)) -> u128 {
        let of = (bits, open.0, open.1);
        let nth = self.ends.iter().position(|known| *known == of).unwrap_or_else(|| {
            self.ends.push(of);
            self.ends.len() - 1
        });
        assert!(nth < 128, "more ends than can be told apart");
        1 << nth
    }

    /// The walk after a member's turn, still where it is.
    pub(super) fn after(&self, walk: &Walk, nth: usize) -> Walk {
        let one = &self.team[walk.at];
        let mut after = walk.clone();
        after.desk |= one.writes;
        after.added |= one.writes;
        for ((_, bits), by) in DELIVERED.iter().zip(&mut after.approved) {
            if one.writes & bits != 0 {
                *by = 0;
            }
            if one.kind == Kind::Person && one.holds & bits != 0 {
                if one.ways[nth].0 == "approve" {
                    *by |= 1 << walk.at;
                } else {
                    *by = 0;
                    after.refused |= bits;
                }
            }
        }
        for (nth, (bits, ..)) in self.ends.iter().enumerate() {
            let anew = if *bits == S { one.wholly } else { one.writes & bits != 0 };
            after.ended &= if anew { !(1 << nth) } else { u128::MAX };
        }
        after
    }

    /// What a split can come to at its join, by going through all of its branches.
    pub(super) fn split(
        &mut self,
        before: &Walk,
        stack: &[Open],
        open: (usize, usize),
        way: &Way,
        split: &Split,
    ) -> Vec<Walk> {
        let is_itself = stack.iter().any(|around| (around.0, around.1) == open);
        let meets_around = stack.iter().any(|around| self.way(*around).to == way.to);
        self.seen.astray |= is_itself || meets_around || !stack.is_empty() && way.to.is_none();
        self.seen.astray |= split.begins().iter().any(|begin| Some(*begin) == way.to);
        if self.seen.astray {
            return vec![];
        }
        let mut desk = before.desk;
        if split.is_over_list() {
            if desk & PLAN == 0 {
                self.seen.unread.insert(PLAN);
            }
            self.reads(PLAN, before.ended, stack);
            desk |= ITEM;
        }
        // What ended in branches of this split is not there in those that it makes again.
        let own = self.ends.iter().enumerate().filter(|(_, of)| (of.1, of.2) == open);
        let ended = own.fold(before.ended, |ended, (nth, _)| ended & !(1 << nth));
        let mut branches = vec![];
        for (nth, begin) in split.begins().into_iter().enumerate() {
            let mut inner = stack.to_vec();
            inner.push((open.0, open.1, nth));
            branches.push(self.explore(begin, &inner, desk, ended));
        }
        let written = branches.iter().flatten().fold(0, |all, arrival| all | arrival.added);
        let collects = if written & P != 0 { PS } else { 0 };
        self.seen.collected |= collects != 0;
        let several = self.several(split, &branches);
        let mut ended = 0;
        for bits in [A, B, P, PS, PLAN, ITEM, S].into_iter().filter(|bits| bits & several != 0) {
            self.seen.several.insert((bits, open.0, open.1));
            ended |= self.end(bits, open);
        }
        let met = together(split, &branches);
        let ways = self.seen.levels.entry(stack.to_vec()).or_default();
        match way.to {
            Some(to) => {
                ways.all.insert((open.0, to));
                if way.rounds.is_none() {
                    ways.unbounded.insert((open.0, to));
                }
            }
            None => drop(ways.leaves.insert(open.0)),
        }
        let merge = |one: Arrival| {
            let added = one.added & !P & !several | collects;
            let mut after = before.clone();
            after.desk |= added;
            after.added |= added;
            after.refused |= one.refused;
            after.ended |= one.ended | ended;
            for ((_, bits), by) in DELIVERED.iter().zip(&mut after.approved) {
                if (added | one.refused) & bits != 0 {
                    *by = 0;
                }
            }
            after
        };
        met.into_iter().map(merge).collect()
    }

    /// What several branches of a split bring to its join.
    pub(super) fn several(&self, split: &Split, branches: &[BTreeSet<Arrival>]) -> u8 {
        let of: Vec<u8> =
            branches.iter().map(|ways| ways.iter().fold(0, |all, arrival| all | arrival.added) & !P).collect();
        let several = (0..8).map(|bit| 1 << bit).filter(|bit| {
            let by = of.iter().filter(|added| **added & bit != 0).count();
            if matches!(split.over, Over::All(_)) { by > 1 } else { by > 0 && split.most() > 1 }
        });
        several.fold(0, |all, bit| all | whole(bit))
    }
}

/// What the arrivals of a split can be together.
pub(super) fn together(split: &Split, branches: &[BTreeSet<Arrival>]) -> BTreeSet<Arrival> {
    const NOTHING: Arrival = Arrival { added: 0, refused: 0, ended: 0 };
    let both = |one: Arrival, other: Arrival| Arrival {
        added: one.added | other.added,
        refused: one.refused | other.refused,
        ended: one.ended | other.ended,
    };
    let waits = split.needs.is_none_or(|needs| needs >= split.most()) && !split.goes_on;
    if let (Over::All(_), true) = (&split.over, waits) {
        return branches.iter().fold([NOTHING].into(), |all, ways| {
            all.iter().flat_map(|one: &Arrival| ways.iter().map(|way| both(*one, *way))).collect()
        });
    }
    // Some of them: a few are enough to see each thing that can happen beside each other.
    let any: BTreeSet<Arrival> = branches.iter().flatten().copied().collect();
    let pairs = any.iter().flat_map(|one| any.iter().map(|other| both(*one, *other)));
    let mut met: BTreeSet<Arrival> = pairs.chain(any.iter().copied()).collect();
    if split.is_over_list() || split.goes_on {
        met.insert(NOTHING);
    }
    met
}

impl Seen {
    /// Whether one desk would have what several branches wrote: it is read beyond the join, or nobody reads it at all.
    pub(super) fn is_twice(&self) -> bool {
        self.several.iter().any(|of| self.beyond.contains(of) || !self.within.contains(of))
    }

    /// Whether somebody somewhere can never leave.
    pub(super) fn is_stuck(&self) -> bool {
        self.levels.values().any(|ways| {
            let mut leaves = ways.leaves.clone();
            loop {
                let more: Vec<usize> =
                    ways.all.iter().filter(|(_, to)| leaves.contains(to)).map(|(from, _)| *from).collect();
                let before = leaves.len();
                leaves.extend(more);
                if leaves.len() == before {
                    break;
                }
            }
            ways.members.iter().any(|member| !leaves.contains(member))
        })
    }

    /// Whether one can go round without an end.
    pub(super) fn is_endless(&self) -> bool {
        self.levels.values().any(|ways| {
            ways.members.iter().any(|start| {
                let mut found = BTreeSet::new();
                let mut next = vec![*start];
                while let Some(at) = next.pop() {
                    for (_, to) in ways.unbounded.iter().filter(|(from, _)| *from == at) {
                        if to == start {
                            return true;
                        }
                        if found.insert(*to) {
                            next.push(*to);
                        }
                    }
                }
                false
            })
        })
    }
}

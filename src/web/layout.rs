//! Where a team's members and handoffs stand in a drawing: ranks from left to right, one row for each outcome, where its handoff
//! begins; what leads ahead past others runs above them, what leads back runs below.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AgentName, Outcome};
use crate::topology::plan::{Handoff, Plan, Recipient};

/// Sizes, in the drawing's own units.
pub(super) const CARD: i32 = 158;
pub(super) const HEAD: i32 = 64;
pub(super) const ROW: i32 = 22;
const FOOT: i32 = 6;
const GAP: i32 = 58;
const BETWEEN: i32 = 26;
const EDGE: i32 = 14;
const BRIEF: i32 = 50;
const LANE: i32 = 24;
/// How far below its upper edge a card is entered.
const DOOR: i32 = 27;

/// A drawing.
#[derive(Debug)]
pub(super) struct Drawing<'p> {
    pub(super) cards: Vec<Card<'p>>,
    pub(super) ways: Vec<Way<'p>>,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// A member's place.
#[derive(Debug)]
pub(super) struct Card<'p> {
    pub(super) name: &'p AgentName,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) height: i32,
    pub(super) rows: Vec<(&'p Outcome, &'p Handoff)>,
}

/// A handoff's way; that of the brief comes from nobody.
#[derive(Debug)]
pub(super) struct Way<'p> {
    pub(super) from: Option<&'p AgentName>,
    pub(super) outcome: Option<&'p Outcome>,
    pub(super) to: &'p AgentName,
    /// As SVG writes it.
    pub(super) path: String,
    /// Where its arrow ends, and in which direction, in degrees.
    pub(super) arrow: (i32, i32, i32),
    /// Where its label stands, if there is room for one.
    pub(super) label: Option<(i32, i32)>,
    pub(super) leads_back: bool,
}

/// A handoff between members, before it has a place.
struct Edge<'p> {
    from: &'p AgentName,
    outcome: &'p Outcome,
    row: i32,
    to: &'p AgentName,
}

/// The drawing of a plan's team.
pub(super) fn drawing(plan: &Plan) -> Drawing<'_> {
    let edges = edges(plan);
    let (ranks, back) = ranks(plan, &edges);
    let mut cards = cards(plan, &ranks);
    let of: BTreeMap<&AgentName, usize> = cards.iter().enumerate().map(|(place, card)| (card.name, place)).collect();
    let mut lanes = Lanes::default();
    let mut ways = vec![];
    for (edge, leads_back) in edges.iter().zip(back) {
        let (Some(from), Some(to)) = (of.get(edge.from), of.get(edge.to)) else { continue };
        ways.push(way(edge, (&cards[*from], &cards[*to]), leads_back, &cards, &mut lanes));
    }
    if let Some(first) = of.get(&plan.start).map(|place| &cards[*place]) {
        let (x, y) = (first.x - 7, first.y + DOOR);
        let path = format!("M{} {y} H{x}", first.x - BRIEF + 4);
        let (arrow, to) = ((x, y, 0), first.name);
        ways.push(Way { from: None, outcome: None, to, path, arrow, label: None, leads_back: false });
    }
    let above = lanes.above.iter().map(|(y, ..)| EDGE - y).max().unwrap_or(0).max(0);
    let below = lanes.below.iter().map(|(y, ..)| *y).max().unwrap_or(0);
    let bottom = cards.iter().map(|card| card.y + card.height).max().unwrap_or(0).max(below);
    let width = cards.iter().map(|card| card.x + CARD).max().unwrap_or(0) + EDGE + 10;
    if above > 0 {
        cards.iter_mut().for_each(|card| card.y += above);
        ways = ways.into_iter().map(|way| way.moved_down(above)).collect();
    }
    Drawing { cards, ways, width, height: bottom + above + EDGE }
}

impl Way<'_> {
    fn moved_down(mut self, by: i32) -> Self {
        self.path = moved_down(&self.path, by);
        self.arrow.1 += by;
        self.label = self.label.map(|(x, y)| (x, y + by));
        self
    }
}

/// A path as this file writes them, lower: `M x y`, `H x`, `V y`, `C` and `Q` with pairs.
fn moved_down(path: &str, by: i32) -> String {
    let mut moved = String::new();
    let mut place = 0;
    for token in path.split(' ') {
        let (command, number) = token.split_at(token.find(|c: char| c.is_ascii_digit() || c == '-').unwrap_or(0));
        place = if command.is_empty() { place + 1 } else { 0 };
        let is_y = match command {
            "H" => false,
            "V" => true,
            _ => place % 2 == 1,
        };
        let number = number.parse::<i32>().unwrap_or(0);
        moved.push_str(&format!(
            "{}{command}{}",
            if moved.is_empty() { "" } else { " " },
            number + if is_y { by } else { 0 }
        ));
    }
    moved
}

fn edges(plan: &Plan) -> Vec<Edge<'_>> {
    let mut edges = vec![];
    for (from, handoffs) in &plan.handoffs {
        for ((outcome, handoff), row) in handoffs.iter().zip(0..) {
            for to in targets(handoff) {
                edges.push(Edge { from, outcome, row, to });
            }
        }
    }
    edges
}

/// To whom a handoff leads: the members with which its branches begin, if it splits.
fn targets(handoff: &Handoff) -> Vec<&AgentName> {
    let own = match (&handoff.split, &handoff.to) {
        (Some(split), _) => split.begins().iter().collect(),
        (None, Recipient::Member(to)) => vec![to],
        (None, Recipient::End) => vec![],
    };
    // Where its rounds lead once they are used up is told in its row.
    own
}

/// The rank of each member, and of each edge whether it leads back.
fn ranks<'p>(plan: &'p Plan, edges: &[Edge<'p>]) -> (BTreeMap<&'p AgentName, usize>, Vec<bool>) {
    let mut walk = Walk { edges, on_way: vec![], seen: BTreeSet::new(), back: vec![false; edges.len()], after: vec![] };
    walk.from(&plan.start);
    let mut ranks: BTreeMap<&AgentName, usize> = BTreeMap::new();
    // Everybody comes before those to whom they hand on: ranks are known once it is their turn.
    for name in walk.after.iter().rev() {
        let rank = *ranks.entry(name).or_insert(0);
        for (edge, back) in edges.iter().zip(&walk.back) {
            if edge.from == *name && !back && edge.to != *name {
                let to = ranks.entry(edge.to).or_insert(0);
                *to = (*to).max(rank + 1);
            }
        }
    }
    // Who is only asked stands after whoever asks.
    for (name, member) in &plan.team {
        let rank = ranks.get(name).copied().unwrap_or(0);
        for asked in &member.may_ask {
            ranks.entry(asked).or_insert(rank + 1);
        }
    }
    for name in plan.team.keys() {
        ranks.entry(name).or_insert(0);
    }
    (ranks, walk.back)
}

struct Walk<'e, 'p> {
    edges: &'e [Edge<'p>],
    on_way: Vec<&'p AgentName>,
    seen: BTreeSet<&'p AgentName>,
    back: Vec<bool>,
    after: Vec<&'p AgentName>,
}

impl<'p> Walk<'_, 'p> {
    fn from(&mut self, name: &'p AgentName) {
        if !self.seen.insert(name) {
            return;
        }
        self.on_way.push(name);
        for (place, edge) in self.edges.iter().enumerate().filter(|(_, edge)| edge.from == name) {
            self.back[place] = self.on_way.contains(&edge.to);
            if !self.back[place] {
                self.from(edge.to);
            }
        }
        self.on_way.pop();
        self.after.push(name);
    }
}

fn cards<'p>(plan: &'p Plan, ranks: &BTreeMap<&'p AgentName, usize>) -> Vec<Card<'p>> {
    let columns = ranks.values().max().map_or(0, |rank| rank + 1);
    let mut ranked: Vec<Vec<Card<'p>>> = (0..columns).map(|_| vec![]).collect();
    let mut x = BRIEF + EDGE;
    for (rank, column) in ranked.iter_mut().enumerate() {
        let mut y = EDGE;
        for name in ranks.iter().filter(|(_, of)| **of == rank).map(|(name, _)| *name) {
            let rows: Vec<_> = plan.handoffs.get(name).into_iter().flatten().collect();
            let height = HEAD + ROW * i32::try_from(rows.len()).unwrap_or(0) + FOOT;
            column.push(Card { name, x, y, height, rows });
            y += height + BETWEEN;
        }
        x += CARD + GAP;
    }
    let tall = |column: &Vec<Card<'_>>| column.last().map_or(0, |card| card.y + card.height);
    let tallest = ranked.iter().map(tall).max().unwrap_or(0);
    let is_line = ranked.iter().all(|column| column.len() == 1);
    for column in &mut ranked {
        let lower = if is_line { 0 } else { (tallest - tall(column)) / 2 };
        column.iter_mut().for_each(|card| card.y += lower);
    }
    ranked.into_iter().flatten().collect()
}

/// Lanes in use: their height, and from where to where.
#[derive(Default)]
struct Lanes {
    above: Vec<(i32, i32, i32)>,
    below: Vec<(i32, i32, i32)>,
    /// Ways that end at a card from above or below, by its place: they stand beside each other.
    ends: BTreeMap<(i32, i32), i32>,
}

fn way<'p>(
    edge: &Edge<'p>,
    (from, to): (&Card<'p>, &Card<'p>),
    leads_back: bool,
    cards: &[Card<'p>],
    lanes: &mut Lanes,
) -> Way<'p> {
    let (x, y) = (from.x + CARD, from.y + HEAD + ROW * edge.row + ROW / 2);
    let made = |path, arrow, label| {
        let (from, outcome, to) = (Some(edge.from), Some(edge.outcome), edge.to);
        Way { from, outcome, to, path, arrow, label, leads_back }
    };
    if !leads_back && to.x - from.x == CARD + GAP {
        let (end_x, end_y) = (to.x - 7, to.y + DOOR);
        let middle = x + (end_x - x) / 2;
        let path = format!("M{x} {y} C{middle} {y} {middle} {end_y} {end_x} {end_y}");
        return made(path, (end_x, end_y, 0), None);
    }
    let nth = lanes.ends.entry((to.x, to.y)).or_insert(0);
    let end_x = to.x + CARD / 2 - 14 + *nth * 26;
    *nth += 1;
    let out = x + 12;
    let (first, last) = (out.min(end_x), out.max(end_x));
    let between = || cards.iter().filter(|card| card.x <= last && card.x + CARD >= first);
    let (lane, end, turn) = if leads_back {
        let floor = between().map(|card| card.y + card.height).max().unwrap_or(0);
        (free(&mut lanes.below, floor + LANE, LANE, (first, last)), to.y + to.height + 7, 270)
    } else {
        let ceiling = between().map(|card| card.y).min().unwrap_or(0);
        (free(&mut lanes.above, ceiling - LANE, -LANE, (first, last)), to.y - 7, 90)
    };
    let (down, right) = (if lane > y { 10 } else { -10 }, if end_x > out { 10 } else { -10 });
    let up = if end > lane { 10 } else { -10 };
    let path = format!(
        "M{x} {y} H{} Q{out} {y} {out} {} V{} Q{out} {lane} {} {lane} H{} Q{end_x} {lane} {end_x} {} V{end}",
        out - 10,
        y + down,
        lane - down,
        out + right,
        end_x - right,
        lane + up,
    );
    made(path, (end_x, end, turn), Some((i32::midpoint(out, end_x), lane)))
}

/// The first lane from `lane` on, each `step` further, that nothing between `first` and `last` uses.
fn free(used: &mut Vec<(i32, i32, i32)>, mut lane: i32, step: i32, (first, last): (i32, i32)) -> i32 {
    while used.iter().any(|(y, from, to)| (y - lane).abs() < step.abs() && *from <= last && *to >= first) {
        lane += step;
    }
    used.push((lane, first, last));
    lane
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_moved_down_and_not_aside() {
        let check = |path: &str, wanted: &str| assert_eq!(moved_down(path, 5), wanted);
        check("M1 2 H3", "M1 7 H3");
        check("M1 2 C3 4 5 6 7 8", "M1 7 C3 9 5 11 7 13");
        check("M1 2 H3 Q4 5 6 7 V-8", "M1 7 H3 Q4 10 6 12 V-3");
    }
}

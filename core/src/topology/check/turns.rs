//! Rule: limits are not below what the handoffs allow: the turns of each member between two decisions of a person in one
//! branch, the questions that it may be asked in others' turns, and the steps that all of that takes at least.

use std::collections::{BTreeSet, HashMap};

use super::asks::Asks;
use super::count;
use super::draft::Draft;
use super::graph::Graph;
use super::seat::Seat;
use crate::topology::fault::{Code, Place};
use crate::topology::plan::{Budget, QUESTIONS_PER_TURN_MAX};
use crate::topology::proof::Proof;

pub(super) fn check(
    draft: &mut Draft<'_>,
    graph: &Graph,
    seats: &[Seat],
    asks: &Asks,
    budget: &Budget,
    proof: &mut Proof,
) {
    let reached = graph.distances(graph.start, |_| true);
    let turns = count::between(graph, &reached);
    let instances = count::instances(graph, &turns);
    let asked_by = asked_by(seats, asks);
    let mut takes_steps = vec![false; seats.len()];
    for node in &graph.nodes {
        takes_steps[node.seat] = !node.is_free && node.outward.is_none();
    }
    let mut in_branch: Vec<(u32, bool)> = vec![(0, false); seats.len()];
    let mut taken: Vec<(usize, usize, u64)> = vec![];
    for (level, place) in graph.levels.iter().enumerate() {
        let mut own = vec![0; seats.len()];
        for node in place.nodes.iter().filter(|node| reached[**node].is_some()) {
            own[graph.nodes[*node].seat] = u32::try_from(turns.most[*node]).unwrap_or(u32::MAX);
        }
        let mut known = vec![None; seats.len()];
        for seat in 0..seats.len() {
            let most = with_questions(&asked_by, &own, &mut known, seat);
            if most == 0 {
                continue;
            }
            in_branch[seat] = in_branch[seat].max((most, most > own[seat]));
            let all = proof.turns.entry(seats[seat].name.clone()).or_insert(0);
            *all = all.saturating_add(u64::from(most).saturating_mul(instances[level]));
            if takes_steps[seat] {
                taken.push((level, seat, u64::from(most)));
            }
        }
    }
    for (seat, (most, with_questions)) in seats.iter().zip(in_branch) {
        let Some(member) = seat.member.as_ref().filter(|member| member.limits.turns < most) else { continue };
        let what = format!(
            "`{}` may take {} turns, and the handoffs{} allow {most} between two decisions of a person",
            seat.name,
            member.limits.turns,
            if with_questions { " and questions" } else { "" }
        );
        let instead = format!("write limits = {{ turns = {most} }} or more, or fewer rounds");
        draft.fault(Code::TurnsTooFew, &seat.turns_place, what, instead);
    }
    let all = |within: &dyn Fn(usize) -> bool| {
        let mut at = vec![0_u64; graph.levels.len()];
        let within = taken.iter().filter(|(_, seat, _)| within(*seat));
        within.for_each(|(level, _, most)| at[*level] = at[*level].saturating_add(*most));
        count::together(graph, &turns, |level| at[level])
    };
    let place = draft.steps_place.clone().unwrap_or_else(|| Place::top(draft.name));
    few(draft, "the budget", &place, budget.steps, all(&|_| true));
    for (name, team) in &draft.teams.clone().0 {
        let own: Vec<bool> = seats.iter().map(|seat| draft.teams.of(&seat.name).any(|(of, _)| of == name)).collect();
        let whose = format!("the budget of the team `{name}`");
        let place = draft.team_steps.get(name).cloned().unwrap_or_else(|| Place::top(draft.name));
        few(draft, &whose, &place, team.budget.steps, all(&|seat| own[seat]));
    }
}

/// Tells of fewer steps than the handoffs allow.
fn few(draft: &mut Draft<'_>, whose: &str, place: &Place, limit: Option<u64>, steps: u64) {
    let Some(limit) = limit.filter(|limit| *limit < steps) else { return };
    let what =
        format!("{whose} has {limit} steps, and the handoffs allow {steps} turns between two decisions of a person");
    let instead = format!("write steps = {steps} or more (a turn takes one step at least), or fewer rounds");
    draft.fault(Code::StepsTooFew, place, what, instead);
}

/// Who may ask each member, by their places.
fn asked_by(seats: &[Seat], asks: &Asks) -> Vec<Vec<usize>> {
    let places: HashMap<&str, usize> = seats.iter().enumerate().map(|(at, seat)| (seat.name.as_str(), at)).collect();
    let mut asked_by = vec![vec![]; seats.len()];
    for (asker, of) in asks {
        let Some(asker) = places.get(asker.as_str()) else { continue };
        let of: BTreeSet<usize> = of.iter().filter_map(|name| places.get(name.as_str()).copied()).collect();
        of.into_iter().for_each(|asked| asked_by[asked].push(*asker));
    }
    asked_by
}

/// The most turns of a member between two decisions: those that it is handed, and the questions that it is asked in the
/// turns of others. Each is counted once; members that would wait for themselves are told elsewhere.
fn with_questions(asked_by: &[Vec<usize>], handed: &[u32], known: &mut [Option<u32>], index: usize) -> u32 {
    if let Some(most) = known[index] {
        return most;
    }
    known[index] = Some(handed[index]);
    let mut most = handed[index];
    for asker in &asked_by[index] {
        let asked = with_questions(asked_by, handed, known, *asker).saturating_mul(QUESTIONS_PER_TURN_MAX);
        most = most.saturating_add(asked);
    }
    known[index] = Some(most);
    most
}

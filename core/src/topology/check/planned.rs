//! The graph of a team that was checked already, from its plan: for what is counted of a run's own plan, wherever that is
//! read. Faults have no place in it.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Node};
use super::handoffs::{Route, Routes};
use super::split::Fan;
use crate::id::AgentName;
use crate::topology::fault::Place;
use crate::topology::plan::{Arg, Member, Plan, Recipient, Role};
use crate::topology::spec::Reach;

/// The graph of `plan`; members by their place in its team.
pub(super) fn graph(plan: &Plan) -> Graph {
    let place = Place::top(&plan.name);
    let seats: BTreeMap<&AgentName, usize> = plan.team.keys().enumerate().map(|(seat, name)| (name, seat)).collect();
    let seat = |name: &AgentName| seats.get(name).copied();
    let recipient = |to: &Recipient| match to {
        Recipient::Member(name) => seat(name),
        Recipient::End => None,
    };
    let mut routes = Routes { start: seat(&plan.start).map(|start| (start, place.clone())), all: vec![] };
    for (from, outcome, handoff) in plan
        .handoffs
        .iter()
        .flat_map(|(from, ways)| ways.iter().map(move |(outcome, handoff)| (from, outcome, handoff)))
    {
        let Some(from) = seat(from) else { continue };
        let fan = handoff.split.as_ref().map(|split| Fan {
            split: split.clone(),
            begins: split.begins().iter().filter_map(seat).collect(),
            list: None,
        });
        let rounds = handoff.rounds.as_ref().map(|rounds| (rounds.max, recipient(&rounds.then)));
        let to = recipient(&handoff.to);
        let (outcome, place) = (outcome.clone(), place.clone());
        routes.all.push(Route { from, outcome, to, fails: false, rounds, fan, place });
    }
    let nodes = plan.team.iter().enumerate();
    Graph::new(nodes.map(|(seat, (name, member))| node(plan, seat, name, member, &place)).collect(), &routes)
}

fn node(plan: &Plan, seat: usize, name: &AgentName, member: &Member, place: &Place) -> Node {
    let outward = match &member.role {
        Role::Tool { tool, args } if plan.tools.get(tool).is_none_or(|spec| spec.reach == Reach::ActsOut) => {
            let roots = args.values().filter_map(|arg| match arg {
                Arg::Path { root, .. } => root.parse().ok(),
                Arg::Value(_) => None,
            });
            Some((tool.clone(), roots.collect()))
        }
        _ => None,
    };
    let approves = match &member.role {
        Role::Person(person) if !person.approves.is_empty() => Some(person.approves.iter().cloned().collect()),
        _ => None,
    };
    Node {
        seat,
        level: 0,
        name: name.clone(),
        place: place.clone(),
        approves,
        outward,
        needs: vec![],
        writes: member.writes.iter().cloned().collect(),
        changes: member.writes.iter().cloned().collect(),
        reads: BTreeSet::new(),
        outcomes: plan.outcomes(name).count(),
        is_free: matches!(member.role, Role::Rule(_) | Role::Person(_)),
    }
}

//! Rule: every outcome of every member is handed on, to a member or to the end, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use super::asks;
use super::draft::Draft;
use super::recipient::{is_failure, member, recipient, target};
use super::seat::{Seat, SeatKind};
use super::split::{self, Fan};
use crate::id::{AgentName, Outcome};
use crate::topology::fault::{At, Code, Fault, Place};
use crate::topology::plan::{Handoff, Recipient, Rounds, Split};
use crate::topology::raw::handoff::{Handoffs, Way};
use crate::topology::raw::topology::Topology;

/// The handoffs as far as they could be made out; members by their place in the team.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) start: Option<(usize, Place)>,
    pub(super) all: Vec<Route>,
}

/// One handoff.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) from: usize,
    pub(super) outcome: Outcome,
    /// `None` is the end.
    pub(super) to: Option<usize>,
    /// Whether that end is a failure.
    pub(super) fails: bool,
    pub(super) rounds: Option<(u32, Option<usize>)>,
    /// What lies between it and `to`, where its branches meet.
    pub(super) fan: Option<Fan>,
    pub(super) place: Place,
}

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, seats: &[Seat]) -> Routes {
    let mut routes = Routes::default();
    if let Some(start) = &raw.start {
        match recipient(draft, seats, start) {
            Some(Some(to)) => routes.start = Some((to, start.place.clone())),
            Some(None) => draft.fault(Code::WrongValue, &start.place, "the team starts at its end", "name a member"),
            None => {}
        }
    }
    draft.edges_missing |= routes.start.is_none();
    let mut handed: BTreeSet<usize> = BTreeSet::new();
    for (name, handoffs) in &raw.handoffs {
        let Some(from) = member(draft, seats, name) else { continue };
        if !handed.insert(from) {
            draft.fault(Code::Name, &name.place, format!("`{}` is handed on twice", name.value), "keep one entry");
            continue;
        }
        match handoffs {
            Handoffs::Only(way) => only(draft, seats, from, name, way, &mut routes),
            Handoffs::By(ways) => {
                let missing = by_outcome(draft, seats, from, ways, &mut routes);
                if !missing.is_empty() && !raw.damaged {
                    let last = ways.last().map(|(_, way)| &way.place);
                    unhandled(draft, seats[from].name.as_str(), (&name.place, last), &missing);
                }
            }
        }
    }
    for (index, seat) in seats.iter().enumerate() {
        // Who is only asked by teammates hands nothing on.
        let is_asked = asks::is_asked(raw, seat.name.as_str()) && !routes.lead_to(index);
        let known = seat.kind != SeatKind::Unknown && !raw.damaged;
        if !handed.contains(&index) && known && !is_asked {
            // Whom nobody leads to is probably who comes next.
            let next = (index + 1..seats.len()).find(|next| !routes.lead_to(*next));
            let next = next.map_or("end", |next| seats[next].name.as_str());
            nowhere(draft, (seat.name.as_str(), &seat.place), &seat.outcomes, next, raw.start.as_ref());
            draft.edges_missing = true;
        }
    }
    routes
}

fn list(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| format!("`{outcome}`")).collect::<Vec<_>>().join(", ")
}

/// Where outcomes can lead: the first to `next`, the others to the end.
fn example(outcomes: &[Outcome], next: &str) -> String {
    let mut ways = outcomes.iter().zip(std::iter::once(next).chain(std::iter::repeat("\"end\"")));
    match outcomes {
        [_] => next.to_owned(),
        _ => {
            let ways: Vec<String> = ways.by_ref().map(|(outcome, to)| format!("{outcome} = {to}")).collect();
            format!("{{ {} }}", ways.join(", "))
        }
    }
}

fn only(draft: &mut Draft<'_>, seats: &[Seat], from: usize, name: &At<String>, way: &Way, routes: &mut Routes) {
    let seat = &seats[from];
    if seat.outcomes.len() > 1 {
        too_few(draft, seat.name.as_str(), (&name.place, &way.place), &seat.outcomes);
        draft.edges_missing = true;
    }
    if let Some(route) = route(draft, seats, from, seat.outcomes.first(), way)
        && seat.outcomes.len() == 1
    {
        routes.all.push(route);
    }
}

/// The handoff that is written as `way`, if all of it is known; of `outcome`, if that is.
fn route(draft: &mut Draft<'_>, seats: &[Seat], from: usize, outcome: Option<&Outcome>, way: &Way) -> Option<Route> {
    let (to, fails) = match &way.split {
        Some(_) => (recipient(draft, seats, &way.to), false),
        None => (target(draft, seats, &way.to), is_failure(&way.to)),
    };
    let fan = way.split.as_ref().map(|_| split::fan(draft, seats, way));
    draft.damaged |= matches!(fan, Some(None));
    let then = way.rounds.as_ref().map(|(max, then)| (*max, recipient(draft, seats, then)));
    // Rounds that lead to nobody known bound the cycle all the same.
    draft.damaged |= then.is_some_and(|(_, then)| then.is_none());
    let rounds = then.and_then(|(max, then)| Some((max, then?)));
    let (to, fan, outcome) = (to?, fan.flatten(), outcome?.clone());
    Some(Route { from, outcome, to, fails, rounds, fan, place: way.place.clone() })
}

/// Returns the outcomes that are missing and not told yet.
fn by_outcome(
    draft: &mut Draft<'_>,
    seats: &[Seat],
    from: usize,
    ways: &[(At<String>, Way)],
    routes: &mut Routes,
) -> Vec<Outcome> {
    let seat = &seats[from];
    let known = seat.kind != SeatKind::Unknown;
    let written = |outcome: &Outcome| ways.iter().any(|(key, _)| key.value == outcome.as_str());
    let mut missing: Vec<Outcome> = seat.outcomes.iter().filter(|outcome| !written(outcome)).cloned().collect();
    if matches!(seat.kind, SeatKind::Person { holds: true, .. }) {
        missing.retain(|outcome| outcome.as_str() != "expired");
    }
    let mut mistaken = false;
    for (key, way) in ways {
        let mut outcome = seat.outcomes.iter().find(|outcome| outcome.as_str() == key.value).cloned();
        if outcome.is_none() && known {
            mistaken = true;
            outcome = unknown_outcome(draft, seat, key, &mut missing);
            draft.edges_missing |= outcome.is_none();
        }
        routes.all.extend(route(draft, seats, from, outcome.as_ref(), way));
    }
    draft.edges_missing |= !missing.is_empty();
    if mistaken { vec![] } else { missing }
}

/// Tells of outcomes that a member's entry leaves out; `last` is the last that it has.
pub(super) fn unhandled(
    draft: &mut Draft<'_>,
    name: &str,
    (place, last): (&Place, Option<&Place>),
    missing: &[Outcome],
) {
    let (outcomes, are) = if missing.len() == 1 { ("outcome", "is") } else { ("outcomes", "are") };
    let what = format!("the {outcomes} {} of `{name}` {are} not handed on", list(missing));
    let ways: Vec<String> = missing.iter().map(|outcome| format!("{outcome} = \"end\"")).collect();
    let instead = format!("add {}, or name a member in place of end", ways.join(", "));
    let fault = Fault::new(Code::UnhandledOutcome, place, what, instead);
    let fault = match last.filter(|last| last.file == place.file) {
        None => fault,
        Some(last) => {
            let between = draft.faults.text(&place.file).and_then(|text| text.get(place.span.end..last.span.start));
            // The ways of one entry stand in one line, or on a line each below its heading.
            let is_inline = between.is_some_and(|text| text.trim_start().starts_with('='));
            let (before, part) = if is_inline { (", ", ", ") } else { ("\n", "\n") };
            let end = Place { file: last.file.clone(), span: last.span.end..last.span.end };
            fault.with_edit(end, format!("{before}{}", ways.join(part)))
        }
    };
    draft.faults.push(fault);
}

/// Tells of a member that has no entry; `next` is whom it can lead to.
pub(super) fn nowhere(
    draft: &mut Draft<'_>,
    (name, place): (&str, &Place),
    outcomes: &[Outcome],
    next: &str,
    start: Option<&At<String>>,
) {
    let lead = if outcomes.len() == 1 { "leads" } else { "lead" };
    let what = format!("`{name}` is not in [handoffs]: {} {lead} nowhere", list(outcomes));
    let line = format!("{name} = {}", example(outcomes, &format!("{next:?}")));
    let fault = Fault::new(Code::UnhandledOutcome, place, what, format!("write {line}"));
    let start = start.filter(|start| start.place.file == place.file).map(|start| start.place.clone());
    draft.faults.push(match start {
        Some(start) => {
            let end = Place { span: start.span.end..start.span.end, ..start };
            fault.with_edit(end, format!("\n{line}"))
        }
        None => fault,
    });
}

/// Tells of one recipient for several outcomes.
pub(super) fn too_few(draft: &mut Draft<'_>, name: &str, (place, way): (&Place, &Place), outcomes: &[Outcome]) {
    let what = format!("`{name}` has the outcomes {}, and one recipient", list(outcomes));
    let written = draft.faults.text(&way.file).and_then(|text| text.get(way.span.clone())).unwrap_or("\"end\"");
    let ways = example(outcomes, written);
    let fault = Fault::new(Code::UnhandledOutcome, place, what, format!("write {name} = {ways}"));
    draft.faults.push(fault.with_edit(way.clone(), ways));
}

/// Tells of an outcome that is not declared; returns the unhandled one that was meant.
fn unknown_outcome(
    draft: &mut Draft<'_>,
    seat: &Seat,
    key: &At<String>,
    missing: &mut Vec<Outcome>,
) -> Option<Outcome> {
    let known = seat.outcomes.iter().map(Outcome::as_str);
    let meant = draft.unknown(Code::UnknownOutcome, key, &format!("outcome of `{}`", seat.name), known)?;
    let index = missing.iter().position(|outcome| outcome.as_str() == meant)?;
    Some(missing.remove(index))
}

impl Routes {
    /// Whether something is handed on to `member`.
    fn lead_to(&self, member: usize) -> bool {
        let starts = self.start.as_ref().is_some_and(|(start, _)| *start == member);
        let leads =
            |route: &Route| route.to == Some(member) || route.rounds.is_some_and(|(_, then)| then == Some(member));
        starts || self.all.iter().any(leads)
    }

    /// The outcomes that lead to the end which is a failure.
    pub(super) fn failures(&self, seats: &[Seat]) -> BTreeMap<AgentName, BTreeSet<Outcome>> {
        let mut failures: BTreeMap<AgentName, BTreeSet<Outcome>> = BTreeMap::new();
        for route in self.all.iter().filter(|route| route.fails) {
            failures.entry(seats[route.from].name.clone()).or_default().insert(route.outcome.clone());
        }
        failures
    }

    /// The table of a plan.
    pub(super) fn table(
        &self,
        seats: &[Seat],
        merged: impl Fn(usize, &Split) -> Split,
    ) -> BTreeMap<AgentName, BTreeMap<Outcome, Handoff>> {
        let recipient = |to: Option<usize>| to.map_or(Recipient::End, |to| Recipient::Member(seats[to].name.clone()));
        let mut table: BTreeMap<AgentName, BTreeMap<Outcome, Handoff>> = BTreeMap::new();
        for (index, route) in self.all.iter().enumerate() {
            let rounds = route.rounds.map(|(max, then)| Rounds { max, then: recipient(then) });
            let split = route.fan.as_ref().map(|fan| merged(index, &fan.split));
            let handoff = Handoff { to: recipient(route.to), rounds, split };
            table.entry(seats[route.from].name.clone()).or_default().insert(route.outcome.clone(), handoff);
        }
        table
    }
}

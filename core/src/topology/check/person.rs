//! Rule: a person approves something, exists, can be enough, and waits no longer than said.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::names;
use super::seat::{self, Seat, SeatKind};
use crate::topology::fault::{At, Code, Fault};
use crate::topology::plan::{Expires, Expiry, Member, Person, Role};
use crate::topology::raw::{self, agent, topology::Topology};

/// Stands in where `expires` is missing, which is told.
const NEVER: Expires = Expires { after_ms: 1, then: Expiry::Reject };

pub(super) fn check(
    draft: &mut Draft<'_>,
    raw: &Topology,
    entry: &raw::topology::Member,
    person: &agent::Person,
    seat: &mut Seat,
    member: &mut Member,
) {
    fits(draft, entry);
    names::once(draft, &entry.approves);
    let mut approves = vec![];
    for at in &entry.approves {
        if let Some(artefact) = draft.artefact(raw, at) {
            seat::also_reads(seat, member, &artefact, &at.place);
            approves.push(artefact);
        }
    }
    if entry.approves.is_empty() {
        let what = format!("`{}` is a person and approves nothing", seat.name);
        draft.fault(Code::MissingKey, &seat.place, what, "write approves = [\"...\"] into its entry in [team]");
        draft.damaged = true;
    }
    people(draft, person);
    let expires = person.expires.clone().unwrap_or(NEVER);
    seat.outcomes = seat::person_outcomes().collect();
    seat.kind = SeatKind::Person {
        approves: approves.iter().cloned().collect(),
        holds: person.expires.is_none() || expires.then == Expiry::Hold,
    };
    member.limits = seat::limits(&[]);
    member.role = Role::Person(Person {
        who: person.who.iter().map(|at| at.value.clone()).collect(),
        needed: person.needed.value,
        starter_may_approve: person.starter_may_approve,
        approves,
        binds: None,
        remind_every_ms: person.remind_every_ms,
        escalate: person.escalate.as_ref().map(|at| at.value.clone()),
        expires,
    });
}

fn fits(draft: &mut Draft<'_>, entry: &raw::topology::Member) {
    if let Some(first) = entry.writes.first() {
        let instead = "take `writes` out; a person who edits makes a new version of what they approve";
        seat::unfit(draft, &first.place, "is a person: it has no `writes`", instead);
    }
    if let Some(args) = &entry.args {
        seat::unfit(draft, &args.place, "is a person: it has no `args`", "take `args` out");
    }
    if let Some(parallel) = &entry.parallel {
        seat::unfit(draft, &parallel.place, "is a person: it has no `parallel`", "take `parallel` out");
    }
    if let Some(model) = &entry.model {
        seat::unfit(draft, &model.place, "is a person: it has no `model`", "take `model` out");
    }
}

/// Whether who may approve exists, and is enough.
fn people(draft: &mut Draft<'_>, person: &agent::Person) {
    let needed = &person.needed;
    if draft.around.single_person {
        if needed.value > 1 {
            let what = format!("{} people must approve, and the project has one", needed.value);
            draft.fault(Code::TooFewPeople, &needed.place, what, "name people in callsheet.toml: [people.NAME]");
        }
        return;
    }
    let mut may: BTreeSet<&str> = BTreeSet::new();
    let mut known = true;
    let around = draft.around;
    for at in &person.who {
        known &= exists(draft, at);
        let group = at.value.strip_prefix("group:");
        let member =
            |name: &str, groups: &[String]| group.map_or(name == at.value, |g| groups.iter().any(|has| has == g));
        may.extend(around.people.iter().filter(|(name, groups)| member(name, groups)).map(|(name, _)| name.as_str()));
    }
    if person.who.is_empty() {
        may.extend(around.people.keys().map(String::as_str));
    }
    let enough = usize::try_from(needed.value).is_ok_and(|needed| needed <= may.len());
    if known && !enough {
        let what = format!("{} people must approve, and {} may", needed.value, may.len());
        draft.fault(Code::TooFewPeople, &needed.place, what, "lower `needed`, or name more people in `who`");
    }
    if let Some(escalate) = &person.escalate {
        exists(draft, &At { value: escalate.value.to.clone(), place: escalate.place.clone() });
    }
}

fn exists(draft: &mut Draft<'_>, at: &At<String>) -> bool {
    let people = &draft.around.people;
    let groups: BTreeSet<String> = people.values().flatten().map(|group| format!("group:{group}")).collect();
    let known: Vec<&str> = people.keys().chain(&groups).map(String::as_str).collect();
    if known.contains(&at.value.as_str()) {
        return true;
    }
    let instead = format!("callsheet.toml has: {}", known.join(", "));
    let what = format!("no person or group is named `{}`", at.value);
    draft.faults.push(Fault::new(Code::UnknownPerson, &at.place, what, instead).meant(&at.value, known));
    false
}

//! Rule: a person approves something or answers, exists, can be enough, and waits no longer than said.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::seat::{self, Seat, SeatKind};
use super::{asks, names};
use crate::id::Outcome;
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::plan::{ANSWERED, EXPIRED, Expires, Expiry, Member, PERSON_OUTCOMES, Person, Role};
use crate::topology::raw::{self, agent, topology::Topology};
use crate::topology::whom::is_meant;

/// Stands in where `expires` is missing, which is told.
const NEVER: Expires = Expires { after_ms: 1, then: Expiry::Reject };

/// Turns of a person who answers: any number.
const TURNS: u32 = 1_000_000;

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
    let answers = entry.approves.is_empty() && !is_for_nothing(draft, raw, entry, person, seat);
    let outcomes = if answers { outcomes(draft, raw, entry, person, seat) } else { vec![] };
    if let Some(first) = person.outcomes.first().filter(|_| !answers) {
        let instead = "take `outcomes` out: whoever approves says approve, request_changes or reject";
        seat::unfit(draft, &first.place, "approves: it has no `outcomes` of its own", instead);
    }
    needed(draft, person, answers);
    people(draft, person, answers);
    let expires = person.expires.clone().unwrap_or(NEVER);
    late(draft, person);
    seat.outcomes = match answers {
        true => outcomes.iter().cloned().chain(EXPIRED.parse().ok()).collect(),
        false => seat::person_outcomes().collect(),
    };
    seat.kind = SeatKind::Person {
        approves: approves.iter().cloned().collect(),
        holds: person.expires.is_none() || expires.then == Expiry::Hold,
    };
    member.limits = seat::limits(&[]);
    if answers {
        // What is asked of them is bounded by whoever asks.
        member.limits.turns = TURNS;
    }
    member.role = Role::Person(Person {
        who: person.who.iter().map(|at| at.value.clone()).collect(),
        needed: person.needed.value,
        starter_may_approve: person.starter_may_approve,
        approves,
        outcomes,
        binds: None,
        remind_every_ms: person.remind_every_ms,
        escalate: person.escalate.as_ref().map(|at| at.value.clone()),
        expires,
    });
}

fn fits(draft: &mut Draft<'_>, entry: &raw::topology::Member) {
    if let (Some(first), false) = (entry.writes.first(), entry.approves.is_empty()) {
        let instead = "take `writes` out, or `approves`: who approves edits what they approve, who answers writes";
        seat::unfit(draft, &first.place, "approves and has `writes`", instead);
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

/// Whether it is forgotten what a person is for: they approve, write and choose nothing, and no teammate asks them.
fn is_for_nothing(
    draft: &mut Draft<'_>,
    raw: &Topology,
    entry: &raw::topology::Member,
    person: &agent::Person,
    seat: &Seat,
) -> bool {
    let has_nothing = entry.approves.is_empty() && entry.writes.is_empty() && person.outcomes.is_empty();
    if !has_nothing || asks::is_asked(raw, seat.name.as_str()) {
        return false;
    }
    let what = format!("`{}` is a person and approves, writes and chooses nothing", seat.name);
    let instead = "write approves = [\"...\"] or writes = [\"...\"] into its entry in [team]";
    draft.fault(Code::MissingKey, &seat.place, what, instead);
    draft.damaged = true;
    true
}

/// What a person who answers chooses among, in the order of their file; nothing, if they are only asked by teammates.
fn outcomes(
    draft: &mut Draft<'_>,
    raw: &Topology,
    entry: &raw::topology::Member,
    person: &agent::Person,
    seat: &Seat,
) -> Vec<Outcome> {
    let name = seat.name.as_str();
    let is_handed_on = raw.handoffs.iter().any(|(from, _)| from.value == name);
    if person.outcomes.is_empty() && entry.writes.is_empty() {
        return if is_handed_on { ANSWERED.parse().ok().into_iter().collect() } else { vec![] };
    }
    names::once(draft, &person.outcomes);
    let mut outcomes: Vec<Outcome> = vec![];
    for at in &person.outcomes {
        if PERSON_OUTCOMES.contains(&at.value.as_str()) {
            let what = format!("`{}` is what a person says who approves, or what comes of silence", at.value);
            draft.fault(Code::Name, &at.place, what, "choose another word, such as \"answered\"");
        }
        outcomes.extend(names::parse(draft, at));
    }
    if person.outcomes.is_empty() {
        outcomes.extend(ANSWERED.parse().ok());
    }
    outcomes
}

/// Looks at a person who is on no team.
pub(super) fn alone(draft: &mut Draft<'_>, person: &agent::Person) {
    names::once(draft, &person.outcomes);
    late(draft, person);
    people(draft, person, false);
}

/// One person answers.
fn needed(draft: &mut Draft<'_>, person: &agent::Person, answers: bool) {
    if answers && person.needed.value > 1 {
        let instead = "take `needed` out; several people approve what one of them wrote";
        seat::unfit(draft, &person.needed.place, "answers: one person does", instead);
    }
}

/// Whether others are told before it is too late.
fn late(draft: &mut Draft<'_>, person: &agent::Person) {
    let (Some(escalate), Some(expires)) = (&person.escalate, &person.expires) else { return };
    if expires.then == Expiry::Reject && escalate.value.after_ms >= expires.after_ms {
        let what = "nobody is told before the time is up";
        draft.fault(Code::WrongValue, &escalate.place, what, "write a shorter `after` than that of `expires`");
    }
}

/// Whether who may approve exists, and is enough.
fn people(draft: &mut Draft<'_>, person: &agent::Person, answers: bool) {
    let needed = &person.needed;
    if draft.around.single_person {
        if needed.value > 1 && !answers && !draft.around.unread {
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
        let meant = around.people.iter().filter(|(name, groups)| is_meant(&at.value, name, *groups));
        may.extend(meant.map(|(name, _)| name.as_str()));
    }
    if person.who.is_empty() {
        may.extend(around.people.keys().map(String::as_str));
    }
    let enough = usize::try_from(needed.value).is_ok_and(|needed| needed <= may.len());
    if known && !enough && !(answers && needed.value > 1) {
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
    // A group is named with what it is.
    let group = groups.iter().find(|group| group.strip_prefix("group:") == Some(&at.value)).map(String::as_str);
    let person = at.value.strip_prefix("group:").and_then(|name| known.iter().copied().find(|known| *known == name));
    let meant = group.or(person).or_else(|| nearest(&at.value, known.iter().copied()));
    let fault = Fault::new(Code::UnknownPerson, &at.place, what, instead);
    draft.faults.push(fault.meaning(&at.value, meant));
    false
}

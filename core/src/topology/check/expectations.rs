//! Rule: a rehearsal's test expects only what can happen.

use std::collections::BTreeMap;

use super::asks::Asks;
use super::draft::Draft;
use super::given::Test;
use super::lacking::List;
use super::params::has_type;
use super::recipient;
use super::scripted;
use super::seat::{Seat, SeatKind};
use crate::id::Outcome;
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::plan::{EXPIRED, Param, QUESTION};
use crate::topology::raw::{self, topology::Topology};

/// What persons can answer in a test.
const DECISIONS: [&str; 5] = ["approve", "request_changes", "reject", "expire", "answer"];

/// How a run can be when a test's decisions are used up.
const STATUSES: [&str; 7] = ["done", "rejected", "failed", "stopped", "waiting", "paused", "stuck"];

pub(super) fn check(
    draft: &mut Draft<'_>,
    raw: &Topology,
    seats: &[Seat],
    asks: &Asks,
    params: &BTreeMap<String, Param>,
    test: &raw::rehearsal::Test,
) -> Test {
    let answers =
        seats.iter().filter(|seat| matches!(&seat.kind, SeatKind::Person { approves, .. } if approves.is_empty()));
    let answers = answers.flat_map(|seat| &seat.outcomes).map(Outcome::as_str).filter(|word| *word != EXPIRED);
    let decisions: Vec<&str> = DECISIONS.into_iter().chain(answers).collect();
    for at in &test.decisions {
        if !decisions.contains(&at.value.as_str()) {
            draft.unknown(Code::Expectation, at, "decision", decisions.iter().copied());
        }
    }
    if let Some(at) = test.status.as_ref().filter(|at| !STATUSES.contains(&at.value.as_str())) {
        let what = format!("no run ends as `{}`", at.value);
        let fault = Fault::new(Code::Expectation, &at.place, what, format!("there are: {}", STATUSES.join(", ")));
        let ends = ["finished", "ended", "complete", "completed", "success", "ok"].contains(&at.value.as_str());
        let meant = if ends { Some("done") } else { nearest(&at.value, STATUSES) };
        draft.faults.push(fault.meaning(&at.value, meant));
    }
    for (name, value) in &test.params {
        match params.get(&name.value) {
            None => {
                draft.unknown(Code::Expectation, name, "parameter", params.keys().map(String::as_str));
            }
            Some(param) if !has_type(&value.value, param.kind) => {
                let what = format!("`{}` is not of type {}", name.value, param.kind.word());
                draft.fault(Code::Expectation, &value.place, what, format!("write a {}", param.kind.word()));
            }
            Some(param) if !param.bounds.take(&value.value) => {
                let words = param.bounds.words().unwrap_or_default();
                let what = format!("`{}` is {}, and it is to be {words}", name.value, value.value);
                draft.fault(Code::Expectation, &value.place, what, format!("write a value that is {words}"));
            }
            Some(_) => {}
        }
    }
    test.path.iter().for_each(|at| hop(draft, seats, asks, at));
    let mut artefacts = BTreeMap::new();
    for (name, value) in &test.artefacts {
        if let Some(artefact) = draft.artefact(raw, name) {
            if let Some(schema) = draft.schema(&artefact) {
                scripted::expected(draft, artefact.as_str(), value, &schema, &mut vec![]);
            }
            artefacts.insert(artefact, value.value.clone());
        }
    }
    Test {
        name: test.name.value.clone(),
        params: test.params.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect(),
        decisions: test.decisions.iter().map(|at| at.value.clone()).collect(),
        status: test.status.as_ref().map_or_else(|| "done".to_owned(), |at| at.value.clone()),
        path: test.path.iter().map(|at| at.value.clone()).collect(),
        artefacts,
        asks: test.asks,
    }
}

/// `agent:outcome`, or `agent:question`; of the second branch of a split `agent.2:outcome`.
fn hop(draft: &mut Draft<'_>, seats: &[Seat], asks: &Asks, at: &At<String>) {
    let Some((agent, outcome)) = at.value.split_once(':') else {
        let what = format!("{:?} is not a member and its outcome", at.value);
        draft.fault(Code::Expectation, &at.place, what, "write it like \"critic:pass\"");
        return;
    };
    let part = |value: &str| At { value: value.to_owned(), place: at.place.clone() };
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let member = agent.rsplit_once('.').filter(|(_, branch)| is_number(branch)).map_or(agent, |(member, _)| member);
    let Some(index) = recipient::expected(draft, seats, &part(member)) else { return };
    let seat = &seats[index];
    // That it may ask nobody is told, if it asks.
    let is_told = || draft.forgotten.contains_key(&(seat.name.to_string(), List::MayAsk));
    if outcome == QUESTION && (asks.contains_key(&seat.name) || is_told()) {
        return;
    }
    if seat.member.is_some() && !seat.outcomes.iter().any(|known| known.as_str() == outcome) {
        let known = seat.outcomes.iter().map(Outcome::as_str);
        draft.unknown(Code::Expectation, &part(outcome), &format!("outcome of `{agent}`"), known);
    }
}

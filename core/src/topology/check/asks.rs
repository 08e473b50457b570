//! Rule: who may be asked is a model or a person of the team, nobody comes to wait for themselves, and a rehearsal asks and answers
//! as a model could.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::Draft;
use super::lacking::List;
use super::seat::{Seat, SeatKind, unfit};
use crate::id::AgentName;
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::plan::{ANSWER, ASK_TOOL, QUESTIONS_PER_TURN_MAX, Script, ScriptedCall};
use crate::topology::raw::rehearsal::{Call, Line, Rehearsal};
use crate::topology::raw::topology::Topology;

/// What a question says.
const ARGS: [&str; 2] = ["to", "question"];

/// Whom each member may ask.
pub(super) type Asks = BTreeMap<AgentName, Vec<AgentName>>;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology, seats: &[Seat]) -> Asks {
    let mut asks = Asks::new();
    for (name, member) in raw.team.iter().filter(|(_, member)| !member.may_ask.is_empty()) {
        super::names::once(draft, &member.may_ask);
        let seat = seats.iter().find(|seat| seat.name.as_str() == name.value);
        if seat.is_some_and(|seat| !matches!(seat.kind, SeatKind::Model | SeatKind::Unknown)) {
            unfit(draft, &member.may_ask[0].place, "is no model: it asks nobody", "take `may_ask` out");
            continue;
        }
        // Who may ask somebody unknown, which is told, may ask.
        if let Some(seat) = seat {
            asks.entry(seat.name.clone()).or_default();
        }
        for at in &member.may_ask {
            let known = seats.iter().map(|seat| seat.name.as_str());
            let named = |name: &str| seats.iter().find(|seat| seat.name.as_str() == name);
            let found = named(&at.value).or_else(|| {
                let meant = draft.unknown(Code::UnknownMember, at, "member", known)?;
                named(meant)
            });
            let Some(found) = found else { continue };
            if !matches!(found.kind, SeatKind::Model | SeatKind::Person { .. } | SeatKind::Unknown) {
                let instead = "name models or persons; tools and rules say nothing";
                unfit(draft, &at.place, "may ask who cannot answer", instead);
            } else if let Some(seat) = seat {
                asks.entry(seat.name.clone()).or_default().push(found.name.clone());
                if reaches(&asks, &found.name, &seat.name) {
                    let what = format!("`{}` would wait for `{}`, which waits for it", seat.name, found.name);
                    draft.fault(Code::AskCircle, &at.place, what, "let only one of them ask the other");
                }
            }
        }
    }
    asks
}

/// Whether somebody may ask this member, or a misspelt one that was probably meant to be it, which is told.
pub(super) fn is_asked(raw: &Topology, name: &str) -> bool {
    let is_known = |other: &str| raw.team.iter().any(|(known, _)| known.value == other);
    let means = |at: &At<String>| at.value == name || !is_known(&at.value) && nearest(&at.value, [name]).is_some();
    raw.team.iter().any(|(_, member)| member.may_ask.iter().any(means))
}

/// Whether a question to `from` can come to one to `to`.
fn reaches(asks: &Asks, from: &AgentName, to: &AgentName) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            next.extend(asks.get(name).into_iter().flatten());
        }
    }
    false
}

/// A question of a rehearsal: to a teammate whom its agent may ask, with a text.
pub(super) fn question(draft: &mut Draft<'_>, seat: &Seat, asks: &Asks, call: &Call) -> Option<ScriptedCall> {
    let name = &seat.name;
    let Some(may_ask) = asks.get(name) else {
        let what = format!("`{name}` may ask nobody");
        let instead = format!("write may_ask = [\"...\"] for `{name}` under [team], or take the call out");
        let fault = Fault::new(Code::Script, &call.tool.place, what, instead);
        match call.args.value.get("to").and_then(Value::as_str).filter(|to| draft.places.contains_key(*to)) {
            Some(to) => draft.forgot(name.as_str(), List::MayAsk, to, fault),
            None => draft.faults.push(fault),
        }
        return None;
    };
    let may_ask: Vec<AgentName> =
        may_ask.iter().map(|to| draft.teams.member_in(draft.teams.innermost(name), to)).collect();
    if may_ask.is_empty() {
        return None;
    }
    let args = call.args.value.as_object()?;
    let mut mistaken = vec![];
    for (key, _) in call.args.parts.iter().filter(|(key, _)| !ARGS.contains(&key.value.as_str())) {
        mistaken.extend(draft.unknown(Code::Script, key, &format!("argument of {ASK_TOOL}"), ARGS));
    }
    for arg in ARGS.into_iter().filter(|arg| !mistaken.contains(arg)) {
        let text = args.get(arg).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            let what = format!("`{arg}` of this question is no text");
            let instead = format!("write args = {{ to = \"{}\", question = \"...\" }}", may_ask[0]);
            draft.fault(Code::Script, &call.args.place, what, instead);
            continue;
        };
        if arg == "to" && !is_rendered(text) && !may_ask.iter().any(|to| to.as_str() == text) {
            let at = At { value: text.to_owned(), place: call.args.at([arg]).place.clone() };
            let what = format!("teammate whom `{name}` may ask");
            draft.unknown(Code::Script, &at, &what, may_ask.iter().map(AgentName::as_str));
        }
    }
    let tool = ASK_TOOL.parse().ok()?;
    Some(ScriptedCall { tool, args: call.args.value.clone(), name: call.name.value.clone() })
}

/// Tells of a line that asks more than a turn may.
pub(super) fn few(draft: &mut Draft<'_>, line: &Line) {
    let mut questions = line.calls.iter().filter(|call| call.tool.value == ASK_TOOL);
    if let Some(call) = questions.nth(QUESTIONS_PER_TURN_MAX as usize) {
        let what = format!("a turn asks {QUESTIONS_PER_TURN_MAX} questions at most");
        draft.fault(Code::Script, &call.tool.place, what, "ask less, or in another turn");
    }
}

/// Whether what `text` comes to is not known before it is said.
pub(super) fn is_rendered(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Tells of teammates whom the script asks and who have no line that could answer.
pub(super) fn answered(draft: &mut Draft<'_>, asks: &Asks, read: &Rehearsal, script: &Script) {
    let answers = |outcome: &String| outcome == ANSWER || is_rendered(outcome);
    for (agent, lines) in &read.agents {
        let Some((asker, may_ask)) = asks.get_key_value(agent.value.as_str()) else { continue };
        let team = draft.teams.innermost(asker).cloned();
        for call in lines.iter().flat_map(|line| &line.calls).filter(|call| call.tool.value == ASK_TOOL) {
            let to = call.args.value.get("to").and_then(Value::as_str);
            let is_meant = |mate: &&AgentName| Some(draft.teams.member_in(team.as_ref(), mate).as_str()) == to;
            let Some(to) = may_ask.iter().find(is_meant) else { continue };
            let Some(lines) = script.lines.get(to) else { continue };
            if !lines.iter().any(|line| line.outcome.as_ref().is_none_or(answers)) {
                let what = format!("`{to}` is asked here, and has no line that answers");
                let instead =
                    format!("write [[{to}]] with when = \"message.outcome == 'question'\", outcome = \"{ANSWER}\"");
                draft.fault(Code::NoScript, &call.tool.place, what, instead);
            }
        }
    }
}

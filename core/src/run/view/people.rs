//! What people are asked and what they say, as entries.

use std::collections::BTreeMap;

use super::entry::{Entry, Kind, entry};
use super::why::{no_words, reason_text};
use super::words::{Texts, after_words, count, erased, error_text, note, read};
use crate::id::{ApprovalNo, ArtefactName, EffectId, Outcome};
use crate::run::body::Table;
use crate::run::event::{BodyRef, Closed, Decision, Ending, Event, Who};
use crate::run::state::{State, Status, Wants};

/// `agent` is asked to decide, perhaps in place of an earlier approval, or to answer.
pub(super) fn asked(state: &State, agent: &str, no: ApprovalNo, replaces: Option<ApprovalNo>) -> Entry {
    let instead = replaces.map_or_else(String::new, |old| format!(", in place of {old}"));
    of_person(agent, "asked", format!("{} {no} is waiting{instead}", what(state, no)))
}

/// What a number stands for.
fn what(state: &State, no: ApprovalNo) -> &'static str {
    match state.approvals.get(&no).map(|approval| approval.wants) {
        Some(Wants::Form | Wants::Sentence) => "question",
        Some(Wants::Decision) | None => "approval",
    }
}

/// A person answers; what they wrote is told with its versions.
pub(super) fn fills(no: ApprovalNo, by: &Who, outcome: &Outcome, comment: BodyRef, texts: &dyn Texts) -> Entry {
    let comment = note(texts, comment);
    let comment = if comment.is_empty() { comment } else { format!(": {comment}") };
    of_person(&by.name, outcome.as_str(), format!("question {no}{comment} [{}]", by.how))
}

pub(super) fn reminded(state: &State, no: ApprovalNo) -> Entry {
    let approval = state.approvals.get(&no);
    let (agent, times) = approval.map_or(("", 1), |approval| (approval.agent.as_str(), approval.reminded.0 + 1));
    of_person("callsheet", "reminds", format!("{agent} of {} {no}, reminder {times}", what(state, no)))
}

pub(super) fn escalated(state: &State, no: ApprovalNo, to: &str) -> Entry {
    let what = what(state, no);
    let agent = state.approvals.get(&no).map_or("", |approval| approval.agent.as_str());
    let text = format!("{what} {no} of {agent} to {to}, who may say something now as well");
    of_person("callsheet", "escalates", text)
}

/// Somebody is asked whether an effect of `agent` happened.
pub(super) fn question(state: &State, agent: &str, no: ApprovalNo, effect: EffectId, texts: &dyn Texts) -> Entry {
    let of = if agent.is_empty() { String::new() } else { format!(" of {agent}") };
    let why = state.effects.get(&effect).and_then(|effect| effect.why);
    let why = why.map_or_else(String::new, |why| format!(" ({})", reason_text(state, texts, why)));
    let text = format!("question {no}: nobody knows whether an item{of} left{why}; look there, and say whether it did");
    of_person("callsheet", "in doubt", text)
}

/// Somebody says something to a member, follows the run, or takes something on, hands it on, or gives it back.
pub(super) fn tells(state: &State, event: &Event, texts: &dyn Texts) -> Option<Entry> {
    if let Event::NoteLeft { to, by, note: said, .. } = event {
        return Some(Entry { to: Some(to.to_string()), ..of_person(&by.name, "note", note(texts, *said)) });
    }
    if let Event::ResultsAttached { no, by, table, .. } = event {
        return Some(of_person(&by.name, "attached", results(*no, *table, texts)));
    }
    if let Event::Followed { by, on, .. } = event {
        let text = if *on { "the run, and is told how it ends" } else { "the run no more" };
        return Some(of_person(&by.name, "follows", text.to_owned()));
    }
    let Event::Assigned { no, by, to, remark, .. } = event else { return None };
    let what = what(state, *no);
    let why = remark.map(|remark| format!(": {}", note(texts, remark))).unwrap_or_default();
    Some(match to {
        Some(to) if *to == by.name => of_person(&by.name, "is on it", format!("{what} {no}{why}")),
        Some(to) => of_person(&by.name, "delegates", format!("{what} {no} to {to}{why}")),
        None => of_person(&by.name, "gives back", format!("{what} {no}{why}")),
    })
}

/// What was attached, in a sentence.
fn results(no: u32, table: BodyRef, texts: &dyn Texts) -> String {
    let table = read::<Table>(texts, table);
    let of = table.map_or_else(erased, |table| {
        let (rows, columns) = (count(table.rows.len(), "row"), table.columns.join(", "));
        format!("{rows} of {columns}, from {}", table.file)
    });
    format!("results, version {no}: {of}")
}

/// The end, with what does not leave any more and the notes that nobody was shown.
pub(super) fn ended(state: &State, how: Ending) -> Entry {
    let waiting: u32 = state.later().iter().map(|later| later.items).sum();
    let left_out = match waiting {
        0 => String::new(),
        1 => "; 1 approved item was to leave later, and does not leave".to_owned(),
        many => format!("; {many} approved items were to leave later, and do not leave"),
    };
    let unread = state.notes.iter().filter(|note| note.read_in.is_none());
    let unread: String = unread.map(|note| format!("; {} did not read a note of {}", note.to, note.by)).collect();
    entry("callsheet", "ended", format!("{}{left_out}{unread}", Status::Ended(how).word()), Kind::Life)
}

/// What of approval `no` leaves later, if anything does.
pub(super) fn permitted(state: &State, no: ApprovalNo) -> Option<Entry> {
    let approval = state.approvals.get(&no)?;
    let manifest = approval.manifest.as_ref().filter(|_| !state.plan.mode.drafts())?;
    let binds = state.person(&approval.agent).and_then(|person| person.binds.as_ref());
    let hour = binds.and_then(|member| state.tool_of(member)?.hour.as_ref());
    let mut days: BTreeMap<u64, usize> = BTreeMap::new();
    manifest.items.iter().for_each(|item| *days.entry(item.after_ms).or_default() += 1);
    let is_later = days.keys().any(|after_ms| *after_ms > 0);
    let day = |(after_ms, items): (u64, usize)| format!("{} {}", count(items, "item"), after_words(after_ms));
    let days: Vec<String> = days.into_iter().map(day).collect();
    let hour = hour.map(|hour| format!("; those of later days {}", hour.words())).unwrap_or_default();
    is_later.then(|| entry("callsheet", "leaves", format!("{}{hour}", days.join(", ")), Kind::Life))
}

pub(super) fn says(no: ApprovalNo, by: &Who, decision: Decision, comment: Option<BodyRef>, texts: &dyn Texts) -> Entry {
    let comment = comment.map(|comment| note(texts, comment)).filter(|comment| !comment.is_empty());
    let comment = comment.map_or_else(String::new, |comment| format!(": {comment}"));
    of_person(&by.name, decision.word(), format!("approval {no}{comment} [{}]", by.how))
}

pub(super) fn closed(no: ApprovalNo, why: Closed) -> Entry {
    let why = match why {
        Closed::Edited => "its content was edited",
        Closed::Expired => "nobody decided in time",
        Closed::RunEnded => "the run ended",
        Closed::CalledOff => "the join has what it needs without it",
    };
    of_person("callsheet", "closed", format!("approval {no}: {why}"))
}

pub(super) fn edit_refused(no: ApprovalNo, artefact: &ArtefactName, problems: BodyRef, texts: &dyn Texts) -> Entry {
    let why = error_text(texts, problems);
    of_person("callsheet", "edit refused", format!("approval {no} is open again, its {artefact} as it was: {why}"))
}

pub(super) fn overdue(no: ApprovalNo) -> Entry {
    of_person("callsheet", "overdue", format!("the time for approval {no} is up, and it still waits"))
}

/// A later no, said in approval `by`, took approval `no` back.
pub(super) fn voided(state: &State, no: ApprovalNo, by: ApprovalNo) -> Entry {
    of_person("callsheet", "void", format!("approval {no} no longer counts: {}", no_words(state, by)))
}

pub(super) fn answered(no: ApprovalNo, by: &Who, happened: bool) -> Entry {
    let word = if happened { "it happened" } else { "it did not happen" };
    of_person(&by.name, word, format!("question {no}"))
}

fn of_person(from: &str, word: &str, text: String) -> Entry {
    entry(from, word, text, Kind::Person)
}

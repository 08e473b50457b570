//! From a row of the inbox to a command: read, with the poster's groups as they are now, edits examined.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lift::{self, Bodies};
use super::{Place, answered, ask, remarked, ruled};
use crate::failure::Failure;
use crate::id::{ArtefactName, MessageId};
use crate::journal::Posted;
use crate::run::body::{Receipt, Remark, Table};
use crate::run::event::{BodyRef, Origin, Who, WriteHead};
use crate::run::input::{Assignee, Command, Post, Say};
use crate::run::state::State;
use crate::tool::{Read, Sight};

/// Who posted `row`, and what; none if it cannot be read.
pub(super) fn lift(
    place: &Place,
    state: &State,
    bodies: &mut Bodies<'_>,
    row: &Posted,
) -> Result<Option<(Who, Command)>, Failure> {
    let Ok(post) = serde_json::from_slice::<Post>(&row.json) else { return Ok(None) };
    let by = known(place, post.by);
    let command = match post.say {
        Say::Decide { approval, binds, decision, comment } => {
            Command::Decide { approval, binds, decision, comment: bodies.text(&comment) }
        }
        Say::Accept { approval, binds, rules, comment } => {
            Command::Accept { approval, binds, rules, comment: bodies.text(&comment) }
        }
        Say::Edit { approval, binds, artefact, body } => {
            let desk = others(place, state, approval, &artefact)?;
            let base = state.approvals.get(&approval).and_then(|approval| approval.desk.get(&artefact)?.version());
            let own = base.and_then(|base| state.versions.get(&base)).map(|version| version.message);
            let sight = Sight { desk: &desk, calls: &calls(place, state, own)? };
            let verdict = place.pinned.examiner.examine(&artefact, &body, &sight);
            let problems = (!verdict.problems.is_empty()).then(|| bodies.json(&json!(verdict.problems)));
            let findings = lift::findings(bodies, &verdict.findings);
            let (body, lists) = (bodies.json(&body), verdict.lists);
            Command::Edit { approval, binds, artefact, body, findings, lists, problems }
        }
        Say::Respond { approval, binds, outcome, writes, comment } => {
            let (problems, verdicts) = match state.approvals.get(&approval) {
                Some(asked) => {
                    let desk = ask::desk(place.shelf(), &asked.desk)?;
                    let of = (&*place.pinned.plan, &place.pinned.examiner);
                    let sight = Sight { desk: &desk, calls: &calls(place, state, Some(asked.message))? };
                    answered::examine(of, (&asked.agent, asked.wants), &outcome, &writes, &sight)
                }
                // The run refuses it.
                None => Default::default(),
            };
            let problems = (!problems.is_empty()).then(|| bodies.json(&json!(problems)));
            let writes = writes.into_iter().map(|(artefact, body)| {
                let verdict = verdicts.get(&artefact).cloned().unwrap_or_default();
                let findings = lift::findings(bodies, &verdict.findings);
                let (body, origin, lists) = (bodies.json(&body), Origin::Person, verdict.lists);
                WriteHead { artefact, body, findings, origin, lists }
            });
            let writes = writes.collect();
            Command::Respond { approval, binds, outcome, writes, comment: bodies.text(&comment), problems }
        }
        Say::Look { approval, binds } => Command::Look { approval, binds },
        say @ (Say::Assign { .. } | Say::Comment { .. } | Say::Reply { .. } | Say::Resolve { .. }) => {
            let Some(command) = remarks(place, state, bodies, say) else { return Ok(None) };
            command
        }
        Say::Note { to, text } => {
            let problems = remarked::noted(&text);
            Command::Note { to, note: bodies.text(&text), problems: told(bodies, &problems) }
        }
        Say::Follow { on } => Command::Follow { on },
        Say::Results { table } => {
            let problems = told(bodies, &table.faults());
            // Erased is not the same.
            let last = state.attached.last().and_then(|last| place.shelf().parsed::<Table>(last.table.digest).ok());
            let again = last.is_some_and(|last| last.sha256 == table.sha256);
            Command::Results { table: bodies.of(&table), again, problems }
        }
        Say::Answer { question, happened } => {
            let receipt = bodies.of(&Receipt::at(format!("{} says that it happened", by.name)));
            Command::Answer { question, happened, receipt }
        }
        Say::DeadLetter { message, answer } => Command::DeadLetter { message, answer },
        Say::Raise(raise) => Command::Raise(raise),
        Say::Pause => Command::Pause,
        Say::Resume => Command::Resume,
        Say::Cancel => Command::Cancel,
    };
    Ok(Some((by, command)))
}

/// What tools gave in the run, if a check looks at that.
fn calls(place: &Place, state: &State, own: Option<MessageId>) -> Result<Vec<Read>, Failure> {
    if place.pinned.examiner.looks_back() { ruled::calls(place.shelf(), &state.given, own) } else { Ok(Vec::new()) }
}

/// What somebody says about a version, or about who is on it: a command, once it is known whether it can be taken.
fn remarks(place: &Place, state: &State, bodies: &mut Bodies<'_>, say: Say) -> Option<Command> {
    Some(match say {
        Say::Assign { approval, to, text } => {
            let nobody = to.as_ref().filter(|to| is_empty_group(place, to)).map(|to| format!("nobody is in {to}"));
            let is_empty = text.trim().is_empty();
            let said = if is_empty { Vec::new() } else { remarked::said(&text) };
            let problems: Vec<String> = said.into_iter().chain(nobody).collect();
            let to = to.map(|to| assignee(place, to));
            let remark = (!is_empty).then(|| bodies.text(&text));
            Command::Assign { approval, to, remark, problems: told(bodies, &problems) }
        }
        Say::Comment { artefact, version, at, text, blocks } => {
            let known = state.versions.contains_key(&version);
            // What no desk has is refused; its text is not looked for.
            let body = if known { place.shelf().json(version).ok() } else { None };
            let problems = if known { remarked::faults(&at, &text, body.as_ref()) } else { Vec::new() };
            let mentions = remarked::mentions(&text, &place.ports.people);
            let remark = bodies.of(&Remark { at, text });
            Command::Comment { artefact, version, remark, blocks, mentions, problems: told(bodies, &problems) }
        }
        Say::Reply { comment, text } => {
            let (problems, mentions) = (remarked::said(&text), remarked::mentions(&text, &place.ports.people));
            let remark = bodies.of(&Remark { at: String::new(), text });
            Command::Reply { comment, remark, mentions, problems: told(bodies, &problems) }
        }
        Say::Resolve { comment, text } => {
            let is_empty = text.trim().is_empty();
            let problems = if is_empty { Vec::new() } else { remarked::said(&text) };
            let remark = (!is_empty).then(|| bodies.of(&Remark { at: String::new(), text }));
            Command::Resolve { comment, remark, problems: told(bodies, &problems) }
        }
        _ => return None,
    })
}

/// To whom something is handed: a person as the project declares them, or a group.
fn assignee(place: &Place, to: String) -> Assignee {
    if to.starts_with("group:") {
        return Assignee::Group(to);
    }
    let who = Who { name: to, how: "named".to_owned(), groups: Vec::new(), undeclared: false, via: None };
    Assignee::Person(known(place, who))
}

fn is_empty_group(place: &Place, to: &str) -> bool {
    let in_it = |name: &str| place.ports.people.values().flatten().any(|of| of == name);
    to.strip_prefix("group:").is_some_and(|name| !in_it(name))
}

/// What is wrong with something, as the body that a refusal names.
fn told(bodies: &mut Bodies<'_>, problems: &[String]) -> Option<BodyRef> {
    (!problems.is_empty()).then(|| bodies.json(&json!(problems)))
}

/// Who posted it, with what the project declares of them now. A project without people has one person; a run that was
/// started with people needs them declared.
fn known(place: &Place, by: Who) -> Who {
    let people = &place.ports.people;
    let declares = !people.is_empty() || !place.pinned.plan.single_person;
    let groups = people.get(&by.name);
    Who { undeclared: declares && groups.is_none(), groups: groups.cloned().unwrap_or_default(), ..by }
}

/// The other artefacts on the desk of an approval: what the checks of an edit look at.
fn others(
    place: &Place,
    state: &State,
    approval: crate::id::ApprovalNo,
    edited: &ArtefactName,
) -> Result<BTreeMap<ArtefactName, Value>, Failure> {
    let Some(approval) = state.approvals.get(&approval) else { return Ok(BTreeMap::new()) };
    let mut desk = approval.desk.clone();
    desk.remove(edited);
    ask::desk(place.shelf(), &desk)
}

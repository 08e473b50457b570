//! From a row of the inbox to a command: read, with the poster's groups as they are now, edits examined.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lift::{self, Bodies};
use super::{Place, ask};
use crate::failure::Failure;
use crate::id::ArtefactName;
use crate::journal::Posted;
use crate::run::event::Who;
use crate::run::input::{Command, Post, Say};
use crate::run::state::State;

/// Who posted `row`, and what; none if it cannot be read.
pub(super) fn lift(
    place: &Place,
    state: &State,
    bodies: &mut Bodies<'_>,
    row: &Posted,
) -> Result<Option<(Who, Command)>, Failure> {
    let Ok(post) = serde_json::from_slice::<Post>(&row.json) else { return Ok(None) };
    let groups = place.ports.people.get(&post.by.name).cloned().unwrap_or_default();
    let by = Who { groups, ..post.by };
    let command = match post.say {
        Say::Decide { approval, binds, decision, comment } => {
            Command::Decide { approval, binds, decision, comment: bodies.text(&comment) }
        }
        Say::Edit { approval, binds, artefact, body } => {
            let verdict = place.pinned.examiner.examine(&artefact, &body, &others(place, state, approval, &artefact)?);
            let problems = (!verdict.problems.is_empty()).then(|| bodies.json(&json!(verdict.problems)));
            let findings = lift::findings(bodies, &verdict.findings);
            Command::Edit { approval, binds, artefact, body: bodies.json(&body), findings, problems }
        }
        Say::Answer { question, happened } => {
            let receipt = bodies.json(&json!({ "place": format!("{} says that it happened", by.name) }));
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
    ask::desk(place.ports.store.as_ref(), place.run, &desk)
}

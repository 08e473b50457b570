//! What declared rules come to in a run: over the artefacts that a person approves, and over what would leave. What they refuse
//! goes back to its writer, or stops the work there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::examiner::{Examiner, PROBLEMS_MAX};
use super::lift::Bodies;
use super::shelf::Shelf;
use crate::failure::{Class, Failure};
use crate::id::{AgentName, ArtefactName, MessageId, ToolName};
use crate::run::body::Applied;
use crate::run::event::Ruling;
use crate::run::state::Given;
use crate::tool::guard::{self, Leaving, OnFail};
use crate::tool::{Item, Outward, Read, Sight};
use crate::topology::plan::{Arg, Plan, Role};

/// What tools gave in the run so far, for checks that look at it; `own` is the message of the turn that wrote what they look at.
pub(super) fn calls(shelf: Shelf<'_>, given: &[Given], own: Option<MessageId>) -> Result<Vec<Read>, Failure> {
    let read = |given: &&Given| {
        let is_own = Some(given.message) == own;
        Ok(Read { tool: given.tool.clone(), result: shelf.json(given.result)?, is_own })
    };
    in_order(given).iter().map(read).collect()
}

/// What was given, turn by turn, in the order in which each turn asked for it.
pub fn in_order(given: &[Given]) -> Vec<&Given> {
    let mut given: Vec<&Given> = given.iter().collect();
    given.sort_by_key(|given| (given.message, given.ordinal));
    given
}

/// The artefacts that `agent` approves, if it is a person.
fn approves<'p>(plan: &'p Plan, agent: &AgentName) -> &'p [ArtefactName] {
    match plan.team.get(agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.as_slice(),
        _ => &[],
    }
}

/// What they come to over the artefacts on `desk` that `agent` approves.
pub(super) fn over_artefacts(
    (plan, examiner): (&Plan, &Examiner),
    agent: &AgentName,
    desk: &BTreeMap<ArtefactName, Value>,
    calls: &[Read],
) -> Vec<Applied> {
    let rule = |artefact: &ArtefactName| {
        let mut others = desk.clone();
        let body = others.remove(artefact)?;
        Some(examiner.ruled(artefact, &body, &Sight { desk: &others, calls }))
    };
    approves(plan, agent).iter().filter_map(rule).flatten().collect()
}

/// What those come to over `item` that hold for what `tool` would do.
///
/// # Errors
/// If they are not there.
pub(super) fn over_item(
    examiner: &Examiner,
    name: &ToolName,
    tool: &dyn Outward,
    item: &Item,
    calls: &[Read],
) -> Result<Vec<Applied>, Failure> {
    if !examiner.guards(name) {
        return Ok(Vec::new());
    }
    let Item { key, media_type, recipients, .. } = item;
    let leaving = Leaving { key, media_type, recipients: *recipients, parts: &tool.shown(item) };
    examiner.leaving(name, &leaving, &Sight { desk: &BTreeMap::new(), calls })
}

/// What they came to, as the run keeps it; nothing, if none was applied.
pub(super) fn ruling(bodies: &mut Bodies<'_>, applied: &[Applied]) -> Option<Ruling> {
    let gates = applied.iter().filter(|it| it.on_fail == OnFail::Gate.word() && !it.found.is_empty());
    let gates = gates.map(|it| it.rule.clone()).collect();
    (!applied.is_empty()).then(|| Ruling { body: bodies.of(&applied), gates })
}

/// Lets pass what they let pass.
///
/// # Errors
/// Why it may not leave: invalid, if its writer can mend it, and against the rules, if the work stops here.
pub(super) fn kept_back(applied: &[Applied]) -> Result<(), Failure> {
    let refused: Vec<&Applied> = guard::refused(applied).collect();
    let told = refused.iter().flat_map(|it| it.found.iter().map(|found| format!("{}: {found} ({})", it.of, it.rule)));
    let told: Vec<String> = told.take(PROBLEMS_MAX).collect();
    if told.is_empty() {
        return Ok(());
    }
    let stops = refused.iter().any(|it| it.on_fail == OnFail::Block.word());
    Err(Failure::new(if stops { Class::Policy } else { Class::Invalid }, told.join("; ")))
}

/// A failure about what would leave is about the first artefact that `agent` approves and the tool is given: its writer can mend
/// it.
pub(super) fn about_approved(
    plan: &Plan,
    agent: &AgentName,
    args: &BTreeMap<String, Arg>,
    failure: Failure,
) -> Failure {
    let is_given = |artefact: &&ArtefactName| {
        args.values().any(|arg| matches!(arg, Arg::Path { root, .. } if root == artefact.as_str()))
    };
    Failure { about: approves(plan, agent).iter().find(is_given).map(ToString::to_string), ..failure }
}

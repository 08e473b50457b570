//! What a person can do next with a run that waits, is stuck, or is over: the commands that lead on.

use std::collections::BTreeSet;

use super::paint::{Safe, say};
use super::story::recall_mode;
use crate::id::{ApprovalNo, ArtefactName, NanoUsd, RunNo};
use crate::run::event::{Decision, Limit};
use crate::run::input::Say;
use crate::run::state::{Approval, Fate, State, Status, Wants};
use crate::run::view::failing::Failing;
use crate::run::view::why::paused_text;
use crate::service::act::enough;
use crate::service::letter::{Letter, letters};
use crate::service::story::Story;
use crate::topology::plan::{Mode, Role};
use crate::words;

/// What a person can do next, on stderr; `files` is the run's own folder as it is shown, if it has written one.
pub(super) fn hint(story: &Story, status: Status, files: Option<&str>, zone: &str) {
    let (state, no) = (story.state(), story.row.no);
    match status {
        Status::Waiting => {
            for (no, approval) in state.open_approvals() {
                say(still_open(story, no, approval));
            }
            for question in state.questions.keys() {
                say(format!(
                    "nobody knows whether it happened: look there, then type callsheet settle {question} --happened (or --did-not)"
                ));
            }
            later(state, no, zone);
        }
        Status::Paused => {
            let why = paused_text(state, &story.texts()).unwrap_or_default();
            say(format!("paused: {}. Go on with: callsheet resume {no}{}", Safe(&why), raise_hint(state)));
        }
        Status::Stuck => stuck(story, &letters(story)),
        Status::Ended(_) => {
            if let Some(files) = files {
                say(format!("files: {files}"));
            }
            for name in signed_off(state) {
                say(format!("signed off: callsheet show {no} --artefact {name}"));
            }
        }
        Status::Running => {}
    }
    recall_mode(&state.plan);
}

/// What waits for its day, and who lets it leave then.
fn later(state: &State, no: RunNo, zone: &str) {
    let later = state.later();
    for of in &later {
        say(format!("waiting: {}", words::later(of.at, of.items, of.agent.as_str(), zone)));
    }
    if !later.is_empty() {
        say(format!(
            "callsheet serve lets them leave on their days; without it, callsheet resume {no} does what is due by then"
        ));
    }
}

/// What failed, and how it goes on once that is mended.
fn stuck(story: &Story, letters: &[Letter]) {
    let no = story.row.no;
    if letters.iter().any(Letter::is_out_of_reach) {
        for letter in letters {
            say(format!("stuck: {}", Safe(letter.reason.lines().next().unwrap_or_default())));
            let (message, plan) = (letter.message, &story.state().plan);
            // A rehearsal's script is pinned with the run: tried again, it fails again.
            say(match (plan.mode, &letter.failed) {
                (Mode::Rehearsal, Some(Failing::Model(_))) => format!(
                    "this run keeps the script that it started with: mend the script, and start a new run. To end this one: \
                     callsheet dead-letters {no} --discard {message}"
                ),
                _ => format!("once that is mended: callsheet dead-letters {no} --retry {message}"),
            });
        }
    } else {
        say(format!("stuck: a message could not be handled. See why, and decide: callsheet dead-letters {no}"));
    }
    let only_tools = letters.iter().all(|letter| matches!(letter.failed, Some(Failing::Tool(_))));
    if story.state().plan.mode == Mode::Live && !only_tools {
        say("if a model is the cause: callsheet doctor calls each model once and says what works");
    }
}

/// The option that raises the limit that a run is paused by, so far that it goes on a good way.
pub(super) fn raise_hint(state: &State) -> String {
    const MINUTE_MS: u64 = 60_000;
    let Some((what, enough)) = enough(state) else { return String::new() };
    match what {
        Limit::Steps => format!(" --steps {enough}"),
        Limit::Tokens => format!(" --tokens {enough}"),
        Limit::Cost => format!(" --cost-usd {}", NanoUsd(enough).to_string().trim_start_matches('$')),
        Limit::ActiveTime => format!(" --active-minutes {}", enough.div_ceil(MINUTE_MS)),
        Limit::Recipients => format!(" --recipients {enough}"),
        Limit::Turns => format!(" --turns {}", enough.min(u32::MAX.into())),
        Limit::StepsPerTurn => format!(" --steps-per-turn {}", enough.min(u32::MAX.into())),
    }
}

/// What somebody has to know who requests changes in a rehearsal; nothing where a model reads the words.
pub(super) fn scripted(state: &State, say: &Say) -> Option<String> {
    let asks = matches!(say, Say::Decide { decision: Decision::RequestChanges, .. });
    (asks && state.plan.mode == Mode::Rehearsal).then(|| {
        format!(
            "in a rehearsal no model reads your words: agents say what rehearsals/{}.toml has for this round",
            state.plan.name
        )
    })
}

/// What an open approval waits for, and the commands that lead on.
pub(super) fn still_open(story: &Story, no: ApprovalNo, approval: &Approval) -> String {
    let state = story.state();
    if approval.wants != Wants::Decision {
        return format!("waiting for you: callsheet review {no}\n                 callsheet answer {no}");
    }
    let stops: Vec<String> = state.stops(approval).map(|comment| comment.to_string()).collect();
    if !stops.is_empty() {
        let (run, stops) = (story.row.no, stops.join(", "));
        return format!(
            "waiting for you: callsheet comments {run}\n                 {stops} to be resolved before approval {no} can be given"
        );
    }
    let commands = format!("callsheet review {no}\n                 callsheet approve {no}");
    let needed = match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.needed as usize,
        _ => 1,
    };
    if approval.approved_by.is_empty() {
        return format!("waiting for you: {commands}");
    }
    let by = approval.approved_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = needed.saturating_sub(approval.approved_by.len());
    format!("approved by {}; {more} more to approve: {commands} --as NAME", Safe(&by))
}

/// Artefacts that a person approved as they are, with nothing to leave after that.
fn signed_off(state: &State) -> BTreeSet<&ArtefactName> {
    let approved = |approval: &&Approval| {
        approval.manifest.is_none() && matches!(approval.fate, Some(Fate::Decided(_, Decision::Approve)))
    };
    let approvals = state.approvals.values().filter(approved);
    let of = |approval: &Approval| match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.iter(),
        _ => [].iter(),
    };
    approvals.flat_map(of).collect()
}

//! Why something could not go on, in words: dead letters, and acts that were refused.

use super::words::{Texts, error_text, pause_words};
use crate::id::{AgentName, ApprovalNo, Timestamp};
use crate::run::event::{BodyRef, PauseReason};
use crate::run::state::{DeadLetter, Fate, Permit, State};
use crate::topology::plan::{Recipient, Role};
use crate::topology::spec::Reach;

/// Why `letter` is dead.
pub fn letter_text(state: &State, texts: &dyn Texts, letter: &DeadLetter) -> String {
    match &letter.message.to {
        Recipient::Member(agent) => refusal_text(state, texts, agent, letter.reason, letter.message.note, state.now),
        Recipient::End => error_text(texts, letter.reason),
    }
}

/// Why a run is paused; if a limit did that, with what failed calls took of it. Nothing if it is not paused.
pub fn paused_text(state: &State, texts: &dyn Texts) -> Option<String> {
    let why = state.paused.as_ref()?;
    let words = pause_words(why);
    match spent_in_vain(state, texts).filter(|_| matches!(why, PauseReason::Budget { .. })) {
        Some(vain) => Some(format!("{words}; {vain}")),
        None => Some(words),
    }
}

/// What calls took of what is spent that failed, and why the latest of them did; nothing if none took anything.
fn spent_in_vain(state: &State, texts: &dyn Texts) -> Option<String> {
    let vain = &state.ledger.in_vain;
    let reason = error_text(texts, vain.last?);
    let (calls, tokens) = (vain.calls, vain.spent.tokens);
    let what =
        if calls == 1 { "1 call failed and counts".to_owned() } else { format!("{calls} calls failed and count") };
    Some(format!("{what} as spent, with {tokens} tokens; the latest: {reason}"))
}

/// Why `agent` could not go on, at a time. An outward member that may not act has no words of its own: its reason is the
/// `note` of its message.
pub(super) fn refusal_text(
    state: &State,
    texts: &dyn Texts,
    agent: &AgentName,
    reason: BodyRef,
    note: BodyRef,
    at: Timestamp,
) -> String {
    let acts = match state.member(agent).map(|member| &member.role) {
        Some(Role::Tool { tool, .. }) => state.plan.tools.get(tool).is_some_and(|spec| spec.reach == Reach::ActsOut),
        _ => false,
    };
    if reason != note || !acts {
        return error_text(texts, reason);
    }
    // The latest one says why: what was approved anew does not fail for what became of an earlier approval.
    let latest = state.permits.iter().rev().find(|(_, permit)| permit.member == *agent);
    if let Some((no, Permit { voided_by: Some(by), .. })) = latest {
        return format!(
            "approval {no} no longer counts: {}; discard this, and start a new run, or have it approved anew",
            no_words(state, *by)
        );
    }
    let old = |permit: &Permit| permit.member == *agent && permit.expires_at <= at;
    match state.permits.iter().rev().find(|(_, permit)| old(permit)) {
        Some((no, _)) => format!(
            "approval {no} is too old to act on: it holds as long as there was time to give it; discard this, and start a new run"
        ),
        None => "nobody approved what is on its desk".to_owned(),
    }
}

/// What a person said in approval `no` that takes an earlier one back.
pub(super) fn no_words(state: &State, no: ApprovalNo) -> String {
    let approval = state.approvals.get(&no);
    let (agent, said) = match approval.map(|approval| (&approval.agent, &approval.fate)) {
        Some((agent, Some(Fate::Decided(by, decision)))) => (agent, format!("{} said {}", by.name, decision.word())),
        Some((agent, _)) => (agent, "nobody decided in time".to_owned()),
        None => return format!("what it rests on was refused in approval {no}"),
    };
    format!("{said} to what it rests on, asked as {agent} in approval {no}")
}

//! Why something could not go on, in words: dead letters, and acts that were refused.

use super::words::{Texts, error_text, pause_words};
use crate::id::{ApprovalNo, thousands};
use crate::run::event::{PauseReason, Reason, Rule};
use crate::run::state::{DeadLetter, Fate, State};

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
    let reason = reason_text(state, texts, vain.last?);
    let (calls, tokens) = (vain.calls, vain.spent.tokens);
    let what =
        if calls == 1 { "1 call failed and counts".to_owned() } else { format!("{calls} calls failed and count") };
    Some(format!("{what} as spent, with {} tokens; the latest: {reason}", thousands(tokens)))
}

/// Why `letter` is dead.
pub fn letter_text(state: &State, texts: &dyn Texts, letter: &DeadLetter) -> String {
    reason_text(state, texts, letter.reason)
}

/// The words for `reason`.
pub fn reason_text(state: &State, texts: &dyn Texts, reason: Reason) -> String {
    let rule = match reason {
        Reason::Told(told) => return error_text(texts, told),
        Reason::Rule(rule) => rule,
    };
    match rule {
        Rule::LostWithOwner => "the process that ran it ended meanwhile".to_owned(),
        Rule::CalledOff => "its branch was called off, since the join has what it needs".to_owned(),
        Rule::NotApproved => "nobody approved what is on its desk".to_owned(),
        Rule::PermitExpired { no } => format!(
            "approval {no} is too old to act on: after the decision, an approval counts for as long as the approver had to \
             decide; discard this message, and start a new run"
        ),
        Rule::PermitVoided { no } => {
            let by = state.permits.get(&no).and_then(|permit| permit.voided_by);
            let said = by.map_or_else(|| "somebody said no later".to_owned(), |by| no_words(state, by));
            format!(
                "approval {no} no longer counts: {said}; discard this message and start a new run, or have it approved anew"
            )
        }
    }
}

/// What a person said in approval `no` that takes an earlier one back.
pub(super) fn no_words(state: &State, no: ApprovalNo) -> String {
    let approval = state.approvals.get(&no);
    let (agent, said) = match approval.map(|approval| (&approval.agent, &approval.fate)) {
        Some((agent, Some(Fate::Decided(by, decision)))) => (agent, format!("{} said {}", by.name, decision.word())),
        Some((agent, _)) => (agent, "nobody decided in time".to_owned()),
        None => return format!("somebody refused the same content in approval {no}"),
    };
    format!("{said} in approval {no} (asked as {agent}), and this rests on the same content")
}

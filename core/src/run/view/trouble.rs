//! What failed, was refused, or was tried again, as entries.

use super::entry::{Entry, Kind, entry};
use super::why::reason_text;
use super::words::{Texts, error_text, lost_words, problem_text};
use crate::failure::Class;
use crate::id::{AgentName, MessageId, Timestamp};
use crate::run::event::{Amount, BodyRef, DeadLetterAnswer, Reason, Refusal, Who, Wish};
use crate::run::state::State;

pub(super) fn asked_again(agent: &str, problems: BodyRef, texts: &dyn Texts) -> Entry {
    of_trouble(agent, "asked again", problem_text(texts, problems))
}

pub(super) fn failed(state: &State, agent: &str, class: Class, reason: Reason, texts: &dyn Texts) -> Entry {
    of_trouble(agent, class.word(), reason_text(state, texts, reason))
}

/// A model's call may have been answered, and nobody heard: what was set aside for it counts as spent.
pub(super) fn lost(agent: &str, class: Class, spent: Amount) -> Entry {
    of_trouble(agent, class.word(), lost_words(1, spent))
}

pub(super) fn switched(state: &State, agent: &str, from: &str, to: &str, until: Option<Timestamp>) -> Entry {
    let name = |alias: &str| state.plan.models.get(alias).map_or_else(|| alias.to_owned(), |m| m.model.clone());
    let all = if until.is_some() { ", by all for a minute" } else { "" };
    of_trouble(agent, "other model", format!("{} is asked in place of {}{all}", name(to), name(from)))
}

pub(super) fn cut(agent: &str) -> Entry {
    let text = "the conversation was too long, so its earlier turns and older results are left out".to_owned();
    of_trouble(agent, "cut", text)
}

/// Nobody knows whether what `of` wished for happened; `wait_ms` later it is asked about.
pub(super) fn doubted(of: Option<&(AgentName, Wish)>, wait_ms: u64, why: Option<BodyRef>, texts: &dyn Texts) -> Entry {
    let (agent, item) = of.map(|(agent, wish)| (agent.as_str(), item_words(wish))).unwrap_or_default();
    let wait = wait_ms.div_ceil(1_000);
    let why = why.map_or_else(String::new, |why| format!(" ({})", error_text(texts, why)));
    let text = format!("{item} began, and nobody knows whether it happened{why}; its tool is asked in {wait} s");
    of_trouble(agent, "in_doubt", text)
}

pub(super) fn died(agent: &AgentName, class: Class, reason: BodyRef, texts: &dyn Texts) -> Entry {
    of_trouble(agent.as_str(), "died", format!("{}: {}", class.word(), error_text(texts, reason)))
}

/// The supervisor starts `agent` again; `state` is that before it.
pub(super) fn restarts(state: &State, agent: &AgentName) -> Entry {
    let times = state.agents.get(agent).map_or(0, |agent| agent.restarts_total) + 1;
    of_trouble("supervisor", "restarts", format!("{agent}, restart {times}"))
}

pub(super) fn dead_letter(state: &State, message: MessageId, class: Class, reason: Reason, texts: &dyn Texts) -> Entry {
    // The failure that it comes from has been told in full.
    let reason = reason_text(state, texts, reason);
    let text = format!("{message}: {}: {}", class.word(), reason.lines().next().unwrap_or_default());
    of_trouble("supervisor", "dead letter", text)
}

pub(super) fn letter_answered(message: MessageId, by: &Who, answer: DeadLetterAnswer) -> Entry {
    let word = serde_json::to_value(answer).ok().and_then(|value| value.as_str().map(str::to_owned));
    of_trouble(&by.name, &word.unwrap_or_default(), format!("dead letter {message}"))
}

/// What somebody posted was not taken.
pub(super) fn post_refused(why: &Refusal) -> Entry {
    let why = serde_json::to_value(why).ok();
    let word = why.as_ref().and_then(|why| why.as_str().or_else(|| why.as_object()?.keys().next().map(String::as_str)));
    let word = word.unwrap_or("unreadable").replace('_', " ");
    of_trouble("callsheet", "refused", format!("the run did not take what somebody posted: {word}"))
}

/// Which item of its manifest an outward effect is.
fn item_words(wish: &Wish) -> String {
    match wish {
        Wish::Deliver { slot, .. } => format!("item {}", slot + 1),
        _ => "an effect".to_owned(),
    }
}

fn of_trouble(from: &str, word: &str, text: String) -> Entry {
    entry(from, word, text, Kind::Trouble)
}

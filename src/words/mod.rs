//! Words that every face says alike: of a run, an approval, a version, a time, and of what cannot be done. No colours, no widths.

pub mod approval;
pub mod claim;
pub mod described;
pub mod difference;
pub mod error;
pub mod member;
pub mod rule;
pub mod thread;
pub mod time;
pub mod tool;
pub mod trigger;

use crate::id::{NanoUsd, RunNo, Timestamp};
use crate::run::event::{Limit, Origin};
use crate::run::view::count;
use crate::service::change::{Change, Part};
use crate::service::list::Params;
use crate::topology::plan::Mode;
use time::date_time;

/// Longest value of a parameter that is shown beside others.
const PARAM_CHARS_MAX: usize = 40;

/// A run's parameters in a line; empty if it has none.
pub fn params(params: &Params) -> String {
    let one = |(name, value): (&String, &serde_json::Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_long = text.chars().count() > PARAM_CHARS_MAX;
        let cut: String = text.chars().take(PARAM_CHARS_MAX - 3).collect();
        format!("{name}={}", if is_long { format!("{cut}...") } else { text })
    };
    params.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A run by its number, whether models run in it, and with which parameters of its own.
pub fn run(no: RunNo, mode: Mode, given: &Params) -> String {
    let given = if given.is_empty() { String::new() } else { format!(" with {}", params(given)) };
    format!("run {no}, {}{given}", mode.word())
}

/// Money in a list, to a hundredth of a cent; what is less is not shown as nothing.
pub fn money(nano_usd: u64) -> String {
    const STEP: u64 = 100_000;
    NanoUsd(nano_usd.div_ceil(STEP).saturating_mul(STEP)).to_string()
}

/// What a limit is called; `would_cost` where no model runs, and money is what its prices would have come to.
pub fn limit(of: Limit, would_cost: bool) -> &'static str {
    match of {
        Limit::Steps => "steps",
        Limit::Tokens => "tokens",
        Limit::Cost if would_cost => "would cost",
        Limit::Cost => "cost",
        Limit::ActiveTime => "active time",
        Limit::Recipients => "recipients",
        Limit::Turns => "turns",
        Limit::StepsPerTurn => "steps per turn",
    }
}

/// How far an approval is that several people have to give; nothing if one is enough.
pub fn progress(needed: u32, approved_by: &[String]) -> Option<String> {
    let by = if approved_by.is_empty() { String::new() } else { format!(": {}", approved_by.join(", ")) };
    (needed > 1).then(|| format!("{} of {needed} approved{by}", approved_by.len()))
}

/// What was approved and leaves later: how much of it, by whom and when.
pub fn later(at: Timestamp, items: u32, agent: &str, zone: &str) -> String {
    let leaves = if items == 1 { "leaves" } else { "leave" };
    format!("{} of {agent} {leaves} on {}", count(items as usize, "item"), date_time(at, zone))
}

/// A version of an artefact by its number and time.
pub fn version(artefact: &str, no: usize, at: Timestamp, zone: &str) -> String {
    format!("version {no} of {artefact}, {}", date_time(at, zone))
}

/// Where words come from, as a mark.
pub fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Scripted => "scripted",
        Origin::Computed => "computed",
        Origin::Typed => "computed from what a model wrote",
        Origin::Model => "model",
        Origin::Person => "person",
    }
}

/// Which versions a change is between.
pub fn change(change: &Change) -> String {
    let Change { artefact, from, to, shown_in, looked_at, .. } = change;
    let shown = shown_in.map_or_else(String::new, |no| format!(", which approval {no} showed"));
    if looked_at.is_some() {
        return format!("What changed in {artefact} since you last looked: version {to} after version {from}{shown}");
    }
    format!("What changed in {artefact}: version {to} after version {from}{shown}")
}

/// Where a part that changed stands.
pub fn part(part: &Part) -> String {
    let path = part.path.join(" ");
    if path.is_empty() { "all of it".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_told_with_who_approved() {
        let check = |needed, by: &[&str], wanted: Option<&str>| {
            let by: Vec<String> = by.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(progress(needed, &by).as_deref(), wanted);
        };
        check(1, &[], None);
        check(2, &[], Some("0 of 2 approved"));
        check(2, &["ana"], Some("1 of 2 approved: ana"));
        check(3, &["ana", "bob"], Some("2 of 3 approved: ana, bob"));
    }
}

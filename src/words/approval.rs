//! Words of an approval: what it came to, and who handed it on.

use crate::id::AgentName;
use crate::run::event::{Channel, Decision};
use crate::run::view::{after_words, count};
use crate::service::list::{ApprovalLine, Looked};
use crate::service::review::{Came, Day, Review, Said, Wanted};
use crate::topology::plan::Mode;
use crate::topology::quiet::Quiet;
use crate::topology::wall::Hour;

use super::time::date_time;

/// What an approval came to, or until when it is open.
pub fn came(review: &Review, zone: &str) -> String {
    match &review.came_to {
        None => format!("open until {}", date_time(review.line.expires_at, zone)),
        Some(Came::Decided { by, decision }) => {
            format!("decided by {}: {}{}", by.name, word(*decision), how(review, by.via, zone))
        }
        Some(Came::Answered { by, outcome }) => {
            format!("answered by {}: {outcome}{}", by.name, how(review, by.via, zone))
        }
        Some(Came::Replaced { by: Some(by) }) => format!("replaced by {by}"),
        Some(Came::Replaced { by: None }) => "edited; its new approval is being prepared".to_owned(),
        Some(Came::Lapsed) => "closed without a decision".to_owned(),
    }
}

/// Over which channel something was said, and when.
fn how(review: &Review, via: Option<Channel>, zone: &str) -> String {
    let via = via.map(|via| format!(", {}", channel(via))).unwrap_or_default();
    let at = review.line.decided_at.map(|at| format!(", {}", date_time(at, zone))).unwrap_or_default();
    format!("{via}{at}")
}

/// How many items leave on one of several days, and when that is.
pub fn leaves_on(day: &Day, mode: Mode, zone: &str) -> String {
    let on = day.leaves_at.filter(|_| mode == Mode::Live && day.after_ms > 0);
    let on = on.map(|at| format!(", on {}", date_time(at, zone))).unwrap_or_default();
    let drafts = if mode == Mode::Live || day.after_ms == 0 {
        ""
    } else {
        "; without a model, drafts of them are written at once"
    };
    format!("{} {}{on}{drafts}", count(day.items, "item"), after_words(day.after_ms))
}

/// At what time of its day something leaves.
pub fn hour(of: &Hour) -> String {
    format!("what leaves on a later day does so {}", of.words())
}

/// When nothing leaves, whatever its day.
pub fn quiet(of: &Quiet) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let hours =
        (of.from_min != of.until_min).then(|| format!("between {} and {}", clock(of.from_min), clock(of.until_min)));
    let days: Vec<&str> = of.days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
    let days = (!days.is_empty()).then(|| format!("on {}", days.join(", ")));
    let when = hours.into_iter().chain(days).collect::<Vec<_>>().join(", nor ");
    format!("nothing leaves {when} ({}): what would, waits until then is over", of.clocks.zone)
}

/// How somebody said something or looked at it.
pub fn channel(via: Channel) -> &'static str {
    match via {
        Channel::Page => "on the page",
        Channel::Command => "by a command",
        Channel::Api => "by a program",
    }
}

/// Who looked at it, how and when, one after the other; nothing if nobody has.
pub fn looked(line: &ApprovalLine, zone: &str) -> Option<String> {
    let one = |look: &Looked| {
        let via = look.via.map(|via| format!("{}, ", channel(via))).unwrap_or_default();
        format!("{} ({via}{})", look.by, date_time(look.at, zone))
    };
    let all: Vec<String> = line.looked.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("looked at by {}", all.join(", ")))
}

/// Who is on it; nothing if nobody says so.
pub fn on_it(line: &ApprovalLine) -> Option<String> {
    line.assigned_to.as_ref().map(|to| match to.strip_prefix("group:") {
        Some(group) => format!("handed to the group {group}"),
        None => format!("{to} is on it"),
    })
}

/// A decision, as what somebody did.
pub fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::RequestChanges => "changes requested",
        Decision::Reject => "rejected",
    }
}

/// Who handed it on, with which outcome: one whose rounds are used up comes to the person although it was not to.
pub fn handed_on(said: &Said) -> String {
    let from = said.from.as_ref().map_or("start", AgentName::as_str);
    let outcome = &said.outcome;
    match said.rounds_used_up {
        Some(rounds) => {
            let times = if rounds == 1 { "once".to_owned() } else { format!("{rounds} times") };
            format!("{from} says `{outcome}`, which it may {times}, so it comes to you as it is: {}", said.text)
        }
        None => format!("{from} says `{outcome}`: {}", said.text),
    }
}

/// What was asked for when the same member was asked before.
pub fn wanted(wanted: &Wanted) -> String {
    format!("in approval {} {} asked for changes: {}", wanted.approval, wanted.by, wanted.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_satisfied_is_told() {
        let check = |rounds_used_up, wanted: &str| {
            let (from, outcome) = ("critic".parse().ok(), "revise".parse().unwrap());
            let said = Said { from, outcome, rounds_used_up, text: "Too long.".to_owned() };
            assert_eq!(handed_on(&said), wanted);
        };
        check(None, "critic says `revise`: Too long.");
        check(Some(1), "critic says `revise`, which it may once, so it comes to you as it is: Too long.");
        check(Some(2), "critic says `revise`, which it may 2 times, so it comes to you as it is: Too long.");
    }
}

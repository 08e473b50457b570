//! What a member of a team is doing, in a word and in a few.

use crate::id::AgentName;
use crate::run::state::{State, Status};
use crate::run::view::count;
use crate::topology::plan::Recipient;

/// A member's state in a word, and what it does in a few.
pub fn at_work(run: &State, name: &AgentName, turns: u32) -> (&'static str, String) {
    let is_to = |to: &Recipient| matches!(to, Recipient::Member(to) if to == name);
    let open =
        run.turns.values().filter(|turn| turn.agent == *name && !run.dead.contains_key(&turn.message.id)).count();
    let asked = run.open_approvals().filter(|(_, approval)| approval.agent == *name).count();
    let dead = run.dead.values().filter(|letter| is_to(&letter.message.to)).count();
    let queued = run.queued.values().filter(|message| is_to(&message.to)).count();
    let is_paused = run.status() == Status::Paused;
    match (dead, asked, open, queued) {
        (1.., ..) => ("failed", count(dead, "dead letter")),
        (_, 1, ..) => ("waiting", "is asked".to_owned()),
        (_, 2.., ..) => ("waiting", format!("is asked {asked} times")),
        (_, _, 1.., _) if is_paused => ("paused", "paused in its turn".to_owned()),
        (_, _, 1, _) => ("working", "at work".to_owned()),
        (_, _, 2.., _) => ("working", format!("{open} at once")),
        (_, _, _, 1..) => ("queued", format!("has {}", count(queued, "message"))),
        _ if turns > 0 => ("done", "done".to_owned()),
        _ => ("idle", "not yet".to_owned()),
    }
}

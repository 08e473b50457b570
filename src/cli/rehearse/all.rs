//! `callsheet rehearse TOPOLOGY --all`: what the search of every way saw, as a report.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::search::{Seen, Way, search};
use crate::cli::exit::{Exit, Stop};
use crate::cli::paint::{self, Safe, Tone, out, say, table, toned};
use crate::cli::session::Session;
use crate::id::{AgentName, Outcome};
use crate::service::error::Error;
use crate::topology::plan::{Expiry, Handoff, Mode, Plan, Recipient, Role};

/// Broken ways that are shown.
const BROKEN_SHOWN_MAX: usize = 10;

/// A declared handoff, and whether a run takes it.
struct Covered<'p> {
    agent: &'p AgentName,
    outcome: &'p Outcome,
    handoff: &'p Handoff,
    taken: bool,
    /// Whether its rounds can be used up, if it has any.
    then: Option<bool>,
}

impl Covered<'_> {
    fn name(&self) -> String {
        format!("{}.{} -> {}", self.agent, self.outcome, name(&self.handoff.to))
    }

    fn then_name(&self) -> Option<String> {
        let rounds = self.handoff.rounds.as_ref()?;
        let (agent, outcome, max) = (self.agent, self.outcome, rounds.max);
        Some(format!("{agent}.{outcome} after {max} rounds -> {}", name(&rounds.then)))
    }
}

pub(super) fn all(session: &Session, topology: &str, paths_max: u64, json: bool) -> Result<Exit, Stop> {
    let checked = session.project.check(topology, Mode::Rehearsal).map_err(Error::Faulty)?;
    checked.by_itself().map_err(Error::Faulty)?;
    let seen = search(&checked.plan, paths_max);
    let covered = coverage(&checked.plan, &seen);
    let never: Vec<String> = covered.iter().filter(|of| !of.taken).map(Covered::name).collect();
    if json {
        paint::json(&as_json(topology, &seen, &covered));
    } else {
        print(topology, &seen, &covered);
    }
    if seen.bounded {
        let text = format!("BOUND HIT: only {paths_max} branches were explored, and there are more; raise --paths");
        say(toned(Tone::Bad, text));
    }
    Ok(if never.is_empty() && seen.broken.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Every declared handoff, but for an `expired` that cannot come because the approval waits on.
fn coverage<'p>(plan: &'p Plan, seen: &Seen) -> Vec<Covered<'p>> {
    let mut covered = Vec::new();
    for (agent, outcomes) in &plan.handoffs {
        let holds = match plan.team.get(agent).map(|member| &member.role) {
            Some(Role::Person(person)) => person.expires.then == Expiry::Hold,
            _ => false,
        };
        for (outcome, handoff) in outcomes.iter().filter(|(outcome, _)| !(holds && outcome.as_str() == "expired")) {
            let taken = |exhausted| seen.taken.contains(&(agent.clone(), outcome.clone(), exhausted));
            let then = handoff.rounds.as_ref().map(|_| taken(true));
            covered.push(Covered { agent, outcome, handoff, taken: taken(false), then });
        }
    }
    covered
}

fn print(topology: &str, seen: &Seen, covered: &[Covered<'_>]) {
    let ways = seen.endings.values().fold(0_u128, |sum, ways| sum.saturating_add(*ways));
    let (states, branches) = (seen.states, seen.branches);
    let ways = number(ways);
    out(format!("{}: {ways} paths over {states} states and {branches} branches; no model, no tool", Safe(topology)));
    let endings = seen.endings.iter().map(|(ending, ways)| vec![ending.clone(), number(*ways)]);
    out(format!("\n{}", table(&["ending", "paths"], endings)));
    told_stuck(seen);
    let rows = covered.iter().flat_map(|of| {
        let first = vec![of.name(), word(of.taken).to_owned()];
        let then = of.then_name().zip(of.then).map(|(name, taken)| vec![name, word(taken).to_owned()]);
        std::iter::once(first).chain(then)
    });
    out(format!("\n{}", table(&["handoff", "taken"], rows)));
    let titles = ["longest", "dearest", "strangest"];
    for (title, way) in titles.into_iter().zip([&seen.longest, &seen.dearest, &seen.strangest]) {
        out(format!("\n{}", told(title, way)));
    }
    for broken in seen.broken.iter().take(BROKEN_SHOWN_MAX) {
        out(format!("\n{} {}", toned(Tone::Bad, "broken:"), Safe(broken)));
    }
    let taken = covered.iter().filter(|of| of.taken).count();
    // Rounds that can be used up have a row of their own.
    let rounds: Vec<bool> = covered.iter().filter_map(|of| of.then).collect();
    let used_up = match rounds.iter().filter(|used_up| **used_up).count() {
        _ if rounds.is_empty() => String::new(),
        used_up => format!(", {used_up} of {} with all their rounds used up", rounds.len()),
    };
    let text = format!("{taken} of {} handoffs taken{used_up}, {} ways broken", covered.len(), seen.broken.len());
    let tone = if taken == covered.len() && seen.broken.is_empty() { Tone::Good } else { Tone::Bad };
    say(toned(tone, text));
}

/// Why runs end stuck: what went wrong, on which message, and what a person can do.
fn told_stuck(seen: &Seen) {
    if seen.stuck.is_empty() {
        return;
    }
    let rows = seen.stuck.iter().map(|(why, of)| vec![why.clone(), of.message.clone(), of.chain.join(" ")]);
    out(format!("\n{}", table(&["stuck because", "message", "the way there"], rows)));
    out(
        "Each of these failures is tried on purpose, and no file is wrong because of it. In a real run the message is kept, and you \
         say what\nbecomes of it: callsheet dead-letters RUN. They come less often with a fallback for the model ([models] in \
         callsheet.toml), a longer\ncall_timeout, or more max_restarts ([supervisor] of the topology).",
    );
}

/// How many ways; of too many to be counted that they are more.
fn number(ways: u128) -> String {
    if ways == u128::MAX { "more than 10^38".to_owned() } else { ways.to_string() }
}

fn word(taken: bool) -> &'static str {
    if taken { "yes" } else { "NEVER" }
}

fn told(title: &str, way: &Way) -> String {
    let counts = way.counts;
    let (hops, turns, steps, exhausted) = (counts.hops, counts.turns, counts.steps, counts.exhausted);
    let exhausted = if exhausted == 1 { "once".to_owned() } else { format!("{exhausted} times") };
    let mut text = toned(Tone::Strong, title);
    let _ = write!(text, ": {hops} handoffs, {turns} turns, {steps} steps, rounds used up {exhausted}");
    let _ = write!(text, "; {}\n  {}", Safe(&way.ending), Safe(&way.chain.join(" ")));
    text
}

fn as_json(topology: &str, seen: &Seen, covered: &[Covered<'_>]) -> Value {
    let way = |way: &Way| {
        let counts = way.counts;
        json!({
            "chain": way.chain, "handoffs": counts.hops, "turns": counts.turns, "steps": counts.steps,
            "exhausted": counts.exhausted, "ending": way.ending,
        })
    };
    let handoffs = covered.iter().map(|of| {
        json!({
            "agent": of.agent, "outcome": of.outcome, "to": name(&of.handoff.to), "taken": of.taken,
            "then": of.handoff.rounds.as_ref().map(|rounds| name(&rounds.then)), "then_taken": of.then,
        })
    });
    // Counts of paths outgrow JSON's numbers.
    let endings = seen.endings.iter().map(|(ending, ways)| (ending.clone(), Value::from(number(*ways))));
    json!({
        "topology": topology, "states": seen.states, "branches": seen.branches, "bounded": seen.bounded,
        "endings": endings.collect::<serde_json::Map<_, _>>(), "handoffs": handoffs.collect::<Vec<_>>(),
        "longest": way(&seen.longest), "dearest": way(&seen.dearest), "strangest": way(&seen.strangest),
        "broken": seen.broken,
        "stuck": seen.stuck.iter().map(|(why, of)| json!({ "why": why, "message": of.message, "way": of.chain })).collect::<Vec<_>>(),
    })
}

fn name(to: &Recipient) -> String {
    match to {
        Recipient::Member(agent) => agent.to_string(),
        Recipient::End => "end".to_owned(),
    }
}

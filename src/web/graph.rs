//! The team as a drawing: a card for each member with what it does now, and the handoffs between them; on a narrow screen the
//! same as a list.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::layout::{CARD, Card, HEAD, ROW, Way, drawing};
use super::parts::{state, tone};
use crate::id::{AgentName, Outcome};
use crate::run::view::{View, count};
use crate::topology::plan::{Handoff, Plan, Recipient, Role};
use crate::words::member::at_work;

/// The most characters of a name that fit into a card.
const NAME_CHARS: usize = 19;
const ROW_CHARS: usize = 15;

/// What a member is doing: the word that colours it, and the sentence.
struct Doing {
    state: &'static str,
    said: String,
    numbers: String,
}

/// How often a handoff was taken, and its latest round in any branch.
type Taken = BTreeMap<(AgentName, Outcome), (usize, u32)>;

/// The team of `plan`; as it is in `view`, if it is that of a run. Cards lead to `address` with the member's name behind it.
pub(super) fn graph(plan: &Plan, view: Option<&View>, address: Option<&str>) -> Markup {
    let drawing = drawing(plan);
    let taken = view.map(taken).unwrap_or_default();
    let box_ = format!("0 0 {} {}", drawing.width, drawing.height);
    let href = |name: &AgentName| address.map(|address| format!("{address}{name}"));
    html! {
        div.graph {
            svg.drawing viewBox=(box_) width=(drawing.width) height=(drawing.height) role="group" aria-label="The team and its handoffs" {
                text.brief x="14" y=(drawing.cards.first().map_or(30, |_| start_y(&drawing.ways) - 10)) {
                    "brief"
                }
                @for way in &drawing.ways { (line(way, &taken, plan)) }
                @for card in &drawing.cards {
                    @match href(card.name) {
                        Some(href) => a href=(href) { (drawn(card, plan, view, &taken)) },
                        None => (drawn(card, plan, view, &taken)),
                    }
                }
            }
            ul.team-list {
                @for card in &drawing.cards { (listed(card, plan, view, &taken, href(card.name).as_deref())) }
            }
        }
    }
}

fn start_y(ways: &[Way<'_>]) -> i32 {
    ways.iter().find(|way| way.from.is_none()).map_or(30, |way| way.arrow.1)
}

fn taken(view: &View) -> Taken {
    let mut taken = Taken::new();
    for message in view.messages() {
        let Some(from) = &message.from else { continue };
        let of = taken.entry((from.clone(), message.outcome.clone())).or_default();
        of.0 += 1;
        of.1 = of.1.max(message.round);
    }
    taken
}

fn line(way: &Way<'_>, taken: &Taken, plan: &Plan) -> Markup {
    let handoff = way.from.zip(way.outcome);
    let times = handoff.and_then(|(from, outcome)| taken.get(&(from.clone(), outcome.clone())));
    let is_taken = times.is_some() || (way.from.is_none() && !taken.is_empty());
    let (x, y, turn) = way.arrow;
    let rounds = handoff.and_then(|(from, outcome)| plan.handoffs.get(from)?.get(outcome)?.rounds.as_ref());
    let label = rounds.map(|rounds| match times {
        Some((_, round)) => format!("round {round} of {}", rounds.max),
        None => format!("at most {}", count(rounds.max as usize, "round")),
    });
    html! {
        g class=(if is_taken { "way taken" } else { "way" }) data-from=(way.from.map_or("start", AgentName::as_str))
            data-outcome=(way.outcome.map_or("start", Outcome::as_str)) data-to=(way.to) data-back=[way.leads_back.then_some("")] {
            path.line d=(way.path) {}
            path.arrow d="M-6 -4 L1 0 L-6 4z" transform=(format!("translate({x} {y}) rotate({turn})")) {}
            @if let (Some(label), Some((x, y))) = (label, way.label) {
                rect.label x=(x - 52) y=(y - 9) width="104" height="18" rx="9" {}
                text.label x=(x) y=(y + 4) { (label) }
            }
        }
    }
}

fn drawn(card: &Card<'_>, plan: &Plan, view: Option<&View>, taken: &Taken) -> Markup {
    let Some(member) = plan.team.get(card.name) else { return html! {} };
    let doing = view.map(|view| doing(view, card.name, member.limits.turns));
    let tone = doing.as_ref().map_or("idle", |doing| tone(doing.state));
    let radius = match member.role {
        Role::Person(_) => 18,
        Role::Tool { .. } => 3,
        Role::Model { .. } | Role::Rule(_) => 10,
    };
    let (x, y) = (card.x, card.y);
    html! {
        g class=(format!("card tone-{tone}")) data-member=(card.name) {
            title { (member.does) }
            rect.box x=(x) y=(y) width=(CARD) height=(card.height) rx=(radius) {}
            text.name x=(x + 12) y=(y + 21) { (cut(card.name.as_str(), NAME_CHARS)) }
            text.kind x=(x + 12) y=(y + 37) {
                (kind(&member.role)) @if let Some(doing) = &doing { ", " (doing.said) }
            }
            text.numbers x=(x + 12) y=(y + 53) {
                @match &doing {
                    Some(doing) => (doing.numbers),
                    None => { (count(member.limits.turns as usize, "turn")) " at most" },
                }
            }
            line.rule x1=(x) y1=(y + HEAD - 2) x2=(x + CARD) y2=(y + HEAD - 2) {}
            @for ((outcome, handoff), row) in card.rows.iter().zip(0..) {
                @let times = taken.get(&(card.name.clone(), (*outcome).clone()));
                @let middle = y + HEAD + ROW * row + ROW / 2;
                g class=(if times.is_some() { "row taken" } else { "row" }) {
                    text x=(x + 12) y=(middle + 4) { (cut(outcome.as_str(), ROW_CHARS)) }
                    text.to x=(x + CARD - 10) y=(middle + 4) { (leads(handoff, times)) }
                    circle.port cx=(x + CARD) cy=(middle) r="3" {}
                }
            }
        }
    }
}

/// The same for a narrow screen.
fn listed(card: &Card<'_>, plan: &Plan, view: Option<&View>, taken: &Taken, href: Option<&str>) -> Markup {
    let Some(member) = plan.team.get(card.name) else { return html! {} };
    html! {
        li.panel.pad {
            p {
                @match href { Some(href) => a href=(href) { b { (card.name) } }, None => b { (card.name) } }
                " " span.muted { (kind(&member.role)) } " "
                @if let Some(doing) = view.map(|view| doing(view, card.name, member.limits.turns)) {
                    (state(doing.state, &doing.said)) " " span.muted.small { (doing.numbers) }
                }
            }
            ul.small {
                @for (outcome, handoff) in &card.rows {
                    @let times = taken.get(&(card.name.clone(), (*outcome).clone()));
                    li class=[times.is_some().then_some("taken")] {
                        code { (outcome) } " to " (whom(handoff))
                        @if handoff.split.is_some() || handoff.to != Recipient::End {
                            " " (leads(handoff, times))
                        }
                    }
                }
            }
        }
    }
}

/// What a member is, in a word.
pub(super) fn kind(role: &Role) -> &'static str {
    match role {
        Role::Model { .. } => "model",
        Role::Person(_) => "person",
        Role::Tool { .. } => "tool",
        Role::Rule(_) => "rule",
    }
}

/// What a row says beside its outcome: where it ends, how many branches it has, or how often it was taken.
fn leads(handoff: &Handoff, times: Option<&(usize, u32)>) -> String {
    let split = handoff.split.as_ref().map(|split| format!("\u{00D7} {}", split.most()));
    let rounds =
        handoff.rounds.as_ref().map(|rounds| format!("{}/{}", times.map_or(0, |(_, round)| *round), rounds.max));
    let end = (handoff.split.is_none() && handoff.to == Recipient::End).then(|| "end".to_owned());
    let often = times.filter(|(times, _)| *times > 1).map(|(times, _)| format!("{times}\u{00D7}"));
    end.or(split).or(rounds).or(often).unwrap_or_default()
}

/// To whom a handoff leads, in words.
fn whom(handoff: &Handoff) -> String {
    let to = match &handoff.to {
        Recipient::Member(to) => to.to_string(),
        Recipient::End => "end".to_owned(),
    };
    let Some(split) = &handoff.split else { return to };
    let begins: Vec<&str> = split.begins().iter().map(AgentName::as_str).collect();
    format!("{}, then {to}", begins.join(" and "))
}

fn doing(view: &View, name: &AgentName, turns_max: u32) -> Doing {
    let run = view.state();
    let agent = run.agents.get(name);
    let turns = agent.map_or(0, |agent| agent.turns_total);
    let (state, said) = at_work(run, name, turns);
    let spent = run.ledger.by_agent.get(name).map(|account| account.spent.cost).filter(|cost| cost.0 > 0);
    let restarts = agent.map_or(0, |agent| agent.restarts_total);
    let turn = if turns == 0 { String::new() } else { format!("turn {turns} of {turns_max}") };
    let parts = [
        Some(turn).filter(|turn| !turn.is_empty()),
        spent.map(|cost| cost.to_string()),
        (restarts > 0).then(|| count(restarts as usize, "restart")),
    ];
    let numbers: Vec<String> = parts.into_iter().flatten().collect();
    Doing { state, said, numbers: numbers.join(", ") }
}

fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['\u{2026}']).collect()
}

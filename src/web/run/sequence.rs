//! What ran when, and beside what: a lane for each member, a bar for each turn, a mark for each call, and lines for the messages
//! between them. A record takes the same room as every other; idle time is folded, and says how long it was.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::layout::drawing;
use super::super::parts::address;
use super::look::Look;
use crate::id::{AgentName, EffectId, MessageId, Seq};
use crate::run::event::Event;
use crate::run::view::count;
use crate::topology::plan::Recipient;

/// Records that are drawn at most: the latest.
const RECORDS_MAX: usize = 600;

/// Idle time from here on is folded, in milliseconds.
const IDLE_MS: u64 = 20_000;

const LANE: i32 = 44;
/// Turns of one member that are drawn below each other; more lie on one another.
const BESIDE_MAX: i32 = 3;
const STEP: i32 = 14;
const FOLD: i32 = 74;
const HEAD: i32 = 26;
const NAMES: i32 = 130;

/// What is drawn.
#[derive(Default)]
struct Sequence<'e> {
    /// Turns: whose, from where to where, and the record that began them.
    bars: Vec<Bar<'e>>,
    open: BTreeMap<MessageId, usize>,
    /// Calls and failures: in whose lane, where, and whether something failed.
    marks: Vec<(&'e AgentName, i32, Seq, bool)>,
    /// Messages: from whom, to whom, where.
    lines: Vec<(Option<&'e AgentName>, &'e AgentName, i32, Seq)>,
    /// Folded idle time: where, and how long.
    folds: Vec<(i32, u64)>,
    whose: BTreeMap<MessageId, &'e AgentName>,
    of_effect: BTreeMap<EffectId, MessageId>,
    end: i32,
}

struct Bar<'e> {
    agent: &'e AgentName,
    from: i32,
    to: Option<i32>,
    /// How many others of its member were under way when it began.
    beside: i32,
    record: Seq,
}

pub(super) fn sequence(look: &Look<'_>) -> Markup {
    let all = look.run.news.len();
    let mut drawn = Sequence { end: NAMES, ..Sequence::default() };
    let mut last = None;
    for (nth, news) in look.run.news.iter().enumerate() {
        drawn.knows(&news.fact.is);
        if nth + RECORDS_MAX < all {
            continue;
        }
        let idle = last.map_or(0, |last| news.fact.at.ms_since(last));
        if idle >= IDLE_MS {
            drawn.folds.push((drawn.end + FOLD / 2, idle));
            drawn.end += FOLD;
        }
        last = Some(news.fact.at);
        drawn.takes(news.record.seq, &news.fact.is);
    }
    // In the order of the graph, so that most work moves downwards.
    let graph = drawing(&look.run.story.state().plan);
    let lanes: Vec<&AgentName> = graph.cards.iter().map(|card| card.name).collect();
    picture(&drawn, &lanes, look.at_a_glance.run.0, all)
}

impl<'e> Sequence<'e> {
    /// Remembers whose turn a message is, and which turn an effect is of.
    fn knows(&mut self, event: &'e Event) {
        if let Event::MessageSent(message) = event
            && let Recipient::Member(to) = &message.to
        {
            self.whose.insert(message.id, to);
        } else if let Event::EffectAsked { id, message, .. } = event {
            self.of_effect.insert(*id, *message);
        }
    }

    fn takes(&mut self, record: Seq, event: &'e Event) {
        let before = (self.bars.len(), self.marks.len(), self.lines.len(), self.open.len());
        let here = self.end + STEP;
        if let Event::TurnBegan { message } = event
            && let Some(agent) = self.whose.get(message)
        {
            let beside = self.open.values().filter(|place| self.bars[**place].agent == *agent).count();
            let beside = i32::try_from(beside).unwrap_or(0).min(BESIDE_MAX);
            self.open.insert(*message, self.bars.len());
            self.bars.push(Bar { agent, from: here, to: None, beside, record });
        } else if let Event::TurnEnded { message, .. } | Event::DeadLettered { message, .. } = event {
            if let Some(bar) = self.open.remove(message).and_then(|place| self.bars.get_mut(place)) {
                bar.to = Some(here);
            }
        } else if let Event::EffectSettled { id, .. } = event {
            self.mark(*id, here, record, false);
        } else if let Event::EffectFailed { id, .. } = event {
            self.mark(*id, here, record, true);
        } else if let Event::MessageSent(message) = event
            && let Recipient::Member(to) = &message.to
        {
            self.lines.push((message.from.as_ref(), to, here, record));
        }
        if (self.bars.len(), self.marks.len(), self.lines.len(), self.open.len()) != before {
            self.end = here;
        }
    }

    fn mark(&mut self, id: EffectId, here: i32, record: Seq, failed: bool) {
        if let Some(agent) = self.of_effect.get(&id).and_then(|message| self.whose.get(message)) {
            self.marks.push((agent, here, record, failed));
        }
    }
}

fn picture(drawn: &Sequence<'_>, lanes: &[&AgentName], run: u64, all: usize) -> Markup {
    let y = |name: &AgentName| {
        let place = lanes.iter().position(|lane| *lane == name).unwrap_or(0);
        HEAD + LANE * i32::try_from(place).unwrap_or(0) + LANE / 2
    };
    let (width, height) = (drawn.end + 40, HEAD + LANE * i32::try_from(lanes.len()).unwrap_or(0) + 10);
    html! {
        @if all > RECORDS_MAX { p.muted { "The latest " (RECORDS_MAX) " of " (all) " records." } }
        div.graph.sequence tabindex="0" role="region" aria-label="sequence" {
            svg.lanes viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="group" aria-label="What ran when, lane by lane" {
                @for name in lanes {
                    line.lane x1=(NAMES) y1=(y(name)) x2=(width) y2=(y(name)) {}
                    text.lane x="10" y=(y(name) + 4) { (name) }
                }
                @for (x, idle) in &drawn.folds {
                    rect.fold x=(x - FOLD / 2 + 8) y=(HEAD) width=(FOLD - 10) height=(height - HEAD) {}
                    text.fold x=(x) y=(HEAD - 8) { (span(*idle)) }
                }
                @for (from, to, x, record) in &drawn.lines {
                    @let top = from.map_or(HEAD - 4, y);
                    a href=(address(run, *record)) aria-label=(format!("record {record}")) {
                        line.sent x1=(x) y1=(top) x2=(x) y2=(y(to)) {}
                        circle.sent cx=(x) cy=(y(to)) r="3.5" {}
                    }
                }
                @for bar in &drawn.bars {
                    a href=(address(run, bar.record)) aria-label=(format!("a turn of {}", bar.agent)) {
                        rect class=(if bar.to.is_some() { "turn" } else { "turn open" }) x=(bar.from) y=(y(bar.agent) - 8 + 5 * bar.beside) height="14" rx="4"
                            width=((bar.to.unwrap_or(drawn.end + 24) - bar.from).max(5)) {}
                    }
                }
                @for (agent, x, record, failed) in &drawn.marks {
                    a href=(address(run, *record)) aria-label=(format!("record {record}")) {
                        rect class=(if *failed { "mark failed" } else { "mark" }) x=(x - 2) y=(y(agent) - 5) width="4" height="10" rx="1" {

                        }
                    }
                }
            }
        }
        p.small.muted {
            (count(drawn.bars.len(), "turn")) ", a bar each; " (count(drawn.marks.len(), "call"))
            ", a mark each, red where it failed; a line is a message. Idle time is folded."
        }
    }
}

/// How long nothing happened.
fn span(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

//! What people see of a run, folded from the same events: who said what to whom, what it cost, what went wrong.
//! Texts come through [`Texts`], since heads hold none; nothing here is sanitised, every printer does that itself.

pub mod choice;
pub mod failing;
pub mod models;
mod receipt;
pub mod why;
mod words;
pub mod work;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::body::Receipt;
use super::event::{ActHead, Amount, BodyRef, Event, Fact, Message, Origin, Settled, Version, Wish};
use super::state::{DeadLetter, State};
use crate::failure::Class;
use crate::id::{AgentName, ArtefactName, EffectId, MessageId, Seq, Timestamp};
use crate::topology::plan::Recipient;
use choice::{Bases, Choice};
use failing::{Failing, Failures};
use why::{no_words, reason_text};
pub use words::{Texts, brief_of, count, error_text, note, pause_words, read};
use words::{erased, lost_words, problem_text, raise_words, tokens};

/// One thing that happened, as people read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its record.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who did it: a member, a person, `start`, `supervisor`.
    pub from: String,
    /// To whom, if it is a message.
    pub to: Option<String>,
    /// One word: an outcome, or what happened.
    pub word: String,
    /// In a sentence.
    pub text: String,
    /// Where its words come from.
    pub origin: Option<Origin>,
    /// What kind of thing it is.
    pub kind: Kind,
    /// If it is what a model chose: among what, and on what evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message along a handoff.
    Message,
    /// A call of a tool, with its result.
    Call,
    /// A version of an artefact.
    Version,
    /// An item that left, or was drafted.
    Item,
    /// A person is asked, or answered.
    Person,
    /// Something failed, was refused, retried or restarted.
    Trouble,
    /// The run began, was resumed, paused, ended.
    Life,
}

/// Folds a run into entries.
pub struct View {
    state: State,
    wishes: BTreeMap<EffectId, (AgentName, Wish)>,
    versions: BTreeMap<ArtefactName, Vec<Version>>,
    messages: BTreeMap<MessageId, Message>,
    performed: BTreeMap<MessageId, u32>,
    spent: BTreeMap<MessageId, Amount>,
    lost: (usize, Amount),
    told: Vec<String>,
    over_reported: (usize, Amount),
    assumed: (usize, Amount),
    bases: Bases,
    failures: Failures,
}

impl View {
    /// A view of a run before its first event.
    pub fn new(state: State) -> Self {
        Self {
            state,
            wishes: BTreeMap::new(),
            versions: BTreeMap::new(),
            messages: BTreeMap::new(),
            performed: BTreeMap::new(),
            spent: BTreeMap::new(),
            lost: (0, Amount::default()),
            told: Vec::new(),
            over_reported: (0, Amount::default()),
            assumed: (0, Amount::default()),
            bases: Bases::default(),
            failures: Failures::default(),
        }
    }

    /// The state so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A message by number.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// All messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// All versions of artefacts, each artefact's in order: a state knows only those that are on some desk.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.values().flatten()
    }

    /// What the turn of each message has spent so far.
    pub fn spent(&self) -> &BTreeMap<MessageId, Amount> {
        &self.spent
    }

    /// What failed when `letter` could not be handled; none if neither a model nor a tool did, or nobody knows.
    pub fn failing(&self, letter: &DeadLetter) -> Option<&Failing> {
        self.failures.of(letter)
    }

    /// Items that did not leave just as they were approved, or not where they were to be: a sentence each.
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// A model's call that may have been answered, and nobody heard.
    fn is_lost_call(&self, event: &Event) -> bool {
        let Event::EffectFailed { id, class: Class::InDoubt, .. } = event else { return false };
        matches!(self.wishes.get(id), Some((_, Wish::Model { .. })))
    }

    /// Takes `fact` in; what people see of it, if anything.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn take(&mut self, seq: Seq, fact: &Fact, texts: &dyn Texts) -> Result<Option<Entry>, super::fold::Illegal> {
        let before = self.entry(fact, texts);
        if let Event::EffectSettled { id, result: Settled::Performed { receipt }, .. } = &fact.is
            && let Some(effect) = self.state.effects.get(id).filter(|effect| effect.is_outward())
        {
            *self.performed.entry(effect.message).or_default() += 1;
            self.told.extend(read::<Receipt>(texts, *receipt).as_ref().and_then(receipt::told));
        }
        if let Event::EffectSettled { id, spent, .. } | Event::EffectFailed { id, spent, .. } = &fact.is
            && let Some(effect) = self.state.effects.get(id)
        {
            let so_far = self.spent.entry(effect.message).or_default();
            *so_far = so_far.plus(*spent);
        }
        if let Event::EffectSettled { result: Settled::Replied(replied), spent, .. } = &fact.is {
            if replied.over_reported {
                let reported = replied.reported.unwrap_or_default();
                add(&mut self.over_reported, reported);
            }
            if replied.assumed {
                add(&mut self.assumed, *spent);
            }
        }
        self.bases.take(seq, &fact.is, &self.state);
        self.failures.take(&fact.is, &self.state);
        self.state.apply(fact)?;
        match &fact.is {
            Event::EffectAsked { id, message, wish, .. } => {
                if let Some(turn) = self.state.turns.get(message) {
                    self.wishes.insert(*id, (turn.agent.clone(), wish.clone()));
                }
            }
            Event::EffectFailed { spent, .. } if self.is_lost_call(&fact.is) => {
                add(&mut self.lost, *spent);
            }
            Event::MessageSent(message) => drop(self.messages.insert(message.id, message.clone())),
            Event::VersionWritten(version) => {
                self.versions.entry(version.artefact.clone()).or_default().push(version.clone());
            }
            _ => {}
        }
        Ok(before.map(|entry| Entry { seq, at: fact.at, ..entry }))
    }

    fn entry(&self, fact: &Fact, texts: &dyn Texts) -> Option<Entry> {
        let life = |word: &str, text: String| Some(entry("callsheet", word, text, Kind::Life));
        match &fact.is {
            Event::Started { by, .. } => {
                life("started", format!("{} started {} ({})", by.name, self.state.plan.name, by.how))
            }
            Event::Opened { epoch } if epoch.0 > 1 => life("resumed", format!("taken up again, ownership {epoch}")),
            Event::MessageSent(message) => Some(self.message_entry(message, texts)),
            Event::TurnEnded { message, outcome, note } => {
                let turn = self.state.turns.get(message)?;
                let question = &turn.message;
                let (Recipient::Member(from), Some(_), Some(asker)) = (&question.to, question.asked_by, &question.from)
                else {
                    return None;
                };
                let text = self::note(texts, *note);
                let said = entry(from.as_str(), outcome.as_str(), text, Kind::Message);
                let choice = self.bases.choice(&self.state.plan, from, *message, Some(asker), outcome.as_str());
                Some(Entry { to: Some(asker.to_string()), origin: Some(turn.origin), choice, ..said })
            }
            Event::EffectSettled { id, result, .. } => self.settled_entry(*id, result, texts),
            Event::VersionWritten(version) => Some(self.version_entry(version)),
            Event::Paused { why } => life("paused", pause_words(why)),
            Event::Resumed { by } => life("went on", format!("{} let it go on", by.name)),
            Event::BudgetRaised { by, raise } => {
                life("raised", format!("{} raised the limits: {}", by.name, raise_words(raise)))
            }
            Event::CancelAsked { by } => life("cancelling", format!("{} cancelled it", by.name)),
            Event::Ended { how } => life("ended", super::state::Status::Ended(*how).word().to_owned()),
            Event::ApprovalAsked { .. }
            | Event::ApprovalDecided { .. }
            | Event::ApprovalClosed { .. }
            | Event::EditRefused { .. }
            | Event::ApprovalOverdue { .. }
            | Event::PermitVoided { .. }
            | Event::QuestionAsked { .. }
            | Event::QuestionAnswered { .. } => self.person_entry(&fact.is, texts),
            other => self.trouble_entry(other, texts),
        }
    }

    fn message_entry(&self, message: &Message, texts: &dyn Texts) -> Entry {
        let from = message.from.as_ref().map_or_else(|| "start".to_owned(), ToString::to_string);
        let to = match &message.to {
            Recipient::Member(agent) => agent.to_string(),
            Recipient::End => "end".to_owned(),
        };
        let handoff = message.from.as_ref().and_then(|from| self.state.handoff(from, &message.outcome));
        let rounds = handoff.and_then(|handoff| handoff.rounds.as_ref());
        let round = match rounds {
            Some(rounds) if message.exhausted => format!(" (the {} rounds are used up)", rounds.max),
            Some(rounds) => format!(" (round {} of {})", message.round, rounds.max),
            None => String::new(),
        };
        // An outward tool's turn says what it did, not what it was told.
        let did = message.cause.and_then(|cause| self.performed.get(&cause));
        let said = match did {
            Some(items) => format!("{} performed", count(*items as usize, "item")),
            None if message.is_mend() => error_text(texts, message.note),
            None => note(texts, message.note),
        };
        let text = format!("{said}{round}");
        Entry {
            to: Some(to),
            origin: Some(message.origin),
            choice: self.bases.behind(&self.state.plan, message),
            ..entry(&from, message.outcome.as_str(), text, Kind::Message)
        }
    }

    fn settled_entry(&self, id: EffectId, result: &Settled, texts: &dyn Texts) -> Option<Entry> {
        let (agent, wish) = self.wishes.get(&id)?;
        match (wish, result) {
            (Wish::Tool { tool, .. } | Wish::Own { tool }, Settled::Returned { body, origin, .. }) => {
                let args = match wish {
                    Wish::Tool { args, .. } => {
                        texts.value(args.digest).map_or_else(String::new, |v| brief_of(&v)) + " -> "
                    }
                    _ => String::new(),
                };
                let text = format!("{args}{}", texts.value(body.digest).map_or_else(erased, |v| brief_of(&v)));
                Some(Entry { origin: Some(*origin), ..entry(agent.as_str(), tool.as_str(), text, Kind::Call) })
            }
            (Wish::Deliver { tool, .. }, Settled::Performed { receipt }) => {
                let text = read(texts, *receipt).map_or_else(erased, |receipt| receipt::words(&receipt));
                Some(entry(agent.as_str(), tool.as_str(), text, Kind::Item))
            }
            (_, Settled::Replied(replied)) if replied.over_reported => {
                let allowed = self.state.effects.get(&id).map(|effect| effect.reserved).unwrap_or_default();
                let text = match replied.reported {
                    Some(reported) => format!(
                        "its provider reports {} ({}), and the call was allowed {} ({}), which counts",
                        tokens(reported),
                        reported.cost,
                        tokens(allowed),
                        allowed.cost
                    ),
                    None => "its provider reports more than the call was allowed".to_owned(),
                };
                Some(entry(agent.as_str(), "over-reported", text, Kind::Trouble))
            }
            (_, Settled::Replied(replied)) => match &replied.act {
                ActHead::Calls(calls) if calls.iter().any(|call| call.again) => {
                    let tools = calls.iter().filter(|call| call.again).map(|call| call.tool.to_string());
                    let tools = tools.collect::<Vec<_>>().join(", ");
                    let text =
                        format!("{tools} with the same arguments: answered as before, not offered again in this turn");
                    Some(entry(agent.as_str(), "same call", text, Kind::Trouble))
                }
                ActHead::Calls(calls) => match calls.iter().find_map(|call| call.refused) {
                    Some(refused) => {
                        Some(entry(agent.as_str(), "refused call", error_text(texts, refused), Kind::Trouble))
                    }
                    None => noted_entry(agent.as_str(), replied.body, texts),
                },
                ActHead::Answer { .. } => noted_entry(agent.as_str(), replied.body, texts),
            },
            _ => None,
        }
    }

    fn version_entry(&self, version: &Version) -> Entry {
        let nth = self.versions.get(&version.artefact).map_or(0, Vec::len) + 1;
        let by = version.person.as_ref().map_or_else(|| version.writer.to_string(), |person| person.name.clone());
        let checked = if version.findings.is_some() { ", with remarks of the checks" } else { "" };
        let text = format!("{} version {nth} ({}{checked})", version.artefact, version.body.digest.short());
        Entry { origin: Some(version.origin), ..entry(&by, "wrote", text, Kind::Version) }
    }

    fn person_entry(&self, event: &Event, texts: &dyn Texts) -> Option<Entry> {
        match event {
            Event::ApprovalAsked { no, message, replaces, .. } => {
                let agent = self.state.turns.get(message).map_or_else(String::new, |turn| turn.agent.to_string());
                let instead = replaces.map_or_else(String::new, |old| format!(", in place of {old}"));
                Some(entry(&agent, "asked", format!("approval {no} is waiting{instead}"), Kind::Person))
            }
            Event::ApprovalDecided { no, by, decision, comment, .. } => {
                let comment = comment.map(|comment| note(texts, comment)).filter(|comment| !comment.is_empty());
                let comment = comment.map_or_else(String::new, |comment| format!(": {comment}"));
                let text = format!("approval {no}{comment} [{}]", by.how);
                Some(entry(&by.name, decision.word(), text, Kind::Person))
            }
            Event::ApprovalClosed { no, why } => {
                let why = match why {
                    super::event::Closed::Edited => "its content was edited",
                    super::event::Closed::Expired => "nobody decided in time",
                    super::event::Closed::RunEnded => "the run ended",
                    super::event::Closed::CalledOff => "the join has what it needs without it",
                };
                Some(entry("callsheet", "closed", format!("approval {no}: {why}"), Kind::Person))
            }
            Event::EditRefused { no, artefact, problems, .. } => {
                let why = error_text(texts, *problems);
                let text = format!("approval {no} is open again, its {artefact} as it was: {why}");
                Some(entry("callsheet", "edit refused", text, Kind::Person))
            }
            Event::ApprovalOverdue { no } => {
                Some(entry("callsheet", "overdue", format!("approval {no} still waits"), Kind::Person))
            }
            Event::PermitVoided { no, by } => {
                let text = format!("approval {no} no longer counts: {}", no_words(&self.state, *by));
                Some(entry("callsheet", "void", text, Kind::Person))
            }
            Event::QuestionAsked { no, effect } => {
                let of = self.wishes.get(effect).map_or_else(String::new, |(agent, _)| format!(" of {agent}"));
                let why = self.state.effects.get(effect).and_then(|effect| effect.why);
                let why = why.map_or_else(String::new, |why| format!(" ({})", reason_text(&self.state, texts, why)));
                let text = format!("question {no}: nobody knows whether an item{of} was performed{why}; look, and say");
                Some(entry("callsheet", "in doubt", text, Kind::Person))
            }
            Event::QuestionAnswered { no, by, happened } => {
                let word = if *happened { "it happened" } else { "it did not happen" };
                Some(entry(&by.name, word, format!("question {no}"), Kind::Person))
            }
            _ => None,
        }
    }

    fn trouble_entry(&self, event: &Event, texts: &dyn Texts) -> Option<Entry> {
        let trouble = |who: &str, word: &str, text: String| Some(entry(who, word, text, Kind::Trouble));
        match event {
            Event::AnswerRefused { message, problems } => {
                let agent = self.state.turns.get(message).map_or_else(String::new, |turn| turn.agent.to_string());
                trouble(&agent, "asked again", problem_text(texts, *problems))
            }
            Event::EffectFailed { id, class, reason, spent, .. } => {
                let agent = self.wishes.get(id).map_or_else(String::new, |(agent, _)| agent.to_string());
                let text = if self.is_lost_call(event) {
                    lost_words(1, *spent)
                } else {
                    reason_text(&self.state, texts, *reason)
                };
                trouble(&agent, class.word(), text)
            }
            Event::ModelSwitched { id, from, to, until } => {
                let agent = self.wishes.get(id).map_or_else(String::new, |(agent, _)| agent.to_string());
                let name =
                    |alias: &String| self.state.plan.models.get(alias).map_or(alias.clone(), |m| m.model.clone());
                let all = if until.is_some() { ", by all for a minute" } else { "" };
                trouble(&agent, "other model", format!("{} is asked in place of {}{all}", name(to), name(from)))
            }
            Event::ContextCut { message } => {
                let agent = self.state.turns.get(message).map_or_else(String::new, |turn| turn.agent.to_string());
                let text = "the conversation was too long: earlier turns and older results are left out".to_owned();
                trouble(&agent, "cut", text)
            }
            Event::FellInDoubt { id, ask_from, why, failed } => {
                let of = self.wishes.get(id).map(|(agent, wish)| (agent.to_string(), slot_words(wish)));
                let (agent, item) = of.unwrap_or_default();
                let wait = ask_from.ms_since(self.state.now).div_ceil(1_000);
                let why = why.or(*failed).map_or_else(String::new, |why| format!(" ({})", error_text(texts, why)));
                let text =
                    format!("{item} began, and nobody knows whether it happened{why}; it is asked about in {wait} s");
                trouble(&agent, "in_doubt", text)
            }
            Event::AgentFailed { agent, class, reason, .. } => {
                trouble(agent.as_str(), "died", format!("{}: {}", class.word(), error_text(texts, *reason)))
            }
            Event::AgentRestarted { agent, .. } => {
                let times = self.state.agents.get(agent).map_or(0, |agent| agent.restarts_total) + 1;
                trouble("supervisor", "restarts", format!("{agent}, restart {times}"))
            }
            Event::DeadLettered { message, class, reason } => {
                // The failure that it comes from has been told in full.
                let reason = reason_text(&self.state, texts, *reason);
                let text = format!("{message}: {}: {}", class.word(), reason.lines().next().unwrap_or_default());
                trouble("supervisor", "dead letter", text)
            }
            Event::DeadLetterAnswered { message, by, answer } => {
                let word = serde_json::to_value(answer).ok().and_then(|v| v.as_str().map(str::to_owned));
                trouble(&by.name, &word.unwrap_or_default(), format!("dead letter {message}"))
            }
            Event::InputRefused { why, .. } => {
                let why = serde_json::to_string(why).unwrap_or_default();
                trouble("callsheet", "refused", format!("what was posted: {why}"))
            }
            _ => None,
        }
    }
}

fn entry(from: &str, word: &str, text: String, kind: Kind) -> Entry {
    Entry {
        seq: Seq(0),
        at: Timestamp(0),
        from: from.to_owned(),
        to: None,
        word: word.to_owned(),
        text,
        origin: None,
        kind,
        choice: None,
    }
}

/// What was odd in a reply and read all the same.
fn noted_entry(agent: &str, reply: BodyRef, texts: &dyn Texts) -> Option<Entry> {
    let reply = texts.value(reply.digest)?;
    let noted: Vec<&str> = reply.get("noted")?.as_array()?.iter().filter_map(Value::as_str).collect();
    Some(entry(agent, "read as meant", noted.join("; "), Kind::Trouble))
}

/// Which item of its manifest an outward effect is.
fn slot_words(wish: &Wish) -> String {
    match wish {
        Wish::Deliver { slot, .. } => format!("item {}", slot + 1),
        _ => "an effect".to_owned(),
    }
}

/// One call more, and its amount.
fn add(calls: &mut (usize, Amount), amount: Amount) {
    *calls = (calls.0 + 1, calls.1.plus(amount));
}

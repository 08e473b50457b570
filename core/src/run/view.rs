//! What people see of a run, folded from the same events: who said what to whom, what it cost, what went wrong.
//! Texts come through [`Texts`], since heads hold none; nothing here is sanitised, every printer does that itself.

mod call;
pub mod choice;
pub mod comment;
mod entry;
pub mod failing;
pub mod models;
mod people;
mod receipt;
mod trouble;
pub mod why;
mod words;
pub mod work;

use std::collections::BTreeMap;

use serde_json::Value;

use super::body::Receipt;
use super::branch::{Branch, SplitId};
use super::event::{ActHead, Amount, BodyRef, Event, Fact, Message, Origin, Reason, Settled, Version, Wish};
use super::state::{DeadLetter, State};
use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, ArtefactName, CommentNo, Digest, EffectId, MessageId, Outcome, Seq, Timestamp};
use crate::topology::plan::{EXPIRED, Recipient};
use choice::Bases;
use comment::{Remarked, Remarks};
use entry::entry;
pub use entry::{Entry, Kind};
use failing::{Failing, Failures};
pub use words::{Texts, after_words, amount, brief_of, count, error_text, note, pause_words, read};
use words::{erased, raise_words, tokens};

/// Folds a run into entries.
pub struct View {
    state: State,
    wishes: BTreeMap<EffectId, (AgentName, Wish)>,
    versions: BTreeMap<ArtefactName, Vec<Version>>,
    written: BTreeMap<Digest, (usize, Timestamp)>,
    messages: BTreeMap<MessageId, Message>,
    performed: BTreeMap<MessageId, u32>,
    spent: BTreeMap<MessageId, Amount>,
    lost: (usize, Amount),
    told: Vec<String>,
    over_reported: (usize, Amount),
    assumed: (usize, Amount),
    returned: BTreeMap<EffectId, Returned>,
    bases: Bases,
    failures: Failures,
    remarks: Remarks,
}

/// What a tool gave, as a record has it: its text is read when somebody looks at it.
struct Returned {
    seq: Seq,
    at: Timestamp,
    branch: Option<String>,
    result: Settled,
}

impl View {
    /// A view of a run before its first event.
    pub fn new(state: State) -> Self {
        Self {
            state,
            wishes: BTreeMap::new(),
            versions: BTreeMap::new(),
            written: BTreeMap::new(),
            messages: BTreeMap::new(),
            performed: BTreeMap::new(),
            spent: BTreeMap::new(),
            lost: (0, Amount::default()),
            told: Vec::new(),
            over_reported: (0, Amount::default()),
            assumed: (0, Amount::default()),
            returned: BTreeMap::new(),
            bases: Bases::default(),
            failures: Failures::default(),
            remarks: Remarks::default(),
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

    /// The way that the run took, as `member:outcome`: what ran side by side is told branch by branch, whatever the order in
    /// which it happened to come, as `member.2:outcome` for the second branch.
    pub fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        self.follow_branch(&Branch::default(), &mut path);
        path
    }

    fn follow_branch(&self, branch: &Branch, path: &mut Vec<String>) {
        let own = self.messages.values().filter(|message| message.branch == *branch);
        // A branch begins with a message that its splitter's outcome is told of already.
        for message in own.skip(usize::from(!branch.is_root())) {
            let Some(from) = &message.from else { continue };
            let indices: String = branch.0.iter().map(|step| format!(".{}", step.index + 1)).collect();
            path.push(format!("{from}{indices}:{}", message.outcome));
            let Some(joined) = &message.joins else { continue };
            let id = SplitId { within: branch.clone(), from: from.clone(), nth: joined.nth };
            (0..joined.branches).for_each(|index| self.follow_branch(&id.branch(index), path));
        }
        for (id, open) in self.state.splits.iter().filter(|(id, _)| id.within == *branch) {
            path.push(format!("{}:{}", id.from, open.outcome));
            (0..open.branches).for_each(|index| self.follow_branch(&id.branch(index), path));
        }
    }

    /// All versions of artefacts, each artefact's in order: a state knows only those that are on some desk.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.values().flatten()
    }

    /// The versions of one artefact, in order: the first is version 1.
    pub fn versions_of(&self, artefact: &str) -> &[Version] {
        self.versions.get(artefact).map_or(&[], Vec::as_slice)
    }

    /// Which version of its artefact this is, from 1, and when it was written.
    pub fn nth(&self, version: Digest) -> Option<(usize, Timestamp)> {
        self.written.get(&version).copied()
    }

    /// All that was said in a comment, in order.
    pub fn remarks(&self, no: CommentNo) -> &[Remarked] {
        self.remarks.of(no)
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

    /// Whether what failed is a model's call that may have been answered, and nobody heard.
    fn is_lost_call(&self, id: EffectId, class: Class) -> bool {
        class == Class::InDoubt && matches!(self.wishes.get(&id), Some((_, Wish::Model { .. })))
    }

    /// Takes `fact` in; what people see of it, if anything.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn take(&mut self, seq: Seq, fact: &Fact, texts: &dyn Texts) -> Result<Option<Entry>, super::fold::Illegal> {
        let (before, branch) = (self.entry(fact, texts), self.branch_of(&fact.is));
        self.pass(seq, fact, texts)?;
        Ok(before.map(|entry| Entry { seq, at: fact.at, branch, ..entry }))
    }

    /// Takes `fact` in as [`View::take`] does, for whoever does not want to see it: nearly no text is read for it.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn pass(&mut self, seq: Seq, fact: &Fact, texts: &dyn Texts) -> Result<(), super::fold::Illegal> {
        self.follow(seq, fact, texts);
        self.state.apply(fact)
    }

    /// The calls of tools that gave something so far, in the order of their results.
    pub fn calls(&self, texts: &dyn Texts) -> Vec<Entry> {
        let told = |(id, of): (&EffectId, &Returned)| {
            let entry = self.settled_entry(*id, &of.result, texts)?;
            Some(Entry { seq: of.seq, at: of.at, branch: of.branch.clone(), ..entry })
        };
        let mut calls: Vec<Entry> = self.returned.iter().filter_map(told).collect();
        calls.sort_by_key(|call| call.seq);
        calls
    }

    /// The record of what this call of a tool gave.
    pub fn returned(&self, id: EffectId) -> Option<Seq> {
        self.returned.get(&id).map(|of| of.seq)
    }

    /// The branch of a split that `event` is of, if of one; the state is that before it.
    fn branch_of(&self, event: &Event) -> Option<String> {
        let state = &self.state;
        let of_turn = |message: &MessageId| state.turns.get(message).map(|turn| &turn.message.branch);
        let of_effect = |id: &EffectId| of_turn(&state.effects.get(id)?.message);
        let of_approval = |no: &ApprovalNo| of_turn(&state.approvals.get(no)?.message);
        let branch = match event {
            Event::MessageSent(message) => Some(&message.branch),
            Event::VersionWritten(version) => of_turn(&version.message),
            Event::TurnEnded { message, .. }
            | Event::Split { message, .. }
            | Event::ContextCut { message }
            | Event::AnswerRefused { message, .. }
            | Event::ApprovalAsked { message, .. }
            | Event::AgentFailed { message, .. }
            | Event::DeadLettered { message, .. } => of_turn(message),
            Event::EffectSettled { id, .. }
            | Event::EffectFailed { id, .. }
            | Event::ModelSwitched { id, .. }
            | Event::FellInDoubt { id, .. }
            | Event::QuestionAsked { effect: id, .. } => of_effect(id),
            Event::ApprovalDecided { no, .. }
            | Event::ApprovalClosed { no, .. }
            | Event::PersonAnswered { no, .. }
            | Event::Reminded { no }
            | Event::Escalated { no, .. }
            | Event::EditRefused { no, .. }
            | Event::Looked { no, .. }
            | Event::Assigned { no, .. }
            | Event::ApprovalOverdue { no } => of_approval(no),
            // A comment is told of its version, which says where that was written.
            Event::CommentMade { .. } | Event::CommentReplied { .. } | Event::CommentResolved { .. } => None,
            Event::QuestionAnswered { no, .. } => state.questions.get(no).and_then(of_effect),
            Event::DeadLetterAnswered { message, .. } => state.dead.get(message).map(|letter| &letter.message.branch),
            // What a run does as a whole, what is said to a member wherever it is, and what nobody is told of.
            Event::NoteLeft { .. } | Event::Followed { .. } | Event::ResultsAttached { .. } => None,
            Event::Started { .. } | Event::Opened { .. } | Event::Heard { .. } | Event::InputRefused { .. } => None,
            Event::CalledOff { .. } | Event::TurnBegan { .. } | Event::EffectAsked { .. } => None,
            Event::EffectBegan { .. } | Event::RetryPlanned { .. } | Event::AgentRestarted { .. } => None,
            Event::PermitGiven { .. } | Event::PermitVoided { .. } | Event::Paused { .. } => None,
            Event::Resumed { .. } | Event::BudgetRaised { .. } | Event::CancelAsked { .. } => None,
            Event::Ended { .. } => None,
        };
        branch.filter(|branch| !branch.is_root()).map(ToString::to_string)
    }

    /// Remembers what is told later; the state is that before `fact`.
    fn follow(&mut self, seq: Seq, fact: &Fact, texts: &dyn Texts) {
        match &fact.is {
            Event::MessageSent(message) => drop(self.messages.insert(message.id, message.clone())),
            Event::TurnBegan { message } => self.bases.began(*message, &self.state),
            Event::TurnEnded { message, .. } => self.bases.ended(seq, *message, &self.state),
            Event::EffectAsked { id, message, wish, .. } => {
                if let Some(turn) = self.state.turns.get(message) {
                    self.wishes.insert(*id, (turn.agent.clone(), wish.clone()));
                }
                self.bases.asked(*message, wish);
            }
            Event::EffectSettled { id, spent, result } => {
                self.pays(*id, *spent);
                self.settled(*id, *spent, result, texts);
                self.bases.settled(seq, *id, result, &self.state);
                if let Settled::Returned { .. } = result {
                    let (branch, result) = (self.branch_of(&fact.is), result.clone());
                    self.returned.insert(*id, Returned { seq, at: fact.at, branch, result });
                }
            }
            Event::EffectFailed { id, class, reason, spent, .. } => {
                self.pays(*id, *spent);
                self.failures.take(*id, *reason, &self.state);
                if self.is_lost_call(*id, *class) {
                    add(&mut self.lost, *spent);
                }
            }
            Event::CommentMade { .. } | Event::CommentReplied { .. } | Event::CommentResolved { .. } => {
                self.remarks.take(seq, fact);
            }
            Event::VersionWritten(version) => {
                let of_artefact = self.versions.entry(version.artefact.clone()).or_default();
                of_artefact.push(version.clone());
                self.written.entry(version.body.digest).or_insert((of_artefact.len(), fact.at));
            }
            // All that is told of these is told at once, or is in the state.
            Event::Started { .. } | Event::Opened { .. } | Event::Heard { .. } | Event::InputRefused { .. } => {}
            Event::EffectBegan { .. } | Event::RetryPlanned { .. } | Event::FellInDoubt { .. } => {}
            Event::ModelSwitched { .. } | Event::ContextCut { .. } | Event::AnswerRefused { .. } => {}
            Event::ApprovalAsked { .. } | Event::ApprovalDecided { .. } | Event::ApprovalClosed { .. } => {}
            Event::EditRefused { .. } | Event::ApprovalOverdue { .. } => {}
            Event::Looked { .. } | Event::Assigned { .. } | Event::NoteLeft { .. } | Event::Followed { .. } => {}
            Event::ResultsAttached { .. } => {}
            Event::PersonAnswered { .. } | Event::Reminded { .. } | Event::Escalated { .. } => {}
            Event::PermitGiven { .. } | Event::PermitVoided { .. } => {}
            Event::QuestionAsked { .. } | Event::QuestionAnswered { .. } => {}
            Event::AgentFailed { .. } | Event::AgentRestarted { .. } => {}
            Event::DeadLettered { .. } | Event::DeadLetterAnswered { .. } => {}
            Event::Paused { .. } | Event::Resumed { .. } | Event::BudgetRaised { .. } => {}
            Event::CancelAsked { .. } | Event::Ended { .. } => {}
            Event::Split { .. } | Event::CalledOff { .. } => {}
        }
    }

    fn pays(&mut self, id: EffectId, spent: Amount) {
        if let Some(effect) = self.state.effects.get(&id) {
            let so_far = self.spent.entry(effect.message).or_default();
            *so_far = so_far.plus(spent);
        }
    }

    fn settled(&mut self, id: EffectId, spent: Amount, result: &Settled, texts: &dyn Texts) {
        let outward = self.state.effects.get(&id).filter(|effect| effect.is_outward());
        if let (Settled::Performed { receipt }, Some(effect)) = (result, outward) {
            *self.performed.entry(effect.message).or_default() += 1;
            self.told.extend(read::<Receipt>(texts, *receipt).as_ref().and_then(receipt::told));
        }
        if let Settled::Replied(replied) = result {
            if replied.over_reported {
                add(&mut self.over_reported, replied.reported.unwrap_or_default());
            }
            if replied.assumed {
                add(&mut self.assumed, spent);
            }
        }
    }

    /// What people see of each event, every one of them: of a new one somebody says so here, or it does not compile.
    fn entry(&self, fact: &Fact, texts: &dyn Texts) -> Option<Entry> {
        let (state, of) = (&self.state, &self.state.plan.name);
        let life = |word: &str, text: String| entry("callsheet", word, text, Kind::Life);
        Some(match &fact.is {
            Event::Started { by, .. } => life("started", format!("{} started {of} ({})", by.name, by.how)),
            Event::Opened { epoch } if epoch.0 > 1 => life("resumed", format!("taken up again (ownership {epoch})")),
            Event::InputRefused { why, .. } => trouble::post_refused(why),
            Event::MessageSent(message) => self.message_entry(message, texts),
            Event::TurnEnded { message, outcome, note } => return self.answer_entry(*message, outcome, *note, texts),
            Event::EffectSettled { id, result, .. } => return self.settled_entry(*id, result, texts),
            Event::EffectFailed { id, class, reason, spent, .. } => {
                self.failed_entry(*id, *class, *reason, *spent, texts)
            }
            Event::ModelSwitched { id, from, to, until } => {
                trouble::switched(state, self.whose_effect(*id), from, to, *until)
            }
            Event::ContextCut { message } => trouble::cut(self.whose_turn(*message)),
            Event::FellInDoubt { id, ask_from, why, failed } => {
                trouble::doubted(self.wishes.get(id), ask_from.ms_since(state.now), why.or(*failed), texts)
            }
            Event::VersionWritten(version) => self.version_entry(version),
            Event::AnswerRefused { message, problems } => {
                trouble::asked_again(self.whose_turn(*message), *problems, texts)
            }
            Event::ApprovalAsked { no, message, replaces, .. } => {
                people::asked(state, self.whose_turn(*message), *no, *replaces)
            }
            Event::ApprovalDecided { no, by, decision, comment, .. } => {
                people::says(*no, by, *decision, *comment, texts)
            }
            Event::PersonAnswered { no, by, outcome, comment, .. } => people::fills(*no, by, outcome, *comment, texts),
            Event::EditRefused { no, artefact, problems, .. } => people::edit_refused(*no, artefact, *problems, texts),
            Event::Reminded { no } => people::reminded(state, *no),
            Event::Escalated { no, to } => people::escalated(state, *no, to),
            Event::ApprovalOverdue { no } => people::overdue(*no),
            Event::ApprovalClosed { no, why } => people::closed(*no, *why),
            Event::PermitGiven { no, .. } => return people::permitted(state, *no),
            Event::PermitVoided { no, by } => people::voided(state, *no, *by),
            Event::QuestionAsked { no, effect } => {
                people::question(state, self.whose_effect(*effect), *no, *effect, texts)
            }
            Event::QuestionAnswered { no, by, happened } => people::answered(*no, by, *happened),
            Event::Assigned { .. }
            | Event::NoteLeft { .. }
            | Event::Followed { .. }
            | Event::ResultsAttached { .. } => {
                return people::tells(state, &fact.is, texts);
            }
            Event::CommentMade { .. } | Event::CommentReplied { .. } | Event::CommentResolved { .. } => {
                return comment::entry_of(&fact.is, &|version| Some(self.nth(version)?.0), texts);
            }
            Event::AgentFailed { agent, class, reason, .. } => trouble::died(agent, *class, *reason, texts),
            Event::AgentRestarted { agent, .. } => trouble::restarts(state, agent),
            Event::DeadLettered { message, class, reason } => {
                trouble::dead_letter(state, *message, *class, *reason, texts)
            }
            Event::DeadLetterAnswered { message, by, answer } => trouble::letter_answered(*message, by, *answer),
            Event::Paused { why } => life("paused", pause_words(why)),
            Event::Resumed { by } => life("went on", format!("{} let it go on", by.name)),
            Event::BudgetRaised { by, raise } => {
                life("raised", format!("{} raised the limits: {}", by.name, raise_words(raise)))
            }
            Event::CancelAsked { by } => life("cancelling", format!("{} cancelled it", by.name)),
            Event::Ended { how } => people::ended(state, *how),
            Event::Split { message, outcome, branches, .. } => {
                entry(self.whose_turn(*message), outcome.as_str(), branches_words(*branches), Kind::Life)
            }
            Event::CalledOff { branch } => life("called off", format!("branch {branch}: the join has what it needs")),
            // What leads to something that is told, or has been told.
            Event::Opened { .. } | Event::Heard { .. } | Event::TurnBegan { .. } | Event::Looked { .. } => return None,
            Event::EffectAsked { .. } | Event::EffectBegan { .. } | Event::RetryPlanned { .. } => return None,
        })
    }

    /// An attempt failed, or nobody heard what a model's call came to.
    fn failed_entry(&self, id: EffectId, class: Class, why: Reason, spent: Amount, texts: &dyn Texts) -> Entry {
        let whose = self.whose_effect(id);
        match self.is_lost_call(id, class) {
            true => trouble::lost(whose, class, spent),
            false => trouble::failed(&self.state, whose, class, why, texts),
        }
    }

    /// What a teammate answers: a message like others, back to whoever asked.
    fn answer_entry(&self, message: MessageId, outcome: &Outcome, said: BodyRef, texts: &dyn Texts) -> Option<Entry> {
        let turn = self.state.turns.get(&message)?;
        let question = &turn.message;
        let (Recipient::Member(from), Some(_), Some(asker)) = (&question.to, question.asked_by, &question.from) else {
            return None;
        };
        let is_person = self.state.is_person(from);
        let text = match is_person && outcome.as_str() == EXPIRED {
            true => "nobody answered in time".to_owned(),
            false => note(texts, said),
        };
        let said = entry(from.as_str(), outcome.as_str(), text, Kind::Message);
        let choice = self.bases.choice(&self.state.plan, from, message, Some(asker), outcome.as_str());
        let origin = if is_person { Origin::Person } else { turn.origin };
        Some(Entry { to: Some(asker.to_string()), origin: Some(origin), choice, ..said })
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
            Some(items) => format!("{} delivered", count(*items as usize, "item")),
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
            (Wish::Tool { tool, .. } | Wish::Own { tool }, Settled::Returned { body, labels, origin, .. }) => {
                let args = match wish {
                    Wish::Tool { args, .. } => texts.value(args.digest),
                    _ => None,
                };
                let result = texts.value(body.digest);
                let text = result.as_ref().map_or_else(erased, |result| call::told(args.as_ref(), result));
                let detail =
                    result.as_ref().map(|result| format!("{}{}", call::detail(args.as_ref(), result), labels.told()));
                let origin = Some(*origin);
                Some(Entry { origin, detail, ..entry(agent.as_str(), tool.as_str(), text, Kind::Call) })
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
        let detail = format!("{} {}, {} bytes", version.artefact, version.body.digest.short(), version.body.bytes);
        let detail = Some(format!("{detail}{}", version.labels.told()));
        let by = version.person.as_ref().map_or_else(|| version.writer.to_string(), |person| person.name.clone());
        let checked = if version.findings.is_some() { "; the checks remarked something" } else { "" };
        let text = format!("version {nth} of {}{checked}", version.artefact);
        Entry { origin: Some(version.origin), detail, ..entry(&by, "wrote", text, Kind::Version) }
    }

    /// Whose turn a message's is; nobody's if it is over.
    fn whose_turn(&self, message: MessageId) -> &str {
        self.state.turns.get(&message).map_or("", |turn| turn.agent.as_str())
    }

    /// Whose effect it is.
    fn whose_effect(&self, id: EffectId) -> &str {
        self.wishes.get(&id).map_or("", |(agent, _)| agent.as_str())
    }
}

/// What was odd in a reply and read all the same.
fn noted_entry(agent: &str, reply: BodyRef, texts: &dyn Texts) -> Option<Entry> {
    let reply = texts.value(reply.digest)?;
    let noted: Vec<&str> = reply.get("noted")?.as_array()?.iter().filter_map(Value::as_str).collect();
    Some(entry(agent, "read as meant", noted.join("; "), Kind::Trouble))
}

/// One call more, and its amount.
fn add(calls: &mut (usize, Amount), amount: Amount) {
    *calls = (calls.0 + 1, calls.1.plus(amount));
}

/// Into how many branches a message splits.
fn branches_words(branches: u32) -> String {
    match branches {
        0 => "there is nothing to split: the join follows".to_owned(),
        1 => "splits into 1 branch".to_owned(),
        many => format!("splits into {many} branches"),
    }
}

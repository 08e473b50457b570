//! The fold: the only place where a run's state changes. Total over legal histories; an event that is illegal in a
//! state is an error value, and changes nothing that anybody sees.

mod approval;
mod comment;
mod effect;
mod note;
mod split;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::branch::Branch;
use super::desk::{self, Desk, Held};
use super::event::{Amount, BodyRef, DeadLetterAnswer, Event, Fact, Message, Part, PauseReason, Reason, Version, Who};
use super::state::{Conversation, DeadLetter, Effect, State, Turn};
use crate::failure::Class;
use crate::id::{AgentName, ArtefactName, Digest, EffectId, MessageId, Outcome, Timestamp};
use crate::topology::plan::{EXPIRED, Member, Memory, Plan, Recipient, Role};
use crate::topology::spec::Labels;

/// An event that cannot have happened in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible here: {why}")]
pub struct Illegal {
    /// Its kind.
    pub event: &'static str,
    /// What is against it.
    pub why: &'static str,
}

/// What a member is shown of its desk: what it reads, and, if it is a model that is sent back to its own work, that too.
/// Whoever writes a section is shown all of what it is a part of.
fn on_desk<'a>(plan: &'a Plan, member: &'a Member) -> Vec<&'a ArtefactName> {
    let mut shown: Vec<&ArtefactName> = member.reads.iter().map(|read| &read.artefact).collect();
    let is_model = matches!(member.role, Role::Model { .. });
    for own in member.writes.iter().filter(|_| is_model).map(|name| plan.whole(name)) {
        if !shown.contains(&own) {
            shown.push(own);
        }
    }
    shown
}

type Legal<T = ()> = Result<T, &'static str>;

impl State {
    /// Takes `fact` in.
    ///
    /// # Errors
    /// [`Illegal`] if it cannot have happened; the state is then worth nothing, and its owner drops it.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), Illegal> {
        if fact.at < self.now {
            return Err(Illegal { event: fact.is.kind(), why: "time ran backwards" });
        }
        if self.ended.is_some() && !fact.is.may_follow_end() {
            return Err(Illegal { event: fact.is.kind(), why: "the run is over" });
        }
        self.now = fact.at;
        self.fold(fact.at, &fact.is).map_err(|why| Illegal { event: fact.is.kind(), why })?;
        self.count_active_time(fact.at);
        Ok(())
    }

    /// What each event does, every one of them: a new one is folded here or does not compile.
    fn fold(&mut self, at: Timestamp, event: &Event) -> Legal {
        match event {
            Event::Started { brief, by, .. } => self.start(*brief, by),
            Event::Opened { epoch } => self.open(*epoch),
            Event::Heard { place, .. } | Event::InputRefused { place, .. } => self.hear(*place),
            Event::MessageSent(message) => self.send(message),
            Event::Split { message, outcome, note, origin, branches } => {
                self.split(*message, outcome, *note, *origin, *branches)
            }
            Event::CalledOff { branch } => self.call_off(branch),
            Event::TurnBegan { message } => self.begin_turn(*message),
            Event::EffectAsked { id, message, ordinal, wish, reserved } => {
                self.ask(at, *id, *message, *ordinal, wish, *reserved)
            }
            Event::EffectBegan { id, epoch, not_after } => self.begin_effect(at, *id, *epoch, *not_after),
            Event::EffectSettled { id, spent, result } => self.settle(*id, *spent, result),
            Event::EffectFailed { id, class, reason, spent, last } => self.fail(*id, *class, *reason, *spent, *last),
            Event::RetryPlanned { id, attempt, reserved, not_before, output_tokens } => {
                self.retry(*id, *attempt, *reserved, *not_before, *output_tokens)
            }
            Event::ModelSwitched { id, from, to, until } => self.switch(*id, from, to, *until),
            Event::ContextCut { message } => self.turn_mut(*message)?.leave_out(),
            Event::FellInDoubt { id, ask_from, why, failed } => self.doubt(*id, *ask_from, *why, *failed),
            Event::VersionWritten(version) => self.write(version),
            Event::AnswerRefused { message, problems } => self.refuse_answer(*message, *problems),
            Event::TurnEnded { message, outcome, note } => self.end_turn(*message, outcome, *note),
            Event::ApprovalAsked { no, message, binds, replaces, expires_at } => {
                self.ask_approval(at, *no, *message, *binds, *replaces, *expires_at)
            }
            Event::ApprovalDecided { no, by, decision, accepts, made_at, .. } => {
                self.decided(*no, by, *decision, accepts, made_at.unwrap_or(at))
            }
            Event::PersonAnswered { no, by, outcome, made_at, .. } => {
                self.answered(*no, by, outcome, made_at.unwrap_or(at))
            }
            Event::Reminded { no } => self.remind(at, *no),
            Event::Escalated { no, to } => self.escalate(*no, to),
            Event::ApprovalClosed { no, why } => self.close_approval(*no, *why),
            Event::EditRefused { no, artefact, version, problems } => {
                self.refuse_edit(*no, artefact, *version, *problems)
            }
            Event::ApprovalOverdue { no } => self.overdue(*no),
            Event::PermitGiven { no, manifest, slots } => self.permit(*no, *manifest, *slots),
            Event::PermitVoided { no, by } => self.void(*no, *by),
            Event::QuestionAsked { no, effect } => self.question(*no, *effect),
            Event::QuestionAnswered { no, happened, .. } => self.answer_question(*no, *happened),
            Event::Looked { no, by, made_at } => self.look(*no, by, made_at.unwrap_or(at)),
            Event::Assigned { no, by, to, .. } => self.assign(*no, by, to.as_ref()),
            Event::CommentMade { no, artefact, version, by, blocks, mentions, .. } => {
                self.comment(*no, (artefact, *version), by, *blocks)?;
                self.remark(*no, mentions)
            }
            Event::CommentReplied { no, mentions, .. } => self.remark(*no, mentions),
            Event::CommentResolved { no, by, .. } => self.resolve(*no, by),
            Event::Followed { by, on, .. } => self.follow(by, *on),
            Event::ResultsAttached { no, by, table, made_at } => self.attach(*no, by, *table, made_at.unwrap_or(at)),
            Event::NoteLeft { to, by, note, .. } => self.leave_note(to, by, *note),
            Event::AgentFailed { agent, message, .. } => self.died(at, agent, *message),
            Event::AgentRestarted { agent, not_before } => self.restart(at, agent, *not_before),
            Event::DeadLettered { message, class, reason } => self.dead_letter(*message, *class, *reason),
            Event::DeadLetterAnswered { message, answer, .. } => self.answer_dead_letter(*message, *answer),
            Event::Paused { why } => self.pause(why),
            Event::Resumed { .. } => self.go_on(),
            Event::BudgetRaised { raise, .. } => self.ledger.raise(raise),
            Event::CancelAsked { by } => {
                (self.cancelled_by, self.paused) = (Some(by.clone()), None);
                Ok(())
            }
            Event::Ended { how } => self.end(*how),
        }
    }

    fn pause(&mut self, why: &PauseReason) -> Legal {
        self.paused = Some(why.clone());
        Ok(())
    }

    fn start(&mut self, brief: BodyRef, by: &Who) -> Legal {
        (self.brief, self.starter) = (Some(brief), Some(by.clone()));
        Ok(())
    }

    fn open(&mut self, epoch: crate::id::Epoch) -> Legal {
        if epoch <= self.epoch {
            return Err("an older or the same owner");
        }
        self.epoch = epoch;
        // Nothing was under way while nobody owned the run.
        self.ledger.active_since = None;
        Ok(())
    }

    fn go_on(&mut self) -> Legal {
        self.paused = None;
        // A pause for intensity was answered by a person: the window starts anew.
        self.agents.values_mut().for_each(|agent| agent.restarts.clear());
        Ok(())
    }

    fn hear(&mut self, place: u64) -> Legal {
        if place != self.heard + 1 {
            return Err("inbox rows are heard in order, each once");
        }
        self.heard = place;
        Ok(())
    }

    fn send(&mut self, message: &Message) -> Legal {
        if message.id.0 != self.messages_sent + 1 {
            return Err("messages are numbered without gaps");
        }
        self.messages_sent = message.id.0;
        if message.is_mend() {
            self.send_mend(message)?;
        } else if message.asked_by.is_some() {
            self.send_question(message)?;
        } else if let Some(from) = &message.from {
            self.send_on(message, from)?;
        }
        let is_aside = message.asked_by.is_some();
        if !is_aside && self.join_of(&message.branch) == Some(&message.to) {
            return self.arrive(message);
        }
        match &message.to {
            Recipient::Member(agent) if self.plan.team.contains_key(agent) => {
                self.queued.insert(message.clone());
            }
            Recipient::Member(_) => return Err("no such member"),
            Recipient::End if !message.branch.is_root() => return Err("the run ends within a branch"),
            Recipient::End => self.results.push(message.clone()),
        }
        Ok(())
    }

    fn begin_turn(&mut self, id: MessageId) -> Legal {
        let message = self.queued.remove(&id).ok_or("the message is not queued")?;
        let Recipient::Member(agent) = message.to.clone() else { return Err("a result is not handled") };
        self.agents.entry(agent.clone()).or_default().turns_total += 1;
        let mut past = self.past(&agent, &message.branch);
        // What is written anew is bounded by itself; the handoffs' count of turns does not know of it.
        past.turns += u32::from(!message.is_mend());
        past.turns_total += 1;
        let memory = past.memory.clone();
        self.pasts.insert((agent.clone(), message.branch.clone()), Box::new(past));
        let (first, bytes, labels) = self.first_parts(&agent, &message);
        let (told, told_bytes) = self.told(&agent, id);
        let unseen = memory.parts.into_iter().chain(first).chain(told).collect();
        let (shown_bytes, labels) = (memory.bytes + bytes + told_bytes, memory.labels.join(labels));
        let origin = message.origin;
        // Names begin with a letter: from the least of them on.
        let from = (message.branch.clone(), agent.clone(), Outcome::fixed("a"));
        let of_agent = self.handed.range(from..);
        let of_agent = of_agent.take_while(|((branch, from, _), _)| *from == agent && *branch == message.branch);
        let handed = of_agent.map(|((.., outcome), note)| (outcome.clone(), *note)).collect();
        let turn = Turn {
            agent,
            desk: message.desk.clone(),
            message,
            asked: self.asked_before.remove(&id).unwrap_or(0),
            steps: 0,
            model: None,
            shown: Vec::new(),
            unseen,
            calls: Vec::new(),
            waits_for: BTreeMap::new(),
            questions: 0,
            handed,
            withheld: BTreeSet::new(),
            cut: false,
            answers_refused: 0,
            policy_strikes: 0,
            shown_bytes,
            labels,
            line: None,
            origin,
            mends: 0,
            approval: None,
            permit: None,
            failed: None,
            deaths: 0,
            died_at: None,
        };
        self.turns.insert(id, Arc::new(turn));
        Ok(())
    }

    /// What a turn's first request shows, the bytes and the labels of all that.
    fn first_parts(&self, agent: &AgentName, message: &Message) -> (Vec<Part>, u64, Labels) {
        let mut parts = vec![Part::Instructions];
        let mut labels = message.labels;
        let mut bytes = u64::from(message.note.bytes) + self.brief.map_or(0, |brief| u64::from(brief.bytes));
        parts.extend(self.brief.map(|brief| Part::Brief(brief.digest)));
        parts.push(Part::Note(message.note.digest));
        for arrival in message.joins.iter().flat_map(|joins| &joins.arrived) {
            labels = labels.join(arrival.labels);
            bytes += u64::from(arrival.note.bytes);
            parts.push(Part::Arrived(
                arrival.index,
                arrival.from.clone(),
                arrival.outcome.clone(),
                arrival.note.digest,
            ));
        }
        for artefact in self.member(agent).into_iter().flat_map(|member| on_desk(&self.plan, member)) {
            let Some(held) = message.desk.get(artefact) else { continue };
            parts.push(Part::Artefact(artefact.clone(), held.clone()));
            for version in held.versions().filter_map(|version| self.versions.get(&version)) {
                labels = labels.join(version.labels);
                bytes += u64::from(version.body.bytes);
                // Of a list's items their own writers have been told.
                let findings = version.findings.filter(|_| !matches!(held, Held::All(_) | Held::Item { .. }));
                bytes += findings.map_or(0, |f| u64::from(f.bytes));
                parts.extend(findings.map(|f| Part::Findings(version.artefact.clone(), f.digest)));
            }
        }
        (parts, bytes, labels)
    }

    fn refuse_answer(&mut self, message: MessageId, problems: BodyRef) -> Legal {
        let turn = self.turn_mut(message)?;
        turn.answers_refused += 1;
        turn.shown_bytes += u64::from(problems.bytes);
        turn.unseen.push(Part::Problems(problems.digest));
        Ok(())
    }

    fn write(&mut self, version: &Version) -> Legal {
        let turn = self.turns.get_mut(&version.message).map(Arc::make_mut).ok_or("no such turn")?;
        let before = desk::put(&self.plan, &mut turn.desk, &version.artefact, version.body.digest);
        let branch = turn.message.branch.clone();
        // A section takes the place of that section alone.
        let now: BTreeSet<Digest> = turn.desk.values().flat_map(Held::versions).collect();
        let gone: Vec<Digest> = before.iter().flat_map(Held::versions).filter(|one| !now.contains(one)).collect();
        self.carry_comments(&gone, version.body.digest);
        // A long run writes the same artefact anew and anew; what it no longer has anywhere is in the journal.
        for before in before.iter().flat_map(Held::versions) {
            if self.has_on_a_desk(before, &branch) {
                self.replaced.extend(gone.contains(&before).then_some(before));
            } else {
                self.versions.remove(&before);
                self.replaced.remove(&before);
            }
        }
        self.versions.insert(version.body.digest, Box::new(version.clone()));
        Ok(())
    }

    /// Whether something that is pending, was decided or came to an end carries this version, which was on a desk in `branch`.
    /// What was not there when the branch began was made in it, and is on no desk beside it.
    fn has_on_a_desk(&self, version: Digest, branch: &Branch) -> bool {
        let on = |desk: &Desk| desk.values().flat_map(Held::versions).any(|on| on == version);
        if branch.of().and_then(|(id, _)| self.splits.get(&id)).is_some_and(|open| on(&open.desk)) {
            return true;
        }
        let is_here = |message: &&Message| message.branch.is_within(branch);
        let turns = self.turns.values().filter(|turn| is_here(&&turn.message)).map(|turn| &turn.desk);
        let dead = self.dead.values().map(|letter| &letter.message);
        let messages = self.queued.values().chain(&self.results).chain(dead).filter(is_here);
        let inner = || self.splits.iter().filter(|(id, _)| id.within.is_within(branch)).map(|(_, split)| split);
        let arrived = inner().flat_map(|split| split.arrived.values());
        let messages = messages.chain(arrived).map(|message| &message.desk).chain(inner().map(|split| &split.desk));
        let approvals = self.approvals.values().map(|approval| &approval.desk);
        let permits = self.permits.values().map(|permit| &permit.manifest.desk);
        turns.chain(messages).chain(approvals).chain(permits).any(on)
    }

    fn end_turn(&mut self, message: MessageId, outcome: &Outcome, note: BodyRef) -> Legal {
        let turn = self.turns.remove(&message).map(Arc::unwrap_or_clone).ok_or("no such turn")?;
        if self.effects.values().any(|effect| effect.message == message) {
            return Err("the turn still has effects under way");
        }
        if !turn.waits_for.is_empty() {
            return Err("the turn waits for an answer");
        }
        self.mended(&turn);
        let is_person = self.is_person(&turn.agent);
        if is_person && outcome.as_str() == EXPIRED {
            self.unanswered(&turn.message);
        } else {
            let labels = self.says(&turn);
            self.answer(&turn.message, note, labels);
        }
        if self.member(&turn.agent).is_some_and(|member| member.memory == Memory::Run)
            && let Some(past) = self.pasts.get_mut(&(turn.agent.clone(), turn.message.branch.clone()))
        {
            let parts = turn.shown.into_iter().chain(turn.unseen).collect();
            past.memory = Conversation { parts, bytes: turn.shown_bytes, labels: turn.labels };
        }
        // Whoever answers decides nothing: the rounds go on.
        if self.decides(&turn.agent) && turn.message.asked_by.is_none() {
            let here = &turn.message.branch;
            self.rounds.retain(|(branch, from, _), _| branch != here || *from == turn.agent);
            let of_here = self.pasts.iter_mut().filter(|((_, branch), _)| branch == here);
            of_here.for_each(|(_, past)| past.turns = 0);
        }
        Ok(())
    }

    /// A question goes to a teammate whom its asker may ask; the asker's turn waits for the answer.
    fn send_question(&mut self, message: &Message) -> Legal {
        let (Some(asker), Some(from)) = (message.asked_by, &message.from) else { return Err("a question from nobody") };
        let Recipient::Member(to) = &message.to else { return Err("a question to nobody") };
        if !self.member(from).is_some_and(|member| member.may_ask.contains(to)) {
            return Err("an undeclared question");
        }
        let turn = self.turn_mut(asker)?;
        let call = turn.calls.iter().position(|head| head.asks.as_ref() == Some(to) && head.args == message.note);
        let call = call.ok_or("a question that no reply asked")?;
        let call = turn.calls.remove(call).call;
        turn.questions += 1;
        turn.waits_for.insert(message.id, call);
        Ok(())
    }

    /// A writer is asked for what can be prepared; the person's turn waits for it.
    fn send_mend(&mut self, message: &Message) -> Legal {
        let (Some(asker), Some(from)) = (message.asked_by, &message.from) else { return Err("asked by nobody") };
        let Recipient::Member(to) = &message.to else { return Err("nobody is asked") };
        if !self.may_mend(from, to) {
            return Err("not theirs to write anew");
        }
        let turn = self.turn_mut(asker)?;
        if turn.agent != *from {
            return Err("asked in another's turn");
        }
        turn.mends += 1;
        turn.waits_for.insert(message.id, message.outcome.to_string());
        Ok(())
    }

    /// What `turn` wrote anew is on the desk of whoever asked for it.
    fn mended(&mut self, turn: &Turn) {
        let Some(asker) = turn.message.asked_by.filter(|_| turn.message.is_mend()) else { return };
        let writes = self.member(&turn.agent).map(|member| member.writes.clone()).unwrap_or_default();
        let Some(asker) = self.turns.get_mut(&asker).map(Arc::make_mut) else { return };
        for name in writes {
            if let Some(version) = desk::newest(&self.plan, &turn.desk, &name) {
                desk::put(&self.plan, &mut asker.desk, &name, version);
            }
        }
        asker.labels = asker.labels.join(turn.labels);
    }

    /// If `question` is one and its asker still waits, `said` is what they hear.
    fn answer(&mut self, question: &Message, said: BodyRef, labels: Labels) {
        let asker = question.asked_by.and_then(|asker| self.turns.get_mut(&asker));
        let Some(turn) = asker.map(Arc::make_mut) else { return };
        let Some(call) = turn.waits_for.remove(&question.id) else { return };
        if question.is_mend() {
            return;
        }
        turn.unseen.push(Part::Result(call, said.digest));
        turn.shown_bytes += u64::from(said.bytes);
        turn.labels = turn.labels.join(labels);
    }

    /// Nobody answered `question` in time: its asker, who still waits, is told so.
    fn unanswered(&mut self, question: &Message) {
        let asker = question.asked_by.and_then(|asker| self.turns.get_mut(&asker));
        let Some(turn) = asker.map(Arc::make_mut) else { return };
        let Some(call) = turn.waits_for.remove(&question.id) else { return };
        turn.unseen.push(Part::Unanswered(call));
    }

    /// Takes a turn, or a queued message, out of the run's way; its effects are given up with it. What a person edited in
    /// it stays on its desk.
    fn give_up(&mut self, id: MessageId) -> Legal<Message> {
        if let Some(message) = self.queued.remove(&id) {
            return Ok(message);
        }
        let turn = self.turns.remove(&id).map(Arc::unwrap_or_clone).ok_or("no such message")?;
        self.asked_before.insert(id, turn.asked);
        let left: Vec<EffectId> = self.effects.iter().filter(|(_, e)| e.message == id).map(|(id, _)| *id).collect();
        for id in left {
            if let Some(effect) = self.effects.remove(&id) {
                self.ledger.settle(&effect.agent, effect.reserved, Amount::default())?;
            }
        }
        Ok(Message { desk: turn.desk, ..turn.message })
    }

    fn dead_letter(&mut self, message: MessageId, class: Class, reason: Reason) -> Legal {
        let message = self.give_up(message)?;
        self.dead.insert(message.id, DeadLetter { message, class, reason });
        Ok(())
    }

    fn answer_dead_letter(&mut self, message: MessageId, answer: DeadLetterAnswer) -> Legal {
        let letter = self.dead.remove(&message).ok_or("no such dead letter")?;
        match answer {
            DeadLetterAnswer::Retry => self.queued.insert(letter.message),
            DeadLetterAnswer::Discard | DeadLetterAnswer::Stop => {
                // Whoever asked is answered with what the question failed of; a question breaks no rule.
                let told = letter.reason.told().unwrap_or(letter.message.note);
                self.answer(&letter.message, told, Labels::default());
            }
        }
        Ok(())
    }

    fn died(&mut self, at: Timestamp, agent: &AgentName, message: MessageId) -> Legal {
        let turn = self.turn_mut(message)?;
        (turn.deaths, turn.died_at) = (turn.deaths + 1, Some(at));
        self.agents.entry(agent.clone()).or_default().died_at = Some(at);
        Ok(())
    }

    fn restart(&mut self, at: Timestamp, agent: &AgentName, not_before: Timestamp) -> Legal {
        let within_ms = self.plan.supervisor.within_ms;
        let agent = self.agents.entry(agent.clone()).or_default();
        agent.restarts.retain(|then| at.ms_since(*then) < within_ms);
        agent.restarts.push_back(at);
        agent.restarts_total += 1;
        agent.not_before = not_before;
        Ok(())
    }

    fn turn_mut(&mut self, message: MessageId) -> Legal<&mut Turn> {
        self.turns.get_mut(&message).map(Arc::make_mut).ok_or("no such turn")
    }

    fn effect_mut(&mut self, id: EffectId) -> Legal<&mut Effect> {
        self.effects.get_mut(&id).map(Arc::make_mut).ok_or("the effect is not outstanding")
    }

    fn count_active_time(&mut self, at: Timestamp) {
        let halted = self.ended.is_some() || self.paused.is_some();
        let busy = !halted && self.effects.values().any(|e| e.doubt.is_none() && e.failed.is_none());
        match (self.ledger.active_since, busy) {
            (None, true) => self.ledger.active_since = Some(at),
            (Some(since), false) => {
                self.ledger.active_ms += at.ms_since(since);
                self.ledger.active_since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
}

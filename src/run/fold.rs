//! The fold: the only place where a run's state changes. Total over legal histories; an event that is illegal in a
//! state is an error value, and changes nothing that anybody sees.

use super::event::{ActHead, Amount, Closed, Decision, Ending, Event, Fact, Message, Part, Settled, Version, Wish};
use super::state::{Approval, Began, DeadLetter, Effect, Fate, Permit, State, Turn};
use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, EffectId, MessageId, Timestamp};
use crate::run::event::{BodyRef, Manifest, Replied};
use crate::topology::plan::{Recipient, Role};
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
        if self.ended.is_some() && !matches!(fact.is, Event::Opened { .. } | Event::InputRefused { .. }) {
            return Err(Illegal { event: fact.is.kind(), why: "the run is over" });
        }
        self.now = fact.at;
        self.fold(fact.at, &fact.is).map_err(|why| Illegal { event: fact.is.kind(), why })?;
        self.count_active_time(fact.at);
        Ok(())
    }

    fn fold(&mut self, at: Timestamp, event: &Event) -> Legal {
        match event {
            Event::Started { brief, by, .. } => {
                self.brief = Some(*brief);
                self.starter = Some(by.clone());
            }
            Event::Opened { epoch } => self.open(*epoch)?,
            Event::Heard { place, .. } | Event::InputRefused { place, .. } => self.hear(*place)?,
            Event::MessageSent(message) => self.send(message)?,
            Event::TurnBegan { message } => self.begin_turn(*message)?,
            Event::EffectAsked { id, message, ordinal, wish, reserved } => {
                self.ask(at, *id, *message, *ordinal, wish, *reserved)?;
            }
            Event::EffectBegan { id, epoch, not_after } => self.begin_effect(at, *id, *epoch, *not_after)?,
            Event::EffectSettled { id, spent, result } => self.settle(*id, *spent, result)?,
            Event::EffectFailed { id, class, reason, spent, last } => self.fail(*id, *class, *reason, *spent, *last)?,
            Event::RetryPlanned { id, attempt, reserved, not_before } => {
                self.retry(*id, *attempt, *reserved, *not_before)?;
            }
            Event::FellInDoubt { id, ask_from } => {
                let effect = self.effect_mut(*id)?;
                let began = effect.began.ok_or("it never began")?;
                effect.doubt = Some(*ask_from);
                effect.unsure.get_or_insert(began.first_at);
                effect.asked_about = false;
            }
            Event::VersionWritten(version) => self.write(version)?,
            Event::AnswerRefused { message, problems } => {
                let turn = self.turn_mut(*message)?;
                turn.answers_refused += 1;
                turn.shown_bytes += u64::from(problems.bytes);
                turn.unseen.push(Part::Problems(problems.digest));
            }
            Event::TurnEnded { message, .. } => self.end_turn(*message)?,
            Event::DeadLettered { message, class, reason } => {
                let message = self.give_up(*message)?;
                self.dead.insert(message.id, DeadLetter { message, class: *class, reason: *reason });
            }
            Event::DeadLetterAnswered { message, answer, .. } => {
                let letter = self.dead.remove(message).ok_or("no such dead letter")?;
                if *answer == super::event::DeadLetterAnswer::Retry {
                    self.queued.insert(*message, letter.message);
                }
            }
            _ => return self.fold_decisions(at, event),
        }
        Ok(())
    }

    fn fold_decisions(&mut self, at: Timestamp, event: &Event) -> Legal {
        match event {
            Event::ApprovalAsked { no, message, binds, replaces, expires_at } => {
                self.ask_approval(at, *no, *message, *binds, *replaces, *expires_at)?;
            }
            Event::ApprovalDecided { no, by, decision, .. } => {
                let needed = self.needed(*no)?;
                let approval = self.open_approval_mut(*no)?;
                if *decision == Decision::Approve {
                    approval.approved_by.insert(by.name.clone());
                }
                if *decision != Decision::Approve || approval.approved_by.len() >= needed {
                    approval.fate = Some(Fate::Decided(by.clone(), *decision));
                }
            }
            Event::ApprovalClosed { no, why } => {
                self.open_approval_mut(*no)?.fate = Some(match why {
                    Closed::Edited => Fate::Edited(None),
                    Closed::Expired | Closed::RunEnded => Fate::Lapsed,
                });
            }
            Event::ApprovalOverdue { no } => self.open_approval_mut(*no)?.overdue = true,
            Event::PermitGiven { no, manifest, slots } => self.permit(*no, *manifest, *slots)?,
            Event::QuestionAsked { no, effect } => {
                self.effect_mut(*effect)?.asked_about = true;
                self.questions.insert(*no, *effect);
            }
            Event::QuestionAnswered { no, happened, .. } => {
                let id = self.questions.remove(no).ok_or("no such question")?;
                self.effect_mut(id)?.asked_about = false;
                if !*happened {
                    self.not_performed(id)?;
                }
            }
            Event::AgentFailed { message, .. } => self.turn_mut(*message)?.deaths += 1,
            Event::AgentRestarted { agent, not_before } => {
                let within_ms = self.plan.supervisor.within_ms;
                let agent = self.agents.entry(agent.clone()).or_default();
                agent.restarts.retain(|then| at.ms_since(*then) < within_ms);
                agent.restarts.push_back(at);
                agent.restarts_total += 1;
                agent.not_before = *not_before;
            }
            Event::Paused { why } => self.paused = Some(why.clone()),
            Event::Resumed { .. } => {
                self.paused = None;
                // A pause for intensity was answered by a person: the window starts anew.
                self.agents.values_mut().for_each(|agent| agent.restarts.clear());
            }
            Event::BudgetRaised { raise, .. } => self.ledger.raise = self.ledger.raise.clone().or(raise),
            Event::CancelAsked { by } => {
                self.cancelled_by = Some(by.clone());
                self.paused = None;
            }
            Event::Ended { how } => self.end(*how)?,
            _ => return Err("not folded anywhere"),
        }
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
        if let Some(from) = &message.from {
            let handoff = self.handoff(from, &message.outcome).ok_or("an undeclared handoff")?;
            let declared = handoff.rounds.as_ref().filter(|_| message.exhausted).map_or(&handoff.to, |r| &r.then);
            if *declared != message.to {
                return Err("an undeclared handoff");
            }
            let key = (from.clone(), message.outcome.clone());
            if !message.exhausted {
                self.rounds.insert(key, message.round);
            }
        }
        match &message.to {
            Recipient::Member(agent) if self.plan.team.contains_key(agent) => {
                self.queued.insert(message.id, message.clone());
            }
            Recipient::Member(_) => return Err("no such member"),
            Recipient::End => self.results.push(message.clone()),
        }
        Ok(())
    }

    fn begin_turn(&mut self, id: MessageId) -> Legal {
        let message = self.queued.remove(&id).ok_or("the message is not queued")?;
        let Recipient::Member(agent) = message.to.clone() else { return Err("a result is not handled") };
        let known = self.agents.entry(agent.clone()).or_default();
        known.turns += 1;
        known.turns_total += 1;
        let (unseen, shown_bytes, labels) = self.first_parts(&agent, &message);
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
            answers_refused: 0,
            policy_strikes: 0,
            shown_bytes,
            labels,
            line: None,
            approval: None,
            permit: None,
            failed: None,
            deaths: 0,
        };
        self.turns.insert(id, turn);
        Ok(())
    }

    /// What a turn's first request shows, the bytes and the labels of all that.
    fn first_parts(&self, agent: &AgentName, message: &Message) -> (Vec<Part>, u64, Labels) {
        let mut parts = vec![Part::Instructions];
        let mut labels = Labels::default();
        let mut bytes = u64::from(message.note.bytes) + self.brief.map_or(0, |brief| u64::from(brief.bytes));
        parts.extend(self.brief.map(|brief| Part::Brief(brief.digest)));
        parts.push(Part::Note(message.note.digest));
        for read in self.member(agent).into_iter().flat_map(|member| &member.reads) {
            let Some(digest) = message.desk.get(&read.artefact) else { continue };
            parts.push(Part::Artefact(read.artefact.clone(), *digest));
            if let Some(version) = self.versions.get(digest) {
                labels = labels.join(version.labels);
                bytes += u64::from(version.body.bytes) + version.findings.map_or(0, |f| u64::from(f.bytes));
                parts.extend(version.findings.map(|f| Part::Findings(read.artefact.clone(), f.digest)));
            }
        }
        (parts, bytes, labels)
    }

    fn ask(
        &mut self,
        at: Timestamp,
        id: EffectId,
        message: MessageId,
        ordinal: u32,
        wish: &Wish,
        reserved: Amount,
    ) -> Legal {
        if self.effects.contains_key(&id) {
            return Err("the effect is outstanding");
        }
        let turn = self.turn_mut(message)?;
        if ordinal != turn.asked {
            return Err("effects are numbered without gaps");
        }
        turn.asked += 1;
        match wish {
            Wish::Model { .. } => {
                turn.model = Some(id);
                let unseen = std::mem::take(&mut turn.unseen);
                turn.shown.extend(unseen);
                turn.steps += 1;
            }
            Wish::Tool { call, .. } => {
                turn.calls.retain(|head| head.call != *call);
                turn.steps += 1;
            }
            Wish::Own { .. } => turn.steps += 1,
            Wish::Deliver { slot, permit, .. } => {
                turn.permit = Some(*permit);
                let permit = self.permits.get_mut(permit).ok_or("no such permit")?;
                if !permit.used.insert(*slot) {
                    return Err("the permit's slot is used");
                }
            }
            Wish::Query { about } | Wish::Question { about } => self.effect_mut(*about)?.asked_about = true,
            Wish::Prepare { .. } => {}
        }
        let agent = self.turn_mut(message)?.agent.clone();
        self.ledger.reserve(&agent, reserved);
        let effect = Effect {
            message,
            agent,
            ordinal,
            wish: wish.clone(),
            reserved,
            asked_at: at,
            attempt: 1,
            not_before: at,
            began: None,
            doubt: None,
            unsure: None,
            asked_about: false,
            failed: None,
        };
        self.effects.insert(id, effect);
        Ok(())
    }

    fn begin_effect(&mut self, at: Timestamp, id: EffectId, epoch: crate::id::Epoch, not_after: Timestamp) -> Legal {
        let now = self.epoch;
        let effect = self.effect_mut(id)?;
        if epoch != now || !matches!(effect.wish, Wish::Deliver { .. }) {
            return Err("only an outward effect begins, under its owner");
        }
        let first_at = effect.unsure.unwrap_or(at);
        effect.began = Some(Began { epoch, first_at, not_after });
        effect.doubt = None;
        effect.asked_about = false;
        Ok(())
    }

    fn settle(&mut self, id: EffectId, spent: Amount, result: &Settled) -> Legal {
        let effect = self.effects.remove(&id).ok_or("the effect is not outstanding")?;
        self.ledger.settle(&effect.agent, effect.reserved, spent)?;
        match result {
            Settled::Replied(replied) => self.take_reply(effect.message, replied)?,
            Settled::Returned { body, labels, .. } => {
                let turn = self.turn_mut(effect.message)?;
                turn.labels = turn.labels.join(*labels);
                turn.shown_bytes += u64::from(body.bytes);
                if let Wish::Tool { call, .. } = effect.wish {
                    turn.unseen.push(Part::Result(call, body.digest));
                }
            }
            Settled::Prepared { no, manifest } => {
                let turn = self.turn_mut(effect.message)?;
                turn.approval = Some(*no);
                let (agent, desk) = (turn.agent.clone(), turn.desk.clone());
                self.prepared(*no, effect.message, agent, desk, manifest.clone());
            }
            Settled::Performed { .. } | Settled::Numbered { .. } => {}
            Settled::NotPerformed => {
                let Wish::Query { about } = effect.wish else { return Err("only a query can say so") };
                self.not_performed(about)?;
            }
        }
        Ok(())
    }

    /// Nothing will happen any more. What is set aside is given back, but for what may have happened: that stays to be
    /// seen. A broken run stays as it is.
    fn end(&mut self, how: Ending) -> Legal {
        self.ended = Some(how);
        if how == Ending::Bug {
            return Ok(());
        }
        self.questions.clear();
        let over = |effect: &Effect| effect.doubt.is_none();
        for (_, effect) in self.effects.extract_if(.., |_, effect| over(effect)) {
            self.ledger.settle(&effect.agent, effect.reserved, Amount::default())?;
        }
        Ok(())
    }

    /// It is known that `id` did not happen: it begins anew.
    fn not_performed(&mut self, id: EffectId) -> Legal {
        let effect = self.effect_mut(id)?;
        (effect.began, effect.doubt, effect.unsure, effect.asked_about) = (None, None, None, false);
        Ok(())
    }

    fn take_reply(&mut self, message: MessageId, replied: &Replied) -> Legal {
        let turn = self.turn_mut(message)?;
        turn.unseen.push(Part::Reply(replied.body.digest));
        turn.shown_bytes += u64::from(replied.body.bytes);
        if turn.line != replied.line {
            turn.line = replied.line;
        }
        if let ActHead::Calls(calls) = &replied.act {
            for call in calls {
                match call.refused {
                    Some(refused) => turn.unseen.push(Part::Result(call.call.clone(), refused.digest)),
                    None => turn.calls.push(call.clone()),
                }
            }
            if calls.iter().any(|call| call.refused.is_some()) {
                turn.policy_strikes += 1;
            }
        }
        let agent = turn.agent.clone();
        if let (Some(line), Some(agent)) = (replied.line, self.agents.get_mut(&agent))
            && !agent.lines_used.contains(&line)
        {
            agent.lines_used.push(line);
        }
        Ok(())
    }

    fn fail(&mut self, id: EffectId, class: Class, reason: BodyRef, spent: Amount, last: bool) -> Legal {
        let effect = self.effects.get_mut(&id).ok_or("the effect is not outstanding")?;
        let (agent, reserved) = (effect.agent.clone(), effect.reserved);
        effect.reserved = Amount::default();
        effect.failed = Some(class);
        if last && let Some(effect) = self.effects.remove(&id) {
            if effect.is_outward() {
                self.turn_mut(effect.message)?.failed = Some((class, reason));
            }
            self.free_slot(&effect);
            if let Wish::Query { about } = effect.wish {
                self.effect_mut(about)?.asked_about = false;
            }
        }
        self.ledger.settle(&agent, reserved, spent)
    }

    /// An item that surely was not performed leaves its slot to a later attempt.
    fn free_slot(&mut self, effect: &Effect) {
        if let Wish::Deliver { permit, slot, .. } = &effect.wish
            && effect.doubt.is_none()
            && let Some(permit) = self.permits.get_mut(permit)
        {
            permit.used.remove(slot);
        }
    }

    fn retry(&mut self, id: EffectId, attempt: u32, reserved: Amount, not_before: Timestamp) -> Legal {
        let effect = self.effects.get_mut(&id).ok_or("the effect is not outstanding")?;
        effect.attempt = attempt;
        effect.failed = None;
        effect.began = None;
        effect.not_before = not_before;
        effect.reserved = reserved;
        let agent = effect.agent.clone();
        self.ledger.reserve(&agent, reserved);
        Ok(())
    }

    fn write(&mut self, version: &Version) -> Legal {
        let turn = self.turn_mut(version.message)?;
        turn.desk.insert(version.artefact.clone(), version.body.digest);
        self.versions.insert(version.body.digest, version.clone());
        Ok(())
    }

    fn end_turn(&mut self, message: MessageId) -> Legal {
        let turn = self.turns.remove(&message).ok_or("no such turn")?;
        if self.effects.values().any(|effect| effect.message == message) {
            return Err("the turn still has effects under way");
        }
        if self.is_person(&turn.agent) {
            self.rounds.retain(|(from, _), _| *from == turn.agent);
            self.agents.values_mut().for_each(|agent| agent.turns = 0);
        }
        Ok(())
    }

    /// Takes a turn, or a queued message, out of the run's way; its effects are given up with it. What a person edited in
    /// it stays on its desk.
    fn give_up(&mut self, id: MessageId) -> Legal<Message> {
        if let Some(message) = self.queued.remove(&id) {
            return Ok(message);
        }
        let turn = self.turns.remove(&id).ok_or("no such message")?;
        self.asked_before.insert(id, turn.asked);
        let left: Vec<EffectId> = self.effects.iter().filter(|(_, e)| e.message == id).map(|(id, _)| *id).collect();
        for id in left {
            if let Some(effect) = self.effects.remove(&id) {
                self.ledger.settle(&effect.agent, effect.reserved, Amount::default())?;
            }
        }
        Ok(Message { desk: turn.desk, ..turn.message })
    }

    /// An approval that is prepared and about to be asked for; closed until [`Event::ApprovalAsked`] opens it.
    fn prepared(
        &mut self,
        no: ApprovalNo,
        message: MessageId,
        agent: AgentName,
        desk: std::collections::BTreeMap<crate::id::ArtefactName, crate::id::Digest>,
        manifest: Option<Manifest>,
    ) {
        let binds = manifest.as_ref().map_or_else(|| super::binds_desk(&desk), |manifest| manifest.body.digest);
        let approval = Approval {
            message,
            agent,
            binds,
            manifest,
            desk,
            asked_at: self.now,
            expires_at: self.now,
            overdue: false,
            approved_by: std::collections::BTreeSet::new(),
            fate: Some(Fate::Lapsed),
        };
        self.approvals.insert(no, approval);
    }

    fn ask_approval(
        &mut self,
        at: Timestamp,
        no: ApprovalNo,
        message: MessageId,
        binds: crate::id::Digest,
        replaces: Option<ApprovalNo>,
        expires_at: Timestamp,
    ) -> Legal {
        let approval = self.approvals.get_mut(&no).ok_or("nothing was prepared")?;
        if approval.binds != binds || approval.message != message {
            return Err("it binds something else than was prepared");
        }
        approval.asked_at = at;
        approval.expires_at = expires_at;
        approval.fate = None;
        if let Some(old) = replaces.and_then(|old| self.approvals.get_mut(&old)) {
            old.fate = Some(Fate::Edited(Some(no)));
        }
        Ok(())
    }

    fn permit(&mut self, no: ApprovalNo, manifest: crate::id::Digest, slots: u32) -> Legal {
        let approval = self.approvals.get(&no).ok_or("no such approval")?;
        let Some(Fate::Decided(_, Decision::Approve)) = approval.fate else { return Err("it is not approved") };
        let bound = approval.manifest.clone().ok_or("nothing outward was approved")?;
        if bound.body.digest != manifest || bound.items.len() != slots as usize {
            return Err("another manifest was approved");
        }
        let Some(Role::Person(person)) = self.member(&approval.agent).map(|member| &member.role) else {
            return Err("only a person approves");
        };
        let member = person.binds.clone().ok_or("nothing outward follows")?;
        self.permits.insert(no, Permit { manifest: bound, member, used: std::collections::BTreeSet::new() });
        Ok(())
    }

    fn needed(&self, no: ApprovalNo) -> Legal<usize> {
        let approval = self.approvals.get(&no).ok_or("no such approval")?;
        match self.member(&approval.agent).map(|member| &member.role) {
            Some(Role::Person(person)) => Ok(person.needed.max(1) as usize),
            _ => Err("only a person approves"),
        }
    }

    fn open_approval_mut(&mut self, no: ApprovalNo) -> Legal<&mut Approval> {
        self.approvals.get_mut(&no).filter(|approval| approval.fate.is_none()).ok_or("the approval is not open")
    }

    fn turn_mut(&mut self, message: MessageId) -> Legal<&mut Turn> {
        self.turns.get_mut(&message).ok_or("no such turn")
    }

    fn effect_mut(&mut self, id: EffectId) -> Legal<&mut Effect> {
        self.effects.get_mut(&id).ok_or("the effect is not outstanding")
    }

    fn count_active_time(&mut self, at: Timestamp) {
        let on = self.ended.is_none() && self.paused.is_none();
        let busy = on && self.effects.values().any(|e| e.doubt.is_none() && e.failed.is_none());
        match (self.ledger.active_since, busy) {
            (None, true) => self.ledger.active_since = Some(at),
            (Some(since), false) => {
                self.ledger.active_ms += at.ms_since(since);
                self.ledger.active_since = None;
            }
            _ => {}
        }
    }
}

impl super::state::Ledger {
    fn reserve(&mut self, agent: &AgentName, amount: Amount) {
        self.reserved = self.reserved.plus(amount);
        let account = self.by_agent.entry(agent.clone()).or_default();
        account.reserved = account.reserved.plus(amount);
    }

    fn settle(&mut self, agent: &AgentName, reserved: Amount, spent: Amount) -> Legal {
        const LEAK: &str = "more is settled than was reserved";
        self.reserved = self.reserved.minus(reserved).ok_or(LEAK)?;
        self.spent = self.spent.plus(spent);
        let account = self.by_agent.entry(agent.clone()).or_default();
        account.reserved = account.reserved.minus(reserved).ok_or(LEAK)?;
        account.spent = account.spent.plus(spent);
        Ok(())
    }
}

impl super::event::Raise {
    /// This, with what `newer` says instead.
    #[must_use]
    pub fn or(self, newer: &Self) -> Self {
        Self {
            steps: newer.steps.or(self.steps),
            tokens: newer.tokens.or(self.tokens),
            cost: newer.cost.or(self.cost),
            active_ms: newer.active_ms.or(self.active_ms),
            recipients: newer.recipients.or(self.recipients),
            turns: newer.turns.or(self.turns),
            steps_per_turn: newer.steps_per_turn.or(self.steps_per_turn),
        }
    }
}

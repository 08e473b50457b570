//! What effects come to in a state: reservations, permits' slots, what a turn is shown next.

use std::sync::Arc;

use super::Legal;
use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, EffectId, Epoch, MessageId, Outcome, Timestamp};
use crate::run::event::{
    ActHead, Amount, BodyRef, CallHead, Ending, Limit, Part, Raise, Reason, Replied, Settled, Wish,
};
use crate::run::state::{Began, Effect, Given, InVain, Ledger, State, Turn};
use crate::topology::plan::Role;
use crate::topology::spec::Repeat;

impl State {
    pub(super) fn ask(
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
            Wish::Model { shown, .. } => {
                turn.model = Some(id);
                // What it was shown is what the record says, also where an older callsheet would have shown less.
                turn.unseen.clear();
                turn.shown.extend(shown.iter().cloned());
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
            Wish::Prepare { .. } | Wish::Rule => {}
        }
        let agent = self.turn_mut(message)?.agent.clone();
        self.ledger.reserve(&agent, reserved);
        let steps_left = self.steps_left(&agent, message);
        let model = matches!(wish, Wish::Model { .. }).then(|| self.model_of(&agent, at)).flatten();
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
            for_person: false,
            why: None,
            failed: None,
            model,
            doubts: 0,
            doubted_of: None,
            attempts_before: 0,
            waited: 0,
            paid_in_vain: 0,
            steps_left,
            output_tokens: None,
        };
        self.effects.insert(id, Arc::new(effect));
        Ok(())
    }

    /// Steps that fit into the turn, and into the run, after what is asked for.
    fn steps_left(&self, agent: &AgentName, message: MessageId) -> u32 {
        let used = self.turns.get(&message).map_or(0, |turn| turn.steps);
        let in_turn = self.steps_per_turn(agent).saturating_sub(used);
        let asked = self.ledger.spent.steps.saturating_add(self.ledger.reserved.steps);
        let in_run = self.limit(Limit::Steps).map(|limit| limit.saturating_sub(asked));
        in_run.map_or(in_turn, |in_run| in_turn.min(u32::try_from(in_run).unwrap_or(u32::MAX)))
    }

    pub(super) fn begin_effect(&mut self, at: Timestamp, id: EffectId, epoch: Epoch, not_after: Timestamp) -> Legal {
        let effect = self.effects.get(&id).ok_or("the effect is not outstanding")?;
        let Wish::Deliver { permit, slot, .. } = effect.wish else { return Err("only an outward effect begins") };
        if epoch != self.epoch {
            return Err("it begins under its owner");
        }
        let permit = self.permits.get(&permit).filter(|permit| permit.holds(slot, at));
        let permit = permit.ok_or("its permit does not hold")?;
        if at < permit.leaves_at(slot) {
            return Err("its day has not come");
        }
        if at < permit.open_from(at) {
            return Err("it is quiet");
        }
        let effect = self.effect_mut(id)?;
        let first_at = effect.unsure.unwrap_or(at);
        effect.began = Some(Began { epoch, at, first_at, not_after });
        effect.doubt = None;
        effect.asked_about = false;
        (effect.for_person, effect.why) = (false, None);
        Ok(())
    }

    /// Another model is asked, from its first attempt on.
    pub(super) fn switch(&mut self, id: EffectId, from: &str, to: &str, until: Option<Timestamp>) -> Legal {
        let effect = self.effect_mut(id)?;
        effect.model = Some(to.to_owned());
        (effect.attempts_before, effect.waited, effect.paid_in_vain) = (effect.attempt, 0, 0);
        if let Some(until) = until {
            self.detours.insert(from.to_owned(), (to.to_owned(), until));
        }
        Ok(())
    }

    pub(super) fn doubt(
        &mut self,
        id: EffectId,
        ask_from: Timestamp,
        why: Option<BodyRef>,
        failed: Option<BodyRef>,
    ) -> Legal {
        let effect = self.effect_mut(id)?;
        let began = effect.began.ok_or("it never began")?;
        effect.doubt = Some(ask_from);
        effect.unsure.get_or_insert(began.first_at);
        effect.asked_about = false;
        (effect.for_person, effect.why) = (why.is_some(), why.map(Reason::Told));
        if failed.is_some() {
            (effect.doubts, effect.doubted_of) = (effect.doubts + 1, failed);
        }
        Ok(())
    }

    pub(super) fn question(&mut self, no: ApprovalNo, id: EffectId) -> Legal {
        self.effect_mut(id)?.asked_about = true;
        self.questions.insert(no, id);
        Ok(())
    }

    pub(super) fn answer_question(&mut self, no: ApprovalNo, happened: bool) -> Legal {
        let id = self.questions.remove(&no).ok_or("no such question")?;
        let effect = self.effect_mut(id)?;
        (effect.asked_about, effect.doubts) = (false, 0);
        if happened { Ok(()) } else { self.not_performed(id) }
    }

    pub(super) fn settle(&mut self, id: EffectId, spent: Amount, result: &Settled) -> Legal {
        let effect = self.effects.remove(&id).ok_or("the effect is not outstanding")?;
        self.ledger.settle(&effect.agent, effect.reserved, spent)?;
        match result {
            Settled::Replied(replied) => self.take_reply(effect.message, replied)?,
            Settled::Returned { body, labels, .. } => {
                if let (Wish::Tool { tool, .. } | Wish::Own { tool }, false) =
                    (&effect.wish, self.plan.checks.is_empty())
                {
                    let (tool, agent, message) = (tool.clone(), effect.agent.clone(), effect.message);
                    self.given.push(Given { id, tool, agent, message, ordinal: effect.ordinal, result: body.digest });
                }
                let turn = self.turn_mut(effect.message)?;
                turn.labels = turn.labels.join(*labels);
                turn.shown_bytes += u64::from(body.bytes);
                if let Wish::Tool { call, .. } = &effect.wish {
                    turn.unseen.push(Part::Result(call.clone(), body.digest));
                }
            }
            Settled::Prepared { no, manifest, rules } => {
                let turn = self.turn_mut(effect.message)?;
                turn.approval = Some(*no);
                let (agent, desk) = (turn.agent.clone(), turn.desk.clone());
                self.prepared(*no, effect.message, agent, desk, (manifest.clone(), rules.clone()));
            }
            Settled::Ruled { outcome, line, .. } => self.ruled(&effect, outcome, *line)?,
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
    pub(super) fn end(&mut self, how: Ending) -> Legal {
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
        (effect.for_person, effect.why) = (false, None);
        Ok(())
    }

    /// A rule's own line says so, or its `else` if none held.
    fn ruled(&self, effect: &Effect, outcome: &Outcome, line: Option<u32>) -> Legal {
        let Some(Role::Rule(rule)) = self.member(&effect.agent).map(|member| &member.role) else {
            return Err("only a rule decides by itself");
        };
        if rule.outcome(line) == Some(outcome) { Ok(()) } else { Err("the rule says otherwise") }
    }

    fn take_reply(&mut self, message: MessageId, replied: &Replied) -> Legal {
        let turn = self.turn_mut(message)?;
        turn.unseen.push(Part::Reply(replied.body.digest));
        turn.shown_bytes += u64::from(replied.body.bytes);
        (turn.line, turn.origin) = (replied.line, replied.origin);
        if let ActHead::Calls(calls) = &replied.act {
            for call in calls {
                match call.refused {
                    Some(refused) => turn.unseen.push(Part::Result(call.call.clone(), refused.digest)),
                    None => turn.calls.push(call.clone()),
                }
            }
            let refused = |call: &&CallHead| call.refused.is_some() && !call.again;
            turn.withheld.extend(calls.iter().filter(|call| call.again).map(|call| call.tool.clone()));
            turn.policy_strikes += u32::from(calls.iter().filter(refused).any(|call| !call.misfit));
            let misfits = calls.iter().filter(refused).any(|call| call.misfit);
            turn.answers_refused = if misfits { turn.answers_refused + 1 } else { 0 };
        }
        let key = (turn.agent.clone(), turn.message.branch.clone());
        if let (Some(line), Some(past)) = (replied.line, self.pasts.get_mut(&key))
            && !past.lines_used.contains(&line)
        {
            past.lines_used.push(line);
        }
        Ok(())
    }

    pub(super) fn fail(&mut self, id: EffectId, class: Class, reason: Reason, spent: Amount, last: bool) -> Legal {
        let now = self.now;
        let effect = self.effect_mut(id)?;
        let (agent, reserved) = (effect.agent.clone(), effect.reserved);
        effect.waited += u32::from(effect.only_waits(class, now));
        effect.paid_in_vain += u32::from(class == Class::Transient && spent.tokens > 0);
        effect.reserved = Amount::default();
        effect.failed = Some(class);
        if last && let Some(effect) = self.effects.remove(&id) {
            if effect.is_outward() {
                self.turn_mut(effect.message)?.failed = Some((class, reason));
            }
            self.free_slot(&effect);
            if let Wish::Query { about } = effect.wish {
                let about = self.effect_mut(about)?;
                (about.asked_about, about.why) = (false, Some(reason));
            }
        }
        // One that was lost with its process has no reason of its own.
        if class != Class::InDoubt && spent.tokens > 0 {
            let vain = &mut self.ledger.in_vain;
            *vain = InVain { calls: vain.calls + 1, spent: vain.spent.plus(spent), last: Some(reason) };
        }
        self.ledger.settle(&agent, reserved, spent)
    }

    /// An item that surely was not performed leaves its slot to a later attempt.
    fn free_slot(&mut self, effect: &Effect) {
        if let Wish::Deliver { permit, slot, .. } = &effect.wish
            && (effect.doubt.is_none() || self.repeat(effect) == Repeat::Pure)
            && let Some(permit) = self.permits.get_mut(permit)
        {
            permit.used.remove(slot);
        }
    }

    pub(super) fn retry(
        &mut self,
        id: EffectId,
        attempt: u32,
        reserved: Amount,
        not_before: Timestamp,
        output_tokens: Option<u64>,
    ) -> Legal {
        let effect = self.effect_mut(id)?;
        effect.output_tokens = output_tokens.or(effect.output_tokens);
        effect.attempt = attempt;
        effect.failed = None;
        effect.began = None;
        effect.not_before = not_before;
        effect.reserved = reserved;
        let agent = effect.agent.clone();
        self.ledger.reserve(&agent, reserved);
        Ok(())
    }
}

impl Turn {
    /// Whether there is something that [`Turn::leave_out`] would leave out, and it did not yet.
    pub(in crate::run) fn can_leave_out(&self) -> bool {
        let is_memory = self.shown.iter().rposition(|part| *part == Part::Instructions).is_some_and(|at| at > 0);
        let latest = self.shown.iter().rposition(|part| matches!(part, Part::Reply(_))).unwrap_or(0);
        !self.cut && (is_memory || self.shown[..latest].iter().any(|part| matches!(part, Part::Result(..))))
    }

    /// Earlier turns, and all results but those of the latest reply, are not shown any more.
    pub(super) fn leave_out(&mut self) -> Legal {
        if std::mem::replace(&mut self.cut, true) {
            return Err("a turn is cut once");
        }
        let begins = self.shown.iter().rposition(|part| *part == Part::Instructions).unwrap_or(0);
        self.shown.drain(..begins);
        let latest = self.shown.iter().rposition(|part| matches!(part, Part::Reply(_))).unwrap_or(0);
        for part in &mut self.shown[..latest] {
            if let Part::Result(call, digest) = part {
                *part = Part::LeftOut(std::mem::take(call), *digest);
            }
        }
        // What is left out may be asked for again.
        self.withheld.clear();
        Ok(())
    }
}

impl Ledger {
    pub(super) fn raise(&mut self, raise: &Raise) -> Legal {
        self.raise = self.raise.clone().or(raise);
        Ok(())
    }

    pub(super) fn reserve(&mut self, agent: &AgentName, amount: Amount) {
        self.reserved = self.reserved.plus(amount);
        let account = self.by_agent.entry(agent.clone()).or_default();
        account.reserved = account.reserved.plus(amount);
    }

    pub(super) fn settle(&mut self, agent: &AgentName, reserved: Amount, spent: Amount) -> Legal {
        const LEAK: &str = "more is settled than was reserved";
        self.reserved = self.reserved.minus(reserved).ok_or(LEAK)?;
        self.spent = self.spent.plus(spent);
        let account = self.by_agent.entry(agent.clone()).or_default();
        account.reserved = account.reserved.minus(reserved).ok_or(LEAK)?;
        account.spent = account.spent.plus(spent);
        Ok(())
    }
}

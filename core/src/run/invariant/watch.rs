//! What must not be forgotten, folded beside a state from the same facts: every message's fate, every decision, every
//! amount, so that a fact that the state alone would take is held against all that came before it.

use std::collections::{BTreeMap, BTreeSet};

use super::branches::{Branches, Sent};
use super::broken::{Broken, Holds, ensure};
use super::comments::Comments;
use super::outward::{Effects, Permits, Permitted};
use super::rounds::Taken;
use crate::id::{ApprovalNo, ArtefactName, Digest, EffectId, Epoch, MessageId, Outcome, Timestamp};
use crate::run::branch::Branch;
use crate::run::desk::Held;
use crate::run::event::{
    Closed, DeadLetterAnswer, Decision, Ending, Event, Fact, Message, PauseReason, Settled, Version, Who, Wish,
};
use crate::run::state::{State, Wants};
use crate::topology::plan::{ANSWER, EXPIRED, Recipient, Role};
use crate::topology::rule::Rule;

/// An observer of one run, from its first fact on. It grows with the run's history.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    at: Option<Timestamp>,
    epoch: Epoch,
    messages: BTreeMap<MessageId, (Recipient, Place)>,
    causes: BTreeSet<MessageId>,
    /// Those that are in a branch.
    within: BTreeMap<MessageId, Branch>,
    branches: Branches,
    rounds: Taken,
    questions: BTreeSet<MessageId>,
    approvals: BTreeMap<ApprovalNo, Asked>,
    permits: Permits,
    /// What people put in the place of a version, by the turn that they edited in.
    edits: BTreeMap<(MessageId, ArtefactName), Digest>,
    /// What people answered, by the turn in which they were asked.
    answered: BTreeMap<MessageId, Outcome>,
    /// What rules came to, by the turn that asked them.
    ruled: BTreeMap<MessageId, Outcome>,
    comments: Comments,
    effects: Effects,
    pub(super) paused: bool,
    pub(super) cancelled: bool,
    ended: bool,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Queued,
    Turn,
    Dead,
    /// At the join of its branch.
    Arrived,
    Handled,
    Discarded,
}

/// An approval that was asked for.
#[derive(Debug, Clone)]
struct Asked {
    message: MessageId,
    binds: Digest,
    approved_by: BTreeSet<String>,
    open: bool,
    approved: bool,
}

impl Watch {
    /// Takes in `fact`, which led to `state`.
    ///
    /// # Errors
    /// The invariant that the fact breaks; the watch is then worth nothing.
    pub fn take(&mut self, state: &State, fact: &Fact) -> Result<(), Broken> {
        ensure("I12", self.at <= Some(fact.at), || format!("{} is earlier than the fact before", fact.is.kind()))?;
        ensure("I12", !self.ended || fact.is.may_follow_end(), || format!("{} after the end", fact.is.kind()))?;
        self.at = Some(fact.at);
        declared(&fact.is)?;
        self.event(state, fact)?;
        self.effects.balances(state)
    }

    /// What each event must not break, every one of them: of a new one somebody says so here, or it does not compile.
    fn event(&mut self, state: &State, fact: &Fact) -> Holds {
        match &fact.is {
            Event::Opened { epoch } => self.opened(state, *epoch),
            Event::MessageSent(message) => self.sent(state, message),
            Event::TurnBegan { message } => {
                self.begins(&fact.is)?;
                self.moved(state, *message, &[Place::Queued], Place::Turn)?;
                carries_labels(state, *message)
            }
            Event::EffectAsked { id, message, wish, reserved, .. } => {
                self.begins(&fact.is)?;
                self.effects.asked(*id, *message, wish, *reserved, fact.at)
            }
            Event::EffectBegan { id, epoch, not_after } => {
                self.begins(&fact.is)?;
                self.effects.began(state, &self.permits, fact.at, *id, *epoch, *not_after)
            }
            Event::EffectSettled { id, spent, result } => {
                self.labelled(state, *id, result)?;
                self.effects.barred(state, *id, result)?;
                self.ruled(state, *id, result)?;
                self.effects.settle(*id, *spent, result)
            }
            Event::EffectFailed { id, class, spent, last, .. } => {
                self.effects.failed(state, *id, *class, *spent, *last)
            }
            Event::RetryPlanned { id, attempt, reserved, .. } => self.effects.retry(*id, *attempt, *reserved),
            Event::FellInDoubt { id, ask_from, .. } => self.effects.doubted(state, *id, *ask_from),
            Event::VersionWritten(version) => self.written(state, version),
            Event::TurnEnded { message, outcome, .. } => self.turn_ended(state, *message, outcome),
            Event::ApprovalAsked { no, message, binds, .. } => self.approval_asked(state, *no, *message, *binds),
            Event::ApprovalDecided { no, by, decision, .. } => self.decided(state, *no, by, *decision),
            Event::CommentMade { no, by, version, blocks, .. } => self.comments.made(*no, by, *version, *blocks),
            Event::CommentReplied { no, .. } => self.comments.replied(*no),
            Event::CommentResolved { no, by, remark, .. } => self.comments.resolved(state, *no, by, remark.is_some()),
            Event::PersonAnswered { no, by, outcome, .. } => self.person_answered(state, *no, by, outcome),
            Event::Reminded { no } | Event::Escalated { no, .. } => self.still_open(state, *no),
            Event::Looked { no, .. } | Event::Assigned { no, .. } => self.still_open(state, *no),
            Event::ApprovalClosed { no, why } => self.closed(state, *no, *why),
            Event::EditRefused { no, artefact, version, .. } => self.edit_refused(state, *no, artefact, *version),
            Event::PermitGiven { no, manifest, slots } => self.permitted(state, fact.at, *no, *manifest, *slots),
            Event::PermitVoided { no, .. } => self.voided(*no),
            Event::QuestionAsked { no, effect } => self.effects.question(*no, *effect),
            Event::QuestionAnswered { no, happened, .. } => self.effects.answered(*no, *happened),
            Event::AgentFailed { message, .. } => self.killed(state, *message),
            Event::DeadLettered { message, .. } => {
                self.effects.give_up(*message)?;
                self.moved(state, *message, &[Place::Turn, Place::Queued], Place::Dead)
            }
            Event::DeadLetterAnswered { message, answer, .. } => {
                let to = if *answer == DeadLetterAnswer::Retry { Place::Queued } else { Place::Discarded };
                self.moved(state, *message, &[Place::Dead], to)
            }
            Event::Paused { why } => self.pauses(why),
            Event::Resumed { .. } => self.goes_on(false),
            Event::CancelAsked { .. } => self.goes_on(true),
            Event::Ended { how } => self.ends(state, *how),
            Event::Split { message, outcome, branches, .. } => {
                if let Some(turn) = state.turns.get(message) {
                    self.rounds.take(state, &turn.message.branch, &turn.agent, outcome, false)?;
                }
                self.branches.split(state, *message, outcome, *branches)
            }
            Event::CalledOff { branch } => self.called_off(state, branch),
            // Nothing that has to be remembered: the state alone refuses these where they cannot be.
            Event::Started { .. } | Event::Heard { .. } | Event::InputRefused { .. } | Event::NoteLeft { .. } => Ok(()),
            Event::Followed { .. } | Event::ResultsAttached { .. } | Event::AnswerRefused { .. } => Ok(()),
            Event::ModelSwitched { .. } | Event::ContextCut { .. } => Ok(()),
            Event::ApprovalOverdue { .. } | Event::AgentRestarted { .. } | Event::BudgetRaised { .. } => Ok(()),
        }
    }

    fn voided(&self, no: ApprovalNo) -> Holds {
        let refused = self.permits.get(&no).is_some_and(|permit| permit.refused);
        ensure("I8", refused, || format!("permit {no} is void, and nobody said no to what it rests on"))
    }

    /// While a run is paused or being cancelled, nothing new begins.
    fn begins(&self, event: &Event) -> Holds {
        // A cancelled run still asks what became of what it began.
        let asks = self.cancelled && matches!(event, Event::EffectAsked { wish: Wish::Query { .. }, .. });
        let quiet = self.paused || self.cancelled;
        ensure("pause", asks || !quiet, || format!("{} in a run that is paused or cancelled", event.kind()))
    }

    fn pauses(&mut self, why: &PauseReason) -> Holds {
        let over = self.paused && matches!(why, PauseReason::Budget { .. });
        self.paused = true;
        ensure("pause", !over, || "a budget takes the place of another reason to pause".to_owned())
    }

    /// A run that was paused goes on: to where it was going, or to its end.
    fn goes_on(&mut self, cancelled: bool) -> Holds {
        (self.paused, self.cancelled) = (false, self.cancelled || cancelled);
        Ok(())
    }

    fn ends(&mut self, state: &State, how: Ending) -> Holds {
        self.ended = true;
        // A broken run keeps its evidence as it is.
        if how == Ending::Bug { Ok(()) } else { self.effects.left(state) }
    }

    /// I13: every owner is a later one.
    fn opened(&mut self, state: &State, epoch: Epoch) -> Holds {
        let newer = epoch > self.epoch && epoch == state.epoch;
        ensure("I13", newer, || format!("epoch {epoch} after {}", self.epoch))?;
        self.epoch = epoch;
        self.effects.opened(state);
        Ok(())
    }

    /// I2: a turn ends when nothing of it is under way.
    fn turn_ended(&mut self, state: &State, message: MessageId, outcome: &Outcome) -> Holds {
        self.outcome(state, message, outcome)?;
        let said = rule(state, self.messages.get(&message)).is_none() || self.ruled.get(&message) == Some(outcome);
        ensure("I9", said, || format!("{message} ends with {outcome}, and its rule did not say so"))?;
        let busy = self.effects.open(message).next().is_some();
        ensure("I2", !busy, || format!("{message} ended with effects under way"))?;
        if let Some((Recipient::Member(agent), _)) = self.messages.get(&message)
            && state.decides(agent)
            && !self.questions.contains(&message)
        {
            let run = Branch::default();
            self.rounds.decided(self.within.get(&message).unwrap_or(&run), agent);
        }
        self.moved(state, message, &[Place::Turn], Place::Handled)
    }

    /// I9: what a rule comes to is what its own line says.
    fn ruled(&mut self, state: &State, id: EffectId, result: &Settled) -> Holds {
        let Settled::Ruled { outcome, line, .. } = result else { return Ok(()) };
        let message = self.effects.rule(id);
        let rule = message.and_then(|message| rule(state, self.messages.get(&message)));
        let said = rule.and_then(|rule| rule.outcome(*line));
        ensure("I9", said == Some(outcome), || format!("{} rules {outcome}, and its line does not", id.0.short()))?;
        self.ruled.extend(message.map(|message| (message, outcome.clone())));
        Ok(())
    }

    /// I1: a message that kills its agent is taken away from it.
    fn killed(&self, state: &State, message: MessageId) -> Holds {
        let deaths = state.turns.get(&message).map_or(0, |turn| turn.deaths);
        let outward = self.effects.open(message).any(|id| self.effects.is_outward(id));
        let failed = self.effects.has_failed(message);
        ensure("I2", failed, || format!("{message} is blamed for a death, and no attempt of it failed"))?;
        let poison = deaths > state.plan.supervisor.poison_after && !outward;
        ensure("I1", !poison, || format!("{message} has killed its agent {deaths} times"))
    }

    /// I1, I2: a branch that nobody waits for ends where it is, and nobody is asked in it any more.
    fn called_off(&mut self, state: &State, branch: &Branch) -> Holds {
        self.branches.called_off(state, branch, |of| pending(&self.messages, &self.within, of))?;
        let is_in = |id: &MessageId| self.within.get(id).is_some_and(|of| of.is_within(branch));
        let is_pending = |place: &Place| matches!(place, Place::Queued | Place::Turn | Place::Dead);
        let over = self.messages.iter().filter(|(id, (_, place))| is_in(id) && is_pending(place));
        let over: Vec<MessageId> = over.map(|(id, _)| *id).collect();
        for message in over {
            let asked = self.approvals.values().any(|asked| asked.message == message && asked.open);
            ensure("I8", !asked, || format!("{message} is called off, and a person is still asked"))?;
            self.effects.give_up(message)?;
            self.moved(state, message, &[Place::Queued, Place::Turn, Place::Dead], Place::Discarded)?;
        }
        let inner = self.messages.iter_mut().filter(|(id, (_, place))| {
            self.within.get(id).is_some_and(|of| of.is_within(branch)) && *place == Place::Arrived
        });
        inner.for_each(|(_, (_, place))| *place = Place::Discarded);
        Ok(())
    }

    /// I9, I8: a turn ends with an outcome of its agent, a person's with `approve` only if they approved.
    fn outcome(&self, state: &State, message: MessageId, outcome: &Outcome) -> Holds {
        let Some((Recipient::Member(agent), _)) = self.messages.get(&message) else { return Ok(()) };
        let answers = self.questions.contains(&message) && outcome.as_str() == ANSWER;
        let expired = state.is_person(agent) && outcome.as_str() == EXPIRED;
        let is_question = self.questions.contains(&message);
        let declared = answers || expired && is_question || state.handoff(agent, outcome).is_some() && !is_question;
        ensure("I9", declared, || format!("{agent} ends {message} with {outcome}, which is not declared"))?;
        let approved = self.approvals.values().any(|asked| asked.message == message && asked.approved);
        let unasked = state.is_person(agent) && outcome.as_str() == Decision::Approve.word() && !approved;
        ensure("I8", !unasked, || format!("{agent} ends {message} with {outcome}, and nobody approved"))?;
        let answers = is_question || state.person(agent).is_some_and(|person| person.approves.is_empty());
        let said = !state.is_person(agent) || !answers || expired || self.answered.get(&message) == Some(outcome);
        ensure("I8", said, || format!("{agent} ends {message} with {outcome}, and nobody answered so"))
    }

    fn sent(&mut self, state: &State, message: &Message) -> Holds {
        let id = message.id;
        if !message.branch.is_root() {
            self.within.insert(id, message.branch.clone());
        }
        let sent = self.branches.sent(state, message, |branch| pending(&self.messages, &self.within, branch))?;
        if let Some(cause) = message.cause {
            let handled = self.messages.get(&cause).is_some_and(|(_, place)| *place == Place::Handled);
            ensure("I2", handled, || format!("{id} comes of {cause}, which is not handled"))?;
            let first = self.causes.insert(cause) || matches!(sent, Sent::Begins);
            ensure("I2", first, || format!("{cause} was handled twice"))?;
        }
        if matches!(sent, Sent::Arrives | Sent::Passes) {
            self.rounds.sent(state, message)?;
        }
        if let Sent::Joins(arrived) = &sent {
            for one in arrived {
                self.moved(state, *one, &[Place::Arrived], Place::Handled)?;
            }
        }
        if let Some(asker) = message.asked_by {
            let asks = self.messages.get(&asker).is_some_and(|(_, place)| *place == Place::Turn);
            ensure("I2", asks, || format!("{id} is asked by {asker}, which is not being handled"))?;
            if message.is_question() {
                self.questions.insert(id);
            }
        }
        let place = match (&sent, &message.to) {
            (Sent::Arrives, _) => Place::Arrived,
            (_, Recipient::End) => Place::Handled,
            (_, Recipient::Member(_)) => Place::Queued,
        };
        let new = self.messages.insert(id, (message.to.clone(), place)).is_none();
        let joins = matches!(sent, Sent::Joins(_));
        let caused = message.cause.is_some() || message.asked_by.is_some() || joins || id.0 == 1;
        ensure("I2", new && caused, || format!("{id} was sent twice, or by nobody"))?;
        is_at(state, id, place)
    }

    fn moved(&mut self, state: &State, message: MessageId, from: &[Place], to: Place) -> Holds {
        let Some((_, place)) = self.messages.get_mut(&message).filter(|(_, place)| from.contains(place)) else {
            return ensure("I1", false, || format!("{message} is not where it is taken from to be {to:?}"));
        };
        *place = to;
        is_at(state, message, to)
    }

    /// I8, I1: an approval is asked for once, and with what people edited before it.
    fn approval_asked(&mut self, state: &State, no: ApprovalNo, message: MessageId, binds: Digest) -> Holds {
        let asked = Asked { message, binds, approved_by: BTreeSet::new(), open: true, approved: false };
        ensure("I8", self.approvals.insert(no, asked).is_none(), || format!("approval {no} is asked twice"))?;
        let desk = state.approvals.get(&no).map(|approval| &approval.desk);
        let mut edits = self.edits.iter().filter(|((of, _), _)| *of == message);
        let kept =
            edits.all(|((_, artefact), digest)| desk.and_then(|desk| desk.get(artefact)?.version()) == Some(*digest));
        ensure("I1", kept, || format!("approval {no} forgets what a person edited"))
    }

    fn closed(&mut self, state: &State, no: ApprovalNo, why: Closed) -> Holds {
        let open = self.approvals.get_mut(&no).is_some_and(|asked| std::mem::replace(&mut asked.open, false));
        if why == Closed::Expired && wants(state, no) == Some(Wants::Decision) {
            self.refuse(state, no);
        }
        ensure("I8", open, || format!("approval {no} is closed and was not open"))
    }

    /// I8: a permit is given once, for what was approved.
    fn permitted(&mut self, state: &State, at: Timestamp, no: ApprovalNo, manifest: Digest, slots: u32) -> Holds {
        let asked = self.approvals.get(&no).filter(|asked| asked.approved && asked.binds == manifest);
        ensure("I8", asked.is_some(), || format!("permit {no} is for what nobody approved"))?;
        let approval = state.approvals.get(&no);
        let decided_at = approval.and_then(|approval| approval.decided_at).unwrap_or(at).min(at);
        let bound = approval.and_then(|approval| approval.manifest.as_ref());
        let is_live = !state.plan.mode.drafts();
        let binds = approval.and_then(|approval| state.person(&approval.agent)?.binds.as_ref());
        let hour = binds.and_then(|member| state.tool_of(member)?.hour.as_deref()).filter(|_| is_live);
        let leaves = bound.iter().flat_map(|bound| bound.items.iter());
        let leaves = leaves.map(|item| if is_live { item.after_ms } else { 0 });
        let leaves = leaves.map(|after_ms| match hour {
            Some(hour) => hour.on_day(decided_at, after_ms),
            None => decided_at.plus_ms(after_ms),
        });
        let leaves = leaves.collect();
        let rests_on = bound.map(|bound| bound.desk.values().flat_map(Held::versions).collect()).unwrap_or_default();
        let given = Permitted { slots, leaves, rests_on, refused: false };
        let new = self.permits.insert(no, given).is_none();
        ensure("I8", new, || format!("permit {no} is given twice"))
    }

    /// I8: what people decide.
    fn decided(&mut self, state: &State, no: ApprovalNo, by: &Who, decision: Decision) -> Holds {
        let Some(asked) = self.approvals.get_mut(&no).filter(|asked| asked.open) else {
            return ensure("I8", false, || format!("approval {no} is decided and was not open"));
        };
        let agent = state.approvals.get(&no).map(|approval| &approval.agent);
        let needed = agent.and_then(|agent| match &state.member(agent)?.role {
            Role::Person(person) => Some(person.needed.max(1) as usize),
            _ => None,
        });
        ensure("I8", needed.is_some(), || format!("approval {no} ({}) is nobody's to decide", asked.message))?;
        ensure("I8", is_asked(state, no, by), || format!("{:?} decides approval {no} and is not asked", by.name))?;
        let wanted = wants(state, no) == Some(Wants::Decision);
        ensure("I8", wanted, || format!("approval {no} is decided, and an answer is wanted"))?;
        if decision != Decision::Approve {
            asked.open = false;
            self.refuse(state, no);
            return Ok(());
        }
        self.comments.approved(state, no)?;
        asked.approved_by.insert(by.name.clone());
        asked.approved = needed.is_some_and(|needed| asked.approved_by.len() >= needed);
        asked.open = !asked.approved;
        Ok(())
    }

    /// I8: who answers is asked, or was told of it, and an answer is wanted.
    fn person_answered(&mut self, state: &State, no: ApprovalNo, by: &Who, outcome: &Outcome) -> Holds {
        let Some(asked) = self.approvals.get_mut(&no).filter(|asked| asked.open) else {
            return ensure("I8", false, || format!("question {no} is answered and was not open"));
        };
        asked.open = false;
        let wanted = matches!(wants(state, no), Some(Wants::Form | Wants::Sentence));
        ensure("I8", wanted, || format!("approval {no} is answered, and a decision is wanted"))?;
        ensure("I8", is_asked(state, no, by), || format!("{:?} answers question {no} and is not asked", by.name))?;
        self.answered.insert(asked.message, outcome.clone());
        Ok(())
    }

    /// I8: that whoever is asked is reminded, others are told, somebody looks or takes it on, decides nothing.
    fn still_open(&self, state: &State, no: ApprovalNo) -> Holds {
        let asked = self.approvals.get(&no).filter(|asked| asked.open && !asked.approved);
        let same = asked
            .zip(state.approvals.get(&no))
            .is_some_and(|(asked, approval)| approval.fate.is_none() && approval.approved_by == asked.approved_by);
        ensure("I8", same, || format!("what decides nothing changes what approval {no} comes to"))
    }

    /// I1, I8: an edit that goes back leaves the approval as it was, and what people wrote before it.
    fn edit_refused(&mut self, state: &State, no: ApprovalNo, artefact: &ArtefactName, version: Digest) -> Holds {
        let asked = self.approvals.get_mut(&no).filter(|asked| !asked.open && !asked.approved);
        let Some(asked) = asked else {
            return ensure("I8", false, || format!("approval {no} opens again and was decided"));
        };
        asked.open = true;
        self.comments.went_back(state, no);
        let key = (asked.message, artefact.clone());
        let edited = self.edits.remove(&key) == Some(version);
        ensure("I8", edited, || format!("approval {no} refuses an edit that nobody made"))?;
        let before =
            state.approvals.get(&no).and_then(|approval| state.versions.get(&approval.desk.get(artefact)?.version()?));
        if let Some(before) = before.filter(|before| before.person.is_some() && before.message == key.0) {
            self.edits.insert(key, before.body.digest);
        }
        Ok(())
    }

    /// A later no counts: what a person approves, and did not approve in approval `no`, is no longer approved.
    fn refuse(&mut self, state: &State, no: ApprovalNo) {
        let Some(approval) = state.approvals.get(&no) else { return };
        let Some(Role::Person(person)) = state.member(&approval.agent).map(|member| &member.role) else { return };
        let refused = person.approves.iter().filter_map(|artefact| approval.desk.get(artefact));
        let refused: BTreeSet<Digest> = refused.flat_map(Held::versions).collect();
        for permit in self.permits.values_mut() {
            permit.refused |= permit.rests_on.iter().any(|version| refused.contains(version));
        }
    }

    /// I10: what a tool returns has its tool's labels.
    fn labelled(&self, state: &State, id: EffectId, result: &Settled) -> Holds {
        let Settled::Returned { labels, .. } = result else { return Ok(()) };
        let kept = self.effects.tool(id).and_then(|tool| state.plan.tools.get(tool));
        let kept = kept.is_none_or(|spec| labels.accepts(spec.labels));
        ensure("I10", kept, || format!("the result of {} loses its tool's labels", id.0.short()))
    }

    /// I8: nothing is edited under an open approval.
    fn written(&mut self, state: &State, version: &Version) -> Holds {
        self.comments.written(state, version);
        if version.person.is_some() {
            let open = self.approvals.values().any(|asked| asked.message == version.message && asked.open);
            ensure("I8", !open, || format!("{} is edited under an open approval", version.artefact))?;
            self.edits.insert((version.message, version.artefact.clone()), version.body.digest);
        }
        self.version(state, version)
    }

    fn version(&self, state: &State, version: &Version) -> Holds {
        let turn = state.turns.get(&version.message);
        let Some(turn) = turn else {
            return ensure("I2", false, || format!("{} is written by no turn", version.artefact));
        };
        let member = state.member(&turn.agent);
        let theirs = member.is_some_and(|member| match &member.role {
            Role::Person(person) => {
                let answers = person.approves.is_empty() && member.writes.contains(&version.artefact);
                version.person.is_some() && (answers || person.approves.contains(&version.artefact))
            }
            _ => version.person.is_none() && member.writes.contains(&version.artefact),
        });
        ensure("I9", theirs, || format!("{} is not for {} to write", version.artefact, turn.agent))?;
        let kept = version.person.is_some() || version.labels.accepts(turn.labels);
        ensure("I10", kept, || format!("a version of {} loses labels", version.artefact))
    }
}

/// Whether a message of `branch` is still to be handled.
fn pending(
    messages: &BTreeMap<MessageId, (Recipient, Place)>,
    within: &BTreeMap<MessageId, Branch>,
    branch: &Branch,
) -> bool {
    let of = |id: &MessageId| within.get(id).is_some_and(|of| of.is_within(branch));
    messages.iter().any(|(id, (_, place))| matches!(place, Place::Queued | Place::Turn | Place::Dead) && of(id))
}

/// What is wanted of the person of `no`.
fn wants(state: &State, no: ApprovalNo) -> Option<Wants> {
    state.approvals.get(&no).map(|approval| approval.wants)
}

/// Whether `by` is among those who are asked, or who were told of it since.
fn is_asked(state: &State, no: ApprovalNo, by: &Who) -> bool {
    let Some(approval) = state.approvals.get(&no) else { return false };
    let Some(person) = state.person(&approval.agent) else { return false };
    let named = person.who.iter().chain(&approval.escalated_to).any(|who| by.is(who));
    state.plan.single_person || person.who.is_empty() || named
}

/// The rule of the member that a message is for, if it has one.
fn rule<'s>(state: &'s State, at: Option<&(Recipient, Place)>) -> Option<&'s Rule> {
    let Some((Recipient::Member(agent), _)) = at else { return None };
    match &state.plan.team.get(agent)?.role {
        Role::Rule(rule) => Some(rule),
        _ => None,
    }
}

/// I1: the state has a message where the facts have brought it, and nowhere else.
fn is_at(state: &State, message: MessageId, place: Place) -> Holds {
    let found =
        (state.queued.contains_key(&message), state.turns.contains_key(&message), state.dead.contains_key(&message));
    let wanted = (place == Place::Queued, place == Place::Turn, place == Place::Dead);
    let arrived = state.splits.values().any(|open| open.arrived.values().any(|one| one.id == message));
    ensure("I1", found == wanted && arrived == (place == Place::Arrived), || {
        format!("{message} is {place:?}, and the state has it elsewhere or nowhere")
    })
}

/// I10: labels are carried from what was shown to what is made of it.
fn carries_labels(state: &State, message: MessageId) -> Holds {
    let Some(turn) = state.turns.get(&message) else { return Ok(()) };
    let reads = state.member(&turn.agent).into_iter().flat_map(|member| &member.reads);
    let shown = reads.filter_map(|read| turn.desk.get(&read.artefact)).flat_map(Held::versions);
    let shown = shown.filter_map(|version| state.versions.get(&version));
    let said = turn.message.joins.iter().flat_map(|joins| &joins.arrived).map(|arrival| arrival.labels);
    let said = said.chain([turn.message.labels]).filter(|labels| !turn.labels.accepts(*labels)).count();
    ensure("I10", said == 0, || format!("{message} loses the labels of {said} of its notes"))?;
    let lost = shown.filter(|version| !turn.labels.accepts(version.labels)).count();
    ensure("I10", lost == 0, || format!("{message} loses the labels of {lost} versions"))
}

/// I8: where people are declared, nobody else decides anything. Whoever starts a run decides nothing by that.
fn declared(event: &Event) -> Holds {
    let by = event.by().filter(|by| by.undeclared && !matches!(event, Event::Started { .. }));
    ensure("I8", by.is_none(), || {
        let name = by.map_or("", |by| by.name.as_str());
        format!("{name:?} is not declared, and comes to {}", event.kind())
    })
}

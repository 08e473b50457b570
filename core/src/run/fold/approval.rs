//! What approvals and raises come to in a state.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Legal;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, MessageId, Outcome, Timestamp};
use crate::run::binds_desk;
use crate::run::desk::{Desk, Held};
use crate::run::event::{BodyRef, Closed, Decision, Manifest, Raise, Ruling, Who};
use crate::run::state::{Approval, Fate, Look, Permit, RefusedEdit, State, Wants};
use crate::topology::plan::{ANSWER, Role};

impl State {
    /// An approval that is prepared and about to be asked for; closed until [`Event::ApprovalAsked`] opens it.
    pub(super) fn prepared(
        &mut self,
        no: ApprovalNo,
        message: MessageId,
        agent: AgentName,
        desk: Desk,
        (manifest, rules): (Option<Manifest>, Option<Ruling>),
    ) {
        let is_question = self.turns.get(&message).is_some_and(|turn| turn.message.is_question());
        let approves = self.person(&agent).is_some_and(|person| !person.approves.is_empty());
        let wants = match (is_question, approves) {
            (true, _) => Wants::Sentence,
            (false, true) => Wants::Decision,
            (false, false) => Wants::Form,
        };
        let binds = manifest.as_ref().map_or_else(|| binds_desk(&desk), |manifest| manifest.body.digest);
        let approval = Approval {
            message,
            agent,
            wants,
            binds,
            manifest,
            desk,
            rules,
            asked_at: self.now,
            expires_at: self.now,
            overdue: false,
            reminded: (0, None),
            escalated_to: None,
            assigned_to: None,
            handed_on: false,
            looked: Vec::new(),
            decided_at: None,
            approved_by: BTreeSet::new(),
            refused: None,
            fate: Some(Fate::Lapsed),
        };
        self.approvals.insert(no, approval);
    }

    pub(super) fn ask_approval(
        &mut self,
        at: Timestamp,
        no: ApprovalNo,
        message: MessageId,
        binds: Digest,
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
        let Some(old) = replaces.and_then(|old| self.approvals.get_mut(&old)) else { return Ok(()) };
        old.fate = Some(Fate::Edited(Some(no)));
        // Whoever was told of the one may say something to the other.
        let (escalated_to, assigned_to, handed_on) = (old.escalated_to.clone(), old.assigned_to.clone(), old.handed_on);
        let new = self.open_approval_mut(no)?;
        (new.escalated_to, new.assigned_to, new.handed_on) = (escalated_to, assigned_to, handed_on);
        Ok(())
    }

    /// What a person decided at `made_at`; an approval that needs more than one person stays open until they all approved.
    pub(super) fn decided(
        &mut self,
        no: ApprovalNo,
        by: &Who,
        decision: Decision,
        accepts: &BTreeSet<String>,
        made_at: Timestamp,
    ) -> Legal {
        let needed = self.needed(no)?;
        let approval = self.open_approval_mut(no)?;
        if approval.wants != Wants::Decision {
            return Err("an answer is wanted, and no decision");
        }
        if decision == Decision::Approve && approval.gates().any(|rule| !accepts.contains(rule)) {
            return Err("a rule that did not hold was not accepted");
        }
        // Nobody decides before they are asked, whatever the clock of theirs says.
        approval.decided_at = Some(made_at.max(approval.asked_at));
        if decision == Decision::Approve {
            approval.approved_by.insert(by.name.clone());
        }
        if decision != Decision::Approve || approval.approved_by.len() >= needed {
            approval.fate = Some(Fate::Decided(by.clone(), decision));
        }
        Ok(())
    }

    /// What a person answered at `made_at`: an outcome that they declare, or a sentence to a teammate.
    pub(super) fn answered(&mut self, no: ApprovalNo, by: &Who, outcome: &Outcome, made_at: Timestamp) -> Legal {
        let approval = self.approvals.get(&no).ok_or("no such approval")?;
        let person = self.person(&approval.agent).ok_or("only a person answers")?;
        let declared = match approval.wants {
            Wants::Decision => return Err("a decision is wanted, and no answer"),
            Wants::Form => person.outcomes.contains(outcome),
            Wants::Sentence => outcome.as_str() == ANSWER,
        };
        if !declared {
            return Err("an undeclared outcome");
        }
        let approval = self.open_approval_mut(no)?;
        approval.decided_at = Some(made_at.max(approval.asked_at));
        approval.fate = Some(Fate::Answered(by.clone(), outcome.clone()));
        Ok(())
    }

    /// Somebody opened it to read it, at `at`; over each channel that is said once.
    pub(super) fn look(&mut self, no: ApprovalNo, by: &Who, at: Timestamp) -> Legal {
        let approval = self.open_approval_mut(no)?;
        if approval.has_looked(by) {
            return Err("they have looked");
        }
        approval.looked.push(Look { by: by.name.clone(), via: by.via, at });
        Ok(())
    }

    pub(super) fn assign(&mut self, no: ApprovalNo, by: &Who, to: Option<&String>) -> Legal {
        let approval = self.open_approval_mut(no)?;
        approval.handed_on = to.is_some_and(|to| *to != by.name);
        approval.assigned_to = to.cloned();
        Ok(())
    }

    /// Whoever is asked is reminded; that decides nothing.
    pub(super) fn remind(&mut self, at: Timestamp, no: ApprovalNo) -> Legal {
        let approval = self.open_approval_mut(no)?;
        approval.reminded = (approval.reminded.0 + 1, Some(at));
        Ok(())
    }

    /// Somebody else is told, who may say something from here on.
    pub(super) fn escalate(&mut self, no: ApprovalNo, to: &str) -> Legal {
        let approval = self.approvals.get(&no).ok_or("no such approval")?;
        if self.escalates_at(approval).is_none_or(|(_, declared)| declared != to) {
            return Err("nobody else is to be told");
        }
        self.open_approval_mut(no)?.escalated_to = Some(to.to_owned());
        Ok(())
    }

    pub(super) fn close_approval(&mut self, no: ApprovalNo, why: Closed) -> Legal {
        self.open_approval_mut(no)?.fate = Some(match why {
            Closed::Edited => Fate::Edited(None),
            Closed::Expired | Closed::RunEnded | Closed::CalledOff => Fate::Lapsed,
        });
        Ok(())
    }

    pub(super) fn overdue(&mut self, no: ApprovalNo) -> Legal {
        self.open_approval_mut(no)?.overdue = true;
        Ok(())
    }

    pub(super) fn permit(&mut self, no: ApprovalNo, manifest: Digest, slots: u32) -> Legal {
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
        let decided_at = approval.decided_at.unwrap_or(self.now);
        let expires_at = decided_at.plus_ms(person.expires.after_ms);
        // A clock that ran ahead when it was decided holds nothing back that leaves at once.
        let (given_at, at_once) = (decided_at.min(self.now), self.plan.mode.drafts());
        let spec = self.tool_of(&member);
        let (quiet, hour) = spec.map(|spec| (spec.quiet.clone(), spec.hour.clone())).unwrap_or_default();
        let (manifest, voided_by, used) = (bound, None, BTreeSet::new());
        let permit = Permit { manifest, member, given_at, at_once, quiet, hour, expires_at, voided_by, used };
        self.permits.insert(no, permit);
        Ok(())
    }

    /// A later no, heard in approval `by`, takes a permit back.
    pub(super) fn void(&mut self, no: ApprovalNo, by: ApprovalNo) -> Legal {
        let later = self.approvals.get(&by).ok_or("no such approval")?;
        if matches!(later.fate, None | Some(Fate::Decided(_, Decision::Approve) | Fate::Edited(_))) {
            return Err("nobody said no");
        }
        let permit = self.permits.get_mut(&no).ok_or("no such permit")?;
        if permit.voided_by.replace(by).is_some() {
            return Err("it is void already");
        }
        Ok(())
    }

    /// A person's version cannot be prepared: the approval is open again, and their turn has what it had before.
    pub(super) fn refuse_edit(
        &mut self,
        no: ApprovalNo,
        artefact: &ArtefactName,
        version: Digest,
        problems: BodyRef,
    ) -> Legal {
        let approval = self.approvals.get_mut(&no).ok_or("no such approval")?;
        if approval.fate != Some(Fate::Edited(None)) {
            return Err("it was not edited");
        }
        approval.fate = None;
        approval.refused = Some(RefusedEdit { artefact: artefact.clone(), version, problems });
        let before = approval.desk.get(artefact).cloned().ok_or("it is not about that artefact")?;
        let turn = self.turns.get_mut(&approval.message).map(Arc::make_mut).ok_or("no such turn")?;
        if turn.desk.insert(artefact.clone(), before) != Some(Held::Version(version)) {
            return Err("another version is on the desk");
        }
        for version in approval.rests_on() {
            self.replaced.remove(&version);
        }
        Ok(())
    }

    fn needed(&self, no: ApprovalNo) -> Legal<usize> {
        let approval = self.approvals.get(&no).ok_or("no such approval")?;
        match self.member(&approval.agent).map(|member| &member.role) {
            Some(Role::Person(person)) => Ok(person.needed.max(1) as usize),
            _ => Err("only a person approves"),
        }
    }

    /// How many people have to approve `approval`; at least one.
    pub fn needed_for(&self, approval: &Approval) -> u32 {
        match self.member(&approval.agent).map(|member| &member.role) {
            Some(Role::Person(person)) => person.needed.max(1),
            _ => 1,
        }
    }

    fn open_approval_mut(&mut self, no: ApprovalNo) -> Legal<&mut Approval> {
        self.approvals.get_mut(&no).filter(|approval| approval.fate.is_none()).ok_or("the approval is not open")
    }
}

impl Raise {
    /// The higher of both: a raise lowers nothing.
    #[must_use]
    pub fn or(self, newer: &Self) -> Self {
        Self {
            steps: newer.steps.max(self.steps),
            tokens: newer.tokens.max(self.tokens),
            cost: newer.cost.max(self.cost),
            active_ms: newer.active_ms.max(self.active_ms),
            recipients: newer.recipients.max(self.recipients),
            turns: newer.turns.max(self.turns),
            steps_per_turn: newer.steps_per_turn.max(self.steps_per_turn),
            call_timeout_ms: newer.call_timeout_ms.max(self.call_timeout_ms),
            idle_timeout_ms: newer.idle_timeout_ms.max(self.idle_timeout_ms),
        }
    }
}

//! What approvals and raises come to in a state.

use std::collections::BTreeSet;

use super::Legal;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, MessageId, Timestamp};
use crate::run::binds_desk;
use crate::run::desk::{Desk, Held};
use crate::run::event::{BodyRef, Closed, Decision, Manifest, Raise, Who};
use crate::run::state::{Approval, Fate, Permit, RefusedEdit, State};
use crate::topology::plan::Role;

impl State {
    /// An approval that is prepared and about to be asked for; closed until [`Event::ApprovalAsked`] opens it.
    pub(super) fn prepared(
        &mut self,
        no: ApprovalNo,
        message: MessageId,
        agent: AgentName,
        desk: Desk,
        manifest: Option<Manifest>,
    ) {
        let binds = manifest.as_ref().map_or_else(|| binds_desk(&desk), |manifest| manifest.body.digest);
        let approval = Approval {
            message,
            agent,
            binds,
            manifest,
            desk,
            asked_at: self.now,
            expires_at: self.now,
            overdue: false,
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
        if let Some(old) = replaces.and_then(|old| self.approvals.get_mut(&old)) {
            old.fate = Some(Fate::Edited(Some(no)));
        }
        Ok(())
    }

    /// What a person decided at `made_at`; an approval that needs more than one person stays open until they all approved.
    pub(super) fn decided(&mut self, no: ApprovalNo, by: &Who, decision: Decision, made_at: Timestamp) -> Legal {
        let needed = self.needed(no)?;
        let approval = self.open_approval_mut(no)?;
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
        let expires_at = approval.decided_at.unwrap_or(self.now).plus_ms(person.expires.after_ms);
        let used = BTreeSet::new();
        self.permits.insert(no, Permit { manifest: bound, member, expires_at, voided_by: None, used });
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
        let turn = self.turns.get_mut(&approval.message).ok_or("no such turn")?;
        if turn.desk.insert(artefact.clone(), before) != Some(Held::Version(version)) {
            return Err("another version is on the desk");
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

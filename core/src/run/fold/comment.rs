//! What comments come to in a state.

use std::collections::{BTreeMap, BTreeSet};

use super::Legal;
use crate::id::{ArtefactName, CommentNo, Digest};
use crate::run::comment::Comment;
use crate::run::event::Who;
use crate::run::state::{Approval, State};

impl State {
    pub(super) fn comment(
        &mut self,
        no: CommentNo,
        (artefact, version): (&ArtefactName, Digest),
        by: &Who,
        blocks: bool,
    ) -> Legal {
        if no.0 as usize != self.comments.len() + 1 {
            return Err("comments are numbered without gaps");
        }
        if !self.is_current(artefact, version) {
            return Err("nobody works with that version");
        }
        let (artefact, by, versions) = (artefact.clone(), by.name.clone(), BTreeSet::from([version]));
        self.comments.insert(
            no,
            Comment { artefact, versions, by, blocks, remarks: 0, named: BTreeMap::new(), resolved_by: None },
        );
        Ok(())
    }

    /// What is said in a comment, first by whoever makes it.
    pub(super) fn remark(&mut self, no: CommentNo, mentions: &[String]) -> Legal {
        let comment = self.comments.get_mut(&no).filter(|comment| comment.is_open());
        let comment = comment.ok_or("the comment is not open")?;
        comment.remarks += 1;
        if !mentions.is_empty() {
            comment.named.insert(comment.remarks, mentions.to_vec());
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, no: CommentNo, by: &Who) -> Legal {
        let comment = self.comments.get_mut(&no).filter(|comment| comment.is_open());
        comment.ok_or("the comment is not open")?.resolved_by = Some(by.name.clone());
        Ok(())
    }

    /// What took the place of a version that somebody commented on is commented on as well.
    pub(super) fn carry_comments(&mut self, gone: &[Digest], now: Digest) {
        for comment in self.comments.values_mut().filter(|comment| comment.is_open()) {
            if comment.is_on(gone.iter().copied()) {
                comment.versions.insert(now);
            }
        }
    }

    /// Whether somebody works with this version of `artefact`: a desk has it, and no turn has put another one in its place.
    pub fn is_current(&self, artefact: &ArtefactName, version: Digest) -> bool {
        let known = self.versions.get(&version).is_some_and(|known| known.artefact == *artefact);
        known && !self.replaced.contains(&version)
    }

    /// The comments that stop whoever would approve `approval`.
    pub fn stops<'s>(&'s self, approval: &'s Approval) -> impl Iterator<Item = CommentNo> + 's {
        let stops = |comment: &Comment| comment.blocks && comment.is_open() && comment.is_on(approval.rests_on());
        self.comments.iter().filter(move |(_, comment)| stops(comment)).map(|(no, _)| *no)
    }

    /// Whether `who` may approve what `approval` is about: they are asked, or were told of it since, and did not start the
    /// run where whoever did may not.
    pub fn may_approve(&self, approval: &Approval, who: &Who) -> bool {
        let Some(person) = self.person(&approval.agent) else { return false };
        let started = self.starter.as_ref().is_some_and(|starter| starter.name == who.name);
        let may = !started || person.starter_may_approve || self.plan.single_person;
        may && self.is_asked(approval, |of| who.is(of))
    }

    /// Whether somebody is asked who is `is` by one of the names under which people are asked, or who was told of it since.
    pub fn is_asked(&self, approval: &Approval, is: impl Fn(&str) -> bool) -> bool {
        let Some(person) = self.person(&approval.agent) else { return false };
        let is_anybody = person.who.is_empty() || self.plan.single_person;
        is_anybody || person.who.iter().chain(&approval.escalated_to).any(|of| is(of))
    }
}

//! What people remarked on versions: as entries of the story, and comment by comment, with what was answered.

use std::collections::BTreeMap;

use super::entry::{Entry, Kind, entry};
use super::words::{Texts, erased, read};
use crate::id::{ArtefactName, CommentNo, Digest, Seq, Timestamp};
use crate::run::body::Remark;
use crate::run::event::{BodyRef, Event, Fact, Who};

/// Something that was said in a comment: first the comment itself, then its answers, last why it was settled.
#[derive(Debug, Clone)]
pub struct Remarked {
    /// Its record.
    pub seq: Seq,
    /// When it was said.
    pub at: Timestamp,
    /// By whom.
    pub by: Who,
    /// In words; none if it was settled without any.
    pub remark: Option<BodyRef>,
    /// Whom it names.
    pub mentions: Vec<String>,
    /// The version that the comment was made on; of the first only.
    pub on: Option<Digest>,
}

/// All that was said in comments.
#[derive(Debug, Default)]
pub(super) struct Remarks(BTreeMap<CommentNo, Vec<Remarked>>);

impl Remarks {
    /// In comment `no`, in order.
    pub(super) fn of(&self, no: CommentNo) -> &[Remarked] {
        self.0.get(&no).map_or(&[], Vec::as_slice)
    }

    /// Takes in what `fact` says in a comment, if it does.
    pub(super) fn take(&mut self, seq: Seq, fact: &Fact) {
        let event = &fact.is;
        let (no, by, remark, made_at) = if let Event::CommentMade { no, by, remark, made_at, .. }
        | Event::CommentReplied { no, by, remark, made_at, .. } = event
        {
            (*no, by, Some(*remark), made_at)
        } else if let Event::CommentResolved { no, by, remark, made_at } = event {
            (*no, by, *remark, made_at)
        } else {
            return;
        };
        let mentions = if let Event::CommentMade { mentions, .. } | Event::CommentReplied { mentions, .. } = event {
            mentions.clone()
        } else {
            Vec::new()
        };
        let on = if let Event::CommentMade { version, .. } = event { Some(*version) } else { None };
        let (at, by) = (made_at.unwrap_or(fact.at), by.clone());
        self.0.entry(no).or_default().push(Remarked { seq, at, by, remark, mentions, on });
    }
}

pub(super) fn made(
    no: CommentNo,
    by: &Who,
    (artefact, nth): (&ArtefactName, Option<usize>),
    blocks: bool,
    remark: BodyRef,
    texts: &dyn Texts,
) -> Entry {
    let said = read::<Remark>(texts, remark);
    let part = said.as_ref().filter(|said| !said.at.is_empty()).map(|said| format!("{} of ", said.at));
    let nth = nth.map(|nth| format!("version {nth} of ")).unwrap_or_default();
    let text = said.map_or_else(erased, |said| said.text);
    let blocks = if blocks { " (blocks approval)" } else { "" };
    of_comment(by, "comments", format!("{no} on {}{nth}{artefact}{blocks}: {text}", part.unwrap_or_default()))
}

pub(super) fn replied(no: CommentNo, by: &Who, remark: BodyRef, texts: &dyn Texts) -> Entry {
    of_comment(by, "replies", format!("{no}: {}", text(texts, remark)))
}

pub(super) fn resolved(no: CommentNo, by: &Who, remark: Option<BodyRef>, texts: &dyn Texts) -> Entry {
    let why = remark.map(|remark| format!(": {}", text(texts, remark))).unwrap_or_default();
    of_comment(by, "resolves", format!("{no}{why}"))
}

fn text(texts: &dyn Texts, remark: BodyRef) -> String {
    read::<Remark>(texts, remark).map_or_else(erased, |remark| remark.text)
}

fn of_comment(by: &Who, word: &str, text: String) -> Entry {
    entry(&by.name, word, text, Kind::Person)
}

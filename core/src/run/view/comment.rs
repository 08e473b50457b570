//! What people remarked on versions: as entries of the story, and comment by comment, with what was answered.

use std::collections::BTreeMap;

use super::entry::{Entry, Kind, entry};
use super::words::{Texts, erased, read};
use crate::id::{CommentNo, Digest, Seq, Timestamp};
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

/// What people see of something that is said in a comment; `nth` says which version of its artefact one is.
pub(super) fn entry_of(event: &Event, nth: &dyn Fn(Digest) -> Option<usize>, texts: &dyn Texts) -> Option<Entry> {
    if let Event::CommentMade { no, artefact, version, by, remark, blocks, .. } = event {
        let said = read::<Remark>(texts, *remark);
        let part = said.as_ref().filter(|said| !said.at.is_empty()).map(|said| format!("{} of ", said.at));
        let nth = nth(*version).map(|nth| format!("version {nth} of ")).unwrap_or_default();
        let text = said.map_or_else(erased, |said| said.text);
        let blocks = if *blocks { " (blocks approval)" } else { "" };
        let text = format!("{no} on {}{nth}{artefact}{blocks}: {text}", part.unwrap_or_default());
        return Some(of_comment(by, "comments", text));
    }
    if let Event::CommentReplied { no, by, remark, .. } = event {
        return Some(of_comment(by, "replies", format!("{no}: {}", text(texts, *remark))));
    }
    if let Event::CommentResolved { no, by, remark, .. } = event {
        let why = remark.map(|remark| format!(": {}", text(texts, remark))).unwrap_or_default();
        return Some(of_comment(by, "resolves", format!("{no}{why}")));
    }
    None
}

fn text(texts: &dyn Texts, remark: BodyRef) -> String {
    read::<Remark>(texts, remark).map_or_else(erased, |remark| remark.text)
}

fn of_comment(by: &Who, word: &str, text: String) -> Entry {
    entry(&by.name, word, text, Kind::Person)
}

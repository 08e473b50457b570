//! Comments on versions, as data: what was said of which part, who settles it, what it stops; and what is posted to say more.
//! No agent reads any of it, unless whoever asks for changes sends it along.

use serde_json::Value;

use super::error::Error;
use super::overview::artefact;
use super::story::Story;
use super::thread::{Comment, Remark};
use crate::actor::history::Bodies;
use crate::actor::remarked::faults;
use crate::id::{ApprovalNo, ArtefactName, CommentNo, Digest};
use crate::run::body;
use crate::run::comment::Comment as Known;
use crate::run::desk::Held;
use crate::run::event::{Refusal, Version, Who};
use crate::run::input::Say;
use crate::run::state::Approval;
use crate::run::view::comment::Remarked;
use crate::run::view::{Texts as _, read};
use crate::topology::pointer::below;

/// Places of a version that a form offers to comment on.
const PLACES_MAX: usize = 400;

/// A part of a version that can be commented on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As a JSON pointer.
    pub at: String,
    /// How what stands there begins.
    pub begins: String,
}

/// All comments of a run, in order.
pub fn comments(story: &Story) -> Vec<Comment> {
    of(story, |_| true)
}

/// The comments on what an approval rests on.
pub(super) fn on_approval(story: &Story, approval: &Approval) -> Vec<Comment> {
    of(story, |comment| comment.is_on(approval.rests_on()))
}

fn of(story: &Story, wanted: impl Fn(&Known) -> bool) -> Vec<Comment> {
    let texts = story.texts();
    let known = story.state().comments.iter().filter(|(_, comment)| wanted(comment));
    known.filter_map(|(no, comment)| one(story, &texts, *no, comment)).collect()
}

fn one(story: &Story, texts: &Bodies, no: CommentNo, known: &Known) -> Option<Comment> {
    let remarks = story.view.remarks(no);
    let version = remarks.first()?.on?;
    let at = remarks.first()?.remark.and_then(|remark| read::<body::Remark>(texts, remark));
    let at = at.map(|remark| remark.at).unwrap_or_default();
    let state = story.state();
    let stopped = state
        .open_approvals()
        .filter(|(_, approval)| known.blocks && known.is_open() && known.is_on(approval.rests_on()));
    let said = |said: &Remarked| Remark {
        seq: said.seq,
        at: said.at,
        by: said.by.name.clone(),
        text: said.remark.and_then(|remark| read::<body::Remark>(texts, remark)).map(|remark| remark.text),
        mentions: said.mentions.clone(),
    };
    Some(Comment {
        comment: no,
        artefact: known.artefact.clone(),
        version,
        no: story.view.nth(version).map(|(no, _)| no),
        blocks: known.blocks,
        open: known.is_open(),
        resolved_by: known.resolved_by.clone(),
        outdated: is_outdated(story, texts, known, (version, &at)),
        stops: stopped.map(|(no, _)| no).collect(),
        said: remarks.iter().map(said).collect(),
        at,
    })
}

/// Whether the part that was commented on says something else by now.
fn is_outdated(story: &Story, texts: &Bodies, known: &Known, (version, at): (Digest, &str)) -> bool {
    let nth = |digest: &Digest| story.view.nth(*digest).map(|(nth, _)| nth);
    let newest = known.versions.iter().copied().max_by_key(nth).unwrap_or(version);
    let part = |digest: Digest| texts.value(digest).and_then(|value| value.pointer(at).cloned());
    newest != version && part(newest) != part(version)
}

/// What is posted to comment on a part of an artefact: of its version `no`, or of the newest that somebody was handed.
///
/// # Errors
/// If there is no such artefact, version or part, or nothing is said.
pub fn on(
    story: &Story,
    (name, no): (&str, Option<usize>),
    at: &str,
    text: String,
    blocks: bool,
) -> Result<Say, Error> {
    let (written, body) = artefact(story, name, no)?;
    // What a list is of is the versions, each its own; the newest of them is none of all.
    let body = if body.as_ref().is_some_and(Value::is_array) { story.texts().value(written.version) } else { body };
    let wrong = faults(at, &text, body.as_ref());
    if !wrong.is_empty() {
        return Err(Error::Remark(wrong));
    }
    Ok(Say::Comment { artefact: written.artefact, version: written.version, at: at.to_owned(), text, blocks })
}

/// Whether `who` has said this already, as by a double click: a comment word for word, the last answer, the end.
pub fn is_said(story: &Story, who: &Who, say: &Say) -> bool {
    let all = comments(story);
    let of = |no: &CommentNo| all.iter().find(|comment| comment.comment == *no);
    let is = |remark: Option<&Remark>, text: &str| {
        remark.is_some_and(|remark| remark.by == who.name && remark.text.as_deref() == Some(text))
    };
    match say {
        Say::Comment { artefact, version, at, text, blocks } => all.iter().any(|comment| {
            let same =
                (&comment.artefact, &comment.version, &comment.at, &comment.blocks) == (artefact, version, at, blocks);
            comment.open && same && is(comment.said.first(), text)
        }),
        Say::Reply { comment, text } => {
            of(comment).is_some_and(|comment| comment.open && is(comment.said.last(), text))
        }
        Say::Resolve { comment, .. } => {
            of(comment).is_some_and(|comment| comment.resolved_by.as_ref() == Some(&who.name))
        }
        _ => false,
    }
}

/// Which comment of a run is meant by `c3` or `3`.
///
/// # Errors
/// If that is no number.
pub fn number(named: &str) -> Result<CommentNo, Error> {
    let digits = named.strip_prefix('c').unwrap_or(named);
    digits.parse().map(CommentNo).map_err(|_| Error::Refused { why: Refusal::UnknownComment, faults: None })
}

/// The comments on what an approval rests on that nobody has settled.
pub fn open_on(story: &Story, no: ApprovalNo) -> Vec<CommentNo> {
    let Some(approval) = story.state().approvals.get(&no) else { return Vec::new() };
    let known =
        story.state().comments.iter().filter(|(_, comment)| comment.is_open() && comment.is_on(approval.rests_on()));
    known.map(|(no, _)| *no).collect()
}

/// What whoever asks for changes says, with these comments behind it: the agents read it as that person's words.
///
/// # Errors
/// If one of them is not on what the approval rests on.
pub fn sent_along(story: &Story, no: ApprovalNo, words: &str, sent: &[CommentNo]) -> Result<String, Error> {
    let approval = story.state().approvals.get(&no).ok_or(Error::NoApproval(no))?;
    let known = on_approval(story, approval);
    if sent.is_empty() {
        return Ok(words.to_owned());
    }
    let mut lines = vec![words.trim().to_owned()];
    for wanted in sent {
        let comment = known.iter().find(|comment| comment.comment == *wanted);
        let comment = comment.ok_or(Error::Refused { why: Refusal::UnknownComment, faults: None })?;
        let part = if comment.at.is_empty() { String::new() } else { format!("{} of ", comment.at) };
        for (nth, remark) in comment.said.iter().enumerate() {
            let Some(text) = &remark.text else { continue };
            let on = if nth == 0 { format!("On {part}{}, ", comment.artefact) } else { String::new() };
            lines.push(format!("{on}{}: {text}", remark.by));
        }
    }
    Ok(lines.join("\n"))
}

/// A version that can be commented on where it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Of which artefact.
    pub artefact: ArtefactName,
    /// Which one.
    pub version: Digest,
    /// Its text.
    pub body: Value,
}

/// The versions that an approval rests on, as far as their texts are there.
pub fn rests_on(story: &Story, no: ApprovalNo) -> Vec<Shown> {
    let (state, texts) = (story.state(), story.texts());
    let Some(approval) = state.approvals.get(&no) else { return Vec::new() };
    let versions = approval.desk.values().flat_map(Held::versions).filter_map(|version| state.versions.get(&version));
    let shown = |of: &Version| {
        Some(Shown { artefact: of.artefact.clone(), version: of.body.digest, body: texts.value(of.body.digest)? })
    };
    versions.filter_map(|of| shown(of)).collect()
}

/// The parts of a version, each with how it begins, for whoever chooses one.
pub fn places(body: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    walk(body, String::new(), &mut found);
    found.truncate(PLACES_MAX);
    found
}

fn walk(of: &Value, at: String, found: &mut Vec<Place>) {
    let below = |key: &str| below(&at, key);
    match of {
        _ if found.len() >= PLACES_MAX => {}
        Value::Object(fields) => fields.iter().for_each(|(key, field)| walk(field, below(key), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| walk(item, below(&nth.to_string()), found));
        }
        leaf => {
            let text = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            found.push(Place { at, begins: text.chars().take(40).collect() });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_parts_of_a_version_are_named_by_pointers() {
        let body = json!({ "mails": [{ "subject": "Hello", "a/b": true }], "n": 2 });
        let found: Vec<(String, String)> = places(&body).into_iter().map(|place| (place.at, place.begins)).collect();
        let wanted = [("/mails/0/a~1b", "true"), ("/mails/0/subject", "Hello"), ("/n", "2")];
        let wanted = wanted.map(|(at, begins)| (at.to_owned(), begins.to_owned()));
        assert!(wanted.iter().all(|place| found.contains(place)) && found.len() == 3, "{found:?}");
        assert!(places(&body).iter().all(|place| body.pointer(&place.at).is_some()));
        assert_eq!(places(&json!((0..1_000).collect::<Vec<_>>())).len(), PLACES_MAX);
    }
}

//! What an auditor asks: whether the journal and what it rests on are what was written, and where it stands.

use serde::Serialize;

use super::error::Error;
use super::project::Project;
use super::story::News;
use crate::actor::evidence::{self, Evidence};
use crate::id::{RunNo, Seq, Timestamp, as_iso};
use crate::journal::audit::{self, Checkpoint, Verified};
use crate::run::event::{Event, Who};

/// What holds.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// Of the chain.
    pub chain: Verified,
    /// Of plans, manifests and delivered files.
    pub evidence: Evidence,
}

/// Something that a person did in a run, or looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Act {
    /// Its record.
    pub seq: Seq,
    /// When it was done, which may be before it was heard.
    #[serde(serialize_with = "as_iso")]
    pub at: Timestamp,
    /// By whom, how that is known, and over which channel.
    pub by: Who,
    /// The record's kind.
    pub what: &'static str,
    /// In a sentence.
    pub text: String,
}

/// Who looked at what, said what and did what in a run, in order.
///
/// # Errors
/// If the run cannot be read.
pub fn acts(project: &Project, run: Option<RunNo>) -> Result<(RunNo, Vec<Act>), Error> {
    let row = project.run(run)?;
    let no = row.no;
    let mut story = project.story(row)?;
    Ok((no, story.news()?.iter().filter_map(act).collect()))
}

fn act(news: &News) -> Option<Act> {
    let event = &news.fact.is;
    let (by, made_at) = event.done()?;
    let text = match (&news.entry, event) {
        (Some(entry), _) => format!("{}: {}", entry.word, entry.text),
        (None, Event::Looked { no, .. }) => format!("looked at approval {no}"),
        (None, _) => event.kind().to_owned(),
    };
    Some(Act { seq: news.record.seq, at: made_at.unwrap_or(news.fact.at), by: by.clone(), what: event.kind(), text })
}

/// Verifies one run or all, against checkpoints that were exported before.
///
/// # Errors
/// What does not hold.
pub fn verify(project: &Project, run: Option<RunNo>, checkpoints: &[Checkpoint]) -> Result<Audit, Error> {
    let chain = chain(project, run, checkpoints)?;
    let mut evidence = Evidence::default();
    for head in &chain.heads {
        let one = evidence::verify(project.store()?.as_ref(), head.run, &project.settings.root)?;
        evidence.manifests += one.manifests;
        evidence.files += one.files;
        evidence.differing.extend(one.differing);
    }
    Ok(Audit { chain, evidence })
}

/// Verifies the chain alone, of one run or of all.
///
/// # Errors
/// What does not hold.
pub fn chain(project: &Project, run: Option<RunNo>, checkpoints: &[Checkpoint]) -> Result<Verified, Error> {
    let store = project.store()?;
    let Some(no) = run else { return Ok(audit::verify_all(store.as_ref(), checkpoints)?) };
    let row = project.run(Some(no))?;
    Ok(match checkpoints.iter().find(|checkpoint| checkpoint.run == row.id) {
        Some(checkpoint) => audit::verify_against(store.as_ref(), checkpoint)?,
        None => audit::verify(store.as_ref(), row.id)?,
    })
}

/// Where one run or all stand, verified: to be kept where the journal's owner cannot change it.
///
/// # Errors
/// What does not hold.
pub fn checkpoints(project: &Project, run: Option<RunNo>) -> Result<Vec<Checkpoint>, Error> {
    Ok(chain(project, run, &[])?.heads)
}

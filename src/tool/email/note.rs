//! What the server was told, noted before and after: a line is durable before a mail is handed over, so that of whatever has none
//! it is known that it did not leave. It lies beside the journal, and goes where that goes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::part::args::permanent;
use super::super::part::disk::{Machine, sync_folder};
use super::super::part::outbox::blocking;
use super::super::part::record::{self, Record, not_written, sha256};
use super::super::{Approved, Deadline};
use crate::failure::Failure;
use crate::file::words;
use crate::id::{Digest, EffectId, RunId, Timestamp};
use crate::run::view::count;

/// Its place below the folder that sinks keep their records in.
const FILE: &str = ".callsheet/mail.jsonl";

/// The record of the mails of a project.
#[derive(Clone)]
pub(super) struct Notes(Arc<PathBuf>);

/// A line of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    effect: EffectId,
    key: String,
    digest: Digest,
    journal: RunId,
    /// Whom it is for: by a digest, so that the record holds nobody's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Digest>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    is: Is,
}

/// How many mails one recipient may have in how many days, over all runs of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// So many mails.
    #[schemars(range(min = 1, max = 1000))]
    pub mails: u32,
    /// In so many days: in as many times 24 hours before the mail leaves.
    #[schemars(range(min = 1, max = 366))]
    pub days: u32,
}

impl Frequency {
    /// In words.
    pub(super) fn words(self) -> String {
        format!("{} in {} at most", count(self.mails as usize, "mail"), count(self.days as usize, "day"))
    }
}

/// What is noted of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Is {
    /// The server is told now.
    Told,
    /// The server has it, and said this.
    Taken(String),
    /// The server said that it does not.
    NotTaken,
}

/// What is known of a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It was never told to the server, or the server did not take it.
    NotSent,
    /// The server took it, and said this.
    Sent(String),
    /// It was told, and nobody noted what the server said.
    Unknown,
    /// There is no record.
    Nothing,
}

impl Notes {
    pub(super) fn below(records: &Path) -> Self {
        Self(Arc::new(records.join(FILE)))
    }

    /// Makes the record, if it is not there: from then on, what it does not say did not happen.
    pub(super) async fn begin(&self, deadline: Deadline) -> Result<(), Failure> {
        let path = Arc::clone(&self.0);
        blocking(move || {
            let failed = |why: io::Error| not_written(&path, &why);
            if path.exists() {
                return Ok(());
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(failed)?;
            Record::take(&path, &deadline)?;
            let above = [Some(folder), folder.parent()];
            above.into_iter().flatten().try_for_each(|folder| sync_folder(&Machine, folder)).map_err(failed)
        })
        .await
    }

    /// Notes, durably, what `is` of the mail.
    pub(super) async fn add(&self, approved: &Approved, is: Is) -> Result<(), Failure> {
        self.append(line(approved, is), approved.deadline.clone(), None).await.map(drop)
    }

    /// Notes, durably, that the server is told of the mail now, unless its recipient has had as many as they may have; whether it is
    /// noted. Nobody else notes anything between the count and the note.
    pub(super) async fn tell(&self, approved: &Approved, frequency: Option<Frequency>) -> Result<bool, Failure> {
        self.append(line(approved, Is::Told), approved.deadline.clone(), frequency).await
    }

    async fn append(&self, line: Line, deadline: Deadline, frequency: Option<Frequency>) -> Result<bool, Failure> {
        let path = Arc::clone(&self.0);
        blocking(move || {
            let mut record = Record::take(&path, &deadline)?;
            if let Some(most) = frequency {
                let had = had(&path, &line, most.days).map_err(|why| unread(&why))?;
                if had >= most.mails as usize {
                    return Ok(false);
                }
            }
            record.append(&Machine, &line).map_err(|why| not_written(&path, &why))?;
            Ok(true)
        })
        .await
    }

    /// What is known of the mail.
    pub(super) async fn known(&self, effect: EffectId) -> Result<Known, Failure> {
        let path = Arc::clone(&self.0);
        blocking(move || {
            if !path.exists() {
                return Ok(Known::Nothing);
            }
            let lines = record::naming::<Line>(&path, effect);
            let lines = lines.map_err(|why| unread(&why))?;
            let last = lines.into_iter().rfind(|line| line.effect == effect);
            Ok(match last.map(|line| line.is) {
                Some(Is::Taken(said)) => Known::Sent(said),
                Some(Is::Told) => Known::Unknown,
                Some(Is::NotTaken) | None => Known::NotSent,
            })
        })
        .await
    }
}

const DAY_MS: u64 = 86_400_000;

fn line(approved: &Approved, is: Is) -> Line {
    let journal = approved.source.journal;
    let email = approved.item.recipient.to_lowercase();
    Line {
        effect: approved.effect,
        key: approved.item.key.clone(),
        digest: sha256(&approved.item.bytes),
        journal,
        // Of each journal another one, so that a list of addresses does not tell who is in it without that journal.
        to: Some(Digest::of("callsheet recipient 1", &[journal.0.as_bytes(), email.as_bytes()])),
        at: Some(approved.at),
        is,
    }
}

/// How many other mails the recipient of `line` has had in the days before it. One of which nobody knows whether it was sent counts.
fn had(path: &Path, line: &Line, days: u32) -> io::Result<usize> {
    let (Some(to), Some(at)) = (line.to, line.at) else { return Ok(0) };
    let mut last: BTreeMap<EffectId, Line> = BTreeMap::new();
    for earlier in record::holding::<Line>(path, &to.to_string())? {
        last.insert(earlier.effect, earlier);
    }
    let within_ms = u64::from(days) * DAY_MS;
    let counts = |other: &&Line| {
        let is_recent = other.at.is_some_and(|then| at.ms_since(then) < within_ms);
        other.effect != line.effect && other.to == Some(to) && other.is != Is::NotTaken && is_recent
    };
    Ok(last.values().filter(counts).count())
}

fn unread(why: &io::Error) -> Failure {
    permanent(format!("{FILE} cannot be read: {}", words(why)))
}

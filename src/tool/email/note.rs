//! What the server was told, noted before and after: a line is durable before a mail is handed over, so that of whatever has none
//! it is known that it did not leave. It lies beside the journal, and goes where that goes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::part::args::permanent;
use super::super::part::disk::{Machine, sync_folder};
use super::super::part::outbox::blocking;
use super::super::part::record::{self, Record, not_written, sha256};
use super::super::{Approved, Deadline};
use crate::failure::Failure;
use crate::file::words;
use crate::id::{Digest, EffectId, RunId};

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
    is: Is,
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
        let line = Line {
            effect: approved.effect,
            key: approved.item.key.clone(),
            digest: sha256(&approved.item.bytes),
            journal: approved.source.journal,
            is,
        };
        let (path, deadline) = (Arc::clone(&self.0), approved.deadline.clone());
        blocking(move || {
            let mut record = Record::take(&path, &deadline)?;
            record.append(&Machine, &line).map_err(|why| not_written(&path, &why))
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
            let lines = lines.map_err(|why| permanent(format!("{FILE} cannot be read: {}", words(&why))))?;
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

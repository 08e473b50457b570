//! What a journal's error concerns, what happened to it, and the error of the layer below, if there is one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::id::{Digest, RunId, Seq};

use super::lease::OwnerId;

/// What an error concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The journal as a whole.
    Journal,
    /// A file of it.
    File(PathBuf),
    /// A run.
    Run(RunId),
    /// A record of a run.
    Record(RunId, Seq),
    /// A body of a run.
    Body(RunId, Digest),
    /// A row of a run's inbox, by its place.
    Posted(RunId, u64),
    /// An owner of runs.
    Owner(OwnerId),
}

/// Why something went wrong. Two are equal if they concern the same and say the same.
#[derive(Debug, Clone)]
pub struct Cause {
    /// What it concerns.
    pub subject: Subject,
    /// What happened and how to mend it; it goes on where the subject's name ends.
    pub text: String,
    below: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Cause {
    /// A cause that is this journal's own finding.
    pub fn new(subject: Subject, text: impl Into<String>) -> Self {
        Self { subject, text: text.into(), below: None }
    }

    /// The same, found out through `below`, which `text` tells too.
    #[must_use]
    pub fn by(self, below: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { below: Some(Arc::new(below)), ..self }
    }

    /// The same of something more exact.
    #[must_use]
    pub fn of(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        (&self.subject, &self.text) == (&other.subject, &other.text)
    }
}

impl Eq for Cause {}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal => f.write_str("it"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Run(run) => write!(f, "run {run}"),
            Self::Record(run, seq) => write!(f, "run {run}, record {seq}"),
            Self::Body(run, digest) => write!(f, "run {run}, body {digest}"),
            Self::Posted(run, place) => write!(f, "run {run}, inbox row {place}"),
            Self::Owner(owner) => write!(f, "owner {}", owner.0),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.below.as_ref().map(|below| below.as_ref() as _)
    }
}

//! Failures of the world as data: one taxonomy, each class fixing retry, cost and visibility.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// What a port's methods return: work that can be dropped at any await.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What kind of failure an effect came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// May go away by itself: time-out, connection, 5xx.
    Transient,
    /// Asked to wait.
    Throttled,
    /// Will not go away by itself.
    Permanent,
    /// The answer has the wrong shape; re-asked at most twice.
    Invalid,
    /// The answer is cut off; never success.
    Truncated,
    /// The model or its provider refused.
    Refused,
    /// Nobody knows whether it happened.
    InDoubt,
    /// Outside what the files allow.
    Policy,
    /// A limit is reached.
    Budget,
    /// Ours: a panic, a broken invariant.
    Bug,
}

impl Class {
    /// All classes, in the order of their severity to the reader.
    pub const ALL: [Self; 10] = [
        Self::Transient,
        Self::Throttled,
        Self::Permanent,
        Self::Invalid,
        Self::Truncated,
        Self::Refused,
        Self::InDoubt,
        Self::Policy,
        Self::Budget,
        Self::Bug,
    ];

    /// The word for it in files, journal and output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Permanent => "permanent",
            Self::Invalid => "invalid",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::InDoubt => "in_doubt",
            Self::Policy => "policy",
            Self::Budget => "budget",
            Self::Bug => "bug",
        }
    }
}

/// A failure as a worker reports it. The reason is hostile text: it may quote a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// What went wrong, for people.
    pub reason: String,
    /// For [`Class::Throttled`]: how long to wait at least.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure with no wait asked for.
    pub fn new(class: Class, reason: impl Into<String>) -> Self {
        Self { class, reason: reason.into(), retry_after_ms: None }
    }
}

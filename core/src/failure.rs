//! Failures of the world as data: one taxonomy, each class fixing retry, cost and visibility.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// What a port's methods return: work that can be dropped at any await.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What kind of failure an effect came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// What the attempt used, if that is known; a paid one of which nobody knows settles at its maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// True if a model cannot take so long a request: what it is shown can be cut once.
    #[serde(default)]
    pub too_long: bool,
    /// True if a paid request went out whole and no whole answer came back: it may have been worked on, and billed, and the
    /// next one may come to the same.
    #[serde(default)]
    pub lost: bool,
    /// True if a reply began and then said nothing for too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// True if a replay asks what was not recorded: no other attempt would have an answer, and nobody can mend that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
    /// For [`Class::Invalid`]: the argument that it is about, if one is. Whoever wrote what that comes from can mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// Tokens that a model call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// In, all of them.
    pub input_tokens: u64,
    /// Out, reasoning included.
    pub output_tokens: u64,
    /// Of those in: read from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Of those in: written to the provider's cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
}

impl Usage {
    /// What a call used that the provider did not begin.
    pub const NOTHING: Self = Self { input_tokens: 0, output_tokens: 0, cached_tokens: 0, cache_write_tokens: 0 };
}

impl Failure {
    /// A failure with no wait asked for, of an attempt whose cost is not known.
    pub fn new(class: Class, reason: impl Into<String>) -> Self {
        Self {
            class,
            reason: reason.into(),
            retry_after_ms: None,
            usage: None,
            too_long: false,
            lost: false,
            silent: false,
            drifted: false,
            about: None,
        }
    }

    /// The same, of a request that went out whole and got no answer at all.
    #[must_use]
    pub fn lost(self) -> Self {
        Self { lost: true, ..self }
    }

    /// The same, about the argument of that name.
    #[must_use]
    pub fn about(self, argument: &str) -> Self {
        Self { about: Some(argument.to_owned()), ..self }
    }

    /// The same, of an attempt that used so much.
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    /// The same, of an attempt that cost nothing: nothing was sent, or the provider refused to begin.
    #[must_use]
    pub fn unpaid(self) -> Self {
        self.with_usage(Usage::NOTHING)
    }
}

//! Failures of replies that cannot be taken as they are.

use crate::failure::{Class, Failure};

/// A failure for what has the wrong shape.
pub(super) fn invalid(reason: impl Into<String>) -> Failure {
    Failure::new(Class::Invalid, reason)
}

/// A failure for what is cut off.
pub(super) fn truncated(reason: impl Into<String>) -> Failure {
    Failure::new(Class::Truncated, reason)
}

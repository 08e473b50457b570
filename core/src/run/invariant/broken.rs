//! How it is said that an invariant does not hold.

/// An invariant that does not hold: ours to mend, never the user's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Broken {
    /// Which: `I1` to `I13`, as [`super`] lists them.
    pub invariant: &'static str,
    /// What was seen instead.
    pub what: String,
}

pub(super) type Holds = Result<(), Broken>;

/// Refuses with `invariant` and what `what` says unless `holds`.
pub(super) fn ensure(invariant: &'static str, holds: bool, what: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(Broken { invariant, what: what() }) }
}

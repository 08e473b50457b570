//! What a run is told by its agents, the clock and the inbox.

use super::lift::Lifted;
use crate::run::owner::Attempt;

/// What a run is told.
pub(super) enum RunMsg {
    /// An attempt ended.
    Outcome(Attempt, Box<Lifted>),
    /// An attempt panicked or erred, with these words.
    Died(Attempt, String),
    /// Look at the clock.
    Wake,
    /// Look at the inbox.
    Posted,
}

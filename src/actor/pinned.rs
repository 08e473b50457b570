//! A plan as runs pin it, with what is made of it once.

use std::sync::Arc;

use super::examiner::Examiner;
use crate::id::Digest;
use crate::model::prompt::Offers;
use crate::topology::plan::Plan;

/// A plan as runs pin it, shared by all runs of it.
pub struct Pinned {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What its members are offered to call.
    pub offers: Arc<Offers>,
    /// By which runs name it.
    pub digest: Digest,
    /// Its schemas and checks, compiled.
    pub examiner: Examiner,
}

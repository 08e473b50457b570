//! The right to own runs, and what its holder is called. How it is held is each store's own: a lock, a row that is renewed.

use std::any::Any;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An owner: one for each process (or system), for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnerId(pub uuid::Uuid);

/// Whoever owns runs, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// An id that nobody else ever has.
    pub id: OwnerId,
    /// What people call it, such as `process 4711`: enough to find it and end it.
    pub label: String,
}

/// A holder's life: it ends when this is dropped.
pub struct Lease {
    holder: Holder,
    _held: Box<dyn Any + Send + Sync>,
}

impl Lease {
    /// A lease for as long as `held` is: for stores.
    pub fn new(holder: Holder, held: impl Any + Send + Sync) -> Self {
        Self { holder, _held: Box::new(held) }
    }

    /// The holder's id, for [`super::Op::Create`] and [`super::Op::Claim`].
    pub fn id(&self) -> OwnerId {
        self.holder.id
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("holder", &self.holder).finish_non_exhaustive()
    }
}

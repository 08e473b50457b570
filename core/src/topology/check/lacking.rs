//! What lists of entries in `[team]` lack, as it is gathered while the files are read; it is told elsewhere.

use std::collections::BTreeMap;

use crate::topology::fault::{At, Fault};
use crate::topology::raw::topology::Member;

/// A list of an entry in `[team]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Reads,
    Writes,
    MayAsk,
}

impl List {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::MayAsk => "may_ask",
        }
    }

    pub(super) fn of(self, member: &Member) -> &[At<String>] {
        match self {
            Self::Reads => &member.reads,
            Self::Writes => &member.writes,
            Self::MayAsk => &member.may_ask,
        }
    }
}

/// What lists of entries lack: by member and list the names, each with the faults that would tell of it one by one.
pub(super) type Forgotten = BTreeMap<(String, List), BTreeMap<String, Vec<Fault>>>;

//! The journal: an append-only list of records for each run, the bodies they name, the inbox beside them.
//! The trait is blocking and in plain bytes; `writer` groups commits of many runs, and knows nothing of events.
//!
//! What a store has to do is listed in words in `tests/it/store.rs`, and every store is held to it there.

use tokio::sync::watch;

use crate::id::{ApprovalNo, Digest, Epoch, RunId, RunNo, Seq, Timestamp};

pub mod audit;
mod cause;
mod firing;
mod lease;
pub mod memory;
pub mod owner;
pub mod sqlite;
mod verify;
pub mod writer;

pub use crate::run::record::{Batch, Body, Head, Moved, Quorum, Record, Summary, chain, chain_start};
pub use cause::{Cause, Subject};
pub use firing::{Came, Fired, Firing, Firings, Unfired, Watch};
pub use lease::{Holder, Lease, OwnerId};

/// The version of the tables and framing that a new journal has. One of an older format is read and written as it is; one
/// of a newer format is refused.
pub const JOURNAL_FORMAT: u32 = 2;

/// Where journals live. One contract test set runs over every implementation.
pub trait Store: Send + Sync {
    /// Applies `ops` in one durable transaction, in their order; an op that fails takes only itself
    /// with it. When this returns, what succeeded is on disk. A failed commit fails every op with [`Error::Broken`],
    /// and the store refuses to write from then on.
    fn commit(&self, ops: &[Op]) -> Vec<Result<Done, Error>>;

    /// The records of `run` after `after`, in order, `limit` at most; the chain is verified as they are read.
    fn records(&self, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error>;

    /// A body of `run`; `None` if it was erased, [`Error::Damaged`] if it was never there. Verified against its digest.
    fn body(&self, run: RunId, digest: Digest) -> Result<Option<Body>, Error>;

    /// Every body of `run` by digest, in the digests' order, and whether its bytes are still there or were erased.
    fn bodies(&self, run: RunId) -> Result<Vec<(Digest, bool)>, Error>;

    /// A pinned blob (a plan), shared by runs. Verified against its digest by the caller, who knows the domain.
    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error>;

    /// What was posted to `run` after `after`, in order.
    fn inbox(&self, run: RunId, after: u64) -> Result<Vec<Posted>, Error>;

    /// The runs that `query` names, newest first.
    fn runs(&self, query: &Query) -> Result<Vec<RunRow>, Error>;

    /// The firings of triggers that `query` names, newest first.
    fn firings(&self, query: &Firings) -> Result<Vec<Firing>, Error>;

    /// The last record of each run that is not over. It costs little, so that whoever keeps what it read reads anew only
    /// the runs that went on.
    fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error>;

    /// Lets `holder` own runs: while the lease is held, nobody else claims what it has. It ends when it is dropped and
    /// when its process is gone, however it went; a process that is merely stopped still holds it.
    fn lease(&self, holder: Holder) -> Result<Lease, Error>;

    /// Tells of writes, so that nobody needs to poll: the number changes after each commit, at once for this store's own,
    /// a little later for those of others who share the journal. It may change when nothing was written, too.
    fn changes(&self) -> Result<watch::Receiver<u64>, Error>;
}

/// A write.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Op {
    /// Makes a run with its first batch (`after` is 0, `epoch` 1), owned by `owner`.
    Create(NewRun, Batch),
    /// Makes the run of a trigger's firing, as [`Op::Create`] does, and settles the firing with it. One that is settled makes
    /// nothing: the answer is [`Done::Settled`]. Nor does one that is to be alone while the run that its trigger started
    /// last is not over: the answer is [`Done::Overlaps`].
    Fire(Fired, NewRun, Batch),
    /// Notes what a firing came to that started nothing. What is settled stays: the answer is [`Done::Settled`].
    Note(Firing),
    /// Asks since when a trigger is watched as what it is, and has it watched from now on if it was not.
    Watch(Watch),
    /// Takes the ownership of a run: its epoch goes up by one. Refused with [`Error::Owned`] while another owner
    /// lives, unless it is taken over.
    Claim { run: RunId, owner: OwnerId, how: Claiming },
    /// Gives an ownership up, unless another has followed it.
    Release {
        run: RunId,
        /// Which ownership: no two claims have the same, not even of one owner.
        epoch: Epoch,
    },
    /// Appends if the run stands at exactly (`after`, `epoch`), else [`Error::Conflict`].
    Append(Batch),
    /// Posts to a run's inbox; the same `id` again is answered with the first one's place and stores nothing.
    Post {
        run: RunId,
        /// The poster's id for it: a retry posts once.
        id: uuid::Uuid,
        json: Vec<u8>,
        at: Timestamp,
    },
    /// Takes the next approval number.
    Number {
        /// For which run: `approve 7` finds it by this.
        run: RunId,
    },
}

/// Under which condition a run is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claiming {
    /// No other living owner has it.
    IfFree,
    /// As [`Claiming::IfFree`], and it is due at this time: whoever saw that it was may be late, and another owner has
    /// done what there was to do. Else the answer is [`Done::NotNeeded`].
    IfDue(Timestamp),
    /// As [`Claiming::IfFree`], and what was posted at this place is not heard yet: another owner may have heard it and
    /// given the run up meanwhile. Else the answer is [`Done::NotNeeded`].
    ToHear(u64),
    /// Even from a living owner, whose appends are then refused.
    TakeOver,
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The run's number.
    Created(RunNo),
    /// Nothing: the firing is settled already, so.
    Settled(Firing),
    /// Nothing: this run of the trigger is not over.
    Overlaps(RunNo),
    /// It is noted.
    Noted,
    /// Since when.
    Watched(Timestamp),
    /// The new epoch.
    Claimed(Epoch),
    /// Nobody claimed it: there is nothing to do yet, or any more.
    NotNeeded,
    /// It is free.
    Released,
    /// The last record's place.
    Appended(Seq),
    /// The row's place in the run's inbox, from 1.
    Posted(u64),
    /// The number.
    Number(ApprovalNo),
}

/// What is fixed when a run is made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The topology's name.
    pub topology: String,
    /// When.
    pub at: Timestamp,
    /// Its first owner.
    pub owner: OwnerId,
    /// Blobs that its records pin by digest; those already stored are left alone.
    pub blobs: Vec<(Digest, Vec<u8>)>,
}

/// A row of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// From 1 in each run.
    pub place: u64,
    /// The poster's id.
    pub id: uuid::Uuid,
    /// JSON.
    pub json: Vec<u8>,
    /// When it was posted, by the clock of whoever did.
    pub at: Timestamp,
}

/// A run's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Inside.
    pub id: RunId,
    /// For people.
    pub no: RunNo,
    /// The topology's name.
    pub topology: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last appended to, up to its end: what is said of a run that is over does not count.
    pub updated_at: Timestamp,
    /// Its last record.
    pub last: Seq,
    /// Its ownership.
    pub epoch: Epoch,
    /// Who owns it, if the owner lives.
    pub owner: Option<Holder>,
    /// Rows in its inbox.
    pub posted: u64,
    /// The projection.
    pub summary: Summary,
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// This one.
    pub id: Option<RunId>,
    /// The one with this number.
    pub no: Option<RunNo>,
    /// The one that this approval number was taken for.
    pub approval: Option<ApprovalNo>,
    /// Only those with a higher number.
    pub above: Option<RunNo>,
    /// Only those that are not over.
    pub live: bool,
    /// Only those that this owner has to see to now.
    pub due: Option<Due>,
    /// Only those that a trigger is still to follow.
    pub unfired: Option<Unfired>,
    /// At most so many; 0 is 1,000.
    pub limit: usize,
}

/// What an owner has to see to: runs to wake at or before `at`, and those with inbox rows not heard, over or not; none that
/// another owner has who lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time that it is.
    pub at: Timestamp,
    /// The owner that asks: what it has itself is due too.
    pub by: OwnerId,
}

/// Why a journal cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such run.
    #[error("no such run")]
    UnknownRun,
    /// Somebody else appended, or took the run over.
    #[error(transparent)]
    Conflict(#[from] Moved),
    /// Somebody else who lives drives it.
    #[error("{by} is driving this run")]
    Owned {
        /// What that owner is called.
        by: String,
    },
    /// The bytes are not what was written.
    #[error("the journal is damaged: {0}")]
    Damaged(#[source] Cause),
    /// A newer callsheet made it.
    #[error("the journal has format {found}, this callsheet reads up to {JOURNAL_FORMAT}: use a newer callsheet")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// What was to be written could not be verified later; nothing of it is written, and the store goes on.
    #[error("the journal refuses what it could not verify later: {0}")]
    Malformed(#[source] Cause),
    /// The disk is full.
    #[error("the disk is full: free some space and resume; nothing that was accepted is lost")]
    Full,
    /// It was opened to look only.
    #[error("the journal cannot be written: it was opened to be read only")]
    ReadOnly,
    /// Whoever writes for this process has ended.
    #[error("the journal cannot be written: its writer has ended")]
    Ended,
    /// A write or sync failed; the store writes no more.
    #[error("the journal cannot be written: {0}")]
    Broken(#[source] Cause),
    /// It cannot be opened or read.
    #[error("the journal cannot be read: {0}")]
    Unreadable(#[source] Cause),
}

//! A journal in memory, for tests and simulation: all that a store promises but durability.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::id::{ApprovalNo, Digest, Epoch, RunId, RunNo, Seq, Timestamp};

use super::{
    Batch, Body, Came, Cause, Claiming, Done, Due, Error, Fired, Firing, Firings, Holder, Lease, Moved, NewRun, Op,
    OwnerId, Posted, Query, Record, RunRow, Store, Subject, Summary, Unfired, Watch, chain, chain_start, verify,
};

/// A journal that ends with the process.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<u64>,
}

impl Memory {
    /// An empty journal, in which no owner lives.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How firings are ordered.
fn newest(firing: &Firing) -> (Timestamp, Timestamp, &str, &str) {
    (firing.at, firing.due_at, &firing.trigger, &firing.key)
}

/// An owner's life.
struct Life(Arc<Mutex<Inner>>, OwnerId);

impl Drop for Life {
    fn drop(&mut self) {
        lock(&self.0).living.remove(&self.1);
    }
}

impl Store for Memory {
    fn commit(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        let mut inner = self.lock();
        let answers = ops.iter().map(|op| inner.apply(op)).collect();
        drop(inner);
        self.changed.send_modify(|number| *number += 1);
        answers
    }

    fn records(&self, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error> {
        let inner = self.lock();
        let all = &inner.run(run)?.records;
        let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(all.len());
        let page: Vec<_> = all[from..].iter().take(limit).cloned().collect();
        let before = from.checked_sub(1).map_or_else(|| chain_start(run), |last| all[last].chain);
        verify::follow(run, Seq(from as u64), before, &page)?;
        Ok(page)
    }

    fn body(&self, run: RunId, digest: Digest) -> Result<Option<Body>, Error> {
        self.lock().run(run)?.bodies.get(&digest).cloned().map(Some).ok_or_else(|| verify::no_body(run, digest))
    }

    fn bodies(&self, run: RunId) -> Result<Vec<(Digest, bool)>, Error> {
        Ok(self.lock().run(run)?.bodies.keys().map(|digest| (*digest, true)).collect())
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.lock().blobs.get(&digest).cloned())
    }

    fn inbox(&self, run: RunId, after: u64) -> Result<Vec<Posted>, Error> {
        Ok(self.lock().run(run)?.inbox.iter().filter(|posted| posted.place > after).cloned().collect())
    }

    fn runs(&self, query: &Query) -> Result<Vec<RunRow>, Error> {
        let inner = self.lock();
        let limit = if query.limit == 0 { 1_000 } else { query.limit };
        let newest_first = inner.order.iter().rev().filter_map(|id| inner.row(*id));
        Ok(newest_first.filter(|row| inner.is_asked_for(row, query)).take(limit).collect())
    }

    fn firings(&self, query: &Firings) -> Result<Vec<Firing>, Error> {
        let inner = self.lock();
        let limit = if query.limit == 0 { 1_000 } else { query.limit };
        let is_wanted = |firing: &&Firing| {
            query.trigger.as_ref().is_none_or(|trigger| *trigger == firing.trigger)
                && query.key.as_ref().is_none_or(|key| *key == firing.key)
                && query.run.is_none_or(|run| firing.came.run() == Some(run))
                && (!query.started || firing.came.run().is_some())
        };
        let mut found: Vec<Firing> = inner.firings.values().filter(is_wanted).cloned().collect();
        found.sort_by(|a, b| newest(b).cmp(&newest(a)));
        found.truncate(limit);
        Ok(found)
    }

    fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error> {
        let inner = self.lock();
        let live = inner.runs.iter().filter(|(_, run)| !run.summary.over);
        Ok(live.map(|(id, run)| (*id, Seq(run.records.len() as u64))).collect())
    }

    fn lease(&self, holder: Holder) -> Result<Lease, Error> {
        let life = Life(Arc::clone(&self.inner), holder.id);
        self.lock().living.insert(holder.id, holder.label.clone());
        Ok(Lease::new(holder, life))
    }

    fn changes(&self) -> Result<watch::Receiver<u64>, Error> {
        Ok(self.changed.subscribe())
    }
}

#[derive(Debug, Default)]
struct Inner {
    runs: HashMap<RunId, Run>,
    order: Vec<RunId>,
    approvals: Vec<RunId>,
    blobs: HashMap<Digest, Vec<u8>>,
    living: HashMap<OwnerId, String>,
    /// By trigger and key.
    firings: BTreeMap<(String, String), Firing>,
    /// As what each trigger is watched, and since when.
    watched: HashMap<String, (Digest, Timestamp)>,
}

#[derive(Debug)]
struct Run {
    no: RunNo,
    topology: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    epoch: Epoch,
    owner: Option<OwnerId>,
    records: Vec<Record>,
    bodies: BTreeMap<Digest, Body>,
    inbox: Vec<Posted>,
    summary: Summary,
}

impl Inner {
    // Each arm checks first and changes last, so that an op that fails has changed nothing.
    fn apply(&mut self, op: &Op) -> Result<Done, Error> {
        match op {
            Op::Create(new, batch) => self.create(new, batch),
            Op::Fire(fired, new, batch) => self.fire(fired, new, batch),
            Op::Note(firing) => self.note(firing),
            Op::Watch(Watch { trigger, what, at }) => {
                let known = self.watched.entry(trigger.clone()).or_insert((*what, *at));
                if known.0 != *what {
                    *known = (*what, *at);
                }
                Ok(Done::Watched(known.1))
            }
            Op::Claim { run, owner, how } => self.claim(*run, *owner, *how),
            Op::Release { run, epoch } => {
                let run = self.run_mut(*run)?;
                if run.epoch == *epoch {
                    run.owner = None;
                }
                Ok(Done::Released)
            }
            Op::Append(batch) => {
                verify::well_formed(batch)?;
                self.run_mut(batch.run)?.append(batch)
            }
            Op::Post { run, id, json, at } => Ok(Done::Posted(self.run_mut(*run)?.post(*id, json, *at))),
            Op::Number { run } => {
                self.run(*run)?;
                self.approvals.push(*run);
                Ok(Done::Number(ApprovalNo(self.approvals.len() as u64)))
            }
        }
    }

    fn create(&mut self, new: &NewRun, batch: &Batch) -> Result<Done, Error> {
        verify::well_begun(new, batch)?;
        if let Some(run) = self.runs.get(&new.id) {
            return Err(run.conflict());
        }
        let no = RunNo(self.order.len() as u64 + 1);
        let mut run = Run {
            no,
            topology: new.topology.clone(),
            created_at: new.at,
            updated_at: new.at,
            epoch: Epoch(1),
            owner: Some(new.owner),
            records: Vec::new(),
            bodies: BTreeMap::new(),
            inbox: Vec::new(),
            summary: Summary::default(),
        };
        run.append(batch)?;
        self.runs.insert(new.id, run);
        self.order.push(new.id);
        for (digest, bytes) in &new.blobs {
            self.blobs.entry(*digest).or_insert_with(|| bytes.clone());
        }
        Ok(Done::Created(no))
    }

    fn fire(&mut self, fired: &Fired, new: &NewRun, batch: &Batch) -> Result<Done, Error> {
        if let Some(settled) = self.settled(&fired.trigger, &fired.key) {
            return Ok(Done::Settled(settled));
        }
        let started = self.firings.values().filter(|firing| firing.trigger == fired.trigger);
        let last = started.filter(|firing| firing.came.run().is_some()).max_by(|a, b| newest(a).cmp(&newest(b)));
        let last = last.and_then(|firing| self.runs.get(&firing.came.run()?)).filter(|run| !run.summary.over);
        if let Some(run) = last.filter(|_| fired.alone) {
            return Ok(Done::Overlaps(run.no));
        }
        let made = self.create(new, batch)?;
        let Fired { trigger, key, due_at, .. } = fired.clone();
        let came = Came::Started(new.id);
        self.firings.insert((trigger.clone(), key.clone()), Firing { trigger, key, due_at, at: new.at, came });
        Ok(made)
    }

    fn note(&mut self, firing: &Firing) -> Result<Done, Error> {
        if firing.came.run().is_some() {
            let text = "is told of a run that started without its firing";
            return Err(Error::Malformed(Cause::new(Subject::Journal, text)));
        }
        if let Some(settled) = self.settled(&firing.trigger, &firing.key) {
            return Ok(Done::Settled(settled));
        }
        self.firings.insert((firing.trigger.clone(), firing.key.clone()), firing.clone());
        Ok(Done::Noted)
    }

    fn settled(&self, trigger: &str, key: &str) -> Option<Firing> {
        let firing = self.firings.get(&(trigger.to_owned(), key.to_owned()));
        firing.filter(|firing| firing.came.is_settled()).cloned()
    }

    fn claim(&mut self, run: RunId, owner: OwnerId, how: Claiming) -> Result<Done, Error> {
        let holder = self.run(run)?.owner.filter(|holder| *holder != owner && how != Claiming::TakeOver);
        if let Some(by) = holder.and_then(|holder| self.living.get(&holder)) {
            return Err(Error::Owned { by: by.clone() });
        }
        let run = self.run_mut(run)?;
        let is_needed = match how {
            Claiming::IfFree | Claiming::TakeOver => true,
            Claiming::IfDue(at) => run.is_due(at),
            Claiming::ToHear(place) => run.summary.heard < place,
        };
        if !is_needed {
            return Ok(Done::NotNeeded);
        }
        run.owner = Some(owner);
        run.epoch.0 += 1;
        Ok(Done::Claimed(run.epoch))
    }

    fn run(&self, run: RunId) -> Result<&Run, Error> {
        self.runs.get(&run).ok_or(Error::UnknownRun)
    }

    fn run_mut(&mut self, run: RunId) -> Result<&mut Run, Error> {
        self.runs.get_mut(&run).ok_or(Error::UnknownRun)
    }

    fn row(&self, id: RunId) -> Option<RunRow> {
        let run = self.runs.get(&id)?;
        let owner = run.owner.and_then(|id| self.living.get(&id).map(|label| Holder { id, label: label.clone() }));
        Some(RunRow {
            id,
            no: run.no,
            topology: run.topology.clone(),
            created_at: run.created_at,
            updated_at: run.updated_at,
            last: run.last(),
            epoch: run.epoch,
            owner,
            posted: run.inbox.len() as u64,
            summary: run.summary.clone(),
        })
    }

    fn is_unfired(&self, row: &RunRow, unfired: &Unfired) -> bool {
        row.topology == unfired.topology
            && row.summary.over
            && row.summary.status == "done"
            && row.updated_at >= unfired.since
            && self.settled(&unfired.trigger, &Unfired::key(row.id)).is_none()
    }

    fn is_asked_for(&self, row: &RunRow, query: &Query) -> bool {
        let approval_of = |no: ApprovalNo| {
            let place = usize::try_from(no.0).ok()?.checked_sub(1)?;
            self.approvals.get(place).copied()
        };
        let is_due = |due: Due| {
            let is_free = row.owner.as_ref().is_none_or(|owner| owner.id == due.by);
            is_free && has_work(row.posted, &row.summary, due.at)
        };
        query.id.is_none_or(|id| id == row.id)
            && query.no.is_none_or(|no| no == row.no)
            && query.above.is_none_or(|no| no < row.no)
            && query.approval.is_none_or(|no| approval_of(no) == Some(row.id))
            && (!query.live || !row.summary.over)
            && query.due.is_none_or(is_due)
            && query.unfired.as_ref().is_none_or(|unfired| self.is_unfired(row, unfired))
    }
}

/// Whether something was posted that is not heard yet, or a timer has run out before the end.
fn has_work(posted: u64, summary: &Summary, at: Timestamp) -> bool {
    posted > summary.heard || !summary.over && summary.wake_at.is_some_and(|wake_at| wake_at <= at)
}

impl Run {
    fn is_due(&self, at: Timestamp) -> bool {
        has_work(self.inbox.len() as u64, &self.summary, at)
    }

    fn append(&mut self, batch: &Batch) -> Result<Done, Error> {
        if batch.after != self.last() || batch.epoch != self.epoch {
            return Err(self.conflict());
        }
        for head in &batch.heads {
            let before = self.records.last().map_or_else(|| chain_start(batch.run), |record| record.chain);
            let seq = Seq(self.last().0 + 1);
            let chain = chain(before, seq, self.epoch, head);
            self.records.push(Record { seq, epoch: self.epoch, head: head.clone(), chain });
        }
        for body in &batch.bodies {
            self.bodies.entry(body.digest).or_insert_with(|| body.clone());
        }
        if !self.summary.over {
            self.updated_at = batch.at.max(self.created_at);
        }
        self.summary = batch.summary.clone();
        self.owner.take_if(|_| batch.release);
        Ok(Done::Appended(self.last()))
    }

    fn post(&mut self, id: uuid::Uuid, json: &[u8], at: Timestamp) -> u64 {
        if let Some(first) = self.inbox.iter().find(|posted| posted.id == id) {
            return first.place;
        }
        let place = self.inbox.len() as u64 + 1;
        self.inbox.push(Posted { place, id, json: json.to_vec(), at });
        place
    }

    fn last(&self) -> Seq {
        Seq(self.records.len() as u64)
    }

    fn conflict(&self) -> Error {
        Moved { last: self.last(), epoch: self.epoch }.into()
    }
}

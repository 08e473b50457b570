//! What runs do, told to a collector of OpenTelemetry while they do it: a run is a trace, and its spans are a fold of the same
//! records that everything else reads. Runs are never kept waiting for it, and no text of a run goes there.

mod send;
mod spans;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::actor::history;
use crate::id::{Digest, RunId, Seq};
use crate::journal::{Body, Done, Error, Firing, Firings, Holder, Lease, Op, Posted, Query, Record, RunRow, Store};
use send::Sender;
pub use send::{Collector, Refused};
use spans::Trace;

/// Spans of one request.
const REQUEST_MAX: usize = 512;

/// Spans that wait while no collector takes them; the oldest go first.
const WAITING_MAX: usize = 20_000;

/// Runs whose open spans are kept in memory. One that is not there is read again from its journal.
const TRACES_MAX: usize = 1_024;

/// How long what is left may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(3);

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Runs with records that no span was made of: the last record that was looked at.
#[derive(Default)]
struct News {
    from: Mutex<BTreeMap<RunId, Seq>>,
    wake: Notify,
}

impl News {
    fn of(&self, run: RunId, after: Seq) {
        self.from.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_insert(after);
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeMap<RunId, Seq> {
        std::mem::take(&mut self.from.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells a collector what is written to a journal, until it is finished.
pub struct Telemetry {
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Telemetry {
    /// The same journal, of whose new records `collector` hears.
    ///
    /// # Errors
    /// If nothing can be sent at all, for people.
    pub fn begin(store: Arc<dyn Store>, collector: Collector) -> Result<(Arc<dyn Store>, Self), String> {
        let news = Arc::new(News::default());
        let (end, ends) = watch::channel(false);
        let teller = Teller {
            store: Arc::clone(&store),
            news: Arc::clone(&news),
            sender: Sender::new(collector)?,
            traces: HashMap::new(),
            waiting: VecDeque::new(),
        };
        let task = tokio::spawn(teller.tell(ends));
        Ok((Arc::new(Watched { store, news }), Self { end, task }))
    }

    /// Sends what is left, if that can be done soon.
    pub async fn finish(self) {
        let _ = self.end.send(true);
        let _ = tokio::time::timeout(FAREWELL, self.task).await;
    }
}

struct Teller {
    store: Arc<dyn Store>,
    news: Arc<News>,
    sender: Sender,
    traces: HashMap<RunId, Trace>,
    waiting: VecDeque<Span>,
}

impl Teller {
    async fn tell(mut self, mut ends: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        loop {
            let is_end = *ends.borrow_and_update();
            self = match tokio::task::spawn_blocking(move || self.looked()).await {
                Ok(teller) => teller,
                Err(broken) => return tracing::error!(%broken, "telemetry ends"),
            };
            let went = self.send().await;
            if is_end {
                return;
            }
            let retry = match went {
                Ok(()) => {
                    pause = PAUSE_MIN;
                    None
                }
                Err(Refused { why, again }) => {
                    tracing::warn!(%why, again, "the collector does not take spans");
                    let waits = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    again.then_some(waits)
                }
            };
            tokio::select! {
                () = self.news.wake.notified(), if retry.is_none() => {}
                () = tokio::time::sleep(retry.unwrap_or_default()), if retry.is_some() => {}
                _ = ends.changed() => {}
            }
        }
    }

    /// Makes spans of what is new.
    fn looked(mut self) -> Self {
        for (run, after) in self.news.take() {
            if let Err(error) = self.look(run, after) {
                tracing::warn!(%run, %error, "no spans are made of this run");
                self.traces.remove(&run);
            }
        }
        let over = self.waiting.len().saturating_sub(WAITING_MAX);
        if over > 0 {
            tracing::warn!(over, "spans are dropped: the collector has not taken any for long");
            self.waiting.drain(..over);
        }
        self
    }

    fn look(&mut self, run: RunId, after: Seq) -> Result<(), history::Error> {
        let store = &*self.store;
        if self.traces.len() >= TRACES_MAX && !self.traces.contains_key(&run) {
            self.traces.clear();
        }
        let trace = match self.traces.entry(run) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Trace::new(run, &history::pinned_plan(store, run)?.2))
            }
        };
        let waiting = &mut self.waiting;
        history::follow(store, run, trace.seen(), &mut |record, fact| {
            let ended = trace.take(record.seq, &fact, &mut |digest| usage(store, run, digest));
            // What an earlier process has told is not told again.
            if record.seq > after {
                waiting.extend(ended);
            }
            Ok(())
        })?;
        if trace.is_over() {
            self.traces.remove(&run);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Refused> {
        while !self.waiting.is_empty() {
            let count = self.waiting.len().min(REQUEST_MAX);
            let spans: Vec<Span> = self.waiting.iter().take(count).cloned().collect();
            let went = self.sender.send(spans).await;
            // What is not wanted now will not be wanted later.
            if went.is_ok() || went.as_ref().is_err_and(|refused| !refused.again) {
                self.waiting.drain(..count);
            }
            went?;
        }
        Ok(())
    }
}

/// Tokens in and out, as a reply's provider reported them.
fn usage(store: &dyn Store, run: RunId, reply: Digest) -> Option<crate::failure::Usage> {
    #[derive(serde::Deserialize)]
    struct Used {
        usage: Option<crate::failure::Usage>,
    }
    let body = store.body(run, reply).ok()??;
    serde_json::from_slice::<Used>(&body.bytes).ok()?.usage
}

/// A journal that tells which runs have new records.
struct Watched {
    store: Arc<dyn Store>,
    news: Arc<News>,
}

impl Store for Watched {
    fn commit(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        let done = self.store.commit(ops);
        for (op, done) in ops.iter().zip(&done) {
            let wrote = matches!(done, Ok(Done::Created(_) | Done::Appended(_)));
            if let Op::Create(_, batch) | Op::Fire(_, _, batch) | Op::Append(batch) = op
                && wrote
            {
                self.news.of(batch.run, batch.after);
            }
        }
        done
    }

    fn records(&self, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error> {
        self.store.records(run, after, limit)
    }

    fn body(&self, run: RunId, digest: Digest) -> Result<Option<Body>, Error> {
        self.store.body(run, digest)
    }

    fn bodies(&self, run: RunId) -> Result<Vec<(Digest, bool)>, Error> {
        self.store.bodies(run)
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        self.store.blob(digest)
    }

    fn inbox(&self, run: RunId, after: u64) -> Result<Vec<Posted>, Error> {
        self.store.inbox(run, after)
    }

    fn runs(&self, query: &Query) -> Result<Vec<RunRow>, Error> {
        self.store.runs(query)
    }

    fn firings(&self, query: &Firings) -> Result<Vec<Firing>, Error> {
        self.store.firings(query)
    }

    fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error> {
        self.store.lasts()
    }

    fn lease(&self, holder: Holder) -> Result<Lease, Error> {
        self.store.lease(holder)
    }

    fn changes(&self) -> Result<watch::Receiver<u64>, Error> {
        self.store.changes()
    }
}

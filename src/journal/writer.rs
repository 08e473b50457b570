//! The one writer of a process: groups what many runs want written into few commits; it knows nothing of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Cause, Done, Error, Op, Store, Subject};

/// Most ops in one commit.
pub const GROUP_OPS_MAX: usize = 256;

/// How long the first of a group waits for the others: less than most disks take to sync.
const OTHERS_WAIT: Duration = Duration::from_micros(250);

/// Ops that wait while a commit runs; whoever comes after them waits for room.
const QUEUE_OPS_MAX: usize = 1_024;

/// A handle on the thread that writes; when the last one is dropped, the thread writes what is queued and ends.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Wish>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread that writes to `store`.
    pub fn new(store: Arc<dyn Store>) -> Result<Self, Error> {
        let (queue, wishes) = mpsc::channel(QUEUE_OPS_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || write(store, wishes, &counter)).map_err(
            |error| {
                let text = format!("has no thread to write it: {error}");
                Error::Broken(Cause::new(Subject::Journal, text).by(error))
            },
        )?;
        Ok(Self { queue, commits })
    }

    /// Writes `op`; when this returns, it is on disk. Others' ops that wait at the same time share the sync.
    /// Once queued the op is written even if this future is dropped.
    pub async fn commit(&self, op: Op) -> Result<Done, Error> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Wish::Write(op, answer)).await.map_err(|_| Error::Ended)?;
        answered.await.map_err(|_| Error::Ended)?
    }

    /// Commits so far, each with one sync.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Writes what is queued and ends the thread; every handle is refused from then on.
    pub async fn close(self) {
        let (answer, answered) = oneshot::channel();
        // Both fail only if the thread has ended already, which is what is wanted.
        if self.queue.send(Wish::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

#[derive(Debug)]
enum Wish {
    Write(Op, oneshot::Sender<Result<Done, Error>>),
    Close(oneshot::Sender<()>),
}

fn write(store: Arc<dyn Store>, mut wishes: mpsc::Receiver<Wish>, commits: &AtomicU64) {
    let (mut group, mut ops, mut answers, mut closers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut usual = 0;
    loop {
        if closers.is_empty() {
            wishes.blocking_recv_many(&mut group, GROUP_OPS_MAX);
            // Those that were answered together go on together, and the first of them is back long before the others: a commit
            // for it alone would have them wait.
            if !group.is_empty() && group.len() < usual / 2 {
                std::thread::sleep(OTHERS_WAIT);
            }
        }
        // Not by waiting for the end of the channel: a future with a place in it that nobody polls would hold that up.
        let room = GROUP_OPS_MAX - group.len();
        group.extend(std::iter::from_fn(|| wishes.try_recv().ok()).take(room));
        if group.is_empty() {
            break;
        }
        for wish in group.drain(..) {
            match wish {
                Wish::Write(op, answer) => {
                    ops.push(op);
                    answers.push(answer);
                }
                Wish::Close(answer) => {
                    wishes.close();
                    closers.push(answer);
                }
            }
        }
        if ops.is_empty() {
            continue;
        }
        usual = usize::midpoint(usual, ops.len());
        let results = store.commit(&ops);
        commits.fetch_add(1, Ordering::Relaxed);
        for (answer, result) in answers.drain(..).zip(results) {
            // Whoever asked may have gone; what it asked for is written all the same.
            let _ = answer.send(result);
        }
        ops.clear();
    }
    // The store goes first: a file that nobody else holds is closed when `close` returns.
    drop(store);
    for closer in closers {
        let _ = closer.send(());
    }
}

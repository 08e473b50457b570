//! The writer: what waits together shares a commit, and nobody is answered before it.

use std::sync::{Arc, Condvar, Mutex};

use callsheet::id::{RunNo, Seq};
use callsheet::journal::memory::Memory;
use callsheet::journal::writer::{GROUP_OPS_MAX, Writer};
use callsheet::journal::{Done, Error, Moved, Op, Store};

use crate::store::{NOBODY, append, create, post, run_id};
use crate::support::{Answered, Answers};

/// A store whose commits wait until they are let through, and which notes how large they were.
#[derive(Default)]
struct Gate {
    inner: Memory,
    open: Mutex<bool>,
    changed: Condvar,
    groups: Mutex<Vec<usize>>,
    is_broken: bool,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn groups(&self) -> Vec<usize> {
        self.groups.lock().unwrap().clone()
    }
}

impl Answers for Gate {
    fn inner(&self) -> &Memory {
        &self.inner
    }

    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        self.groups.lock().unwrap().push(ops.len());
        drop(self.changed.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
        if self.is_broken {
            return vec![Err(Error::Full); ops.len()];
        }
        self.inner.commit(ops)
    }
}

#[tokio::test]
async fn what_waits_together_is_one_commit_and_a_conflict_is_its_own() {
    let gate = Arc::new(Answered(Gate::default()));
    let writer = Writer::new(gate.clone()).unwrap();
    let mut first = tokio::spawn({
        let writer = writer.clone();
        async move { writer.commit(create(run_id(1), NOBODY, &["a"])).await }
    });
    while gate.groups().is_empty() {
        tokio::task::yield_now().await;
    }
    // Polled once each, so that they are queued while the first commit runs.
    let ops = [append(run_id(1), 1, 1, &["b"]), append(run_id(1), 7, 1, &["lost"]), post(run_id(1), 1, "x")];
    let mut waiting: Vec<_> = ops.into_iter().map(|op| Box::pin(writer.commit(op))).collect();
    for wish in &mut waiting {
        assert!(poll_once(wish.as_mut()).await.is_none(), "nobody is answered before the commit");
    }
    assert!(poll_once(&mut first).await.is_none());
    gate.open();
    assert_eq!(first.await.unwrap(), Ok(Done::Created(RunNo(1))));
    let mut answers = Vec::new();
    for wish in waiting {
        answers.push(wish.await);
    }
    assert_eq!(answers[0], Ok(Done::Appended(Seq(2))));
    assert!(matches!(answers[1], Err(Error::Conflict(Moved { last: Seq(2), .. }))), "{:?}", answers[1]);
    assert_eq!(answers[2], Ok(Done::Posted(1)));
    assert_eq!(gate.groups(), [1, 3]);
    assert_eq!(writer.commits(), 2);
}

#[tokio::test]
async fn a_group_has_a_limit_and_closing_writes_what_is_queued() {
    let gate = Arc::new(Answered(Gate::default()));
    let writer = Writer::new(gate.clone()).unwrap();
    gate.inner.commit(&[create(run_id(1), NOBODY, &["a"])]);
    let count = GROUP_OPS_MAX * 2 + 50;
    let mut waiting: Vec<_> = (0..count).map(|n| Box::pin(writer.commit(post(run_id(1), n as u128, "x")))).collect();
    for wish in &mut waiting {
        assert!(poll_once(wish.as_mut()).await.is_none());
    }
    let mut closing = Box::pin(writer.clone().close());
    assert!(poll_once(closing.as_mut()).await.is_none());
    gate.open();
    closing.await;
    assert!(gate.groups().iter().all(|size| *size <= GROUP_OPS_MAX), "{:?}", gate.groups());
    assert_eq!(gate.groups().iter().sum::<usize>(), count);
    for (wish, place) in waiting.into_iter().zip(1..) {
        assert_eq!(wish.await, Ok(Done::Posted(place)));
    }
    assert!(matches!(writer.commit(post(run_id(1), 9_999, "x")).await, Err(Error::Ended)));
    assert_eq!(Arc::strong_count(&gate), 1, "the thread has let go of the store");
    writer.close().await;
}

#[tokio::test]
async fn a_wish_that_was_given_up_is_written_all_the_same() {
    let gate = Arc::new(Answered(Gate::default()));
    let writer = Writer::new(gate.clone()).unwrap();
    gate.inner.commit(&[create(run_id(1), NOBODY, &["a"])]);
    let mut given_up = Box::pin(writer.commit(append(run_id(1), 1, 1, &["b"])));
    assert!(poll_once(given_up.as_mut()).await.is_none());
    drop(given_up);
    gate.open();
    writer.close().await;
    assert_eq!(gate.records(run_id(1), Seq(0), 9).unwrap().len(), 2);
}

#[tokio::test]
async fn everybody_is_told_of_a_store_that_fails() {
    let gate = Arc::new(Answered(Gate { is_broken: true, ..Gate::default() }));
    gate.open();
    let writer = Writer::new(gate).unwrap();
    for n in 0..3 {
        assert_eq!(writer.commit(post(run_id(1), n, "x")).await, Err(Error::Full));
    }
}

#[tokio::test]
async fn one_who_has_room_in_the_queue_and_does_not_come_holds_up_nobody() {
    let gate = Arc::new(Answered(Gate::default()));
    let writer = Writer::new(gate.clone()).unwrap();
    // More than tokio lets one task do in a turn, so that the last futures get a place and do not fill it.
    let mut waiting: Vec<_> = (0..300).map(|n| Box::pin(writer.commit(post(run_id(1), n, "x")))).collect();
    std::future::poll_fn(|context| {
        for wish in &mut waiting {
            assert!(wish.as_mut().poll(context).is_pending());
        }
        std::task::Poll::Ready(())
    })
    .await;
    gate.open();
    writer.clone().close().await;
    assert_eq!(Arc::strong_count(&gate), 1);
    assert_eq!(waiting.swap_remove(0).await, Err(Error::UnknownRun));
    assert!(matches!(waiting.pop().unwrap().await, Err(Error::Ended)));
}

/// Polls `wish` one time, as if its task had never been polled before.
async fn poll_once<F: Future + Unpin>(mut wish: F) -> Option<F::Output> {
    tokio::task::coop::unconstrained(std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut wish).poll(context) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        })
    }))
    .await
}

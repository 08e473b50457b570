//! Time and decisions: silence rejects or holds and never approves; a decision counts by when it was made.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use callsheet::clock::{Clock, Machine};
use callsheet::id::{ApprovalNo, Digest, Timestamp};
use callsheet::journal::{Op, Store as _};
use callsheet::run::event::{Decision, Refusal};
use callsheet::run::input::{Post, Say};
use callsheet::run::state::Status;
use callsheet::topology::plan::Expiry;

use super::decisions::{DONE, REJECTED, person, rig};
use super::support::{Rig, shipped, who};

/// A clock that a test moves.
pub(super) struct Moved(AtomicI64);

impl Moved {
    pub(super) fn by_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        Machine.uptime_ms()
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

pub(super) const DAY_MS: i64 = 86_400_000;

pub(super) fn moved() -> (Rig, Arc<Moved>) {
    let mut rig = rig();
    let clock = Arc::new(Moved(AtomicI64::new(1_700_000_000_000)));
    rig.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    (rig, clock)
}

fn approve((approval, binds): (ApprovalNo, Digest)) -> Say {
    Say::Decide { approval, binds, decision: Decision::Approve, comment: "late?".to_owned() }
}

/// A clock that stands still, as one does that is set back again and again, on a machine where each look takes an hour.
struct SetBack(AtomicU64);

impl Clock for SetBack {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }

    fn uptime_ms(&self) -> u64 {
        self.0.fetch_add(3_600_000, Ordering::SeqCst)
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_began_too_long_ago_is_not_performed_whatever_the_clock_says() {
    let mut rig = rig();
    rig.clock = Arc::new(SetBack(AtomicU64::new(0)));
    let mut plan = shipped("content-repurposing");
    // Waits never end where the clock stands still.
    (plan.supervisor.backoff_initial_ms, plan.supervisor.backoff_max_ms) = (0, 0);
    let driven = rig.run(&plan).await;
    assert_eq!(driven.approve_all().await, Status::Stuck);
    let why = driven.reasons();
    assert!(matches!(why.as_slice(), [why] if why.contains("it began too long ago")), "{why:?}");
    assert!(driven.came().files.is_empty());
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_rejects_or_holds_and_never_approves() {
    for (then, live) in [(Expiry::Reject, true), (Expiry::Reject, false), (Expiry::Hold, true), (Expiry::Hold, false)] {
        let (rig, clock) = moved();
        let mut plan = shipped("content-repurposing");
        person(&mut plan).expires.then = then;
        let mut driven = rig.run(&plan).await;
        driven.settled().await;
        let asked = driven.open_approval();
        if !live {
            driven.system.stop().await;
        }
        clock.by_ms(7 * DAY_MS);
        if live {
            // Anything said makes it look at the clock.
            assert_eq!(driven.say("ada", Say::Resume).await, Err(Refusal::NothingToDo));
        } else {
            driven = rig.open(driven.handle.run).await;
        }
        let what = format!("{then:?}, live: {live}");
        match then {
            Expiry::Reject => {
                driven.until("its end", |state| state.ended.is_some()).await;
                assert_eq!(driven.settled().await, REJECTED, "{what}");
                let result = &driven.state().results[0];
                assert_eq!(result.outcome.as_str(), "expired", "{what}");
                assert_eq!(driven.say("ada", approve(asked)).await, Err(Refusal::Closed), "{what}");
                assert!(driven.came().files.is_empty(), "{what}");
            }
            Expiry::Hold => {
                driven.until("overdue", |state| state.approvals.values().all(|approval| approval.overdue)).await;
                assert_eq!(driven.settled().await, Status::Waiting, "{what}");
                driven.say("ada", approve(asked)).await.unwrap();
                assert_eq!(driven.settled().await, DONE, "{what}");
            }
        }
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_holds_as_long_as_there_was_time_to_give_it() {
    for (resumed_after_ms, holds) in [(7 * DAY_MS - 1, true), (7 * DAY_MS, false), (80 * DAY_MS, false)] {
        let (rig, clock) = moved();
        let driven = rig.run(&shipped("content-repurposing")).await;
        driven.settled().await;
        let asked = driven.open_approval();
        driven.say("ada", Say::Pause).await.unwrap();
        driven.say("ada", approve(asked)).await.unwrap();
        clock.by_ms(resumed_after_ms);
        driven.say("ada", Say::Resume).await.unwrap();
        let wanted = if holds { DONE } else { Status::Stuck };
        assert_eq!(driven.settled().await, wanted, "{resumed_after_ms}: {:?}", driven.reasons());
        assert_eq!(driven.came().files.is_empty(), !holds, "{resumed_after_ms}");
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_counts_by_when_it_was_made_not_by_when_it_is_heard() {
    // One that was made in time counts however late it is heard; what it allows does not hold for ever.
    let cases = [
        (7 * DAY_MS - 1, 2 * DAY_MS, Ok(()), DONE),
        (7 * DAY_MS - 1, 7 * DAY_MS, Ok(()), Status::Stuck),
        (7 * DAY_MS - 1, 80 * DAY_MS, Ok(()), Status::Stuck),
        (7 * DAY_MS, 2 * DAY_MS, Err(Refusal::Closed), REJECTED),
        (8 * DAY_MS, 2 * DAY_MS, Err(Refusal::Closed), REJECTED),
    ];
    for (posted_after_ms, heard_after_ms, answer, status) in cases {
        let (rig, clock) = moved();
        let driven = rig.run(&shipped("content-repurposing")).await;
        driven.settled().await;
        let asked = driven.open_approval();
        // Nobody is there to hear it, nor for days after it.
        driven.system.stop().await;
        clock.by_ms(posted_after_ms);
        let id = uuid::Uuid::now_v7();
        let json = serde_json::to_vec(&Post { by: who("ada"), say: approve(asked) }).unwrap();
        let op = Op::Post { run: driven.handle.run, id, json, at: clock.now() };
        rig.store.commit(&[op]).pop().unwrap().unwrap();
        clock.by_ms(heard_after_ms);
        let driven = rig.open(driven.handle.run).await;
        assert_eq!(driven.answer(id).await, answer, "{posted_after_ms}, {heard_after_ms}");
        assert_eq!(driven.settled().await, status, "{posted_after_ms}, {heard_after_ms}");
        assert_eq!(driven.came().files.is_empty(), status != DONE, "{posted_after_ms}, {heard_after_ms}");
        driven.system.stop().await;
    }
}

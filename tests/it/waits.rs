//! Attempts of a model call: how many there are, and that being asked to wait is none for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use callsheet::clock::{Clock, Machine};
use callsheet::failure::{Class, Failure, Work};
use callsheet::id::Timestamp;
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Ask, Model, Reply};
use callsheet::run::state::{Status, THROTTLED_MS_MAX};
use callsheet::run::waits::What;

use super::support::{Rig, shipped};

/// The rehearsal, once it has failed so often.
struct Failing {
    class: Class,
    left: AtomicU32,
    asked: Arc<AtomicU32>,
}

impl Model for Failing {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fails = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let failure = Failure::new(self.class, "the test's own weather");
        Box::pin(async move { if fails { Err(failure) } else { Rehearsal.reply(ask).await } })
    }
}

/// A clock on which every look takes so long.
struct Slow(AtomicI64, i64);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(self.1, Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        Machine.uptime_ms()
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

/// Fails the first call so often; whether the run gets to its approval, and how often the model was asked for that call.
async fn check(class: Class, fails: u32, look_ms: u64, waits_for_approval: bool, asked: u32) {
    let mut rig = Rig::new();
    let count = Arc::new(AtomicU32::new(0));
    rig.model = Arc::new(Failing { class, left: AtomicU32::new(fails), asked: Arc::clone(&count) });
    rig.clock = Arc::new(Slow(AtomicI64::new(1_700_000_000_000), i64::try_from(look_ms).unwrap()));
    let mut plan = shipped("content-repurposing");
    plan.budget.active_ms = None;
    let driven = rig.run(&plan).await;
    let wanted = if waits_for_approval { Status::Waiting } else { Status::Stuck };
    assert_eq!(driven.settled().await, wanted, "{class:?}, {fails} failures: {:?}", driven.reasons());
    let found = count.load(Ordering::SeqCst);
    let fits = if waits_for_approval { found > asked } else { found == asked };
    assert!(fits, "{class:?}, {fails} failures: asked {found} times, {asked} wanted");
    // Either is something that people are told of.
    let what: Vec<What> = driven.state().waits().into_iter().map(|wait| wait.what).collect();
    let told = match what.as_slice() {
        [What::Approval { reminded: 0, overdue: false, .. }] => waits_for_approval,
        [What::Stuck { .. }] => !waits_for_approval,
        _ => false,
    };
    assert!(told, "{class:?}, {fails} failures: {what:?} is told");
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_attempts_are_made_and_being_asked_to_wait_is_none_for_a_while() {
    check(Class::Transient, 7, 0, true, 8).await;
    check(Class::Transient, 8, 0, false, 8).await;
    check(Class::Throttled, 20, 0, true, 21).await;
    // At the second failure it has been asked to wait for too long: from then on they count.
    check(Class::Throttled, 20, THROTTLED_MS_MAX, false, 8).await;
}

//! Nearly five thousand faults on real actors: agents that panic, err and hang at random, in hundreds of runs at once. Each run
//! comes to what it comes to undisturbed, only the agents that failed restart, and a run that fails too often pauses
//! alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callsheet::failure::{Class, Failure, Work};
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Ask, Model, Reply};
use callsheet::run::event::{DeadLetterAnswer, Decision, Event, PauseReason};
use callsheet::run::input::Say;
use callsheet::run::state::Status;
use callsheet::topology::plan::Plan;

use super::support::{Driven, Rig, shipped};

/// Runs of one storm, and so many side by side.
const RUNS: usize = 800;
const SIDE_BY_SIDE: usize = 32;

/// Agents that fail.
const SHAKY: [&str; 2] = ["drafter", "critic"];

/// The rehearsal, with agents that fail about six times in ten.
struct Storm {
    seed: AtomicU64,
    faults: Arc<[AtomicU64; 4]>,
}

impl Storm {
    /// The next number of a seeded sequence (splitmix64).
    fn roll(&self) -> u64 {
        let mut z = self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Model for Storm {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        let roll = self.roll() % 20;
        Box::pin(async move {
            if roll < 12 && SHAKY.contains(&ask.agent.as_str()) {
                let kind = (roll % 4) as usize;
                self.faults[kind].fetch_add(1, Ordering::Relaxed);
                match kind {
                    // As a panic, without its message on the screen thousands of times.
                    0 => std::panic::resume_unwind(Box::new("the storm's panic")),
                    1 => return Err(Failure::new(Class::Bug, "the storm's bug")),
                    2 => return Err(Failure::new(Class::Transient, "the storm's weather")),
                    _ => std::future::pending::<()>().await,
                }
            }
            Rehearsal.reply(ask).await
        })
    }
}

fn stormy() -> (Plan, Rig, Arc<[AtomicU64; 4]>) {
    let mut plan = shipped("content-repurposing");
    (plan.supervisor.max_restarts, plan.supervisor.poison_after) = (u32::MAX, u32::MAX);
    // Nobody else: on a busy machine an innocent call takes longer than that.
    for (agent, member) in &mut plan.team {
        if SHAKY.contains(&agent.as_str()) {
            member.limits.call_timeout_ms = 200;
        }
    }
    let faults: Arc<[AtomicU64; 4]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
    let mut rig = Rig::new();
    rig.model = Arc::new(Storm { seed: AtomicU64::new(42), faults: Arc::clone(&faults) });
    (plan, rig, faults)
}

/// Approves what is asked, and hands dead letters to their agents again, until the run is over.
async fn weathered(driven: &Driven<'_>) -> Status {
    loop {
        match driven.settled().await {
            Status::Waiting => driven.decide("ada", Decision::Approve).await.unwrap(),
            Status::Stuck => {
                let message = *driven.state().dead.keys().next().unwrap();
                driven.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
            }
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_faults_loses_nothing_and_restarts_only_who_failed() {
    let (plan, rig, faults) = stormy();
    let calm = Rig::new();
    let undisturbed = calm.run(&plan).await;
    undisturbed.approve_all().await;
    let expected = Arc::new(undisturbed.came());
    let (plan, rig, restarts) = (Arc::new(plan), Arc::new(rig), Arc::new(AtomicU64::new(0)));
    let left = Arc::new(AtomicU64::new(RUNS as u64));
    let workers: Vec<_> = (0..SIDE_BY_SIDE)
        .map(|_| {
            let (plan, rig, left) = (Arc::clone(&plan), Arc::clone(&rig), Arc::clone(&left));
            let (expected, restarts) = (Arc::clone(&expected), Arc::clone(&restarts));
            tokio::spawn(async move {
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                    let driven = rig.run(&plan).await;
                    weathered(&driven).await;
                    let came = driven.came();
                    assert_eq!(came.versions, expected.versions);
                    assert_eq!((&came.status, &came.results), (&expected.status, &expected.results));
                    assert_eq!((&came.decisions, &came.files), (&expected.decisions, &expected.files));
                    let facts = driven.facts();
                    let restarted = facts.iter().filter_map(|fact| match &fact.is {
                        Event::AgentRestarted { agent, .. } => Some(agent.to_string()),
                        _ => None,
                    });
                    let restarted: Vec<String> = restarted.collect();
                    restarts.fetch_add(restarted.len() as u64, Ordering::Relaxed);
                    let who: BTreeSet<&str> = restarted.iter().map(String::as_str).collect();
                    assert!(who.iter().all(|agent| SHAKY.contains(agent)), "{who:?}");
                    driven.system.stop().await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let [panics, errors, weather, hangs] = [0, 1, 2, 3].map(|kind| faults[kind].load(Ordering::Relaxed));
    let restarts = restarts.load(Ordering::Relaxed);
    println!(
        "storm: {RUNS} runs, {panics} panics, {errors} errors, {weather} transient, {hangs} hangs, {restarts} restarts"
    );
    assert!(panics.min(errors).min(weather).min(hangs) > 100, "the storm was a breeze");
    assert!(restarts >= panics + errors, "somebody died and was not started again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_fails_too_often_pauses_and_nothing_else_does() {
    let (mut plan, rig, _) = stormy();
    let calm = Rig::new();
    plan.supervisor.max_restarts = 0;
    let (shaken, steady) = (rig.run(&plan).await, calm.run(&plan).await);
    // A storm of transient weather alone can still pass; sooner or later somebody dies.
    let mut status = shaken.settled().await;
    while status == Status::Stuck {
        let message = *shaken.state().dead.keys().next().unwrap();
        shaken.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
        status = shaken.settled().await;
    }
    assert_eq!(status, Status::Paused);
    assert!(matches!(shaken.state().paused, Some(PauseReason::Intensity { restarts: 0, .. })));
    assert_eq!(steady.approve_all().await.word(), "done");
}

//! Runs that could not be taken up are left alone for a while, and each time for longer: a journal that cannot be replayed is
//! no better 50 milliseconds later, and every attempt is two commits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::RunId;

/// How long a run rests after its first failure; doubles with each failure more.
const REST_MS: u64 = 1_000;

/// The longest that it rests.
const REST_MS_MAX: u64 = 300_000;

/// What rests, by an uptime that whoever asks has.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<BTreeMap<RunId, Resting>>);

#[derive(Debug, Clone, Copy, Default)]
struct Resting {
    failures: u32,
    until_ms: u64,
}

impl Rest {
    /// Whether `run` is left alone at this time.
    pub(super) fn has(&self, run: RunId, uptime_ms: u64) -> bool {
        self.lock().get(&run).is_some_and(|resting| uptime_ms < resting.until_ms)
    }

    /// It could not be taken up; how long it rests now.
    pub(super) fn failed(&self, run: RunId, uptime_ms: u64) -> u64 {
        let mut all = self.lock();
        let resting = all.entry(run).or_default();
        let rest_ms = REST_MS.saturating_mul(1 << resting.failures.min(16)).min(REST_MS_MAX);
        *resting =
            Resting { failures: resting.failures.saturating_add(1), until_ms: uptime_ms.saturating_add(rest_ms) };
        rest_ms
    }

    /// It was taken up.
    pub(super) fn ended(&self, run: RunId) {
        self.lock().remove(&run);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Resting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_fails_again_and_again_is_tried_less_and_less() {
        let (rest, run, other) = (Rest::default(), RunId(uuid::Uuid::nil()), RunId(uuid::Uuid::max()));
        let (mut tried, mut uptime_ms) = (0, 0);
        // As the scheduler looks: each 50 ms, for an hour.
        while uptime_ms < 3_600_000 {
            if !rest.has(run, uptime_ms) {
                tried += 1;
                rest.failed(run, uptime_ms);
            }
            uptime_ms += 50;
        }
        assert_eq!(tried, 20, "1, 2, 4 and on to 256 seconds, then each five minutes");
        assert!(rest.has(run, uptime_ms) && !rest.has(other, uptime_ms), "others do not rest with it");
        rest.ended(run);
        assert!(!rest.has(run, uptime_ms));
        assert_eq!(rest.failed(run, uptime_ms), REST_MS, "what was well begins anew");
    }
}

//! A breaker for each model: after some failures in a row nobody asks it for a while, whichever run they belong to.

use dashmap::DashMap;

use crate::failure::{Class, Failure};
use crate::id::Timestamp;

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 5;

/// How long it stays open first; doubles with each failure more.
const OPEN_MS: u64 = 1_000;

/// The longest that it stays open.
const OPEN_MS_MAX: u64 = 30_000;

/// Tells the time.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The breakers of this process, by model.
pub struct Breakers {
    now: Now,
    models: DashMap<String, Breaker>,
}

#[derive(Debug, Clone, Copy)]
struct Breaker {
    failures: u32,
    open_until: Timestamp,
}

impl Breakers {
    /// All closed, by this time.
    pub fn new(now: Now) -> Self {
        Self { now, models: DashMap::new() }
    }

    /// Lets a call of `model` through.
    ///
    /// # Errors
    /// Throttled, for as long as the model is left alone. One that is let through tells whether it is back.
    pub fn open(&self, model: &str) -> Result<(), Failure> {
        let now = (self.now)();
        let Some(breaker) = self.models.get(model).filter(|breaker| breaker.open_until > now) else { return Ok(()) };
        let (failures, wait_ms) = (breaker.failures, breaker.open_until.ms_since(now));
        let why = format!("{model} failed {failures} times in a row and is left alone for {wait_ms} ms");
        Err(Failure { retry_after_ms: Some(wait_ms), ..Failure::new(Class::Throttled, why).unpaid() })
    }

    /// What a call came to: the class of its failure, if it failed.
    pub fn tell(&self, model: &str, failed: Option<Class>) {
        if !matches!(failed, Some(Class::Transient | Class::Throttled)) {
            self.models.remove(model);
            return;
        }
        let now = (self.now)();
        let mut breaker = self.models.entry(model.to_owned()).or_insert(Breaker { failures: 0, open_until: now });
        breaker.failures = breaker.failures.saturating_add(1);
        if let Some(more) = breaker.failures.checked_sub(FAILURES_MAX) {
            let open_ms = OPEN_MS.saturating_mul(1 << more.min(16)).min(OPEN_MS_MAX);
            breaker.open_until = now.plus_ms(open_ms);
        }
    }
}

//! The only reader of the time, and of randomness: what a run hears of both passes through here.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

use crate::id::Timestamp;

/// Time and chance.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Milliseconds since the machine started, sleep included: what nobody can set, and what no two machines share.
    fn uptime_ms(&self) -> u64;

    /// Sixteen random bytes.
    fn random(&self) -> [u8; 16];

    /// Where in its range a wait falls, 0 to 1,000.
    fn jitter_permille(&self) -> u16 {
        let [a, b, ..] = self.random();
        u16::from_le_bytes([a, b]) % 1_001
    }

    /// A fresh id, ordered by time.
    fn id(&self) -> uuid::Uuid {
        let now = u64::try_from(self.now().0).unwrap_or(0);
        let [.., a, b, c, d, e, f, g, h, i, j] = self.random();
        uuid::Builder::from_unix_timestamp_millis(now, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
    }
}

/// The machine's clock and its random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

/// The machine's clock, and how far somebody has moved it on: for tests of what happens after days.
#[derive(Debug, Default)]
pub struct Moved {
    by_ms: AtomicU64,
}

impl Moved {
    /// Moves it on.
    pub fn advance(&self, ms: u64) {
        self.by_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Machine.now().plus_ms(self.by_ms.load(Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        Machine.uptime_ms().saturating_add(self.by_ms.load(Ordering::SeqCst))
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn uptime_ms(&self) -> u64 {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let up = clock_gettime(clock);
        let (seconds, nanos) = (u64::try_from(up.tv_sec).unwrap_or(0), u64::try_from(up.tv_nsec).unwrap_or(0));
        seconds * 1_000 + nanos / 1_000_000
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Without randomness no salt hides anything and no id is unique; nothing sensible is left to do.
            std::process::abort();
        }
        bytes
    }
}

//! One test binary; one file a kind of harm. What they stand on is the library beside them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod faults;
mod flips;
mod owners;
mod power;

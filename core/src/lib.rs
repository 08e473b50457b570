//! The core of Callsheet: what a team of agents is, and what one run of it does next.
//!
//! Nothing here waits, reads a clock, makes a random number or touches a file. The product's crate hands in what it read
//! and heard, and carries out what comes back. Cargo holds that: nothing that could do otherwise is a dependency.

pub mod failure;
pub mod id;
pub mod run;
pub mod topology;

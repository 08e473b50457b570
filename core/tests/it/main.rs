//! The tests of the core alone. Nothing here knows the product, nor any team that is shipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they saw"
)]

mod budget;
mod files;
mod gates;
mod random;
mod simulation;
mod spread;
mod written;

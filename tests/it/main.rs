//! One test binary; one file a subject; `tests/cases/` is data.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they saw"
)]

mod campaigns;
mod config;
mod rehearsal;
mod store;
mod store_audit;
mod store_file;
mod store_model;
mod store_owner;
mod store_writer;
mod tools;
mod topology;

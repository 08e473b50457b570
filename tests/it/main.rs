//! One test binary; one file a subject; `tests/cases/` is data.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they saw"
)]

mod announcement;
mod attempts;
mod audit;
mod autonomy;
mod bodies;
mod breaker;
mod budget;
mod campaigns;
mod checked;
mod choice;
mod circles;
mod cli;
mod config;
mod data;
mod decisions;
mod declared;
mod doctor;
mod door;
mod durable;
mod endpoint;
mod founded;
mod fuzz;
mod gateway;
mod golden;
mod kept;
mod killed;
mod kinds;
mod later_no;
mod leaving;
mod local;
mod manner;
mod mend;
mod outbox;
mod owners;
mod ownership;
mod patterns;
mod pinned;
mod planted;
mod prefix;
mod prompt;
mod providers;
mod quirks;
mod readme;
mod reads;
mod recording;
mod rehearsal;
mod rehearsals_page;
mod rehearse;
mod replies;
mod requests;
mod results;
mod screens;
mod shown;
mod silence;
mod simulation;
mod store;
mod store_audit;
mod store_file;
mod store_model;
mod store_owner;
mod store_writer;
mod storm;
mod suite;
mod supervision;
mod support;
mod sweep;
mod terminal;
mod tidy;
mod times;
mod told;
mod tools;
mod tools_campaign_qa;
mod tools_csv;
mod tools_email;
mod tools_outward;
mod tools_sql;
mod tools_stats;
mod topology;
mod waits;
mod wire;

//! One test binary; one file a subject; `tests/cases/` is data.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they saw"
)]

#[path = "../../core/tests/it/files.rs"]
mod files;
#[path = "../../core/tests/it/random.rs"]
#[expect(dead_code, reason = "the core's tests draw in more ways")]
mod random;

mod acting;
mod announcement;
mod attached;
mod attempts;
mod attended;
mod audit;
mod autonomy;
mod bodies;
mod breaker;
mod budget;
mod campaigns;
mod checked;
mod choice;
mod circles;
mod claims;
mod cli;
mod comments;
mod config;
mod data;
mod decisions;
mod declared;
mod dial;
mod doctor;
mod documents;
mod door;
mod durable;
mod endpoint;
mod founded;
mod fuzz;
mod gateway;
mod golden;
mod guards;
mod history;
mod http;
mod injected;
mod inspected;
mod kept;
mod killed;
mod kinds;
mod later_no;
mod leaving;
mod local;
mod long;
mod manner;
mod mcp;
mod meaning;
mod mend;
mod notes;
mod outbox;
mod owners;
mod ownership;
mod parquet;
mod patterns;
mod pinned;
mod planted;
mod post;
mod postgres;
mod prefix;
mod prompt;
mod providers;
mod published;
mod quirks;
mod reach;
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
mod sections;
mod shown;
mod silence;
mod store;
mod store_audit;
mod store_file;
mod store_firing;
mod store_model;
mod store_owner;
mod store_writer;
mod storm;
mod stranger;
mod suite;
mod supervision;
mod support;
mod sweep;
mod teams;
mod telemetry;
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
mod triage;
mod triggers;
mod waits;
mod web;
mod webhook;
mod wire;

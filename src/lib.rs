//! Callsheet runs teams of agents that do marketing work. What follows is ARCHITECTURE.md.
#![doc = include_str!("../ARCHITECTURE.md")]

pub use callsheet_core::{failure, id, run, topology};

pub mod actor;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod file;
pub mod journal;
pub mod markdown;
pub mod mcp;
pub mod model;
pub mod net;
pub mod notify;
pub mod service;
pub mod telemetry;
pub mod template;
pub mod text;
pub mod tool;
pub mod web;
pub mod words;

//! Callsheet runs teams of agents that do marketing work.

pub mod actor;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod failure;
pub mod id;
pub mod journal;
pub mod model;
pub mod run;
pub mod tool;
pub mod topology;

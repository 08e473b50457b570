//! Callsheet runs teams of agents that do marketing work. What follows is ARCHITECTURE.md.
#![doc = include_str!("../ARCHITECTURE.md")]

pub mod actor;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod failure;
pub mod file;
pub mod id;
pub mod journal;
pub mod model;
pub mod run;
pub mod text;
pub mod tool;
pub mod topology;

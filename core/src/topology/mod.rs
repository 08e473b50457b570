//! TOML files -> a [`plan::Plan`] that cannot be wrong. Pure: text comes in, a plan or every fault at once goes out.

pub mod bill;
pub mod bounds;
mod cause;
pub mod check;
pub mod code;
pub mod editor;
pub mod fault;
pub mod manner;
pub mod order;
pub mod plan;
pub mod pointer;
pub mod price;
pub mod proof;
pub mod quiet;
pub mod raw;
pub mod recording;
pub mod rule;
pub mod secret;
pub mod seen;
pub mod shape;
pub mod spec;
pub mod speech;
pub mod template;
pub mod trigger;
pub mod wall;
pub mod whom;

pub use editor::editor_schemas;

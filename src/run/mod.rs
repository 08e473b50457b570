//! One run as a value.

pub mod failure;
